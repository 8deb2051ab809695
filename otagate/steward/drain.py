"""The old colour's open sessions after a flip: counted, told as they fall, cut by name at the deadline."""

from collections.abc import Mapping

from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.switch import backend
from otagate.core.switch_counts import BackendCount
from otagate.core.text import counted
from otagate.core.traffic import Happening
from otagate.steward.book import Book
from otagate.steward.cuts import cut_open
from otagate.steward.helm import Helm
from otagate.steward.outside import Switch
from otagate.steward.traffic import Tape, note_traffic

_LINE_EVERY = 1.0


class Drain:
    """One drain of `old` (None: nothing came before, nothing drains)."""

    def __init__(self, helm: Helm, book: Book, old: Colour | None) -> None:
        self._helm = helm
        self._book = book
        self._tape = Tape()
        self._old = old
        self._names = {door.name: backend(door.name, old) for door in helm.doors} if old else {}
        self._told: dict[str, int] | None = None
        self._told_at = float("-inf")

    def tell(self, counts: Mapping[str, BackendCount], now: float) -> dict[str, int]:
        """Sessions left by door; a line when they changed, at most one a second, the last one at once.

        Raises SwitchFault if the switch does not count one of the backends.
        """
        if self._old is None:
            return {}
        if self._tape.due(now):
            note_traffic(self._book, self._helm.doors, counts)
        if lost := [name for name in self._names.values() if name not in counts]:
            raise SwitchFault(f"the switch does not count {', '.join(lost)}")
        left = {door: counts[name].sessions for door, name in self._names.items()}
        total = sum(left.values())
        due = total == 0 or now - self._told_at >= _LINE_EVERY
        if left != self._told and due:
            self._told, self._told_at = left, now
            still = f"{counted(total, 'session')} left on {self._old}{_by_door(left)}"
            self._book.tell(Happening.DRAIN, still if total else f"{self._old} is drained", left=left, colour=self._old)
        return left

    def cut(self, switch: Switch) -> int:
        """End what is still open at `switch`; answers how many. Raises SwitchFault if one of them would not end."""
        if self._old is None:
            return 0
        return cut_open(switch, self._book, self._helm.doors, self._old, "at the drain's deadline")


def _by_door(left: Mapping[str, int]) -> str:
    open_ = [f"{count} {door}" for door, count in left.items() if count]
    return f": {', '.join(open_)}" if open_ else ""
