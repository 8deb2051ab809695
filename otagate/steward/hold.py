"""The hold of a hold-flip: new work waits at the switch while one colour ends its work and the other begins.

The switch keeps the bound itself. What is here only uses the time: for three quarters of it the old colour may end what
it does; the rest is for the turn. A hold that passes before the turn refuses the turn.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from otagate.core.cloud import Colour
from otagate.core.errors import Fault, Refused, SwitchFault
from otagate.core.switch import backend
from otagate.core.text import counted
from otagate.core.topology import Door
from otagate.core.traffic import Happening
from otagate.steward.book import Book
from otagate.steward.cuts import cut_open
from otagate.steward.outside import Clock, Switch

SHARE = 0.75  # of the bound, for the old colour to end its work
LOOK = 0.01  # seconds between two looks


@dataclass(frozen=True)
class Hold:
    """`bound` in seconds, 0 for a platform that holds nothing: then nothing here does anything."""

    bound: float
    doors: Sequence[Door]
    book: Book
    switch: Switch
    clock: Clock

    @contextlib.contextmanager
    def on(
        self, working: Colour | None, epoch: int, drain: Callable[[Colour, float], str], *, cut: bool
    ) -> Iterator[float]:
        """New work waits inside the block, which begins once `working`, live since `epoch`, has ended its own, and is
        given the time of the clock at which the bound is over; a block that is left early lets new work go where the
        map says then. Raises SwitchFault, and Refused if `working` does not end in time. With `cut` its sessions are
        cut instead, and a switch that would not hold is no reason to stay."""
        if not self.bound or working is None:
            yield float("inf")
            return
        self.off()  # what a steward that died held
        self.book.tell(Happening.STEP, f"new work waits at the switch, at most {self.bound:g} s")
        began = self.clock.monotonic()
        until = began + self.bound
        try:
            no = self.switch.hold(epoch)
        except SwitchFault:
            self.off()  # of a pair the other one holds, or one whose answer was lost
            raise
        if no:
            if not cut:
                raise Refused(f"the switch would not hold: {no}")
            self.book.owe(f"new work was not held: {no}")
            yield until
            return
        try:
            self._emptied(working, began + self.bound * SHARE, drain, cut=cut)
            yield until
        finally:
            longest = self.off()
            with contextlib.suppress(Fault):  # it is over, whether it can be told or not
                told = "nobody knows how long it waited" if longest is None else f"it waited {longest:.3f} s at most"
                took = self.clock.monotonic() - began
                message = f"new work was held for {took:.3f} s: {told}"
                self.book.tell(Happening.STEP, message, held=took, longest=longest)

    def off(self) -> float | None:
        """Let go whatever waits; the longest wait in seconds, None from a switch that does not answer: it lets go by
        itself."""
        if not self.bound:
            return None
        with contextlib.suppress(SwitchFault):
            return self.switch.release()
        return None

    def _emptied(self, colour: Colour, until: float, drain: Callable[[Colour, float], str], *, cut: bool) -> None:
        asked = False
        while left := self._sessions(colour):
            if not asked:
                drain(colour, max(LOOK, until - self.clock.monotonic()))
                asked = True
                continue
            if self.clock.monotonic() >= until:
                if not cut:
                    raise Refused(f"{counted(left, 'session')} of {colour} did not end while new work was held")
                cut_open(self.switch, self.book, self.doors, colour, "while new work was held")
                return
            self.clock.sleep(LOOK)

    def _sessions(self, colour: Colour) -> int:
        counts = self.switch.counts()
        names = [backend(door.name, colour) for door in self.doors]
        if lost := [name for name in names if name not in counts]:
            raise SwitchFault(f"the switch does not count {', '.join(lost)}")
        return sum(counts[name].sessions for name in names)
