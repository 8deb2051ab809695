"""What the service does on its own, and only while it is active: one row a second with the count of kept objects."""

import logging
from threading import Condition, Lock, Thread
from typing import Protocol

from hello_web.settings import Identity
from hello_web.store import StoreDown

PERIOD = 1.0  # seconds

log = logging.getLogger("hello")


class Tallies(Protocol):
    def tally(self, build: str, colour: str) -> None:
        """Writes one row. Raises StoreDown."""


class Tally:
    """Starts passive."""

    def __init__(self, store: Tallies, identity: Identity) -> None:
        self._store = store
        self._identity = identity
        self._turn = Condition()
        self._active = False
        self._ended = False
        self._writing = Lock()
        self._thread = Thread(target=self._run, name="tally", daemon=True)

    @property
    def active(self) -> bool:
        return self._active

    def start(self) -> None:
        self._thread.start()

    def activate(self) -> None:
        self._set(active=True)

    def passive(self) -> None:
        """When it returns, no row is being written and none will be."""
        self._set(active=False)
        with self._writing:
            pass

    def close(self) -> None:
        self._ended = True
        self.passive()
        self._thread.join(timeout=1.0)

    def _set(self, *, active: bool) -> None:
        with self._turn:
            changed, self._active = self._active is not active, active
            self._turn.notify_all()
        if changed:
            log.info("now %s", "active" if active else "passive")

    def _run(self) -> None:
        while not self._ended:
            with self._turn:
                self._turn.wait_for(lambda: self._active or self._ended)
            self._write()
            with self._turn:
                self._turn.wait_for(lambda: not self._active or self._ended, timeout=PERIOD)

    def _write(self) -> None:
        with self._writing:
            if not self._active:
                return
            try:
                self._store.tally(self._identity.build, self._identity.colour)
            except StoreDown:
                log.warning("no tally: the store does not answer")
