"""Make a judged release live: the command's own phases, then follow the steward.

Preflight, deploying, smoking and discarding are done here under the lease and reported; from flipping on the steward
acts alone and this only follows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from otagate.core.cloud import Binding, Cloud, Colour
from otagate.core.container import Stage
from otagate.core.definition import redefined
from otagate.core.errors import Fault, Refused, UsageError
from otagate.core.incident import Incident, held, held_message
from otagate.core.judge import Decision, contradiction
from otagate.core.mirror import production_digest
from otagate.core.places import Place
from otagate.core.plan import Action, Plan, Step, steps_of
from otagate.core.platform import Platform
from otagate.core.preflight import Judged, Now, Objection, objections
from otagate.core.promotion import Phase
from otagate.core.record import PromotionRecord
from otagate.core.release import Release, release_of
from otagate.core.schema import Move, beyond, either, unreadable
from otagate.core.shadow import ShadowSeen, Told, judged
from otagate.core.stages import colour_stage
from otagate.core.traffic import Claim, Intent, Kind
from otagate.core.watch import WatchPolicy
from otagate.flows.course import discard, drive, read_back, what_discard_removes
from otagate.flows.incidents import left_open, worst_impact
from otagate.flows.look import Production, look_at_production, look_at_suites, policy_digest
from otagate.flows.migrate import migrate_production, moves_of, unproven_of
from otagate.ports import Clock, Hold, Ports, StoredRun


@dataclass(frozen=True)
class Attempt:
    """What a promotion came to, as the steward tells it; `objections` are why preflight said no;
    `incident` is what it left open if it was brought back."""

    record: PromotionRecord
    objections: tuple[Objection, ...] = ()
    incident: Incident | None = None


@dataclass(frozen=True)
class Candidate:
    """A judged release and where it is to go."""

    stored: StoredRun
    production: Production
    release: Release
    to: Colour


def look_for_promotion(platform: Platform, run: str, ports: Ports) -> Candidate:
    """UsageError if there is no such run or production; the release is rebuilt from the digests that were judged."""
    if not run:
        raise UsageError("promote needs the run to be named", hint="otagate verdict shows the newest run")
    stored = ports.store.run(platform.name, run)
    production = look_at_production(platform, ports)
    builds = {build.service: build for build in stored.header.builds}
    try:
        release = release_of(platform, builds)
    except ValueError as hole:
        raise UsageError(
            f"run {stored.header.run} judged other services than the platform has now: {hole}",
            code="changed",
            hint="otagate test again, then promote the new run",
        ) from None
    return Candidate(stored, production, release, production.live.other)


def plan_promotion(platform: Platform, candidate: Candidate, ports: Ports) -> Plan:
    """What `promote` would do, each step with its cause, for `--dry-run`."""
    stage = _stage(platform, candidate, ports)
    clouds = ports.engine.observe(platform.name, [Binding.PRODUCTION])
    watch = platform.watch
    return Plan(
        f"promote release {candidate.release.short} of run {candidate.stored.header.run} to {candidate.to}",
        (
            *(Step(Action.RUN, "preflight", f"would refuse: {o.message}") for o in check(platform, candidate, ports)),
            *(
                Step(Action.REMOVE, c.name, "a colour is made afresh")
                for c in what_discard_removes(candidate.to, clouds)
            ),
            *_looks(platform, candidate.production),
            *(Step(Action.RUN, f"migrate {m}", "as it was on the mirror") for m in _moves(platform, candidate)),
            *steps_of([stage], ()),
            Step(Action.RUN, "smoke", f"each listener of {candidate.to} must answer with the judged digests"),
            *(
                Step(Action.RUN, "shadow", f"for {rule.lasts:g} s {candidate.to} is asked what {name} is")
                for name, rule in platform.shadows.items()
            ),
            Step(Action.TURN, "switch", f"{candidate.production.live} → {candidate.to}, all listeners at once"),
            Step(Action.RUN, "watch", _watched(watch)),
            Step(Action.KEEP, str(candidate.production.live), "stays warm as the way back"),
        ),
    )


def _looks(platform: Platform, production: Production) -> tuple[Step, ...]:
    at = production.status.schemas
    return tuple(
        Step(Action.RUN, f"look at the schema of {name}", f"it may be {either(at[name])}: its move was cut off")
        for name in unproven_of(platform, production.status)
    )


def _watched(watch: WatchPolicy) -> str:
    more = f", or if one of {len(watch.invariants)} invariants breaks" if watch.invariants else ""
    return f"{watch.lasts:g} s; back by itself above {watch.error_share:.1%} errors, if slow, cut or piling up{more}"


def check(platform: Platform, candidate: Candidate, ports: Ports) -> tuple[Objection, ...]:
    """Preflight's conditions on what is the case now."""
    departures = tuple(
        Objection(
            "drift", f"production departs from its definition: {d.service} {d.field}", "otagate status", alarm=True
        )
        for d in candidate.production.departures
    )
    judged, now = _judged(candidate.stored), _now(platform, candidate, ports)
    return (*departures, *objections(platform.policy, judged, now))


def _judged(stored: StoredRun) -> Judged:
    header = stored.header
    return Judged(
        run=header.run,
        decision=stored.verdict.decision,
        ended=stored.ended,
        expires=stored.expires,
        release=header.release,
        policy=header.policy_digest,
        suites=header.suite_digests,
        production=header.production_digest,
        moves=stored.record.migration.moves if stored.record.migration else (),
    )


def _now(platform: Platform, candidate: Candidate, ports: Ports) -> Now:
    production, stored = candidate.production, candidate.stored
    incident = held(production.status.incidents, candidate.release.digest)
    withdrawn = ports.store.latest(platform.name, candidate.release.digest)
    return Now(
        at=ports.clock.now(),
        release=candidate.release.digest,
        policy=policy_digest(platform),
        suites=look_at_suites(platform, ports).digests,
        production=production_digest(production.clouds),
        live_release=production.release.digest,
        clocks=_clocks(ports),
        brought_back=_brought_back(candidate, ports),
        held=held_message(incident) if incident else "",
        unreadable=_unreadable(platform, production),
        moves=_moves(platform, candidate),
        contradiction=contradiction(platform.policy, stored.record, stored.verdict),
        warm_since=_warm_since(production),
        refused_since=withdrawn[0] if withdrawn and withdrawn[1] is Decision.REFUSE else "",
    )


def _brought_back(candidate: Candidate, ports: Ports) -> str:
    """Whatever a run found, it did not know what came of the release after it began."""
    since, release = candidate.stored.header.started, candidate.release.digest
    left = [i for i in ports.steward.incidents() if i.release == release and not i.opened < since]
    return left[-1].reason if left else ""


def _unreadable(platform: Platform, production: Production) -> tuple[str, ...]:
    """The new release must read what is there, and the old one, as the way back, what the new one writes. A state that
    may be at either label the new release's own program is asked for later; where it brings none, it must read both."""
    live = production.status.colours[production.live.value].schemas
    new = platform.schemas
    asked = unproven_of(platform, production.status)
    left = {
        name: at
        for name, at in production.status.schemas.items()
        if name not in asked and (name not in live or at != (live[name].writes,))
    }
    return (
        *unreadable(live, new, "the new release"),
        *beyond(left, new, "the new release"),
        *unreadable(new, live, "the live release"),
    )


def _moves(platform: Platform, candidate: Candidate) -> tuple[Move, ...]:
    return moves_of(platform, candidate.production.status, candidate.release)


def _warm_since(production: Production) -> float | None:
    """When the flip was made that left the other colour warm."""
    held = production.status.colours.get(production.live.other.value)
    return production.status.last_flip if held is not None and held.warm else None


def _ahead(read: Callable[[], float], clock: Clock) -> float | None:
    """Seconds by which a clock is ahead of ours, half the way there and back taken off; None if it cannot be read."""
    before = clock.now()
    try:
        told = read()
    except Fault:
        return None
    return told - (before + clock.now()) / 2


def _clocks(ports: Ports) -> dict[str, float | None]:
    engines = {f"the {c} engine": _ahead(partial(ports.engine.clock, c), ports.clock) for c in Cloud}
    return {"steward": _ahead(lambda: ports.steward.status().now, ports.clock), **engines}


def promote(platform: Platform, run: str, ports: Ports, claim: Claim, *, wait: float) -> Attempt:
    """From preflight to the promotion's end. Raises Busy, what broke in preflight, and Interrupted."""
    with ports.steward.lease(claim, wait) as hold:
        # Looked at under the lease, so that nobody changes production between the look and the promotion.
        candidate = look_for_promotion(platform, run, ports)
        to = candidate.to
        against: list[Objection] = []

        def preflight() -> None:
            against.extend(check(platform, candidate, ports))
            if against:
                raise Refused("; ".join(o.message for o in against), code="preflight")

        steps = {
            Phase.PREFLIGHT: preflight,
            Phase.DEPLOYING: lambda: _deploy(platform, candidate, ports, hold),
            Phase.SMOKING: lambda: _smoke(platform, candidate, hold),
        }
        driven = drive(
            _intent(platform, candidate, ports, claim),
            steps,
            lambda: discard(platform, to, ports, hold),
            hold,
            ports,
        )
    if driven.cause is not None and driven.broke_in is Phase.PREFLIGHT and not against:
        raise driven.cause  # preflight itself broke: nothing was touched
    return Attempt(driven.record, tuple(against), left_open(driven.record, ports))


def _deploy(platform: Platform, candidate: Candidate, ports: Ports, hold: Hold) -> None:
    """Fresh containers from the judged digests, bound to production; what runs is read back and must be those."""
    hold.note(f"raise {candidate.to} with release {candidate.release.short}")
    # Also where the very same release stood there before: what it kept in its own folders must not live on.
    discard(platform, candidate.to, ports, hold)
    folder, status = ports.vault.folder(candidate.stored.header.run), candidate.production.status
    place = Place(platform.name, Binding.PRODUCTION, candidate.to)
    migrate_production(platform, status, candidate.release, place, ports, hold, folder)
    hold.held()
    ports.provisioner.apply(platform.name, [_stage(platform, candidate, ports)], folder, ports.tell)
    read_back(platform, candidate.to, candidate.release.digests, ports)


def _smoke(platform: Platform, candidate: Candidate, hold: Hold) -> None:
    """It answers as itself; and where the platform says so, as the live one does, to what is asked of that just now."""
    hold.prove(candidate.to, candidate.release.digests)
    if not platform.shadows:
        return
    seen = hold.shadow(candidate.to, platform.shadows)
    against = []
    for name, rule in platform.shadows.items():
        word = judged(rule, seen.get(name, ShadowSeen()))
        if word.refuses and word.told is not Told.PASS:
            against.append(f"shadow of {name}: {word.message}")
    if against:
        raise Refused("; ".join(against), code="shadow", hint="otagate report shows what differed")


def _intent(platform: Platform, candidate: Candidate, ports: Ports, claim: Claim) -> Intent:
    live = candidate.production
    return Intent(
        promotion=ports.clock.new_id("p-"),
        kind=Kind.PROMOTE,
        run=candidate.stored.header.run,
        release=candidate.release.digest,
        builds=candidate.release.digests,
        to=candidate.to,
        by=claim.by,
        watch=platform.watch,
        drain=platform.deadlines.drain,
        schemas=platform.schemas,
        impact=worst_impact(
            platform, live.release.digests, candidate.release.digests, redefined(platform, live.defined)
        ),
    )


def _stage(platform: Platform, candidate: Candidate, ports: Ports) -> Stage:
    return colour_stage(
        platform,
        candidate.release,
        candidate.to,
        lambda name: ports.secrets.of(platform.name, Binding.PRODUCTION, name),
        fresh=True,
    )
