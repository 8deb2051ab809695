"""ports.Steward in memory: the table, the lease and what colours hold are kept; traffic is a word.

Its own phases run to the end inside the report that starts them. What they come to is set before: `outcomes`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from otagate.core.cloud import LABEL_SERVICE, Colour
from otagate.core.errors import Busy, ProbeFault, Refused, SwitchFault, UsageError
from otagate.core.incident import HELD, Clearing, Incident, Written, held, held_message, incident_id
from otagate.core.promotion import OWES, STEWARDS_OWN, Event, Phase, advance
from otagate.core.schema import Move
from otagate.core.shadow import ShadowRule, ShadowSeen
from otagate.core.traffic import (
    Claim,
    ColourView,
    Happening,
    Holder,
    Intent,
    Kind,
    Override,
    PromotionView,
    Scope,
    Status,
    StewardEvent,
    SwitchView,
)
from otagate.core.wayback import NO_RELEASE, against_return
from otagate.steward.moves import WORDS, Schemas
from tests.fakes.clock import FakeClock
from tests.fakes.hold import FakeHold
from tests.fakes.switches import FakeSwitches, paired
from tests.fakes.world import World

_UNDO = (Phase.PREFLIGHT, Phase.DEPLOYING, Phase.SMOKING)


@dataclass
class FakeSteward:
    """`listeners` maps listener to service: with a `world`, what runs there answers; those in `bare` are TCP, which
    cannot say its build. `outcomes` gives what a phase of the steward's own comes to (OK if it says nothing);
    `wrote` is what the services of a release that is left say, `shadows` what a listener's shadow comes to, for those
    that the switch was made to copy (`shadowed`); in `rests` it stays until it is told to go back; `beyond_mending`
    disagrees after `recover` as well. `lost`: nothing answers."""

    platform: str = "t"
    world: World | None = None
    clock: FakeClock = field(default_factory=FakeClock)
    source: str = "sha256:" + "7" * 64
    listeners: dict[str, str] = field(default_factory=lambda: {"web": "web"})
    bare: set[str] = field(default_factory=set)
    builds: dict[Colour, dict[str, str]] = field(default_factory=dict)
    outcomes: dict[Phase, tuple[Event, str]] = field(default_factory=dict)
    rests: Phase | None = None
    wrote: tuple[Written, ...] = ()
    shadowed: set[str] = field(default_factory=lambda: {"web"})
    shadows: dict[str, ShadowSeen] = field(default_factory=dict)
    up: bool = True
    lost: bool = False
    disagreements: tuple[str, ...] = ()
    beyond_mending: tuple[str, ...] = ()
    before: Callable[[str], None] = lambda _ask: None
    notes: list[str] = field(default_factory=list)
    _epoch: int = 0
    _map_epoch: int = 0
    _live: Colour | None = None
    _flipped: float | None = None
    _colours: dict[str, ColourView] = field(default_factory=dict)
    _view: PromotionView | None = None
    _lease: int = 0
    _incidents: list[Incident] = field(default_factory=list)
    _schemas: Schemas = field(default_factory=Schemas)
    _served: tuple[str, float] = ("", 0.0)
    _removes: dict[int, tuple[Colour, str, str]] = field(default_factory=dict)
    switches: FakeSwitches = field(default_factory=FakeSwitches)
    _held: dict[Scope, Holder] = field(default_factory=dict)
    _events: dict[str, list[StewardEvent]] = field(default_factory=dict)

    # --- ports.Steward ---

    def present(self) -> bool:
        if self.world is None:
            return self.up
        return any(s.label(LABEL_SERVICE) == "steward" for s in self.world.of(self.platform))

    def status(self) -> Status:
        self.asked("status")
        live, epoch = self._live, self._map_epoch if self._live else None
        return Status(
            source=self.source,
            live=live,
            epoch=self._epoch,
            colours=dict(self._colours),
            switch=SwitchView(live, epoch, live, epoch, {}),
            promotion=self._view,
            holders=tuple(self._held.values()),
            disagreements=self.disagreements,
            last_flip=self._flipped,
            now=self.clock.now(),
            incidents=tuple(i for i in self._incidents if i.cleared is None),
            schemas=dict(self._schemas.at),
            paired=paired(self.world, self.platform),
            **self.switches.told(),
        )

    @contextmanager
    def lease(self, claim: Claim, wait: float) -> Iterator[FakeHold]:
        self.asked("lease")
        holder = self._taken(claim, wait)
        try:
            yield FakeHold(self, holder)
        finally:
            if self._held.get(claim.scope) == holder:
                del self._held[claim.scope]

    def follow(self, promotion: str) -> Iterator[StewardEvent]:
        self.asked("follow")
        if promotion not in self._events:
            raise Refused(f"there is no promotion {promotion}", code="no-promotion")
        yield from tuple(self._events[promotion])

    def go_back(self, claim: Claim) -> PromotionView:
        self.asked("go-back")
        view = self.unfinished
        if view is None or view.phase not in STEWARDS_OWN or view.came is None:
            raise Refused("there is nothing to go back from", code="nothing-acts")
        if view.intent.kind is Kind.PROMOTE and view.phase is not Phase.ROLLING_BACK:
            self.tell(Happening.STEP, f"{claim.by} from {claim.origin} says to go back")
            self.rests = None
            self.advance(Event.ABORT if view.phase is not Phase.FINALIZING else Event.OK, "told to go back")
        self._act()
        return view

    def incidents(self) -> tuple[Incident, ...]:
        self.asked("incidents")
        return tuple(self._incidents)

    def clear(self, claim: Claim, incident: str, reason: str) -> Incident:
        self.asked("clear")
        if not reason.strip() or not claim.by.strip():
            raise UsageError("an incident is cleared by a named person with a reason")
        for place, found in enumerate(self._incidents):
            if found.incident == incident:
                if found.cleared is not None:
                    raise Refused(f"{incident} was cleared by {found.cleared.by}", code="cleared-already")
                clearing = Clearing(claim.by, claim.origin, reason.strip(), self.clock.now())
                self._incidents[place] = replace(found, cleared=clearing)
                return self._incidents[place]
        raise UsageError(f"there is no incident {incident}", code="no-incident")

    def recover(self, claim: Claim, wait: float, override: str = "") -> PromotionView | None:
        self.asked("recover")
        if override and (self._view is None or self._view.phase is not Phase.STRANDED):
            raise Refused("nothing is stranded", code="not-kept")
        self._taken(claim, wait)
        try:
            self.switches.mend(claim.by)
            view = self.unfinished
            if view is None:
                self.disagreements = self.beyond_mending
                return None
            if view.phase in _UNDO:
                self.advance(Event.ABORT, f"cut off in {view.phase}, undone by {claim.by}")
            elif view.phase is Phase.STRANDED and override:
                if self._live is not view.intent.to or Phase.STRANDED not in self.outcomes:
                    raise Refused(f"{view.came} can be gone back to", code="not-kept")
                self._view = replace(view, kept=Override(claim.by, claim.origin, override))
                self.outcomes = {}
                self.advance(Event.REFUSED, f"{claim.by} from {claim.origin} keeps {view.intent.to}: {override}")
                self._act()
            elif view.phase is Phase.STRANDED:
                answers, none = (Event.OK, "the warm side answers again"), (Event.REFUSED, "nothing came before")
                self.advance(*self.outcomes.get(Phase.STRANDED, answers if view.came else none))
                self._act()
            return self._view
        finally:
            self._held.pop(claim.scope, None)

    # --- what the hold does ---

    @property
    def unfinished(self) -> PromotionView | None:
        return self._view if self._view is not None and not self._view.phase.ended else None

    def _taken(self, claim: Claim, wait: float) -> Holder:
        if (other := self._held.get(claim.scope)) is not None:
            if wait:
                self.clock.sleep(wait)
            who = other.claim
            raise Busy(f"{who.by} holds the {who.scope} lease: {who.command} ({who.why}), from {who.origin}")
        self._epoch += 1
        self._held[claim.scope] = Holder(claim, self.clock.now(), self._epoch)
        return self._held[claim.scope]

    def begin(self, holder: Holder, intent: Intent) -> PromotionView:
        if (view := self.unfinished) is not None:
            raise Refused(f"promotion {view.intent.promotion} is unfinished: {view.phase}", code="unfinished")
        self.switches.leaves_alone()
        if (intent.kind is Kind.GENESIS) != (self._live is None):
            raise Refused(f"no {intent.kind} now", code="out-of-order")
        if intent.to is self._live:
            raise Refused(f"{intent.to} is live already", code="already-live")
        if intent.kind is Kind.PROMOTE and (open_ := held(self._incidents, intent.release)) is not None:
            raise Refused(held_message(open_), code=HELD)
        if intent.kind is Kind.ROLLBACK:
            self._may_go_back(intent)
        now = self.clock.now()
        self._view = PromotionView(intent, Phase.PREFLIGHT, self._live, now, now)
        self._lease = holder.epoch
        self._schemas = self._schemas.afresh()
        self.tell(Happening.PHASE, f"begun by {intent.by}")
        return self._view

    def _may_go_back(self, intent: Intent) -> None:
        there, live = self._colours.get(intent.to.value), self._colours.get(intent.to.other.value)
        for no in against_return(intent.to, there, live, self._schemas.at):
            if not intent.override or no.code == NO_RELEASE:
                raise Refused(no.message, code=no.code)
        if there is None or there.release != intent.release or there.builds != intent.builds:
            raise Refused(f"{intent.to} holds another release", code="not-that-release")

    def report(self, holder: Holder, event: Event, message: str) -> Phase:
        view = self.unfinished
        if view is None:
            raise Refused("no promotion is unfinished", code="no-promotion")
        if self._lease != holder.epoch and view.phase is not Phase.DISCARDING:
            raise Refused(f"{view.intent.promotion} was begun under another lease", code="not-yours")
        if view.phase in STEWARDS_OWN or view.phase is Phase.STRANDED:
            what = f"promotion {view.intent.promotion} is {view.phase}, which the steward does alone"
            raise Refused(f"{what}: only abort may be reported, not {event}", code="steward-acts")
        phase = self.advance(event, message)
        self._act()
        return phase

    def _act(self) -> None:
        while (now := self.current()).phase in STEWARDS_OWN and now.phase is not self.rests:
            self.advance(*self.outcomes.get(now.phase, (Event.OK, f"{now.phase} done")))

    def current(self) -> PromotionView:
        assert self._view is not None
        return self._view

    def advance(self, event: Event, message: str) -> Phase:
        view = self.current()
        phase = advance(view.phase, event)
        owes = (view.phase, event) in OWES
        reason = view.reason or message if event is not Event.OK and not owes else view.reason
        debts = (*view.debts, *((message,) if owes else ()), *self._schemas.debts(phase))
        self._view = replace(view, phase=phase, changed=self.clock.now(), reason=reason, debts=debts)
        if view.phase is Phase.FLIPPING and event is Event.OK:
            self._turn(view.intent.to)
            self._served = (view.intent.promotion, self.clock.now())
        self._open(self._view)
        if phase is Phase.ROLLED_BACK and view.came is not None:
            self._turn(view.came)
        self._hold(self._view, event)
        halts = phase.ended or phase is Phase.STRANDED
        self.tell(Happening.END if halts else Happening.PHASE, message)
        return phase

    def _turn(self, to: Colour) -> None:
        if self._live is not to:
            self._epoch += 1
            self._map_epoch, self._live, self._flipped = self._epoch, to, self.clock.now()

    def _open(self, view: PromotionView) -> None:
        intent, came = view.intent, view.came
        back = intent.kind is Kind.PROMOTE and view.phase is Phase.ROLLED_BACK
        if came is None or not (back or (intent.kind is Kind.ROLLBACK and view.phase is Phase.PROMOTED)):
            return
        if back and self._served[0] != intent.promotion:
            return
        left = intent.to if back else came
        held_ = ColourView(intent.release, intent.builds, False) if back else self._colours[left.value]
        told = {written.service: written for written in self.wrote}
        written = tuple(told.get(name, Written(name, message="it cannot say")) for name in sorted(held_.builds))
        name, reason, now = intent.promotion, view.reason or f"rolled back by {intent.by}", self.clock.now()
        builds = dict(held_.builds)
        found = Incident(
            incident_id(name), name, held_.release, builds, left, self._served[1], now, reason, intent.impact, written
        )
        self._incidents.append(found)

    def _hold(self, view: PromotionView, event: Event) -> None:
        intent, to = view.intent, view.intent.to.value
        came = view.came.value if view.came else ""
        deploys = intent.kind is not Kind.ROLLBACK
        if view.phase is Phase.DEPLOYING and deploys:
            self._colours[to] = ColourView(intent.release, dict(intent.builds), False, dict(intent.schemas), intent.run)
        if view.phase is Phase.ABANDONED and deploys and event is Event.OK:
            self._colours.pop(to, None)
        if view.phase in (Phase.PROMOTED, Phase.ROLLED_BACK):
            promoted = view.phase is Phase.PROMOTED
            for colour, is_warm in ((to, False), (came, promoted and intent.kind is Kind.PROMOTE)):
                if colour in self._colours and (colour == came or promoted or deploys):
                    self._colours[colour] = replace(self._colours[colour], warm=is_warm)

    def tell(self, happening: Happening, message: str) -> None:
        view = self.current()
        event = StewardEvent(self.clock.now(), happening, view.phase, message)
        self._events.setdefault(view.intent.promotion, []).append(event)

    def moves(self, holder: Holder, move: Move, stage: str) -> None:
        view = self.unfinished
        if view is None or view.phase is not Phase.DEPLOYING or self._lease != holder.epoch:
            raise Refused("a schema is moved while its release is deployed", code="out-of-order")
        self._schemas = self._schemas.add(move, stage)
        self.tell(Happening.STEP, WORDS[stage].format(move=move))

    def prove(self, colour: Colour, judged: Mapping[str, str]) -> None:
        builds = self.builds.get(colour, {})
        if self.world is not None:
            here = [
                s for s in self.world.of(self.platform) if s.container.name.startswith(f"{self.platform}-{colour}-")
            ]
            builds = {s.label(LABEL_SERVICE): s.container.image for s in here if s.running}
        for listener, service in self.listeners.items():
            if service not in builds:
                raise ProbeFault(f"{listener} of {colour} does not answer")
            if listener not in self.bare and builds[service] != judged.get(service):
                said = f"{listener} of {colour} answers with build {builds[service]}"
                raise Refused(f"{said}, which was not judged", code="other-build")

    def shadow(self, colour: Colour, rules: Mapping[str, ShadowRule]) -> Mapping[str, ShadowSeen]:
        if self._live is None or self._live is colour:
            raise Refused(f"{colour} has no live colour beside it to be compared with", code="shadow")
        if missing := set(rules) - self.shadowed:
            raise Refused(f"the switch was made without a shadow of {min(missing)}", code="shadow-unapplied")
        return {name: self.shadows.get(name, ShadowSeen()) for name in rules}

    def may_remove(self, holder: Holder, colour: Colour) -> None:
        held, view = self._colours.get(colour.value), self.unfinished
        used = colour is self._live or (held is not None and held.warm)
        if view is not None and not used:
            deploys = view.phase is Phase.DEPLOYING and self._lease == holder.epoch
            used = view.intent.to is not colour or not (deploys or view.phase is Phase.DISCARDING)
        if used:
            raise Refused(f"{colour} is in use; nothing of it was removed", code="in-use")
        asks = (colour, view.intent.promotion, view.phase) if view is not None else (colour, "", "")
        if self._removes.get(holder.epoch) == asks:
            return
        self._removes[holder.epoch] = asks
        self.notes.append(f"removes {colour}")
        if view is not None:
            self.tell(Happening.STEP, self.notes[-1])
        else:
            self._colours.pop(colour.value, None)

    def mine(self, holder: Holder) -> None:
        if self._held.get(holder.claim.scope) != holder:
            raise SwitchFault("the lease is not held any more", code="lease-lost")

    def doze(self) -> None:
        """Whoever holds a lease is not heard of any more, and it is freed."""
        self._held.clear()

    def asked(self, name: str) -> None:
        self.before(name)
        if self.lost:
            raise SwitchFault("the steward is lost", code="steward-lost")
        if not self.present():
            raise SwitchFault(f"platform {self.platform} has no steward", code="no-steward", hint="otagate up")
