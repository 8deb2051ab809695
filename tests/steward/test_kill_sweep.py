"""The steward killed at every point of a promotion, and what the next one makes of it.

Points are the calls that leave its memory: each journal entry, each write of the map file, each command to the switch,
each question to a service and each hook, before and after. Short form of the sweep over real processes.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.promotion import Event, Phase
from otagate.core.traffic import Kind
from otagate.steward import account, journal
from otagate.steward.account import Stage
from otagate.steward.helm import Helm
from otagate.steward.journal import Entry, Journal
from otagate.steward.map_file import MapFile
from tests.steward.switches import FakeSwitch
from tests.steward.world import HOSTS, Killed, Steward, World


class Sweep:
    """Counts the points passed and kills at the chosen one. At each it checks that nothing is served that a restarted
    switch would not serve as well."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed = 0
        self.kill_at = -1
        self.unsafe: list[str] = []
        self.world: World | None = None
        self._around(monkeypatch, Journal, "append")
        self._around(monkeypatch, MapFile, "write")
        for name in ("flip", "restore"):
            self._around(monkeypatch, FakeSwitch, name)

    def watch(self, world: World) -> None:
        self.world = world
        world.services.before = self.point

    def _around(self, monkeypatch: pytest.MonkeyPatch, kind: type, name: str) -> None:
        whole: Callable[..., Entry] = getattr(kind, name)

        def around(*arguments: object, **named: object) -> object:
            self.point(f"before {name}")
            answer = whole(*arguments, **named)
            self.point(f"after {name}")
            return answer

        monkeypatch.setattr(kind, name, around)

    def point(self, name: str) -> None:
        if self.world is None:
            return
        run = self.world.switch.entry_now
        if run is not None and run[1] > self.world.map_file.read()[1]:
            self.unsafe.append(f"{name}: the switch serves {run[0]}, which it would forget")
        self.passed += 1
        if self.passed == self.kill_at:
            self.world.services.before = lambda _name: None
            self.world.clock.on_sleep = lambda: None
            self.world = None
            raise Killed


def one_promotion(world: World) -> None:
    steward = world.steward()
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")
    steward.to_flip()
    steward.course.run()


def going_bad(world: World) -> None:
    """One that is taken back by the watch."""
    steward = world.steward()
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")
    steward.to_flip()
    world.clock.on_sleep = lambda: world.switch.down.add("web_green")
    steward.course.run()


def settled(world: World) -> Steward:
    """The next steward, gone on to the end."""
    world.close()
    steward = world.steward()
    view = steward.book.account.unfinished
    if world.map_file.exists() and not (view and view.phase in (Phase.FLIPPING, Phase.ROLLING_BACK)):
        steward.helm.settle()
    if steward.course.take_on():
        steward.course.run()
    steward.helm.hooks.keep(1.0)
    return steward


def consistent(world: World, steward: Steward) -> str:
    """What is wrong, "" if nothing is."""
    account = steward.book.account
    file, run = world.map_file.read(), world.switch.entry()
    if not file == run == (account.live, account.live_epoch):
        return f"file {file}, run time {run}, journal {account.live} {account.live_epoch}"
    if account.live is None or world.services.active != {HOSTS[account.live.value]}:
        return f"active: {world.services.active}, live: {account.live}"
    view = account.promotion
    if view is not None and view.phase in (Phase.FLIPPING, Phase.WATCHING, Phase.FINALIZING, Phase.ROLLING_BACK):
        return f"still {view.phase}"
    promoted = view is not None and view.intent.promotion == "p-1" and view.phase is Phase.PROMOTED
    wanted = Colour.GREEN if promoted else Colour.BLUE
    if account.live is not wanted:
        return f"{view and view.phase}, but {account.live} is live"
    return unaccounted(world, steward, promoted)


def unaccounted(world: World, steward: Steward, promoted: bool) -> str:
    """A release that served and was left has its one incident, which knows what it wrote; what stays live has none."""
    incidents = steward.book.account.incidents
    if promoted:
        return "promoted, and an incident" if incidents else ""
    if Colour.GREEN in world.switch.served and len(incidents) != 1:
        return f"green served and left {len(incidents)} incidents"
    known = all(w.count is not None for incident in incidents for w in incident.written)
    return "" if known else "an incident that does not know what was written, though the service says it"


@pytest.fixture
def sweep(monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """A killed process loses nothing that it wrote: to wait for the disk at each of many writes shows nothing."""
    monkeypatch.setattr(journal, "DURABLE", "OFF")
    monkeypatch.setattr(os, "fsync", lambda _handle: None)
    return Sweep(monkeypatch)


@pytest.fixture
def began(tmp_path: Path) -> Path:
    """A volume in which blue is live."""
    folder = tmp_path / "began"
    folder.mkdir()
    with closing(World(folder)) as world:
        world.live()
    return folder


def world_of(began: Path, name: str) -> World:
    """A copy of that volume, with the world that belongs to it."""
    world = World(shutil.copytree(began, began.with_name(name)))
    world.switch.start()
    world.services.active = {HOSTS["blue"]}
    return world


def killed(sweep: Sweep, world: World, kill_at: int, story: Callable[[World], None], *, restart: bool) -> World:
    """One story, killed at its n-th point; `restart`: the switch ends at the same moment and is started again."""
    sweep.passed, sweep.kill_at = 0, kill_at
    sweep.watch(world)
    with pytest.raises(Killed):
        story(world)
    if restart:
        world.switch.start()
    world.close()
    world.helm_kind = Helm
    return world


def points_of(sweep: Sweep, world: World, story: Callable[[World], None]) -> int:
    sweep.passed, sweep.kill_at = 0, -1
    sweep.watch(world)
    story(world)
    sweep.world = None
    world.close()
    return sweep.passed


@pytest.mark.parametrize("restart", [False, True], ids=["switch lives", "switch restarts"])
@pytest.mark.parametrize("story", [one_promotion, going_bad])
def test_killed_at_every_point_one_colour_serves_and_the_journal_says_which(
    sweep: Sweep, began: Path, story: Callable[[World], None], restart: bool
) -> None:
    points = points_of(sweep, world_of(began, "whole"), story)
    assert points > 25
    wrong = []
    for point in range(1, points + 1):
        world = killed(sweep, world_of(began, str(point)), point, story, restart=restart)
        steward = settled(world)
        if why := consistent(world, steward):
            wrong.append(f"point {point}: {why}")
        if world.services.most_active > 1:
            wrong.append(f"point {point}: two colours worked at once")
        world.close()
    assert wrong == []
    assert sweep.unsafe == []


def test_killed_again_while_it_recovers_it_still_recovers(sweep: Sweep, began: Path) -> None:
    wrong = []
    for second in range(1, 30):
        world = killed(sweep, world_of(began, str(second)), 22, one_promotion, restart=False)
        sweep.passed, sweep.kill_at = 0, second
        sweep.watch(world)
        try:
            settled(world)
        except Killed:
            pass
        else:
            world.close()
            break
        if why := consistent(world, settled(world)):
            wrong.append(f"point {second}: {why}")
        world.close()
    assert wrong == []
    assert second > 10


def from_what_hangs(world: World) -> None:
    """One away from a live release that does not answer."""
    world.services.hung.add(HOSTS["blue"])
    one_promotion(world)


def recovered(world: World) -> tuple[Steward, bool]:
    """The next steward, and whether it was stranded: as `recover` goes on with what it left."""
    steward = world.steward()
    if steward.course.take_on():
        steward.course.run()
    view = steward.book.account.unfinished
    stranded = view is not None and view.phase is Phase.STRANDED
    if stranded:
        steward.course.settle_stranded()
        steward.course.run()
    elif view is not None:
        steward.book.advance(view.phase, Event.ABORT, "undone")
        if steward.book.current().phase is Phase.DISCARDING:
            steward.book.advance(Phase.DISCARDING, Event.OK, "removed")
    return steward, stranded


@pytest.mark.parametrize("restart", [False, True], ids=["switch lives", "switch restarts"])
def test_killed_at_every_point_what_hangs_is_left_by_recover_or_by_the_next_one(
    sweep: Sweep, began: Path, restart: bool
) -> None:
    points = points_of(sweep, world_of(began, "whole"), from_what_hangs)
    wrong, halted = [], 0
    for point in range(1, points + 1):
        world = killed(sweep, world_of(began, str(point)), point, from_what_hangs, restart=restart)
        steward, stranded = recovered(world)
        halted += stranded
        if steward.book.account.live is Colour.BLUE:
            steward.promote(name="p-2")
        file, run, account = world.map_file.read(), world.switch.entry(), steward.book.account
        if account.unfinished or not file == run == (account.live, account.live_epoch) or run[0] is not Colour.GREEN:
            wrong.append(f"point {point}: {account.promotion}, file {file}, run time {run}")
        world.close()
    assert wrong == []
    assert halted > 0
    assert sweep.unsafe == []


class Reversed(Helm):
    """Run time first, then the file: the order that loses an acknowledged flip when the switch ends in between."""

    def _set(self, came: Colour | None, to: Colour, *, held: bool = False) -> None:  # noqa: ARG002
        epoch = self.book.new_epoch()
        self.book.turn(came, to, epoch, Stage.INTENT)
        self.switch.restore(to, epoch)
        self.map_file.write(to, epoch)
        self.book.turn(came, to, epoch, Stage.TURNED)


class Eager(Helm):
    """The map written before the intent is journalled: killed in between, the next steward finds what nobody meant."""

    def _set(self, came: Colour | None, to: Colour, *, held: bool = False) -> None:  # noqa: ARG002
        epoch = self.book.new_epoch()
        self.map_file.write(to, epoch)
        self.book.turn(came, to, epoch, Stage.INTENT)
        self.switch.restore(to, epoch)
        self.book.turn(came, to, epoch, Stage.TURNED)


def test_control_a_way_back_that_forgets_its_incident_is_caught(
    sweep: Sweep, began: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "incident_of", lambda *_: None)
    points = points_of(sweep, world_of(began, "whole"), going_bad)
    world = killed(sweep, world_of(began, "last"), points, going_bad, restart=False)
    assert "left 0 incidents" in consistent(world, settled(world))


def test_control_the_reversed_order_is_caught(sweep: Sweep, began: Path) -> None:
    world = world_of(began, "reversed")
    world.helm_kind = Reversed
    points_of(sweep, world, one_promotion)
    assert any("which it would forget" in said for said in sweep.unsafe)


def test_control_an_effect_before_its_entry_is_caught(sweep: Sweep, began: Path) -> None:
    def eager(name: str) -> World:
        world = world_of(began, name)
        world.helm_kind = Eager
        return world

    points = points_of(sweep, eager("whole"), one_promotion)
    wrong = []
    for point in range(1, points + 1):
        world = killed(sweep, eager(str(point)), point, one_promotion, restart=True)
        try:
            wrong.append(consistent(world, settled(world)))
        except SwitchFault as fault:
            wrong.append(fault.message)
        world.close()
    assert any("never meant" in why or "file" in why for why in wrong)
