"""A service that is killed while a scanner sends loses nothing that was acknowledged, and the chain goes on."""

from collections.abc import Sequence
from itertools import chain, cycle
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from conftest import SUCCESS, DicomWeb, Side, sent, uid_of
from studies import COARSE, fresh

pytestmark = [pytest.mark.requirement("recovery"), pytest.mark.risk("scans or plans lost in a crash")]


class Scanner:
    """Sends files over one association, in a thread of its own, until that breaks: half of them, and then the others
    again and again, so that something is being sent whenever the service is killed."""

    def __init__(self, side: Side, files: Sequence[Path]) -> None:
        self.acknowledged: set[str] = set()
        self.halfway, self.over = Event(), Event()
        self.begun, self.broke = 0, False
        self._side, self._files = side, files
        self._thread = Thread(target=self._send, daemon=True)

    def _send(self) -> None:
        half = len(self._files) // 2
        with self._side.scans.association("SCANNER") as association:
            for file in chain(self._files[:half], cycle(self._files[half:])):
                self.broke = not association.is_established
                if self.broke or self.over.is_set():
                    return
                self.begun += 1
                if self.begun > half:
                    self.halfway.set()
                if sent(association, file) == SUCCESS:
                    self.acknowledged.add(uid_of(file.read_bytes()))

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
    files = (*made.slices, made.structures)
    with Scanner(candidate, files) as scanner:
        assert scanner.halfway.wait(60), "control: half of it was sent before"
        before = scanner.begun
        otagate.kill(service)
    assert scanner.broke or scanner.begun > before, "control: it was sending all the while"
    archive.wait_until_it_answers()
    candidate.wait_until_healthy()
    assert scanner.acknowledged, "control: something was acknowledged"
    assert scanner.acknowledged <= candidate.archive.instances(made.study)
    candidate.load(made, files)  # as a scanner does with what was not acknowledged
    assert candidate.archive.instances(made.study) == {uid_of(file.read_bytes()) for file in files}
    wanted = {"study": made.study, "structure_set": made.structure_set, **COARSE}
    plan = candidate.planner.asked_until_it_passes("/plans", wanted).json()
    assert candidate.linac.get(f"/plans/{plan['plan']}").json()["plan"]["sha256"] == plan["linac"]["sha256"]
