"""Keeping with a delay: an object is acknowledged at once and written to the store a little later."""

import logging
from threading import Event, Lock, Thread
from typing import Any

from hello_web.store import Conflict, Entry, Kept, Objects, Span, StoreDown

log = logging.getLogger("hello")


class Behind:
    """Answers reads from what is not yet written as well. What is not written when the process dies is lost."""

    def __init__(self, inner: Objects, delay: float) -> None:
        self._inner = inner
        self._delay = delay
        self._waiting: dict[str, Entry] = {}
        self._lock = Lock()
        self._ended = Event()
        self._thread = Thread(target=self._run, name="write-behind", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Writes what waits. Lasts as long as the store needs."""
        self._ended.set()
        self._thread.join(timeout=5.0)

    def keep(self, entry: Entry) -> Kept:
        uid = entry.summary.sop_instance_uid
        found = self.find(uid)
        if found is not None:
            if found["summary"]["sha256"] != entry.summary.sha256:
                raise Conflict(uid)
            return Kept.SAME
        with self._lock:
            self._waiting[uid] = entry
        return Kept.NEW

    def holds(self, uid: str) -> bool:
        return self._of(uid) is not None or self._inner.holds(uid)

    def find(self, uid: str) -> dict[str, Any] | None:
        entry = self._of(uid)
        if entry is None:
            return self._inner.find(uid)
        known = {"summary": entry.summary.answer, "kept_by": entry.kept_by, "came_by": entry.came_by}
        return {**known, "kept_bytes": None, "quarantined": False}

    def content(self, uid: str) -> bytes | None:
        entry = self._of(uid)
        return self._inner.content(uid) if entry is None else entry.content

    def recent(self, limit: int) -> list[dict[str, Any]]:
        with self._lock:
            waiting = [entry.line() for entry in reversed(self._waiting.values())]
        uids = {line["sop_instance_uid"] for line in waiting}
        written = [line for line in self._inner.recent(limit) if line["sop_instance_uid"] not in uids]
        return (waiting + written)[:limit]

    def written(self, span: Span, limit: int) -> tuple[int, list[str]]:
        self._write()
        return self._inner.written(span, limit)

    def quarantine(self, span: Span) -> int:
        self._write()
        return self._inner.quarantine(span)

    def _of(self, uid: str) -> Entry | None:
        with self._lock:
            return self._waiting.get(uid)

    def _run(self) -> None:
        while not self._ended.wait(self._delay):
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            entries = list(self._waiting.items())
        for uid, entry in entries:
            try:
                self._inner.keep(entry)
            except StoreDown:
                return  # kept waiting, tried again
            except Conflict:
                log.error("could not write sop=%s: another object is there", uid)
            with self._lock:
                self._waiting.pop(uid, None)
