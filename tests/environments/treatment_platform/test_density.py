"""CT numbers and what they weigh."""

import numpy as np
import pytest
from dose_engine.density import relative_density
from dose_engine.refusal import Refusal

EVERYWHERE = np.ones((1, 1, 5), dtype=bool)


def test_air_water_and_bone_are_on_the_scanners_curve() -> None:
    density = relative_density(np.array([[[-1000.0, -500.0, 0.0, 975.0, 3000.0]]]), EVERYWHERE)
    assert density[0, 0] == pytest.approx([0.0, 0.5, 1.0, 1.5, 1 + 3000 / 1950])


def test_what_scanners_write_for_air_weighs_nothing() -> None:
    assert relative_density(np.full((1, 1, 5), -1024.0), EVERYWHERE).max() == 0.0


@pytest.mark.parametrize("number", [-1025.0, 3001.0, 30_000.0, np.nan, np.inf])
def test_a_number_off_the_curve_is_refused(number: float) -> None:
    hounsfield = np.zeros((1, 1, 5))
    hounsfield[0, 0, 2] = number
    with pytest.raises(Refusal) as refused:
        relative_density(hounsfield, EVERYWHERE)
    assert refused.value.code == "unknown-density"
    assert "1 voxels" in refused.value.message


def test_outside_the_body_nothing_counts_whatever_it_is() -> None:
    body = np.array([[[True, True, False, False, False]]])
    density = relative_density(np.array([[[0.0, 0.0, 30_000.0, 500.0, 0.0]]]), body)
    assert density[0, 0].tolist() == [1.0, 1.0, 0.0, 0.0, 0.0]
