"""Production as a whole: make it (genesis) or add what is missing, describe it, take it down."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from otagate.core.cloud import Binding, Colour
from otagate.core.container import Stage
from otagate.core.definition import redefined
from otagate.core.errors import Alarm, Refused, SwitchFault, UsageError
from otagate.core.mirror import CONTAINER, Difference, Explanation, ObservedCloud, against_definition
from otagate.core.places import STEWARD, Place, shared_name
from otagate.core.plan import Action, Plan, Step, steps_of, unapplied
from otagate.core.platform import Platform, Tier
from otagate.core.promotion import Phase
from otagate.core.record import PromotionRecord
from otagate.core.release import Release, release_of
from otagate.core.traffic import Claim, Intent, Kind, Status
from otagate.core.watch import WatchPolicy
from otagate.flows.course import awake, discard, drive, what_discard_removes
from otagate.flows.look import addresses, images_beside, live_definition, production_stages, serving
from otagate.flows.migrate import migrate_production
from otagate.flows.mirror import lower_mirror, plan_lowering
from otagate.flows.renewal import Kept, keeps_labelled_doors, kept_because, renewal_is_due, renewed_stage
from otagate.flows.switch import keeps_pair, needs_holder, turns_as_many
from otagate.ports import Hold, Ports

GENESIS_COLOUR = Colour.BLUE


@dataclass(frozen=True)
class Wanted:
    """Production as it should be. `status` is None until there is a steward; `live` None means genesis; `renewed` are
    the stages of a steward that `renew_steward` replaces before.
    """

    status: Status | None
    live: Colour | None
    release: Release
    stages: tuple[Stage, ...]
    clouds: tuple[ObservedCloud, ...]
    renewed: tuple[Stage, ...] = ()
    redefined: tuple[str, ...] = ()  # as `Raised` has it

    @property
    def plan(self) -> Plan:
        title = f"genesis: release {self.release.short}" if self.live is None else "production: what is missing"
        turn = Step(Action.TURN, "switch", f"first release live on {GENESIS_COLOUR}, unproven, by a named person")
        others = [stage for stage in self.stages if stage not in self.renewed]
        first = [replace(stage, replace=True) for stage in self.renewed]
        return Plan(title, (*steps_of([*first, *others], self.clouds), *((turn,) if self.live is None else ())))


def look_for_up(platform: Platform, ports: Ports) -> Wanted:
    status = ports.steward.status() if ports.steward.present() else None
    live = status.live if status else None
    clouds = ports.engine.observe(platform.name, [Binding.PRODUCTION])
    needs_holder(clouds)
    keeps_pair(platform, clouds)
    if status is None:
        keeps_labelled_doors(platform, clouds)
    if status is not None and live is not None:
        defined, release = live_definition(platform, status, live, clouds)
    else:
        first = {s.name: ports.engine.resolve(s.name, s.image) for s in platform.of_tier(Tier.RELEASE)}
        defined, release = platform, release_of(platform, first)
    images = images_beside(platform, ports)
    edge, numbers = ports.engine.images(), (status.serving, status.serving_second) if status else (1, 1)
    stages = production_stages(defined, ports, release, live or GENESIS_COLOUR, images, edge, numbers)
    due = status is not None and renewal_is_due(defined, status, clouds, ports)
    renewed = tuple(stage for stage in stages if due and stage.name == STEWARD)
    return Wanted(status, live, release, stages, clouds, renewed, redefined(platform, defined))


def plan_up(platform: Platform, ports: Ports) -> Plan:
    """What `up` would do, for `--dry-run`. A steward of another otagate tells this one only that it is at rest."""
    try:
        return look_for_up(platform, ports).plan
    except SwitchFault as fault:
        if fault.code != "version":
            raise
    clouds = ports.engine.observe(platform.name, [Binding.PRODUCTION])
    keeps_pair(platform, clouds)
    keeps_labelled_doors(platform, clouds)
    first = steps_of([renewed_stage(platform, ports)], clouds)
    then = Step(
        Action.RUN, "production", "looked at through the new steward: what is missing is added, nothing replaced"
    )
    return Plan(f"up {platform.name}: the steward is another otagate's", (*first, then))


@dataclass(frozen=True)
class Raised:
    """`genesis` is the first release's promotion, if this made it; `unapplied` maps the containers that stand as they
    were defined once, because `up` only adds, to their service, and `kept` says why the steward is one of them;
    `redefined`: the services that the files define otherwise than the live release."""

    changed: tuple[str, ...]
    genesis: PromotionRecord | None
    unapplied: Mapping[str, str] = field(default_factory=dict)
    kept: Kept | None = None
    redefined: tuple[str, ...] = ()


def up(platform: Platform, wanted: Wanted, ports: Ports, claim: Claim, *, wait: float) -> Raised:
    """Genesis, or only what is missing; what is live is never changed. Raises Busy and Fault."""
    folder = ports.vault.folder(f"up-{platform.name}")
    changed: list[str] = []

    def apply(*stages: Stage) -> None:
        changed.extend(ports.provisioner.apply(platform.name, stages, folder, ports.tell))

    if wanted.status is None:  # before there is a steward there is no lease
        apply(*wanted.stages[:2])
    with ports.steward.lease(claim, wait) as hold:
        # Looked at again under the lease: while it was waited for, production may have turned.
        seen = look_for_up(platform, ports)
        names = unapplied(seen.stages, seen.clouds)
        left = {c.name: c.service for cloud in seen.clouds for c in cloud.containers if c.name in names}
        kept = kept_because(platform, seen.status, seen.clouds) if seen.status and STEWARD in left.values() else None
        if seen.status is not None:
            turns_as_many(platform, seen.status)
        if seen.live is not None:
            apply(*seen.stages)
            return Raised(tuple(changed), None, left, kept, seen.redefined)
        if wanted.status is not None:
            apply(*seen.stages[:2])
        genesis = _genesis(platform, seen, ports, claim, hold, apply)
    return Raised(tuple(changed), genesis, left, kept)


def _genesis(
    platform: Platform, seen: Wanted, ports: Ports, claim: Claim, hold: Hold, apply: Callable[[Stage], None]
) -> PromotionRecord:
    """The first release goes live on a colour that nothing was compared with: unproven, by a named person."""
    _, _, colour, switch = seen.stages

    def smoke() -> None:
        hold.prove(GENESIS_COLOUR, seen.release.digests)
        apply(switch)

    def deploy() -> None:
        place = Place(platform.name, Binding.PRODUCTION, GENESIS_COLOUR)
        folder = ports.vault.folder(f"up-{platform.name}")
        migrate_production(platform, ports.steward.status(), seen.release, place, ports, hold, folder)
        apply(colour)

    steps = {
        Phase.PREFLIGHT: lambda: hold.note("nothing is live yet"),
        Phase.DEPLOYING: deploy,
        Phase.SMOKING: smoke,
    }
    intent = _first(platform, seen, ports, claim)
    driven = drive(intent, steps, lambda: discard(platform, GENESIS_COLOUR, ports, hold), hold, ports)
    if driven.cause is not None:
        raise driven.cause
    return driven.record


def _first(platform: Platform, seen: Wanted, ports: Ports, claim: Claim) -> Intent:
    return Intent(
        promotion=ports.clock.new_id("g-"),
        kind=Kind.GENESIS,
        run="",
        release=seen.release.digest,
        builds=seen.release.digests,
        to=GENESIS_COLOUR,
        by=claim.by,
        watch=WatchPolicy(lasts=0.0),
        drain=0.0,
        unproven=True,
        schemas=platform.schemas,
    )


def plan_down(platform: Platform, ports: Ports, *, destroy: str | None) -> Plan:
    """What `down` would remove, by container."""
    _named(platform, destroy)
    if destroy is None:
        names, why = _what_leftovers_removes(platform, ports), "what an undone promotion left"
    else:
        clouds = ports.engine.observe(platform.name, [Binding.PRODUCTION])
        names, why = tuple(c.name for cloud in clouds for c in cloud.containers), "production with its data"
    own = tuple(Step(Action.REMOVE, name, why) for name in names)
    return Plan(f"down {platform.name}", (*plan_lowering(platform, ports).steps, *own))


def _named(platform: Platform, destroy: str | None) -> None:
    if destroy is not None and destroy != platform.name:
        raise UsageError(
            f"--destroy-state {destroy} does not name this platform",
            code="wrong-name",
            hint=f"to remove production with its data: otagate down --destroy-state {platform.name}",
        )


def down(
    platform: Platform, ports: Ports, claims: Sequence[Claim], *, destroy: str | None, wait: float
) -> tuple[str, ...]:
    """Without `destroy` only the mirror and what an undone promotion left; with the platform's name, all of it.

    `claims` are for the mirror and for the platform. A steward that cannot answer does not stand in the way of
    `destroy`: its platform is what is to go; one of another otagate that says it is at work did answer.
    """
    _named(platform, destroy)
    with ExitStack() as held:
        holds: list[Hold] = []
        try:
            if ports.steward.present():
                holds = [held.enter_context(ports.steward.lease(claim, wait)) for claim in claims]
        except SwitchFault as fault:
            if destroy is None or fault.code == "version-at-work":
                raise
        held.enter_context(awake(ports))
        mirror = lower_mirror(platform, ports)
        if destroy is None:
            return (*mirror, *(_leftovers(platform, ports, holds[-1]) if holds else ()))

        def may() -> None:
            """Nobody has taken a lease that was lost meanwhile, and put live what this would remove."""
            for hold in holds:
                hold.held()

        gone = ports.engine.remove(platform.name, [Binding.PRODUCTION], state=True, may=may, tell=ports.tell)
    ports.secrets.forget(platform.name)
    return (*mirror, *gone)


def _leftovers(platform: Platform, ports: Ports, hold: Hold) -> tuple[str, ...]:
    """A colour that neither serves nor is warm, unless a promotion is unfinished."""
    idle = _idle(ports.steward.status())
    if idle is None:
        return ()
    try:
        return discard(platform, idle, ports, hold)
    except Refused:
        return ()


def _idle(status: Status) -> Colour | None:
    """Where an undone promotion may have left something; one that is unfinished is for `recover` to undo."""
    unfinished = status.promotion is not None and not status.promotion.phase.ended
    return None if status.live is None or unfinished else status.live.other


def _what_leftovers_removes(platform: Platform, ports: Ports) -> tuple[str, ...]:
    """The same without a lease, for `--dry-run`: what the steward would answer, from what it tells."""
    status = ports.steward.status() if ports.steward.present() else None
    idle = _idle(status) if status is not None else None
    if status is None or idle is None:
        return ()
    held = status.colours.get(idle.value)
    if held is not None and held.warm:
        return ()
    clouds = ports.engine.observe(platform.name, [Binding.PRODUCTION])
    return tuple(c.name for c in what_discard_removes(idle, clouds))


@dataclass(frozen=True)
class Picture:
    """What `status` shows. `status` None: no production, or one without its steward. `departures`: production against
    its own definition, `untold` where nobody can tell that; `redefined`: the services that the files define otherwise
    than the live release, which is no departure."""

    status: Status | None
    addresses: dict[str, tuple[str, ...]]
    clouds: tuple[ObservedCloud, ...]
    departures: tuple[Difference, ...]
    redefined: tuple[str, ...] = ()
    untold: Alarm | None = None

    @property
    def red(self) -> bool:
        if self.status is None or self.untold:
            return bool(self.departures or self.untold)
        replacement = self.status.replacement
        return bool(self.departures or self.status.disagreements or (replacement and not replacement.ended))


def describe(platform: Platform, ports: Ports) -> Picture:
    """Production as it is, with every departure; reads only."""
    clouds = ports.engine.observe(platform.name, [Binding.PRODUCTION])
    if not ports.steward.present():
        return Picture(None, addresses(platform, ports), clouds, _unturned(platform, clouds))
    status = ports.steward.status()
    if status.live is None:
        return Picture(status, addresses(platform, ports), clouds, ())
    try:
        defined, release = live_definition(platform, status, status.live, clouds)
    except Alarm as alarm:
        return Picture(status, addresses(platform, ports), clouds, (), untold=alarm)
    edge, images = ports.engine.images(), images_beside(platform, ports)
    numbers = (status.serving, status.serving_second)
    stages = production_stages(defined, ports, release, status.live, images, edge, numbers)
    departures = against_definition(stages, serving(clouds, status.live))
    return Picture(status, addresses(platform, ports), clouds, departures, redefined(platform, defined))


def _unturned(platform: Platform, clouds: Sequence[ObservedCloud]) -> tuple[Difference, ...]:
    """The steward, where something of production stands without it: nobody tells what serves, and nobody turns it."""
    steward = shared_name(platform.name, STEWARD)
    reason = "is defined, but is not there"
    missing = Difference(STEWARD, CONTAINER, None, steward, Explanation.DRIFT, reason)
    return (missing,) * any(cloud.containers for cloud in clouds)
