"""Replacing the switch itself: another takes the doors while both stand, and the old one finishes its sessions.

prove the new one behind no door → TAKING (journal) → the file that says who takes the doors' sockets → the old one
pauses → every door is asked in front, and the new one counts it → ALONE (journal) → the old one shuts its doors →
its sessions end or are cut → DRAINED (journal). Until ALONE all of it is taken back where something breaks. Each step
looks first, so all are done again after a restart. Of a pair each is replaced by itself, behind its own doors.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from otagate.core.cloud import Colour
from otagate.core.errors import OtagateError, ProbeFault, Refused, SwitchFault
from otagate.core.places import SECOND, switch_name
from otagate.core.platform import Protocol, Tls
from otagate.core.replacement import Reach, Replacement
from otagate.core.switch import STANDING, backend
from otagate.core.topology import Door
from otagate.core.traffic import Holder
from otagate.steward.book import Book
from otagate.steward.helm import Helm
from otagate.steward.journal import JournalFull
from otagate.steward.listeners import PROBE_DEADLINE
from otagate.steward.map_file import write_durably
from otagate.steward.outside import Switch
from otagate.steward.pair import GONE, SPLIT

SERVING = "serving"
MISSES = 3  # looks in a row without an answer: there will be none
log = logging.getLogger(__name__)


class Exchange:
    """At most one thread works, from TAKING to DRAINED or VOID; it needs no command line."""

    def __init__(self, helm: Helm, book: Book, volume: Path) -> None:
        self._helm = helm
        self._book = book
        self._files = {False: volume / SERVING, True: volume / SECOND / SERVING}
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    # --- what may be asked ---

    def leaves_alone(self) -> None:
        """Refused while two switches may stand at the doors: traffic is not turned then."""
        now = self._book.account.replacement
        if now is not None and now.acts:
            raise Refused(
                f"{now.by} is replacing the switch: {now.reach}",
                code="replacing",
                hint="the steward finishes it by itself; otagate status",
            )

    def begin(self, holder: Holder, drain: float, *, second: bool = False) -> Replacement:
        """Give the new one its number. Refused while anything else is unfinished, nothing is live, or there is no
        `second`."""
        self._no_promotion()
        account = self._book.account
        if (now := account.replacement) is not None and not now.ended:
            raise Refused(
                f"a replacement of the switch by {now.by} is unfinished: {now.reach}",
                code="unfinished",
                hint="otagate recover finishes or undoes it",
            )
        if second and not self._helm.topology.second:
            raise Refused("there is one switch, and no second", code="no-pair", hint="otagate status")
        if account.live is None:
            raise Refused("nothing is live yet", code="out-of-order", hint="otagate up")
        if not self._agrees(account.live, account.live_epoch):
            raise Refused(
                "journal, map file and switch do not agree on what serves",
                code="disagreement",
                hint="otagate status, then otagate recover",
            )
        at, claim = self._helm.clock.now(), holder.claim
        old, new = account.serves(second=second), account.switches + 1
        made = Replacement(claim.by, claim.origin, old, new, drain, Reach.BESIDE, at, at, holder.epoch, second=second)
        self._book.write("replacement", replacement=made)
        return made

    def take(self, holds: Callable[[], object]) -> Replacement:
        """Prove the new one, then let it take the doors; answers at once. `holds` raises where the lease is not held.
        Refused and Fault: nothing was moved."""
        self._prove(self._current(Reach.BESIDE))
        with self._book.locked():  # proving takes its time, in which the lease may have become another's
            holds()
            self._no_promotion()
            self._current(Reach.BESIDE)
            taking = self._book.reach(Reach.TAKING)
        self._set_off()
        return taking

    def give_up(self, reason: str) -> Replacement:
        """The new one could not be raised or proven."""
        self._current(Reach.BESIDE)
        return self._book.reach(Reach.VOID, reason)

    def tidied(self) -> Replacement:
        """What nothing needs any more is removed."""
        now = self._current(Reach.DRAINED, Reach.VOID)
        return self._book.reach(Reach.REPLACED if now.reach is Reach.DRAINED else Reach.UNDONE)

    def mend(self, by: str) -> None:
        """Go on with what was cut off. The caller holds the lease, so whoever raised the new one is gone."""
        now = self._book.account.replacement
        if now is not None and now.reach is Reach.BESIDE:
            self._book.reach(Reach.VOID, f"cut off before anything was moved, undone by {by}")
        self.resume()

    def resume(self) -> None:
        """Make the files say what the journal says, and go on where the last steward was cut off."""
        account = self._book.account
        if (now := account.replacement) is None:
            return
        for second in (False, True) if self._helm.topology.second else (False,):
            if not (now.acts and now.second is second):
                self._serve(account.serves(second=second), second=second)
        if now.acts:
            self._set_off()

    def _no_promotion(self) -> None:
        if (view := self._book.account.unfinished) is not None:
            raise Refused(
                f"promotion {view.intent.promotion} of {view.intent.by} is unfinished: {view.phase}",
                code="unfinished",
                hint="otagate status shows it; otagate recover finishes or undoes it",
            )

    def _current(self, *reaches: Reach) -> Replacement:
        now = self._book.account.replacement
        if now is None or now.reach not in reaches:
            said = "there is none" if now is None else f"it is {now.reach}"
            raise Refused(f"no replacement of the switch is at that point: {said}", code="out-of-order")
        return now

    # --- the work ---

    def _set_off(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self.run, name="exchange", daemon=True)
                self._thread.start()

    def run(self) -> None:
        """Until nothing is between two switches any more. What cannot be journalled is not so: it is done again."""
        while (now := self._book.account.replacement) is not None and now.acts:
            try:
                self._taking(now) if now.reach is Reach.TAKING else self._alone(now)
            except SwitchFault as fault:
                log.error("%s", fault.message)
                self._helm.clock.sleep(1.0)

    def _taking(self, now: Replacement) -> None:
        try:
            self._take_over(now)
        except JournalFull:
            raise
        except OtagateError as error:
            self._back(now, error.message)
        except Exception as bug:  # the old one must not stay paused, whatever broke
            log.exception("the replacement broke")
            self._back(now, f"bug of the steward: {type(bug).__name__}: {bug}")
        else:
            self._book.reach(Reach.ALONE)

    def _take_over(self, now: Replacement) -> None:
        self._serve(now.new, second=now.second)
        new, old = self._at_doors(now, now.new), self._at_doors(now, now.old)
        self._until(lambda: self._says_live(new), "the new switch does not come to the doors")
        before = new.fronts()
        with contextlib.suppress(SwitchFault):  # one that its engine restarted meanwhile stands at no door
            self._each(old.pause)
        taken = {name: count.taken for name, count in before.items()}
        self._until(lambda: self._front_answers(now, new, taken), "the doors do not answer through the new switch")

    def _back(self, now: Replacement, why: str) -> None:
        """The old one serves as before, the new one nothing. Raises SwitchFault where the old one does not take the
        doors again: the new one stays at them then, and all is tried anew."""
        log.error("the replacement is taken back: %s", why)
        self._serve(now.old, second=now.second)
        old, new = self._at_doors(now, now.old), self._at_doors(now, now.new)
        self._until(lambda: self._each(old.resume), "the old switch does not take the doors again")
        for _ in range(MISSES):  # one that does not answer at all is away, and whoever starts now reads who serves
            with contextlib.suppress(SwitchFault):
                self._each(new.shut)
                break
            self._helm.clock.sleep(self._helm.patience.step)
        self._book.reach(Reach.VOID, why)

    def _alone(self, now: Replacement) -> None:
        """One that is only silent may have sessions all the same: it is given the whole drain, and nobody says then
        that none was cut."""
        old, misses, why = self._at_doors(now, now.old), 0, ""
        while misses < MISSES:
            late = self._helm.clock.now() >= now.changed + now.drain
            try:
                self._each(old.shut)
                open_ = sum(count.open for name, count in old.fronts().items() if name in self._names)
                if open_ == 0 or late:
                    self._book.reach(Reach.DRAINED, cut=self._cut(old) if open_ else ())
                    return
                misses = 0
            except SwitchFault as fault:
                if isinstance(fault, JournalFull):
                    raise
                log.warning("the old switch: %s", fault.message)
                ended = fault.code == GONE
                misses = misses + 1 if ended or late else 0
                why = "the old switch ended by itself" if ended else f"not known whether any was open: {fault.message}"
            self._helm.clock.sleep(self._helm.patience.step)
        self._book.reach(Reach.DRAINED, why)

    def _cut(self, old: Switch) -> tuple[str, ...]:
        """Sessions at work are named; a kept-alive connection between two requests is no session."""
        known = {backend(door.name, side): door.name for door in self._doors for side in (*door.backs, STANDING)}
        late = [session for session in old.open_sessions() if session.backend in known]
        return tuple(f"{known[s.backend]} {s.client} open {s.age}" for s in late if old.cut(s))

    # --- looks ---

    @property
    def _doors(self) -> tuple[Door, ...]:
        return self._helm.topology.doors

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(door.name for door in self._doors)

    def _at_doors(self, now: Replacement, number: int) -> Switch:
        return self._helm.switches.at_doors(number, second=now.second)

    def _each(self, do: Callable[[str], None]) -> None:
        for name in self._names:
            do(name)

    def _serve(self, number: int, *, second: bool) -> None:
        """Durable when it returns; a switch that starts later reads it as well. Raises SwitchFault."""
        file = self._files[second]
        try:
            if not file.exists() or file.read_text() != f"{number}\n":
                write_durably(file, f"{number}\n".encode())
        except OSError as error:
            what = f"it cannot be written which switch serves: {error}"
            raise SwitchFault(what, code="map-write", hint="make room on the disk of the steward's volume") from error

    def _agrees(self, live: Colour, epoch: int) -> bool:
        try:
            return self._helm.agrees(live, epoch)
        except SwitchFault as fault:
            if fault.code == SPLIT:
                return False
            raise

    def _says_live(self, switch: Switch) -> None:
        account = self._book.account
        if switch.entry() != (account.live, account.live_epoch):
            raise SwitchFault("the new switch's map is not what the journal says", code="read-back")

    def _prove(self, now: Replacement) -> None:
        """The new one's own map, servers and doors, asked where it stands. Raises Refused and Fault."""
        self._until(lambda: self._rehearses(now), "the new switch is not proven")

    def _rehearses(self, now: Replacement) -> None:
        new = self._helm.switches.rehearsing(now.new, second=now.second)
        self._says_live(new)
        up = {name for name, count in self._helm.switch.counts().items() if count.up}
        there = {name for name, count in new.counts().items() if count.up}
        if up - there:
            raise Refused(f"it sees no server up: {' '.join(sorted(up - there))}")
        self._ask(switch_name(self._helm.topology.platform, now.new, second=now.second))

    def _front_answers(self, now: Replacement, new: Switch, taken: Mapping[str, int]) -> None:
        """In front, and the new one counts it: `taken` is what each of its doors had taken before."""
        self._ask(self._helm.topology.second if now.second else self._helm.topology.switch)
        after = new.fronts()
        if silent := [name for name in self._names if after[name].taken <= taken[name]]:
            raise SwitchFault(f"nothing came to the new switch at {', '.join(silent)}", code="switch-door")

    def _ask(self, host: str) -> None:
        """Each door at `host`: a coloured one by colour and build, another by being open."""
        account = self._book.account
        if account.live is None:
            raise SwitchFault("nothing is live", code="out-of-order")
        self._helm.through_front(account.live, account.colours[account.live.value].builds, host)
        for door in self._doors:
            if not door.coloured:
                bare = replace(door, protocol=Protocol.TCP)
                self._helm.services.ask(bare, host, door.front, PROBE_DEADLINE, tls=door.tls is not Tls.NONE)

    def _until(self, holds: Callable[[], None], what: str) -> None:
        until = self._helm.clock.monotonic() + self._helm.patience.up
        while True:
            try:
                return holds()
            except (Refused, ProbeFault, SwitchFault) as no:
                if self._helm.clock.monotonic() >= until:
                    raise SwitchFault(f"{what}: {no.message}", code="switch-unproven", hint="its log says why") from no
            self._helm.clock.sleep(self._helm.patience.step)
