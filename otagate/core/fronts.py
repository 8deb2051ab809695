"""What the switch counts in front, at its doors."""

import csv
from dataclasses import dataclass


@dataclass(frozen=True)
class FrontCount:
    """Connections open at one door now, idle ones too, and all it ever took."""

    open: int
    taken: int


def read_fronts(text: str) -> dict[str, FrontCount]:
    """Door → counts of a `show stat` answer; raises ValueError if it is not one."""
    if not text.startswith("# "):
        raise ValueError(f"no statistics: {text[:80]!r}")
    rows = csv.DictReader(text[2:].splitlines())
    fronts = (row for row in rows if row["svname"] == "FRONTEND")
    return {row["pxname"]: FrontCount(int(row["scur"]), int(row["stot"])) for row in fronts}
