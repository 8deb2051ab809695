"""The clinic's client: whom it asks for, and what it makes of an answer."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from otagate.demo.asking import Log
from otagate.demo.clinic import Waiting, origin, plan
from otagate.demo.patient import arrive

HONEST = {"X-Otagate-Colour": "green", "X-Engine-Colour": "green", "X-Engine-Build": "sha256:ab"}


def test_nobody_is_asked_for_before_somebody_has_a_plan() -> None:
    assert Waiting().latest() is None
    assert Waiting().all() is None


def test_the_latest_and_all_are_asked_for_by_turns() -> None:
    waiting = Waiting()
    for number in range(5):
        waiting.add(f"study-{number}", f"plan-{number}")
    assert [waiting.latest() for _ in range(4)] == [(f"study-{n}", f"plan-{n}") for n in (4, 3, 2, 4)]
    assert [one[1] for _ in range(6) if (one := waiting.all())] == [f"plan-{n}" for n in (4, 3, 2, 1, 0, 4)]


def test_more_than_twenty_patients_come_within_the_watch_of_a_release_that_has_seen_nobody() -> None:
    """The build that goes bad does so after twenty patients in its own life; at 0.8 a second it takes 26 s of 60."""
    waiting = Waiting()
    for number in range(40):
        waiting.add(f"study-{number}", f"plan-{number}")
    assert len({waiting.all() for _ in range(21)}) > 20


@pytest.mark.parametrize("between", range(1, 12))
def test_all_are_asked_for_by_turns_also_while_more_come(between: int) -> None:
    """A place counted from a growing end can stand still: with one new patient after every eight turns, the same eight
    were asked for all the time, and a build that goes bad after twenty patients never met them."""
    waiting = Waiting()
    asked = []
    for number in range(400):
        waiting.add(f"study-{number}", f"plan-{number}")
        asked += [waiting.all() for _ in range(between)]
    for begin in range(len(asked) // 2, len(asked) - 25, 25):
        assert len(set(asked[begin : begin + 25])) > 20


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
    assert (kind, came, what, waiting.latest()) == ("plan", "no plan", "", None)
