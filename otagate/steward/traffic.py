"""What the switch counts of both colours around a flip, kept in the journal for the promotion's report.

Nothing depends on it: where it cannot be counted or kept the flip goes on without.
"""

import logging
from collections.abc import Mapping, Sequence

from otagate.core.cloud import Colour
from otagate.core.errors import Fault
from otagate.core.switch import BackendCount, backend
from otagate.core.topology import Door
from otagate.core.traffic import Happening
from otagate.steward.book import Book

log = logging.getLogger(__name__)

_DENSE = 0.5  # seconds between two samples at first
_THINNING = 20.0  # then a twentieth of the age: a day of it adds about two hundred


def note_traffic(book: Book, doors: Sequence[Door], counts: Mapping[str, BackendCount]) -> None:
    """One sample under the unfinished promotion, if there is one: the coloured doors' counters added up."""
    if book.account.unfinished is None:
        return
    seen = {colour.value: _sum([counts.get(backend(door.name, colour)) for door in doors]) for colour in Colour}
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
