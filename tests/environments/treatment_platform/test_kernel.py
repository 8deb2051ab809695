"""The beam model: normalisation, fall-off, calibration."""

import numpy as np
import pytest
from dose_engine.beam import Beam
from dose_engine.grid import Grid
from dose_engine.influence import Phantom, influence
from dose_engine.kernel import Kernel, across
from dose_engine.plan import FLUENCE_PER_MU


@pytest.mark.parametrize("sigma", [Kernel().narrow, Kernel().wide])
def test_a_pixels_fluence_is_spread_but_not_lost(sigma: float) -> None:
    tiling = np.arange(-200.0, 201.0, 10.0)
    shares = across(np.array([0.0, 3.3, 5.0]), tiling, 10.0, sigma)
    assert shares.sum(axis=1) == pytest.approx([1.0, 1.0, 1.0], abs=1e-9)
    assert (shares >= 0).all()


def test_a_pixel_spreads_alike_to_both_sides() -> None:
    left, right = across(np.array([-7.0, 7.0]), np.array([0.0]), 10.0, 3.0)[:, 0]
    assert left == pytest.approx(right)


def test_dose_builds_up_and_then_falls() -> None:
    dose = Kernel().along(np.arange(0.0, 300.0))
    peak = int(dose.argmax())
    assert dose[0] == 0.0
    assert 10 <= peak <= 20  # mm: a 6 MV beam
    assert (np.diff(dose[peak:]) < 0).all()


def test_scatter_grows_with_depth_but_never_takes_all() -> None:
    shares = Kernel().scattered(np.array([0.0, 100.0, 1e6]))
    assert shares[0] < shares[1] < shares[2] == 0.9


def test_a_hundred_monitor_units_give_one_gray_in_the_reference_field() -> None:
    grid = Grid((-60.0, -97.5, -60.0), (5.0, 5.0, 5.0), (25, 60, 25))  # the water's surface lies at y = -100
    axis = np.zeros(grid.shape, dtype=bool)
    axis[12, 19:21, 12] = True  # y = -2.5 and 2.5
    field = Beam(0.0, (0.0, 0.0, 0.0), 10.0, (-45.0, 45.0), np.ones((10, 10), dtype=bool))
    matrix = influence(Phantom(np.ones(grid.shape), grid, grid, axis), [field], Kernel())
    dose = matrix @ np.full(100, 100 * FLUENCE_PER_MU)
    assert dose.mean() == pytest.approx(1.0, abs=0.005)
