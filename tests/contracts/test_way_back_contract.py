"""How every Steward goes back: to what is warm, from what is watched, by an override."""

import time
from dataclasses import replace

import pytest

from otagate.core.canonical import digest_of
from otagate.core.errors import Refused, UsageError
from otagate.core.promotion import Event, Phase
from otagate.core.traffic import Kind
from tests.contracts.steward_bench import SHORT, Bench, claim_of, through


@pytest.fixture
def bench(steward_bench: Bench) -> Bench:
    return steward_bench


def test_a_rollback_goes_to_what_is_warm_and_to_nothing_else(bench: Bench) -> None:
    to = bench.promoted("p-warm")
    warm = bench.steward.status().colours[to.other]
    going = replace(bench.intent(Kind.ROLLBACK, to.other, "r-1"), release=warm.release, builds=warm.builds)
    with bench.steward.lease(claim_of("alice"), 2) as hold:
        with pytest.raises(Refused) as no:
            hold.begin(replace(going, release="sha256:other"))
        assert no.value.code == "not-that-release"
        hold.begin(going)
        through(hold)
    assert list(bench.steward.follow("r-1"))[-1].phase is Phase.PROMOTED
    status = bench.steward.status()
    assert status.live is to.other
    assert not any(view.warm for view in status.colours.values())
    with bench.steward.lease(claim_of("alice"), 2) as hold, pytest.raises(Refused) as no:
        hold.begin(bench.intent(Kind.ROLLBACK, to, "r-2"))
    assert no.value.code == "no-warm-side"


def test_what_is_watched_is_gone_back_from_at_once_by_whoever_asks(bench: Bench) -> None:
    to = bench.idle()
    bench.slow()
    watched = replace(bench.intent(Kind.PROMOTE, to, "p-left-at-once"), watch=replace(SHORT, lasts=60.0))
    with bench.steward.lease(claim_of("alice"), 2) as hold:
        hold.begin(watched)
        through(hold)
        began = time.monotonic()
        while (view := bench.steward.status().promotion) is None or view.phase is not Phase.WATCHING:
            assert time.monotonic() - began < 20
            time.sleep(0.05)
        assert bench.steward.go_back(claim_of("bob")).intent.promotion == "p-left-at-once"
        events = list(bench.steward.follow("p-left-at-once"))
    assert events[-1].phase is Phase.ROLLED_BACK
    assert any("bob from bob@here:1 says to go back" in event.message for event in events)
    assert bench.steward.status().live is to.other
    with pytest.raises(Refused) as no:
        bench.steward.go_back(claim_of("bob"))
    assert no.value.code == "nothing-acts"


def test_an_override_goes_to_what_is_not_warm_and_stands_in_the_journal(bench: Bench) -> None:
    to = bench.promoted("p-cold")
    warm = bench.steward.status().colours[to.other]
    going = replace(bench.intent(Kind.ROLLBACK, to.other, "r-cold"), release=warm.release, builds=warm.builds)
    with bench.steward.lease(claim_of("alice"), 2) as hold:
        hold.begin(going)
        through(hold)
    list(bench.steward.follow("r-cold"))
    cold = bench.steward.status().colours[to]
    again = replace(going, promotion="r-again", to=to, release=cold.release, builds=cold.builds)
    with bench.steward.lease(claim_of("alice"), 5) as hold:
        with pytest.raises(Refused) as no:
            hold.begin(again)
        assert no.value.code == "no-warm-side"
        hold.begin(replace(again, override="the other one burns"))
        through(hold)
    list(bench.steward.follow("r-again"))
    status = bench.steward.status()
    assert status.live is to
    assert status.promotion is not None
    assert (status.promotion.intent.by, status.promotion.intent.override) == ("alice", "the other one burns")


def test_what_is_left_leaves_an_incident_that_holds_it_until_a_named_person_clears_it(bench: Bench) -> None:
    to = bench.promoted("p-leaves")
    warm = bench.steward.status().colours[to.other]
    going = replace(bench.intent(Kind.ROLLBACK, to.other, "r-leaves"), release=warm.release, builds=warm.builds)
    with bench.steward.lease(claim_of("alice"), 2) as hold:
        hold.begin(going)
        through(hold)
    list(bench.steward.follow("r-leaves"))
    (incident,) = [i for i in bench.steward.incidents() if i.promotion == "r-leaves"]
    assert incident in bench.steward.status().incidents
    assert (incident.colour, incident.release) == (to, digest_of(["p-leaves"]))
    assert [(w.service, w.count, w.items, w.quarantined) for w in incident.written] == [("web", 1, ("one",), 1)]
    again = replace(bench.intent(Kind.PROMOTE, to, "p-again"), release=incident.release)
    with bench.steward.lease(claim_of("alice"), 2) as hold, pytest.raises(Refused) as no:
        hold.begin(again)
    assert no.value.code == "release-held"
    with pytest.raises(UsageError):
        bench.steward.clear(claim_of("bob"), incident.incident, " ")
    cleared = bench.steward.clear(claim_of("bob"), incident.incident, "sent again").cleared
    assert cleared is not None
    assert (cleared.by, cleared.reason) == ("bob", "sent again")
    assert incident.incident not in {i.incident for i in bench.steward.status().incidents}
    with pytest.raises(Refused) as no:
        bench.steward.clear(claim_of("bob"), incident.incident, "sent again")
    assert no.value.code == "cleared-already"
    with bench.steward.lease(claim_of("alice"), 2) as hold:
        hold.begin(again)
        hold.report(Event.REFUSED, "only looked whether it may begin")


def test_an_override_keeps_nothing_where_nothing_is_stranded(bench: Bench) -> None:
    before = bench.steward.status().promotion
    with pytest.raises(Refused) as no:
        bench.steward.recover(claim_of("bob"), 2, "the other one burns")
    assert no.value.code == "not-kept"
    assert bench.steward.status().promotion == before
