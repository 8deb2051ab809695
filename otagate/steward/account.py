"""What the journal's entries add up to. Pure: the same entries give the same account, at any restart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from otagate.core.cloud import Colour
from otagate.core.incident import Clearing, Incident, Written, incident_id
from otagate.core.promotion import OWES, Event, Phase
from otagate.core.replacement import FOLLOWS, Reach, Replacement
from otagate.core.schema import Move
from otagate.core.traffic import ColourView, Happening, Intent, Kind, Override, PromotionView, StewardEvent
from otagate.core.wire import typed
from otagate.steward.journal import Entry
from otagate.steward.moves import Schemas


class Stage(StrEnum):
    """How far a turn of the switch got: each is written when it is so, INTENT before anything is done."""

    INTENT = "intent"
    WRITTEN = "written"  # the map file says so: from here on a restarted switch comes up turned
    TURNED = "turned"  # run time set and read back
    DONE = "done"  # hooks called, every listener answered with colour and digest
    VOID = "void"  # the switch refused, or it was cut off before: the map file is as it was


@dataclass(frozen=True)
class Turn:
    """One turn of the switch; `came` None at genesis."""

    promotion: str
    came: Colour | None
    to: Colour
    epoch: int
    stage: Stage
    meant: float = 0.0  # when it was written down, seconds since the epoch


@dataclass(frozen=True)
class Served:
    """Since when a colour last served, at the earliest (seconds since the epoch), and by which promotion it came."""

    promotion: str
    since: float


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
    meant: frozenset[tuple[Colour, int]] = frozenset()  # where turns since the last that was read back were to lead
    leaving: bool = False  # somebody asked to go back from the promotion
    served: Mapping[str, Served] = field(default_factory=lambda: MappingProxyType({}))
    told: tuple[Written, ...] = ()  # what the services of the release that is left say they wrote
    incidents: tuple[Incident, ...] = ()
    schemas: Schemas = field(default_factory=Schemas)
    serving: int = 1  # the switch at the doors
    serving_second: int = 1  # the same of a pair's other doors
    switches: int = 1  # the last number given to one; a pair shares the numbers
    replacement: Replacement | None = None

    @property
    def unfinished(self) -> PromotionView | None:
        return None if self.promotion is None or self.promotion.phase.ended else self.promotion

    def serves(self, *, second: bool) -> int:
        """The number of the switch at the doors, or at a pair's other doors."""
        return self.serving_second if second else self.serving

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
    if entry.kind in _TELLS_ONLY:
        return after
    if entry.kind not in _ADDS:
        raise ValueError(f"unknown kind of entry: {entry.kind!r}")
    return _ADDS[entry.kind](after, entry)


def _lease(account: Account, entry: Entry) -> Account:
    return replace(account, epoch=_newer(account, entry.body["epoch"]))


def _leave(account: Account, _entry: Entry) -> Account:
    return replace(account, leaving=True)


def _hung(account: Account, _entry: Entry) -> Account:
    if account.promotion is None:
        raise ValueError("nothing is left without a promotion")
    return replace(account, promotion=replace(account.promotion, hung=True))


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
    lease, schemas = int(entry.body["lease"]), account.schemas.afresh()
    return replace(account, promotion=view, lease=lease, leaving=False, told=(), schemas=schemas)


def _advance(account: Account, entry: Entry) -> Account:
    view = account.promotion
    before, event, phase = Phase(entry.body["before"]), Event(entry.body["event"]), Phase(entry.body["after"])
    if view is None or view.intent.promotion != entry.promotion or view.phase is not before:
        raise ValueError(f"entry {entry.seq} advances what is not there")
    message, owes = str(entry.body["message"]), (before, event) in OWES
    reason = view.reason
    if event is not Event.OK and not owes:
        reason = f"{reason}; then {message}" if reason else message
    debts = (*view.debts, *((message,) if owes else ()), *account.schemas.debts(phase))
    said = entry.body.get("override")
    word = None if said is None else typed(Override, said)
    kept = None if phase is Phase.STRANDED else word or view.kept  # whoever strands it again is asked again
    leaving = account.leaving and word is None  # whoever asked to go back before that is overruled
    after = replace(view, phase=phase, changed=entry.at, reason=reason, debts=debts, kept=kept)
    opened = incident_of(account, phase, entry.at, after.reason)
    incidents = account.incidents if opened is None else (*account.incidents, opened)
    colours = _colours(account.colours, after, event)
    return replace(account, promotion=after, colours=colours, incidents=incidents, leaving=leaving)


def incident_of(account: Account, phase: Phase, at: float, reason: str) -> Incident | None:
    """What the current promotion opens if it ends in `phase`; None for every end but a way back from what served."""
    view = account.promotion
    if view is None or view.came is None:
        return None
    intent = view.intent
    if intent.kind is Kind.PROMOTE and phase is Phase.ROLLED_BACK:
        left, since = intent.to, account.served.get(intent.to.value)
        if since is None or since.promotion != intent.promotion:
            return None  # it never served
        release, builds = intent.release, intent.builds
    elif intent.kind is Kind.ROLLBACK and phase is Phase.PROMOTED:
        left, since = view.came, account.served.get(view.came.value)
        held = account.colours.get(left.value)
        release, builds = (held.release, held.builds) if held else ("", {})
        reason = f"rolled back by {intent.by}" + (f": {intent.override}" if intent.override else "")
    else:
        return None
    told = {written.service: written for written in account.told}
    return Incident(
        incident_id(intent.promotion),
        intent.promotion,
        release,
        builds,
        left,
        since.since if since else 0.0,
        at,
        reason,
        intent.impact,
        tuple(told.get(service, Written(service, message="nobody asked it")) for service in sorted(builds)),
    )


def _tell(account: Account, entry: Entry) -> Account:
    written = typed(Written, entry.body["written"])
    others = tuple(told for told in account.told if told.service != written.service)
    return replace(account, told=(*others, written))


def _clear(account: Account, entry: Entry) -> Account:
    body = entry.body
    clearing = Clearing(str(body["by"]), str(body["origin"]), str(body["reason"]), entry.at)
    if not any(i.incident == body["incident"] and i.cleared is None for i in account.incidents):
        raise ValueError(f"incident {body['incident']} is not open")
    cleared = (replace(i, cleared=clearing) if i.incident == body["incident"] else i for i in account.incidents)
    return replace(account, incidents=tuple(cleared))


def _replace(account: Account, entry: Entry) -> Account:
    now, before = typed(Replacement, entry.body["replacement"]), account.replacement
    if before is not None and not before.ended:
        if now.reach not in FOLLOWS[before.reach] or (now.new, now.second) != (before.new, before.second):
            raise ValueError(f"a replacement that is {now.reach} does not follow one that is {before.reach}")
    elif now.reach is not Reach.BESIDE or now.new <= account.switches or now.old != account.serves(second=now.second):
        raise ValueError(f"no replacement begins as {now.reach} from switch {now.old} to {now.new}")
    after = replace(account, switches=max(account.switches, now.new), replacement=now)
    return replace(after, serving_second=now.serving) if now.second else replace(after, serving=now.serving)


def _colours(before: Mapping[str, ColourView], view: PromotionView, event: Event) -> Mapping[str, ColourView]:
    """What each colour holds once `view.phase` is entered by `event`."""
    intent, colours = view.intent, dict(before)
    to, came = intent.to.value, view.came.value if view.came else None
    deploys = intent.kind is not Kind.ROLLBACK
    match view.phase:
        case Phase.DEPLOYING if deploys:
            colours[to] = ColourView(intent.release, dict(intent.builds), False, dict(intent.schemas), intent.run)
        case Phase.ABANDONED if deploys and event is Event.OK:
            colours.pop(to, None)
        case Phase.PROMOTED | Phase.ROLLED_BACK:
            promoted = view.phase is Phase.PROMOTED
            # A rollback that ended where it began leaves the way back as it was, and may be asked for again.
            if to in colours and (promoted or deploys):
                colours[to] = replace(colours[to], warm=False)
            if came in colours:
                # Whoever rolled back from a release is not offered that release as a way back, nor one that hung.
                warm = promoted and intent.kind is Kind.PROMOTE and not view.hung
                colours[came] = replace(colours[came], warm=warm)
        case _:
            pass
    return MappingProxyType(colours)


def _turn(account: Account, entry: Entry) -> Account:
    body = entry.body
    came = Colour(body["came"]) if body["came"] is not None else None
    stage, before = Stage(body["stage"]), account.turn
    meant = entry.at if stage is Stage.INTENT or before is None else before.meant
    turn = Turn(entry.promotion, came, Colour(body["to"]), int(body["epoch"]), stage, meant)
    after, to = replace(account, turn=turn, served=_served(account, turn)), {(turn.to, turn.epoch)}
    match stage:
        case Stage.INTENT:
            return replace(after, epoch=_newer(account, turn.epoch), meant=account.meant | to)
        case Stage.TURNED:
            return replace(after, live=turn.to, live_epoch=turn.epoch, last_flip=entry.at, meant=frozenset())
        case Stage.VOID:
            return replace(after, meant=account.meant - to)
        case _:
            return after


def _served(account: Account, turn: Turn) -> Mapping[str, Served]:
    """Once it is meant it may have served: a switch that restarts just after the map file is written, and before that
    is journalled, serves the new colour. A turn that the switch refused never did. What returns to where the promotion
    came from, and a first release that is flipped again, begins no stay and ends none, whether the switch takes the
    turn or not: it serves since it did before."""
    served, view = dict(account.served), account.promotion
    stay = served.get(turn.to.value)
    again = stay is not None and stay.promotion == turn.promotion and turn.came is None
    if stay is not None and (again or (view is not None and view.came is turn.to)):
        return account.served
    if turn.stage is Stage.INTENT:
        served[turn.to.value] = Served(turn.promotion, turn.meant)
    if turn.stage is Stage.VOID:
        served.pop(turn.to.value, None)
    return MappingProxyType(served)


def _schema(account: Account, entry: Entry) -> Account:
    move = typed(Move, entry.body["move"])
    return replace(account, schemas=account.schemas.add(move, str(entry.body["stage"])))


def _remove(account: Account, entry: Entry) -> Account:
    """Whoever comes between the word and the deed must not go back to what is about to be removed."""
    colours = {name: view for name, view in account.colours.items() if name != entry.body["colour"]}
    return replace(account, colours=MappingProxyType(colours))


def _owe(account: Account, entry: Entry) -> Account:
    if account.promotion is None:
        raise ValueError("a debt without a promotion")
    debts = (*account.promotion.debts, str(entry.body["message"]))
    return replace(account, promotion=replace(account.promotion, debts=debts))


_TELLS_ONLY = frozenset({"freed", "step", "watch", "drain", "traffic", "note", "seen"})
_ADDS: Mapping[str, Callable[[Account, Entry], Account]] = {
    "lease": _lease,
    "begin": _begin,
    "advance": _advance,
    "turn": _turn,
    "debt": _owe,
    "go-back": _leave,
    "hung": _hung,
    "written": _tell,
    "cleared": _clear,
    "schema": _schema,
    "removes": _remove,
    "replacement": _replace,
}


_TOLD = {
    "step": Happening.STEP,
    "note": Happening.STEP,
    "go-back": Happening.STEP,
    "hung": Happening.STEP,
    "written": Happening.STEP,
    "schema": Happening.STEP,
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
        Stage.VOID: "not turned: the map file says {came}",
    }
    message = words[Stage(body["stage"])].format(came=body["came"] or "nothing", to=body["to"], epoch=body["epoch"])
    data = {key: body[key] for key in ("came", "to", "epoch", "stage")}
    return StewardEvent(at, Happening.STEP, Phase(body["phase"]), message, data)
