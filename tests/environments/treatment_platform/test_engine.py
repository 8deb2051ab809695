"""Plans and doses, from archive to archive."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
import pytest
from dose_engine.engine import Answer, Engine
from dose_engine.plan import read_plan
from dose_engine.refusal import Refusal
from dose_engine.request import ForwardRequest
from numpy.typing import NDArray
from phantoms.study import Study
from pydicom import Dataset, dcmread

from tests.environments.treatment_platform.objects import COARSE, IDENTITY, NOON, engine, frozen, plan_request
from tests.environments.treatment_platform.shelf import Shelf


def volume(dose: Dataset) -> NDArray[np.float64]:
    stored = np.frombuffer(dose.PixelData, "<u4").reshape(dose.NumberOfFrames, dose.Rows, dose.Columns)
    return stored * float(dose.DoseGridScaling)


@dataclass(frozen=True)
class Planned:
    """One plan, made once: nobody changes the shelf that it lies on."""

    shelf: Shelf
    engine: Engine
    answer: Answer


@pytest.fixture(scope="module")
def planned(study: Study, shelved: Shelf) -> Planned:
    shelf = shelved.copy()
    made = engine(shelf)
    goals = [
        {"roi": "PTV", "figure": "mean", "at_least": 48.0, "at_most": 52.0},
        {"roi": "CORD", "figure": "max", "at_most": 1.0},
    ]
    return Planned(shelf, made, made.plan(plan_request(study, goals=goals)))


def test_a_plan_reaches_its_target_and_spares_what_lies_beside(planned: Planned) -> None:
    answer = planned.answer
    figures = answer["figures"]
    assert figures["PTV"]["mean"] == pytest.approx(50.0, rel=0.02)
    assert figures["PTV"]["d95"] > 46.0
    assert figures["CORD"]["max"] < 32.0
    assert figures["BODY"]["mean"] < 12.0
    assert answer["optimiser"]["converged"]


def test_everything_written_refers_to_what_it_was_made_from(study: Study, planned: Planned) -> None:
    answer = planned.answer
    plan, dose = planned.shelf.read(answer["plan"]), planned.shelf.read(answer["dose"])
    assert plan.ReferencedStructureSetSequence[0].ReferencedSOPInstanceUID == study.uid("structures")
    assert dose.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID == plan.SOPInstanceUID
    assert plan.FrameOfReferenceUID == dose.FrameOfReferenceUID == study.uid("frame")
    assert plan.StudyInstanceUID == dose.StudyInstanceUID == study.uid("study")
    assert plan.PatientID == dose.PatientID == study.patient
    assert plan.SeriesInstanceUID != dose.SeriesInstanceUID
    assert plan.ApprovalStatus == "UNAPPROVED"


def test_everything_written_bears_the_build_that_wrote_it(planned: Planned) -> None:
    answer = planned.answer
    for uid in (answer["plan"], answer["dose"]):
        made = planned.shelf.read(uid)
        assert made.SoftwareVersions[0] == IDENTITY.build.removeprefix("sha256:")
        assert (made.ManufacturerModelName, made.file_meta.MediaStorageSOPInstanceUID) == ("dose-engine", uid)


def test_the_archived_dose_is_that_of_the_archived_plan(planned: Planned) -> None:
    answer = planned.answer
    again, _ = planned.engine.forward(ForwardRequest(answer["plan"], COARSE, store=False))
    kept = volume(planned.shelf.read(answer["dose"]))
    assert np.abs(volume(dcmread(BytesIO(again))) - kept).max() < 1e-8 * kept.max()


def test_a_fresh_engine_computes_the_archived_dose_to_the_last_bit(planned: Planned) -> None:
    again, _ = engine(planned.shelf).forward(ForwardRequest(planned.answer["plan"], COARSE, store=False))
    assert dcmread(BytesIO(again)).PixelData == planned.shelf.read(planned.answer["dose"]).PixelData


def test_an_archive_that_sends_fewer_slices_than_it_counts_is_not_believed(study: Study, shelf: Shelf) -> None:
    class Short(Shelf):
        def fetch(self, study: str, series: str, uid: str | None = None) -> list[bytes]:
            found = super().fetch(study, series, uid)
            return found if uid else found[:-1]

    with pytest.raises(Refusal) as refused:
        engine(Short(shelf.objects, shelf.places)).plan(plan_request(study))
    assert (refused.value.code, refused.value.http) == ("archive-answer", 502)


def test_the_dose_lies_where_the_target_is(study: Study, planned: Planned) -> None:
    dose = planned.shelf.read(planned.answer["dose"])
    plane, row, column = np.unravel_index(int(volume(dose).argmax()), volume(dose).shape)
    x, y, z = (float(value) for value in dose.ImagePositionPatient)
    at = (x + column * COARSE, y + row * COARSE, z + float(dose.GridFrameOffsetVector[plane]))
    assert np.linalg.norm(study.points("PTV") - at, axis=1).min() < 15.0


def test_a_frozen_plan_has_the_same_dose_each_time_and_from_each_engine(study: Study, shelf: Shelf) -> None:
    asked = frozen(study, shelf)
    warm = engine(shelf)
    doses = [volume(dcmread(BytesIO(one.forward(asked)[0]))) for one in (warm, warm, engine(shelf))]
    assert doses[0].max() > 10.0
    assert (doses[0] == doses[1]).all()
    assert (doses[0] == doses[2]).all()


def test_twice_the_monitor_units_give_twice_the_dose(study: Study, shelf: Shelf) -> None:
    asked = frozen(study, shelf)
    made = engine(shelf)
    single = volume(dcmread(BytesIO(made.forward(asked)[0])))
    plan = shelf.read(asked.plan)
    for one in plan.FractionGroupSequence[0].ReferencedBeamSequence:
        one.BeamMeterset = 180
    shelf.replace(asked.plan, plan)
    assert volume(dcmread(BytesIO(made.forward(asked)[0]))) == pytest.approx(2 * single, rel=1e-6, abs=1e-6)


def test_a_warm_engine_fetches_nothing_but_the_plan(study: Study, shelf: Shelf) -> None:
    asked = frozen(study, shelf)
    made = engine(shelf)
    made.forward(asked)
    before = shelf.fetched
    made.forward(asked)
    assert shelf.fetched == before + 1


@pytest.mark.parametrize("warm", [False, True])
def test_structures_asked_for_in_another_study_are_not_found_however_well_they_are_known(
    study: Study, planned: Planned, warm: bool
) -> None:
    asked = replace(plan_request(study), study="1.2.3.4")
    with pytest.raises(Refusal) as no:
        (planned.engine if warm else engine(planned.shelf)).plan(asked)
    assert no.value.code == "not-found"


def test_a_forward_dose_is_kept_only_if_asked(study: Study, shelf: Shelf) -> None:
    asked = frozen(study, shelf)
    before = len(shelf.objects)
    engine(shelf).forward(asked)
    assert len(shelf.objects) == before
    _, answer = engine(shelf).forward(ForwardRequest(asked.plan, COARSE, store=True))
    assert shelf.read(answer["dose"]).ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID == asked.plan


@pytest.mark.parametrize("keeps", [0, 1, 2])
def test_what_an_archive_that_fails_may_have_kept_is_accounted_for(study: Study, shelf: Shelf, keeps: int) -> None:
    """It keeps the first few of what it is sent, and then does not answer: no plan lies there without its dose."""

    class Failing(Shelf):
        def store(self, objects: Sequence[bytes]) -> None:
            super().store(objects[:keeps])
            raise Refusal("archive-down", "the archive does not answer", http=503)

    archive = Failing(dict(shelf.objects), dict(shelf.places))
    made = engine(archive)
    with pytest.raises(Refusal):
        made.plan(plan_request(study))
    kept = archive.objects.keys() - shelf.objects.keys()
    assert [archive.read(uid).Modality for uid in archive.objects if uid in kept] == ["RTDOSE", "RTPLAN"][:keeps]
    asked = {"build": IDENTITY.build, "colour": IDENTITY.colour, "since": NOON.isoformat()}
    found = made.written.since(asked)
    assert found["count"] == 2
    assert kept <= set(found["items"])


def test_goals_are_judged_by_the_figures(planned: Planned) -> None:
    answer = planned.answer
    assert [goal["met"] for goal in answer["goals"]] == [True, False]
    assert answer["goals"][1]["value"] == answer["figures"]["CORD"]["max"]


def test_objectives_of_the_request_steer_the_plan(study: Study, shelf: Shelf) -> None:
    aims = [
        {"roi": "PTV", "kind": "under", "dose": 30, "weight": 100},
        {"roi": "PTV", "kind": "over", "dose": 31, "weight": 100},
    ]
    answer = engine(shelf).plan(plan_request(study, objectives=aims))
    assert answer["figures"]["PTV"]["mean"] == pytest.approx(30.5, abs=0.6)


def test_a_written_plan_reads_back_as_it_was(planned: Planned) -> None:
    answer = planned.answer
    plan = read_plan(planned.shelf.objects[answer["plan"]])
    assert [beam.gantry for beam in plan.beams] == [0.0, 120.0, 240.0]
    assert plan.beams[0].pixel == 20.0
    assert plan.beams[0].isocentre == tuple(answer["isocentre"])
    assert plan.fluence.size == sum(int(beam.open_.sum()) for beam in plan.beams)
    assert plan.fractions == 25


def test_every_hop_is_timed(planned: Planned) -> None:
    answer = planned.answer
    assert list(answer["timings"]) == ["find", "fetch", "prepare", "influence", "optimise", "encode", "store", "all"]
    assert answer["timings"]["all"] >= answer["timings"]["influence"]
    assert answer["arithmetic"]["blas_kernels"] == ["Haswell"]
