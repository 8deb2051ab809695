"""The one way in for objects, whichever protocol brought them."""

import logging
import os
from threading import BoundedSemaphore

from hello_web.limits import Truncated
from hello_web.settings import Identity
from hello_web.store import Entry, Kept, Objects
from hello_web.summary import Summary, summarise
from hello_web.traits import Traits

AT_ONCE = 4  # summaries in work: each may hold a few copies of a large object

log = logging.getLogger("hello")


class Intake:
    def __init__(self, objects: Objects, identity: Identity, traits: Traits) -> None:
        self._objects = objects
        self._identity = identity
        self._traits = traits
        self._room = BoundedSemaphore(AT_ONCE)

    def summarise(self, data: bytes) -> Summary:
        """Raises Unreadable or one of its kinds."""
        with self._room:
            try:
                return summarise(data, self._traits)
            except Truncated:
                if self._traits.abort_on_truncated:
                    os.abort()  # as a native decoder that reads past its buffer ends the whole process
                raise

    def keep(self, data: bytes, came_by: str) -> tuple[Summary, Kept]:
        """Raises Unreadable or one of its kinds, Conflict, StoreDown."""
        summary = self.summarise(data)
        entry = Entry(summary, data, self._identity.build, self._identity.colour, came_by)
        kept = self._objects.keep(entry)
        whose = f" patient={summary.patient}" if self._traits.log_patient else ""
        log.info(
            "kept sop=%s modality=%s bytes=%d by=%s as=%s%s",
            summary.sop_instance_uid, summary.modality, len(data), came_by, kept.value, whose,
        )  # fmt: skip
        return summary, kept
