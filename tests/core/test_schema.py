from otagate.core.schema import Schema, unreadable

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
