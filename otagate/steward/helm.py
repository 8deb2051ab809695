"""Turning the switch: the one order in which it is done, forward and back. Raises Refused (a no) and Fault (breakage).

prove the target → intent (journal) → map file → run time → read back → passive on the old colour, activate on the new
→ ask every listener through the front door → done (journal). The map file is the commit point. `passive` comes before
`activate`: for a moment nobody works on its own, never both, unless the old one has to go and does not take it. Where
both may not even answer at once new work is held meanwhile, and `passive` comes before the intent (see `hold`).
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from otagate.core.cloud import Colour
from otagate.core.errors import ProbeFault, Refused, SwitchFault
from otagate.core.switch import backend
from otagate.core.switch_counts import BackendCount
from otagate.core.topology import Door, Topology
from otagate.steward.account import Stage
from otagate.steward.book import Book
from otagate.steward.hold import LOOK, Hold
from otagate.steward.hooks import MOST, Hooks
from otagate.steward.listeners import Listeners
from otagate.steward.map_file import MapFile
from otagate.steward.outside import Clock, Services, Switch, Switches
from otagate.steward.pair import PLACES, SET_BACK, SILENT, SPLIT, Pair
from otagate.steward.traffic import note_traffic


@dataclass(frozen=True)
class Patience:
    """Seconds: until the switch sees a colour up; until the switch itself answers; in which the engine has started one
    that ended; between two looks."""

    up: float = 20.0
    switch: float = 60.0
    gone: float = 10.0
    step: float = 0.1


@dataclass(frozen=True)
class Helm:
    """The only one who writes the map and turns the switch. `lock` is held for the length of a turn, and for that of
    each call of a hook; `turning` is set while map file, run time and journal differ on purpose. `without` is the place
    of the one of a pair that is gone: what turns, turns the other alone."""

    topology: Topology
    book: Book
    map_file: MapFile
    switches: Switches
    services: Services
    clock: Clock
    patience: Patience
    lock: threading.RLock = field(default_factory=threading.RLock)
    turning: threading.Event = field(default_factory=threading.Event)
    without: str = ""

    @property
    def switch(self) -> Switch:
        """The one that serves, or both of a pair."""
        if not self.topology.second:
            return self.switches.at_doors(self.book.account.serving)
        if self.without:
            return self._pair.switches[1 - PLACES.index(self.without)]
        return self._pair

    @property
    def _pair(self) -> Pair:
        account = self.book.account
        at_doors = self.switches.at_doors
        return Pair((at_doors(account.serving), at_doors(account.serving_second, second=True)))

    @property
    def _fronts(self) -> tuple[str, ...]:
        """Hosts of the front doors that a switch stands behind."""
        named = zip(PLACES, self.topology.fronts, strict=False)
        return tuple(host for place, host in named if place != self.without)

    @property
    def doors(self) -> tuple[Door, ...]:
        """Those that a flip turns."""
        return tuple(door for door in self.topology.doors if door.coloured)

    @property
    def hooks(self) -> Hooks:
        return Hooks(self.topology, self.book, self.services, self.lock)

    @property
    def hold(self) -> Hold:
        """Of a platform whose colours may not both work at once."""
        return Hold(self.topology.hold, self.doors, self.book, self.switch, self.clock)

    # --- look ---

    @property
    def listeners(self) -> Listeners:
        return Listeners(self.doors, self.services)

    def answers_as(self, colour: Colour, builds: Mapping[str, str]) -> None:
        """Each coloured listener of `colour` itself answers with its build of `builds` (service → digest). Raises
        ProbeFault, and Refused if it answers for another colour or with another build."""
        self.listeners.answer_as(colour, builds)

    def prove(self, colour: Colour, builds: Mapping[str, str]) -> None:
        """Every listener of `colour` answers with a build of `builds`, and the switch sees each of them up. Raises
        Refused and Fault."""
        self.answers_as(colour, builds)
        if self.book.account.live is not None:  # before that the switch waits for its first map
            self._seen_up(colour)

    def _seen_up(self, colour: Colour) -> None:
        """A colour just raised needs a moment until the switch has found and checked it."""
        until = self.clock.monotonic() + self.patience.up
        while down := self._down(counts := self.switch.counts(), colour):
            if self.clock.monotonic() >= until:
                raise Refused(f"the switch sees no server up: {' '.join(down)}")
            self.clock.sleep(self.patience.step)
        note_traffic(self.book, self.doors, counts, times=True, start_of=colour)

    def is_seen_up(self, colour: Colour) -> bool:
        """Now, by the switch. Raises SwitchFault."""
        return not self._down(self.switch.counts(), colour)

    def _down(self, counts: Mapping[str, BackendCount], colour: Colour) -> list[str]:
        names = [backend(door.name, colour) for door in self.doors]
        return [name for name in names if name not in counts or not counts[name].proven]

    def through_front(self, colour: Colour, builds: Mapping[str, str], host: str = "") -> None:
        """Every listener answers through the front door (or a switch at `host`) with the colour and a build of
        `builds`."""
        self.listeners.answer_in_front(colour, builds, (host,) if host else self._fronts)

    def agrees(self, colour: Colour, epoch: int) -> bool:
        """Map file and run time both say so; raises SwitchFault if one cannot be read."""
        return self.map_file.read() == (colour, epoch) == self.switch.entry()

    # --- turn ---

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self.lock:
            outermost = not self.turning.is_set()
            self.turning.set()
            try:
                yield
            finally:
                if outermost:
                    self.turning.clear()

    def turn(
        self,
        came: Colour | None,
        to: Colour,
        builds: Mapping[str, str],
        may: Callable[[], None] = lambda: None,
        *,
        hangs: bool = False,
    ) -> None:
        """The whole order, forward. After Refused or Fault map file and run time may be turned or not: `go_back`.
        `may` raises Refused to have nothing turned: asked once the new colour is proven, and after a hold's wait. A
        `came` that hangs has to go: its sessions are cut, and what it does not take in short is owed."""
        with self._turn():
            self.prove(to, builds)
            if came is not None and not self.agrees(came, self.book.account.live_epoch):
                raise Refused("journal, map file and switch do not agree on what serves; nothing was turned")
            may()
            with self.hold.on(came, self.book.account.live_epoch, self.hooks.drain, cut=hangs) as until:
                may()
                most = min(MOST, max(LOOK, until - self.clock.monotonic()) / 2) if hangs else None
                if self.topology.hold:
                    self.hooks.stand_down(came, most)
                self._set(came, to, held=bool(self.topology.hold and came and not hangs))
                if not self.topology.hold:
                    self.hooks.stand_down(came, most)
                self.hooks.step_in(to)
            if came is None:
                self._front_opens(to, builds)
            self.through_front(to, builds)
            self.book.turn(came, to, self.book.account.live_epoch, Stage.DONE)

    def _front_opens(self, to: Colour, builds: Mapping[str, str]) -> None:
        """A switch that starts for the first time needs a moment to find its backs."""
        until = self.clock.monotonic() + self.patience.up
        while self.clock.monotonic() < until:
            try:
                self.through_front(to, builds)
                break
            except (Refused, ProbeFault):
                self.clock.sleep(self.patience.step)

    def unmake(self) -> None:
        """The way back of a first release: to nothing, as long as nothing was ever served. Raises Refused if something
        was, and SwitchFault."""
        with self.lock:
            if self.book.account.live is not None or self.is_awake():
                raise Refused("there is nothing to go back to: the first release came from nowhere")
            self.map_file.remove()

    def is_awake(self) -> bool:
        """Whether the switch has read a map, and so serves."""
        try:
            self.switch.entry()
        except SwitchFault as fault:
            return fault.code not in SILENT
        return True

    def go_back(self, failed: Colour, warm: Colour, builds: Mapping[str, str]) -> None:
        """Look before moving: prove the warm side, then turn to it, or only make sure where nothing was turned.
        Refused or Fault: the warm side is not proven, or the switch would not; nothing was moved towards it then.

        Who uses the one of a pair must not be left on a failed colour because the other is gone."""
        with self._turn():
            standing = self._standing()
            try:
                standing._go_back(failed, warm, builds)
            except (SwitchFault, ProbeFault):  # one of them may have ended meanwhile
                if standing.without or not self.topology.second or not (standing := self._standing()).without:
                    raise
                standing._go_back(failed, warm, builds)
            if standing.without:
                self.catch_up()
                if gone := self._pair.gone():
                    self.book.owe(f"the {gone} switch is gone and was not turned: it follows when it is started")

    def leave(self, left: Colour, to: Colour, builds: Mapping[str, str], *, hangs: bool = False) -> None:
        """Forward, and `left` has to go as on a way back; but not by one of a pair alone. It can be made again."""
        with self._turn():
            self._go_back(left, to, builds, hangs=hangs)

    def _go_back(self, failed: Colour, warm: Colour, builds: Mapping[str, str], *, hangs: bool = False) -> None:
        self.prove(warm, builds)
        if self.map_file.read()[0] is warm:
            self.settle()
            self.hold.off()
        else:
            self._turned_back(failed, warm)
        # A sick colour may refuse a hook and take it the next time; what stays undone the keeper repeats.
        if wrong := (hangs or self.hooks.hush(failed)) and self.hooks.hush(failed, MOST):
            self.book.owe(f"{failed} may still work on its own: {wrong}")
        if wrong := self.hooks.rouse(warm) and self.hooks.rouse(warm, MOST):
            self.book.owe(f"{warm} may not work on its own yet: {wrong}")
        self.through_front(warm, builds)
        self.book.turn(failed, warm, self.book.account.live_epoch, Stage.DONE)

    def _standing(self) -> "Helm":
        """Itself once the switch answers; without the one of a pair that is gone and that its engine does not start
        again: nothing passes it, and it reads the map file when it is started. Raises SwitchFault."""
        until = self.clock.monotonic() + self.patience.switch
        gone, since = "", 0.0
        while True:
            try:
                self.switch.entry()
                return self
            except SwitchFault as fault:
                now = self.clock.monotonic()
                place = self._pair.gone() if self.topology.second else ""
                if fault.code == SPLIT:
                    return self
                if place and place != gone:
                    gone, since = place, now
                if place and now - since >= self.patience.gone:
                    return replace(self, without=place)
                if now >= until + (self.patience.gone if place else 0.0):
                    raise
            self.clock.sleep(self.patience.step)

    def present(self) -> Switch:
        """What can have sessions: without the one of a pair that is no process any more."""
        place = self._pair.gone() if self.topology.second else ""
        return replace(self, without=place).switch if place else self.switch

    def catch_up(self) -> None:
        """One of a pair that was started while the other went back may have read the map as it was before, and answer
        late. It says an older epoch than journal and map file, as nothing else does: a flip demands a newer one. Raises
        SwitchFault if the map file cannot be read."""
        with self.lock:
            live, epoch = self.book.account.live, self.book.account.live_epoch
            if not self.topology.second or live is None or self.map_file.read() != (live, epoch):
                return
            for switch in self._pair.switches:
                with contextlib.suppress(SwitchFault):  # it is asked again in the keeper's next round
                    if switch.entry()[1] >= epoch:
                        continue
                    switch.restore(live, epoch)

    def _turned_back(self, failed: Colour, warm: Colour) -> None:
        """Where both may not work at once the failed one's sessions end first, one way or the other."""
        # A turn that was cut off is in the map already and not yet in the journal.
        with self.hold.on(failed, self.map_file.read()[1], self.hooks.drain, cut=True) as until:
            if self.topology.hold:  # half of what is left of it: the turn must come within, whatever hangs
                self.hooks.hush(failed, max(LOOK, until - self.clock.monotonic()) / 2)
            self._set(failed, warm)

    def _set(self, came: Colour | None, to: Colour, *, held: bool = False) -> None:
        before = self.map_file.read() if came is not None else None
        with self.book.locked():  # a lease taken meanwhile gives out an epoch as well
            epoch = self.book.new_epoch()
            if before is not None and before[1] >= epoch:
                raise Refused(f"the map file has epoch {before[1]}; {epoch} is not newer")
            self.book.turn(came, to, epoch, Stage.INTENT)
        self.map_file.write(to, epoch)
        self.book.turn(came, to, epoch, Stage.WRITTEN)
        try:
            no = self._run_time(came, to, epoch, held=held)
        except SwitchFault as fault:
            if fault.code == SET_BACK and before is not None:
                self.map_file.write(*before)  # as one of a pair says again; the turn is not void, for it has served
            raise
        if no and before is not None:
            self.map_file.write(*before)
            self.book.turn(came, to, epoch, Stage.VOID)
            raise Refused(f"the switch refused: {no}")
        if not self.agrees(to, epoch):
            raise SwitchFault("the switch took the command and does not show it", code="read-back")
        self.book.turn(came, to, epoch, Stage.TURNED)
        if came is not None:
            self.note_traffic()  # from this count on, what the old colour is still given is stale

    def note_traffic(self, *, times: bool = False) -> None:
        """Count both colours for the promotion's record, if anything is live and the switch answers; with `times` also
        how long their answers took."""
        if self.book.account.live is None:
            return
        with contextlib.suppress(SwitchFault):  # nothing waits for its figures
            note_traffic(self.book, self.doors, self.switch.counts(), times=times)

    def _run_time(self, came: Colour | None, to: Colour, epoch: int, *, held: bool) -> str:
        """Answers why the switch would not, or "". A switch that is just starting reads the new file by itself."""
        now = self._await_switch()
        if now == (to, epoch):
            return ""
        # Run time was never turned away from where this goes, or a pair was cut off between the one and the other.
        if now is None or now[0] is to or came is None:
            self.switch.restore(to, epoch)
            return ""
        return self.switch.flip(came, to, epoch, held=held)

    def _await_switch(self) -> tuple[Colour, int] | None:
        """What it says once it answers; None: two that do not say the same."""
        until = self.clock.monotonic() + self.patience.switch
        while True:
            try:
                return self.switch.entry()
            except SwitchFault as fault:
                if fault.code == SPLIT:
                    return None
                if self.clock.monotonic() >= until:
                    raise
                self.clock.sleep(self.patience.step)

    def settle(self) -> None:
        """Make run time and journal say what the map file says, where the journal meant it: the file wins.

        Raises SwitchFault if the file cannot be read, the journal never meant it, or the switch does not take it over.
        """
        with self._turn():
            colour, epoch = self.map_file.read()
            account = self.book.account
            known = (account.live, account.live_epoch) == (colour, epoch)
            turn = account.turn
            if not known and (turn is None or (turn.to, turn.epoch) != (colour, epoch)):
                raise SwitchFault(
                    f"the map file says {colour} of epoch {epoch}, which the journal never meant",
                    code="disagreement",
                    hint="somebody else wrote it: otagate recover writes it anew if journal and switch agree",
                )
            if self._await_switch() != (colour, epoch):
                self.switch.restore(colour, epoch)
                if not self.agrees(colour, epoch):
                    raise SwitchFault("the switch does not take over what its map file says", code="read-back")
            if not known and turn is not None:
                self.book.turn(turn.came, turn.to, epoch, Stage.TURNED)

    def mend_map(self) -> None:
        """Write a map file that cannot be read, or that the journal never meant, anew as the switch says. Raises
        SwitchFault if the journal never meant that either."""
        with self.lock:
            account = self.book.account
            if account.live is None:
                return  # nothing was ever served, and what no switch reads may be missing
            meant = account.meant | {(account.live, account.live_epoch)}
            try:
                found = self.map_file.read()
                if found in meant:
                    return
                wrong = f"the map file says {found[0]} of epoch {found[1]}, which the journal never meant"
            except SwitchFault as broken:
                wrong = broken.message
            try:
                run = self.switch.entry()
            except SwitchFault as fault:
                if fault.code == SPLIT:
                    raise
                run = account.live, account.live_epoch  # a switch that is down reads what is written now
            if run not in meant:
                what = f"{wrong}; the journal says {account.live}, the switch {run[0]} of epoch {run[1]}"
                raise SwitchFault(what, code="disagreement", hint="a person must say which serves")
            self.map_file.write(*run)
            self.book.write("seen", message=f"{wrong}: written anew, {run[0]} of epoch {run[1]}")
