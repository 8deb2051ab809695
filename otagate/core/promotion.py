"""One attempt to make a release live: phases, events and the table between them. Data; the grid is tested whole."""

from enum import StrEnum


class Phase(StrEnum):
    PREFLIGHT = "preflight"
    DEPLOYING = "deploying"
    SMOKING = "smoking"
    FLIPPING = "flipping"
    WATCHING = "watching"
    FINALIZING = "finalizing"
    DISCARDING = "discarding"
    ROLLING_BACK = "rolling-back"
    PROMOTED = "promoted"
    ABANDONED = "abandoned"
    ROLLED_BACK = "rolled-back"
    STRANDED = "stranded"

    @property
    def ended(self) -> bool:
        return self in ENDS


class Event(StrEnum):
    OK = "ok"
    REFUSED = "refused"
    FAULT = "fault"
    ABORT = "abort"


ENDS = frozenset({Phase.PROMOTED, Phase.ABANDONED, Phase.ROLLED_BACK})

# From flipping to finalizing nobody but the steward acts: a lost terminal changes nothing.
STEWARDS_OWN = frozenset({Phase.FLIPPING, Phase.WATCHING, Phase.FINALIZING, Phase.ROLLING_BACK})

_P = Phase
_ROWS: dict[Phase, tuple[Phase | None, Phase | None, Phase | None, Phase | None]] = {
    #                    OK             REFUSED           FAULT             ABORT
    _P.PREFLIGHT: (_P.DEPLOYING, _P.ABANDONED, _P.ABANDONED, _P.ABANDONED),
    _P.DEPLOYING: (_P.SMOKING, None, _P.DISCARDING, _P.DISCARDING),
    _P.SMOKING: (_P.FLIPPING, _P.DISCARDING, _P.DISCARDING, _P.DISCARDING),
    _P.FLIPPING: (_P.WATCHING, _P.ROLLING_BACK, _P.ROLLING_BACK, _P.ROLLING_BACK),
    _P.WATCHING: (_P.FINALIZING, _P.ROLLING_BACK, _P.ROLLING_BACK, _P.ROLLING_BACK),
    _P.FINALIZING: (_P.PROMOTED, None, _P.PROMOTED, _P.FINALIZING),
    _P.DISCARDING: (_P.ABANDONED, None, _P.ABANDONED, _P.DISCARDING),
    _P.ROLLING_BACK: (_P.ROLLED_BACK, None, _P.STRANDED, _P.ROLLING_BACK),
    # Traffic that is back is not all: rolling back goes on with what is still open. A first release that served is
    # refused a way back, for nothing came before it, and so is what leaves a colour that hangs: only forward is left,
    # or the end, where nothing was turned. What was set back may have served, and goes by rolling back as well.
    _P.STRANDED: (_P.ROLLING_BACK, _P.FLIPPING, _P.STRANDED, _P.ROLLED_BACK),
}

NEXT: dict[tuple[Phase, Event], Phase] = {
    (phase, event): after
    for phase, row in _ROWS.items()
    for event, after in zip(Event, row, strict=True)
    if after is not None
}

# FAULT here is harmless to traffic and is kept as a debt of the promotion.
OWES = frozenset({(Phase.FINALIZING, Event.FAULT), (Phase.DISCARDING, Event.FAULT)})


def advance(phase: Phase, event: Event) -> Phase:
    """The next phase; raises ValueError for a pair that the table does not hold (a bug of the caller)."""
    try:
        return NEXT[phase, event]
    except KeyError:
        raise ValueError(f"no way on from {phase} by {event}") from None
