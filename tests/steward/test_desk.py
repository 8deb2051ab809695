"""What is asked of the desk at the worst moment."""

import threading

import pytest

from otagate.core.canonical import digest_of, plain
from otagate.core.cloud import Colour
from otagate.core.errors import Refused, SwitchFault
from otagate.core.promotion import Event, Phase
from otagate.core.traffic import Claim, Happening, Intent, Kind, Scope
from otagate.steward.course import Course
from otagate.steward.desk import Caller, Desk
from otagate.steward.exchange import Exchange
from otagate.steward.journal import JournalFull
from otagate.steward.leases import Leases
from otagate.steward.outlook import Outlook
from tests.steward.world import BUILDS, WATCH, Steward, World, serves, view_of

CLAIM = plain(Claim(Scope.PLATFORM, "alice", "alice@here:1", "otagate promote", "a test"))


class Slow(Course):
    """It sets off only after whoever aborts has asked, and is waited for until it has done its work."""

    def __init__(self, steward: Steward, *aborts: str) -> None:
        super().__init__(steward.helm, steward.book, steward.world.clock)
        self.aborts = list(aborts)
        self.steward = steward
        self.caller = Caller(lambda: False)
        leases = Leases(steward.book)
        exchange = Exchange(steward.helm, steward.book, steward.world.volume)
        outlook = Outlook("s", steward.helm, leases.holders)
        self.desk = Desk("s", steward.helm, steward.book, leases, self, exchange, outlook)

    def set_off(self) -> None:
        view = self.steward.book.current()
        if view.intent.promotion in self.aborts:
            assert view.phase is Phase.FLIPPING
            assert self.report("abort", "stop") is Phase.FLIPPING
        super().set_off()
        assert self._thread is not None
        self._thread.join(10)

    def settles_late(self, what: str) -> None:
        """What a steward does first comes when the switch has turned already."""
        if what == "call":
            self.take_on()

    def report(self, event: str, message: str) -> Phase:
        return Phase(self.desk.ask(self.caller, "report", {"event": event, "message": message}))

    def begin(self, name: str, to: Colour) -> None:
        builds = {"web": BUILDS[to]}
        intent = Intent(name, Kind.PROMOTE, "r", digest_of([name]), builds, to, "alice", WATCH, 60.0)
        self.desk.ask(self.caller, "acquire", {"claim": CLAIM, "wait": 0})
        self.desk.ask(self.caller, "begin", {"intent": plain(intent)})

    def promote(self, name: str, to: Colour) -> Phase:
        self.begin(name, to)
        for message in ("checked", "deployed", "smoked"):
            self.report("ok", message)
        self.desk.ask(self.caller, "release", {})
        return self.steward.book.current().phase


def test_an_abort_between_the_last_report_and_the_first_step_is_not_lost(world: World) -> None:
    steward = world.live()
    slow = Slow(steward, "p-1")
    assert slow.promote("p-1", Colour.GREEN) is Phase.ROLLED_BACK
    assert steward.book.current().reason == "told to go back"
    assert world.switch.served == {Colour.BLUE}, "it was not turned at all"


def test_an_abort_of_one_promotion_does_not_end_the_next(world: World) -> None:
    steward = world.live()
    slow = Slow(steward, "p-1")
    slow.promote("p-1", Colour.GREEN)
    assert slow.promote("p-2", Colour.GREEN) is Phase.PROMOTED
    slow.abort()  # it comes when all is done
    assert slow.promote("p-3", Colour.BLUE) is Phase.PROMOTED


def smoked(world: World) -> tuple[Slow, Steward]:
    """One report away from the flip."""
    steward = world.live()
    slow = Slow(steward)
    slow.begin("p-1", Colour.GREEN)
    for message in ("checked", "deployed"):
        slow.report("ok", message)
    return slow, steward


def test_who_slept_past_its_lease_cannot_flip_late(world: World) -> None:
    """The command line was paused, its lease given up and taken by another: both its word and the other's are no."""
    slow, steward = smoked(world)
    mine = slow.caller.held[Scope.PLATFORM]
    slow.desk.leave(slow.caller, "no heartbeat")
    slow.caller.held[Scope.PLATFORM] = mine  # it does not know yet
    other = Caller(lambda: False)
    slow.desk.ask(other, "acquire", {"claim": {**CLAIM, "by": "bob"}, "wait": 0})
    with pytest.raises(SwitchFault) as late:
        slow.report("ok", "smoked")
    assert late.value.code == "lease-lost"
    with pytest.raises(Refused) as no:
        slow.desk.ask(other, "report", {"event": "ok", "message": "smoked"})
    assert no.value.code == "not-yours"
    assert steward.book.current().phase is Phase.SMOKING
    assert world.switch.entry()[0] is Colour.BLUE


def test_a_map_that_was_spoilt_in_the_watch_strands_nothing_that_recover_is_asked_for(world: World) -> None:
    """Only the way back needs the map file, and it is recover that writes one anew."""
    steward = world.live()
    slow = Slow(steward)

    def spoilt() -> None:
        world.switch.down.add("web_green")
        world.map_file.path.write_text("activ")

    world.clock.on_sleep = spoilt
    assert slow.promote("p-1", Colour.GREEN) is Phase.STRANDED
    world.clock.on_sleep = lambda: None
    slow.desk.ask(Caller(lambda: False), "recover", {"claim": CLAIM, "wait": 0})
    assert view_of(steward).phase is Phase.ROLLED_BACK
    serves(world, steward, Colour.BLUE)


@pytest.mark.parametrize("says", ["map file", "switch", "switch alone", "neither can tell"])
def test_what_map_file_or_switch_name_is_not_removed_on_the_word_of_an_older_journal(world: World, says: str) -> None:
    steward = world.live()
    slow = Slow(steward)
    slow.desk.ask(slow.caller, "acquire", {"claim": CLAIM, "wait": 0})
    green = {"colour": Colour.GREEN}
    if says == "map file":
        world.map_file.write(Colour.GREEN, 7)
    elif says.startswith("switch"):
        world.switch.entry_now = (Colour.GREEN, 7)
        if says == "switch alone":
            world.map_file.path.unlink()
    else:
        world.map_file.path.write_text("activ")
    with pytest.raises(Refused, match="nothing of green was removed"):
        slow.desk.ask(slow.caller, "may-remove", green)
    world.map_file.write(Colour.BLUE, 1)
    world.switch.entry_now = (Colour.BLUE, 1)
    slow.desk.ask(slow.caller, "may-remove", green)
    world.switch.away = True  # serves nothing but what the file says
    slow.desk.ask(slow.caller, "may-remove", green)


def test_recover_turns_a_switch_back_that_another_hand_turned_to_what_it_is_to_remove(world: World) -> None:
    steward = world.live()
    slow = Slow(steward)
    slow.begin("p-1", Colour.GREEN)
    slow.report("ok", "checked")
    slow.desk.leave(slow.caller, "killed")
    world.switch.entry_now = (Colour.GREEN, 9)
    mine = Caller(lambda: False)
    slow.desk.ask(mine, "recover", {"claim": CLAIM, "wait": 0})
    assert world.switch.entry() == world.map_file.read() == (Colour.BLUE, 1)
    slow.desk.ask(mine, "acquire", {"claim": CLAIM, "wait": 0})
    slow.desk.ask(mine, "may-remove", {"colour": Colour.GREEN})


def test_who_slept_past_its_lease_may_remove_nothing(world: World) -> None:
    """Another has undone its promotion, and put one of its own live in the very colour that it was about to empty."""
    steward = world.live()
    slow = Slow(steward)
    slow.begin("p-1", Colour.GREEN)
    slow.report("ok", "checked")
    mine, green = slow.caller, {"colour": Colour.GREEN}
    slow.desk.ask(mine, "may-remove", green)
    kept = dict(mine.held)
    slow.desk.leave(mine, "no heartbeat")
    slow.desk.ask(Caller(lambda: False), "recover", {"claim": {**CLAIM, "by": "bob"}, "wait": 0})
    slow.caller = Caller(lambda: False)
    slow.desk.ask(slow.caller, "acquire", {"claim": CLAIM, "wait": 0})
    slow.report("ok", "removed")
    slow.desk.ask(slow.caller, "release", {})
    assert slow.promote("p-2", Colour.GREEN) is Phase.PROMOTED
    mine.held = kept  # it does not know yet
    for name in ("may-remove", "held"):
        with pytest.raises(SwitchFault) as late:
            slow.desk.ask(mine, name, green)
        assert late.value.code == "lease-lost"


def test_control_who_kept_its_lease_is_told_once_more_that_it_may_and_it_is_journalled_once(world: World) -> None:
    steward = world.live()
    slow = Slow(steward)
    slow.begin("p-1", Colour.GREEN)
    slow.report("ok", "checked")
    for _ in range(2):
        slow.desk.ask(slow.caller, "may-remove", {"colour": Colour.GREEN})
        slow.desk.ask(slow.caller, "held", {})
    assert steward.told("p-1").count("removes green") == 1


def test_control_who_kept_its_lease_flips_by_the_same_word(world: World) -> None:
    slow, _ = smoked(world)
    slow.report("ok", "smoked")
    assert world.switch.entry()[0] is Colour.GREEN


def test_recover_waits_for_the_lease_as_long_as_it_is_told_to(world: World) -> None:
    slow, _ = smoked(world)
    timer = threading.Timer(0.2, slow.desk.leave, (slow.caller, "given back"))
    timer.start()
    came = slow.desk.ask(Caller(lambda: False), "recover", {"claim": {**CLAIM, "by": "bob"}, "wait": 10})
    timer.join()
    assert came["phase"] == "discarding"


def going_back(slow: Slow) -> None:
    slow.desk.ask(Caller(lambda: False), "go-back", {"claim": {**CLAIM, "by": "bob"}})


def test_whoever_asks_to_go_back_needs_no_lease_and_is_named(world: World) -> None:
    slow, steward = smoked(world)
    with pytest.raises(Refused) as no:
        going_back(slow)
    assert no.value.code == "nothing-acts", "the command's own phases are not the steward's to leave"
    world.clock.on_sleep = lambda: going_back(slow) if steward.book.current().phase is Phase.WATCHING else None
    slow.report("ok", "smoked")
    assert steward.book.current().phase is Phase.ROLLED_BACK
    assert "bob from alice@here:1 says to go back" in steward.told("p-1")


def test_a_word_to_go_back_outlives_the_steward_that_heard_it(world: World) -> None:
    """It is in the journal: the next steward begins the watch anew and leaves it at the first look."""
    slow, steward = smoked(world)
    steward.book.advance(Phase.SMOKING, Event.OK, "smoked")
    steward.helm.turn(Colour.BLUE, Colour.GREEN, {"web": BUILDS[Colour.GREEN]})
    steward.book.advance(Phase.FLIPPING, Event.OK, "turned")
    going_back(slow)
    world.close()
    again = world.steward()
    assert again.course.take_on()
    again.course.run()
    assert again.book.current().phase is Phase.ROLLED_BACK
    again.promote(name="p-2")
    assert again.book.current().phase is Phase.PROMOTED, "it was meant for that promotion alone"


def test_of_finalizing_it_ends_the_drain_for_then_the_way_back_is_a_rollback(world: World) -> None:
    slow, steward = smoked(world)
    world.switch.sessions = {"dicom_blue": 2}
    asked: list[float] = []

    def ask() -> None:
        if steward.book.current().phase is Phase.FINALIZING and not asked:
            asked.append(world.clock.time)
            going_back(slow)

    world.clock.on_sleep = ask
    slow.report("ok", "smoked")
    view = steward.book.current()
    assert view.phase is Phase.PROMOTED
    assert view.debts == ()
    assert world.clock.time - asked[0] < 1.0
    assert world.switch.sessions == {"dicom_blue": 2}, "they stay on the colour that will be live again"


def test_a_rollback_under_way_is_not_undone_by_asking_to_go_back(world: World) -> None:
    slow, steward = smoked(world)
    slow.report("ok", "smoked")
    held = steward.book.account.colours["blue"]
    builds, release = dict(held.builds), held.release
    back = Intent("r-1", Kind.ROLLBACK, "", release, builds, Colour.BLUE, "alice", WATCH, 1.0)
    slow.desk.ask(slow.caller, "begin", {"intent": plain(back)})
    for message in ("checked", "there"):
        slow.report("ok", message)
    world.clock.on_sleep = lambda: going_back(slow)
    slow.report("ok", "smoked")
    assert steward.book.current().phase is Phase.PROMOTED
    assert world.switch.entry()[0] is Colour.BLUE


def test_what_is_served_before_a_flip_is_counted_when_it_begins_and_when_it_is_smoked(world: World) -> None:
    slow = Slow(world.live())
    slow.begin("p-1", Colour.GREEN)
    slow.desk.ask(slow.caller, "prove", {"colour": "green", "builds": {"web": BUILDS[Colour.GREEN]}})
    kinds = [event.happening for _, event in slow.steward.book.events("p-1", 0)]
    assert kinds.count(Happening.TRAFFIC) == 2


def test_a_switch_that_counts_nothing_holds_up_no_beginning(world: World) -> None:
    slow = Slow(world.live())
    world.switch.away = True
    slow.begin("p-1", Colour.GREEN)
    events = [event for _, event in slow.steward.book.events("p-1", 0)]
    assert [event.phase for event in events] == [Phase.PREFLIGHT]


def cut_off_in_the_flip(world: World) -> Slow:
    """The desk of the steward that is started next, before it has settled anything."""
    _, steward = smoked(world)
    steward.book.advance(Phase.SMOKING, Event.OK, "smoked")
    world.close()
    return Slow(world.steward())


def recovered(slow: Slow) -> None:
    slow.desk.ask(Caller(lambda: False), "recover", {"claim": {**CLAIM, "by": "bob"}, "wait": 0})


def test_recover_before_the_steward_has_settled_what_was_cut_off_goes_back_as_the_steward_would(world: World) -> None:
    slow = cut_off_in_the_flip(world)
    world.services.before = slow.settles_late
    recovered(slow)
    assert slow.steward.book.current().phase is Phase.ROLLED_BACK
    serves(world, slow.steward, Colour.BLUE)


def test_where_it_cannot_be_journalled_what_was_cut_off_nobody_may_act(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = cut_off_in_the_flip(world)
    with monkeypatch.context() as full:
        full.setattr(slow.steward.book, "advance", no_room)
        with pytest.raises(JournalFull):
            recovered(slow)
        with pytest.raises(JournalFull):
            slow.begin("p-2", Colour.GREEN)
    assert world.switch.entry()[0] is Colour.BLUE
    assert slow.steward.book.current().phase is Phase.FLIPPING
    recovered(slow)
    assert slow.steward.book.current().phase is Phase.ROLLED_BACK
    serves(world, slow.steward, Colour.BLUE)


def no_room(*_words: object) -> Phase:
    raise JournalFull("no room")


def test_what_is_begun_before_the_steward_has_settled_what_was_cut_off_was_not_cut_off(world: World) -> None:
    slow = Slow(world.live())
    world.services.before = slow.settles_late
    assert slow.promote("p-1", Colour.GREEN) is Phase.PROMOTED


def test_what_was_found_in_one_phase_takes_a_promotion_on_from_no_other(world: World) -> None:
    """Somebody else takes the way out while the switch is turned forward: that it was turned is no way back."""
    slow, steward = smoked(world)

    def out(what: str) -> None:
        if what == "call" and steward.book.current().phase is Phase.FLIPPING:
            steward.book.advance(Phase.FLIPPING, Event.ABORT, "told to go back")

    world.services.before = out
    slow.report("ok", "smoked")
    assert steward.book.current().phase is Phase.ROLLED_BACK
    serves(world, steward, Colour.BLUE)
