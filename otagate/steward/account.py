"""What the journal's entries add up to. Pure: the same entries give the same account, at any restart."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from otagate.core.cloud import Colour
from otagate.core.promotion import OWES, Event, Phase
from otagate.core.traffic import ColourView, Happening, Intent, Kind, PromotionView, StewardEvent
from otagate.core.wire import typed
from otagate.steward.journal import Entry


class Stage(StrEnum):
    """How far a turn of the switch got: each is written when it is so, INTENT before anything is done."""

    INTENT = "intent"
    WRITTEN = "written"  # the map file says so: from here on a restarted switch comes up turned
    TURNED = "turned"  # run time set and read back
    DONE = "done"  # hooks called, every listener answered with colour and digest
    VOID = "void"  # the switch refused; the map file is as it was


@dataclass(frozen=True)
class Turn:
    """One turn of the switch; `came` None at genesis."""

    promotion: str
    came: Colour | None
    to: Colour
    epoch: int
    stage: Stage


@dataclass(frozen=True)
class Account:
    """`epoch` is the last one given out; `live_epoch` the one under which the live colour became so."""

    seq: int = 0
    epoch: int = 0
    live: Colour | None = None
    live_epoch: int = 0
    last_flip: float | None = None
    colours: Mapping[str, ColourView] = field(default_factory=lambda: MappingProxyType({}))
    promotion: PromotionView | None = None
    lease: int = 0  # the epoch of the lease under which the promotion was begun
    turn: Turn | None = None
    leaving: bool = False  # somebody asked to go back from the promotion

    @property
    def unfinished(self) -> PromotionView | None:
        return None if self.promotion is None or self.promotion.phase.ended else self.promotion

    def use_of(self, colour: Colour, lease: int) -> str:
        """Why whoever holds `lease` may not remove what stands in `colour`; "" if it may."""
        if colour is self.live:
            return f"{colour} is live"
        if (held := self.colours.get(colour.value)) is not None and held.warm:
            return f"{colour} is warm: it is the way back"
        view = self.unfinished
        if view is None or (view.intent.to is colour and view.phase is Phase.DISCARDING):
            return ""
        if view.intent.to is colour and view.phase is Phase.DEPLOYING and self.lease == lease:
            return ""
        return f"promotion {view.intent.promotion} of {view.intent.by} is unfinished: {view.phase}"


def add(account: Account, entry: Entry) -> Account:
    """The account after one more entry; raises ValueError or KeyError for one that cannot follow."""
    after = replace(account, seq=entry.seq)
    match entry.kind:
        case "lease":
            return replace(after, epoch=_newer(account, entry.body["epoch"]))
        case "begin":
            return _begin(after, entry)
        case "advance":
            return _advance(after, entry)
        case "turn":
            return _turn(after, entry)
        case "debt":
            return _owe(after, str(entry.body["message"]))
        case "go-back":
            return replace(after, leaving=True)
        case "freed" | "step" | "watch" | "drain" | "note" | "seen":
            return after
        case "traffic":
            return after
        case odd:
            raise ValueError(f"unknown kind of entry: {odd!r}")


def _newer(account: Account, epoch: int) -> int:
    if epoch <= account.epoch:
        raise ValueError(f"epoch {epoch} does not follow {account.epoch}")
    return epoch


def _begin(account: Account, entry: Entry) -> Account:
    if account.unfinished is not None:
        raise ValueError(f"{entry.promotion} begins inside {account.unfinished.intent.promotion}")
    came = entry.body["came"]
    view = PromotionView(
        intent=typed(Intent, entry.body["intent"]),
        phase=Phase.PREFLIGHT,
        came=Colour(came) if came is not None else None,
        started=entry.at,
        changed=entry.at,
    )
    return replace(account, promotion=view, lease=int(entry.body["lease"]), leaving=False)


def _advance(account: Account, entry: Entry) -> Account:
    view = account.promotion
    before, event, phase = Phase(entry.body["before"]), Event(entry.body["event"]), Phase(entry.body["after"])
    if view is None or view.intent.promotion != entry.promotion or view.phase is not before:
        raise ValueError(f"entry {entry.seq} advances what is not there")
    message, owes = str(entry.body["message"]), (before, event) in OWES
    reason = view.reason
    if event is not Event.OK and not owes:
        reason = f"{reason}; then {message}" if reason else message
    debts = (*view.debts, message) if owes else view.debts
    after = replace(view, phase=phase, changed=entry.at, reason=reason, debts=debts)
    return replace(account, promotion=after, colours=_colours(account.colours, after, event))


def _colours(before: Mapping[str, ColourView], view: PromotionView, event: Event) -> Mapping[str, ColourView]:
    """What each colour holds once `view.phase` is entered by `event`."""
    intent, colours = view.intent, dict(before)
    to, came = intent.to.value, view.came.value if view.came else None
    deploys = intent.kind is not Kind.ROLLBACK
    match view.phase:
        case Phase.DEPLOYING if deploys:
            colours[to] = ColourView(intent.release, dict(intent.builds), warm=False)
        case Phase.ABANDONED if deploys and event is Event.OK:
            colours.pop(to, None)
        case Phase.PROMOTED | Phase.ROLLED_BACK:
            promoted = view.phase is Phase.PROMOTED
            if to in colours:
                colours[to] = replace(colours[to], warm=False)
            if came in colours:
                # Whoever rolled back from a release is not offered that release as a way back.
                colours[came] = replace(colours[came], warm=promoted and intent.kind is Kind.PROMOTE)
        case _:
            pass
    return MappingProxyType(colours)


def _turn(account: Account, entry: Entry) -> Account:
    body = entry.body
    came = Colour(body["came"]) if body["came"] is not None else None
    turn = Turn(entry.promotion, came, Colour(body["to"]), int(body["epoch"]), Stage(body["stage"]))
    after = replace(account, turn=turn)
    if turn.stage is Stage.INTENT:
        return replace(after, epoch=_newer(account, turn.epoch))
    if turn.stage is Stage.TURNED:
        return replace(after, live=turn.to, live_epoch=turn.epoch, last_flip=entry.at)
    return after


def _owe(account: Account, message: str) -> Account:
    if account.promotion is None:
        raise ValueError("a debt without a promotion")
    return replace(account, promotion=replace(account.promotion, debts=(*account.promotion.debts, message)))


_TOLD = {
    "step": Happening.STEP,
    "note": Happening.STEP,
    "go-back": Happening.STEP,
    "watch": Happening.WATCH,
    "drain": Happening.DRAIN,
    "traffic": Happening.TRAFFIC,
}


def event_of(entry: Entry) -> StewardEvent | None:
    """An entry as those who follow see it; None for what is not theirs."""
    body = entry.body
    if entry.kind in _TOLD:
        return StewardEvent(entry.at, _TOLD[entry.kind], Phase(body["phase"]), body["message"], body.get("data", {}))
    if entry.kind == "advance":
        phase = Phase(body["after"])
        halts = phase.ended or phase is Phase.STRANDED
        return StewardEvent(
            entry.at, Happening.END if halts else Happening.PHASE, phase, body["message"], {"event": body["event"]}
        )
    if entry.kind == "begin":
        return StewardEvent(entry.at, Happening.PHASE, Phase.PREFLIGHT, f"begun by {body['intent']['by']}", {})
    if entry.kind == "turn":
        return _turn_event(entry.at, body)
    if entry.kind == "debt":
        return StewardEvent(entry.at, Happening.STEP, Phase(body["phase"]), f"left undone: {body['message']}", {})
    return None


def _turn_event(at: float, body: Mapping[str, Any]) -> StewardEvent:
    words = {
        Stage.INTENT: "about to turn {came} → {to}, epoch {epoch}",
        Stage.WRITTEN: "map file says {to}",
        Stage.TURNED: "switch turned to {to} and read back",
        Stage.DONE: "every listener answers from {to}",
        Stage.VOID: "the switch refused: the map file says {came} again",
    }
    message = words[Stage(body["stage"])].format(came=body["came"] or "nothing", to=body["to"], epoch=body["epoch"])
    data = {key: body[key] for key in ("came", "to", "epoch", "stage")}
    return StewardEvent(at, Happening.STEP, Phase(body["phase"]), message, data)
