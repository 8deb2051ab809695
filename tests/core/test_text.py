"""Text from outside: one line, bounded, nothing in it that hides or reorders."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otagate.core.text import counted, first_few, printable, printable_lines


@settings(deadline=None)
@given(st.text(), st.integers(1, 50))
def test_printable_is_one_bounded_line_of_visible_characters(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} == set()


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=50))
def test_text_without_such_characters_stays_as_it_is(text: str) -> None:
    assert printable(text, 50) == text


@pytest.mark.parametrize("odd", ["\x00", "\x1b", "\x7f", "\u202e", "\u200b", "\ud800", "\ue000", "\uffff", "\u2028"])
def test_what_cannot_be_shown_is_seen_to_have_been_there(odd: str) -> None:
    assert printable(f"a{odd}b") == "a\N{REPLACEMENT CHARACTER}b"


def test_line_ends_and_tabs_become_spaces() -> None:
    assert printable("a\nb\tc\rd") == "a b c d"


def test_a_long_text_says_that_it_was_cut() -> None:
    assert printable("abcdef", 6) == "abcdef"
    assert printable("abcdefg", 6) == "abcde…"


def test_lines_stay_lines_and_the_end_is_kept() -> None:
    assert printable_lines("a\tb\n\x1b[31mc", 100) == "a\tb\n\N{REPLACEMENT CHARACTER}[31mc"
    assert printable_lines("0123456789", 5) == "…6789"
    assert printable_lines("01234", 5) == "01234"


def test_a_few_are_named_and_the_rest_counted() -> None:
    assert first_few(["a"]) == "a"
    assert first_few(["a", "b", "c"]) == "a, b, c"
    assert first_few(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert first_few(["x" * 10], limit=4) == "xxx…"


def test_one_is_one_and_two_are_many() -> None:
    assert [counted(n, "case") for n in (0, 1, 2)] == ["0 cases", "1 case", "2 cases"]
    assert counted(2, "crash", "crashes") == "2 crashes"
