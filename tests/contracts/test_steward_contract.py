"""What every Steward keeps to: the one in memory, and the real one in its container with a real switch beside it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from otagate.core.canonical import digest_of
from otagate.core.cloud import Colour
from otagate.core.errors import Busy, ProbeFault, Refused, SwitchFault
from otagate.core.promotion import Event, Phase
from otagate.core.schema import Move
from otagate.core.shadow import Body, ShadowRule
from otagate.core.traffic import Happening, Kind, Scope
from otagate.ports import Hold
from tests.contracts.steward_bench import Bench, claim_of, through
from tests.e2e.edge import BUILDS


@pytest.fixture
def bench(steward_bench: Bench) -> Bench:
    return steward_bench


def test_where_there_is_no_steward_it_is_not_present_and_cannot_be_asked(bench: Bench) -> None:
    assert bench.steward.present()
    assert not bench.absent.present()
    with pytest.raises(SwitchFault) as fault:
        bench.absent.status()
    assert fault.value.code == "no-steward"


def test_status_tells_one_story(bench: Bench) -> None:
    status = bench.steward.status()
    assert status.live is not None
    assert (status.switch.file_colour, status.switch.run_colour) == (status.live, status.live)
    assert status.switch.file_epoch == status.switch.run_epoch
    assert status.disagreements == ()
    assert status.holders == ()
    assert abs(status.now - bench.steward.status().now) < 10


def test_a_promotion_goes_through_the_table_and_is_told_from_its_beginning(bench: Bench) -> None:
    to = bench.idle()
    with bench.steward.lease(claim_of("alice"), 0) as hold:
        view = hold.begin(bench.intent(Kind.PROMOTE, to, "p-all"))
        assert (view.phase, view.came) == (Phase.PREFLIGHT, to.other)
        hold.note("as planned")
        assert through(hold) == [Phase.DEPLOYING, Phase.SMOKING, Phase.FLIPPING]
    events = list(bench.steward.follow("p-all"))
    phases = [e.phase for e in events if e.happening in (Happening.PHASE, Happening.END)]
    assert phases == [
        Phase.PREFLIGHT,
        Phase.DEPLOYING,
        Phase.SMOKING,
        Phase.FLIPPING,
        Phase.WATCHING,
        Phase.FINALIZING,
        Phase.PROMOTED,
    ]
    assert events[-1].happening is Happening.END
    assert any(e.happening is Happening.STEP and e.message == "as planned" for e in events)
    assert list(bench.steward.follow("p-all"))[-1].phase is Phase.PROMOTED, "it is told again to whoever asks"
    status = bench.steward.status()
    assert status.live is to
    assert status.promotion is not None
    assert status.promotion.phase is Phase.PROMOTED
    assert (status.colours[to].warm, status.colours[to.other].warm) == (False, True)
    assert (status.colours[to].release, status.colours[to].run) == (digest_of(["p-all"]), "run")


def test_epochs_grow_with_every_lease_and_every_flip(bench: Bench) -> None:
    with bench.steward.lease(claim_of("alice"), 0) as first:
        one = first.epoch
    bench.promoted("p-epoch")
    with bench.steward.lease(claim_of("alice"), 0) as last:
        assert last.epoch > one + 1
    flipped = bench.steward.status().switch.file_epoch
    assert flipped is not None
    assert one < flipped < last.epoch


def test_a_second_of_one_scope_is_busy_and_told_who_has_it(bench: Bench) -> None:
    with bench.steward.lease(claim_of("alice"), 0):
        second = bench.steward.lease(claim_of("bob"), 0.2)
        with pytest.raises(Busy, match="alice holds the platform lease: otagate promote"), second:
            pass
        with bench.steward.lease(claim_of("carol", Scope.MIRROR), 0):
            assert {h.claim.by for h in bench.steward.status().holders} == {"alice", "carol"}
    with bench.steward.lease(claim_of("bob"), 2.0):
        pass


def test_begin_is_refused_where_it_is_out_of_order(bench: Bench) -> None:
    idle = bench.idle()
    with bench.steward.lease(claim_of("alice"), 0) as hold:
        for kind, to, code in (
            (Kind.GENESIS, idle, "out-of-order"),
            (Kind.PROMOTE, idle.other, "already-live"),
        ):
            with pytest.raises(Refused) as no:
                hold.begin(bench.intent(kind, to, "p-odd"))
            assert no.value.code == code
        hold.begin(bench.intent(Kind.PROMOTE, idle, "p-first"))
        with pytest.raises(Refused) as no:
            hold.begin(bench.intent(Kind.PROMOTE, idle, "p-second"))
        assert no.value.code == "unfinished"
        assert hold.report(Event.REFUSED, "the verdict is old") is Phase.ABANDONED
        with pytest.raises(Refused) as no:
            hold.report(Event.OK, "again")
        assert no.value.code == "no-promotion"
    view = bench.steward.status().promotion
    assert view is not None
    assert view.reason == "the verdict is old"


def test_a_fault_while_deploying_is_discarded_and_a_fault_while_discarding_is_a_debt(bench: Bench) -> None:
    idle = bench.idle()
    with bench.steward.lease(claim_of("alice"), 0) as hold:
        hold.begin(bench.intent(Kind.PROMOTE, idle, "p-broke"))
        hold.report(Event.OK, "checked")
        assert hold.report(Event.FAULT, "no such image") is Phase.DISCARDING
        assert hold.report(Event.FAULT, "cannot be removed") is Phase.ABANDONED
    view = bench.steward.status().promotion
    assert view is not None
    assert (view.reason, view.debts) == ("no such image", ("cannot be removed",))


def test_a_discarded_colour_holds_nothing(bench: Bench) -> None:
    idle = bench.idle()
    with bench.steward.lease(claim_of("alice"), 0) as hold:
        hold.begin(bench.intent(Kind.PROMOTE, idle, "p-none"))
        hold.report(Event.OK, "checked")
        assert bench.steward.status().colours[idle].warm is False
        hold.report(Event.ABORT, "interrupted")
        hold.report(Event.OK, "removed")
    assert idle not in bench.steward.status().colours


def test_what_was_cut_off_is_undone_by_recover_and_only_the_rest_by_another_lease(bench: Bench) -> None:
    idle = bench.idle()
    with bench.steward.lease(claim_of("alice"), 0) as hold:
        hold.begin(bench.intent(Kind.PROMOTE, idle, "p-cut"))
        hold.report(Event.OK, "checked")
    with bench.steward.lease(claim_of("bob"), 2) as other, pytest.raises(Refused) as no:
        other.report(Event.OK, "deployed")
    assert no.value.code == "not-yours"
    view = bench.steward.recover(claim_of("bob"), 2)
    assert view is not None
    assert view.phase is Phase.DISCARDING
    again = bench.steward.recover(claim_of("bob"), 2)
    assert again is not None
    assert again.phase is Phase.DISCARDING
    with bench.steward.lease(claim_of("bob"), 2) as hold:
        assert hold.report(Event.OK, "removed") is Phase.ABANDONED
    assert bench.steward.recover(claim_of("bob"), 2) is None


def test_recover_waits_no_longer_than_it_is_told_to(bench: Bench) -> None:
    with bench.steward.lease(claim_of("alice"), 0):
        for wait in (0.0, 0.2):
            with pytest.raises(Busy, match="alice holds"):
                bench.steward.recover(claim_of("bob"), wait)
    assert bench.steward.recover(claim_of("bob"), 2.0) is None


def test_each_listener_is_proven_by_its_own_services_build_and_bare_tcp_by_being_open(bench: Bench) -> None:
    with bench.steward.lease(claim_of("alice"), 0) as hold:
        for colour in Colour:
            hold.prove(colour.value, {"web": BUILDS[colour], "other": BUILDS[colour.other]})


def test_a_colour_that_answers_with_what_was_not_judged_is_refused_with_what_answered(bench: Bench) -> None:
    idle = bench.idle()
    odd = [{"web": BUILDS[idle.other]}, {"web": BUILDS[idle.other], "other": BUILDS[idle]}, {"web": ""}, {}]
    with bench.steward.lease(claim_of("alice"), 0) as hold:
        for builds in odd:
            with pytest.raises(Refused, match=f"web of {idle} answers with build {BUILDS[idle]}") as no:
                hold.prove(idle.value, builds)
            assert no.value.code == "other-build"


def test_a_colour_that_does_not_answer_is_a_fault_and_no_refusal(bench: Bench) -> None:
    idle = bench.idle()
    with bench.stopped(idle), bench.steward.lease(claim_of("alice"), 0) as hold, pytest.raises(ProbeFault):
        hold.prove(idle.value, {"web": BUILDS[idle]})


def test_a_shadow_needs_a_live_colour_beside_it_and_a_switch_that_copies(bench: Bench) -> None:
    rule, idle = ShadowRule(1.0, 1, 1, 0, (), Body.EXACT), bench.idle()
    with bench.steward.lease(claim_of("alice"), 0) as hold:
        with pytest.raises(Refused, match="beside it"):
            hold.shadow(idle.other, {"raw": rule})
        with pytest.raises(Refused, match="without a shadow of raw") as no:
            hold.shadow(idle, {"raw": rule})
    assert no.value.code == "shadow-unapplied"


def may_not_remove(hold: Hold, *colours: Colour) -> None:
    for colour in colours:
        with pytest.raises(Refused) as no:
            hold.may_remove(colour)
        assert no.value.code == "in-use"


def test_what_is_live_or_warm_is_not_removed(bench: Bench) -> None:
    to = bench.promoted("p-used")
    with bench.steward.lease(claim_of("alice"), 2) as hold:
        may_not_remove(hold, to, to.other)
    assert list(bench.steward.follow("p-used"))[-1].happening is Happening.END
    assert bench.steward.status().colours[to.other].warm


def test_the_idle_colour_is_removed_only_to_deploy_to_it_or_to_discard_it(bench: Bench) -> None:
    idle = bench.promoted("p-before").other
    with bench.steward.lease(claim_of("alice"), 2) as hold:
        hold.begin(bench.intent(Kind.PROMOTE, idle, "p-room"))
        may_not_remove(hold, *Colour)
        hold.report(Event.OK, "checked")
        hold.may_remove(idle)
        may_not_remove(hold, idle.other)
        hold.report(Event.OK, "deployed")
        may_not_remove(hold, *Colour)
        assert hold.report(Event.FAULT, "it does not answer") is Phase.DISCARDING
        hold.may_remove(idle)
        may_not_remove(hold, idle.other)
        hold.report(Event.OK, "removed")
        hold.may_remove(idle)
    told = [event.message for event in bench.steward.follow("p-room")]
    assert told.count(f"removes {idle}") == 2
    assert list(bench.steward.follow("p-room"))[-1].happening is Happening.END


def test_what_another_lease_deploys_is_not_removed_before_recover(bench: Bench) -> None:
    idle = bench.idle()
    with bench.steward.lease(claim_of("alice"), 2) as hold:
        hold.begin(bench.intent(Kind.PROMOTE, idle, "p-left"))
        hold.report(Event.OK, "checked")
    with bench.steward.lease(claim_of("bob"), 2) as hold:
        may_not_remove(hold, *Colour)
    bench.steward.recover(claim_of("bob"), 2)
    with bench.steward.lease(claim_of("bob"), 2) as hold:
        hold.may_remove(idle)
        may_not_remove(hold, idle.other)
        hold.report(Event.OK, "removed")


def test_asked_again_in_the_same_phase_the_word_is_the_same_and_told_once(bench: Bench) -> None:
    idle = bench.idle()
    with bench.steward.lease(claim_of("alice"), 2) as hold:
        hold.begin(bench.intent(Kind.PROMOTE, idle, "p-asked"))
        hold.report(Event.OK, "checked")
        for _ in range(3):
            hold.may_remove(idle)
        hold.report(Event.FAULT, "it broke")
        hold.report(Event.OK, "removed")
    told = [event.message for event in bench.steward.follow("p-asked")]
    assert told.count(f"removes {idle}") == 1


def test_who_is_not_heard_of_has_lost_its_lease_and_may_nothing_more(bench: Bench) -> None:
    idle = bench.idle()
    with bench.steward.lease(claim_of("alice"), 2) as hold:
        hold.begin(bench.intent(Kind.PROMOTE, idle, "p-slept"))
        hold.report(Event.OK, "checked")
        hold.held()
        hold.may_remove(idle)
        bench.doze()
        with bench.steward.lease(claim_of("bob"), 5) as other:
            other.held()
            words: list[Callable[[], object]] = [
                *(hold.held, lambda: hold.may_remove(idle)),
                *(lambda: hold.note("late"), lambda: hold.report(Event.OK, "late")),
            ]
            for word in words:
                with pytest.raises(SwitchFault) as lost:
                    word()
                assert lost.value.code in ("lease-lost", "steward-lost")
            other.held()
    view = bench.steward.status().promotion
    assert view is not None
    assert (view.intent.promotion, view.phase) == ("p-slept", Phase.DEPLOYING)


def test_what_is_about_to_be_removed_outside_a_promotion_is_no_way_back_any_more(bench: Bench) -> None:
    to = bench.promoted("p-left-over")
    warm = bench.steward.status().colours[to.other]
    back = replace(bench.intent(Kind.ROLLBACK, to.other, "r-left-over"), release=warm.release, builds=warm.builds)
    with bench.steward.lease(claim_of("alice"), 2) as hold:
        hold.begin(back)
        through(hold)
    list(bench.steward.follow("r-left-over"))
    there = bench.steward.status().colours[to.value]
    again = replace(bench.intent(Kind.ROLLBACK, to, "r-again"), release=there.release, builds=there.builds)
    with bench.steward.lease(claim_of("alice"), 2) as hold:
        hold.may_remove(to)
        hold.may_remove(to)
        with pytest.raises(Refused) as no:
            hold.begin(replace(again, override="the old one was better"))
    assert no.value.code == "no-release"
    assert to.value not in bench.steward.status().colours


def test_a_rollback_that_is_given_up_leaves_the_warm_colour_standing(bench: Bench) -> None:
    to = bench.promoted("p-kept")
    warm = bench.steward.status().colours[to.other]
    going = replace(bench.intent(Kind.ROLLBACK, to.other, "r-kept"), release=warm.release, builds=warm.builds)
    with bench.steward.lease(claim_of("alice"), 2) as hold:
        hold.begin(going)
        hold.report(Event.OK, "it is warm")
        may_not_remove(hold, *Colour)
        hold.report(Event.ABORT, "interrupted")
        may_not_remove(hold, *Colour)
        hold.report(Event.OK, "left standing")


def test_nobody_can_follow_what_was_never_begun(bench: Bench) -> None:
    with pytest.raises(Refused) as no:
        list(bench.steward.follow("p-never"))
    assert no.value.code == "no-promotion"


def test_an_error_inside_the_lease_frees_it(bench: Bench) -> None:
    with pytest.raises(ZeroDivisionError), bench.steward.lease(claim_of("alice"), 0):
        raise ZeroDivisionError
    with bench.steward.lease(claim_of("bob"), 5):  # Busy if it were not: a line's silence is given longer
        pass


def test_a_schema_is_moved_in_deploying_alone_and_what_is_left_of_it_is_owed(bench: Bench) -> None:
    move = Move("web", "1", "2", "sha256:" + "a" * 64)
    with bench.steward.lease(claim_of("alice"), 2) as hold:
        hold.begin(bench.intent(Kind.PROMOTE, bench.idle(), "p-schema"))
        with pytest.raises(Refused) as no:
            hold.migrating(move)
        assert no.value.code == "out-of-order"
        hold.report(Event.OK, "checked")
        hold.migrating(move)
        assert bench.steward.status().schemas == {"web": ("1", "2")}
        hold.migrated(move)
        assert bench.steward.status().schemas == {"web": ("2",)}
        hold.report(Event.FAULT, "it does not stand")
        hold.report(Event.OK, "removed")
    view = bench.steward.status().promotion
    assert view is not None
    assert view.phase is Phase.ABANDONED
    assert view.debts == ("the schema of web stays 2, on which the live release was tested",)
    told = [event.message for event in bench.steward.follow("p-schema")]
    assert told.index("about to move the schema: web 1 → 2") < told.index("read back: the schema of web is 2")
