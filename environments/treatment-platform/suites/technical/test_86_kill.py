"""A service that is killed while a scanner sends loses nothing that was acknowledged, and the chain goes on."""

import time
from collections import defaultdict
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from conftest import SUCCESS, DicomWeb, Phantom, Side, sent, uid_of
from studies import COARSE, fresh

pytestmark = [pytest.mark.requirement("recovery"), pytest.mark.risk("scans or plans lost in a crash")]


PACE = 0.05  # seconds between two objects
BEGUN = 6  # objects: fewer than a study has


class Scanner:
    """Sends study after study over one association, in a thread of its own, until that breaks or it is over. Nothing is
    sent twice: what was acknowledged and is lost stays lost."""

    def __init__(self, side: Side, studies: Iterable[Phantom]) -> None:
        self.acknowledged: dict[str, set[str]] = defaultdict(set)
        self.at_work, self.over = Event(), Event()
        self.begun, self.broke = 0, False
        self._side, self._studies = side, studies
        self._thread = Thread(target=self._send, daemon=True)

    def _send(self) -> None:
        with self._side.scans.association("SCANNER") as association:
            for study, file in ((one, file) for one in self._studies for file in (*one.slices, one.structures)):
                self.broke = not association.is_established
                if self.broke or self.over.is_set():
                    return
                self.begun += 1
                if self.begun == BEGUN:
                    self.at_work.set()
                if sent(association, file) == SUCCESS:
                    self.acknowledged[study.study].add(uid_of(file.read_bytes()))
                time.sleep(PACE)

    def __enter__(self) -> "Scanner":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._thread.join(timeout=120)
        assert not self._thread.is_alive(), "the scanner got no answer and no end"


@pytest.mark.parametrize("service", ["vna", "vna-index", "planner"])
def test_what_was_acknowledged_outlives_a_service_that_is_killed(
    candidate: Side, archive: DicomWeb, otagate: Any, tmp_path: Path, service: str
) -> None:
    made = fresh(tmp_path, otagate.nonce)
    others = iter(lambda: fresh(tmp_path, otagate.nonce), None)
    with Scanner(candidate, chain([made], others)) as scanner:
        assert scanner.at_work.wait(60), "control: it was sending before"
        before = scanner.begun
        otagate.kill(service)
    assert scanner.broke or scanner.begun > before, "control: it was sending all the while"
    archive.wait_until_it_answers()
    candidate.wait_until_healthy()
    assert scanner.acknowledged[made.study], "control: something was acknowledged"
    for study, acknowledged in scanner.acknowledged.items():
        lost = acknowledged - candidate.archive.instances(study)
        assert not lost, f"{len(lost)} objects were acknowledged and are not there"
    files = (*made.slices, made.structures)
    candidate.load(made, files)  # as a scanner does with what was not acknowledged
    assert candidate.archive.instances(made.study) == {uid_of(file.read_bytes()) for file in files}
    wanted = {"study": made.study, "structure_set": made.structure_set, **COARSE}
    plan = candidate.planner.asked("/plans", wanted, service).json()
    there = [one for one in candidate.linac.get("/plans").json()["plans"] if one["study"] == made.study]
    found = [(one["uid"], one["sha256"]) for one in there]
    assert found == [(plan["plan"], plan["linac"]["sha256"])], f"the machine has {len(there)} plans of the study"
