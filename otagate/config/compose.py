"""compose.yaml: the documented subset of the Compose Specification, with our own facts under `x-otagate`."""

import shlex
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from otagate.config import compose_keys
from otagate.config.base import (
    Environment,
    ImageName,
    Inside,
    Matches,
    Name,
    Refusal,
    Section,
    Strict,
    UrlPath,
    Variable,
)
from otagate.config.tree import shown
from otagate.config.units import Deadline, Duration, PortNumber, Positive, Size, between, flaw

SOCKETS = ("docker.sock", "podman.sock", "containerd.sock", "crio.sock", "buildkitd.sock")
_SAFE = ("no-new-privileges", "no-new-privileges:true")


def _words(value: Any) -> Any:
    """A command in Compose's text form, split as a shell would."""
    if not isinstance(value, str):
        return value
    try:
        return shlex.split(value)
    except ValueError as error:
        raise flaw(f"the command cannot be split: {error}", "write it as a list: [program, argument]") from None


def _test(value: Any) -> Any:
    words = ["CMD-SHELL", value] if isinstance(value, str) else value
    if isinstance(words, list) and (not words or words[0] not in ("CMD", "CMD-SHELL") or len(words) < 2):
        raise flaw("the test must be [CMD, program, …], [CMD-SHELL, text] or a text", "write test: [CMD, program]")
    if isinstance(words, list) and words[0] == "CMD-SHELL" and len(words) != 2:
        raise flaw("CMD-SHELL takes one text", 'write [CMD-SHELL, "text"], or [CMD, program, argument]')
    return words


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _dependencies(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return {name: {"condition": "service_started"} for name in value}
    return value


def _mount(value: Any) -> Any:
    """Compose's short form `volume:/path[:ro]` as a mapping; a path of the host is refused by name."""
    if isinstance(value, str):
        source, colon, rest = value.partition(":")
        target, _, mode = rest.partition(":")
        if not colon:
            raise flaw(f"{shown(value)} names no volume", "write volume:/path, and the volume under volumes")
        if mode not in ("", "ro", "rw"):
            raise flaw(f"{shown(mode)} is not a mode of a mount", "write volume:/path or volume:/path:ro")
        value = {"type": "volume", "source": source, "target": target, "read_only": mode == "ro"}
        _no_host_path(source)
    elif isinstance(value, dict):
        _no_host_path(value.get("source"))
        if value.get("type") in ("bind", "npipe", "cluster", "image", "tmpfs"):
            raise flaw(f"a mount of type {value['type']} is refused", "use a named volume, configs, secrets or tmpfs")
    return value


def _no_host_path(source: Any) -> None:
    if not isinstance(source, str):
        return
    if source.rsplit("/", 1)[-1] in SOCKETS:
        raise flaw(f"the engine's socket {shown(source)} is refused: it is root on its host", "delete the mount")
    if source[:1] in ("/", ".", "~", "\\") or "/" in source:
        hint = "use a named volume for data, configs for files of the platform, secrets for what is secret"
        raise flaw(f"the host's path {shown(source)} is refused: a container sees nothing of its host", hint)


def _config_use(value: Any) -> Any:
    return {"source": value, "target": f"/{value}"} if isinstance(value, str) else value


def _secret_use(value: Any) -> Any:
    if isinstance(value, dict):
        raise flaw("a secret is used by its name alone", "write the name: it becomes the file /run/secrets/NAME")
    return value


def _harmless(values: list[str]) -> list[str]:
    for value in values:
        if value not in _SAFE:
            raise flaw(f"{shown(value)} is refused: it weakens the container's isolation", f"write only {_SAFE[1]}")
    return values


def _octal(value: str) -> str:
    if not (len(value) in (3, 4) and all(c in "01234567" for c in value) and int(value, 8) <= 0o777):
        raise flaw(f"{shown(value)} is not a file mode", 'write "0444" in quotes')
    return value


class Mount(Strict):
    """A named volume in a container."""

    refused: ClassVar[Mapping[str, Refusal]] = compose_keys.MOUNT
    type: Literal["volume"] = Field(default="volume", description="`volume`, the only type")
    source: Name = Field(description="the volume's name under `volumes`")
    target: Inside = Field(description="absolute path in the container")
    read_only: bool = Field(default=False, description="mounted read-only")


class ConfigUse(Strict):
    """A config in a container."""

    refused: ClassVar[Mapping[str, Refusal]] = compose_keys.CONFIG
    source: str = Field(description="the config's name under `configs`")
    target: Inside = Field(description="absolute path of the file in the container")
    mode: Annotated[str, AfterValidator(_octal)] = Field(
        default="0444", description='file mode in quotes, default `"0444"`'
    )


class Dependency(Strict):
    """What to wait for before a service starts."""

    condition: Literal["service_started", "service_healthy"] = Field(
        description="`service_healthy` (the other must declare a healthcheck) or `service_started`"
    )


class Healthcheck(Strict):
    """How the engine asks a container whether it is well."""

    refused: ClassVar[Mapping[str, Refusal]] = compose_keys.HEALTHCHECK
    test: Annotated[list[str], BeforeValidator(_test)] = Field(
        description="`[CMD, program, …]`, `[CMD-SHELL, text]`, or a text for the shell"
    )
    interval: Deadline = Field(default=30.0, description="between two checks, default `30s`")
    timeout: Deadline = Field(default=30.0, description="for one check, default `30s`")
    retries: Positive = Field(default=3, description="failures in a row that mean unhealthy, default 3")
    start_period: Duration = Field(
        default=0.0, description="failures in this time after the start do not count, default `0s`"
    )


class HookCall(Strict):
    """An HTTP POST to the service's own port."""

    port: PortNumber = Field(description="the service's own port")
    path: UrlPath = Field(description="path to POST to")
    deadline: Deadline = Field(description="for the whole answer, however slowly it comes")


class MigrateStep(Strict):
    """A one-off container of the release's own image that takes the state to the schema that the release writes."""

    command: Annotated[list[str], BeforeValidator(_words), Field(min_length=1)] = Field(
        description="list or text; it ends with 0 once it has said `schema LABEL` on a line, see docs/schema.md"
    )
    secrets: list[Annotated[str, BeforeValidator(_secret_use)]] = Field(
        default_factory=list, description="names of secrets: its own right to change the schema, not the service's"
    )
    deadline: Deadline = Field(description="for the whole of it")


class Hooks(Strict):
    """What otagate asks of a release-tier service when its colour changes its part."""

    activate: HookCall | None = Field(default=None, description="start to work on its own: this colour is live")
    passive: HookCall | None = Field(default=None, description="stop to work on its own")
    written_since: HookCall | None = Field(
        default=None, description="after a rollback: say what this build wrote since it went live"
    )
    quarantine: HookCall | None = Field(default=None, description="after a rollback: set that apart")
    drain: HookCall | None = Field(
        default=None,
        description="close each open session once its message is answered, and go on listening: traffic turned away",
    )
    migrate: MigrateStep | None = Field(
        default=None, description="take the state that it shares to the schema that this release writes"
    )
    invariants: HookCall | None = Field(
        default=None, description="while watched: answer a JSON object with the values that `watch.invariants` names"
    )


SchemaLabel = Annotated[str, Matches(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "a label: letters, digits, ., _ and -")]


class SchemaFacts(Strict):
    """Labels of the schema of the state that a service shares with other releases of itself."""

    writes: SchemaLabel = Field(description="the label that this release writes")
    reads: list[SchemaLabel] = Field(min_length=1, description="all labels that it can read, `writes` among them")


class Facts(Strict):
    """What Compose has no words for."""

    tier: Literal["release", "state", "external"] = Field(
        description="`release` (replaced by promotions), `state` (outlives releases) or `external` (a stand-in)"
    )
    impact: Literal["K0", "K1", "K2", "K3", "K4"] = Field(description="what its failure does to treatment, K0 to K4")
    hooks: Hooks = Field(default_factory=Hooks, description="release tier only: calls at a change of part")
    state_schema: SchemaFacts | None = Field(
        default=None, alias="schema", description="release tier only: which state it writes and which it reads"
    )
    hold: Annotated[Duration, AfterValidator(between(1, 60, "from 1s to 60s"))] | None = Field(
        default=None,
        description="release tier only: both colours may not work at once; a flip holds new work at most so long",
    )


class Service(Strict):
    """One service of the platform."""

    refused: ClassVar[Mapping[str, Refusal]] = compose_keys.SERVICE
    image: ImageName = Field(description="the image; for a release-tier service the one genesis starts from")
    command: Annotated[list[str] | None, BeforeValidator(_words)] = Field(default=None, description="list or text")
    entrypoint: Annotated[list[str] | None, BeforeValidator(_words)] = Field(default=None, description="list or text")
    environment: Environment = Field(default_factory=dict, description="mapping, or list of NAME=text")
    configs: list[Annotated[ConfigUse, BeforeValidator(_config_use)]] = Field(
        default_factory=list, description="files of the platform put into the container before it starts"
    )
    secrets: list[Annotated[str, BeforeValidator(_secret_use)]] = Field(
        default_factory=list, description="names of secrets; each becomes the file `/run/secrets/NAME`"
    )
    volumes: list[Annotated[Mount, BeforeValidator(_mount)]] = Field(
        default_factory=list, description="`volume:/path[:ro]` or a mapping; named volumes only; not for release tier"
    )
    depends_on: Annotated[dict[str, Dependency], BeforeValidator(_dependencies)] = Field(
        default_factory=dict, description="list of services, or mapping with a condition"
    )
    healthcheck: Healthcheck | None = Field(default=None, description="without it the image's own check counts")
    user: Annotated[
        str, Matches(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?::[A-Za-z0-9_.-]+)?", 'a user such as "65534:65534"')
    ] = Field(default="", description='`"UID:GID"` in quotes')
    cap_drop: list[Annotated[str, Matches(r"(?:CAP_)?[A-Z][A-Z_]*", "a capability such as ALL")]] = Field(
        default_factory=list, description="capabilities taken away, best `[ALL]`"
    )
    security_opt: Annotated[list[str], AfterValidator(_harmless)] = Field(
        default_factory=list, description='`["no-new-privileges:true"]` is the only one taken'
    )
    mem_limit: (
        Annotated[
            Size, AfterValidator(between(6 * 1024**2, 16 * 1024**4, "of at least 6m, the least that engines take"))
        ]
        | None
    ) = Field(default=None, description="memory, e.g. `512m`")
    cpus: Annotated[float, AfterValidator(between(0.01, 1024, "from 0.01 to 1024 cores"))] | None = Field(
        default=None, description="cores, e.g. `1.5`"
    )
    restart: Annotated[
        str, Matches(r"no|always|unless-stopped|on-failure", "no, always, on-failure or unless-stopped")
    ] = Field(
        default="no",
        description='`"no"` (in quotes), `always`, `on-failure` or `unless-stopped`, which an engine that was killed '
        "(26) leaves down when it comes back",
    )
    stop_signal: Annotated[str, Matches(r"SIG[A-Z0-9+-]{2,12}", "a signal such as SIGTERM")] = Field(
        default="", description="the signal that asks it to stop"
    )
    stop_grace_period: Duration = Field(default=10.0, description="from that signal to the kill, default `10s`")
    read_only: bool = Field(default=False, description="read-only root; then neither configs nor secrets")
    tmpfs: Annotated[
        list[Annotated[str, Matches(r"/[^:\s]+(?::[a-z0-9=,]+)?", "a path such as /tmp or /tmp:size=16m")]],
        BeforeValidator(_listed),
    ] = Field(default_factory=list, description="`/path[:options]`, in memory")
    facts: Facts = Field(alias="x-otagate", description="otagate's own facts")


class VolumeEntry(Strict):
    """A named volume; nothing to say about it."""

    refused: ClassVar[Mapping[str, Refusal]] = compose_keys.VOLUME


class ConfigEntry(Strict):
    """A file of the platform's folder."""

    refused: ClassVar[Mapping[str, Refusal]] = compose_keys.CONFIG
    file: str = Field(description="path inside the platform's folder")


class SecretEntry(Strict):
    """Where a secret comes from: exactly one of the three."""

    generated: Literal["generated"] | None = Field(
        default=None, alias="x-otagate", description="`generated`: otagate makes one for each binding and keeps it"
    )
    environment: Variable | None = Field(default=None, description="name of a variable of otagate's own environment")
    file: str | None = Field(default=None, description="path of a file, from the platform's folder or absolute")


class ComposeFile(Section):
    """compose.yaml as a whole."""

    refused: ClassVar[Mapping[str, Refusal]] = compose_keys.TOP
    services: dict[Name, Service] = Field(description="the services by name")
    volumes: dict[Name, VolumeEntry | None] = Field(default_factory=dict, description="named volumes")
    configs: dict[Name, ConfigEntry] = Field(default_factory=dict, description="files of the platform")
    secrets: dict[Name, SecretEntry] = Field(default_factory=dict, description="secrets by name")
