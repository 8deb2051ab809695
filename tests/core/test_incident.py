"""What a service may answer of what it wrote, and which release is held."""

from dataclasses import replace
from typing import Any

import pytest

from otagate.core.cloud import Colour
from otagate.core.incident import (
    MOST_ITEMS,
    MOST_TEXT,
    Clearing,
    Incident,
    Written,
    held,
    read_quarantined,
    read_written,
)

OPEN = Incident("i-p-1", "p-1", "sha256:new", {"web": "sha256:1"}, Colour.GREEN, 1.0, 2.0, "errors", "K1")


def test_an_answer_is_bounded_and_fit_to_print() -> None:
    items = ["a\x1b[31m" + "x" * 500] * 300
    written = read_written("web", {"count": 300, "items": items})
    assert (written.count, len(written.items)) == (300, MOST_ITEMS)
    assert max(map(len, written.items)) <= MOST_TEXT
    assert "\x1b" not in "".join(written.items)
    assert read_written("web", {"count": 0}) == Written("web", 0)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        None,
        [],
        {"count": None},
        {"count": True},
        {"count": -1},
        {"count": 1.0},
        {"count": "1"},
        {"count": 0, "items": ["more than it counts"]},
        {"count": 2, "items": "ab"},
        {"count": 2, "items": [1, 2]},
    ],
)
def test_anything_else_is_no_answer_and_never_nothing(answer: Any) -> None:
    with pytest.raises(ValueError, match=r"count|items"):
        read_written("web", answer)
    with pytest.raises(ValueError, match="quarantined"):
        read_quarantined(answer)


def test_a_release_is_held_while_its_incident_is_open_and_no_other_is() -> None:
    assert held([OPEN], "sha256:new") is OPEN
    assert held([OPEN], "sha256:other") is None
    cleared = replace(OPEN, cleared=Clearing("ada", "here", "looked at", 3.0))
    assert held([cleared], "sha256:new") is None
    assert held([cleared, OPEN], "sha256:new") is OPEN, "brought back a second time it is held again"
