"""The old colour's open sessions after a flip: counted by the switch, told as they fall."""

from collections.abc import Mapping

from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.switch import BackendCount, backend
from otagate.core.traffic import Happening
from otagate.steward.book import Book
from otagate.steward.helm import Helm

_LINE_EVERY = 1.0


class Drain:
    """One drain of `old` (None: nothing came before, nothing drains)."""

    def __init__(self, helm: Helm, book: Book, old: Colour | None) -> None:
        self._book = book
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
        if lost := [name for name in self._names.values() if name not in counts]:
            raise SwitchFault(f"the switch does not count {', '.join(lost)}")
        left = {door: counts[name].sessions for door, name in self._names.items()}
        total = sum(left.values())
        due = total == 0 or now - self._told_at >= _LINE_EVERY
        if left != self._told and due:
            self._told, self._told_at = left, now
            message = f"{total} sessions left on {self._old}" if total else f"no session left on {self._old}"
            self._book.tell(Happening.DRAIN, message, left=left)
        return left
