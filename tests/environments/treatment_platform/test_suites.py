"""What the platform's suites decide by themselves, without a platform."""

import importlib
import sys
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pydicom
import pytest
from phantoms.objects import encode, structure_set
from phantoms.study import Study
from pydicom import Dataset

from otagate.config.load import load
from otagate.core.policy import CasesRule

ENVIRONMENTS = Path(__file__).parents[3] / "environments"
SUITES = ENVIRONMENTS / "treatment-platform" / "suites"


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The suites' conftest.py, as `conftest`, which is what the cases import it by."""
    monkeypatch.syspath_prepend(str(SUITES))
    monkeypatch.delitem(sys.modules, "conftest", raising=False)
    return importlib.import_module("conftest")


@pytest.fixture
def iod(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SUITES / "technical"))
    monkeypatch.delitem(sys.modules, "iod", raising=False)
    return importlib.import_module("iod")


def _items(*names: str) -> list[Any]:
    """Cases, of which those that begin with "spread" bear the marker."""
    made = []
    for name in names:
        marked = name.startswith("spread")
        made.append(SimpleNamespace(name=name, get_closest_marker=lambda _, marked=marked: marked or None))
    return made


def test_marked_cases_are_spread_among_those_before_them(shared: Any) -> None:
    items = _items("a", "b", "c", "d", "spread1", "spread2", "z")
    shared.pytest_collection_modifyitems(items)
    assert [item.name for item in items] == ["a", "b", "spread1", "c", "d", "spread2", "z"]


def test_nothing_is_moved_where_nothing_is_marked(shared: Any) -> None:
    items = _items("a", "b")
    shared.pytest_collection_modifyitems(items)
    assert [item.name for item in items] == ["a", "b"]


def test_more_cases_than_places_break_the_run_rather_than_vanish(shared: Any) -> None:
    with pytest.raises(AssertionError, match="more cases"):
        shared.pytest_collection_modifyitems(_items("a", "spread1", "spread2"))


def test_the_data_set_is_all_behind_the_file_meta(shared: Any, study: Study) -> None:
    file = encode(structure_set(study))
    found = shared.data_set(file)
    assert file.endswith(found)
    assert found.startswith(b"\x08\x00\x05\x00")  # SpecificCharacterSet, the first element that is no file meta


def test_a_folder_of_phantoms_is_read(shared: Any, study: Study, tmp_path: Path) -> None:
    from phantoms.frozen import frozen_plan
    from phantoms.objects import write

    write(study, tmp_path)
    (tmp_path / "frozen.dcm").write_bytes(encode(frozen_plan(study, 1)))
    found = shared.phantom(tmp_path)
    assert (found.study, found.structure_set) == (study.uid("study"), study.uid("structures"))
    assert len(found.files) == study.hounsfield.shape[0] + 2


@pytest.mark.parametrize(
    ("status", "said", "errors", "broke"),
    [
        (0, "CTImage\n", (), ""),
        (0, "Warning - odd\nRTPlan\n", (), ""),
        (1, "Error - Missing attribute\nCTImage\n", ("Error - Missing attribute",), ""),
        (0, "", (), "it did not say what the object is"),
        (1, "CTImage\n", (), "it ended with 1 and named no error"),
        (-6, "RTDose\n", (), "it ended with -6"),
        (134, "RTDose\n", (), "it ended with 134"),
    ],
)
def test_a_tool_that_breaks_is_never_taken_for_one_that_found_nothing(
    iod: Any, status: int, said: str, errors: tuple[str, ...], broke: str
) -> None:
    assert iod.judged(status, said) == iod.Checked(errors, broke)


def test_a_tool_that_is_not_there_has_found_nothing(iod: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iod, "DCIODVFY", str(tmp_path / "none"))
    assert iod.dciodvfy(tmp_path / "object.dcm").broke == "FileNotFoundError"


@pytest.fixture
def dose() -> Dataset:
    """A sound RT Dose as the engine writes it."""
    from datetime import UTC, datetime

    from dose_engine.grid import Grid
    from dose_engine.identity import Identity
    from dose_engine.writing import encode as encode_dose
    from dose_engine.writing import rt_dose

    origin = Dataset()
    for name in ("StudyInstanceUID", "FrameOfReferenceUID"):
        setattr(origin, name, "2.25.1")
    origin.PatientName, origin.PatientID, origin.PatientBirthDate, origin.PatientSex = "A", "B", "", ""
    origin.StudyDate = origin.StudyTime = origin.StudyID = origin.AccessionNumber = ""
    origin.ReferringPhysicianName = ""
    grid = Grid((0.0, 0.0, 0.0), (5.0, 5.0, 5.0), (3, 4, 2))
    volume = np.arange(24, dtype=np.float64).reshape(3, 4, 2)
    made = rt_dose(origin, Identity("sha256:" + "a" * 64, "blue"), "2.25.2", volume, grid, datetime.now(UTC))
    return pydicom.dcmread(BytesIO(encode_dose(made)))


def test_a_sound_dose_has_no_fault(iod: Any, dose: Dataset) -> None:
    assert iod.dose_faults(dose) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DoseGridScaling", None),
        ("DoseGridScaling", "0"),
        ("DoseUnits", "RELATIVE"),
        ("DoseSummationType", "BEAM"),
        ("NumberOfFrames", 2),
        ("Rows", 5),
        ("BitsStored", 12),
        ("GridFrameOffsetVector", [1.0, 6.0, 11.0]),
        ("GridFrameOffsetVector", [0.0, 5.0, 12.0]),
        ("GridFrameOffsetVector", [0.0, -5.0, -10.0]),
        ("FrameIncrementPointer", 0x00181063),
        ("ImageOrientationPatient", [-1, 0, 0, 0, 1, 0]),
        ("ReferencedRTPlanSequence", []),
        ("PatientID", None),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.481.5"),
    ],
)
def test_a_dose_that_a_reader_could_misread_is_found_out(iod: Any, dose: Dataset, name: str, value: object) -> None:
    if value is None:
        delattr(dose, name)
    else:
        setattr(dose, name, value)
    assert iod.dose_faults(dose)


@pytest.mark.parametrize("name", ["hello", "treatment-platform"])
def test_no_rule_of_a_shipped_platform_lets_a_skipped_case_pass(name: str) -> None:
    """A case that can tell nothing, as its tool broke or the build was away, is skipped: unknown, never a pass."""
    rules = [rule for rule in load(ENVIRONMENTS / name, {}).policy.rules if isinstance(rule, CasesRule)]
    assert rules
    assert [rule.name for rule in rules if rule.skipped] == []


@pytest.mark.parametrize(
    ("ended", "codes", "passes"),
    [
        ("vna-index", (502, 503, 200), True),
        ("vna-index", (502, 500), False),
        ("vna-index", (502,) * 200, False),
        ("planner", (502, 200), False),
        ("", (502, 200), False),
    ],
)
def test_who_asks_again_gets_an_answer_after_a_fault_that_passes_and_after_no_other(
    shared: Any, monkeypatch: pytest.MonkeyPatch, ended: str, codes: tuple[int, ...], passes: bool
) -> None:
    answers, clock = [SimpleNamespace(status_code=code, text="") for code in codes], iter(range(1000))
    monkeypatch.setattr(shared, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda _: None))
    asked = shared.Http("engine")
    monkeypatch.setattr(asked, "post", lambda *_: answers.pop(0))
    if passes:
        assert asked.asked("/plans", {}, ended).status_code == 200
    else:
        with pytest.raises(AssertionError, match="engine/plans: 50"):
            asked.asked("/plans", {}, ended)
