"""The step that takes a state to another schema: on the mirror first, and in production by the same program.

The program says itself where the state is, before and after: what it did is read back, never assumed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from otagate.core.build import Build
from otagate.core.container import Stage
from otagate.core.errors import Fault, ProvisionFault
from otagate.core.one_off import Mode, migrate_name, migrate_stage
from otagate.core.places import Place
from otagate.core.platform import Platform
from otagate.core.release import Release
from otagate.core.schema import INCOMPATIBLE, Move, beyond, moves, said
from otagate.core.traffic import Status
from otagate.ports import Hold, Ports, Progress

_LINES = 50  # of a program's log; what it says last is its schema


def moves_of(platform: Platform, status: Status, release: Release) -> tuple[Move, ...]:
    """What putting `release` in the place of the live one would migrate."""
    held = status.colours.get(status.live.value) if status.live is not None else None
    able = {s.name: release.builds[s.name].digest for s in platform.migrating}
    return moves(held.schemas if held else {}, platform.schemas, able)


def unproven_of(platform: Platform, status: Status) -> tuple[str, ...]:
    """The services of which nobody knows where their state is, for a move was cut off, and whose program can tell."""
    return tuple(s.name for s in platform.migrating if len(status.schemas.get(s.name, ())) > 1)


def stage_of(
    platform: Platform, mode: Mode, place: Place, builds: Mapping[str, Build], services: Sequence[str], ports: Ports
) -> Stage:
    """The programs of `builds` for `services`, with the secrets of the place."""

    def secret(name: str) -> bytes:
        return ports.secrets.of(platform.name, place.binding, name)

    return migrate_stage(platform, mode, place, builds, secret, services)


def run(
    platform: Platform, stages: Sequence[Stage], asked: Mapping[Place, Sequence[str]], ports: Ports, folder: str
) -> dict[Place, dict[str, str]]:
    """Raise the stages, the last of which ran a program for each service `asked`; the schema that each told.

    ProvisionFault (code `schema-untold`) for one that told none.
    """
    ports.provisioner.apply(platform.name, stages, folder, ports.tell)
    told: dict[Place, dict[str, str]] = {}
    for place, services in asked.items():
        for service in services:
            name = migrate_name(place, service)
            label = said(ports.engine.collect(name, _LINES))
            if not label:
                raise ProvisionFault(
                    f"the migrate program of {service} did not say which schema there is",
                    code="schema-untold",
                    hint="it must write one line `schema LABEL`; docs/schema.md",
                    at=name,
                )
            told.setdefault(place, {})[service] = label
    return told


def apply_and_read(
    platform: Platform, wanted: Sequence[Move], place: Place, builds: Mapping[str, Build], ports: Ports, folder: str
) -> None:
    """Carry the moves out and read each schema back. ProvisionFault (code `schema-not-moved`) if one is another."""
    services = [move.service for move in wanted]
    stages = [stage_of(platform, mode, place, builds, services, ports) for mode in (Mode.APPLY, Mode.LOOK)]
    told = run(platform, stages, {place: services}, ports, folder)[place]
    for move in wanted:
        ports.tell(Progress("migrate", move.service, f"schema {told[move.service]}"))
        if told[move.service] != move.to:
            raise ProvisionFault(
                f"after its migrate the schema of {move.service} is {told[move.service]}, not {move.to}",
                code="schema-not-moved",
                hint="mend the release's migrate program, then otagate test again",
                at=migrate_name(place, move.service),
            )


def migrate_production(
    platform: Platform, status: Status, release: Release, place: Place, ports: Ports, hold: Hold, folder: str
) -> None:
    """Look, journal what is meant, do it, read it back, journal that it is so. What is there already is only told.

    ProvisionFault (code `schema-other`) for a state that nobody said it would be, and (code `incompatible-schema`) for
    one whose move was cut off and that `release` cannot read.
    """
    wanted, unproven = moves_of(platform, status, release), unproven_of(platform, status)
    services = sorted({*unproven, *(move.service for move in wanted)})
    if not services:
        return
    look = stage_of(platform, Mode.LOOK, place, release.builds, services, ports)
    hold.held()  # a one-off takes the place of what another may just be running under that name
    there = run(platform, [look], {place: services}, ports, folder)[place]
    for service in unproven:
        hold.migrated(Move(service, there[service], there[service], release.builds[service].digest))
    _expected(platform, wanted, there)
    left = [replace(move, came=there[move.service]) for move in wanted if there[move.service] != move.to]
    for move in left:
        hold.migrating(move)
    if left:
        apply_and_read(platform, left, place, release.builds, ports, folder)
    for move in wanted:
        hold.migrated(move)


def _expected(platform: Platform, wanted: Sequence[Move], there: Mapping[str, str]) -> None:
    for move in wanted:
        label = there[move.service]
        if label not in (move.to, move.came or label):
            raise ProvisionFault(
                f"the schema of {move.service} is {label}, neither {move.came} nor {move.to}",
                code="schema-other",
                hint="somebody else changed it; find out who, then test a build that knows it",
            )
    moving = {move.service for move in wanted}
    staying = {service: (label,) for service, label in there.items() if service not in moving}
    if lost := beyond(staying, platform.schemas, "the new release"):
        raise ProvisionFault(
            f"asked after a move that was cut off: {'; '.join(lost)}; otagate test a build that reads it",
            code=INCOMPATIBLE,
        )


def guilty(fault: Fault, places: Sequence[Place], platform: Platform) -> bool:
    """Whether it is a migrate program that broke."""
    return fault.at in {migrate_name(place, s.name) for place in places for s in platform.migrating}
