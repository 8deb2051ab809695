"""Text from outside: one line, bounded, nothing in it that hides or reorders."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otagate.core.errors import UsageError
from otagate.core.text import counted, first_few, plain_name, printable, printable_lines


@given(st.text(), st.integers(1, 50), st.booleans())
def test_what_is_shown_is_bounded_and_of_visible_characters(text: str, limit: int, lines: bool) -> None:
    for shown in (printable(text, limit, lines=lines), printable_lines(text, limit)):
        assert len(shown) <= limit
        kept = shown.replace("\n", "").replace("\t", "")
        assert {unicodedata.category(c) for c in kept} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} == set()
        shown.encode()
    assert lines or printable(text, limit).splitlines() in ([], [printable(text, limit)])


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=50))
def test_text_without_such_characters_stays_as_it_is(text: str) -> None:
    assert printable(text, 50) == text


@pytest.mark.parametrize(
    "odd", [r"\x00", r"\x1b", r"\x7f", r"\x9b", r"\u202e", r"\u200b", r"\ud800", r"\ue000", r"\uffff", r"\U000e0001"]
)
def test_what_cannot_be_shown_is_spelled_out(odd: str) -> None:
    """So that two names that differ in it stay two."""
    character = odd.encode().decode("unicode_escape")
    assert printable(f"a{character}b") == f"a{odd}b"
    assert printable(f"a\n{character}\tb", lines=True) == f"a\n{odd}\tb"


def test_line_ends_and_tabs_become_spaces() -> None:
    assert printable("a\nb\tc\rd") == "a b c d"


def test_a_long_text_says_that_it_was_cut() -> None:
    assert printable("abcdef", 6) == "abcdef"
    assert printable("abcdefg", 6) == "abcde…"


def test_lines_stay_lines_and_the_end_is_kept() -> None:
    assert printable_lines("a\tb\r\n\x1b[31mc", 100) == "a\tb\n\\x1b[31mc"
    assert printable("Größe 3 % – µ\t\n", 99, lines=True) == "Größe 3 % – µ\t\n"
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


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "../a", "a\0b"])
def test_a_name_that_would_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is no plain name") as caught:
        plain_name(name)
    assert caught.value.hint


def test_a_plain_name_is_answered() -> None:
    assert plain_name("20260101-a.html") == "20260101-a.html"
