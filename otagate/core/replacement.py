"""A replacement of the switch itself by another container: how far it got, and what may follow. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Reach(StrEnum):
    """BESIDE: the new one is raised and proven, behind no door. TAKING: told to take the doors; both may accept, by
    the same map. ALONE: the old one accepts nothing more and finishes its sessions. DRAINED: it has none. REPLACED: it
    is removed. VOID: the old one serves as before. UNDONE: and the new one is removed."""

    BESIDE = "beside"
    TAKING = "taking"
    ALONE = "alone"
    DRAINED = "drained"
    REPLACED = "replaced"
    VOID = "void"
    UNDONE = "undone"


FOLLOWS: Mapping[Reach, frozenset[Reach]] = MappingProxyType(
    {
        Reach.BESIDE: frozenset({Reach.TAKING, Reach.VOID}),
        Reach.TAKING: frozenset({Reach.ALONE, Reach.VOID}),
        Reach.ALONE: frozenset({Reach.DRAINED}),
        Reach.DRAINED: frozenset({Reach.REPLACED}),
        Reach.VOID: frozenset({Reach.UNDONE}),
        Reach.REPLACED: frozenset(),
        Reach.UNDONE: frozenset(),
    }
)


@dataclass(frozen=True)
class Replacement:
    """`old` and `new` number the switches, `drain` is in seconds, `since` and `changed` in seconds since the epoch;
    `cut` names each session that was ended at the drain's deadline; `second`: of a pair it is the other one's."""

    by: str
    origin: str
    old: int
    new: int
    drain: float
    reach: Reach
    since: float
    changed: float
    lease: int
    reason: str = ""
    cut: tuple[str, ...] = ()
    second: bool = False

    @property
    def acts(self) -> bool:
        """Two switches may stand at the doors: traffic may not turn now."""
        return self.reach in (Reach.TAKING, Reach.ALONE)

    @property
    def ended(self) -> bool:
        return not FOLLOWS[self.reach]

    @property
    def serving(self) -> int:
        """The number of the one that is to serve."""
        return self.old if self.reach in (Reach.BESIDE, Reach.VOID, Reach.UNDONE) else self.new

    @property
    def left_over(self) -> int | None:
        """The number of the one that nothing needs any more, while it may still stand."""
        return {Reach.VOID: self.new, Reach.DRAINED: self.old}.get(self.reach)
