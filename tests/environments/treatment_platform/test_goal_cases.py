"""What the cases for the build's own plan let pass and what not, by doses that miss their goals and builds that say of
their work what is not so.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from acceptance.volumes import Dose, read_dose, region
from phantoms.objects import encode, structure_set
from phantoms.study import Study
from pydicom import Dataset

from tests.environments.treatment_platform.cases import Ask, caught, modules
from tests.environments.treatment_platform.objects import engine, plan_request
from tests.environments.treatment_platform.shelf import Shelf

REGIONS = ("PTV", "CORD", "KIDNEY")


@pytest.fixture(scope="module")
def suite() -> Iterator[dict[str, ModuleType]]:
    with modules("functional", "conftest", "bench", "test_40_goals") as found:
        yield found


@dataclass(frozen=True)
class Planned:
    """One plan of the build and one of the live build: what each says, and its dose."""

    dose: Dataset
    live: Dose
    answer: dict[str, Any]
    live_answer: dict[str, Any]
    regions: dict[str, Any]

    def given(self, factor: float) -> "Planned":
        """With another dose than the build says."""
        dose = copy.deepcopy(self.dose)
        dose.DoseGridScaling = f"{float(dose.DoseGridScaling) * factor:.10g}"
        return replace(self, dose=dose)

    def said(self, change: Callable[[dict[str, Any]], object]) -> "Planned":
        """With another answer of the build."""
        answer = copy.deepcopy(self.answer)
        change(answer)
        return replace(self, answer=answer)


@pytest.fixture(scope="module")
def honest(suite: dict[str, ModuleType], study: Study, shelved: Shelf) -> Planned:
    shelf = shelved.copy()
    wanted = plan_request(
        study, gantry=[0, 72, 144, 216, 288], pixel=10, spacing=5, goals=list(suite["test_40_goals"].GOALS)
    )
    answer = engine(shelf).plan(wanted)
    dose = shelf.read(answer["dose"])
    live = read_dose(encode(dose))
    structures = structure_set(study)
    return Planned(dose, live, answer, answer, {name: region(structures, name, live.axes) for name in REGIONS})


def failed(suite: dict[str, ModuleType], planned: Planned) -> set[str]:
    """Which kinds of case fail."""
    cases = suite["test_40_goals"]
    own = SimpleNamespace(dose=encode(planned.dose), answer=planned.answer, live_answer=planned.live_answer)
    frozen = SimpleNamespace(regions=planned.regions)
    bench = SimpleNamespace(own=lambda: own, lives_own=lambda: planned.live, frozen=lambda _: frozen)
    asked: dict[str, Ask] = {
        "met": partial(cases.test_the_build_says_itself_that_its_goals_are_met, bench),
        "search": partial(cases.test_the_search_ends_no_worse_than_the_live_builds, bench),
    }
    for goal in cases.GOALS:
        name = f"{goal['roi']}-{goal['figure']}"
        asked[f"goal {name}"] = partial(cases.test_a_goal_is_met, bench, goal)
        asked[f"worse {name}"] = partial(cases.test_no_goal_is_met_worse_than_in_the_live_builds_own_plan, bench, goal)
    for roi in REGIONS:
        for figure in cases.FIGURES:
            asked[f"words {roi}-{figure}"] = partial(
                cases.test_what_the_build_says_of_its_dose_is_what_it_archived, bench, roi, figure
            )
    return caught(asked)


def kinds(names: set[str]) -> set[str]:
    return {name.split()[0] for name in names}


def test_an_honest_plan_passes_every_case(suite: dict[str, ModuleType], honest: Planned) -> None:
    assert failed(suite, honest) == set()


@pytest.mark.parametrize(
    ("factor", "goals"),
    [
        (0.9, {"goal PTV-d95", "worse PTV-d95"}),
        (1.1, {"goal PTV-d2", "worse PTV-d2", "worse CORD-max"}),
        (0.0, {"goal PTV-d95", "worse PTV-d95"}),
    ],
    ids=["too little", "too much", "nothing"],
)
def test_a_dose_that_misses_its_goals_is_caught_by_them(
    suite: dict[str, ModuleType], honest: Planned, factor: float, goals: set[str]
) -> None:
    found = failed(suite, honest.given(factor))
    assert {name for name in found if not name.startswith("words")} == goals
    assert "words PTV-mean" in found


@pytest.mark.parametrize(
    ("change", "by"),
    [
        (lambda answer: answer["goals"][3].update(met=False), {"met"}),
        (lambda answer: answer["goals"].pop(), {"met"}),
        (lambda answer: answer["optimiser"].update(converged=False), {"search"}),
        (lambda answer: answer["optimiser"].update(objective=1.02 * answer["optimiser"]["objective"]), {"search"}),
        (lambda answer: answer["optimiser"].update(objective=np.nan), {"search"}),
        (lambda answer: answer["figures"]["KIDNEY"].update(mean=answer["figures"]["KIDNEY"]["mean"] - 0.1), {"words"}),
        (lambda answer: answer["figures"]["PTV"].update(d2=np.nan), {"words"}),
        (lambda answer: answer["figures"].pop("CORD"), {"words"}),
    ],
    ids=[
        "a goal not met",
        "a goal not named",
        "not at an end",
        "a worse end",
        "no end",
        "flattered",
        "no number",
        "silent",
    ],
)
def test_what_a_build_says_of_its_plan_must_be_good_and_so(
    suite: dict[str, ModuleType], honest: Planned, change: Callable[[dict[str, Any]], object], by: set[str]
) -> None:
    assert kinds(failed(suite, honest.said(change))) == by


def test_a_live_plan_that_spares_more_is_a_measure(suite: dict[str, ModuleType], honest: Planned) -> None:
    """All goals are met with room to spare, and the search has become worse."""
    spared = replace(honest.live, gray=honest.live.gray - 1.5)
    assert failed(suite, replace(honest, live=spared)) == {"worse PTV-d2", "worse CORD-max", "worse KIDNEY-mean"}


def test_a_live_build_without_an_objective_is_no_measure(suite: dict[str, ModuleType], honest: Planned) -> None:
    nothing = {"optimiser": {**honest.live_answer["optimiser"], "objective": np.nan}}
    assert failed(suite, replace(honest, live_answer=nothing)) == {"search"}
