"""The clinic's client: whom it asks for, and what it makes of an answer."""

from collections import Counter

import pytest

from otagate.demo.clinic import AN_EARLIER_ONE, LATEST, Waiting, origin

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
