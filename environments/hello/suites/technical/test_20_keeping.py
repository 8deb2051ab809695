"""What is taken is kept: whole, once, under the name of the build that took it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Dicom, Rows, Web, new_uid, uid_of


def test_an_object_sent_by_http_is_read_back_byte_for_byte(web: Web, anew: Callable[..., bytes]) -> None:
    body = anew("dose")
    web.keep(body)
    assert web.content(uid_of(body)) == body


def test_an_object_sent_by_c_store_is_kept_whole(
    web: Web, dicom: Dicom, anew: Callable[..., bytes], tmp_path: Path
) -> None:
    body = anew("ct")
    assert dicom.store(body, tmp_path) == 0x0000
    kept = web.content(uid_of(body))
    assert kept[kept.index(b"\x08\x00\x05\x00") :] == body[body.index(b"\x08\x00\x05\x00") :]  # all after the file meta
    assert web.kept(uid_of(body))["came_by"] == "dicom"


@pytest.mark.requirement("provenance")
def test_answers_and_rows_name_the_build_that_made_them(
    web: Web, rows: Rows, anew: Callable[..., bytes], otagate: Any
) -> None:
    body = anew("plan")
    answer = web.post("/objects", body)
    assert answer.json()["build"] == otagate.candidate.build("web")
    row = rows.eventually("SELECT kept_by FROM objects WHERE sop_instance_uid = %s", uid_of(body))
    assert row == web.kept(uid_of(body))["kept_by"] == otagate.candidate.build("web")


def test_the_same_object_sent_twice_is_kept_once(web: Web, rows: Rows, anew: Callable[..., bytes]) -> None:
    body = anew("plan")
    first, second = web.post("/objects", body), web.post("/objects", body)
    assert (first.json()["kept"], second.json()["kept"]) == ("new", "same")
    count = "SELECT nullif(count(*), 0) FROM objects WHERE sop_instance_uid = %s"
    assert rows.eventually(count, uid_of(body)) == 1


def test_another_object_under_a_known_uid_changes_nothing(
    web: Web, dicom: Dicom, anew: Callable[..., bytes], tmp_path: Path
) -> None:
    uid = new_uid()
    mine, other = anew("plan", SOPInstanceUID=uid), anew("ct", SOPInstanceUID=uid)
    web.keep(mine)
    assert web.post("/objects", other).status_code == 409
    assert dicom.store(other, tmp_path) == 0x0111
    assert web.content(uid) == mine


def test_the_newest_object_leads_the_list(web: Web, anew: Callable[..., bytes]) -> None:
    body = anew("plan")
    web.keep(body)
    listed = web.get("/objects?limit=3").json()["objects"]
    assert listed[0]["sop_instance_uid"] == uid_of(body)


def _kept_bytes(web: Web, uid: str) -> int:
    """What the service says an object takes in its store, once it is there."""
    until = time.monotonic() + 8.0
    while (told := web.kept(uid)["kept_bytes"]) is None and time.monotonic() < until:
        time.sleep(0.25)
    return int(told)


def test_what_a_kept_object_costs_is_measured(
    web: Web, rows: Rows, anew: Callable[..., bytes], otagate: Any, metric: Callable[..., Any]
) -> None:
    """One and the same object here, by the database's own account, and beside it in the live build.

    A baseline's store has a password of its own, so the live build's word is taken; the candidate's is checked.
    """
    baseline = Web(otagate.baseline.host("web"))
    baseline.wait_until_healthy()
    size = "SELECT pg_column_size(content) FROM objects WHERE sop_instance_uid = %s"
    for name in ("ct", "plan", "dose"):
        body = anew(name)
        web.keep(body)
        baseline.keep(body)
        taken = rows.eventually(size, uid_of(body))
        assert taken == _kept_bytes(web, uid_of(body)) > 0
        kept = metric("bytes-kept", unit="B", direction="lower")
        kept.add(candidate=taken, baseline=_kept_bytes(baseline, uid_of(body)))
