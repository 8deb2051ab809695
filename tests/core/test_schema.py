import pytest

from otagate.core.schema import Move, Schema, beyond, moves, said, unreadable

ONE, BOTH, TWO = Schema("1", ("1",)), Schema("2", ("1", "2")), Schema("2", ("2",))


def test_what_is_read_is_no_objection_and_what_is_not_is_named() -> None:
    assert unreadable({"web": ONE}, {"web": BOTH}, "it") == ()
    assert unreadable({"web": BOTH}, {"web": ONE}, "it") == ("it reads web 1, not 2",)
    assert unreadable({"web": ONE, "api": ONE}, {"web": TWO, "api": TWO}, "it") == (
        "it reads api 2, not 1",
        "it reads web 2, not 1",
    )


def test_where_one_of_both_declares_nothing_there_is_no_fact() -> None:
    assert unreadable({}, {"web": ONE}, "it") == unreadable({"web": ONE}, {}, "it") == ()


def test_a_state_moves_where_the_labels_that_are_written_differ() -> None:
    old, new = {"a": Schema("1", ("1",)), "b": Schema("2", ("2",))}, {n: Schema("2", ("1", "2")) for n in "abcd"}
    assert moves(old, new, {"a": "x", "b": "y", "c": "z"}) == (Move("a", "1", "2", "x"), Move("c", "", "2", "z"))
    assert moves(old, {}, {"a": "x"}) == ()


@pytest.mark.parametrize(
    ("log", "label"),
    [
        ("schema 2", "2"),
        ("starting\n  schema 2024.1-a \nwarning: slow", "2024.1-a"),
        ("schema 2\nschema 2", "2"),
        ("schema 1\nschema 2", ""),
        ("schema", ""),
        ("the schema 2", ""),
        ("schema 2 3", ""),
        ("schema ../2", ""),
        ("", ""),
    ],
)
def test_a_program_says_one_label_or_none(log: str, label: str) -> None:
    assert said(log) == label


def test_a_state_beyond_what_a_release_reads_is_named() -> None:
    reader = {"a": Schema("1", ("1",))}
    assert beyond({"a": ("2",), "b": ("9",)}, reader, "it") == ("it reads a 1, not 2",)
    assert beyond({"a": ("1",)}, reader, "it") == ()


def test_of_a_state_that_may_be_at_either_label_both_must_be_read() -> None:
    reader = {"a": BOTH, "b": ONE, "c": ONE}
    assert beyond({"a": ("1", "2")}, reader, "it") == ()
    assert beyond({"b": ("1", "2"), "c": ("", "1")}, reader, "it") == (
        "it reads b 1, and its state may be 1 or 2: its move was cut off",
        "it reads c 1, and its state may be as it was or 1: its move was cut off",
    )
