"""What the journal knows of schemas: which moves the current promotion began and proved, and where each state is."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from otagate.core.promotion import Phase
from otagate.core.schema import Move, either

BEGUN, PROVEN = "begun", "proven"
WORDS = {BEGUN: "about to move the schema: {move}", PROVEN: "read back: the schema of {move.service} is {move.to}"}


@dataclass(frozen=True)
class Schemas:
    """`begun` by the current promotion, and the services whose label was `proven` since; `at` holds, by service, the
    label that was read last, and both ends of a move from when it is begun until it is proven."""

    begun: tuple[Move, ...] = ()
    proven: frozenset[str] = frozenset()
    at: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def afresh(self) -> "Schemas":
        """As another promotion begins."""
        return replace(self, begun=(), proven=frozenset())

    def add(self, move: Move, stage: str) -> "Schemas":
        """Raises ValueError for a stage that there is not."""
        if stage == BEGUN:
            at = MappingProxyType({**self.at, move.service: (move.came, move.to)})
            return replace(self, begun=(*self.begun, move), proven=self.proven - {move.service}, at=at)
        if stage != PROVEN:
            raise ValueError(f"no stage of a move: {stage!r}")
        at = MappingProxyType({**self.at, move.service: (move.to,)})
        return replace(self, proven=self.proven | {move.service}, at=at)

    def debts(self, phase: Phase) -> tuple[str, ...]:
        """What a promotion that ends in `phase` leaves behind: nobody takes a schema back."""
        if phase not in (Phase.ABANDONED, Phase.ROLLED_BACK):
            return ()
        return tuple(
            f"the schema of {move.service} stays {move.to}, on which the live release was tested"
            if move.service in self.proven
            else f"the schema of {move.service} may be {either((move.came, move.to))}: its move was cut off"
            for move in self.begun
        )
