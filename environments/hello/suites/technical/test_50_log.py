"""The log tells what happened and nothing about whom."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Dicom, Web, uid_of

pytestmark = [pytest.mark.requirement("clean-log"), pytest.mark.risk("patients named in a log")]

WRITTEN = 15.0  # seconds until a line has come through to the engine's log


@pytest.fixture
def mark(otagate: Any) -> str:
    """A word that only this run's patient bears."""
    return str(otagate.nonce[:10].upper())


@pytest.fixture
def person(mark: str) -> dict[str, str]:
    return {
        "PatientName": f"Canary{mark}^Given{mark}",
        "PatientID": f"ID{mark}",
        "ReferringPhysicianName": f"Doctor{mark}",
    }


@pytest.fixture
def log(web: Web, otagate: Any, anew: Callable[..., bytes]) -> Callable[[], str]:
    """Reads the log once all that was logged up to now is in it: an object kept last must be named there.

    That is the control as well: the log that is read is the one in which this service names what it keeps.
    """

    def read() -> str:
        last = anew("plan")
        web.keep(last)
        until = time.monotonic() + WRITTEN
        while uid_of(last) not in (found := str(otagate.logs("web"))):
            assert time.monotonic() < until, "control: what the service keeps does not come up in the log that is read"
            time.sleep(0.1)
        return found

    return read


def test_what_came_by_http_leaves_no_person_in_the_log(
    web: Web, anew: Callable[..., bytes], mark: str, person: dict[str, str], log: Callable[[], str]
) -> None:
    body = anew("plan", **person)
    web.keep(body)
    web.summary(body)
    found = log()
    assert uid_of(body) in found
    assert mark not in found.upper()


def test_what_came_by_c_store_leaves_no_person_in_the_log(
    dicom: Dicom,
    anew: Callable[..., bytes],
    mark: str,
    person: dict[str, str],
    log: Callable[[], str],
    tmp_path: Path,
) -> None:
    body = anew("ct", **person)
    assert dicom.store(body, tmp_path) == 0x0000
    found = log()
    assert uid_of(body) in found
    assert mark not in found.upper()


def test_a_refused_object_leaves_no_person_and_no_traceback(
    web: Web, anew: Callable[..., bytes], mark: str, person: dict[str, str], log: Callable[[], str]
) -> None:
    broken = anew("plan", **person, Modality=f"M{mark}").replace(b"DICM", b"DICX", 1)
    assert web.post("/objects", broken).status_code == 422
    assert web.post("/summary", anew("ct", **person, Rows=1)).status_code == 422
    found = log()
    assert mark not in found.upper()
    assert "Traceback" not in found
