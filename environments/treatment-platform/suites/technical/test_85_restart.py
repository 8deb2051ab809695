"""An orderly restart of any service loses nothing: what was acknowledged is there, and the chain goes on."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from conftest import SUCCESS, DicomWeb, Phantom, Side, data_set, uid_of
from studies import COARSE, fresh

BACK = 30.0  # seconds until the chain must work again

pytestmark = [pytest.mark.requirement("recovery"), pytest.mark.risk("scans or plans lost at a restart")]


@pytest.fixture(scope="session")
def study(candidate: Side, otagate: Any, tmp_path_factory: pytest.TempPathFactory) -> Phantom:
    made = fresh(tmp_path_factory.mktemp("restart"), otagate.nonce)
    candidate.load(made)
    return made


def _everything_is_there(side: Side, archive: DicomWeb, study: Phantom) -> None:
    sent = {uid_of(file.read_bytes()): file.read_bytes() for file in study.files}
    archive.wait_until_it_answers()
    assert side.archive.instances(study.study) == set(sent)
    for file in (study.slices[0], study.structures):
        uid = uid_of(file.read_bytes())
        assert data_set(archive.fetch(study.study, uid)) == data_set(sent[uid])


def _at_the_machine(side: Side) -> list[dict[str, Any]]:
    side.linac.wait_until_healthy()
    plans: list[dict[str, Any]] = side.linac.get("/plans").json()["plans"]
    return plans


def _pixels(side: Side, study: Phantom, ended: str = "") -> bytes:
    answer = side.engine.asked("/forward", {"plan": study.plan_uid, "spacing": 5}, ended)
    return bytes(pydicom.dcmread(BytesIO(answer.content)).PixelData)


@pytest.mark.parametrize("service", ["vna", "vna-index", "linac", "planner", "dose-engine"])
def test_nothing_is_lost_when_a_service_restarts(
    candidate: Side, archive: DicomWeb, study: Phantom, otagate: Any, tmp_path: Path, service: str
) -> None:
    """The dose of a plan that never changes comes out the same to the last bit: an engine keeps nothing that matters.
    The machine has all plans that it took, and takes the next one.
    """
    before, taken = _pixels(candidate, study), _at_the_machine(candidate)
    otagate.restart(service, deadline=BACK)
    _everything_is_there(candidate, archive, study)
    candidate.wait_until_healthy()
    assert candidate.planner.get("/healthz").json()["active"] is False
    assert _pixels(candidate, study, service) == before
    assert _at_the_machine(candidate) == taken
    more = fresh(tmp_path, otagate.nonce)
    assert set(candidate.scans.store((*more.slices, more.structures))) == {SUCCESS}
    wanted = {"study": more.study, "structure_set": more.structure_set, **COARSE}
    made = candidate.planner.asked("/plans", wanted, service).json()
    assert candidate.linac.get(f"/plans/{made['plan']}").json()["plan"]["sha256"] == made["linac"]["sha256"]
    assert len(_at_the_machine(candidate)) == len(taken) + 1, "control: what it has can be told"
