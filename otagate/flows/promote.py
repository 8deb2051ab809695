"""Make a judged release live, or go back to the warm one: the command's own phases, then follow the steward.

Preflight, deploying, smoking and discarding are done here under the lease and reported; from flipping on the steward
acts alone and this only follows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from otagate.core.build import Build
from otagate.core.cloud import Binding, Cloud, Colour
from otagate.core.container import Stage
from otagate.core.errors import EngineFault, Fault, Interrupted, Refused, UsageError
from otagate.core.mirror import production_digest
from otagate.core.places import Place
from otagate.core.plan import Action, Plan, Step, steps_of
from otagate.core.platform import Platform
from otagate.core.preflight import Judged, Now, Objection, objections
from otagate.core.promotion import Event, Phase
from otagate.core.record import PromotionRecord
from otagate.core.release import Release, release_of
from otagate.core.stages import colour_stage
from otagate.core.traffic import Claim, Happening, Intent, Kind, PromotionView, Status, StewardEvent
from otagate.core.watch import WatchPolicy
from otagate.flows.look import Production, live_status, look_at_production, policy_digest, suite_digests
from otagate.ports import Hold, Ports, Progress, StoredRun


@dataclass(frozen=True)
class Attempt:
    """What a promotion came to, as the steward tells it; `objections` are why preflight said no."""

    record: PromotionRecord
    objections: tuple[Objection, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A judged release and where it is to go."""

    stored: StoredRun
    production: Production
    release: Release
    to: Colour


def look_for_promotion(platform: Platform, run: str, ports: Ports) -> Candidate:
    """UsageError if there is no such run or production; the release is rebuilt from the digests that were judged."""
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
            *steps_of([stage], clouds),
            Step(Action.RUN, "smoke", f"each listener of {candidate.to} must answer with the judged digests"),
            Step(Action.TURN, "switch", f"{candidate.production.live} → {candidate.to}, all listeners at once"),
            Step(Action.RUN, "watch", f"{watch.lasts:g} s; back by itself above {watch.error_share:.1%} errors"),
            Step(Action.KEEP, str(candidate.production.live), "stays warm as the way back"),
        ),
    )


def check(platform: Platform, candidate: Candidate, ports: Ports) -> tuple[Objection, ...]:
    """Preflight's conditions on what is the case now."""
    header, production = candidate.stored.header, candidate.production
    at = ports.clock.now()
    judged = Judged(
        run=header.run,
        decision=candidate.stored.verdict.decision,
        expires=candidate.stored.expires,
        release=header.release,
        policy=header.policy_digest,
        suites=header.suite_digests,
        production=header.production_digest,
    )
    now = Now(
        at=at,
        release=candidate.release.digest,
        policy=policy_digest(platform),
        suites=suite_digests(platform, ports),
        production=production_digest(production.clouds),
        live_release=production.release.digest,
        clocks=_clocks(ports),
    )
    departures = tuple(
        Objection(
            "drift", f"production departs from its definition: {d.service} {d.field}", "otagate status", alarm=True
        )
        for d in production.departures
    )
    return (*departures, *objections(platform.policy, judged, now))


def _clocks(ports: Ports) -> dict[str, float | None]:
    """Seconds by which the engines and the steward are ahead; None where one could not be read."""
    found: dict[str, float | None] = {"steward": ports.steward.status().now - ports.clock.now()}
    for cloud in Cloud:
        try:
            found[f"the {cloud} engine"] = ports.engine.clock(cloud) - ports.clock.now()
        except EngineFault:
            found[f"the {cloud} engine"] = None
    return found


def promote(platform: Platform, run: str, ports: Ports, claim: Claim, *, wait: float) -> Attempt:
    """From preflight to the promotion's end. Raises Busy, and Interrupted after the way out was taken."""
    with ports.steward.lease(claim, wait) as hold:
        # Looked at under the lease, so that nobody changes production between the look and the promotion.
        candidate = look_for_promotion(platform, run, ports)
        intent = _intent(platform, candidate, ports, claim)
        hold.begin(intent)
        against = check(platform, candidate, ports)
        if against:
            hold.report(Event.REFUSED, "; ".join(o.message for o in against))
            return Attempt(PromotionRecord(_view(ports)), against)
        steps = {
            Phase.DEPLOYING: lambda: _deploy(platform, candidate, ports, hold),
            Phase.SMOKING: lambda: smoke(candidate.to, candidate.release.builds, hold),
        }
        phase = hold.report(Event.OK, "every condition holds")
        _own_phases(phase, steps, hold, lambda: discard(platform, candidate.to, ports, hold))
    return Attempt(follow(intent.promotion, ports))


def _intent(platform: Platform, candidate: Candidate, ports: Ports, claim: Claim) -> Intent:
    return Intent(
        promotion=ports.clock.new_id("p-"),
        kind=Kind.PROMOTE,
        run=candidate.stored.header.run,
        release=candidate.release.digest,
        builds={name: build.digest for name, build in candidate.release.builds.items()},
        to=candidate.to,
        by=claim.by,
        watch=platform.watch,
        drain=platform.deadlines.drain,
    )


def plan_rollback(platform: Platform, ports: Ports) -> Plan:
    """What `rollback` would do, for `--dry-run`."""
    status = live_status(platform, ports)
    to, release, _ = warm_side(status)
    return Plan(
        f"roll back to {to}",
        (
            Step(Action.RUN, "smoke", f"{to} must answer with release {release.removeprefix('sha256:')[:12]}"),
            Step(Action.TURN, "switch", f"{status.live} → {to}, all listeners at once"),
        ),
    )


def rollback(platform: Platform, ports: Ports, claim: Claim, *, wait: float) -> Attempt:
    """Back to the warm colour. Refused without one, or towards a release identical with the live one."""
    status = live_status(platform, ports)
    to, release, builds = warm_side(status)
    intent = Intent(
        promotion=ports.clock.new_id("r-"),
        kind=Kind.ROLLBACK,
        run="",
        release=release,
        builds=builds,
        to=to,
        by=claim.by,
        watch=WatchPolicy(lasts=0.0),
        drain=platform.deadlines.drain,
    )
    tested = {name: Build(name, digest, digest) for name, digest in builds.items()}
    with ports.steward.lease(claim, wait) as hold:
        hold.begin(intent)
        steps = {
            Phase.DEPLOYING: lambda: hold.note("the warm colour stands already"),
            Phase.SMOKING: lambda: smoke(to, tested, hold),
        }
        phase = hold.report(Event.OK, f"{to} is warm")
        # What is warm is never removed: a way back that does not answer is left as it is for a person to look at.
        _own_phases(phase, steps, hold, lambda: hold.note("the warm colour is left standing"))
    return Attempt(follow(intent.promotion, ports))


def warm_side(status: Status) -> tuple[Colour, str, Mapping[str, str]]:
    """The way back: colour, release digest and builds. Refused if there is none."""
    if status.live is None:
        raise UsageError("nothing is live", code="no-production", hint="otagate up")
    to = status.live.other
    view, live = status.colours.get(to.value), status.colours.get(status.live.value)
    if view is None or not view.warm:
        raise Refused(
            f"{to} is not warm: there is no proven way back",
            code="no-warm-side",
            hint="otagate test an earlier build, then otagate promote it",
        )
    if live is not None and live.release == view.release:
        raise Refused(
            f"{to} holds the very release that is live: going there would change nothing",
            code="identical-release",
            hint="otagate test another build, then otagate promote it",
        )
    return to, view.release, view.builds


def _own_phases(
    phase: Phase, steps: Mapping[Phase, Callable[[], None]], hold: Hold, way_out: Callable[[], None]
) -> None:
    """Run this side's phases in the order of the table until the steward takes over or the promotion ends."""
    interrupted = False
    while phase in steps or phase is Phase.DISCARDING:
        try:
            if phase is Phase.DISCARDING:
                way_out()
            else:
                steps[phase]()
            phase = hold.report(Event.OK, "done")
        except Refused as no:
            phase = hold.report(Event.REFUSED, no.message)
        except Fault as fault:
            phase = hold.report(Event.FAULT, fault.message)
        except KeyboardInterrupt:
            interrupted = True
            phase = hold.report(Event.ABORT, "interrupted")
    if interrupted:
        raise Interrupted("interrupted: the idle colour was discarded, production is as it was", hint="otagate status")


def _stage(platform: Platform, candidate: Candidate, ports: Ports) -> Stage:
    return colour_stage(
        platform,
        candidate.release,
        candidate.to,
        lambda name: ports.secrets.of(platform.name, Binding.PRODUCTION, name),
        fresh=True,
    )


def _deploy(platform: Platform, candidate: Candidate, ports: Ports, hold: Hold) -> None:
    """Fresh containers from the judged digests, bound to production; what runs is read back and must be those."""
    hold.note(f"raise {candidate.to} with release {candidate.release.short}")
    # Also where the very same release stood there before: what it kept in its own folders must not live on.
    ports.engine.remove_colour(platform.name, candidate.to, ports.tell)
    folder = ports.vault.folder(candidate.stored.header.run)
    ports.provisioner.apply(platform.name, [_stage(platform, candidate, ports)], folder, ports.tell)
    place = Place(platform.name, Binding.PRODUCTION, candidate.to)
    running = {
        c.name: c for cloud in ports.engine.observe(platform.name, [Binding.PRODUCTION]) for c in cloud.containers
    }
    for service, build in candidate.release.builds.items():
        container = running.get(place.container(service))
        if container is None or not container.running or container.image != build.digest:
            seen = "nothing" if container is None else container.image
            raise EngineFault(
                f"{place.container(service)} runs {seen}, not the judged {build.digest}", code="digest-mismatch"
            )


def smoke(to: Colour, builds: Mapping[str, Build], hold: Hold) -> None:
    """The colour itself, asked without the switch and only by reading, answers with the judged digests."""
    digests = [build.digest.removeprefix("sha256:") for build in builds.values()]
    for listener, answered in hold.probe(to.value).items():
        short = answered.removeprefix("sha256:")
        if len(short) < 12 or not any(digest.startswith(short) for digest in digests):
            raise Refused(f"listener {listener} of {to} answers with build {answered or 'none'}, which was not judged")


def discard(platform: Platform, colour: Colour, ports: Ports, hold: Hold) -> None:
    hold.note(f"remove what was deployed to {colour}")
    ports.engine.remove_colour(platform.name, colour, ports.tell)


def follow(promotion: str, ports: Ports) -> PromotionRecord:
    """The steward's own telling until the promotion ends or halts; an interrupt only stops the following."""
    events: list[StewardEvent] = []
    try:
        for event in ports.steward.follow(promotion):
            events.append(event)
            # What the watch counts goes on, second by second: on a terminal one line that is written over.
            running = (0, 1) if event.happening is Happening.WATCH else (0, 0)
            ports.tell(Progress(str(event.phase), str(event.happening), event.message, *running))
    except KeyboardInterrupt:
        raise Interrupted(
            "no longer following: the steward goes on by itself", hint="otagate status says how it ends"
        ) from None
    return PromotionRecord(_view(ports), tuple(events))


def _view(ports: Ports) -> PromotionView:
    view = ports.steward.status().promotion
    if view is None:
        raise UsageError("the steward knows of no promotion", code="no-promotion", hint="otagate status")
    return view
