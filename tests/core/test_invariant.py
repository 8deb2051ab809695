"""An invariant holds only by an answer that says so."""

from typing import Any

import pytest

from otagate.core.invariant import Invariant, holds

TRUE, FALSE = Invariant("x", "web", is_true=True), Invariant("x", "web", is_true=False)
RANGE = Invariant("x", "web", least=0, most=3)


@pytest.mark.parametrize(
    ("invariant", "value", "said"),
    [
        (TRUE, True, True),
        (TRUE, False, False),
        (FALSE, False, True),
        (FALSE, True, False),
        (RANGE, 0, True),
        (RANGE, 3.0, True),
        (RANGE, -0.1, False),
        (RANGE, 4, False),
        (RANGE, 10**400, False),
        (Invariant("x", "web", most=3), -(10**400), True),
        (TRUE, 1, None),
        (TRUE, "true", None),
        (RANGE, True, None),
        (RANGE, "1", None),
        (RANGE, None, None),
        (RANGE, float("nan"), None),
        (RANGE, float("inf"), None),
        (RANGE, [1], None),
        (Invariant("x", "web"), 1, None),
    ],
)
def test_what_an_answer_says(invariant: Invariant, value: Any, said: bool | None) -> None:
    assert holds(invariant, {"x": value}) is said


@pytest.mark.parametrize("answer", [None, {}, {"y": True}, [], "x", True])
def test_no_answer_says_nothing(answer: Any) -> None:
    assert holds(TRUE, answer) is None


def test_a_bound_is_told_in_words() -> None:
    assert (TRUE.words, FALSE.words, RANGE.words) == ("true", "false", "at least 0 and at most 3")
