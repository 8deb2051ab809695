"""Where things are: grids, the gantry, projections."""

import numpy as np
import pytest
from dose_engine.beam import SAD, covering, rotation
from dose_engine.grid import Grid

ISOCENTRE = (10.0, -20.0, 30.0)


@pytest.mark.parametrize(
    ("gantry", "expected"),
    [
        (0.0, (10.0, -1020.0, 30.0)),  # in front of the patient
        (90.0, (1010.0, -20.0, 30.0)),  # at the left
        (180.0, (10.0, 980.0, 30.0)),
        (270.0, (-990.0, -20.0, 30.0)),
    ],
)
def test_the_source_turns_over_the_patients_left(gantry: float, expected: tuple[float, float, float]) -> None:
    target = np.array([ISOCENTRE])
    assert covering(gantry, ISOCENTRE, 10.0, target).source == pytest.approx(expected)


def test_the_gantrys_axes_stay_square() -> None:
    turned = rotation(33.0)
    assert turned @ turned.T == pytest.approx(np.eye(3))
    assert np.linalg.det(turned) == pytest.approx(1.0)


def test_a_point_on_the_axis_projects_to_the_middle_and_one_nearer_the_source_is_magnified() -> None:
    beam = covering(0.0, ISOCENTRE, 10.0, np.array([ISOCENTRE]))
    points = np.array([ISOCENTRE, (10.0, 100.0, 30.0), (30.0, -20.0, 45.0), (30.0, -520.0, 45.0)])
    x, y = beam.seen(points)
    assert x == pytest.approx([0.0, 0.0, 20.0, 40.0])
    assert y == pytest.approx([0.0, 0.0, 15.0, 30.0])
    assert SAD / (SAD - 500) == 2


def test_the_open_pixels_cover_the_target_and_one_pixel_around() -> None:
    target = np.array([ISOCENTRE, (34.0, -20.0, 30.0), (10.0, -20.0, 12.0)])
    beam = covering(0.0, ISOCENTRE, 10.0, target)
    assert (beam.columns.min(), beam.columns.max()) == (-10.0, 30.0)
    assert (beam.rows[0], beam.rows[-1]) == (10.0, -30.0)
    assert beam.open_[1, 1]  # the axis
    assert beam.open_[2, 3]  # beside the point at the left
    assert not beam.open_[4, 4]  # far from all three


def test_points_are_in_the_order_of_the_flat_voxels() -> None:
    grid = Grid((1.0, 2.0, 3.0), (10.0, 20.0, 30.0), (2, 3, 4))
    mask = np.zeros(grid.shape, dtype=bool)
    mask[0, 2, 1] = mask[1, 0, 3] = True
    assert grid.points(mask).tolist() == [[11.0, 42.0, 3.0], [31.0, 2.0, 33.0]]
    assert grid.fractional(grid.points(mask)).T.tolist() == [[0, 2, 1], [1, 0, 3]]


def test_a_grid_of_its_own_spacing_is_itself() -> None:
    grid = Grid((1.0, 2.0, 3.0), (5.0, 5.0, 5.0), (4, 5, 6))
    assert grid.spaced(5.0) == grid


def test_a_coarser_grid_lies_in_the_middle_of_the_finer() -> None:
    grid = Grid((0.0, 0.0, 0.0), (3.0, 3.0, 2.5), (9, 11, 11))
    coarse = grid.spaced(7.0)
    assert coarse.shape == (3, 5, 5)
    assert coarse.origin == pytest.approx((1.0, 1.0, 3.0))


def test_a_mask_is_seen_at_the_nearest_voxel() -> None:
    fine = Grid((0.0, 0.0, 0.0), (2.0, 2.0, 2.0), (1, 1, 10))
    mask = np.arange(10).reshape(1, 1, 10) >= 5
    coarse = Grid((0.0, 0.0, 0.0), (6.0, 2.0, 2.0), (1, 1, 4))
    assert fine.nearest(mask, coarse).tolist() == [[[False, False, True, True]]]
