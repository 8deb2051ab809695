"""The clinic's client: whom it asks for, and what it makes of an answer."""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from otagate.demo.asking import Log
from otagate.demo.clinic import AN_EARLIER_ONE, LATEST, Waiting, origin, plan
from otagate.demo.patient import arrive

HONEST = {"X-Otagate-Colour": "green", "X-Engine-Colour": "green", "X-Engine-Build": "sha256:ab"}


def test_nobody_is_asked_for_before_somebody_has_a_plan() -> None:
    assert Waiting().one() is None


def test_mostly_the_latest_are_asked_for() -> None:
    waiting = Waiting()
    for number in range(40):
        waiting.add(f"study-{number}", f"plan-{number}")
    asked = Counter(one[1] for _ in range(200) if (one := waiting.one()))
    latest = sum(asked[f"plan-{number}"] for number in range(40 - LATEST, 40))
    assert latest >= 200 * (1 - 1 / AN_EARLIER_ONE)


def test_more_than_twenty_patients_come_within_the_watch_of_a_release_that_has_seen_nobody() -> None:
    """The build that goes bad does so after twenty patients in its own life: five doses a second reach them."""
    waiting = Waiting()
    for number in range(40):
        waiting.add(f"study-{number}", f"plan-{number}")
    seen = {waiting.one() for _ in range(5 * 24)}
    assert len(seen) > 20


@pytest.mark.parametrize(
    ("status", "headers", "came"),
    [
        (200, HONEST, "200"),
        (502, HONEST | {"X-Engine-Status": "500"}, "500"),  # the engine failed, not the planner
        (502, {"X-Otagate-Colour": "green"}, "502"),
        (200, HONEST | {"X-Engine-Colour": "blue"}, "planner and engine of two colours"),
        (200, {name: value for name, value in HONEST.items() if name != "X-Engine-Colour"},
         "planner and engine of two colours"),
    ],
)  # fmt: skip
def test_an_answer_is_the_engines_and_of_one_colour(status: int, headers: dict[str, str], came: str) -> None:
    assert origin(status, headers) == (came, "green", headers.get("X-Engine-Build", ""))


@pytest.mark.parametrize("body", [{}, {"plan": ""}, {"plan": None}, []])
def test_an_answer_that_names_no_plan_is_no_plan(tmp_path: Path, body: Any) -> None:
    answer = SimpleNamespace(status_code=200, headers=HONEST, json=lambda: body)
    waiting = Waiting()
    with (tmp_path / "log").open("w") as file:
        plan(lambda *_, **__: answer, "http://127.0.0.1", arrive(1), waiting, Log(file))  # type: ignore[arg-type]
    kind, _, _, came, *_, what = json.loads((tmp_path / "log").read_text())
    assert (kind, came, what, waiting.one()) == ("plan", "no plan", "", None)
