"""A passive planner plans nothing on its own; asked to be active it does, so the silence was its own.

Before the cases that leave scans without a plan: what is active plans them all.
"""

import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Phantom, Side
from studies import fresh

QUIET = 2.6  # seconds: longer than the 2 s between two looks of an active planner
WORKED = 120.0  # seconds an active planner gets to make a plan: 2 when quiet, and 20 was too short beside other work


def _plans(side: Side, study: Phantom) -> list[str]:
    """UIDs of the study's plans in the archive."""
    asked = {"StudyInstanceUID": study.study, "Modality": "RTPLAN", "SeriesInstanceUID": ""}
    return [str(one.SeriesInstanceUID) for one in side.archive.find("SERIES", **asked)]


def _at_the_machine(side: Side, study: Phantom) -> list[str]:
    return [plan["uid"] for plan in side.linac.get("/plans").json()["plans"] if plan["study"] == study.study]


def _arrived(side: Side, folder: Path, nonce: str) -> Phantom:
    made = fresh(folder, nonce)
    side.load(made, (*made.slices, made.structures))
    return made


def _nothing_happened(side: Side, study: Phantom, seconds: float = QUIET) -> bool:
    time.sleep(seconds)
    return not _plans(side, study) and not _at_the_machine(side, study)


@pytest.mark.requirement("passive")
@pytest.mark.risk("two colours work on the same patients")
def test_a_passive_planner_plans_nothing_on_its_own(candidate: Side, otagate: Any, tmp_path: Path) -> None:
    assert candidate.planner.get("/healthz").json()["active"] is False
    study = _arrived(candidate, tmp_path, otagate.nonce)
    assert _nothing_happened(candidate, study), "it planned while passive"
    try:
        assert candidate.planner.post("/hooks/activate").status_code == 200
        began = time.monotonic()
        while not _at_the_machine(candidate, study) and time.monotonic() < began + WORKED:
            time.sleep(0.1)
        takes = time.monotonic() - began
        assert _plans(candidate, study), "control: active, it plans"
        assert _at_the_machine(candidate, study), "control: active, it sends"
    finally:
        answer = candidate.planner.post("/hooks/passive")
    assert (answer.status_code, answer.json()["active"]) == (200, False)
    later = _arrived(candidate, tmp_path, otagate.nonce)
    # One that never rested may have been at work on the first study all the while: now it has the time that it takes.
    assert _nothing_happened(candidate, later, QUIET + 2 * takes), "it planned after it said that it is passive"
