"""A switch that cannot start with the certificate that it was given, beside the one that serves."""

import shutil
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.e2e.live import Live
from tests.e2e.quick import quick, remove
from tests.e2e.test_switch_tls_e2e import certificate, shown

pytestmark = [pytest.mark.docker, pytest.mark.e2e]


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """In production, with TLS ended at the switch."""
    live = quick(tmp_path_factory.mktemp("secure"))
    certificate(live.folder, "web")
    end = 'tls: {end: {certificate: "file:./web.crt", key: "file:./web.key"}}'
    live.edit("otagate.yaml", "probe: /healthz,", f"probe: /healthz, {end},")
    try:
        live.otagate("up", "--by", "tests")
        yield live
    finally:
        remove(live.name)


def shows(at: tuple[str, int], trusted: Path, seconds: float = 20.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            return bool(shown(at, trusted))
        except (OSError, ssl.SSLError):
            time.sleep(0.1)
    return False


def test_a_key_of_another_certificate_leaves_the_old_switch_what_it_starts_with(
    engine: docker.DockerClient, secure: Live, tmp_path: Path
) -> None:
    host, port = str(secure.otagate("status")["data"]["listeners"]["web"]["address"]).split(":")
    at, trusted = (host, int(port)), secure.folder / "web.pem"
    kept = Path(shutil.copy(secure.folder / "web.key", tmp_path))
    certificate(tmp_path, "other")
    shutil.copy(tmp_path / "other.key", secure.folder / "web.key")
    secure.otagate("switch", "replace", "--by", "tests", exit=4)
    switch = engine.containers.get(f"{secure.name}-shared-switch")
    switch.restart(timeout=2)
    assert shows(at, trusted), switch.logs(tail=20).decode()

    shutil.copy(kept, secure.folder / "web.key")
    secure.otagate("switch", "replace", "--by", "tests")
    new = engine.containers.get(f"{secure.name}-shared-switch-3")
    new.restart(timeout=2)
    assert shows(at, trusted), new.logs(tail=20).decode()
    assert secure.otagate("up", "--by", "tests")["data"]["changed"] == []
