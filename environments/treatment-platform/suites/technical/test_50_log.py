"""The logs tell what happened and nothing about whom."""

import time
from collections.abc import Callable
from typing import Any

import pydicom
import pytest
from conftest import Phantom, Side
from peer import REJECTED, answer
from studies import COARSE, PATIENT, fresh

pytestmark = [pytest.mark.requirement("clean-log"), pytest.mark.risk("patients named in a log")]

KNOCKING = "KNOCKING"  # an AE title that the archive does not know, and says so in its log
WRITTEN = 15.0  # seconds until a line has come through to the engine's log
SERVICES = ("planner", "dose-engine", "linac", "vna", "vna-index")


@pytest.fixture(scope="session")
def mark(otagate: Any) -> str:
    """A word that only this run's patient bears."""
    return str(otagate.nonce[:10].upper())


@pytest.fixture(scope="session")
def treated(candidate: Side, otagate: Any, mark: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Gives each service the patient's name: a scan, a plan, refusals. What its log must tell of that, by service."""
    made = fresh(tmp_path_factory.mktemp("log"), otagate.nonce)
    for file in made.files:
        body = pydicom.dcmread(file)
        body.PatientName, body.ReferringPhysicianName = f"Canary{mark}^Given{mark}", f"Doctor{mark}"
        body.save_as(file)
    candidate.load(made, (*made.slices, made.structures))
    wanted = {"study": made.study, "structure_set": made.structure_set, **COARSE}
    candidate.planner.asked("/plans", wanted)
    refused = _refused(candidate, made, mark)
    odd = "unknown-structure"
    return {"planner": f"trouble: {odd}", "dose-engine": f"refused: {odd}", "linac": refused, "vna": KNOCKING}


def _refused(side: Side, made: Phantom, mark: str) -> str:
    """By planner and engine for a structure that bears the name, by the machine for a plan that cannot be delivered:
    that plan's UID. It is what each is given last."""
    odd = {"roi": f"Canary{mark}", "dose": 50, "fractions": 25}
    wanted = {"study": made.study, "structure_set": made.structure_set, "prescription": odd}
    assert side.planner.post("/plans", wanted).status_code == 422
    plan = pydicom.dcmread(made.plan)
    plan.PatientID = f"{mark}-elsewhere"
    plan.save_as(made.plan)
    (code,) = side.machine.store([made.plan], "PLANNER")
    assert code != 0x0000
    assert answer(side.archive, KNOCKING)[0] == REJECTED
    return str(plan.SOPInstanceUID)


@pytest.fixture
def log(otagate: Any, treated: dict[str, str]) -> Callable[[str], str]:
    """Reads a service's log, once what it was last given is told there: the control that it is the right log."""

    def read(service: str) -> str:
        until = time.monotonic() + WRITTEN
        while treated.get(service, "") not in (found := str(otagate.logs(service))) or not found:
            assert time.monotonic() < until, f"control: what {service} did does not come up in the log that is read"
            time.sleep(0.1)
        return found

    return read


@pytest.mark.parametrize("service", SERVICES)
def test_no_person_and_no_traceback_is_in_the_log(log: Callable[[str], str], mark: str, service: str) -> None:
    found = log(service)
    assert mark not in found.upper()
    assert PATIENT not in found
    assert "Traceback" not in found
