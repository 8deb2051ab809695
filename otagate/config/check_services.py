"""What must hold between the parts of compose.yaml."""

import posixpath
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from otagate.config.compose import ComposeFile, Service
from otagate.config.paths import MOST_CONFIG_BYTES, read_whole, within
from otagate.config.tree import Document, Flaw, shown
from otagate.config.tree import Path as Place

_RESERVED = ("switch", "holder", "steward", "suite")
# Names of containers are joined with hyphens; these beginnings and ends would make two of them alike.
_BEGINNINGS = ("blue-", "green-", "shared-", "candidate-", "baseline-", "suite-")
_OF_THE_EDGE = ("switch-", "holder-")  # what follows them numbers a switch, or names the other one of a pair
_ENDS = ("-build", "-migrate")
_OWN_TARGETS = ("/run/otagate", "/run/secrets", "/proc", "/sys", "/dev")


def check_services(compose: ComposeFile, document: Document, folder: Path) -> None:
    """Report what is wrong with the services to `document`."""
    raw = document.at(("services",))
    tiers = [service.facts.tier for service in compose.services.values()]
    if isinstance(raw, dict) and len(tiers) == len(raw) and "release" not in tiers:
        hint = "declare at least one service with x-otagate: {tier: release, …}"
        document.complain(("services",), "no release-tier service is declared: nothing could be promoted", hint)
    for name, service in compose.services.items():
        place: Place = ("services", name)
        _names(name, document, place)
        _references(service, compose, document, place)
        _tier(service, compose, document, place)
        _targets(service, document, place)
        check_variables(service.environment, document, (*place, "environment"))
    _cycles(compose, document)
    _volume_names(document)
    _secrets(compose, document)
    _configs(compose, document, folder)


def declared(document: Document, section: str) -> dict[str, object]:
    """The names a section holds, sound or not: a faulty entry is not also a missing one."""
    value = document.at((section,))
    return value if isinstance(value, dict) else {}


def readable(document: Document, section: str) -> bool:
    """Whether names of the section can be looked up: not if it is faulty itself, which is already said."""
    value = document.value
    return isinstance(value, dict) and isinstance(value.get(section, {}), dict) and (section,) not in document.meant


def _names(name: str, document: Document, place: Place) -> None:
    if name in _RESERVED:
        document.complain(place, f"{name} is otagate's own name", "call the service something else", key=True)
    elif name.startswith(begins := (*_BEGINNINGS, *_OF_THE_EDGE)) or name.endswith(_ENDS):
        clash = next(b for b in (*begins, *_ENDS) if name.startswith(b) or name.endswith(b))
        hint = "call the service something else"
        document.complain(place, f"a service's name with {clash!r} would clash with otagate's own", hint, key=True)


def _references(service: Service, compose: ComposeFile, document: Document, place: Place) -> None:
    for section, used in (
        ("volumes", [mount.source for mount in service.volumes]),
        ("configs", [use.source for use in service.configs]),
        ("secrets", service.secrets),
    ):
        known = declared(document, section)
        for index, name in enumerate(used):
            if name not in known and readable(document, section):
                hint = f"declare it under {section}" + (f"; known: {', '.join(known)}" if known else "")
                document.complain((*place, section, index), f"{shown(name)} is not declared", hint)
    for index, name in enumerate(service.secrets):
        if name in service.secrets[:index]:
            document.complain((*place, "secrets", index), f"{shown(name)} stands twice", "keep one of the two")
    _migrate(service, document, place)
    known = declared(document, "services")
    for name, dependency in service.depends_on.items():
        path = (*place, "depends_on", name)
        if name not in known:
            document.complain(path, f"there is no service {shown(name)}", f"known: {', '.join(known)}")
        elif dependency.condition == "service_healthy" and _has_no_check(compose.services.get(name)):
            document.complain(path, f"{name} declares no healthcheck", f"give {name} a healthcheck to wait for")


def _migrate(service: Service, document: Document, place: Place) -> None:
    step = service.facts.hooks.migrate
    if step is None:
        return
    here: Place = (*place, "x-otagate", "hooks", "migrate")
    if service.facts.state_schema is None:
        hint = "add x-otagate: schema: {writes: …, reads: […]}"
        document.complain(here, "migrate needs to know the schema that it leads to", hint)
    known = declared(document, "secrets")
    for index, name in enumerate(step.secrets):
        if name not in known and readable(document, "secrets"):
            hint = "declare it under secrets" + (f"; known: {', '.join(known)}" if known else "")
            document.complain((*here, "secrets", index), f"{shown(name)} is not declared", hint)
        elif name in service.secrets:
            hint = "give the step a right of its own, such as the password of the schema's owner"
            document.complain((*here, "secrets", index), f"the service itself holds {shown(name)}", hint)


def _has_no_check(service: Service | None) -> bool:
    return service is not None and service.healthcheck is None


def _tier(service: Service, compose: ComposeFile, document: Document, place: Place) -> None:
    tier = service.facts.tier
    if tier != "release" and any(value is not None for _, value in service.facts.hooks):
        hint = "delete hooks: only a release-tier service changes its part"
        document.complain((*place, "x-otagate", "hooks"), f"a {tier}-tier service has no hooks", hint)
    schema = service.facts.state_schema
    if schema is not None and schema.writes not in schema.reads:
        hint = f"add {schema.writes} to reads"
        document.complain((*place, "x-otagate", "schema", "reads"), "a release must read what it writes", hint)
    if tier != "release" and schema is not None:
        hint = "declare it at the release-tier services that write and read it"
        document.complain((*place, "x-otagate", "schema"), f"a {tier}-tier service declares no schema", hint)
    if tier != "release" and service.facts.hold is not None:
        hint = "declare it at the release-tier service whose colours may not both work"
        document.complain((*place, "x-otagate", "hold"), f"a {tier}-tier service is not turned, so nothing holds", hint)
    if tier == "release" and service.volumes:
        hint = "move the data to a state-tier service, or use tmpfs"
        document.complain(
            (*place, "volumes"), "a release-tier service keeps nothing: both colours would share it", hint
        )
    if service.read_only and (service.configs or service.secrets):
        hint = "delete read_only, or configs and secrets"
        document.complain((*place, "read_only"), "files cannot be put into a container with a read-only root", hint)
    for name in service.depends_on if tier == "state" else ():
        other = compose.services.get(name)
        if other is not None and other.facts.tier == "release":
            hint = "turn the dependency round"
            message = f"state outlives releases, so it cannot wait for {name}"
            document.complain((*place, "depends_on", name), message, hint)


def _targets(service: Service, document: Document, place: Place) -> None:
    seen: set[str] = set()
    targets = [("volumes", i, m.target) for i, m in enumerate(service.volumes)]
    targets += [("configs", i, c.target) for i, c in enumerate(service.configs)]
    targets += [("tmpfs", i, t.partition(":")[0]) for i, t in enumerate(service.tmpfs)]
    for section, index, target in targets:
        path = (*place, section, index)
        normal = posixpath.normpath(target)
        if ".." in target.split("/") or normal in ("/", "//", "."):
            document.complain(path, f"{shown(target)} is no place in the container", "write a plain absolute path")
        elif any(normal == own or normal.startswith(f"{own}/") for own in _OWN_TARGETS):
            document.complain(path, f"{shown(target)} is not the service's to fill", "write another path")
        elif normal in seen:
            document.complain(path, f"{shown(target)} is filled twice", "keep one of the two")
        seen.add(normal)


def check_variables(environment: dict[str, str], document: Document, place: Place) -> None:
    """Refuse the names that otagate sets itself."""
    for name in environment:
        if name.startswith("OTAGATE_"):
            document.complain((*place, name), "OTAGATE_… is set by otagate itself", "choose another name", key=True)


def _cycles(compose: ComposeFile, document: Document) -> None:
    graph = {name: set(service.depends_on) for name, service in compose.services.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        ring = [str(name) for name in error.args[1]]
        message = f"services wait for each other in a ring: {' → '.join(reversed(ring))}"
        document.complain(("services", ring[0], "depends_on"), message, "take one dependency out")


def _volume_names(document: Document) -> None:
    for name in declared(document, "volumes"):
        if name.startswith(_BEGINNINGS):
            message = f"a volume's name with {name.partition('-')[0]}- would clash with otagate's own"
            document.complain(("volumes", name), message, "call the volume something else", key=True)


def _secrets(compose: ComposeFile, document: Document) -> None:
    for name, entry in compose.secrets.items():
        if sum(source is not None for source in (entry.generated, entry.environment, entry.file)) != 1:
            hint = "write one of {x-otagate: generated}, {environment: NAME}, {file: PATH}"
            document.complain(("secrets", name), "a secret has exactly one source", hint)


def _configs(compose: ComposeFile, document: Document, folder: Path) -> None:
    for name, entry in compose.configs.items():
        try:
            read_whole(within(folder, entry.file), MOST_CONFIG_BYTES)
        except Flaw as flaw:
            told = flaw.message if shown(entry.file) in flaw.message else f"{shown(entry.file)} {flaw.message}"
            document.complain(("configs", name, "file"), told, flaw.hint)
