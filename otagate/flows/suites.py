"""Run the platform's suites on the mirror's network and gather what they found."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from otagate.core.build import Build
from otagate.core.cloud import Binding, Cloud
from otagate.core.errors import UsageError
from otagate.core.metric import Metric
from otagate.core.picture import Picture, beyond
from otagate.core.places import SWITCH
from otagate.core.platform import Platform, SuiteSpec
from otagate.core.release import Release
from otagate.core.suite import Crash, SuiteReport, without_evidence
from otagate.core.topology import topology
from otagate.flows.look import Production
from otagate.flows.mirror import Mirror
from otagate.ports import CrashWatch, Ports, SuiteResult, SuiteRun

# A crash is seen by the engine a moment before or after the case that suffers from it notices.
CRASH_SLACK = 1.0

# Lines: more than a container of a mirror writes in its life, so that a case about the log sees all of it.
_WHOLE_LOG = 1_000_000


@dataclass(frozen=True)
class Gathered:
    suites: Mapping[str, SuiteReport]
    metrics: Mapping[str, Metric]


@dataclass(frozen=True)
class Bench:
    """Everything a suite of this run is driven with."""

    platform: Platform
    production: Production
    mirror: Mirror
    candidate: Release
    run: str
    nonce: str
    folder: str
    ports: Ports
    crashes: CrashWatch
    prefix: str = ""  # of the files that its suites write; with one, what they draw is not kept


def run_suites(bench: Bench, images: Mapping[str, Build]) -> Gathered:
    """All suites, one after another, in the order of the file; `images` maps suite to the image it runs in."""
    results = {name: _run(bench, spec, images[name]) for name, spec in bench.platform.suites.items()}
    crashes = bench.crashes.seen() or ()
    gathered = Gathered(
        suites=_pictured({name: _settled(name, results, crashes) for name in results}),
        metrics={name: metric for r in results.values() for name, metric in r.metrics.items()},
    )
    contents = {digest: content for r in results.values() for digest, content in r.contents.items()}
    for picture in (
        () if bench.prefix else (picture for report in gathered.suites.values() for picture in report.pictures)
    ):
        bench.ports.vault.write(bench.run, picture.file, contents[picture.digest])
    return gathered


def _settled(name: str, results: Mapping[str, SuiteResult], crashes: Sequence[Crash]) -> SuiteReport:
    """The report with what crashes tore down set apart; a metric that two suites claim is a flaw of both."""
    report = results[name].report
    twice = [
        f"metric {metric} is reported by suite {other} too"
        for other, result in results.items()
        for metric in result.metrics
        if other != name and metric in results[name].metrics
    ]
    cases = without_evidence(report.cases, crashes, slack=CRASH_SLACK)
    return replace(report, cases=cases, flaws=(*report.flaws, *twice))


def _pictured(suites: Mapping[str, SuiteReport]) -> dict[str, SuiteReport]:
    """Each with the pictures for which the run has room; one that is left out is a flaw of its suite."""
    room: list[Picture] = []
    settled = {}
    for name, report in suites.items():
        flaws, before = list(report.flaws), len(room)
        for picture in report.pictures:
            if reason := beyond([*room, picture]):
                flaws.append(f"picture {picture.name} is refused: {reason}")
            else:
                room.append(picture)
        settled[name] = replace(report, flaws=tuple(flaws), pictures=tuple(room[before:]))
    return settled


def _run(bench: Bench, spec: SuiteSpec, image: Build) -> SuiteResult:
    mirror, ports = bench.mirror, bench.ports
    secrets = {name: ports.secrets.of(bench.platform.name, mirror.candidate.binding, name) for name in spec.secrets}
    run = SuiteRun(
        platform=bench.platform.name,
        run=bench.run,
        suite=spec.name,
        image=image.digest,
        cloud=Cloud.of(mirror.candidate.colour),
        networks=(mirror.candidate.network, mirror.baseline.network),
        environment={**spec.environment, **_addresses(bench)},
        secrets=secrets,
        folder=spec.folder,
        deadline=spec.deadline,
        output=f"{bench.folder}/{bench.prefix}{spec.name}.log",
    )
    return ports.suites.run(run, lambda ask, args: _answer(bench, ask, args), ports.tell)


def _answer(bench: Bench, ask: str, args: Mapping[str, Any]) -> Any:
    """What a suite may ask of its own mirror's candidate, and nothing else."""
    service = str(args.get("service", ""))
    name = bench.mirror.candidate.container(service)
    if name not in bench.mirror.containers(Binding.CANDIDATE):
        raise UsageError(f"the mirror has no service {service!r}", code="unknown-service")
    engine, deadline = bench.ports.engine, float(args.get("deadline", 30.0))
    if ask == "logs":
        return engine.log_tail(name, _WHOLE_LOG)
    if ask not in ("restart", "kill"):
        raise UsageError(f"a suite may not ask for {ask!r}", code="unknown-ask")
    with bench.crashes.expect(name):
        (engine.restart if ask == "restart" else engine.kill)(name, deadline)
        engine.wait_healthy([name], deadline, bench.ports.tell)
    return True


def _addresses(bench: Bench) -> dict[str, str]:
    """The environment of a suite container; `docs/suites.md` lists it for people who run a suite by hand."""
    found = {"OTAGATE_RUN": bench.run, "OTAGATE_NONCE": bench.nonce, "OTAGATE_PRODUCTION": _production(bench)}
    releases = {Binding.CANDIDATE: bench.candidate, Binding.BASELINE: bench.production.release}
    for binding, release in releases.items():
        place = bench.mirror.place(binding)
        for service in bench.platform.services:
            key = f"OTAGATE_{binding.upper()}_{_upper(service)}"
            found[key] = place.container(service)
            if service in release.builds:
                found[f"{key}_BUILD"] = release.builds[service].digest
    switch = bench.mirror.candidate.container(SWITCH)
    for door in topology(bench.platform, bench.mirror.candidate).doors:
        found[f"OTAGATE_DOOR_{_upper(door.name)}"] = f"{switch}:{door.front}"
    return found


def _production(bench: Bench) -> str:
    """Names and addresses of production's containers: what the isolation case must not be able to reach."""
    containers = [c for cloud in bench.production.clouds for c in cloud.containers]
    return json.dumps({c.name: sorted(c.addresses.values()) for c in containers}, sort_keys=True)


def _upper(name: str) -> str:
    return name.upper().replace("-", "_")
