"""Two switches as one: both are asked before either is turned, and what one refuses the other takes back."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.fronts import FrontCount
from otagate.core.switch import OpenSession
from otagate.core.switch_counts import BackendCount
from otagate.steward.outside import Switch

AWAY, GONE = "switch-away", "switch-gone"  # what a switch raises that does not answer; and one that is no process
SILENT = frozenset({AWAY, GONE})
SPLIT = "switches-disagree"
HALF = "switch-half-away"
SET_BACK = "switch-set-back"
PLACES = ("first", "second")


@dataclass(frozen=True)
class Pair:
    """outside.Switch over several; the map file is one for all, so each comes back by itself on what it says.

    `entry` raises SwitchFault: code "switches-disagree" where they do not tell the same, "switch-half-away" where one
    alone answers, which is not a platform whose switches wait for their first map.
    """

    switches: tuple[Switch, ...]

    def entry(self) -> tuple[Colour, int]:
        entries: list[tuple[Colour, int]] = []
        away: list[tuple[str, SwitchFault]] = []
        for place, switch in zip(PLACES, self.switches, strict=True):
            try:
                entries.append(switch.entry())
            except SwitchFault as fault:
                away.append((place, fault))
        if away:
            place, why = away[0]
            code = HALF if entries and why.code in SILENT else why.code
            hint = "otagate up starts it" if why.code == GONE and entries else why.hint
            raise SwitchFault(f"the {place} switch: {why.message}", code=code, hint=hint) from why
        if len(set(entries)) > 1:
            told = (f"the {place} says {c} of epoch {e}" for place, (c, e) in zip(PLACES, entries, strict=True))
            raise SwitchFault(f"the switches do not agree: {', '.join(told)}", code=SPLIT, hint="otagate recover")
        return entries[0]

    def gone(self) -> str:
        """The place of the one that is no process any more, while the other answers; "" for any other pair."""
        told: dict[str, str] = {}
        for place, switch in zip(PLACES, self.switches, strict=True):
            try:
                switch.entry()
            except SwitchFault as fault:
                told[place] = fault.code
        (place, code), *others = [*told.items()] or [("", "")]
        return place if code == GONE and not others else ""

    def flip(self, came: Colour, to: Colour, epoch: int, *, held: bool) -> str:
        """All or none: where one would not, those already turned are set back. Code "switch-set-back" where there were
        any: that is no plain no, for what they were turned to has served."""
        before = self.entry()
        turned: list[Switch] = []
        for place, switch in zip(PLACES, self.switches, strict=True):
            try:
                no = switch.flip(came, to, epoch, held=held)
            except SwitchFault:
                self._set_back([*turned, switch], before)
                raise
            if no:
                self._set_back(turned, before)
                if turned:
                    why = f"the {place} switch would not follow the other, which was set back: {no}"
                    raise SwitchFault(why, code=SET_BACK)
                return f"the {place} switch: {no}"
            turned.append(switch)
        return ""

    def _set_back(self, turned: list[Switch], before: tuple[Colour, int]) -> None:
        """As far as each answers: one that does not reads the map file when it comes back."""
        for switch in turned:
            with contextlib.suppress(SwitchFault):
                switch.restore(*before)

    def hold(self, epoch: int) -> str:
        """All or none."""
        for place, switch in zip(PLACES, self.switches, strict=True):
            if no := switch.hold(epoch):
                for held in self.switches[: PLACES.index(place)]:
                    held.release()
                return f"the {place} switch: {no}"
        return ""

    def release(self) -> float:
        """The longest wait at either. Both are asked, also where the first does not answer."""
        waits, silent = [], []
        for switch in self.switches:
            try:
                waits.append(switch.release())
            except SwitchFault as fault:
                silent.append(fault)
        if silent:
            raise silent[0]
        return max(waits)

    def arm_shadow(self, door: str, seconds: float, most: int) -> None:
        """Each its share, so that together it is at most so many."""
        share = max(1, most // len(self.switches))
        self._each(lambda switch: switch.arm_shadow(door, seconds, share))

    def take_shadow(self, door: str) -> tuple[tuple[bytes, ...], int]:
        taken = [switch.take_shadow(door) for switch in self.switches]
        return tuple(copy for copies, _ in taken for copy in copies), sum(dropped for _, dropped in taken)

    def restore(self, colour: Colour, epoch: int) -> None:
        for switch in self.switches:
            switch.restore(colour, epoch)

    def counts(self) -> Mapping[str, BackendCount]:
        """Added up, and each beside it; up is what both see up, and what one does not know is not counted."""
        first, *others = [switch.counts() for switch in self.switches]
        for other in others:
            first = {name: _sum(count, other[name]) for name, count in first.items() if name in other}
        return first

    def open_sessions(self) -> tuple[OpenSession, ...]:
        """Each bears the place of its switch, for names are one switch's own."""
        return tuple(
            replace(session, name=f"{place}:{session.name}")
            for place, switch in enumerate(self.switches)
            for session in switch.open_sessions()
        )

    def cut(self, session: OpenSession) -> bool:
        place, _, name = session.name.partition(":")
        return self.switches[int(place)].cut(replace(session, name=name))

    def fronts(self) -> Mapping[str, FrontCount]:
        first, *others = [switch.fronts() for switch in self.switches]
        for other in others:
            first = {n: FrontCount(c.open + other[n].open, c.taken + other[n].taken) for n, c in first.items()}
        return first

    def pause(self, door: str) -> None:
        self._each(lambda switch: switch.pause(door))

    def resume(self, door: str) -> None:
        self._each(lambda switch: switch.resume(door))

    def shut(self, door: str) -> None:
        self._each(lambda switch: switch.shut(door))

    def _each(self, do: Callable[[Switch], None]) -> None:
        for switch in self.switches:
            do(switch)


def _sum(one: BackendCount, other: BackendCount) -> BackendCount:
    return BackendCount(
        one.up and other.up,
        one.proven and other.proven,
        one.sessions + other.sessions,
        one.answers + other.answers,
        one.errors + other.errors,
        one.taken + other.taken,
        one.aborted + other.aborted,
        one.queued + other.queued,
        None
        if one.times is None or other.times is None
        else tuple(a + b for a, b in zip(one.times, other.times, strict=True)),
        (*one.by_switch, *other.by_switch),
    )
