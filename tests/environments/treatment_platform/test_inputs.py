"""What the engine will not compute on, and how it says so: a reason each, never a guess."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from dose_engine.engine import Engine
from dose_engine.plan import read_plan
from dose_engine.refusal import Refusal
from dose_engine.scan import read_scan
from dose_engine.structures import read_structures
from phantoms.objects import encode, structure_set
from phantoms.study import Study
from pydicom import Dataset

from tests.environments.treatment_platform.objects import engine, frozen, plan_request
from tests.environments.treatment_platform.shelf import Shelf

Change = Callable[[Dataset], None]


def refusal_of(work: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as refused:
        work()
    assert 400 <= refused.value.http < 500
    return refused.value.code


def planned(made: Study, shelf: Shelf, **more: Any) -> str:
    stored = len(shelf.objects)
    code = refusal_of(lambda: engine(shelf).plan(plan_request(made, **more)))
    assert len(shelf.objects) == stored, "a refused plan must leave nothing in the archive"
    return code


def changed(shelf: Shelf, uid: str, change: Change) -> None:
    made = shelf.read(uid)
    change(made)
    shelf.replace(uid, made)


@pytest.mark.parametrize("plane", [0, 15, 31])
def test_a_missing_slice_is_refused_wherever_it_was(plane: int, study: Study, shelf: Shelf) -> None:
    del shelf.places[study.uid(f"ct-{plane}")]
    assert planned(study, shelf) == "missing-slice"


def test_a_slice_that_went_missing_after_the_first_plan_is_noticed(study: Study, shelf: Shelf) -> None:
    warm: Engine = engine(shelf)
    asked = frozen(study, shelf)
    warm.forward(asked)
    del shelf.places[study.uid("ct-9")]
    assert refusal_of(lambda: warm.forward(asked)) == "missing-slice"


def test_two_slices_at_one_height_are_refused(study: Study, shelf: Shelf) -> None:
    changed(shelf, study.uid("ct-4"), lambda one: setattr(one, "ImagePositionPatient", [-112.5, -127.5, -35.0]))
    assert planned(study, shelf) == "mixed-series"


def test_structures_in_a_foreign_frame_are_refused(study: Study, shelf: Shelf) -> None:
    def move(one: Dataset) -> None:
        one.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = "1.2.3"
        for roi in one.StructureSetROISequence:
            roi.ReferencedFrameOfReferenceUID = "1.2.3"

    changed(shelf, study.uid("structures"), move)
    assert planned(study, shelf) == "foreign-frame"


def test_one_structure_in_a_foreign_frame_is_refused(study: Study, shelf: Shelf) -> None:
    def move(one: Dataset) -> None:
        one.StructureSetROISequence[2].ReferencedFrameOfReferenceUID = "1.2.3"

    changed(shelf, study.uid("structures"), move)
    assert planned(study, shelf) == "foreign-frame"


def test_one_slice_in_a_foreign_frame_is_refused(study: Study, shelf: Shelf) -> None:
    changed(shelf, study.uid("ct-7"), lambda one: setattr(one, "FrameOfReferenceUID", "1.2.3"))
    assert planned(study, shelf) == "foreign-frame"


def test_structures_of_another_patient_are_refused(study: Study, shelf: Shelf) -> None:
    changed(shelf, study.uid("structures"), lambda one: setattr(one, "PatientID", "OTHER"))
    assert planned(study, shelf) == "foreign-patient"


def test_a_slice_of_another_patient_is_refused(study: Study, shelf: Shelf) -> None:
    changed(shelf, study.uid("ct-7"), lambda one: setattr(one, "PatientID", "OTHER"))
    assert planned(study, shelf) == "mixed-series"


def test_metal_in_the_body_is_refused(study: Study, shelf: Shelf) -> None:
    def implant(one: Dataset) -> None:
        pixels = np.frombuffer(one.PixelData, "<u2").copy()
        pixels[24 * 48 + 24] = 9000
        one.PixelData = pixels.tobytes()

    changed(shelf, study.uid("ct-12"), implant)
    assert planned(study, shelf) == "unknown-density"


@pytest.mark.parametrize(
    ("keyword", "value", "code"),
    [
        ("RescaleType", "US", "unknown-density"),
        ("RescaleSlope", None, "incomplete-object"),
        ("PatientPosition", "FFS", "unsupported-geometry"),
        ("ImageOrientationPatient", [1, 0, 0, 0, 0.9, 0.43589], "unsupported-geometry"),
        ("PixelSpacing", [4, 4], "mixed-series"),
        ("ImagePositionPatient", [-100, -127.5, -15.0], "unsupported-geometry"),
        ("BitsAllocated", 32, "unsupported-geometry"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.4", "wrong-object"),
    ],
)
def test_a_slice_that_is_not_like_the_others_is_refused(
    keyword: str, value: object, code: str, study: Study, shelf: Shelf
) -> None:
    changed(shelf, study.uid("ct-7"), lambda one: setattr(one, keyword, value))
    assert planned(study, shelf) == code


def test_pixels_that_do_not_fill_the_slice_are_refused(study: Study, shelf: Shelf) -> None:
    changed(shelf, study.uid("ct-7"), lambda one: setattr(one, "PixelData", one.PixelData[:-96]))
    assert planned(study, shelf) == "truncated-object"


CUT = ("truncated-object", "unreadable-object", "incomplete-object")


def test_a_slice_cut_anywhere_is_refused(study: Study, shelf: Shelf) -> None:
    whole, other = (shelf.objects[study.uid(part)] for part in ("ct-7", "ct-8"))
    for length in range(0, len(whole) - 1, len(whole) // 200):
        assert refusal_of(partial(read_scan, [other, whole[:length]])) in CUT


def test_structures_cut_anywhere_are_refused(study: Study, shelf: Shelf) -> None:
    whole = shelf.objects[study.uid("structures")]
    for length in range(0, len(whole) - 1, len(whole) // 200):
        assert refusal_of(partial(read_structures, whole[:length])) in CUT


def test_a_truncated_slice_in_the_archive_is_named_as_such(study: Study, shelf: Shelf) -> None:
    uid = study.uid("ct-7")
    shelf.objects[uid] = shelf.objects[uid][:-100]
    assert planned(study, shelf) == "truncated-object"


def test_an_unknown_target_is_refused(study: Study, shelf: Shelf) -> None:
    asked = {"roi": "GTV", "dose": 50, "fractions": 25}
    assert planned(study, shelf, prescription=asked) == "unknown-structure"


def test_structures_that_are_not_in_the_archive_are_not_found(study: Study, shelf: Shelf) -> None:
    assert planned(study, shelf, structure_set="1.2.3") == "not-found"
    assert planned(study, shelf, study="1.2.3") == "not-found"


def _without_body(one: Dataset) -> None:
    one.RTROIObservationsSequence[0].RTROIInterpretedType = "ORGAN"


def _named_alike(one: Dataset) -> None:
    one.StructureSetROISequence[1].ROIName = "CORD"


def _undrawn(one: Dataset) -> None:
    del one.ROIContourSequence[1]


def _open(one: Dataset) -> None:
    one.ROIContourSequence[1].ContourSequence[0].ContourGeometricType = "OPEN_PLANAR"


def _short(one: Dataset) -> None:
    contour = one.ROIContourSequence[1].ContourSequence[0]
    contour.ContourData = contour.ContourData[:-3]


def _off_slice(one: Dataset) -> None:
    contour = one.ROIContourSequence[1].ContourSequence[0]
    contour.ContourData = [float(v) + 1.0 if i % 3 == 2 else v for i, v in enumerate(contour.ContourData)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_without_body, "unknown-structure"),
        (_named_alike, "incomplete-object"),
        (_undrawn, "incomplete-object"),
        (_open, "unsupported-geometry"),
        (_short, "incomplete-object"),
        (_off_slice, "contour-off-slice"),
    ],
)
def test_structures_that_leave_something_to_guess_are_refused(
    change: Change, code: str, study: Study, shelf: Shelf
) -> None:
    changed(shelf, study.uid("structures"), change)
    assert planned(study, shelf) == code


def _first(one: Dataset) -> Dataset:
    first: Dataset = one.BeamSequence[0].ControlPointSequence[0]
    return first


@pytest.mark.parametrize(
    "change",
    [
        lambda one: setattr(one.BeamSequence[0], "RadiationType", "ELECTRON"),
        lambda one: setattr(one.BeamSequence[0], "TreatmentMachineName", "OTHER"),
        lambda one: setattr(one.BeamSequence[0], "NumberOfWedges", 1),
        lambda one: setattr(one.BeamSequence[0], "SourceAxisDistance", 800),
        lambda one: setattr(_first(one), "BeamLimitingDeviceAngle", 5),
        lambda one: setattr(_first(one), "PatientSupportAngle", 5),
        lambda one: setattr(_first(one), "NominalBeamEnergy", 10),
        lambda one: setattr(one.BeamSequence[0].CompensatorSequence[0], "CompensatorPixelSpacing", [10, 5]),
        lambda one: setattr(one.FractionGroupSequence[0].ReferencedBeamSequence[0], "ReferencedBeamNumber", 9),
        lambda one: one.FractionGroupSequence.append(one.FractionGroupSequence[0]),
        lambda one: one.ReferencedStructureSetSequence.append(one.ReferencedStructureSetSequence[0]),
    ],
)
def test_a_plan_with_something_the_engine_does_not_compute_is_refused(
    change: Change, study: Study, shelf: Shelf
) -> None:
    asked = frozen(study, shelf)
    changed(shelf, asked.plan, change)
    assert refusal_of(lambda: engine(shelf).forward(asked)) == "unsupported-plan"


@pytest.mark.parametrize(
    ("keyword", "code"), [("FrameOfReferenceUID", "foreign-frame"), ("PatientID", "foreign-patient")]
)
def test_a_plan_of_another_frame_or_patient_is_refused(keyword: str, code: str, study: Study, shelf: Shelf) -> None:
    asked = frozen(study, shelf)
    changed(shelf, asked.plan, lambda one: setattr(one, keyword, "1.2.3"))
    assert refusal_of(lambda: engine(shelf).forward(asked)) == code


def test_a_plan_cut_anywhere_is_refused(study: Study, shelf: Shelf) -> None:
    whole = shelf.objects[frozen(study, shelf).plan]
    for length in range(0, len(whole) - 1, len(whole) // 100):
        assert refusal_of(partial(read_plan, whole[:length])) in CUT


def test_noise_is_refused() -> None:
    noise = np.random.default_rng(1).bytes(4000)
    for read in (partial(read_plan, noise), partial(read_structures, noise), partial(read_scan, [noise, noise])):
        assert refusal_of(read) == "unreadable-object"


def test_a_scan_of_structures_is_the_wrong_object(study: Study) -> None:
    data = encode(structure_set(study))
    assert refusal_of(lambda: read_scan([data, data])) == "wrong-object"
