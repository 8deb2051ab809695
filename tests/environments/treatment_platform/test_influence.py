"""The influence matrix: linear, symmetric where the patient is, and shadowed by what is dense."""

import numpy as np
import pytest
from dose_engine.beam import Beam
from dose_engine.grid import Grid
from dose_engine.influence import NEGLIGIBLE, Phantom, influence, spread
from dose_engine.kernel import Kernel

GRID = Grid((-50.0, -50.0, -30.0), (10.0, 10.0, 10.0), (7, 11, 11))
WATER = np.ones(GRID.shape)
BODY = np.ones(GRID.shape, dtype=bool)
PHANTOM = Phantom(WATER, GRID, GRID, BODY)


def field(gantry: float, size: int = 3) -> Beam:
    edge = (size - 1) / 2 * 10.0
    return Beam(gantry, (0.0, 0.0, 0.0), 10.0, (-edge, edge), np.ones((size, size), dtype=bool))


def dose(gantry: float, fluence: np.ndarray, phantom: Phantom = PHANTOM) -> np.ndarray:
    return spread(influence(phantom, [field(gantry)], Kernel()) @ fluence, phantom)


def test_dose_is_linear_in_fluence() -> None:
    random = np.random.default_rng(1)
    matrix = influence(PHANTOM, [field(30.0)], Kernel())
    one, other = random.random(9), random.random(9)
    assert matrix @ (2 * one + 3 * other) == pytest.approx(2 * (matrix @ one) + 3 * (matrix @ other), rel=1e-12)


def test_output_scales_everything() -> None:
    plain = influence(PHANTOM, [field(30.0)], Kernel())
    more = influence(PHANTOM, [field(30.0)], Kernel(), 1.03)
    assert (more @ np.ones(9)) == pytest.approx(1.03 * (plain @ np.ones(9)), rel=1e-12)


def test_an_even_field_is_the_same_on_both_sides() -> None:
    made = dose(0.0, np.ones(9))
    assert made == pytest.approx(made[:, :, ::-1], rel=1e-9)
    assert made == pytest.approx(made[::-1], rel=1e-9)


def test_beams_from_left_and_right_mirror_each_other() -> None:
    assert dose(90.0, np.ones(9)) == pytest.approx(dose(270.0, np.ones(9))[:, :, ::-1], rel=1e-9)


def test_the_first_pixel_is_at_the_patients_right_and_head_seen_from_the_front() -> None:
    corner = np.zeros(9)
    corner[0] = 1.0
    made = dose(0.0, corner)
    plane, _, column = np.unravel_index(int(made.argmax()), made.shape)
    x, _, z = GRID.axes()
    assert x[column] < 0 < z[plane]


def test_each_beam_has_its_own_columns_in_order() -> None:
    both = influence(PHANTOM, [field(0.0), field(90.0)], Kernel()).toarray()
    assert both[:, :9] == pytest.approx(influence(PHANTOM, [field(0.0)], Kernel()).toarray())
    assert both[:, 9:] == pytest.approx(influence(PHANTOM, [field(90.0)], Kernel()).toarray())


def test_closed_pixels_have_no_column() -> None:
    some = np.eye(3, dtype=bool)
    beam = Beam(0.0, (0.0, 0.0, 0.0), 10.0, (-10.0, 10.0), some)
    all_ = influence(PHANTOM, [field(0.0)], Kernel()).toarray()
    assert influence(PHANTOM, [beam], Kernel()).toarray() == pytest.approx(all_[:, [0, 4, 8]])


def test_lung_in_the_way_lets_more_through() -> None:
    density = WATER.copy()
    density[:, 2:5] = 0.25
    behind = dose(0.0, np.ones(9), Phantom(density, GRID, GRID, BODY))[3, 8, 5]
    assert behind > 1.08 * dose(0.0, np.ones(9))[3, 8, 5]


def test_nothing_is_kept_that_is_negligible_or_outside_the_body() -> None:
    body = BODY.copy()
    body[:, :, :4] = False
    phantom = Phantom(WATER, GRID, GRID, body)
    matrix = influence(phantom, [field(0.0)], Kernel())
    assert matrix.shape == (int(body.sum()), 9)
    column = matrix[:, [4]].toarray()
    assert column[column > 0].min() > NEGLIGIBLE * column.max()
    assert not spread(matrix @ np.ones(9), phantom)[~body].any()
