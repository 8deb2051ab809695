"""The build's own plan: goals met, the search no worse than the live build's, and its words true to its dose."""

from functools import partial

import numpy as np
import pytest
from acceptance.volumes import covered, read_dose
from bench import GOALS, SYNTHETIC, Bench, held

pytest_plugins = ["bench"]
pytestmark = [pytest.mark.requirement("goals"), pytest.mark.risk("a plan that does not do what it is for")]

OBJECTIVE = 1.0  # % above the live build's
WORDS = 0.05  # Gy
FIGURES = {"mean": np.mean, "max": np.max, "d95": partial(covered, share=95), "d2": partial(covered, share=2)}


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: f"{goal['roi']}-{goal['figure']}")
def test_a_goal_is_met(bench: Bench, goal: dict[str, float]) -> None:
    """Of the dose as archived, 50 Gy in 25 fractions. PTV: D95 at least 95 %, D2 at most 107 % (ICRU 50 and 83);
    CORD: at most 45 Gy anywhere, KIDNEY: at most 18 Gy mean (QUANTEC 2010).
    """
    mask = bench.frozen(SYNTHETIC[0]).regions[str(goal["roi"])]
    value = float(FIGURES[str(goal["figure"])](read_dose(bench.own().dose).gray[mask]))
    least, most = float(goal.get("at_least", 0.0)), float(goal.get("at_most", np.inf))
    assert least <= value <= most, f"{goal['roi']} {goal['figure']} {value:.2f} Gy, limits {least:g} to {most:g} Gy"


def test_the_build_says_itself_that_its_goals_are_met(bench: Bench) -> None:
    told = bench.own().answer["goals"]
    assert [one["met"] for one in told] == [True] * len(GOALS), told


def test_the_search_ends_no_worse_than_the_live_builds(bench: Bench) -> None:
    """The objective at most 1 % above: never voxel by voxel, for another BLAS kernel alone moves an optimised dose by
    4 % of its maximum (docs/figures.md).
    """
    own = bench.own()
    found, live = (float(answer["optimiser"]["objective"]) for answer in (own.answer, own.live_answer))
    assert np.isfinite(found)
    assert own.answer["optimiser"]["converged"] is True
    excess = max(0.0, 100.0 * (found / live - 1.0))
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
