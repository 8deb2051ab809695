"""Whole or refused: what is looked at before any library sees the bytes."""

import pytest
from hello_web.limits import LARGEST, Truncated, Unreadable, Unsupported, check_file
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.environments.hello.objects import EXPLICIT, IMPLICIT, curve, dose, file_of

SEQUENCE = b"\x08\x00\x10\x11SQ\0\0\xff\xff\xff\xff"
ITEM, ITEM_END = b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\xfe\xff\x0d\xe0\0\0\0\0"
SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"


def whole(syntax: str = EXPLICIT) -> bytes:
    made = dose()
    made.DVHSequence = [curve("CUMULATIVE", [1, 10, 1, 5])]
    return file_of(made, syntax)


def before_the_rest(extra: bytes) -> bytes:
    body = file_of(dose())
    at = body.index(b"\x08\x00\x16\x00UI")
    return body[:at] + extra + body[at:]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_a_whole_file_is_let_through_with_its_syntax(syntax: str) -> None:
    assert check_file(whole(syntax)) == syntax


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_a_cut_anywhere_inside_an_element_is_seen(syntax: str) -> None:
    body = whole(syntax)
    seen = 0
    for end in range(340, len(body)):
        try:
            check_file(body[:end])
        except Truncated:
            seen += 1
    between_elements = len(body) - 340 - seen
    assert 0 < between_elements < 40


def test_a_cut_after_the_file_meta_is_seen() -> None:
    body = whole()
    with pytest.raises(Truncated):
        check_file(body[: body.index(b"\x08\x00\x16\x00UI")])


def test_an_open_sequence_is_cut_off() -> None:
    body = before_the_rest(SEQUENCE + ITEM)
    with pytest.raises(Truncated):
        check_file(body)


def test_nested_sequences_are_walked_and_too_many_refused() -> None:
    check_file(before_the_rest((SEQUENCE + ITEM) * 10 + (ITEM_END + SEQUENCE_END) * 10))
    with pytest.raises(Unreadable, match="deeper"):
        check_file(before_the_rest((SEQUENCE + ITEM) * 5000 + (ITEM_END + SEQUENCE_END) * 5000))


def test_a_sequence_of_something_else_than_items_is_refused() -> None:
    with pytest.raises(Unreadable, match="items"):
        check_file(before_the_rest(SEQUENCE + b"\x08\x00\x50\x11UI\x02\x001\0" + SEQUENCE_END))


@pytest.mark.parametrize(
    "body",
    [b"", b"DICM", b"\0" * 128 + b"DICX" + b"\0" * 64, b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 999],
)
def test_what_is_no_dicom_file_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        check_file(body)


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(Unreadable, match="larger"):
        check_file(b"\0" * (LARGEST + 1))


def test_a_transfer_syntax_that_unfolds_is_refused() -> None:
    body = whole().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0", 1)
    with pytest.raises(Unsupported):
        check_file(body)


@settings(max_examples=150)
@given(st.binary(max_size=400))
def test_any_bytes_after_the_mark_are_taken_or_refused_never_worse(tail: bytes) -> None:
    try:
        check_file(b"\0" * 128 + b"DICM" + tail)
    except Unreadable:
        return
