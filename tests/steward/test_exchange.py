"""The switch itself replaced: one serves at every moment, and whatever is cut off is finished or taken back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import Refused, SwitchFault
from otagate.core.replacement import Reach, Replacement
from otagate.core.traffic import Claim, Holder, Kind, Scope
from otagate.steward import journal
from otagate.steward.book import MAP
from otagate.steward.exchange import Exchange
from otagate.steward.pair import Pair
from tests.steward.switches import DOORS, FakeSwitch, FakeSwitches
from tests.steward.world import TOPOLOGY, Killed, Steward, World

HOLDER = Holder(Claim(Scope.PLATFORM, "alice", "alice@here:1", "otagate switch replace", "a test"), 0.0, 7)


class InThisThread(Exchange):
    """It works where it is told to, so that a test sees it die, and whoever asks holds the lease."""

    def take(self, holds: Callable[[], object] = lambda: None) -> Replacement:
        return super().take(holds)

    def _set_off(self) -> None:
        self.run()


@dataclass
class Scene:
    world: World
    steward: Steward
    exchange: InThisThread
    second: bool

    @property
    def side(self) -> FakeSwitches:
        """The switches behind the doors that are handed over."""
        side = self.world.switches.other if self.second else self.world.switches
        assert side is not None
        return side

    @property
    def old(self) -> FakeSwitch:
        return self.side.standing[1]

    @property
    def file(self) -> Path:
        return self.world.volume / self.side.folder / "serving"

    @property
    def now(self) -> Replacement:
        now = self.steward.book.account.replacement
        assert now is not None
        return now

    def beside(self, number: int = 2) -> FakeSwitch:
        """The container that the command line raises."""
        made = FakeSwitch(self.world.volume / MAP)
        made.start()
        self.side.standing[number] = made
        return made

    def begin(self, drain: float = 5.0) -> None:
        self.exchange.begin(HOLDER, drain, second=self.second)

    def begun(self, drain: float = 5.0) -> FakeSwitch:
        self.begin(drain)
        return self.beside(self.now.new)

    def again(self) -> None:
        """Its engine starts the steward anew."""
        self.world.close()
        self.steward = self.world.steward()
        self.exchange = InThisThread(self.steward.helm, self.steward.book, self.world.volume)
        self.exchange.resume()

    def at_doors(self) -> set[int]:
        """Who accepts at all of them; nobody accepts at some."""
        by_number = {n: {d for d in DOORS if s.accepts(d)} for n, s in self.side.standing.items()}
        came = {n: doors for n, doors in by_number.items() if n in self.side.came}
        assert all(doors in (set(), set(DOORS)) for doors in came.values())
        return {n for n, doors in came.items() if doors}


@pytest.fixture(params=["one switch", "the first of a pair", "the second of a pair"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(journal, "DURABLE", "OFF")
    world = World(tmp_path, TOPOLOGY if request.param == "one switch" else replace(TOPOLOGY, second="switch-second"))
    steward = world.live()
    exchange = InThisThread(steward.helm, steward.book, world.volume)
    yield Scene(world, steward, exchange, second=request.param == "the second of a pair")
    world.close()


def test_the_new_one_takes_the_doors_and_the_old_one_is_left_over(scene: Scene) -> None:
    new = scene.begun()
    assert scene.at_doors() == {1}
    scene.exchange.take()
    assert scene.now.reach is Reach.DRAINED
    assert (scene.now.left_over, scene.now.cut, scene.now.reason) == (1, (), "")
    assert scene.at_doors() == {2}
    served = scene.steward.helm.switch
    assert new in (served.switches if isinstance(served, Pair) else (served,))
    assert scene.file.read_text() == "2\n"
    assert scene.exchange.tidied().reach is Reach.REPLACED


def test_after_it_the_steward_turns_the_new_one(scene: Scene) -> None:
    new = scene.begun()
    scene.exchange.take()
    scene.exchange.tidied()
    scene.steward.promote()
    assert new.entry()[0] is Colour.GREEN is scene.steward.book.account.live
    assert scene.old.entry()[0] is Colour.BLUE, "the old one was asked nothing more"


def test_the_next_replacement_has_the_next_number(scene: Scene) -> None:
    scene.begun()
    scene.exchange.give_up("no image")
    scene.exchange.tidied()
    scene.begun()
    assert (scene.now.old, scene.now.new) == (1, 3)


def test_sessions_end_by_themselves_before_the_old_one_is_left_over(scene: Scene) -> None:
    scene.begun(drain=60)
    scene.old.open["dicom"] = 2

    def ends() -> None:
        scene.old.open["dicom"] = max(0, scene.old.open["dicom"] - 1)

    scene.world.clock.on_sleep = ends
    scene.exchange.take()
    assert scene.now.reach is Reach.DRAINED
    assert scene.now.cut == ()
    assert scene.old.open["dicom"] == 0


def test_what_is_open_at_the_deadline_is_cut_and_named(scene: Scene) -> None:
    scene.begun(drain=3)
    scene.old.open["dicom"] = 2
    scene.old.sessions["dicom_blue"] = 2
    began = scene.world.clock.now()
    scene.exchange.take()
    assert scene.now.cut == ("dicom 10.0.0.1:104 open 1s", "dicom 10.0.0.2:104 open 2s")
    assert scene.world.clock.now() - began >= 3
    assert scene.old.sessions["dicom_blue"] == 0


@pytest.mark.parametrize("code", ["switch-away", "switch-door"])
@pytest.mark.parametrize("asked", ["shut", "fronts"])
def test_one_that_is_only_silent_has_the_whole_drain_and_nobody_says_what_it_cut(
    scene: Scene, asked: str, code: str
) -> None:
    scene.begun(drain=60)
    scene.old.open["dicom"] = 5
    breaking(scene.old, asked, times=1000, code=code)
    began = scene.world.clock.now()
    scene.exchange.take()
    assert scene.world.clock.now() - began >= 60
    assert (scene.now.reach, scene.now.cut) == (Reach.DRAINED, ())
    assert scene.now.reason == f"not known whether any was open: the switch did not answer {asked}"


def test_one_that_is_silent_for_a_while_is_counted_when_it_answers_again(scene: Scene) -> None:
    scene.begun(drain=60)
    scene.old.open["dicom"] = 2
    scene.old.sessions["dicom_blue"] = 2
    breaking(scene.old, "fronts", times=20)
    scene.exchange.take()
    assert (len(scene.now.cut), scene.now.reason) == (2, "")


def test_one_whose_process_ended_has_no_session(scene: Scene) -> None:
    scene.begun(drain=60)

    def ends(_name: str) -> None:
        scene.old.gone = scene.now.reach is Reach.ALONE

    scene.old.before = ends
    began = scene.world.clock.now()
    scene.exchange.take()
    assert scene.world.clock.now() - began < 60
    assert scene.now.reason == "the old switch ended by itself"


def test_an_idle_kept_connection_is_waited_for_and_is_no_session(scene: Scene) -> None:
    scene.begun(drain=3)
    scene.old.open["web"] = 1
    began = scene.world.clock.now()
    scene.exchange.take()
    assert scene.now.cut == ()
    assert scene.world.clock.now() - began >= 3


def not_there(scene: Scene) -> None:
    del scene.side.standing[scene.now.new]


def other_map(scene: Scene) -> None:
    scene.side.standing[scene.now.new].entry_now = (Colour.GREEN, 9)


def sees_nobody(scene: Scene) -> None:
    scene.side.standing[scene.now.new].down.add("dicom_blue")


@pytest.mark.parametrize("breaks", [not_there, other_map, sees_nobody])
def test_one_that_is_not_proven_gets_no_door(scene: Scene, breaks: Callable[[Scene], None]) -> None:
    scene.begun()
    breaks(scene)
    with pytest.raises(SwitchFault, match="not proven"):
        scene.exchange.take()
    assert scene.now.reach is Reach.BESIDE
    assert not scene.file.exists()
    assert scene.at_doors() == {1}
    assert scene.exchange.give_up("not proven").left_over == 2


def test_one_that_does_not_come_to_the_doors_is_taken_back(scene: Scene) -> None:
    scene.begun()
    scene.side.stuck.add(2)
    scene.exchange.take()
    assert (scene.now.reach, scene.now.serving) == (Reach.VOID, 1)
    assert "does not come to the doors" in scene.now.reason
    assert scene.at_doors() == {1}
    assert scene.file.read_text() == "1\n"


def test_one_through_which_the_doors_do_not_answer_is_taken_back(scene: Scene) -> None:
    new = scene.begun()
    new.before = lambda name: new.paused.update(DOORS) if name == "fronts" else None  # it came and takes nothing
    scene.exchange.take()
    assert scene.now.reach is Reach.VOID
    assert "nobody takes what waits" in scene.now.reason
    assert scene.at_doors() == {1}, "the old one was paused and accepts again"


def test_one_that_counts_nothing_although_the_doors_answer_is_taken_back(scene: Scene) -> None:
    """Whoever answered in front, it was not the new one."""
    new = scene.begun()
    scene.old.before = lambda name: scene.old.paused.clear() if name == "pause" else None
    new.before = lambda name: new.taken.clear() if name == "fronts" else None
    scene.exchange.take()
    assert scene.now.reach is Reach.VOID
    assert "nothing came to the new switch" in scene.now.reason


def breaking(switch: FakeSwitch, name: str, *, times: int, code: str = "switch-away") -> None:
    """Its answers to `name` get lost so often."""
    left = [times]

    def before(asked: str) -> None:
        if asked == name and left[0]:
            left[0] -= 1
            raise SwitchFault(f"the switch did not answer {name}", code=code)

    switch.before = before


def counts_nothing(new: FakeSwitch) -> None:
    """It is at the doors and takes nothing there: all is taken back."""
    new.paused.update(DOORS)


@pytest.mark.parametrize("times", [1, 2])
def test_what_is_taken_back_is_taken_back_although_an_answer_is_lost(scene: Scene, times: int) -> None:
    for breaks in ("resume", "shut"):
        new = scene.begun()
        counts_nothing(new)
        breaking(scene.old if breaks == "resume" else new, breaks, times=times)
        scene.exchange.take()
        assert scene.now.reach is Reach.VOID
        assert scene.at_doors() == {1}
        assert new.shut_doors == set(DOORS)
        scene.exchange.tidied()


def test_until_the_old_one_accepts_again_nobody_calls_the_new_one_left_over(scene: Scene) -> None:
    counts_nothing(scene.begun())
    breaking(scene.old, "resume", times=30)  # beyond its patience
    reached: list[Reach] = []
    scene.world.clock.on_sleep = lambda: reached.append(scene.now.reach) if scene.old.paused else None
    scene.exchange.take()
    assert set(reached) == {Reach.TAKING}
    assert scene.now.reach is Reach.VOID
    assert scene.at_doors() == {1}


def test_nothing_turns_while_two_may_stand_at_the_doors(scene: Scene) -> None:
    scene.begun()
    scene.steward.book.reach(Reach.TAKING)
    with pytest.raises(Refused, match="alice is replacing the switch: taking"):
        scene.exchange.leaves_alone()
    scene.exchange.run()
    scene.exchange.leaves_alone()


def test_no_replacement_while_a_promotion_or_another_one_is_unfinished(scene: Scene) -> None:
    scene.steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")
    with pytest.raises(Refused, match="p-1 of alice is unfinished"):
        scene.begin()
    scene.steward.to_flip()
    scene.steward.course.run()
    scene.begin()
    with pytest.raises(Refused, match="is unfinished: beside"):
        scene.begin()


def test_nothing_takes_the_doors_in_a_promotion_that_was_begun_while_it_was_proven(scene: Scene) -> None:
    def begins(_name: str) -> None:
        new.before = lambda _name: None
        scene.steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")

    new = scene.begun()
    new.before = begins
    with pytest.raises(Refused, match="p-1 of alice is unfinished"):
        scene.exchange.take()
    assert scene.now.reach is Reach.BESIDE
    assert scene.at_doors() == {1}


def test_no_replacement_where_journal_and_switch_disagree_or_nothing_is_live(scene: Scene) -> None:
    scene.old.entry_now = (Colour.GREEN, 9)
    with pytest.raises(Refused, match="do not agree"):
        scene.begin()


def test_the_file_is_made_to_say_what_the_journal_says(scene: Scene) -> None:
    scene.begun()
    scene.exchange.take()
    scene.file.write_text("1\n")
    scene.again()
    assert scene.file.read_text() == "2\n"


def test_one_cut_off_before_anything_moved_is_undone_by_recover(scene: Scene) -> None:
    scene.begun()
    scene.again()
    scene.exchange.mend("bob")
    assert (scene.now.reach, scene.now.left_over) == (Reach.VOID, 2)
    assert "undone by bob" in scene.now.reason
    assert scene.at_doors() == {1}


def calls_of(scene: Scene, at: int, which: int) -> Callable[[str], None]:
    seen = [0]

    def before(_name: str) -> None:
        seen[0] += 1
        if seen[0] == at:
            raise Killed

    standing = scene.side.standing[which]
    standing.before = before
    return before


@pytest.mark.parametrize("which", [1, 2])
@pytest.mark.parametrize("at", range(1, 16))
@pytest.mark.parametrize("restarts", [False, True])
def test_killed_at_any_call_one_serves_and_the_next_steward_finishes(
    scene: Scene, at: int, which: int, restarts: bool
) -> None:
    scene.begun()
    calls_of(scene, at, which)
    killed = False
    try:
        scene.exchange.take()
    except Killed:
        killed = True
    for standing in scene.side.standing.values():
        standing.before = lambda _name: None
    scene.side.in_front("web")  # somebody accepts, whenever it was killed
    if restarts:  # the engine too: whoever starts reads who serves
        for number in (1, 2):
            scene.side.restart(number)
    scene.again()
    if scene.now.reach is Reach.BESIDE:
        scene.exchange.mend("bob")
    assert scene.now.reach in (Reach.DRAINED, Reach.VOID)
    assert scene.at_doors() - {scene.now.left_over} <= {scene.now.serving}
    assert scene.side.in_front("web") is scene.side.standing[scene.now.serving]
    assert scene.now.left_over not in scene.at_doors() or restarts
    assert killed or at > 5
