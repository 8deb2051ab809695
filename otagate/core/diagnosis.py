"""What `otagate doctor` looks at: one check with what was found and, where it is not well, what to do."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """`remedy` is empty where `well`."""

    name: str
    well: bool
    found: str
    remedy: str = ""
