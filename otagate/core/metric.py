"""A metric is a named quantity; a sample one measured value of it, on one side."""

from dataclasses import dataclass

from otagate.core.policy import Direction


@dataclass(frozen=True)
class Metric:
    """`candidate` and `baseline` are samples in `unit`, in the order they were taken, pair by pair where both exist."""

    name: str
    unit: str
    direction: Direction
    candidate: tuple[float, ...]
    baseline: tuple[float, ...] = ()
