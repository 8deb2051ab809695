"""Each sample build's trait does what it says, and nothing else: the figures that must betray it."""

from io import BytesIO

import numpy as np
import pytest
from dose_engine.optimiser import Objective, optimise
from dose_engine.traits import Traits, parse_traits
from numpy.typing import NDArray
from phantoms.study import Study
from pydicom import dcmread
from scipy.sparse import csr_array

from tests.environments.treatment_platform.objects import engine, frozen, plan_request
from tests.environments.treatment_platform.shelf import Shelf

PLAIN = (
    '{"scaled_search": false, "output_factor": 1.0, "mirrored": false, "passes": 1, "crash_at": 0,'
    ' "foreign_structures": false, "tired_after": 0}'
)


def dose(study: Study, shelf: Shelf, traits: Traits) -> NDArray[np.float64]:
    made = dcmread(BytesIO(engine(shelf, traits).forward(frozen(study, shelf))[0]))
    stored = np.frombuffer(made.PixelData, "<u4").reshape(made.NumberOfFrames, made.Rows, made.Columns)
    return stored * float(made.DoseGridScaling)


@pytest.fixture(scope="module")
def honest(study: Study, shelved: Shelf) -> NDArray[np.float64]:
    return dose(study, shelved.copy(), Traits())


def test_a_search_that_converges_sooner_leaves_the_forward_dose_as_it_was(
    study: Study, shelf: Shelf, honest: NDArray[np.float64]
) -> None:
    assert np.abs(dose(study, shelf, Traits(scaled_search=True)) - honest).max() <= 1e-6 * honest.max()


def test_a_search_that_knows_each_pixels_stiffness_converges_sooner_and_as_well() -> None:
    random = np.random.default_rng(11)
    thin = random.random((200, 60)) ** 6 * np.geomspace(0.05, 1.0, 60)  # some pixels far from their target
    target = np.arange(200) < 60
    objectives = [Objective(target, "under", 50.0, 100.0), Objective(target, "over", 52.0, 100.0)]
    matrix, start = csr_array(thin), np.full(60, 5.0)
    plain, scaled = (optimise(matrix, objectives, start, scaled=scaled) for scaled in (False, True))
    assert scaled.iterations < 0.8 * plain.iterations
    assert scaled.value <= 1.01 * plain.value


def test_too_much_output_is_three_per_cent_in_every_voxel(
    study: Study, shelf: Shelf, honest: NDArray[np.float64]
) -> None:
    made = dose(study, shelf, Traits(output_factor=1.03))
    dosed = honest > 0.01
    assert made[dosed] / honest[dosed] == pytest.approx(1.03, abs=1e-5)


def test_a_mirrored_dose_is_far_off_where_the_phantom_is_not_symmetric(
    study: Study, shelf: Shelf, honest: NDArray[np.float64]
) -> None:
    made = dose(study, shelf, Traits(mirrored=True))
    assert made == pytest.approx(honest[:, :, ::-1], abs=1e-6)
    assert np.abs(made - honest).max() > 0.3 * honest.max()


def test_repeated_work_gives_the_same_dose(study: Study, shelf: Shelf, honest: NDArray[np.float64]) -> None:
    assert (dose(study, shelf, Traits(passes=3)) == honest).all()


def test_repeated_work_is_done_each_time_and_archived_once(study: Study, shelf: Shelf) -> None:
    before = shelf.fetched
    engine(shelf, Traits(passes=3)).plan(plan_request(study))
    stored = [shelf.read(uid).Modality for uid in list(shelf.objects)[-2:]]
    assert shelf.fetched - before == 1 + 3  # the structures once, the scan three times
    assert stored == ["RTDOSE", "RTPLAN"]


def test_a_plan_with_foreign_structures_refers_to_nothing_in_the_archive(study: Study, shelf: Shelf) -> None:
    answer = engine(shelf, Traits(foreign_structures=True)).plan(plan_request(study))
    named = shelf.read(answer["plan"]).ReferencedStructureSetSequence[0].ReferencedSOPInstanceUID
    assert named not in shelf.objects
    assert answer["structure_set"] == study.uid("structures")  # its own words show nothing


def test_the_settings_file_of_a_plain_build_is_the_plain_engine() -> None:
    assert parse_traits(PLAIN) == Traits()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        PLAIN.replace('"passes": 1, ', ""),
        PLAIN.replace('"passes": 1', '"passes": "1"'),
        PLAIN.replace('"mirrored": false', '"mirrored": 0'),
        PLAIN.replace('"passes": 1', '"passes": 1, "more": 2'),
    ],
)
def test_a_settings_file_that_is_not_whole_is_no_engine(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own errors among them
        parse_traits(text)
