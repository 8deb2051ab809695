"""What this process sent to the archive, for whoever must account for a build that was live and is not any more."""

from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Lock
from typing import Any

from dose_engine.identity import Identity
from dose_engine.refusal import Refusal

MOST_NAMED = 1000


class Written:
    """UIDs of plans and doses that the archive was sent, whether or not it said that it has them, in order. It answers
    only for itself and for its own life: who cannot know, says so."""

    def __init__(self, identity: Identity, now: Callable[[], datetime]) -> None:
        self._identity, self._now, self._began = identity, now, now()
        self._kept: list[tuple[datetime, str]] = []
        self._lock = Lock()

    def note(self, *uids: str) -> None:
        """Sent just now."""
        with self._lock:
            self._kept += [(self._now(), uid) for uid in uids]

    def since(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What `build` as `colour` sent `since` (ISO 8601 with its time zone). Raises Refusal."""
        try:
            since, build, colour = datetime.fromisoformat(asked["since"]), asked["build"], asked["colour"]
            early = since < self._began
        except (KeyError, TypeError, ValueError):
            raise Refusal("bad-request", "build, colour and since with its time zone must be given", http=400) from None
        if (build, colour) != (self._identity.build, self._identity.colour) or early:
            raise Refusal("not-known", "this process is not that build, or has not run since then", http=409)
        with self._lock:
            found = [uid for at, uid in self._kept if at >= since]
        return {"count": len(found), "items": found[:MOST_NAMED]}
