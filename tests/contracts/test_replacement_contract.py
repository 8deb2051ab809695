"""What every Steward keeps to while its switch is replaced by another."""

import pytest

from otagate.core.errors import Refused
from otagate.core.promotion import Event
from otagate.core.replacement import Reach
from otagate.core.traffic import Kind
from tests.contracts.steward_bench import Bench, claim_of


@pytest.fixture
def bench(steward_bench: Bench) -> Bench:
    return steward_bench


def test_a_replacement_of_the_switch_that_is_given_up_moves_nothing_and_is_tidied(bench: Bench) -> None:
    with bench.steward.lease(claim_of("alice"), 5) as hold:
        begun = hold.replace_switch(9.0)
        assert (begun.reach, begun.by, begun.drain) == (Reach.BESIDE, "alice", 9.0)
        assert begun.new > begun.old == bench.steward.status().serving
        with pytest.raises(Refused) as no:
            hold.replace_switch(9.0)
        assert no.value.code == "unfinished"
        with pytest.raises(Refused) as no:
            hold.tidied()
        assert no.value.code == "out-of-order"
        void = hold.give_up("no image")
        assert (void.reach, void.left_over, void.reason) == (Reach.VOID, begun.new, "no image")
        assert hold.tidied().reach is Reach.UNDONE
        with pytest.raises(Refused):
            hold.take_doors()
    status = bench.steward.status()
    assert (status.serving, status.disagreements) == (begun.old, ())
    assert status.replacement is not None
    assert status.replacement.ended


def test_a_replacement_that_lost_its_command_line_is_taken_back_by_recover(bench: Bench) -> None:
    with bench.steward.lease(claim_of("alice"), 5) as hold:
        first = hold.replace_switch(9.0)
    bench.steward.recover(claim_of("bob"), 5)
    now = bench.steward.status().replacement
    assert now is not None
    assert (now.reach, now.serving, now.left_over) == (Reach.VOID, first.old, first.new)
    assert "bob" in now.reason
    with bench.steward.lease(claim_of("bob"), 5) as hold:
        hold.tidied()
        assert hold.replace_switch(9.0).new == first.new + 1
        hold.give_up("enough")
        hold.tidied()


def test_no_switch_is_replaced_while_a_promotion_is_unfinished(bench: Bench) -> None:
    with bench.steward.lease(claim_of("alice"), 5) as hold:
        hold.begin(bench.intent(Kind.PROMOTE, bench.idle(), "p-before-switch"))
        with pytest.raises(Refused) as no:
            hold.replace_switch(9.0)
        assert no.value.code == "unfinished"
        hold.report(Event.REFUSED, "not now")


def test_a_steward_of_one_switch_says_so_and_replaces_no_second(bench: Bench) -> None:
    status = bench.steward.status()
    assert (status.paired, status.serving_second) == (False, 1)
    with bench.steward.lease(claim_of("alice"), 5) as hold:
        with pytest.raises(Refused) as no:
            hold.replace_switch(9.0, second=True)
        assert no.value.code == "no-pair"
    assert bench.steward.status().replacement == status.replacement
