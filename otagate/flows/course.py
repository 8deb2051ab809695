"""A promotion's own phases, driven by the table: run the phase, report what came, until the steward acts alone.

Whatever breaks is reported, and the way out is taken, before anything is raised.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from otagate.core.cloud import LABEL_BINDING, LABEL_COLOUR, LABEL_TIER, Binding, Colour
from otagate.core.errors import EngineFault, Interrupted, OtagateError, Refused, SwitchFault
from otagate.core.mirror import ObservedCloud, ObservedContainer
from otagate.core.places import Place
from otagate.core.platform import Platform, Tier
from otagate.core.promotion import STEWARDS_OWN, Event, Phase
from otagate.core.record import PromotionRecord
from otagate.core.traffic import Happening, Intent, PromotionView, Scope, Status, StewardEvent
from otagate.ports import Hold, Ports, Progress

Steps = Mapping[Phase, Callable[[], None]]


@dataclass(frozen=True)
class Driven:
    """How a promotion ended, and what first broke on the way, in which phase (None: nothing broke)."""

    record: PromotionRecord
    cause: Exception | None
    broke_in: Phase | None


@dataclass
class _Drive:
    """`broke` is the first thing that went wrong; `interrupted` by a person or a signal."""

    hold: Hold
    ports: Ports
    promotion: str
    broke: Exception | None = None
    broke_in: Phase | None = None
    interrupted: bool = False

    def begin(self, intent: Intent) -> PromotionView:
        """Raises Interrupted by whoever wants out before it is answered: what may be begun by then is aborted first."""
        try:
            return self.hold.begin(intent)
        except (KeyboardInterrupt, SystemExit):
            try:
                end = f"ended {self._abort()}"
            except Refused:  # there is nothing to abort
                end = "was not begun"
            raise Interrupted(f"interrupted: the {intent.kind} {end}", hint="otagate status") from None

    def run(self, phase: Phase, step: Callable[[], object]) -> Phase:
        """One phase, and the phase that its outcome leads to by the table."""
        try:
            return self._outcome(phase, step)
        except (KeyboardInterrupt, SystemExit):  # whoever wants out, a library too: the way out comes first
            return self._abort()

    def _outcome(self, phase: Phase, step: Callable[[], object]) -> Phase:
        try:
            step()
            return self._report(Event.OK, "done")
        except Refused as no:
            self._note(phase, no)
            return self._report(Event.REFUSED, no.message)
        except Exception as broke:  # also a bug of ours: what was begun is undone before it is told
            self._note(phase, broke)
            told = broke.message if isinstance(broke, OtagateError) else f"{type(broke).__name__}: {broke}"
            return self._report(Event.FAULT, told)

    def _abort(self) -> Phase:
        """Reported once more to whoever interrupts that too, for it may not have been taken; where it was, to abort
        again changes nothing. Raises Interrupted, which says what is left, by whoever wants out even then."""
        self.interrupted = True
        with suppress(KeyboardInterrupt, SystemExit):
            return self._report(Event.ABORT, "interrupted")
        try:
            return self._report(Event.ABORT, "interrupted")
        except (KeyboardInterrupt, SystemExit):
            left = f"interrupted before the way out was taken: {self.promotion} may be unfinished"
            raise Interrupted(left, hint="otagate recover finishes or undoes it") from None

    def _note(self, phase: Phase, broke: Exception) -> None:
        if self.broke is None:
            self.broke, self.broke_in = broke, phase

    def _report(self, event: Event, message: str) -> Phase:
        """An answer that never came, or a steward that acts already, is settled by asking for the phase."""
        try:
            return self.hold.report(event, message)
        except (SwitchFault, Refused):
            view = self.ports.steward.status().promotion
            if view is None or view.intent.promotion != self.promotion:
                raise
            if view.phase in STEWARDS_OWN or view.phase.ended or view.phase is Phase.STRANDED:
                return view.phase
            raise


def drive(intent: Intent, steps: Steps, way_out: Callable[[], object], hold: Hold, ports: Ports) -> Driven:
    """From preflight to the promotion's end. Raises Interrupted once the way out was taken, or as `_abort` does."""
    course = _Drive(hold, ports, intent.promotion)
    begun = course.begin(intent)
    phase = begun.phase
    with awake(ports), open_end():
        while phase in steps or phase is Phase.DISCARDING:
            phase = course.run(phase, way_out if phase is Phase.DISCARDING else steps[phase])
    record = follow(begun, ports)
    if course.interrupted:
        raise Interrupted(f"interrupted: the {intent.kind} ended {record.view.phase}", hint="otagate status")
    return Driven(record, course.broke, course.broke_in)


def follow(begun: PromotionView, ports: Ports) -> PromotionRecord:
    """The steward's own telling until the promotion ends or halts; an interrupt only stops the following."""
    events: list[StewardEvent] = []
    try:
        for event in _told(begun, ports):
            events.append(event)
            if event.happening is Happening.TRAFFIC:
                continue  # figures for the record
            # What the watch counts goes on, second by second: on a terminal one line that is written over.
            running = (0, 1) if event.happening is Happening.WATCH else (0, 0)
            ports.tell(Progress(str(event.phase), str(event.happening), event.message, *running))
    except KeyboardInterrupt:
        raise Interrupted(
            "no longer following: the steward goes on by itself", hint="otagate status says how it ends"
        ) from None
    view = _view(events, ports)
    if view is not None and view.intent.promotion == begun.intent.promotion:
        return PromotionRecord(view, tuple(events))
    # Somebody began another one since, or nobody answers any more: what was told last is how this one ended.
    last = events[-1]
    reason = "" if last.phase is Phase.PROMOTED else last.message
    return PromotionRecord(replace(begun, phase=last.phase, changed=last.at, reason=reason), tuple(events))


def _told(begun: PromotionView, ports: Ports) -> Iterator[StewardEvent]:
    with open_end():
        yield from ports.steward.follow(begun.intent.promotion)


def _view(events: Sequence[StewardEvent], ports: Ports) -> PromotionView | None:
    """The steward's last word; None where it cannot be asked, though the end was told already."""
    ended = bool(events) and events[-1].happening is Happening.END
    try:
        with open_end():
            return ports.steward.status().promotion
    except (SwitchFault, EngineFault):
        if not ended:
            raise
        return None


@contextmanager
def open_end() -> Iterator[None]:
    """Who loses steward or engine here does not know how it ends what was begun, and is told so."""
    try:
        yield
    except (SwitchFault, EngineFault) as fault:
        hint = "outcome unknown: otagate status says what is so"
        raise type(fault)(fault.message, code=fault.code, hint=hint, at=fault.at) from fault


def read_back(platform: Platform, colour: Colour, builds: Mapping[str, str], ports: Ports) -> None:
    """What runs in a colour is exactly `builds` (service → digest), and well. EngineFault says which is not."""
    place = Place(platform.name, Binding.PRODUCTION, colour)
    clouds = ports.engine.observe(platform.name, [Binding.PRODUCTION])
    there = {c.name: c for cloud in clouds for c in cloud.containers}
    for service, digest in builds.items():
        name = place.container(service)
        container = there.get(name)
        if container is None or not container.running:
            raise EngineFault(f"{name} does not run", code="not-running", hint="otagate status")
        if container.image != digest:
            what = f"{name} runs {container.image}, not the judged {digest}"
            raise EngineFault(what, code="digest-mismatch", hint="otagate test again")
        if container.health not in ("healthy", "none"):
            raise EngineFault(f"{name} is {container.health}", code="unhealthy", hint=f"docker logs {name}")


def what_discard_removes(colour: Colour, clouds: Sequence[ObservedCloud]) -> tuple[ObservedContainer, ...]:
    """The colour's own containers among production's, for `--dry-run`."""
    own = {LABEL_BINDING: Binding.PRODUCTION.value, LABEL_COLOUR: colour.value, LABEL_TIER: Tier.RELEASE.value}
    return tuple(c for cloud in clouds for c in cloud.containers if own.items() <= c.labels.items())


def discard(platform: Platform, colour: Colour, ports: Ports, hold: Hold) -> tuple[str, ...]:
    """Remove what was deployed to a colour; the steward refuses it for one that is live or warm.

    It is asked again before each container: while this sleeps its lease is freed, and another may put the colour live.
    """

    def may() -> None:
        hold.may_remove(colour)

    may()
    return ports.engine.remove_colour(platform.name, colour, may, ports.tell)


@contextmanager
def awake(ports: Ports) -> Iterator[None]:
    """Who finds its lease gone, as after a sleep, is told who has it, what is live and what to type."""
    try:
        yield
    except SwitchFault as fault:
        status = _seen(ports) if fault.code in ("lease-lost", "steward-lost") else None
        if status is None:
            raise
        raise _overtaken(status) from fault


def _seen(ports: Ports) -> Status | None:
    try:
        return ports.steward.status()
    except OtagateError:
        return None


def _overtaken(status: Status) -> SwitchFault:
    view = status.promotion if status.promotion is not None and not status.promotion.phase.ended else None
    other = next((h.claim for h in status.holders if h.claim.scope is Scope.PLATFORM), None)
    told = [f"{other.by} holds it now: {other.command}, from {other.origin}" if other else "nobody holds it now"]
    told.append(f"{status.live or 'nothing'} is live")
    if view is not None:
        told.append(f"{view.intent.kind} {view.intent.promotion} of {view.intent.by} is {view.phase}")
    hint = "otagate status; then, if it is still wanted, the same command again"
    if other is not None:
        hint = f"otagate status shows what {other.by} comes to; then, if it is still wanted, the same command again"
    elif view is not None:
        hint = f"otagate recover finishes or undoes {view.intent.promotion}; then the same command again"
    return SwitchFault(
        f"the lease went while this command slept or its line was cut, so it stops here: {'; '.join(told)}",
        code="lease-lost",
        hint=hint,
    )
