"""What is stored is read without an engine, and what is missing of it is said."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from otagate.adapters.store import SqlStore, sqlite_url
from otagate.adapters.vault import FolderVault
from tests.pngs import png
from tests.samples import PIXEL, stored


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A refused run of hello, its picture beside it."""
    run = stored()
    SqlStore(sqlite_url(str(tmp_path))).save_run(run)
    FolderVault(str(tmp_path)).write(run.header.run, picture(), PIXEL)
    return tmp_path


def picture() -> str:
    (one,) = stored().record.suites["functional"].pictures
    return one.file


def told(home: Path, *words: str) -> dict[str, Any]:
    """The envelope of a command that has no engine."""
    nowhere = {"OTAGATE_HOME": str(home), "DOCKER_HOST": f"unix://{home}/no-engine.sock"}
    done = subprocess.run(
        [sys.executable, "-m", "otagate", *words, "-p", "hello", "--output", "json"],
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    envelope: dict[str, Any] = json.loads(done.stdout)
    assert envelope["exit"] == done.returncode
    return envelope


def test_a_verdict_and_a_report_need_no_engine(home: Path) -> None:
    assert (told(home, "verdict")["exit"], told(home, "verdict")["data"]["verdict"]) == (1, "refuse")
    report = told(home, "report")
    assert (report["exit"], report["errors"]) == (0, [])
    assert Path(report["data"]["path"]).is_file()


def test_what_needs_an_engine_says_that_none_answers(home: Path) -> None:
    status = told(home, "status")
    assert (status["exit"], status["errors"][0]["code"]) == (4, "engine-silent")


@pytest.mark.parametrize("lies_there", [None, png(91)])
def test_a_picture_that_is_gone_or_changed_is_an_alarm_beside_the_report(home: Path, lies_there: bytes | None) -> None:
    path = home / "runs" / stored().header.run / picture()
    path.unlink()
    if lies_there is not None:
        path.write_bytes(lies_there)
    report = told(home, "report")
    assert report["exit"] == 8
    assert [(error["code"], picture() in error["message"]) for error in report["errors"]] == [("picture", True)]
    assert Path(report["data"]["path"]).is_file()


def test_each_check_that_does_not_hold_is_an_error_with_its_remedy(home: Path) -> None:
    doctor = told(home, "doctor")
    bad = [check for check in doctor["data"]["checks"] if not check["well"]]
    assert "engine" in [check["name"] for check in bad]
    assert doctor["exit"] == 4
    assert [error["hint"] for error in doctor["errors"]] == [check["remedy"] for check in bad]
