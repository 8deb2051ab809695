"""Switch and steward in a real engine: what they promise while traffic runs, processes die and builds go bad."""

import time
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from docker.errors import DockerException

from otagate.core.cloud import Colour
from otagate.core.errors import Busy, OtagateError, SwitchFault
from otagate.core.promotion import Event, Phase
from otagate.core.switch import MAP_PATH
from otagate.core.traffic import Happening, Kind, Scope
from otagate.core.watch import WatchPolicy
from tests.e2e.edge import Edge, claim_of
from tests.e2e.load import Load
from tests.sweep.front import TOLD, accounts
from tests.sweep.leases import killed_through_an_engine
from tests.sweep.slayer import Slayer

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

SHORT = WatchPolicy(lasts=0.5, every=0.1, window=10.0)


def test_a_flip_under_load_loses_nothing_and_nothing_is_stale(edge: Edge, to: Colour) -> None:
    kinds = ("kept", "fresh", "dicom")
    with Load(edge.address("web"), edge.address("dicom")) as load:
        with edge.steward().lease(claim_of("alice"), 0) as hold:
            edge.to_flip(hold, edge.intent(Kind.PROMOTE, to, "p-load"))
        events = list(edge.steward().follow("p-load"))
        turned = next(e.at for e in events if e.data.get("stage") == "turned")
        assert edge.eventually(lambda: all(sum(a.sent > turned for a in load.of(kind)) >= 5 for kind in kinds))
    assert events[-1].phase is Phase.PROMOTED
    assert load.failed() == []
    assert {a.code for a in load.answers} == {200}
    for kind in kinds:
        before = [a.colour for a in load.of(kind) if a.sent < turned]
        after = [a.colour for a in load.of(kind) if a.sent > turned]
        assert set(after) == {to}, kind
        assert to.other in before, kind


def test_the_colours_work_on_their_own_only_while_they_are_live(edge: Edge, to: Colour) -> None:
    assert edge.promote(to, "p-hooks", SHORT).phase is Phase.PROMOTED
    assert edge.poke(to, "/active") == {"active": True}
    assert edge.poke(to.other, "/active") == {"active": False}
    edge.container(f"{to}-web").restart(timeout=0)
    assert edge.eventually(lambda: edge.poke(to, "/active") == {"active": True}), (
        "a restarted live service stays passive"
    )


def test_the_switch_itself_refuses_a_sick_target_a_wrong_colour_and_an_old_epoch(edge: Edge, to: Colour) -> None:
    live, epoch = to.other, edge.steward().status().epoch
    edge.await_up(to)
    edge.poke(to, "/sick")
    assert edge.eventually(lambda: not edge.steward().status().switch.up[f"web_{to}"])
    assert f"no server up: web_{to}" in edge.haproxy(f"otagate flip {live} {to} {epoch + 100}")
    assert f"active is {live}" in edge.haproxy(f"otagate flip {to} {live} {epoch + 100}")
    assert "is not newer" in edge.haproxy(f"otagate flip {live} {to} 1")
    assert edge.colour_now() == live


def test_a_target_that_sickens_after_its_smoke_is_never_flipped_to(edge: Edge, to: Colour) -> None:
    with edge.steward().lease(claim_of("alice"), 0) as hold:
        hold.begin(edge.intent(Kind.PROMOTE, to, "p-sick"))
        hold.report(Event.OK, "preflight")
        hold.report(Event.OK, "deployed")
        edge.await_colour(hold, to)
        edge.poke(to, "/sick")
        hold.report(Event.OK, "smoked")
    view = edge.end_of("p-sick")
    assert view.phase is Phase.ROLLED_BACK
    assert "503" in view.reason
    assert edge.colour_now() == to.other
    assert not any(e.data.get("stage") == "intent" for e in edge.steward().follow("p-sick"))


def test_a_long_request_finishes_on_the_old_colour_and_is_counted_while_it_drains(edge: Edge, to: Colour) -> None:
    said: list[str] = []
    url = edge.url("/slow?s=4")

    def slow() -> None:
        said.append(requests.get(url, timeout=20).headers["X-Otagate-Colour"])

    with edge.steward().lease(claim_of("alice"), 0) as hold:
        hold.begin(edge.intent(Kind.PROMOTE, to, "p-drain", SHORT))
        hold.report(Event.OK, "preflight")
        hold.report(Event.OK, "deployed")
        edge.await_colour(hold, to)
        edge.await_up(to)
        request = edge.beside(slow)
        assert edge.eventually(lambda: edge.counts()[f"web_{to.other}"].sessions == 1)
        hold.report(Event.OK, "smoked")
        events = list(edge.steward().follow("p-drain"))
    request.join(20)
    assert said == [to.other]
    drained = [e.data["left"]["web"] for e in events if e.happening is Happening.DRAIN]
    assert drained[0] == 1
    assert drained[-1] == 0
    assert events[-1].phase is Phase.PROMOTED
    view = edge.steward().status().promotion
    assert view is not None
    assert view.debts == ()


def test_planted_errors_bring_the_old_colour_back_with_no_command_line_alive(edge: Edge, to: Colour) -> None:
    with edge.steward().lease(claim_of("alice"), 0) as hold:
        edge.to_flip(hold, edge.intent(Kind.PROMOTE, to, "p-bad", WatchPolicy(lasts=30, every=0.1, window=1.0)))
    edge.poke(to, "/fault?share=5")
    with Load(edge.address("web"), edge.address("dicom")) as load:
        view = edge.end_of("p-bad")
        back = time.time()
        time.sleep(0.5)
    assert view.phase is Phase.ROLLED_BACK
    assert "errors in" in view.reason
    assert load.failed() == []
    assert 0 < sum(a.code == 500 for a in load.answers) < 400  # to the end of its watch it would be more
    assert {(a.colour, a.code) for a in load.answers if a.sent > back} == {(to.other, 200)}
    status = edge.steward().status()
    assert (status.live, status.disagreements) == (to.other, ())
    assert not status.colours[to].warm
    assert edge.poke(to.other, "/active") == {"active": True}
    assert edge.poke(to, "/active") == {"active": False}


def test_a_steward_killed_in_the_watch_comes_back_and_finishes_and_followers_stay(edge: Edge, to: Colour) -> None:
    with edge.steward().lease(claim_of("alice"), 0) as hold:
        edge.to_flip(hold, edge.intent(Kind.PROMOTE, to, "p-killed", WatchPolicy(lasts=2, every=0.1, window=1.0)))
    phases = []
    killed = False
    for event in edge.steward().follow("p-killed"):
        phases.append(event.phase)
        if event.phase is Phase.WATCHING and not killed:
            killed = True
            steward = edge.container("shared-steward")
            steward.kill("SIGKILL")
            assert edge.colour_now() == to, "the switch needs no steward to serve"
            steward.start()
    assert phases[-1] is Phase.PROMOTED
    view = edge.steward().status().promotion
    assert view is not None
    assert view.debts == ()
    assert edge.steward().status().disagreements == ()


@pytest.mark.parametrize("part", ["steward", "switch"])
def test_a_part_killed_inside_a_flip_leaves_one_colour_on_every_account(edge: Edge, to: Colour, part: str) -> None:
    """Two of the kills that `make sweep` spreads over flips: past the engine, which starts the part again by itself."""
    name, pid = f"p-killed-{part}", process_of(edge, part)
    intent = edge.intent(Kind.PROMOTE, to, name, WatchPolicy(lasts=2, every=0.1, window=1.0))
    with (
        Slayer(edge.client, edge.platform) as slayer,
        slayer.ready(pid) as slay,
        suppress(OtagateError),  # the lease ends with the steward
        edge.steward().lease(claim_of("alice"), 0) as hold,
    ):
        edge.to_flip(hold, intent)
        slay()
        killed = time.time()
    assert edge.eventually(lambda: one_colour(edge, name), 60), "steward and switch never agreed again"
    assert process_of(edge, part) not in (0, pid)
    events = list(edge.steward().follow(name))
    assert events[-1].at > killed, "the promotion had ended before"
    assert edge.steward().status().disagreements == ()


def process_of(edge: Edge, part: str) -> int:
    return int(edge.container(f"shared-{part}").attrs["State"]["Pid"])


def one_colour(edge: Edge, promotion: str) -> bool:
    """The promotion has ended, and journal, map file, run time and the front door name the same."""
    with suppress(OtagateError, DockerException, *TOLD):
        said, view = accounts(edge.container("shared-steward")), edge.steward().status().promotion
        ended = view is not None and view.intent.promotion == promotion and view.phase.ended
        return ended and said.agree and edge.colour_now() == said.journal[0]
    return False


def test_a_switch_killed_after_a_flip_comes_back_on_the_new_colour(edge: Edge, to: Colour) -> None:
    assert edge.promote(to, "p-restart", SHORT).phase is Phase.PROMOTED
    switch = edge.container("shared-switch")
    switch.kill("SIGKILL")
    switch.start()
    assert edge.eventually(lambda: edge.colour_now() == to)
    assert edge.eventually(lambda: edge.steward().status().disagreements == ())


def test_rollback_goes_to_the_warm_colour_and_leaves_the_one_it_left_cold(edge: Edge, to: Colour) -> None:
    assert edge.promote(to, "p-then", SHORT).phase is Phase.PROMOTED
    warm = edge.steward().status().colours[to.other]
    assert warm.warm
    intent = edge.intent(Kind.ROLLBACK, to.other, "r-1", WatchPolicy(lasts=0.0, every=0.1))
    assert edge.promote(to.other, "r-1", intent=edge.going_back(intent, warm)).phase is Phase.PROMOTED
    status = edge.steward().status()
    assert status.live is to.other
    assert not any(view.warm for view in status.colours.values())


def test_a_second_holder_is_told_who_holds_the_lease_and_may_have_another_scope(edge: Edge) -> None:
    with edge.steward().lease(claim_of("alice"), 0) as first:
        with pytest.raises(Busy) as busy, edge.steward().lease(claim_of("bob"), 0.3):
            pass
        assert (
            "alice holds the platform lease: otagate promote by alice (a test), from alice@here:1" in busy.value.message
        )
        with edge.steward().lease(claim_of("bob", Scope.MIRROR), 0) as second:
            assert second.epoch > first.epoch
        assert [h.claim.by for h in edge.steward().status().holders] == ["alice"]


def test_the_lease_of_a_killed_command_line_is_free_at_once(edge: Edge, tmp_path: Path) -> None:
    """`python -m tests.sweep.leases` times it: here a session may be slow to begin."""
    handed = killed_through_an_engine(edge, tmp_path / "holders.log", 2, waits=4.0)
    assert handed.newer
    assert min(handed.seconds) >= 0
    assert max(handed.seconds) < 10.0  # one that is not seen to be dead is given up after its silence, fifteen


def test_a_flip_past_the_map_file_is_seen_and_recover_puts_it_right(edge: Edge, to: Colour) -> None:
    live = to.other
    edge.await_up(to)
    assert edge.steward().status().disagreements == ()
    edge.haproxy(f"set map {MAP_PATH} active {to}")
    (said,) = edge.steward().status().disagreements
    assert f"map file says {live}" in said
    assert f"switch itself says {to}" in said
    assert edge.steward().recover(claim_of("alice"), 2) is None
    assert edge.steward().status().disagreements == ()
    assert edge.colour_now() == live


def test_another_otagate_than_the_stewards_own_is_turned_away(edge: Edge) -> None:
    from otagate.adapters.steward_client import StewardClient

    with pytest.raises(SwitchFault) as odd:
        StewardClient(lambda: edge.client, edge.platform, "sha256:" + "0" * 64).status()
    assert odd.value.code == "version"
    assert "otagate up" in odd.value.hint


def test_a_promotion_cut_off_before_the_flip_is_undone_by_recover_alone(edge: Edge, to: Colour) -> None:
    with edge.steward().lease(claim_of("alice"), 0) as hold:
        hold.begin(edge.intent(Kind.PROMOTE, to, "p-cut"))
        hold.report(Event.OK, "preflight")
    time.sleep(0.2)
    assert edge.phase() is Phase.DEPLOYING, "nothing happens by itself"
    view = edge.steward().recover(claim_of("bob"), 2)
    assert view is not None
    assert view.phase is Phase.DISCARDING
    with edge.steward().lease(claim_of("bob"), 0) as hold:
        assert hold.report(Event.OK, "removed") is Phase.ABANDONED
    assert edge.colour_now() == to.other
    assert edge.steward().recover(claim_of("bob"), 2) is None
