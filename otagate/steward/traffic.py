"""What the switch counts of both colours around a flip, kept in the journal for the promotion's report and its watch.

No flip depends on it: where it cannot be counted or kept the flip goes on without.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otagate.core.answer_times import between
from otagate.core.cloud import Colour
from otagate.core.errors import Fault
from otagate.core.switch import backend
from otagate.core.switch_counts import BackendCount, is_timed
from otagate.core.topology import Door
from otagate.core.traffic import Happening, StewardEvent
from otagate.core.wire import typed
from otagate.steward.book import Book

log = logging.getLogger(__name__)

_DENSE = 0.5  # seconds between two samples at first
_THINNING = 20.0  # then a twentieth of the age: a day of it adds about two hundred


def note_traffic(
    book: Book,
    doors: Sequence[Door],
    counts: Mapping[str, BackendCount],
    *,
    times: bool = False,
    start_of: Colour | None = None,
) -> None:
    """One sample under the unfinished promotion, if there is one: the coloured doors' counters added up, and with
    `times` how long each door's answers took. `start_of` is turned to next: its watch counts from here."""
    if book.account.unfinished is None:
        return
    seen: dict[str, Any] = {
        colour.value: _sum([counts.get(backend(door.name, colour)) for door in doors]) for colour in Colour
    }
    if times:
        seen["times"] = {colour.value: _times(doors, counts, colour) for colour in Colour}
    if start_of is not None:
        seen["start"] = {start_of.value: _starts(doors, counts, start_of)}
    try:
        book.tell(Happening.TRAFFIC, "", **seen)
    except Fault as fault:
        log.error("%s", fault.message)


def _sum(counts: Sequence[BackendCount | None]) -> dict[str, int] | None:
    """None where the switch does not count one of them: less than all would look like a fall."""
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return None
    return {
        name: sum(getattr(count, name) for count in known)
        for name in ("answers", "errors", "sessions", "taken", "aborted")
    }


def _times(doors: Sequence[Door], counts: Mapping[str, BackendCount], colour: Colour) -> dict[str, list[int]]:
    told = {door.name: counts.get(backend(door.name, colour)) for door in doors if is_timed(door)}
    return {name: list(count.times) for name, count in told.items() if count is not None and count.times is not None}


@dataclass(frozen=True)
class Start:
    """What one switch had counted of a door when it was about to be turned."""

    answers: int
    errors: int
    times: tuple[int, ...] | None


def _starts(doors: Sequence[Door], counts: Mapping[str, BackendCount], colour: Colour) -> dict[str, list[Start]]:
    told = {door.name: counts.get(backend(door.name, colour)) for door in doors}
    return {
        name: [Start(one.answers, one.errors, one.times) for one in count.by_switch]
        for name, count in told.items()
        if count is not None
    }


def before_the_turn(events: Iterable[StewardEvent], colour: Colour) -> dict[str, tuple[Start, ...]]:
    """Door → what each switch had counted of `colour` when the promotion first proved it, before any of its turns:
    nothing is missed then, whatever keeps the watch from its first look, ends the steward, or strands it in between.
    Empty where the journal does not hold it, as none did that was written before this."""
    starts = (event.data["start"] for event in events if event.happening is Happening.TRAFFIC and "start" in event.data)
    told = [start[colour.value] for start in starts if colour.value in start]
    return typed(dict[str, tuple[Start, ...]], told[0]) if told else {}


@dataclass(frozen=True)
class Before:
    """How long a door's answers took before the flip, and over how many seconds they were counted."""

    times: tuple[int, ...]
    seconds: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return sum(self.times) / self.seconds if self.seconds > 0 else 0.0


def before_the_flip(events: Iterable[StewardEvent], colour: Colour | None) -> dict[str, Before]:
    """Door → what the colour that was live answered from the promotion's beginning to its turn. Read from the journal,
    so that a watch begun anew compares with the same."""
    noted: dict[str, list[tuple[float, tuple[int, ...]]]] = {}
    for event in events:
        if event.data.get("stage") == "intent":
            break
        told = event.data.get("times") if event.happening is Happening.TRAFFIC and colour is not None else None
        for door, times in (told or {}).get(colour, {}).items():
            noted.setdefault(door, []).append((event.at, tuple(times)))
    found = {}
    for door, ((began, first), *_, (ended, last)) in ((d, n) for d, n in noted.items() if len(n) > 1):
        if (rose := between(first, last)) is not None:
            found[door] = Before(rose, ended - began)
    return found


class Tape:
    """When the next sample is due: often at first, ever more seldom after that."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._last = float("-inf")

    def due(self, now: float) -> bool:
        """`now` in monotonic seconds; true starts the wait for the next."""
        self._began = now if self._began is None else self._began
        if now - self._last < max(_DENSE, (now - self._began) / _THINNING):
            return False
        self._last = now
        return True
