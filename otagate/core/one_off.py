"""The one-off containers that take a service's state from one schema to the next, and that say where it is.

The program is of the release itself, so it is judged with it. What it may do to the state the release's own service may
not: this container alone gets the secrets of the step.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from otagate.core.build import Build
from otagate.core.cloud import LABEL_ONCE, Cloud
from otagate.core.container import Attachment, Container, File, Stage
from otagate.core.edge import SecretOf
from otagate.core.labelled import specified
from otagate.core.places import Place
from otagate.core.platform import Migrate, Platform, Service
from otagate.core.stages import config_files, place_labels, secret_files

END = "-migrate"


class Mode(StrEnum):
    """What the program is to do, as `OTAGATE_MIGRATE` tells it. In both it ends by saying `schema LABEL`."""

    LOOK = "look"
    APPLY = "apply"


def migrate_name(place: Place, service: str) -> str:
    return place.container(f"{service}{END}")


def migrate_stage(
    platform: Platform,
    mode: Mode,
    place: Place,
    builds: Mapping[str, Build],
    secret: SecretOf,
    services: Sequence[str],
) -> Stage:
    """The programs of `builds` for these services, on the state that `place` is bound to."""
    chosen = [(s, s.migrate) for s in platform.migrating if s.name in services]
    return Stage(
        name=f"{mode} schema of {place.binding}",
        cloud=Cloud.of(place.colour),
        cause="says which schema the state has" if mode is Mode.LOOK else "takes the state to the release's schema",
        networks=(),
        volumes=(),
        containers=tuple(_program(s, m, mode, place, builds[s.name], secret) for s, m in chosen if m is not None),
        replace=True,
        deadline=sum(m.deadline for _, m in chosen if m is not None),
        once=True,
    )


def _program(service: Service, migrate: Migrate, mode: Mode, place: Place, build: Build, secret: SecretOf) -> Container:
    files: tuple[File, ...] = (*config_files(service), *secret_files(migrate.secrets, secret))
    return specified(
        Container(
            name=migrate_name(place, service.name),
            image=build.digest,
            networks=(Attachment(place.network),),
            labels={**place_labels(place, service, None), LABEL_ONCE: mode.value},
            environment={
                **service.environment,
                "OTAGATE_BUILD": build.digest,
                "OTAGATE_COLOUR": place.colour.value,
                "OTAGATE_MIGRATE": mode.value,
            },
            entrypoint=migrate.command[:1],
            command=migrate.command[1:],
            files=files,
            tmpfs=service.tmpfs,
            read_only=service.read_only and not files,
            user=service.user,
            cap_drop=service.cap_drop,
            no_new_privileges=service.no_new_privileges,
            memory=service.memory,
            cpus=service.cpus,
            stop_grace=service.stop_grace,
        )
    )
