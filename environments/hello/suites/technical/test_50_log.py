"""The log tells what happened and nothing about whom."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Dicom, Web, uid_of

pytestmark = [pytest.mark.requirement("clean-log"), pytest.mark.risk("patients named in a log")]


def _planted(otagate: Any) -> tuple[str, dict[str, str]]:
    mark = otagate.nonce[:10].upper()
    return mark, {
        "PatientName": f"Canary{mark}^Given{mark}",
        "PatientID": f"ID{mark}",
        "ReferringPhysicianName": f"Doctor{mark}",
    }


def test_what_came_by_http_leaves_no_person_in_the_log(web: Web, otagate: Any, anew: Callable[..., bytes]) -> None:
    mark, persons = _planted(otagate)
    body = anew("plan", **persons)
    web.keep(body)
    web.summary(body)
    log = otagate.logs("web")
    assert uid_of(body) in log, "control: the log that was read is the one that this object reached"
    assert mark not in log.upper()


def test_what_came_by_c_store_leaves_no_person_in_the_log(
    dicom: Dicom, otagate: Any, anew: Callable[..., bytes], tmp_path: Path
) -> None:
    mark, persons = _planted(otagate)
    body = anew("ct", **persons)
    assert dicom.store(body, tmp_path) == 0x0000
    log = otagate.logs("web")
    assert uid_of(body) in log, "control: the log that was read is the one that this object reached"
    assert mark not in log.upper()


def test_a_refused_object_leaves_no_person_and_no_traceback(web: Web, otagate: Any, anew: Callable[..., bytes]) -> None:
    mark, persons = _planted(otagate)
    body = anew("plan", **persons, Modality=f"M{mark}")
    broken = body.replace(b"DICM", b"DICX", 1)
    assert web.post("/objects", broken).status_code == 422
    assert web.post("/summary", anew("ct", **persons, Rows=1)).status_code == 422
    log = otagate.logs("web")
    assert mark not in log.upper()
    assert "Traceback" not in log
