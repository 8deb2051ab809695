"""Fluence that comes as close to the goals as non-negative fluence can."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_array

from dose_engine.grid import Floats, Mask

MOST_ITERATIONS = 300
FLAT = 1e-5  # relative change of the objective from one iteration to the next at which it counts as converged


STEPS, STEPS_LONG = 10, 40  # of the way behind that the search learns from


@dataclass(frozen=True, eq=False)
class Objective:
    """Penalty on the squared dose above (`over`) or below (`under`) `dose` Gy, averaged over the mask's rows."""

    rows: Mask
    kind: Literal["over", "under"]
    dose: float
    weight: float


@dataclass(frozen=True, eq=False)
class Optimum:
    """Fluence of each open pixel, the objective's value there, and what the way to it took."""

    fluence: Floats
    value: float
    iterations: int
    evaluations: int
    converged: bool


class Penalty:
    """The sum of the objectives as a function of fluence, with its gradient; only the rows it looks at are kept."""

    def __init__(self, matrix: csr_array, objectives: Sequence[Objective]) -> None:
        self._looked_at = np.logical_or.reduce([objective.rows for objective in objectives])
        self._matrix: Any = csr_array(matrix[np.flatnonzero(self._looked_at)])
        self._back: Any = csr_array(self._matrix.T)
        self._terms = [(self._local(objective), objective) for objective in objectives]

    def _local(self, objective: Objective) -> Floats:
        rows = objective.rows[self._looked_at]
        return rows.astype(np.float64) * (objective.weight / max(1, int(rows.sum())))

    def __call__(self, fluence: Floats) -> tuple[float, Floats]:
        dose: Floats = self._matrix @ fluence
        value, slope = 0.0, np.zeros_like(dose)
        for share, objective in self._terms:
            excess = dose - objective.dose
            excess = np.maximum(excess, 0.0) if objective.kind == "over" else np.minimum(excess, 0.0)
            weighted = share * excess
            value += float(weighted @ excess)
            slope += 2.0 * weighted
        gradient: Floats = self._back @ slope
        return value, gradient

    def stiffness(self) -> Floats:
        """How strongly the penalty reacts to each pixel: the diagonal of its second derivative, all terms active."""
        share = np.sum([share for share, _ in self._terms], axis=0)
        squared: Floats = self._back.multiply(self._back) @ (2.0 * share)
        return squared


def optimise(matrix: csr_array, objectives: Sequence[Objective], start: Floats, *, scaled: bool) -> Optimum:
    """L-BFGS-B from `start`; `scaled` steers by each pixel's own stiffness and remembers more steps of the way."""
    penalty = Penalty(matrix, objectives)
    unit = np.ones_like(start)
    if scaled:
        stiffness = penalty.stiffness()
        unit = 1.0 / np.sqrt(np.maximum(stiffness, 1e-6 * stiffness.max()))
        unit /= unit.mean()

    def scaled_penalty(position: Floats) -> tuple[float, Floats]:
        value, gradient = penalty(position * unit)
        return value, gradient * unit

    options = {"maxiter": MOST_ITERATIONS, "ftol": FLAT, "gtol": 0.0, "maxcor": STEPS_LONG if scaled else STEPS}
    bounds = [(0.0, None)] * start.size
    answer: Any = minimize(scaled_penalty, start / unit, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    fluence: Floats = np.asarray(answer.x, dtype=np.float64) * unit
    return Optimum(fluence, float(answer.fun), int(answer.nit), int(answer.nfev), bool(answer.success))
