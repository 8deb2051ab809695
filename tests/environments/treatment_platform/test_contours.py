"""Contours and voxels, there and back."""

import numpy as np
import pytest
from dose_engine.contours import inside, rasterise
from dose_engine.grid import Grid
from dose_engine.refusal import Refusal
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from phantoms.outline import outlines

AXIS = np.arange(10.0)
GRID = Grid((0.0, 0.0, -5.0), (1.0, 1.0, 5.0), (3, 10, 10))


def closed(points: list[tuple[float, float]], z: float) -> np.ndarray:
    return np.array([(x, y, z) for x, y in points])


def square(low: float, high: float, z: float = 0.0) -> np.ndarray:
    return closed([(low, low), (high, low), (high, high), (low, high)], z)


def test_a_square_holds_the_centres_between_its_sides() -> None:
    mask = rasterise([square(1.5, 4.5)], GRID)
    assert mask.sum() == 9
    assert mask[1, 2:5, 2:5].all()


def test_a_square_within_a_square_is_a_hole() -> None:
    mask = rasterise([square(0.5, 7.5), square(2.5, 5.5)], GRID)
    assert mask.sum() == 49 - 9
    assert not mask[1, 4, 4]


def test_contours_fill_their_own_slice_alone() -> None:
    mask = rasterise([square(1.5, 4.5, 5.0)], GRID)
    assert [int(plane.sum()) for plane in mask] == [0, 0, 9]


def test_a_triangle_follows_its_slanting_side() -> None:
    mask = inside(np.array([(-0.5, -0.5), (9.5, -0.5), (-0.5, 9.5)]), AXIS, AXIS)
    assert [int(row.sum()) for row in mask] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]


def test_neighbours_share_no_point_of_their_common_edge() -> None:
    left = inside(np.array([(0.0, 0.0), (4.0, 0.0), (4.0, 9.0), (0.0, 9.0)]), AXIS, AXIS)
    right = inside(np.array([(4.0, 0.0), (9.0, 0.0), (9.0, 9.0), (4.0, 9.0)]), AXIS, AXIS)
    assert not (left & right).any()
    assert (left | right)[:9, :9].all()


@pytest.mark.parametrize("z", [1.0, -7.0, 400.0])
def test_a_contour_between_slices_is_refused(z: float) -> None:
    with pytest.raises(Refusal) as refused:
        rasterise([square(1.5, 4.5, z)], GRID)
    assert refused.value.code == "contour-off-slice"


def test_a_contour_that_leaves_its_plane_is_refused() -> None:
    slanting = square(1.5, 4.5)
    slanting[2, 2] = 5.0
    with pytest.raises(Refusal):
        rasterise([slanting], GRID)


@settings(max_examples=60)
@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_the_outlines_of_any_mask_enclose_that_mask(mask: np.ndarray) -> None:
    rows, columns = mask.shape
    found = np.zeros_like(mask)
    for polygon in outlines(mask):
        found ^= inside(polygon, np.arange(float(columns)), np.arange(float(rows)))
    assert (found == mask).all()
