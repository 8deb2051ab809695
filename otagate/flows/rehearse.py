"""The rehearsal of a migration: the mirror's state moved by the very program that production's will be, and the live
release's suites run on it, beside the candidate's own."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from otagate.core.build import Build
from otagate.core.cloud import LABEL_TIER, Binding
from otagate.core.errors import ProvisionFault
from otagate.core.one_off import Mode, migrate_name
from otagate.core.places import Place
from otagate.core.platform import Platform, Tier
from otagate.core.record import Migration
from otagate.core.release import Release
from otagate.core.schema import Move
from otagate.flows.look import Production
from otagate.flows.migrate import apply_and_read, guilty, moves_of, run, stage_of
from otagate.flows.mirror import Mirror
from otagate.flows.suites import Bench, run_suites
from otagate.ports import Ports, Progress


def moved_mirror(
    platform: Platform,
    production: Production,
    candidate: Release,
    mirror: Mirror,
    ports: Ports,
    folder: str,
    outside: frozenset[str],
) -> Migration | None:
    """Raise the states alone, bring both to production's schema, and move the candidate's on; None where nothing is
    moved. What the candidate's program broke is its own doing; raises what broke `outside`, and ProvisionFault (code
    `schema-mirror`) where the mirror cannot be brought to where production is."""
    if not platform.migrating:
        return None
    places = (mirror.candidate, mirror.baseline)
    wanted = moves_of(platform, production.status, candidate)
    try:
        _as_production(platform, production, candidate, mirror, ports, folder)
        if wanted:
            apply_and_read(platform, wanted, mirror.candidate, candidate.builds, ports, folder)
    except ProvisionFault as fault:
        if not guilty(fault, places, platform) or fault.code in outside:
            raise
        return Migration(wanted, broke=fault.message)
    return Migration(wanted) if wanted else None


def _as_production(
    platform: Platform, production: Production, candidate: Release, mirror: Mirror, ports: Ports, folder: str
) -> None:
    """What the state's image brings may be older than what production was moved to: the live release moves it on."""
    places, services = (mirror.candidate, mirror.baseline), [s.name for s in platform.migrating]
    beside = [c for c in mirror.stage.containers if c.labels.get(LABEL_TIER) in (Tier.STATE, Tier.EXTERNAL)]
    states = replace(mirror.stage, containers=tuple(beside))
    looks = [stage_of(platform, Mode.LOOK, place, candidate.builds, services, ports) for place in places]
    told = run(platform, [states, *looks], dict.fromkeys(places, services), ports, folder)
    live = production.status.colours[production.live.value].schemas
    for place in places:
        behind = [
            Move(name, label, live[name].writes, production.release.builds[name].digest)
            for name, label in told[place].items()
            if name in live and label != live[name].writes
        ]
        if behind:
            _brought(platform, behind, place, production.release.builds, ports, folder)


def _brought(
    platform: Platform, behind: Sequence[Move], place: Place, builds: Mapping[str, Build], ports: Ports, folder: str
) -> None:
    try:
        apply_and_read(platform, behind, place, builds, ports, folder)
    except ProvisionFault as fault:
        raise ProvisionFault(
            f"the mirror's state cannot be brought to production's schema ({behind[0]}): {fault.message}",
            code="schema-mirror",
            hint="the live release must be able to move what the state's image brings to the schema that it writes",
        ) from fault


def live_on_moved(bench: Bench, seen: Migration, images: Mapping[str, Build]) -> Migration:
    """Move the baseline's state under the live release, as it will be moved in production, and run its suites there."""
    platform, ports, place = bench.platform, bench.ports, bench.mirror.baseline
    ports.tell(Progress("migrate", "", "the live release on the migrated state"))
    with ports.engine.watch_crashes(platform.name, Binding.BASELINE) as crashes:
        try:
            with ExitStack() as asked_for:
                for move in seen.moves:
                    asked_for.enter_context(crashes.expect(migrate_name(place, move.service)))
                apply_and_read(platform, seen.moves, place, bench.candidate.builds, ports, bench.folder)
        except ProvisionFault as fault:
            if not guilty(fault, [place], platform):
                raise
            return replace(seen, broke=f"beside the live release: {fault.message}")
        turned = replace(
            bench,
            mirror=replace(bench.mirror, candidate=place, baseline=bench.mirror.candidate),
            candidate=bench.production.release,
            production=replace(bench.production, release=bench.candidate),
            crashes=crashes,
            prefix="live-",
        )
        gathered = run_suites(turned, images)
        suites = {name: replace(report, pictures=()) for name, report in gathered.suites.items()}
        return replace(seen, suites=suites, crashes=crashes.seen())
