"""The search for fluence."""

import numpy as np
import pytest
from dose_engine.optimiser import Objective, Penalty, optimise
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

ROWS, COLUMNS = 40, 12
TARGET = np.arange(ROWS) < 15
REST = ~TARGET


def problem(seed: int) -> tuple[csr_array, list[Objective]]:
    random = np.random.default_rng(seed)
    matrix = random.random((ROWS, COLUMNS)) ** 4
    matrix[TARGET] += random.random((15, COLUMNS))
    objectives = [
        Objective(TARGET, "under", 50.0, 100.0),
        Objective(TARGET, "over", 52.0, 50.0),
        Objective(REST, "over", 20.0, 10.0),
    ]
    return csr_array(matrix), objectives


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_the_gradient_is_the_slope(seed: int) -> None:
    penalty = Penalty(*problem(seed))
    at = np.random.default_rng(seed + 1).random(COLUMNS) * 10
    _, gradient = penalty(at)
    for column in range(COLUMNS):
        step = np.zeros(COLUMNS)
        step[column] = 1e-5
        slope = (penalty(at + step)[0] - penalty(at - step)[0]) / 2e-5
        assert gradient[column] == pytest.approx(slope, rel=1e-4, abs=1e-4)


def test_dose_within_all_bounds_costs_nothing() -> None:
    matrix = csr_array(np.eye(ROWS))
    objectives = [Objective(TARGET, "under", 50.0, 1.0), Objective(REST, "over", 20.0, 1.0)]
    value, gradient = Penalty(matrix, objectives)(np.where(TARGET, 51.0, 19.0))
    assert value == 0.0
    assert not gradient.any()


def test_the_penalty_is_the_mean_square_of_what_is_too_much() -> None:
    matrix = csr_array(np.eye(ROWS))
    value, _ = Penalty(matrix, [Objective(TARGET, "over", 50.0, 30.0)])(np.full(ROWS, 52.0))
    assert value == pytest.approx(30.0 * 4.0)


@pytest.mark.parametrize("scaled", [False, True])
def test_the_optimum_is_better_than_the_start_and_never_negative(scaled: bool) -> None:
    matrix, objectives = problem(3)
    start = np.full(COLUMNS, 5.0)
    found = optimise(matrix, objectives, start, scaled=scaled)
    assert found.converged
    assert found.fluence.min() >= 0.0
    assert found.value < 0.5 * Penalty(matrix, objectives)(start)[0]
    assert found.value == pytest.approx(Penalty(matrix, objectives)(found.fluence)[0])


def test_the_same_problem_has_the_same_answer() -> None:
    first, second = (optimise(*problem(5), np.full(COLUMNS, 5.0), scaled=False) for _ in range(2))
    assert first.fluence.tolist() == second.fluence.tolist()
