"""What cannot be computed rightly is refused with a reason, and nothing is written. Never a guess."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pydicom
import pytest
from conftest import DicomWeb, Phantom, Side, phantom
from phantoms.frozen import frozen_plan
from phantoms.objects import encode, write
from phantoms.synthetic import synthetic
from variants import Variant, renewed, variant

pytestmark = [pytest.mark.requirement("refusals"), pytest.mark.risk("a dose computed on what nobody scanned")]

Spoil = Callable[[Variant], None]
INSIDE = 5  # a slice in the middle of the patient
SEED = 3
DENSER = 3500  # HU: above what the scanner's curve knows


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Phantom:
    """Of the third study every third slice: nothing here depends on how many there are, and each case stores all."""
    study, folder = synthetic(SEED).thinned(3, "refused", f"OTA-{SEED:06d}"), tmp_path_factory.mktemp("refused")
    write(study, folder)
    (folder / "frozen.dcm").write_bytes(encode(frozen_plan(study, SEED)))
    return phantom(folder)


def a_slice_is_missing_inside(of: Variant) -> None:
    del of.slices[INSIDE]


def the_last_slice_is_missing(of: Variant) -> None:
    """There is no gap; the structures refer to it."""
    of.slices.sort(key=lambda one: float(one.ImagePositionPatient[2]))
    del of.slices[-1]


def a_slice_lies_in_another_frame(of: Variant) -> None:
    of.slices[INSIDE].FrameOfReferenceUID = renewed("frame", of.study)


def the_structures_lie_in_another_frame(of: Variant) -> None:
    other = renewed("frame", of.study)
    of.structures.FrameOfReferenceUID = other
    of.structures.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = other
    for one in of.structures.StructureSetROISequence:
        one.ReferencedFrameOfReferenceUID = other


def the_body_has_a_density_nobody_knows(of: Variant) -> None:
    one = of.slices[INSIDE]
    stored = np.frombuffer(one.PixelData, "<u2").reshape(one.Rows, one.Columns).copy()
    stored[one.Rows // 2, one.Columns // 2] = DENSER - int(one.RescaleIntercept)
    one.PixelData = stored.tobytes()


def the_slices_hold_no_hounsfield_units(of: Variant) -> None:
    for one in of.slices:
        one.RescaleType = "US"


def the_structures_are_another_patients(of: Variant) -> None:
    of.structures.PatientID = "OTA-000001"


SPOILT = {
    a_slice_is_missing_inside: "missing-slice",
    the_last_slice_is_missing: "missing-slice",
    a_slice_lies_in_another_frame: "foreign-frame",
    the_structures_lie_in_another_frame: "foreign-frame",
    the_body_has_a_density_nobody_knows: "unknown-density",
    the_slices_hold_no_hounsfield_units: "unknown-density",
    the_structures_are_another_patients: "foreign-patient",
}


def test_the_study_is_computed_as_long_as_nothing_is_wrong_with_it(
    candidate: Side, archive: DicomWeb, source: Phantom
) -> None:
    """Control of the cases below: what they spoil is computed unspoilt."""
    whole = variant(source, "whole")
    whole.store(archive)
    answer = candidate.engine.asked("/forward", whole.frozen_plan())
    assert pydicom.dcmread(BytesIO(answer.content)).Modality == "RTDOSE"


@pytest.mark.parametrize("path", ["/forward", "/plans"])
@pytest.mark.parametrize(("spoil", "code"), SPOILT.items(), ids=lambda of: getattr(of, "__name__", None))
def test_is_refused_where(
    candidate: Side, archive: DicomWeb, source: Phantom, spoil: Spoil, code: str, path: str
) -> None:
    spoilt = variant(source, f"{spoil.__name__} {path}")
    spoil(spoilt)
    spoilt.store(archive)
    wanted = spoilt.frozen_plan() if path == "/forward" else spoilt.whole_plan()
    refused(candidate.engine.post(path, wanted), code)
    assert doses(archive, spoilt) == 0


@pytest.mark.parametrize(
    ("keyword", "code"), [("FrameOfReferenceUID", "foreign-frame"), ("PatientID", "foreign-patient")]
)
def test_a_plan_of_something_else_is_refused(
    candidate: Side, archive: DicomWeb, source: Phantom, keyword: str, code: str
) -> None:
    spoilt = variant(source, f"plan {keyword}")
    setattr(spoilt.plan, keyword, "OTA-000001" if keyword == "PatientID" else renewed("frame", spoilt.study))
    spoilt.store(archive)
    refused(candidate.engine.post("/forward", spoilt.frozen_plan()), code)
    assert doses(archive, spoilt) == 0


def test_structures_of_another_study_are_refused_though_the_engine_knows_them(
    candidate: Side, archive: DicomWeb, source: Phantom
) -> None:
    """It has just computed on them: what it keeps in memory must not answer for a study that has none."""
    known, other = variant(source, "known"), variant(source, "other")
    for of in (known, other):
        of.store(archive)
    candidate.engine.asked("/plans", known.whole_plan())
    refused(candidate.engine.post("/plans", {**known.whole_plan(), "study": other.study}), "not-found", 404)
    assert doses(archive, other) == 0


def test_the_planner_passes_a_refusal_on_and_the_machine_gets_nothing(
    candidate: Side, archive: DicomWeb, source: Phantom
) -> None:
    spoilt = variant(source, "through the planner")
    a_slice_is_missing_inside(spoilt)
    spoilt.store(archive)
    wanted = spoilt.whole_plan()
    refused(candidate.planner.post("/plans", wanted), "missing-slice")
    assert doses(archive, spoilt) == 0
    assert spoilt.study not in {plan["study"] for plan in candidate.linac.get("/plans").json()["plans"]}


def refused(answer: object, code: str, status: int = 422) -> None:
    said = answer.json() if "json" in answer.headers["content-type"] else {}  # type: ignore[attr-defined]
    found = answer.status_code, said.get("error", {}).get("code")  # type: ignore[attr-defined]
    assert found == (status, code), f"answered {found[0]} {found[1] or 'with a dose'}, must be refused: {status} {code}"
    assert len(said["error"]["message"]) > 10, "refused without a reason"


def doses(archive: DicomWeb, of: Variant) -> int:
    """How many doses and plans the archive has of the study beyond the frozen one."""
    found = archive.search(f"/studies/{of.study}/instances", includefield="00080060")
    return len(found) - len(of.slices) - 2
