"""What every case of this suite looks at, computed once: frozen plans by three engines, and a plan of the build's own.

Loaded by the test modules as a plugin, so that its fixtures are the whole suite's.
"""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pydicom
import pytest
from acceptance.volumes import Dose, Mask, Volume, read_dose, region
from conftest import DicomWeb, Phantom, Side

Made = TypeVar("Made")

SPACING = 5  # mm of the dose grid
AT_ONCE = 2  # studies at work: the machine has no more cores
DEADLINE = 180.0  # seconds for whatever a case waits for
SYNTHETIC = ("synthetic-1", "synthetic-2", "synthetic-3")
STUDIES = ("synthetic-1", "tg119", "synthetic-2", "synthetic-3")
GOALS = (
    {"roi": "PTV", "figure": "d95", "at_least": 47.5},
    {"roi": "PTV", "figure": "d2", "at_most": 53.5},
    {"roi": "CORD", "figure": "max", "at_most": 45},
    {"roi": "KIDNEY", "figure": "mean", "at_most": 18},
)


class Reference:
    """The independent engine: a process that stays loaded, and computes one plan at a time."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process = subprocess.Popen(["reference-dose", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,  # noqa: S607 - the image's own
                                         stderr=subprocess.DEVNULL, text=True)  # fmt: skip

    def close(self) -> None:
        self._process.kill()

    def dose(self, plan: Path, study: Phantom, like: Path) -> Volume:
        """Gy of the plan in that file, on the grid of the RT Dose `like`; the scan is the file's, not the archive's."""
        out = like.with_suffix(".npz")
        call = [str(path) for path in (plan, study.slices[0].parent, study.structures, out, like)]
        with self._turn:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            too_long = threading.Timer(DEADLINE, self._process.kill)
            too_long.start()
            self._process.stdin.write(json.dumps(call) + "\n")
            self._process.stdin.flush()
            said = self._process.stdout.readline().strip()
            too_long.cancel()
        assert said == "done", f"the independent engine: {said or 'it ended'}"
        with np.load(out) as found:
            return np.asarray(found["dose"], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Frozen:
    """One frozen plan, as the candidate's archive gives it back, and its dose by build, live build and reference."""

    study: Phantom
    plan: bytes
    candidate: Dose
    live: Dose
    reference: Volume
    regions: Mapping[str, Mask]

    @property
    def organs(self) -> dict[str, Mask]:
        return {name: mask for name, mask in self.regions.items() if name not in ("BODY", "PTV")}


@dataclass(frozen=True, eq=False)
class Own:
    """A plan that the build optimised for a study of both sides, as its archive gives it back."""

    study: Phantom
    answer: Mapping[str, Any]
    live_answer: Mapping[str, Any]
    plan: bytes
    dose: bytes


class Bench:
    """Begins with all of it at once; a case waits for what it needs."""

    def __init__(self, gate: Any, candidate: Side, baseline: Side, archive: DicomWeb, folder: Path) -> None:
        self._gate, self._archive, self._folder = gate, archive, folder
        self._candidate, self._baseline = candidate, baseline
        self.reference = Reference()
        self._both = candidate, baseline
        self._pool, self._sides = ThreadPoolExecutor(AT_ONCE), ThreadPoolExecutor(2 * AT_ONCE)
        self._frozen: dict[str, Future[Frozen]] = {}

    def begin(self, phantoms: Callable[[str], Phantom]) -> None:
        self._frozen = {name: self._pool.submit(self._ahead, self._compute, phantoms(name)) for name in STUDIES}
        self._own = self._pool.submit(self._ahead, self._optimise, phantoms(SYNTHETIC[0]))
        self._own_live = self._pool.submit(self._ahead, self._live_of_own)
        self._lives_own = self._pool.submit(self._ahead, self._live_of_lives_own)
        self._own_again = self._pool.submit(self._ahead, self._again_of_own)
        self._own_reference = self._pool.submit(self._ahead, self._reference_of_own)

    def close(self) -> None:
        for pool in (self._pool, self._sides):
            pool.shutdown(wait=False, cancel_futures=True)
        self.reference.close()

    def _ahead(self, work: Callable[..., Made], *of: Phantom) -> Made:
        """Ahead of the cases that need it: if the build ends meanwhile, they have no evidence, whenever they come."""
        with self._gate.ahead():
            return work(*of)

    def frozen(self, name: str) -> Frozen:
        return self._frozen[name].result(DEADLINE)

    def own(self) -> Own:
        return self._own.result(DEADLINE)

    def own_live(self) -> Dose:
        """The live build's dose of the candidate's own plan."""
        return self._own_live.result(DEADLINE)

    def lives_own(self) -> Dose:
        """The live build's dose of the plan that it optimised itself."""
        return self._lives_own.result(DEADLINE)

    def own_again(self) -> Dose:
        """The candidate's, asked for: not the one that it archived."""
        return self._own_again.result(DEADLINE)

    def own_reference(self) -> Volume:
        """The independent engine's."""
        return self._own_reference.result(DEADLINE)

    def _compute(self, study: Phantom) -> Frozen:
        def computed(side: Side) -> bytes:
            side.load(study)
            return self._forward(side, study.plan_uid)

        doses = [one.result() for one in [self._sides.submit(computed, side) for side in self._both]]
        plan = self._archive.fetch(study.study, study.plan_uid)
        dose = read_dose(doses[0])
        structures = pydicom.dcmread(study.structures)
        regions = {str(one.ROIName): region(structures, str(one.ROIName), dose.axes)
                   for one in structures.StructureSetROISequence}  # fmt: skip
        reference = self._referred(study.name, plan, doses[0], study)
        return Frozen(study, plan, dose, read_dose(doses[1]), reference, regions)

    def _optimise(self, study: Phantom) -> Own:
        self.frozen(study.name)  # then the study is on both sides
        wanted = {"study": study.study, "structure_set": study.structure_set, "goals": GOALS}
        self._candidate.wait_until_healthy()
        asked = [self._sides.submit(side.planner.asked, "/plans", wanted) for side in self._both]
        answers = [one.result().json() for one in asked]
        plan, dose = (self._archive.fetch(study.study, answers[0][name]) for name in ("plan", "dose"))
        return Own(study, answers[0], answers[1], plan, dose)

    def _live_of_own(self) -> Dose:
        own = self.own()
        file = self._folder / "own.dcm"
        file.write_bytes(own.plan)
        assert self._baseline.scans.store([file]) == [0], "the baseline does not take the build's plan"
        return read_dose(self._forward(self._baseline, own.answer["plan"]))

    def _live_of_lives_own(self) -> Dose:
        return read_dose(self._forward(self._baseline, self.own().live_answer["plan"]))

    def _again_of_own(self) -> Dose:
        return read_dose(self._forward(self._candidate, self.own().answer["plan"]))

    def _reference_of_own(self) -> Volume:
        own = self.own()
        return self._referred("own", own.plan, own.dose, own.study)

    def _forward(self, side: Side, plan: str) -> bytes:
        side.engine.wait_until_healthy()  # it may just have ended of another study
        return side.engine.asked("/forward", {"plan": plan, "spacing": SPACING}).content

    def _referred(self, name: str, plan: bytes, like: bytes, study: Phantom) -> Volume:
        files = self._folder / f"{name}-plan.dcm", self._folder / f"{name}-dose.dcm"
        for file, content in zip(files, (plan, like), strict=True):
            file.write_bytes(content)
        return self.reference.dose(files[0], study, files[1])


@pytest.fixture(scope="session")
def bench(
    candidate: Side,
    baseline: Side,
    archive: DicomWeb,
    phantoms: Callable[[str], Phantom],
    tmp_path_factory: pytest.TempPathFactory,
    otagate: Any,
) -> Iterator[Bench]:
    made = Bench(otagate, candidate, baseline, archive, tmp_path_factory.mktemp("bench"))
    made.begin(phantoms)
    yield made
    made.close()


def held(what: str, value: float, limit: float, unit: str = "%") -> None:
    """Fails with the number and its limit unless |value| keeps to it; what is not a number keeps to none."""
    if not abs(value) <= limit:
        pytest.fail(f"{what}: {value:+.4g} {unit}, limit ±{limit:g} {unit}", pytrace=False)
