"""Nothing of production can be reached from the mirror, by address or name; and the machine's name is a stand-in's."""

import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import DICOM_PORT, HTTP_PORT, VNA_PORT

PORTS = (HTTP_PORT, DICOM_PORT, VNA_PORT, 5432, 8000, 8001, 80, 443, 22, 2375, 2376, 104, 2575, 4242)
PATIENCE = 0.5  # seconds for one connection
NAMES = 1.0  # seconds for one name; one that is known takes milliseconds

pytestmark = pytest.mark.requirement("isolation")


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=PATIENCE):
            return True
    except OSError:
        return False


def _reached(addresses: list[str]) -> list[str]:
    tried = [(address, port) for address in addresses for port in PORTS]
    with ThreadPoolExecutor(min(256, len(tried) or 1)) as pool:
        found = list(pool.map(lambda one: _answers(*one), tried))
    return [f"{address}:{port}" for (address, port), answered in zip(tried, found, strict=True) if answered]


def _addresses(name: str) -> set[str]:
    """In a process of its own, which can be ended: a name that nobody knows keeps the resolver waiting for long."""
    try:
        asked = subprocess.run(  # noqa: S603 (a name of the gate's)
            ["/usr/bin/getent", "ahostsv4", name], capture_output=True, text=True, timeout=NAMES
        )
    except subprocess.TimeoutExpired:
        return set()
    return {line.split()[0] for line in asked.stdout.splitlines() if line.strip()}


@pytest.mark.risk("a test reaches patients' data")
def test_no_address_of_production_answers(otagate: Any) -> None:
    production = otagate.production
    addresses = sorted({address for found in production.values() for address in found})
    assert production, "production must be there, or nothing is proven"
    assert addresses, "production must have addresses, or nothing is proven"
    own = socket.gethostbyname(otagate.candidate.host("vna"))
    found = _reached([*addresses, own])
    may = [f"{own}:{DICOM_PORT}", f"{own}:{VNA_PORT}"]
    assert found[-2:] == may, "control: among all of them, what may be reached is seen as reached"
    assert found == may


@pytest.mark.risk("a test reaches patients' data")
def test_no_name_of_production_is_known_here(otagate: Any) -> None:
    names = sorted(otagate.production)
    assert names, "production must be there, or nothing is proven"
    asked = [*names, otagate.candidate.host("vna")]
    with ThreadPoolExecutor(len(asked)) as pool:
        known = [name for name, found in zip(asked, pool.map(_addresses, asked), strict=True) if found]
    assert known[-1:] == asked[-1:], "control: among all of them, a name that is known here is seen as known"
    assert known == asked[-1:]


@pytest.mark.risk("a test plan reaches a treatment machine")
def test_the_machines_name_leads_to_a_stand_in(otagate: Any) -> None:
    stand_ins = {side.host("linac") for side in (otagate.candidate, otagate.baseline)}
    own = {address for name in stand_ins for address in _addresses(name)}
    assert own, "the stand-ins must be there, or nothing is proven"
    assert _addresses("linac") <= own
    assert _addresses("linac"), "the name must be known, or nothing is proven"
