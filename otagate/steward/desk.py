"""What a session may ask of the steward, ask by ask. Answers are JSON-like; "no" and breakage are raised."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from otagate.core.canonical import plain
from otagate.core.cloud import Colour
from otagate.core.errors import Refused, SwitchFault, UsageError
from otagate.core.incident import HELD, HELD_HINT, held, held_message
from otagate.core.promotion import STEWARDS_OWN, Event, Phase
from otagate.core.replacement import Replacement
from otagate.core.schema import Move
from otagate.core.shadow import ShadowRule
from otagate.core.traffic import Claim, Holder, Intent, Kind, Override, PromotionView, Scope
from otagate.core.wayback import NO_RELEASE, against_return
from otagate.core.wire import typed
from otagate.steward.account import Account
from otagate.steward.book import Book
from otagate.steward.course import Course
from otagate.steward.exchange import Exchange
from otagate.steward.helm import Helm
from otagate.steward.hung import NOT_KEPT, Hung
from otagate.steward.leases import Leases
from otagate.steward.moves import WORDS
from otagate.steward.outlook import Outlook
from otagate.steward.pair import HALF, SILENT
from otagate.steward.shadow import Shadow

_UNDO = frozenset({Phase.PREFLIGHT, Phase.DEPLOYING, Phase.SMOKING})
_REMOVES = _UNDO | {Phase.DISCARDING}  # what was deployed is removed, which nobody may of what map or switch name
_DOWN = SILENT | {HALF}
_HALTS = frozenset({Phase.PROMOTED, Phase.ABANDONED, Phase.ROLLED_BACK, Phase.STRANDED})


@dataclass
class Caller:
    """One connection: what it holds, and whether it is still there."""

    gone: Callable[[], bool]
    held: dict[Scope, Holder] = field(default_factory=dict)
    removes: tuple[Colour, str, str] | None = None  # what it last was allowed to, in which promotion and phase


class Desk:
    """Thread-safe: looks and writes that belong together are done under the book's lock."""

    def __init__(
        self,
        source: str,
        helm: Helm,
        book: Book,
        leases: Leases,
        course: Course,
        exchange: Exchange,
        outlook: Outlook,
    ) -> None:
        self._source = source
        self._helm = helm
        self._book = book
        self._leases = leases
        self._course = course
        self._exchange = exchange
        self._outlook = outlook

    def ask(self, caller: Caller, name: str, body: Mapping[str, Any]) -> Any:
        """Raises OtagateError; ValueError and KeyError for an ask that is none."""
        asks: dict[str, Callable[[Caller, Mapping[str, Any]], Any]] = {
            "status": self._status,
            "acquire": self._acquire,
            "release": self._release,
            "begin": self._begin,
            "report": self._report,
            "note": self._note,
            "held": self._held,
            "schema": self._schema,
            "prove": self._prove,
            "shadow": self._shadow,
            "may-remove": self._may_remove,
            "go-back": self._go_back,
            "incidents": self._incidents,
            "clear": self._clear,
            "recover": self._recover,
            "replace-switch": self._replace_switch,
            "take-doors": self._take_doors,
            "give-up": lambda caller, body: self._of_replacement(caller, self._exchange.give_up, str(body["reason"])),
            "tidied": lambda caller, _body: self._of_replacement(caller, self._exchange.tidied),
        }
        return plain(asks[name](caller, body))

    def _status(self, _caller: Caller, _body: Mapping[str, Any]) -> Any:
        return self._outlook.status()

    def at_work(self) -> str:
        """What would be cut off if this steward were replaced now; "" is nothing, and so is a stranded promotion."""
        view = self._book.account.unfinished
        if view is not None and view.phase is not Phase.STRANDED:
            return f"promotion {view.intent.promotion} of {view.intent.by} is unfinished: {view.phase}"
        if (replacement := self._book.account.replacement) is not None and replacement.acts:
            return f"{replacement.by} is replacing the switch"
        return next((f"{h.claim.by} holds the {h.claim.scope} lease" for h in self._leases.holders()), "")

    # --- lease ---

    def _acquire(self, caller: Caller, body: Mapping[str, Any]) -> Any:
        holder = self._leased(caller, body)
        caller.held[holder.claim.scope] = holder
        return {"epoch": holder.epoch}

    def _leased(self, caller: Caller, body: Mapping[str, Any]) -> Holder:
        """Nobody acts before it is settled how far the last steward came."""
        self._course.take_on()
        return self._leases.acquire(typed(Claim, body["claim"]), float(body["wait"]), caller.gone)

    def _release(self, caller: Caller, _body: Mapping[str, Any]) -> Any:
        self.leave(caller, "given back")

    def leave(self, caller: Caller, why: str) -> None:
        """Free all that the caller holds."""
        for holder in tuple(caller.held.values()):
            caller.held.pop(holder.claim.scope, None)
            self._leases.release(holder, why)

    def _holder(self, caller: Caller) -> Holder:
        holder = caller.held.get(Scope.PLATFORM)
        if holder is None or not self._leases.holds(holder):
            raise _lost()
        return holder

    def _held(self, caller: Caller, _body: Mapping[str, Any]) -> Any:
        if not caller.held or not all(self._leases.holds(holder) for holder in caller.held.values()):
            raise _lost()

    # --- promotion ---

    def _begin(self, caller: Caller, body: Mapping[str, Any]) -> Any:
        intent = typed(Intent, body["intent"])
        with self._book.locked():
            holder = self._holder(caller)
            self._may_begin(intent)
            live = self._book.account.live
            self._book.write("begin", intent.promotion, intent=intent, came=live, lease=holder.epoch)
            begun = self._book.current()
        self._helm.note_traffic(times=True)  # what is served now, for comparison with what comes after
        return begun

    def _may_begin(self, intent: Intent) -> None:
        account = self._book.account
        if (view := account.unfinished) is not None:
            raise Refused(
                f"promotion {view.intent.promotion} of {view.intent.by} is unfinished: {view.phase}",
                code="unfinished",
                hint="otagate status shows it; otagate recover finishes or undoes it",
            )
        self._exchange.leaves_alone()
        if (intent.kind is Kind.GENESIS) != (account.live is None):
            said = f"{account.live} is live" if account.live else "nothing is live yet"
            raise Refused(f"{said}: no {intent.kind} now", code="out-of-order", hint="otagate status")
        if intent.to is account.live:
            raise Refused(f"{intent.to} is live already", code="already-live", hint="otagate status")
        if intent.kind is Kind.PROMOTE and (open_ := held(account.incidents, intent.release)) is not None:
            raise Refused(held_message(open_), code=HELD, hint=HELD_HINT)
        if intent.kind is Kind.ROLLBACK:
            self._may_go_back(intent, account)

    def _may_go_back(self, intent: Intent, account: Account) -> None:
        colours = account.colours
        there, live = colours.get(intent.to.value), colours.get(intent.to.other.value)
        for no in against_return(intent.to, there, live, account.schemas.at):
            if not intent.override or no.code == NO_RELEASE:
                raise Refused(no.message, code=no.code, hint=no.hint)
        if there is None or there.release != intent.release or there.builds != intent.builds:
            raise Refused(
                f"{intent.to} holds another release than asked for", code="not-that-release", hint="otagate status"
            )

    def _report(self, caller: Caller, body: Mapping[str, Any]) -> Any:
        event, message = Event(body["event"]), str(body["message"])
        with self._book.locked():
            holder = self._holder(caller)
            view = self._book.account.unfinished
            if view is None:
                raise Refused("no promotion is unfinished", code="no-promotion", hint="otagate status")
            if self._book.account.lease != holder.epoch and view.phase is not Phase.DISCARDING:
                raise Refused(
                    f"promotion {view.intent.promotion} was begun under another lease",
                    code="not-yours",
                    hint="otagate recover finishes or undoes it",
                )
            if view.phase in STEWARDS_OWN or view.phase is Phase.STRANDED:
                return self._interrupt(view, event)
            self._course.forget_abort()  # under the lock, before the advance: whatever comes after is meant
            phase = self._book.advance(view.phase, event, message)
        if phase in STEWARDS_OWN:
            self._course.set_off()
        return phase

    def _interrupt(self, view: PromotionView, event: Event) -> Phase:
        if event is not Event.ABORT:
            raise Refused(
                f"promotion {view.intent.promotion} is {view.phase}, which the steward does alone: only abort may be "
                f"reported, not {event}",
                code="steward-acts",
                hint="otagate status shows what it comes to",
            )
        self._course.abort()
        return view.phase

    def _go_back(self, _caller: Caller, body: Mapping[str, Any]) -> Any:
        claim = typed(Claim, body["claim"])
        self._may_leave(self._book.account.unfinished)  # asks the services, so not under the lock
        with self._book.locked():
            view = self._book.account.unfinished
            if view is None or view.phase not in STEWARDS_OWN or view.came is None:
                raise Refused("there is nothing to go back from", code="nothing-acts", hint="otagate status")
            if view.intent.kind is Kind.PROMOTE and view.phase is not Phase.ROLLING_BACK:
                message = f"{claim.by} from {claim.origin} says to go back"
                self._book.write("go-back", view.intent.promotion, phase=view.phase, message=message)
            return view

    def _may_leave(self, view: PromotionView | None) -> None:
        """Not to what fails: the way back could not be made, and would strand what serves and is watched."""
        leaves = (
            view is not None and view.intent.kind is Kind.PROMOTE and view.phase in (Phase.FLIPPING, Phase.WATCHING)
        )
        if leaves and view is not None and view.came is not None and Hung(self._helm, self._book).fails(view.came):
            raise Refused(
                f"{view.came} does not answer as it should, so nobody can go back to it; "
                f"promotion {view.intent.promotion} goes on",
                code="way-back-fails",
                hint=f"see to {view.came}, then otagate rollback; otagate status shows how this one ends",
            )

    def _note(self, caller: Caller, body: Mapping[str, Any]) -> Any:
        self._holder(caller)
        view = self._book.current()
        self._book.write("note", view.intent.promotion, phase=view.phase, message=str(body["message"]))

    def _schema(self, caller: Caller, body: Mapping[str, Any]) -> Any:
        """Intent and read-back of a move, which the one who deploys makes."""
        move, stage = typed(Move, body["move"]), str(body["stage"])
        with self._book.locked():
            holder, view = self._holder(caller), self._book.account.unfinished
            if view is None or view.phase is not Phase.DEPLOYING or self._book.account.lease != holder.epoch:
                raise Refused(
                    "a schema is moved while its release is deployed, and by who deploys it",
                    code="out-of-order",
                    hint="otagate status",
                )
            message = WORDS[stage].format(move=move)
            self._book.write("schema", view.intent.promotion, phase=view.phase, move=move, stage=stage, message=message)

    def _prove(self, caller: Caller, body: Mapping[str, Any]) -> Any:
        self._holder(caller)
        self._helm.note_traffic()
        self._helm.answers_as(Colour(body["colour"]), typed(dict[str, str], body["builds"]))

    def _shadow(self, caller: Caller, body: Mapping[str, Any]) -> Any:
        self._holder(caller)
        rules = typed(dict[str, ShadowRule], body["rules"])
        return Shadow(self._helm, self._book).run(Colour(body["colour"]), rules, lambda: self._holder(caller))

    def _may_remove(self, caller: Caller, body: Mapping[str, Any]) -> Any:
        colour = Colour(body["colour"])
        in_front = self._in_front(colour)
        with self._book.locked():
            holder, account = self._holder(caller), self._book.account
            if use := account.use_of(colour, holder.epoch) or in_front:
                raise Refused(f"{use}; nothing of {colour} was removed", code="in-use", hint="otagate status")
            view, message = account.unfinished, f"removes {colour}"
            asks = (colour, view.intent.promotion, view.phase) if view is not None else (colour, "", "")
            if caller.removes == asks:
                return  # asked again before each container that goes
            if view is not None:
                self._book.write("note", view.intent.promotion, phase=view.phase, message=message)
            else:  # no promotion's business: what is about to go is from now on no way back, whoever asks for it
                self._book.write("removes", colour=colour, message=f"{holder.claim.by} {message}")
            caller.removes = asks

    def _in_front(self, colour: Colour) -> str:
        """Whether map file or switch name a colour, or that it cannot be told. The journal may be an older copy, and
        what serves is not removed on its word; a switch that is down serves nothing but what the file says, and a file
        that is gone says nothing of the switch."""
        file, named = self._helm.map_file, set()
        for read in (*([file.read] if file.exists() else ()), self._helm.switch.entry):
            try:
                named.add(read()[0])
            except SwitchFault as fault:
                if fault.code not in _DOWN:
                    return fault.message
        return f"{colour} is what map file or switch name" if colour in named else ""

    def follow(self, caller: Caller, promotion: str, since: int) -> Iterator[Mapping[str, Any]]:
        """Events after entry `since`, then live, until the promotion ends or halts. Refused if it was never begun."""
        told = since
        while not caller.gone():
            newest = self._book.account.seq
            for told, event in self._book.events(promotion, told):  # noqa: B020 - the next look begins where this ends
                yield {"seq": told, "event": plain(event)}
            if told == 0:
                raise Refused(f"there is no promotion {promotion}", code="no-promotion", hint="otagate status")
            if self._rests(promotion) and newest == self._book.account.seq:
                return
            self._book.wait(newest, 1.0)

    def _rests(self, promotion: str) -> bool:
        view = self._book.account.promotion
        return view is None or view.intent.promotion != promotion or view.phase in _HALTS

    # --- the switch itself ---

    def _replace_switch(self, caller: Caller, body: Mapping[str, Any]) -> Any:
        with self._book.locked():
            return self._exchange.begin(self._holder(caller), float(body["drain"]), second=bool(body["second"]))

    def _take_doors(self, caller: Caller, _body: Mapping[str, Any]) -> Any:
        self._holder(caller)
        return self._exchange.take(lambda: self._holder(caller))

    def _of_replacement(self, caller: Caller, do: Callable[..., Replacement], *words: str) -> Any:
        with self._book.locked():
            self._holder(caller)
            return do(*words)

    # --- incidents ---

    def _incidents(self, _caller: Caller, _body: Mapping[str, Any]) -> Any:
        return list(self._book.account.incidents)

    def _clear(self, _caller: Caller, body: Mapping[str, Any]) -> Any:
        claim, name, reason = typed(Claim, body["claim"]), str(body["incident"]), str(body["reason"]).strip()
        if not reason or not claim.by.strip():
            raise UsageError("an incident is cleared by a named person with a reason", hint=HELD_HINT)
        with self._book.locked():
            found = {i.incident: i for i in self._book.account.incidents}
            if name not in found:
                raise UsageError(f"there is no incident {name}", code="no-incident", hint="otagate incident list --all")
            if (cleared := found[name].cleared) is not None:
                message = f"incident {name} was cleared by {cleared.by}: {cleared.reason}"
                raise Refused(message, code="cleared-already", hint="otagate incident list --all")
            self._book.write("cleared", incident=name, by=claim.by, origin=claim.origin, reason=reason)
            return next(i for i in self._book.account.incidents if i.incident == name)

    # --- recover ---

    def _recover(self, caller: Caller, body: Mapping[str, Any]) -> Any:
        reason = str(body.get("override", "")).strip()
        view = self._book.account.unfinished
        if reason and (view is None or view.phase is not Phase.STRANDED):
            raise Refused("nothing is stranded: an override has nothing to keep", code=NOT_KEPT, hint="otagate status")
        holder = self._leased(caller, body)
        try:
            self._book.write("seen", message=f"recover by {holder.claim.by} from {holder.claim.origin}")
            return self._mend(holder.claim, reason)
        finally:
            self._leases.release(holder, "recovered")

    def _mend(self, claim: Claim, reason: str) -> Any:
        by = claim.by
        self._exchange.mend(by)
        self._helm.mend_map()
        view = self._book.account.unfinished
        if view is None:
            if self._book.account.live is not None:
                self._helm.settle()
            return None
        if view.phase in _REMOVES:
            self._one_tale()
        if view.phase in _UNDO:
            self._book.advance(view.phase, Event.ABORT, f"cut off in {view.phase}, undone by {by}")
        elif view.phase is Phase.STRANDED and reason:
            self._course.keep(Override(by, claim.origin, reason))
        elif view.phase is Phase.STRANDED:
            self._course.settle_stranded()
        if self._book.current().phase in STEWARDS_OWN:
            self._course.set_off()
        return self._book.current()

    def _one_tale(self) -> None:
        """A switch that another hand turned says what the map file says again; one that is down says nothing else."""
        account = self._book.account
        if account.live is None:
            return
        try:
            if self._helm.agrees(account.live, account.live_epoch):
                return
        except SwitchFault as fault:
            if fault.code in _DOWN:
                return
        self._helm.settle()


def _lost() -> SwitchFault:
    return SwitchFault("the lease is not held any more", code="lease-lost", hint="otagate status, then again")
