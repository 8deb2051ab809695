"""The reference reads plan, scan and outline by itself; both engines must still mean the same."""

import json
import sys
from dataclasses import replace
from io import BytesIO, StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from acceptance import criteria
from dose_engine.contours import inside
from dose_engine.plan import FLUENCE_PER_MU, read_plan
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms.frozen import frozen_plan
from phantoms.objects import ct_slices, encode, structure_set, write
from phantoms.study import Study
from pydicom import dcmread
from reference_dose import __main__ as command
from reference_dose.inputs import Field, Lattice, Patient, Unfit, fields_of, lattice_of, patient_of, winding

from tests.environments.treatment_platform.objects import engine, frozen
from tests.environments.treatment_platform.shelf import Shelf


def test_both_readers_find_the_same_fluence_in_the_same_places(study: Study) -> None:
    made = frozen_plan(study, 1)
    plan, (fields, fractions) = read_plan(encode(made)), fields_of(made)
    assert fractions == plan.fractions
    at = 0
    for beam, found in zip(plan.beams, fields, strict=True):
        row, column = np.nonzero(beam.open_)
        assert found.rays == pytest.approx(np.stack([beam.columns[column], beam.rows[row]], axis=1))
        assert found.mu * FLUENCE_PER_MU == pytest.approx(plan.fluence[at : at + row.size])
        assert (found.gantry, found.isocentre, found.pixel) == (beam.gantry, beam.isocentre, beam.pixel)
        at += row.size


def test_the_reference_reads_the_scan_and_its_outline_as_they_were_made(study: Study) -> None:
    found = patient_of(ct_slices(study), structure_set(study))
    assert (found.hounsfield == study.hounsfield).all()
    assert (found.body == study.structure("BODY").mask).all()
    assert (found.lattice.origin, found.lattice.spacing) == (study.origin, study.spacing)


def test_the_reference_refuses_a_gap_and_a_foreign_frame(study: Study) -> None:
    slices = ct_slices(study)
    with pytest.raises(Unfit, match="evenly"):
        patient_of(slices[:5] + slices[6:], structure_set(study))
    slices[3].FrameOfReferenceUID = "1.2.3"
    with pytest.raises(Unfit, match="frames"):
        patient_of(slices, structure_set(study))


def test_the_reference_refuses_a_turned_table(study: Study) -> None:
    plan = frozen_plan(study, 1)
    plan.BeamSequence[0].ControlPointSequence[0].PatientSupportAngle = 10
    with pytest.raises(Unfit):
        fields_of(plan)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=3, max_size=3, unique=True))
def test_two_ways_to_fill_a_triangle_agree(corners: list[tuple[int, int]]) -> None:
    polygon = np.array(corners, dtype=np.float64)
    axis = np.arange(-20.0, 20.0) + 0.37  # never on an edge's corner
    other = np.arange(-20.0, 20.0) * 1.013 + 0.21
    points = np.stack(np.meshgrid(axis, other), axis=-1).reshape(-1, 2)
    filled = (winding(polygon, points) != 0).reshape(40, 40)
    assert (filled != inside(polygon, axis, other)).sum() <= 1  # a point on an edge may fall either way


def test_the_reference_computes_on_the_grid_of_the_dose_it_is_held_against(study: Study, shelf: Shelf) -> None:
    encoded, _ = engine(shelf).forward(frozen(study, shelf))
    lattice = lattice_of(dcmread(BytesIO(encoded)))
    assert lattice.spacing == (10.0, 10.0, 10.0)
    assert lattice.shape == (16, 24, 24)
    assert lattice.origin == pytest.approx((-110.0, -125.0, -47.5))


class Computing:
    """Stands in for the engine that is only in the image: doses that tell how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def dose(self, _: Patient, fields: list[Field], lattice: Lattice, output: float) -> np.ndarray[Any, Any]:
        self.asked += 1
        return np.full(lattice.shape, output * sum(float(field.mu.sum()) for field in fields))


@pytest.fixture
def computing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Computing:
    made = Computing()
    monkeypatch.setitem(sys.modules, "reference_dose.compute", SimpleNamespace(dose_per_mu=made.dose))
    monkeypatch.setitem(sys.modules, "reference_dose.calibration", SimpleNamespace(output=lambda: 0.01))
    content = tmp_path / "content.sha256"
    content.write_text("one image")
    monkeypatch.setattr(command, "CONTENT", content)
    monkeypatch.setattr(command, "MADE", tmp_path / "made")
    monkeypatch.setenv("REFERENCE_CACHE", str(tmp_path / "cache"))
    return made


def run(folder: Path) -> int:
    return command.main([str(folder / name) for name in ("frozen.dcm", "ct", "structures.dcm", "out.npz")])


@pytest.fixture
def written(study: Study, tmp_path: Path) -> Path:
    write(study, tmp_path)
    (tmp_path / "frozen.dcm").write_bytes(encode(frozen_plan(study, 1)))
    return tmp_path


def test_the_same_objects_are_computed_once(written: Path, computing: Computing) -> None:
    assert run(written) == 0
    first = np.load(written / "out.npz")["dose"]
    assert run(written) == 0
    assert computing.asked == 1
    assert (np.load(written / "out.npz")["dose"] == first).all()
    assert first.max() > 0


@pytest.mark.parametrize("changed", ["frozen.dcm", "structures.dcm", "ct/0004.dcm", "content.sha256"])
def test_whatever_changes_is_computed_anew(changed: str, written: Path, computing: Computing) -> None:
    run(written)
    file = written / changed
    file.write_bytes(file.read_bytes() + b"\0\0")
    run(written)
    assert computing.asked == 2


def test_nothing_is_kept_unless_asked(written: Path, computing: Computing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REFERENCE_CACHE")
    run(written)
    run(written)
    assert computing.asked == 2


def test_what_the_image_computed_when_it_was_made_is_used(
    written: Path, computing: Computing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(written)
    (tmp_path / "cache").rename(tmp_path / "made")
    run(written)
    assert computing.asked == 1
    assert not (tmp_path / "cache").exists()
    monkeypatch.setattr(command, "MADE", tmp_path / "none")
    run(written)
    assert computing.asked == 2, "control: without it, it is computed"


def test_an_archive_may_write_a_head_of_its_own(written: Path, computing: Computing) -> None:
    """Who stored a plan last is no part of the plan; the encoding of what follows is."""
    run(written)
    plan = dcmread(written / "frozen.dcm")
    plan.file_meta.ImplementationVersionName = "ANOTHER"
    plan.save_as(written / "frozen.dcm")
    run(written)
    assert computing.asked == 1
    file = (written / "frozen.dcm").read_bytes()
    (written / "frozen.dcm").write_bytes(file.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0"))
    assert run(written) == 1, "in another encoding it is another plan: here one that cannot be read"


@pytest.mark.parametrize("spacing", [10.0, 7.0])
def test_a_lattice_may_be_asked_for_by_its_spacing(study: Study, shelf: Shelf, spacing: float) -> None:
    """The one that the clinic's engine computes on, found by the reference itself."""
    encoded, _ = engine(shelf).forward(replace(frozen(study, shelf), spacing=spacing))
    theirs = lattice_of(dcmread(BytesIO(encoded)))
    mine = Lattice(study.origin, study.spacing, study.hounsfield.shape).spaced(spacing)
    assert (mine.spacing, mine.shape) == (theirs.spacing, theirs.shape)
    assert mine.origin == pytest.approx(theirs.origin, abs=1e-6)


def test_what_cannot_be_computed_is_said(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (written / "frozen.dcm").write_bytes(b"noise")
    assert run(written) == 1
    assert "cannot compute" in capsys.readouterr().err
    assert command.main([]) == 2


def test_many_calls_in_one_process_are_answered_line_by_line(
    written: Path, computing: Computing, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = [str(written / name) for name in ("frozen.dcm", "ct", "structures.dcm", "out.npz")]
    lines = [json.dumps(call), json.dumps([str(written / "none.dcm"), *call[1:]]), json.dumps(call[:2])]
    monkeypatch.setattr(sys, "stdin", StringIO("".join(f"{line}\n" for line in lines)))
    assert command.main(["-"]) == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert first == "done"
    assert len(others) == 2
    assert all(other.startswith("cannot compute") for other in others)
    assert computing.asked == 1


AXES = (np.arange(4.0), np.arange(5.0), np.arange(6.0))


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> criteria.Deviation:
    monkeypatch.setattr(criteria, "passing", lambda *_, **__: 100.0)
    reference = np.random.default_rng(1).random((4, 5, 6)) + 1
    target = reference > 1.5
    return criteria.deviation(reference, 1.03 * reference, AXES, target, {"CORD": ~target})


def test_three_per_cent_more_is_three_per_cent_in_each_figure(judged: criteria.Deviation) -> None:
    assert judged.target_mean == pytest.approx(3.0)
    assert judged.target_d95 == pytest.approx(3.0)
    assert judged.organ_mean["CORD"] == pytest.approx(3.0)
    assert judged.worst_voxel == pytest.approx(3.0)


@pytest.mark.parametrize("spoilt", [np.nan, np.inf])
def test_a_dose_that_is_no_number_is_never_compared(spoilt: float) -> None:
    reference = np.ones((4, 5, 6))
    evaluated = reference.copy()
    evaluated[1, 1, 1] = spoilt
    target = np.ones((4, 5, 6), dtype=bool)
    with pytest.raises(ValueError, match="finite"):
        criteria.deviation(reference, evaluated, AXES, target, {})
    with pytest.raises(ValueError, match="size"):
        criteria.deviation(reference, reference[1:], AXES, target, {})
    with pytest.raises(ValueError, match="zero"):
        criteria.deviation(0 * reference, reference, AXES, target, {})
    with pytest.raises(ValueError, match="target"):
        criteria.deviation(reference, reference, AXES, ~target, {})
