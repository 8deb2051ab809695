"""Plans as text: what is written reads back as the very same numbers, so that a dose can be computed again."""

import numpy as np
import pytest
from dose_engine.beam import covering
from dose_engine.plan import FLUENCE_PER_MU, read_plan
from dose_engine.writing import Prescription, encode, rt_plan
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms.objects import ct_slices
from phantoms.study import Study
from pydicom import Dataset

from tests.environments.treatment_platform.objects import IDENTITY, NOON


@pytest.fixture(scope="module")
def origin(study: Study) -> Dataset:
    return ct_slices(study)[0]


@settings(max_examples=50)
@given(
    gantry=st.floats(0, 359.999).map(lambda angle: round(angle, 3)),
    pixel=st.floats(2.5, 20).map(lambda width: round(width, 3)),
    isocentre=st.tuples(*[st.floats(-500, 500).map(lambda place: round(place, 1))] * 3),
    seed=st.integers(0, 2**32),
)
def test_a_plan_reads_back_as_it_was_written(
    gantry: float, pixel: float, isocentre: tuple[float, float, float], seed: int, origin: Dataset
) -> None:
    random = np.random.default_rng(seed)
    target = np.array(isocentre) + random.uniform(-20, 20, (5, 3))
    beam = covering(gantry, isocentre, pixel, target)
    fluence = random.random(int(beam.open_.sum())) * 3 + 0.001
    wanted = Prescription("1.2.3", 50.0, 25, "PLAN")
    plan = read_plan(encode(rt_plan(origin, IDENTITY, wanted, [beam], fluence, NOON)))
    assert plan.beams[0].like(beam)
    assert (plan.beams[0].open_ == beam.open_).all()
    assert plan.fluence * plan.fractions == pytest.approx(fluence, rel=1e-8)


def test_a_plans_monitor_units_are_those_of_its_brightest_pixel(origin: Dataset) -> None:
    beam = covering(0.0, (0.0, 0.0, 0.0), 10.0, np.zeros((1, 3)))
    fluence = np.linspace(0.1, 1.0, 9) * 25 * FLUENCE_PER_MU * 80
    made = rt_plan(origin, IDENTITY, Prescription("1.2.3", 50.0, 25, "PLAN"), [beam], fluence, NOON)
    assert float(made.FractionGroupSequence[0].ReferencedBeamSequence[0].BeamMeterset) == pytest.approx(80.0)
    through = [float(value) for value in made.BeamSequence[0].CompensatorSequence[0].CompensatorTransmissionData]
    assert through == pytest.approx(np.linspace(0.1, 1.0, 9))


def test_pixels_without_fluence_are_not_part_of_the_plan(origin: Dataset) -> None:
    beam = covering(0.0, (0.0, 0.0, 0.0), 10.0, np.zeros((1, 3)))
    fluence = np.array([0, 0, 0, 0, 1.0, 0.5, 0, 0, 0])
    plan = read_plan(encode(rt_plan(origin, IDENTITY, Prescription("1.2.3", 50.0, 25, "PLAN"), [beam], fluence, NOON)))
    assert plan.fluence.size == 2
    assert plan.beams[0].open_.tolist() == [[False] * 3, [False, True, True], [False] * 3]
