"""Water-equivalent depth."""

import numpy as np
import pytest
from dose_engine.depth import radiological_depth
from dose_engine.grid import Grid

GRID = Grid((-50.0, -50.0, -50.0), (5.0, 5.0, 5.0), (21, 21, 21))
SOURCE = np.array([0.0, -1000.0, 0.0])


def on_axis(*heights: float) -> np.ndarray:
    return np.array([(0.0, y, 0.0) for y in heights])


def test_water_counts_as_it_is() -> None:
    depth = radiological_depth(np.ones(GRID.shape), GRID, SOURCE, on_axis(-50.0, 0.0, 50.0))
    assert depth == pytest.approx([2.5, 52.5, 102.5], abs=0.3)  # the first voxel's centre lies half a voxel deep


def test_air_counts_for_nothing() -> None:
    assert radiological_depth(np.zeros(GRID.shape), GRID, SOURCE, on_axis(0.0, 50.0)).tolist() == [0.0, 0.0]


def test_a_slab_of_lung_takes_away_what_it_lacks() -> None:
    density = np.ones(GRID.shape)
    density[:, 6:14] = 0.3  # eight voxels of 5 mm
    behind, before = radiological_depth(density, GRID, SOURCE, on_axis(40.0, -35.0))
    assert before == pytest.approx(17.5, abs=0.3)
    assert behind == pytest.approx(92.5 - 0.7 * 40, abs=0.3)


def test_a_slanting_ray_is_as_much_longer_as_its_slant() -> None:
    point = np.array([[20.0, 40.0, 0.0]])
    source = np.array([-280.0, -960.0, 0.0])
    depth = radiological_depth(np.ones(GRID.shape), GRID, source, point)
    assert depth == pytest.approx([92.5 * np.sqrt(1.09)], abs=0.3)


def test_empty_space_around_changes_no_bit() -> None:
    """A scan is wider than the patient: rays that leave what is not empty are followed no further."""
    wide, inner = np.zeros((41, 31, 51)), np.random.default_rng(1).random((9, 12, 17)) + 0.5
    wide[20:29, 8:20, 15:32] = inner
    grid = Grid((-50.0, -50.0, -50.0), (5.0, 5.0, 5.0), (41, 31, 51))
    points = grid.points(wide > 1.0)
    found = radiological_depth(wide, grid, np.array([300.0, -900.0, 60.0]), points)
    wide[0, 0, 0] = wide[-1, -1, -1] = 1e-300  # nothing is empty now
    assert (found == radiological_depth(wide, grid, np.array([300.0, -900.0, 60.0]), points)).all()
    assert found.min() > 0


def test_no_points_have_no_depth() -> None:
    assert radiological_depth(np.ones(GRID.shape), GRID, SOURCE, np.empty((0, 3))).size == 0


def test_each_point_gets_its_own_depth_in_whatever_order() -> None:
    points = on_axis(30.0, -40.0, 10.0, -20.0)
    together = radiological_depth(np.ones(GRID.shape), GRID, SOURCE, points)
    alone = [float(radiological_depth(np.ones(GRID.shape), GRID, SOURCE, point[None])[0]) for point in points]
    assert together.tolist() == alone
