"""Nothing of production can be reached from the mirror, by address or by name."""

import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import DICOM_PORT, HTTP_PORT

PORTS = (HTTP_PORT, DICOM_PORT, 5432, 8000, 8001, 80, 443, 22, 2375, 2376, 104, 2575, 4242, 8042)
PATIENCE = 0.5  # seconds for one connection
NAMES = 1.0  # seconds for one name; one that is known takes milliseconds


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=PATIENCE):
            return True
    except OSError:
        return False


def _reached(addresses: list[str]) -> list[str]:
    tried = [(address, port) for address in addresses for port in PORTS]
    with ThreadPoolExecutor(min(64, len(tried) or 1)) as pool:
        found = list(pool.map(lambda one: _answers(*one), tried))
    return [f"{address}:{port}" for (address, port), answered in zip(tried, found, strict=True) if answered]


def _known(names: list[str]) -> list[str]:
    """The names that can be resolved, as any program here would, within the deadline."""
    with ThreadPoolExecutor(len(names)) as pool:
        return [name for name, known in zip(names, pool.map(_resolves, names), strict=True) if known]


def _resolves(name: str) -> bool:
    """In a process of its own, which can be ended: a name that nobody knows keeps the resolver waiting for long."""
    try:
        asked = subprocess.run(["/usr/bin/getent", "ahosts", name], capture_output=True, timeout=NAMES)  # noqa: S603
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


@pytest.mark.requirement("isolation")
@pytest.mark.risk("a test reaches patients' data")
def test_no_address_of_production_answers(otagate: Any) -> None:
    production = otagate.production
    addresses = sorted({address for found in production.values() for address in found})
    assert production, "production must be there, or nothing is proven"
    assert addresses, "production must have addresses, or nothing is proven"
    own = [socket.gethostbyname(otagate.candidate.host("store")), socket.gethostbyname(otagate.candidate.host("web"))]
    assert _reached(own) == [f"{own[0]}:5432", f"{own[1]}:{HTTP_PORT}", f"{own[1]}:{DICOM_PORT}"], (
        "control: what may be reached is seen as reached"
    )
    assert _reached(addresses) == []


@pytest.mark.requirement("isolation")
@pytest.mark.risk("a test reaches patients' data")
def test_no_name_of_production_is_known_here(otagate: Any) -> None:
    names = sorted(otagate.production)
    assert names, "production must be there, or nothing is proven"
    own = otagate.candidate.host("store")
    assert _known([own]) == [own], "control: a name that is known here is seen as known"
    assert _known(names) == []
