import pytest

from otagate.core.promotion import Phase
from otagate.core.schema import Move
from otagate.steward.moves import BEGUN, PROVEN, Schemas

MOVE, OTHER = Move("web", "1", "2", "sha256:a"), Move("store", "", "7", "sha256:b")


def test_what_is_begun_may_be_at_either_end_until_it_was_read_back() -> None:
    known = Schemas(at={"web": ("1",), "more": ("3",)}).add(MOVE, BEGUN)
    assert dict(known.at) == {"more": ("3",), "web": ("1", "2")}
    assert dict(known.afresh().at) == {"more": ("3",), "web": ("1", "2")}, "another promotion knows no better"
    assert dict(known.add(MOVE, PROVEN).at) == {"more": ("3",), "web": ("2",)}
    with pytest.raises(ValueError, match="no stage"):
        known.add(MOVE, "done")


def test_what_nobody_takes_back_is_owed() -> None:
    known = Schemas().add(MOVE, BEGUN).add(MOVE, PROVEN).add(OTHER, BEGUN)
    owed = (
        "the schema of web stays 2, on which the live release was tested",
        "the schema of store may be as it was or 7: its move was cut off",
    )
    assert known.debts(Phase.ABANDONED) == known.debts(Phase.ROLLED_BACK) == owed
    assert known.debts(Phase.PROMOTED) == known.debts(Phase.STRANDED) == ()
    assert known.afresh().debts(Phase.ABANDONED) == ()
    looked_at = Schemas().add(Move("web", "1", "1", "sha256:a"), PROVEN).add(MOVE, BEGUN)
    assert looked_at.debts(Phase.ABANDONED) == ("the schema of web may be 1 or 2: its move was cut off",)
    assert Schemas().add(MOVE, PROVEN).debts(Phase.ABANDONED) == (), "it was there already"
