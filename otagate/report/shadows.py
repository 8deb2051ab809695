"""What a promotion's shadow found, from its events: figures by listener, and where answers differed."""

from collections.abc import Mapping, Sequence
from typing import Any

from otagate.core.traffic import StewardEvent

_SHOWN = ("compared", "differing", "moving", "unpaired", "dropped")
TITLES = {
    "compared": "compared",
    "differing": "answered differently",
    "moving": "the live colour changed its own answer",
    "unpaired": "the live colour did not answer",
    "dropped": "not copied",
}


def shadows(events: Sequence[StewardEvent]) -> list[Mapping[str, Any]]:
    """One entry a listener; empty where no shadow was asked for. `rows`: request, place, what."""
    return [_shadow(event.data["shadow"]) for event in events if isinstance(event.data.get("shadow"), Mapping)]


def _shadow(told: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "listener": str(told.get("listener", "")),
        "told": str(told.get("told", "unknown")),
        "refuses": bool(told.get("refuses")),
        "trouble": str(told.get("trouble", "")),
        "figures": {TITLES[name]: str(told.get(name, "unknown")) for name in _SHOWN},
        "rows": [
            (f"{example['method']} {example['path']}", difference["place"], difference["message"])
            for example in told.get("examples", ())
            for difference in example["differences"]
        ],
    }
