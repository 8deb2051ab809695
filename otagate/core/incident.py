"""What a release that was left by a rollback did while it was live: kept open until a named person clears it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from otagate.core.cloud import Colour
from otagate.core.text import printable

MOST_ITEMS = 20
MOST_TEXT = 120  # characters of one item


@dataclass(frozen=True)
class Written:
    """What one service says that it wrote. `count` None: nobody could say, and `message` why; never taken for nothing.
    `items` names the first MOST_ITEMS; `quarantined` None: the platform cannot, or it did not work."""

    service: str
    count: int | None = None
    items: tuple[str, ...] = ()
    quarantined: int | None = None
    message: str = ""


@dataclass(frozen=True)
class Clearing:
    """Who cleared it, why, from where; `at` in seconds since the epoch."""

    by: str
    origin: str
    reason: str
    at: float


@dataclass(frozen=True)
class Incident:
    """`release` was live on `colour` from `since` to `opened` (seconds since the epoch) and was left for `reason`;
    `promotion` is the one that turned back; `impact` the worst class of what changed ("" unknown)."""

    incident: str
    promotion: str
    release: str
    builds: Mapping[str, str]
    colour: Colour
    since: float
    opened: float
    reason: str
    impact: str
    written: tuple[Written, ...] = ()
    cleared: Clearing | None = None


def incident_id(promotion: str) -> str:
    """One promotion leaves one incident at most."""
    return f"i-{promotion}"


def held(incidents: Iterable[Incident], release: str) -> Incident | None:
    """The open incident for which a release is held: it may not be promoted again before that is cleared."""
    return next((i for i in incidents if i.cleared is None and i.release == release), None)


def held_message(incident: Incident) -> str:
    return f"this very release was rolled back ({incident.reason}); incident {incident.incident} is open"


HELD = "release-held"
HELD_HINT = "otagate incident list; otagate incident clear ID --by NAME --reason REASON"


def read_written(service: str, answer: Any) -> Written:
    """A service's answer to `written_since`: {"count": N, "items": [text, …]}; ValueError for anything else."""
    count = _whole(answer, "count")
    items = answer.get("items", [])
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items) or len(items) > count:
        raise ValueError("items is no list of at most count texts")
    return Written(service, count, tuple(printable(item, MOST_TEXT) for item in items[:MOST_ITEMS]))


def read_quarantined(answer: Any) -> int:
    """A service's answer to `quarantine`: {"quarantined": N}; ValueError for anything else."""
    return _whole(answer, "quarantined")


def _whole(answer: Any, key: str) -> int:
    number = answer.get(key) if isinstance(answer, Mapping) else None
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise ValueError(f"{key} is no whole number of at least 0")
    return number
