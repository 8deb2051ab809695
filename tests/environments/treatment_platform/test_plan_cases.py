"""What the cases for references and for the machine let pass and what not, by objects that refer wrongly and by
machines that take too much.
"""

import copy
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import linac.checks
import linac.dicom
import pytest
from acceptance.volumes import read_dose
from dose_engine.traits import Traits
from linac.__main__ import application
from linac.checks import Machine, Received, Refused, check
from linac.received import Plans
from phantoms.frozen import frozen_plan
from phantoms.objects import ct_slices, encode, structure_set
from phantoms.study import Study
from pydicom import Dataset, dcmread

from tests.environments.treatment_platform.cases import Ask, caught, modules, said
from tests.environments.treatment_platform.objects import IDENTITY, engine, frozen, plan_request
from tests.environments.treatment_platform.shelf import Shelf
from tests.environments.treatment_platform.test_web import Client

OTHER = "ef" * 32
BEAMS = [0, 72, 144, 216, 288]
TREATED = Machine("OTA-6MV", ("OTA-*",))


@dataclass(frozen=True)
class Made:
    """What a build wrote, as the archive has it; nobody changes it."""

    shelf: Shelf
    plan: Dataset
    dose: Dataset
    forward: Dataset  # the dose of the frozen plan
    study: Any

    def copy(self) -> "Made":
        plan, dose, forward = (copy.deepcopy(one) for one in (self.plan, self.dose, self.forward))
        return Made(self.shelf.copy(), plan, dose, forward, copy.copy(self.study))

    @property
    def bench(self) -> Any:
        file = encode(self.plan)
        sha = hashlib.sha256(linac_data_set(file)).hexdigest()
        answer = {"plan": str(self.plan.SOPInstanceUID), "linac": {"sha256": sha}}
        own = SimpleNamespace(study=self.study, answer=answer, plan=file, dose=encode(self.dose))
        head = SimpleNamespace(head=self.forward)
        one = SimpleNamespace(study=self.study, candidate=head, live=head)
        return SimpleNamespace(own=lambda: own, frozen=lambda _: one)


def linac_data_set(file: bytes) -> bytes:
    return file[144 + int.from_bytes(file[140:144], "little") :]


def built(study: Study, shelf: Shelf, folder: Path, traits: Traits, gantry: list[int]) -> Made:
    build = engine(shelf, traits)
    answer = build.plan(plan_request(study, gantry=gantry))
    asked = frozen(study, shelf)
    slice_, structures = folder / "ct.dcm", folder / "structures.dcm"
    slice_.write_bytes(encode(ct_slices(study)[0]))
    structures.write_bytes(encode(structure_set(study)))
    of = SimpleNamespace(
        slices=(slice_,), structures=structures, study=study.uid("study"),
        structure_set=study.uid("structures"), plan_uid=asked.plan,
    )  # fmt: skip
    plan, dose = (shelf.read(answer[name]) for name in ("plan", "dose"))
    return Made(shelf, plan, dose, dcmread(BytesIO(build.forward(asked)[0])), of)


@pytest.fixture(scope="module")
def sound(study: Study, shelved: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return built(study, shelved.copy(), tmp_path_factory.mktemp("sound"), Traits(), BEAMS)


@pytest.fixture
def made(sound: Made) -> Made:
    """To be spoilt."""
    return sound.copy()


@pytest.fixture(scope="module")
def suite() -> Iterator[dict[str, ModuleType]]:
    with modules("functional", "conftest", "bench", "variants", "test_30_references", "test_60_machine") as found:
        yield found


# --- references -------------------------------------------------------------------------------------------------


def reference_cases(suite: dict[str, ModuleType], made: Made, live: str = IDENTITY.build) -> dict[str, Ask]:
    cases, bench, plan, dose = suite["test_30_references"], made.bench, made.plan, made.dose
    gate = SimpleNamespace(
        candidate=SimpleNamespace(build=lambda _: IDENTITY.build), baseline=SimpleNamespace(build=lambda _: live)
    )
    known = list(made.shelf.places)
    archive = SimpleNamespace(search=lambda _, SOPInstanceUID: [{}] * known.count(SOPInstanceUID))  # noqa: N803 - DICOM's
    scan = dcmread(made.study.slices[0], stop_before_pixels=True)
    asked: dict[str, Ask] = {
        "structures": partial(cases.test_the_plan_refers_to_the_structures_it_was_made_on, bench, plan),
        "plan of dose": partial(cases.test_the_dose_refers_to_its_plan, bench, plan, dose),
        "plan of frozen": partial(cases.test_the_dose_of_a_frozen_plan_refers_to_that_plan, bench, "one"),
        "whose of frozen": partial(
            cases.test_the_dose_of_a_frozen_plan_is_of_the_scans_patient_study_and_frame, bench, "one"
        ),
        "build": partial(cases.test_what_is_written_bears_the_build_that_wrote_it, gate, plan, dose),
        "sides": partial(cases.test_each_dose_that_is_compared_is_of_the_build_that_it_stands_for, gate, bench, "one"),
        "fresh": partial(cases.test_nothing_is_written_under_a_uid_that_is_there, bench, plan, dose),
    }
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID"):
        asked[keyword] = partial(cases.test_plan_and_dose_are_of_one_patient_study_and_frame, scan, plan, dose, keyword)
    for which, read in (("plan", plan), ("dose", dose)):
        request = SimpleNamespace(getfixturevalue={which: read}.__getitem__)
        asked[f"{which} lost"] = partial(cases.test_nothing_refers_to_what_the_archive_has_not, archive, which, request)
    return asked


def test_what_a_sound_build_writes_passes_every_reference_case(suite: dict[str, ModuleType], sound: Made) -> None:
    assert caught(reference_cases(suite, sound)) == set()


def test_the_sample_build_with_other_structures_is_caught(
    suite: dict[str, ModuleType], study: Study, shelf: Shelf, tmp_path: Path
) -> None:
    wrong = built(study, shelf, tmp_path, Traits(foreign_structures=True), [0])
    assert caught(reference_cases(suite, wrong)) == {"structures", "plan lost"}


def _refer(dataset: Dataset, uid: str) -> None:
    dataset.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID = uid


def _deep(made: Made) -> None:
    """A reference two sequences down."""
    inner, outer = Dataset(), Dataset()
    inner.ReferencedSOPInstanceUID, outer.ReferencedBeamSequence = "1.2.3", [inner]
    made.dose.ReferencedRTPlanSequence[0].ReferencedFractionGroupSequence = [outer]


def _both(made: Made, keyword: str, value: str) -> None:
    setattr(made.plan, keyword, value)
    setattr(made.dose, keyword, value)


def _slice_of(made: Made) -> str:
    return str(dcmread(made.study.slices[0]).SOPInstanceUID)


Spoil = Callable[[Made], object]
REFERENCES: list[tuple[Spoil, set[str]]] = [
    (lambda made: _refer(made.dose, made.study.plan_uid), {"plan of dose"}),
    (lambda made: _refer(made.dose, "1.2.3"), {"plan of dose", "dose lost"}),
    (_deep, {"dose lost"}),
    (lambda made: delattr(made.dose, "ReferencedRTPlanSequence"), {"plan of dose", "dose lost"}),
    (lambda made: _refer(made.forward, str(made.plan.SOPInstanceUID)), {"plan of frozen"}),
    (lambda made: setattr(made.forward, "StudyInstanceUID", "1.2.3"), {"whose of frozen"}),
    (lambda made: setattr(made.forward, "PatientID", "OTA-000001"), {"whose of frozen"}),
    (lambda made: setattr(made.forward, "PatientName", ""), {"whose of frozen"}),
    (lambda made: setattr(made.forward, "FrameOfReferenceUID", "1.2.3"), {"whose of frozen"}),
    (lambda made: setattr(made.dose, "PatientID", "OTA-000001"), {"PatientID"}),
    (lambda made: _both(made, "PatientName", "Other^Name"), {"PatientName"}),
    (lambda made: setattr(made.plan, "StudyInstanceUID", "1.2.3"), {"StudyInstanceUID"}),
    (lambda made: _both(made, "FrameOfReferenceUID", "1.2.3"), {"FrameOfReferenceUID"}),
    (lambda made: setattr(made.plan, "SoftwareVersions", [OTHER, "1"]), {"build"}),
    (lambda made: setattr(made.dose, "SoftwareVersions", "ab" * 32), {"build"}),
    (lambda made: setattr(made.forward, "SoftwareVersions", [OTHER, "1"]), {"sides"}),
    (lambda made: setattr(made.dose, "SeriesInstanceUID", made.plan.SeriesInstanceUID), {"fresh"}),
    (lambda made: setattr(made.dose, "SOPInstanceUID", made.study.plan_uid), {"fresh"}),
    (lambda made: setattr(made.dose, "SOPInstanceUID", _slice_of(made)), {"fresh"}),
    (lambda made: made.shelf.places.pop(made.study.structure_set), {"plan lost"}),
]


@pytest.mark.parametrize(("spoil", "by"), REFERENCES)
def test_a_wrong_reference_is_caught(suite: dict[str, ModuleType], made: Made, spoil: Spoil, by: set[str]) -> None:
    spoil(made)
    assert caught(reference_cases(suite, made)) == by


def _twice(dose: Dataset) -> None:
    dose.DoseGridScaling = 2 * float(dose.DoseGridScaling)


@pytest.mark.parametrize(
    ("spoil", "passes"),
    [
        (lambda _: None, True),
        (lambda dose: setattr(dose, "PatientID", "OTA-000001"), False),
        (lambda dose: _refer(dose, "1.2.3"), False),
        (_twice, False),
    ],
    ids=["as it was answered", "another's", "of another plan", "twice as much"],
)
def test_a_dose_that_is_archived_otherwise_than_it_is_answered_is_caught(
    suite: dict[str, ModuleType], sound: Made, spoil: Callable[[Dataset], None], passes: bool
) -> None:
    case = suite["test_30_references"].test_a_forward_dose_that_is_archived_is_the_one_that_is_answered
    kept = copy.deepcopy(sound.forward)
    spoil(kept)
    one = SimpleNamespace(study=sound.study, candidate=read_dose(encode(sound.forward)))
    engine = SimpleNamespace(asked=lambda *_: SimpleNamespace(json=lambda: {"dose": "1.2.3"}))
    bench, archive = SimpleNamespace(frozen=lambda _: one), SimpleNamespace(fetch=lambda *_: encode(kept))
    assert (said(lambda: case(SimpleNamespace(engine=engine), archive, bench)) == "") is passes


def test_a_baseline_that_is_not_the_live_release_is_caught(suite: dict[str, ModuleType], sound: Made) -> None:
    assert caught(reference_cases(suite, sound, live=f"sha256:{OTHER}")) == {"sides"}


# --- machine ----------------------------------------------------------------------------------------------------


class Taking:
    """The machine's stand-in as the suite reaches it, without a network between."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.plans = Plans(folder)
        no_server: Any = None
        self._client = Client(application(self.plans, no_server, ("", 0)))
        self.linac = self.machine = self

    def get(self, path: str) -> Any:
        return self._client.get(path)

    def store(self, files: list[Path], caller: str) -> list[int]:
        return [self.take(linac_data_set(file.read_bytes()), caller) for file in files]

    def take(self, encoded: bytes, caller: str) -> int:
        try:
            self.plans.take(linac.checks.check(encoded, TREATED, caller, "g"))
        except Refused as refused:
            self.plans.refuse(refused.code, "")
            return linac.dicom.REFUSED
        return linac.dicom.SUCCESS


def door_cases(suite: dict[str, ModuleType], study: Study, folder: Path) -> dict[str, Ask]:
    """Each with a machine of its own."""
    cases = suite["test_60_machine"]

    def ask(name: str, case: Callable[..., None]) -> None:
        plan = frozen_plan(study, 1, pixel=20.0)
        encode(plan)  # gives it its file meta, as one that was read has
        case(Taking(folder / name), plan, folder)

    named = {
        "elsewhere": cases.test_a_plan_of_somebody_not_treated_here_is_refused,
        "another's study": cases.test_a_plan_on_another_patients_study_is_refused,
        "known UID": cases.test_another_plan_under_a_known_uid_is_refused,
        "other machine": cases.test_a_plan_for_another_machine_is_refused,
    }
    return {name: partial(ask, name, case) for name, case in named.items()}


def test_the_machine_as_it_is_passes_every_case(suite: dict[str, ModuleType], study: Study, tmp_path: Path) -> None:
    asked = door_cases(suite, study, tmp_path)
    assert {name: said(ask) for name, ask in asked.items()} == dict.fromkeys(asked, "")


def _anybodys(encoded: bytes, machine: Machine, caller: str, implementation: str) -> Received:
    return check(encoded, replace(machine, patients=("*",)), caller, implementation)


def _nobodys(*_: object) -> Received:
    raise Refused("patient", "nobody is treated here")


_take, _refuse = Plans.take, Plans.refuse


def _forgets_patients(plans: Plans, plan: Received) -> bool:
    plans._whose.clear()
    return _take(plans, plan)


def _forgets_plans(plans: Plans, plan: Received) -> bool:
    plans._plans.pop(plan.uid, None)
    return _take(plans, plan)


@pytest.mark.parametrize(
    ("of", "name", "instead", "by"),
    [
        (linac.checks, "check", _anybodys, {"elsewhere"}),
        (linac.checks, "_deliverable", lambda *_: None, {"other machine"}),
        (Plans, "take", _forgets_patients, {"another's study"}),
        (Plans, "take", _forgets_plans, {"known UID"}),
        (linac.checks, "check", _nobodys, {"another's study", "known UID"}),
    ],
    ids=["any patient", "any machine", "patients forgotten", "plans forgotten", "takes nothing"],
)
def test_a_machine_that_takes_too_much_or_nothing_is_caught(
    suite: dict[str, ModuleType], study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    of: Any, name: str, instead: Any, by: set[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(of, name, instead)
    assert caught(door_cases(suite, study, tmp_path)) == by


def test_a_machine_that_refuses_and_keeps_it_is_caught(
    suite: dict[str, ModuleType], study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kept(taking: Taking, encoded: bytes, caller: str) -> int:
        code = take(taking, encoded, caller)
        taking.plans._note(_anybodys(encoded, replace(TREATED, name=_name(encoded)), caller, ""))
        return code

    take = Taking.take
    monkeypatch.setattr(Taking, "take", kept)
    assert caught(door_cases(suite, study, tmp_path)) == {"elsewhere", "another's study", "other machine"}


def _name(encoded: bytes) -> str:
    return str(dcmread(BytesIO(encoded), force=True).BeamSequence[0].TreatmentMachineName)


def chain_cases(suite: dict[str, ModuleType], bench: Any, side: Taking) -> dict[str, Ask]:
    cases = suite["test_60_machine"]
    return {
        "same": partial(cases.test_the_machine_has_the_plan_that_the_archive_has, bench, side),
        "asked for": partial(cases.test_the_machine_reads_in_the_plan_what_was_asked_for, bench, side),
    }


def _untouched(_: Dataset) -> None:
    pass


@pytest.mark.parametrize(
    ("change", "caller", "by"),
    [
        (_untouched, "PLANNER", set()),
        (lambda plan: setattr(plan, "RTPlanLabel", "OTHER"), "PLANNER", {"same"}),
        (lambda plan: setattr(plan, "SOPInstanceUID", "1.2.3"), "PLANNER", {"same", "asked for"}),
        (_untouched, "SOMEBODY", {"asked for"}),
    ],
    ids=["as it is", "changed on its way", "another plan", "by another"],
)
def test_a_plan_that_came_to_the_machine_otherwise_is_caught(
    suite: dict[str, ModuleType], made: Made, tmp_path: Path,
    change: Callable[[Dataset], None], caller: str, by: set[str],
) -> None:  # fmt: skip
    bench, side = made.bench, Taking(tmp_path / "machine")
    change(made.plan)
    assert side.take(linac_data_set(encode(made.plan)), caller) == linac.dicom.SUCCESS
    assert caught(chain_cases(suite, bench, side)) == by


def _structures(plan: Dataset) -> None:
    plan.ReferencedStructureSetSequence[0].ReferencedSOPInstanceUID = "1.2.3"


@pytest.mark.parametrize(
    "change",
    [
        _structures,
        lambda plan: setattr(plan, "PatientID", "OTA-000001"),
        lambda plan: setattr(plan, "StudyInstanceUID", "1.2.3"),
        lambda plan: setattr(plan.FractionGroupSequence[0], "NumberOfFractionsPlanned", 20),
    ],
    ids=["structures", "patient", "study", "fractions"],
)
def test_a_plan_of_something_else_is_caught_at_the_machine(
    suite: dict[str, ModuleType], made: Made, tmp_path: Path, change: Callable[[Dataset], None]
) -> None:
    """Archive and machine have the same: only what it says is wrong."""
    change(made.plan)
    bench, side = made.bench, Taking(tmp_path / "machine")
    assert side.take(linac_data_set(bench.own().plan), "PLANNER") == linac.dicom.SUCCESS
    assert caught(chain_cases(suite, bench, side)) == {"asked for"}


def test_a_planner_that_tells_another_hash_is_caught(suite: dict[str, ModuleType], made: Made, tmp_path: Path) -> None:
    bench, side = made.bench, Taking(tmp_path / "machine")
    side.take(linac_data_set(bench.own().plan), "PLANNER")
    bench.own().answer["linac"]["sha256"] = "0" * 64
    assert caught(chain_cases(suite, bench, side)) == {"same"}
