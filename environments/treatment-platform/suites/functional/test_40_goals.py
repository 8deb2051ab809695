"""The build's own plan: goals met, the search no worse than the live build's, and its words true to its dose."""

from functools import partial

import numpy as np
import pytest
from acceptance.volumes import Dose, covered, read_dose
from bench import GOALS, SYNTHETIC, Bench, held

pytest_plugins = ["bench"]
pytestmark = [pytest.mark.requirement("goals"), pytest.mark.risk("a plan that does not do what it is for")]

OBJECTIVE = 1.0  # % above the live build's
WORSE = 1.0  # Gy, 2 % of the prescription
WORDS = 0.05  # Gy
FIGURES = {"mean": np.mean, "max": np.max, "d95": partial(covered, share=95), "d2": partial(covered, share=2)}


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: f"{goal['roi']}-{goal['figure']}")
def test_a_goal_is_met(bench: Bench, goal: dict[str, float]) -> None:
    """Of the dose as archived, 50 Gy in 25 fractions. PTV: D95 at least 95 %, D2 at most 107 % (ICRU 50 and 83);
    CORD: at most 45 Gy anywhere, KIDNEY: at most 18 Gy mean (QUANTEC 2010).
    """
    value = of_the_goal(bench, goal, read_dose(bench.own().dose))
    least, most = float(goal.get("at_least", 0.0)), float(goal.get("at_most", np.inf))
    assert least <= value <= most, f"{goal['roi']} {goal['figure']} {value:.2f} Gy, limits {least:g} to {most:g} Gy"


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: f"{goal['roi']}-{goal['figure']}")
def test_no_goal_is_met_worse_than_in_the_live_builds_own_plan(bench: Bench, goal: dict[str, float]) -> None:
    """At most 1 Gy, on the side where it hurts, by this suite's own reading of both doses: the objective below is each
    build's own word, and goals with room to spare would let a search that has become worse pass. Two honest searches
    (1.0 and 1.1, two BLAS kernels) were 0.1 Gy apart at most.
    """
    found, live = of_the_goal(bench, goal, read_dose(bench.own().dose)), of_the_goal(bench, goal, bench.lives_own())
    worse = float(np.maximum(0.0, live - found if "at_least" in goal else found - live))
    held(f"{goal['roi']} {goal['figure']} {found:.2f} Gy, worse than the live plan's {live:.2f} Gy", worse, WORSE, "Gy")


def of_the_goal(bench: Bench, goal: dict[str, float], dose: Dose) -> float:
    mask = bench.frozen(SYNTHETIC[0]).regions[str(goal["roi"])]
    return float(FIGURES[str(goal["figure"])](dose.gray[mask]))


def test_the_build_says_itself_that_its_goals_are_met(bench: Bench) -> None:
    told = bench.own().answer["goals"]
    assert [one["met"] for one in told] == [True] * len(GOALS), told


def test_the_search_ends_no_worse_than_the_live_builds(bench: Bench) -> None:
    """By the builds' own word, the objective at most 1 % above: never voxel by voxel, for another BLAS kernel alone
    moves an optimised dose by 4 % of its maximum (docs/figures.md).
    """
    own = bench.own()
    found, live = (float(answer["optimiser"]["objective"]) for answer in (own.answer, own.live_answer))
    assert np.isfinite(found)
    assert own.answer["optimiser"]["converged"] is True
    excess = float(np.maximum(0.0, 100.0 * (found / live - 1.0)))
    held(f"objective {found:.2f} above the live build's {live:.2f}", excess, OBJECTIVE)


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("roi", ["PTV", "CORD", "KIDNEY"])
def test_what_the_build_says_of_its_dose_is_what_it_archived(bench: Bench, roi: str, figure: str) -> None:
    """Within 0.05 Gy (0.1 % of the prescription), by this suite's own reading of contours and voxels: a build that
    believes its own figures and writes something else is caught here.
    """
    mask = bench.frozen(SYNTHETIC[0]).regions[roi]
    value = float(FIGURES[figure](read_dose(bench.own().dose).gray[mask]))
    told = float(bench.own().answer["figures"][roi][figure])
    held(f"{roi} {figure}: archived {value:.2f} Gy, said {told:.2f} Gy", value - told, WORDS, "Gy")
