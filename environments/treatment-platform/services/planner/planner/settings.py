"""What the planner is told from outside: environment, configuration file, secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

UNTOLD = "untold"  # a build or colour nobody told us: a developer's machine
HTTP_PORT, DICOM_PORT = 8080, 11112


@dataclass(frozen=True)
class Identity:
    """The build (config digest of its image) and the colour it runs as."""

    build: str
    colour: str

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """For every answer."""
        return (b"x-otagate-build", self.build.encode()), (b"x-otagate-colour", self.colour.encode())

    @property
    def implementation(self) -> str:
        """DICOM implementation version name (16 characters at most): colour's initial, 12 digits of the digest."""
        return f"{self.colour[:1]}-{self.build.removeprefix('sha256:')[:12]}"


@dataclass(frozen=True)
class Protocol:
    """`callers`: AE titles that may send scans; `plan`: what the engine is asked for when nobody says otherwise."""

    callers: tuple[str, ...]
    plan: Mapping[str, Any]


@dataclass(frozen=True)
class Settings:
    """Addresses as URLs or (host, port); `title` is the planner's own AE title, `machine` the linac's."""

    identity: Identity
    archive: str
    credentials: tuple[str, str]
    engine: str
    linac: tuple[str, int]
    title: str
    machine: str
    protocol: Protocol


def parse_protocol(text: str) -> Protocol:
    """Raises ValueError unless callers are AE titles and the plan has a prescription."""
    raw = yaml.safe_load(text)
    if not isinstance(raw, dict) or set(raw) != {"callers", "plan"}:
        raise ValueError("the configuration must name callers and plan")
    callers, plan = raw["callers"], raw["plan"]
    if not isinstance(callers, list) or not callers:
        raise ValueError("callers must be a list of AE titles")
    for title in callers:
        if not isinstance(title, str) or not 1 <= len(title.strip()) <= 16 or not title.isascii() or "\\" in title:
            raise ValueError(f"not an AE title: {title!r}")
    if not isinstance(plan, dict) or not isinstance(plan.get("prescription"), dict):
        raise ValueError("plan must hold a prescription")
    return Protocol(tuple(title.strip() for title in callers), plan)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Raises KeyError, OSError or ValueError when something needed is not there."""
    secret = Path(environ.get("VNA_PASSWORD_FILE", "/run/secrets/vna-password"))
    config = Path(environ.get("PLANNER_CONFIG", "/etc/planner/planner.yaml"))
    return Settings(
        identity=Identity(environ.get("OTAGATE_BUILD", UNTOLD), environ.get("OTAGATE_COLOUR", UNTOLD)),
        archive=environ["VNA_URL"],
        credentials=(environ.get("VNA_USER", "clinic"), secret.read_text().rstrip("\n")),
        engine=environ["ENGINE_URL"],
        linac=(environ["LINAC_HOST"], int(environ.get("LINAC_PORT", "11112"))),
        title=environ.get("AE_TITLE", "PLANNER"),
        machine=environ.get("LINAC_AE_TITLE", "LINAC"),
        protocol=parse_protocol(config.read_text()),
    )
