"""What the service is told from outside: environment, configuration file, secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

UNTOLD = "untold"  # a build or colour nobody told us: a developer's machine
HTTP_PORT = 8080
DICOM_PORT = 11112


@dataclass(frozen=True)
class Identity:
    """Which build this is (config digest of its image) and which colour it runs as."""

    build: str
    colour: str

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        return (b"x-otagate-build", self.build.encode()), (b"x-otagate-colour", self.colour.encode())

    @property
    def implementation(self) -> str:
        """DICOM implementation version name (16 characters at most): colour's initial, 12 digits of the digest."""
        return f"{self.colour[:1]}-{self.build.removeprefix('sha256:')[:12]}"


@dataclass(frozen=True)
class Settings:
    identity: Identity
    store_host: str
    store_port: int
    store_name: str
    store_user: str
    store_password: str
    ae_title: str
    peers: tuple[str, ...]


def parse_peers(text: str) -> tuple[str, ...]:
    """The calling AE titles that may associate. Raises ValueError unless the file lists at least one valid title."""
    raw = yaml.safe_load(text)
    titles = raw.get("peers") if isinstance(raw, dict) else None
    if not isinstance(titles, list) or not titles:
        raise ValueError("the peers file must hold a list `peers` with at least one AE title")
    for title in titles:
        if not isinstance(title, str) or not title.strip() or len(title) > 16 or not title.isascii() or "\\" in title:
            raise ValueError(f"not an AE title: {title!r}")
    return tuple(title.strip() for title in titles)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Raises KeyError, OSError or ValueError when something needed is not there."""
    secret = Path(environ.get("STORE_PASSWORD_FILE", "/run/secrets/store-password"))
    peers = Path(environ.get("PEERS_FILE", "/etc/hello/peers.yaml"))
    return Settings(
        identity=Identity(environ.get("OTAGATE_BUILD", UNTOLD), environ.get("OTAGATE_COLOUR", UNTOLD)),
        store_host=environ["STORE_HOST"],
        store_port=int(environ.get("STORE_PORT", "5432")),
        store_name=environ.get("STORE_NAME", "hello"),
        store_user=environ.get("STORE_USER", "web"),
        store_password=secret.read_text().rstrip("\n"),
        ae_title=environ.get("AE_TITLE", "HELLO"),
        peers=parse_peers(peers.read_text()),
    )
