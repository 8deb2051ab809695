"""A promotion's flips as its events tell them: when what turned, and what the switch counted of both colours."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from otagate.core.traffic import Happening, StewardEvent

_COUNTED = ("answers", "errors", "sessions", "taken", "aborted")


@dataclass(frozen=True)
class Count:
    """A colour's doors together at one time (seconds since the epoch); all but `sessions` since the switch started."""

    at: float
    answers: int
    errors: int
    sessions: int
    taken: int
    aborted: int


@dataclass(frozen=True)
class Flip:
    """One turn of the switch from `came` to `to`. Times in seconds since the epoch, None for what never came.

    `old` and `new` are the counts of the two colours, from the promotion's beginning to the next turn or its end.
    `cut`: sessions that were ended, at the drain's deadline or in the hold before the turn. `left`: when how many were
    open on the colour that it left, all doors together, as they were told.
    """

    came: str
    to: str
    intended: float
    written: float | None = None
    turned: float | None = None
    answered: float | None = None
    old: tuple[Count, ...] = ()
    new: tuple[Count, ...] = ()
    cut: int = 0
    left: tuple[tuple[float, int], ...] = ()

    @property
    def stale(self) -> int | None:
        """Requests and sessions that the old colour was still given after the turn."""
        turned = self.turned
        return None if turned is None else rise([count for count in self.old if count.at >= turned], "taken")

    def across(self, counts: Sequence[Count]) -> tuple[Count, ...]:
        """From the last before the turn on."""
        before = [count for count in counts if count.at < self.intended]
        return (*before[-1:], *(count for count in counts if count.at >= self.intended))


@dataclass
class _Open:
    """A flip as it is read; `flip` holds what its intent said."""

    flip: Flip
    times: dict[str, float] = field(default_factory=dict)
    counts: dict[str, list[Count]] = field(default_factory=dict)
    cut: int = 0
    left: list[tuple[float, int]] = field(default_factory=list)
    void: bool = False

    def closed(self) -> Flip:
        return replace(
            self.flip,
            written=self.times.get("written"),
            turned=self.times.get("turned"),
            answered=self.times.get("done"),
            old=tuple(self.counts.get(self.flip.came, ())),
            new=tuple(self.counts.get(self.flip.to, ())),
            cut=self.cut,
            left=tuple(self.left),
        )

    def leads(self, came: Any, to: Any) -> bool:
        """Whether a step is its own. Who goes back looks first, and where nothing was turned says only that all answer
        from there."""
        return (self.flip.came, self.flip.to) == (came, to)

    def drains(self, event: StewardEvent) -> bool:
        """Whether it tells of the colour that this left. What names no colour is older than what tells of another."""
        return not self.void and event.data.get("colour") in (None, self.flip.came)


def flips(events: Sequence[StewardEvent]) -> tuple[Flip, ...]:
    """In their order; a turn that the switch refused, and a first release's, which came from nothing, are none."""
    read = _Read()
    for event in events:
        read.turn(event)
        if event.happening is Happening.TRAFFIC:
            read.traffic(event)
        if event.happening is Happening.DRAIN:
            read.drain(event)
    return read.closed()


@dataclass
class _Read:
    """What was read so far. `cut`, by colour, is of no flip yet: a hold comes before the turn, which the switch may
    refuse and which is made again then."""

    found: list[_Open] = field(default_factory=list)
    seen: dict[str, list[Count]] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)

    def turn(self, event: StewardEvent) -> None:
        match event.data.get("stage"), event.data.get("came"), event.data.get("to"):
            case "intent", str(came), str(to):
                before = {colour: list(counts) for colour, counts in self.seen.items()}
                self.found.append(_Open(Flip(came, to, event.at), counts=before, cut=self.cut.pop(came, 0)))
            case "void", str(came), _ if self.found:
                self.found[-1].void = True
                self._wait(came, self.found[-1].cut)
            case str(stage), came, to if self.found and self.found[-1].leads(came, to):
                self.found[-1].times[stage] = event.at

    def traffic(self, event: StewardEvent) -> None:
        for colour, count in _counts(event):
            self.seen.setdefault(colour, []).append(count)
            if self.found:
                self.found[-1].counts.setdefault(colour, []).append(count)

    def drain(self, event: StewardEvent) -> None:
        last = self.found[-1] if self.found and self.found[-1].drains(event) else None
        left, named = event.data.get("left"), event.data.get("cut")
        if last is not None and isinstance(left, Mapping) and all(map(_is_count, left.values())):
            last.left.append((event.at, sum(left.values())))
        if isinstance(named, (list, tuple)):
            colour = event.data.get("colour")
            if last is not None:
                last.cut += len(named)
                last.left += [(event.at, still) for _, still in last.left[-1:]]
            elif isinstance(colour, str):
                self._wait(colour, len(named))

    def _wait(self, colour: str, cut: int) -> None:
        self.cut[colour] = self.cut.get(colour, 0) + cut

    def closed(self) -> tuple[Flip, ...]:
        """What no flip followed was cut after the last one, which was undone without another."""
        kept = [one for one in self.found if not one.void]
        if kept:
            kept[-1].cut += sum(self.cut.values())
        return tuple(one.closed() for one in kept)


def rise(counts: Sequence[Count], name: str) -> int | None:
    """By how much a counter rose from the first count to the last; None if there are not two, or it fell in between,
    as it does when the switch is started anew: then nobody knows."""
    steps = [getattr(after, name) - getattr(before, name) for before, after in pairwise(counts)]
    return sum(steps) if steps and min(steps) >= 0 else None


def _counts(event: StewardEvent) -> Iterator[tuple[str, Count]]:
    for colour, said in event.data.items():
        if isinstance(said, Mapping) and all(_is_count(said.get(name)) for name in _COUNTED):
            yield colour, Count(event.at, *(said[name] for name in _COUNTED))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
