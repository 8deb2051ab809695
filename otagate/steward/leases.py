"""Who may change the platform. A lease lives as long as the connection that took it: the kernel frees it with the
process, silence of a heartbeat frees it where a machine or a network died."""

import threading
import time
from collections.abc import Callable

from otagate.core.errors import Busy
from otagate.core.traffic import Claim, Holder, Scope
from otagate.steward.book import Book


class Leases:
    """Thread-safe. Nothing of it outlives the process: a restarted steward holds no lease."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._held: dict[Scope, Holder] = {}
        self._changed = threading.Condition()

    def acquire(self, claim: Claim, wait: float, gone: Callable[[], bool]) -> Holder:
        """Raises Busy if it is not free within `wait` seconds, or as soon as `gone` says that nobody waits any more."""
        until = time.monotonic() + wait
        with self._changed:
            while (holder := self._held.get(claim.scope)) is not None:
                left = until - time.monotonic()
                if left <= 0 or gone():
                    raise Busy(_held_by(holder), hint="wait for it with --wait 5m, or ask that person")
                self._changed.wait(min(left, 0.5))
            if gone():
                raise Busy("the one who asked is gone")
            with self._book.locked():  # a turn of the switch gives out epochs as well
                entry = self._book.write("lease", epoch=self._book.new_epoch(), claim=claim)
            holder = Holder(claim, entry.at, int(entry.body["epoch"]))
            self._held[claim.scope] = holder
            return holder

    def release(self, holder: Holder, why: str) -> None:
        """Free it at once; a second call does nothing."""
        with self._changed:
            if self._held.get(holder.claim.scope) != holder:
                return
            del self._held[holder.claim.scope]
            self._changed.notify_all()
        self._book.write("freed", epoch=holder.epoch, scope=holder.claim.scope, why=why)

    def holds(self, holder: Holder) -> bool:
        return self._held.get(holder.claim.scope) == holder

    def holders(self) -> tuple[Holder, ...]:
        return tuple(self._held.values())


def _held_by(holder: Holder) -> str:
    claim = holder.claim
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(holder.since))
    why = f" ({claim.why})" if claim.why else ""
    return f"{claim.by} holds the {claim.scope} lease: {claim.command}{why}, from {claim.origin}, since {since}"
