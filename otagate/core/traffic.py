"""What the steward says of traffic: who is live, what the journal holds, who has the lease, what is unfinished."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from otagate.core.cloud import Colour
from otagate.core.incident import Incident
from otagate.core.promotion import Phase
from otagate.core.replacement import Replacement
from otagate.core.schema import Schema
from otagate.core.watch import WatchPolicy


class Scope(StrEnum):
    """What a lease is for. A mirror may be raised while a promotion is watched; two of one scope exclude each other."""

    PLATFORM = "platform"
    MIRROR = "mirror"


@dataclass(frozen=True)
class Claim:
    """Who asks for the lease: `by` a person, `origin` user@host:pid, `command` as typed, `why` in a few words."""

    scope: Scope
    by: str
    origin: str
    command: str
    why: str


@dataclass(frozen=True)
class Holder:
    """Who holds it; `since` in seconds since the epoch."""

    claim: Claim
    since: float
    epoch: int


BACK, NOT_BACK = "back", "not back"


class Kind(StrEnum):
    GENESIS = "genesis"
    PROMOTE = "promote"
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class Intent:
    """What a promotion means to do. `builds` maps service to digest; `run` is the judged run ("" for genesis; of a
    rollback the one whose release it leaves, as far as that is known); `drain` in seconds; `override`: the reason for
    which `by` goes back all the same, unsigned; `impact`: the worst class of the services that it changes ("" unknown);
    `schemas` by service."""

    promotion: str
    kind: Kind
    run: str
    release: str
    builds: Mapping[str, str]
    to: Colour
    by: str
    watch: WatchPolicy
    drain: float
    unproven: bool = False
    override: str = ""
    impact: str = ""
    schemas: Mapping[str, Schema] = field(default_factory=dict)


@dataclass(frozen=True)
class Override:
    """Whose word, from where and why, what is stranded is kept; nobody signed it."""

    by: str
    origin: str
    reason: str


@dataclass(frozen=True)
class PromotionView:
    """The current promotion, or the last one. `came` is the colour that was live when it began (None at genesis);
    `hung`: it did as traffic was turned away from it, so it is no way back. `kept`: by whose word it ends on what it
    led to, though it was stranded."""

    intent: Intent
    phase: Phase
    came: Colour | None
    started: float
    changed: float
    reason: str = ""
    debts: tuple[str, ...] = ()
    hung: bool = False
    kept: Override | None = None

    @property
    def end(self) -> str:
        """The phase as a person reads it: what a rollback ends with is no promotion to them."""
        turned_back = self.intent.kind is Kind.ROLLBACK and self.phase is Phase.PROMOTED
        return BACK if turned_back else NOT_BACK if self.not_back else self.phase.value

    @property
    def not_back(self) -> bool:
        """A rollback after which what was to be left still serves."""
        return self.intent.kind is Kind.ROLLBACK and self.phase in (Phase.ABANDONED, Phase.ROLLED_BACK)


@dataclass(frozen=True)
class SwitchView:
    """Map file and run time as read; None: unreadable or absent."""

    file_colour: Colour | None
    file_epoch: int | None
    run_colour: Colour | None
    run_epoch: int | None
    up: Mapping[str, bool] = field(default_factory=dict)  # backend -> has a server that is up


@dataclass(frozen=True)
class ColourView:
    """What the journal says a colour holds. `warm`: a proven way back; `run`: the judged run whose release that is (""
    for genesis)."""

    release: str
    builds: Mapping[str, str]
    warm: bool
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    run: str = ""


@dataclass(frozen=True)
class Status:
    """`disagreements` is empty when journal, map file and run time tell the same story; `incidents` are the open
    ones; `serving` numbers the switch that serves, `replacement` is the current one or the last. `paired`: the steward
    turns two switches, and `serving_second` numbers the other one."""

    source: str  # digest of the otagate that the steward was made from
    live: Colour | None
    epoch: int
    colours: Mapping[str, ColourView]
    switch: SwitchView
    promotion: PromotionView | None
    holders: tuple[Holder, ...]
    disagreements: tuple[str, ...]
    last_flip: float | None
    now: float
    incidents: tuple[Incident, ...] = ()
    # service -> the label of its state as it was last read; both ends of a move that was cut off
    schemas: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    serving: int = 1
    replacement: Replacement | None = None
    paired: bool = False
    serving_second: int = 1


class Happening(StrEnum):
    PHASE = "phase"
    STEP = "step"
    WATCH = "watch"
    DRAIN = "drain"
    TRAFFIC = "traffic"  # what the switch counted of both colours; for the record, told to nobody
    END = "end"


@dataclass(frozen=True)
class StewardEvent:
    """One line of a promotion as the steward tells it; `data` is JSON-like (numbers of the watch, sessions left …)."""

    at: float
    happening: Happening
    phase: Phase
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)
