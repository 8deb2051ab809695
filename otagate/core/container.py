"""What is to run, as plain data: the input of provisioning. Built by `stages`, carried out by the playbooks."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from otagate.core.cloud import Cloud
from otagate.core.platform import Healthcheck


@dataclass(frozen=True)
class Attachment:
    network: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class VolumeMount:
    volume: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class File:
    """Put into the container before its first start. A secret's content never reaches a log, record or argument."""

    path: str
    content: bytes
    mode: int
    secret: bool = False


@dataclass(frozen=True)
class Port:
    host: str
    host_port: int
    container_port: int


@dataclass(frozen=True)
class Container:
    """`image` is a digest. `labels` already hold the specification's own digest under `otagate.spec`."""

    name: str
    image: str
    networks: tuple[Attachment, ...]
    labels: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    mounts: tuple[VolumeMount, ...] = ()
    files: tuple[File, ...] = ()
    ports: tuple[Port, ...] = ()
    tmpfs: tuple[str, ...] = ()
    read_only: bool = False
    user: str = ""
    cap_drop: tuple[str, ...] = ()
    no_new_privileges: bool = False
    memory: int | None = None
    cpus: float | None = None
    restart: str = "no"
    healthcheck: Healthcheck | None = None
    stop_signal: str = ""
    stop_grace: float = 10.0
    after: tuple[str, ...] = ()  # names of containers of the same stage that must be healthy first


@dataclass(frozen=True)
class Network:
    name: str
    internal: bool
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Volume:
    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Stage:
    """Containers raised together in one cloud. `replace` False: what is there is left alone, only the missing is
    added. `cause` says why, for people; `deadline` in seconds."""

    name: str
    cloud: Cloud
    cause: str
    networks: tuple[Network, ...]
    volumes: tuple[Volume, ...]
    containers: tuple[Container, ...]
    replace: bool
    deadline: float
    once: bool = False  # each container is made anew and must end by itself, with 0
    anew: bool = False  # none of its containers may stand already: what does is another's, and nothing is touched
