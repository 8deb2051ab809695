"""The gate: raise the mirror with the build in it, compare, run the suites, judge, keep the record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from otagate.core.build import Build
from otagate.core.cloud import LABEL_RELEASE, Binding
from otagate.core.errors import ProvisionFault, UsageError
from otagate.core.judge import Decision, judge
from otagate.core.mirror import Comparison, ObservedCloud, ObservedContainer, production_digest
from otagate.core.plan import Action, Plan, Step
from otagate.core.platform import Platform, Tier
from otagate.core.record import Migration, Record, RunHeader
from otagate.core.redaction import Redactor
from otagate.core.release import Release, release_of
from otagate.core.suite import Crash
from otagate.core.traffic import Claim
from otagate.flows.look import Production, SuitesSeen, keeps_hooks, look_at_production, look_at_suites, policy_digest
from otagate.flows.migrate import moves_of
from otagate.flows.mirror import (
    SIDES,
    Mirror,
    compare_mirror,
    lower_mirror,
    plan_mirror,
    plan_text,
    raise_mirror,
)
from otagate.flows.rehearse import live_on_moved, moved_mirror
from otagate.flows.suites import Bench, run_suites
from otagate.ports import CrashWatch, Ports, Progress, StoredRun

# What a provisioner breaks on that no build can be blamed for.
_OUTSIDE = frozenset({"engine", "disk", "no-ansible", "no-playbooks", "not-stopped"})


@dataclass(frozen=True)
class Subject:
    """What is to be judged: the candidate's release beside the live one, and by which suites."""

    production: Production
    candidate: Release
    suites: SuitesSeen


def look_for_test(platform: Platform, asked: Mapping[str, str], ports: Ports) -> Subject:
    """Resolve every image once. UsageError for a service outside the release tier or an image that is not there."""
    for name in asked:
        service = platform.services.get(name)
        if service is None or service.tier is not Tier.RELEASE:
            known = ", ".join(s.name for s in platform.of_tier(Tier.RELEASE))
            raise UsageError(
                f"{name!r} is not a release-tier service of {platform.name}",
                code="unknown-service",
                hint=f"its release-tier services are: {known}",
            )
    suites = look_at_suites(platform, ports)  # an empty suite folder ends here, before anything is raised
    production = look_at_production(platform, ports)
    keeps_hooks(platform, production)
    tested = {name: ports.engine.resolve(name, reference) for name, reference in asked.items()}
    return Subject(production, release_of(platform, {**production.release.builds, **tested}), suites)


def plan_test(platform: Platform, asked: Mapping[str, str], ports: Ports) -> Plan:
    """What `test` would do, for `--dry-run`."""
    subject = look_for_test(platform, asked, ports)
    moves = moves_of(platform, subject.production.status, subject.candidate)
    mirror = plan_mirror(platform, subject.production, subject.candidate, ports, run="", moves=bool(moves))
    plan = plan_text(mirror, standing(platform, ports), tuple(platform.suites))
    moved = [Step(Action.RUN, f"migrate {m}", "on the mirror, then the live release's suites on that") for m in moves]
    return replace(plan, steps=(*plan.steps, *moved))


def standing(platform: Platform, ports: Ports) -> tuple[ObservedCloud, ...]:
    """What stands of the mirror now."""
    return ports.engine.observe(platform.name, [Binding.CANDIDATE, Binding.BASELINE])


def compare_standing(platform: Platform, ports: Ports) -> Comparison:
    """The standing mirror's candidate side against production. UsageError if there is none."""
    production = look_at_production(platform, ports)
    candidates = [c for cloud in standing(platform, ports) for c in cloud.containers if c.binding == Binding.CANDIDATE]
    if not candidates:
        raise UsageError("no mirror stands", code="no-mirror", hint="otagate mirror up")
    released = {
        c.service: Build(c.service, c.image, c.image) for c in candidates if c.service in production.release.builds
    }
    candidate = release_of(platform, {**production.release.builds, **released})
    if any(c.service in released and c.labels.get(LABEL_RELEASE) != candidate.digest for c in candidates):
        raise UsageError(
            "the standing mirror was raised from other files than these",
            code="mirror-changed",
            hint="otagate mirror up",
        )
    return compare_mirror(platform, production, candidate, ports)


def test(
    platform: Platform, asked: Mapping[str, str], ports: Ports, claim: Claim, *, wait: float, keep: bool
) -> StoredRun:
    """One run of the gate, from the images to the stored verdict; `keep` leaves the mirror standing.

    Raises Busy if another holds the mirror, and Fault if something outside broke before anything could be judged.
    """
    subject = look_for_test(platform, asked, ports)
    with ports.steward.lease(claim, wait):
        before = ports.store.latest(platform.name, subject.candidate.digest)
        header = _header(platform, subject, ports, claim)
        try:
            stored = _run(platform, subject, ports, header)
            if before and before[1] is Decision.REFUSE and stored.verdict.decision is Decision.APPROVE:
                stored = replace(stored, lifts=before[0])
            ports.store.save_run(stored)  # first of all: a mirror that cannot be lowered must not cost a verdict
        finally:
            if not keep:
                lower_mirror(platform, ports)
        return stored


def _header(platform: Platform, subject: Subject, ports: Ports, claim: Claim) -> RunHeader:
    production = subject.production
    return RunHeader(
        run=ports.clock.new_id(""),
        nonce=ports.clock.nonce(),
        platform=platform.name,
        command=claim.command,
        by=claim.by,
        started=ports.clock.now(),
        builds=tuple(subject.candidate.builds.values()),
        baseline=tuple(production.release.builds.values()),
        release=subject.candidate.digest,
        baseline_release=production.release.digest,
        policy_digest=policy_digest(platform),
        suite_digests=subject.suites.digests,
        production_digest=production_digest(production.clouds),
        suite_images={name: build.digest for name, build in subject.suites.images.items()},
    )


def _run(platform: Platform, subject: Subject, ports: Ports, header: RunHeader) -> StoredRun:
    lower_mirror(platform, ports)  # what an earlier run left would be state that production does not have
    production, candidate = subject.production, subject.candidate
    moves = bool(moves_of(platform, production.status, candidate))
    mirror = plan_mirror(platform, production, candidate, ports, header.run, moves=moves)
    folder = ports.vault.folder(header.run)
    moved = moved_mirror(platform, production, candidate, mirror, ports, folder, _OUTSIDE)
    if moved and moved.broke:
        record = Record({}, {}, None, None, migration=moved)
    else:
        record = _looked_at(platform, subject, mirror, ports, header, moved)
    record = _redacted(record, [platform, production.defined], ports)
    verdict = judge(platform.policy, record)
    ended = ports.clock.now()
    return StoredRun(header, record, verdict, ended, ended + platform.policy.max_age)


def _looked_at(
    platform: Platform, subject: Subject, mirror: Mirror, ports: Ports, header: RunHeader, moved: Migration | None
) -> Record:
    """What comes of both releases on the raised mirror."""
    folder = ports.vault.folder(header.run)
    with ports.engine.watch_crashes(platform.name, Binding.CANDIDATE) as crashes:
        if unhealthy := _raise(platform, mirror, ports, folder, crashes):
            return Record({}, {}, unhealthy, None, migration=moved)
        production, candidate = subject.production, subject.candidate
        bench = Bench(platform, production, mirror, candidate, header.run, header.nonce, folder, ports, crashes)
        record = _measure(bench, subject)
        if moved:
            record = replace(record, migration=live_on_moved(bench, moved, subject.suites.images))
        return record


def _redacted(record: Record, platforms: Sequence[Platform], ports: Ports) -> Record:
    """Without the mirror's secrets in what its containers logged before they ended, those included that only the live
    release has."""
    platform = platforms[0]
    names = {name for p in platforms for service in p.services.values() for name in service.secrets}
    names |= {name for p in platforms for service in p.migrating if service.migrate for name in service.migrate.secrets}
    sides = SIDES if record.migration else (Binding.CANDIDATE,)
    hide = Redactor(ports.secrets.of(platform.name, side, name) for side in sides for name in sorted(names))

    def hidden(crashes: tuple[Crash, ...] | None) -> tuple[Crash, ...] | None:
        return crashes and tuple(replace(c, log=hide(c.log), reason=hide(c.reason)) for c in crashes)

    seen = record.migration
    seen = seen and replace(seen, crashes=hidden(seen.crashes), broke=hide(seen.broke))
    return replace(record, crashes=hidden(record.crashes), migration=seen)


def _measure(bench: Bench, subject: Subject) -> Record:
    tell = bench.ports.tell
    tell(Progress("drift", "", "comparing mirror and production"))
    comparison = compare_mirror(bench.platform, bench.production, bench.candidate, bench.ports)
    tell(Progress("drift", "", f"{comparison.compared} fields compared, {len(comparison.drift)} unexplained"))
    gathered = run_suites(bench, subject.suites.images)
    return Record(gathered.suites, gathered.metrics, bench.crashes.seen(), comparison)


def _raise(platform: Platform, mirror: Mirror, ports: Ports, folder: str, crashes: CrashWatch) -> tuple[Crash, ...]:
    """Raise both sides. A candidate that never gets healthy beside a healthy baseline is the build's own doing and is
    answered as its crashes; anything else that breaks is a fault outside and is raised."""
    try:
        raise_mirror(platform, mirror, ports, folder)
    except ProvisionFault as fault:
        # Only a release container of the candidate that was started and did not get well is the build's own doing.
        released = {s.name for s in platform.of_tier(Tier.RELEASE)}
        if fault.at not in {mirror.candidate.container(name) for name in released} or fault.code in _OUTSIDE:
            raise
        seen = {c.name: c for cloud in ports.engine.observe(platform.name, list(Binding)) for c in cloud.containers}
        baseline = [seen.get(name) for name in mirror.containers(Binding.BASELINE)]
        if not all(c is not None and _well(c) for c in baseline):
            raise
        # One that its policy starts again and again may be up at the moment of this look.
        if ended := tuple(crash for crash in crashes.seen() or () if crash.container == fault.at):
            return ended
        sick = seen.get(fault.at)
        if sick is None or not sick.started_at > 0 or _well(sick):
            raise
        return (_never_healthy(sick, ports),)
    return ()


def _well(container: ObservedContainer) -> bool:
    return container.running and container.health in ("healthy", "none")


def _never_healthy(container: ObservedContainer, ports: Ports) -> Crash:
    reason = f"never became healthy beside a healthy baseline ({container.health if container.running else 'ended'})"
    return Crash(
        container.service, container.name, ports.clock.now(), reason, ports.engine.log_tail(container.name, 20)
    )
