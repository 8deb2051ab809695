"""From voxels to closed contours around them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Corner = tuple[int, int]  # column, row; corner (i, j) is the one before pixel (i, j) on both axes


def outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Polygons (n, 2) along pixel edges, in pixels with centres at whole numbers; even-odd gives `mask` back."""
    following: dict[Corner, list[Corner]] = {}
    for start, end in _edges(mask):
        following.setdefault(start, []).append(end)
    found = []
    while following:
        corners = _straightened(_loop(following))
        found.append(np.array(corners, dtype=np.float64) - 0.5)
    return found


def _edges(mask: NDArray[np.bool_]) -> Iterator[tuple[Corner, Corner]]:
    """Those between a pixel inside and one outside, the inside always on the same hand."""
    padded = np.pad(mask, 1)
    for row, column in zip(*np.nonzero(mask), strict=True):
        j, i = int(row), int(column)
        if not padded[j, i + 1]:
            yield (i, j), (i + 1, j)
        if not padded[j + 1, i + 2]:
            yield (i + 1, j), (i + 1, j + 1)
        if not padded[j + 2, i + 1]:
            yield (i + 1, j + 1), (i, j + 1)
        if not padded[j + 1, i]:
            yield (i, j + 1), (i, j)


def _loop(following: dict[Corner, list[Corner]]) -> list[Corner]:
    start = next(iter(following))
    corners, at = [start], start
    while True:
        ends = following[at]
        at_next = ends.pop()
        if not ends:
            del following[at]
        if at_next == start:
            return corners
        corners.append(at_next)
        at = at_next


def _straightened(corners: list[Corner]) -> list[Corner]:
    """Without the corners that lie on a straight edge."""
    kept = []
    for before, at, after in zip(corners[-1:] + corners[:-1], corners, corners[1:] + corners[:1], strict=True):
        if (at[0] - before[0], at[1] - before[1]) != (after[0] - at[0], after[1] - at[1]):
            kept.append(at)
    return kept
