"""otagate's own two programs, each a real process over real files: the command line and the steward.

Forked from a process that has imported everything, so that one costs tens of milliseconds. The command line talks to
the steward through the real client; in the place of the engine's exec stands the steward's socket itself.
"""

import contextlib
import importlib
import io
import json
import os
import signal
import socket
import struct
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import requests

from otagate import wiring
from otagate.adapters.secrets import KeptSecrets
from otagate.adapters.steward_client import StewardClient
from otagate.adapters.store import SqlStore, sqlite_url
from otagate.adapters.system import SystemClock
from otagate.adapters.vault import FolderVault
from otagate.cli import app
from otagate.core.platform import Deadlines, Migrate, Platform
from otagate.core.schema import Schema
from otagate.core.topology import topology
from otagate.core.watch import WatchPolicy
from otagate.ports import Ports, Tell
from otagate.steward import course, journal, keeper, serve
from otagate.steward.exchange import Exchange
from otagate.steward.helm import Helm, Patience
from otagate.steward.outside import RealClock
from otagate.steward.serve import SOCKET, Office, Server
from tests.core.platforms import platform
from tests.fakes.suites import FakeSuites
from tests.fakes.world import EDGE
from tests.flows.scene import IMAGES, POLICY, cases
from tests.sweep.durable import Durable
from tests.sweep.faults import Faults
from tests.sweep.outside import KeptEngine, KeptProvisioner, KeptWorld
from tests.sweep.services import KeptServices
from tests.sweep.switches import HOLD, KeptSwitches
from tests.sweep.vfs import WatchedVfs

LEARNT = "modules"  # where it is there, a command leaves the names of what it imported
WATCH = WatchPolicy(lasts=0.05, every=0.02, window=0.5, minimum=20, blind=15, unhealthy=2)


def _with_web(**changed: Any) -> Platform:
    web = replace(PLATFORM.services["web"], **changed)
    secrets = {**PLATFORM.secrets, "owner": PLATFORM.secrets["password"]}
    return replace(PLATFORM, services={**PLATFORM.services, "web": web}, secrets=secrets)


PLATFORM: Platform = replace(platform(), policy=POLICY, watch=WATCH, deadlines=replace(Deadlines(), drain=1.0))
# Both colours may not work at once there; and then a build comes that moves the schema.
HELD = _with_web(hold=HOLD)
WIDENED = _with_web(hold=HOLD, schema=Schema("2", ("1", "2")), migrate=Migrate(("web-migrate",), ("owner",), 5.0))
KINDS = {"": PLATFORM, "held": HELD, "widened": WIDENED}
SUITES = PLATFORM.suites["technical"].folder


@dataclass(frozen=True)
class Variant:
    """otagate as it is, or with one thing wrong on purpose (a control)."""

    helm: type[Helm] = Helm
    exchange: type[Exchange] = Exchange
    syncs_journal: bool = True
    syncs_files: bool = True


@dataclass(frozen=True)
class Ground:
    """The folders of one run: `volume` is the steward's, `home` the command line's, `around` what outlives both. With
    `disk` the first two lie there."""

    root: Path
    disk: Path | None = None
    volume: Path = field(init=False)
    home: Path = field(init=False)
    around: Path = field(init=False)

    def __post_init__(self) -> None:
        for name in ("volume", "home", "around"):
            path = (self.disk if self.disk and name != "around" else self.root) / name
            object.__setattr__(self, name, path)
            path.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def platform(self) -> Platform:
        """As its files are now."""
        kind = self.around / "kind"
        return KINDS[kind.read_text() if kind.exists() else ""]

    def faults(self, at: int = 0, **more: Any) -> Faults:
        return Faults((self.volume, self.home), at, **more)

    def world(self, faults: Faults) -> KeptWorld:
        return KeptWorld(self.around, IMAGES, faults)

    def switches(self, world: KeptWorld) -> KeptSwitches:
        return KeptSwitches(self.around, self.volume, world)


@dataclass
class Process:
    """A forked child. `status` None while it runs; below zero: the signal that ended it."""

    pid: int
    status: int | None = None

    def ended(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def signal(self, number: int) -> None:
        if not self.ended():
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        while not self.ended():
            time.sleep(0.001)


def forked(work: Callable[[], int], output: Path) -> Process:
    """Both streams of the child go to `output`."""
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the test runner's threads are not the child's business
        pid = os.fork()
    if pid:
        return Process(pid)
    status = 70
    try:
        signal.setitimer(signal.ITIMER_REAL, 0)
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True)
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), write_through=True)
        status = work()
    except SystemExit as leave:
        status = leave.code if isinstance(leave.code, int) else 0
    except BaseException as odd:
        sys.stderr.write(f"Traceback of the bench itself: {type(odd).__name__}: {odd}\n")
    finally:
        os._exit(status)


def watched(faults: Faults, durable: Durable | None, variant: Variant) -> None:
    """Arrange that this process's calls are counted, and with `durable` what of them is on the disk."""
    if not variant.syncs_journal:
        journal.DURABLE = "OFF"
    if not variant.syncs_files:
        os.fsync = lambda fd: None  # noqa: ARG005
    elif durable is not None:
        durable.install()
    synced = durable.synced if durable is not None else lambda path, folder: None  # noqa: ARG005
    WatchedVfs(faults, synced, skips=not variant.syncs_journal).install()
    faults.install()


def steward(
    ground: Ground, faults: Faults, *, durable: Durable | None = None, variant: Variant | None = None
) -> Process:
    """A steward of the ground's volume, as its engine starts it."""
    as_is = variant or Variant()

    def work() -> int:
        serve.Helm, serve.Exchange = as_is.helm, as_is.exchange  # type: ignore[attr-defined]
        _acknowledging(faults)
        keeper.EVERY = 0.2
        course.log.disabled = keeper.log.disabled = serve.log.disabled = False
        watched(faults, durable, as_is)
        signal.signal(signal.SIGUSR1, lambda *_: (faults.last(), os._exit(0)))
        world = ground.world(faults)
        switches = ground.switches(world)
        doors = topology(ground.platform)
        services = KeptServices(ground.around, doors, switches, world)
        faults.arm()
        patience = Patience(up=2.0, switch=2.0, step=0.02)
        office = Office(
            ground.volume,
            doors,
            EDGE.source,
            switches=switches,
            services=services,
            clock=RealClock(),
            patience=patience,
        )
        Server(office, ground.volume).run()
        return 0

    return forked(work, ground.root / "steward.log")


def _acknowledging(faults: Faults) -> None:
    """Note outside the process which entry of the journal was last said to be kept."""
    whole = journal.Journal.append

    def append(*arguments: Any) -> journal.Entry:
        entry = whole(*arguments)
        faults.acknowledge(entry.seq)
        return entry

    journal.Journal.append = append  # type: ignore[method-assign, assignment]


def command(
    ground: Ground,
    faults: Faults,
    *words: str,
    output: Path,
    variant: Variant | None = None,
    ready: Callable[[], None] = lambda: None,
) -> Process:
    """One command line, in JSON; its envelope and its talk go to `output`. `ready` is called just before it begins."""

    def work() -> int:
        watched(faults, None, variant or Variant())
        os.environ["OTAGATE_HOME"] = str(ground.home)
        world = ground.world(faults)
        wiring.platform = lambda where: ground.platform  # noqa: ARG005
        wiring.wire = lambda platform, tell: _wired(ground, world, tell)  # noqa: ARG005
        sys.argv = ["otagate", *words, "--output", "json"]
        faults.arm()
        ready()
        try:
            app.main()
        finally:
            if (learnt := ground.root / LEARNT).exists():
                with learnt.open("a") as names:
                    names.write("\n".join([*sys.modules, ""]))
        return 0

    return forked(work, output)


def preload(ground: Ground) -> None:
    """Import here what a command of this ground imported late, so that those forked from now on need not."""
    for name in (ground.root / LEARNT).read_text().split():
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    (ground.root / LEARNT).unlink()


def _wired(ground: Ground, world: KeptWorld, tell: Tell) -> Ports:
    root = str(ground.home)
    engine: Any = StewardsEngine(ground, world)
    return Ports(
        clock=SystemClock(),
        engine=KeptEngine(world),
        provisioner=KeptProvisioner(world),
        suites=FakeSuites({SUITES: "sha256:" + "e" * 64}, {"technical": cases()}),
        secrets=KeptSecrets(root, {}),
        steward=StewardClient(lambda: engine, PLATFORM.name, EDGE.source),
        store=SqlStore(sqlite_url(root)),
        vault=FolderVault(root),
        tell=tell,
    )


def client(ground: Ground, faults: Faults) -> StewardClient:
    """A steward's client alone."""
    engine: Any = StewardsEngine(ground, ground.world(faults))
    return StewardClient(lambda: engine, PLATFORM.name, EDGE.source)


class StewardsEngine:
    """Just enough of an engine's client for the steward's: its container by label, and execs in it."""

    def __init__(self, ground: Ground, world: KeptWorld) -> None:
        self._ground, self._world = ground, world
        self.api = self.containers = self

    def list(self, **_options: Any) -> list[Any]:
        self._world.faults.call("engine lists the steward", requests.ConnectionError)
        here = self._world.one("p-shared-steward")
        return [SimpleNamespace(id=here.id, name="p-shared-steward", status="running")] if here else []

    def exec_create(self, _container: str, _command: object, **_options: Any) -> dict[str, str]:
        self._world.faults.call("engine makes an exec", requests.ConnectionError)
        return {"Id": "e1"}

    def exec_start(self, _identity: str, *, socket: bool) -> "Line":
        assert socket
        self._world.faults.call("engine starts an exec", requests.ConnectionError)
        return Line(self._ground.volume / SOCKET, self._world.faults)


class Line:
    """An exec's stream: what the steward's socket says, framed as an engine frames it."""

    def __init__(self, path: Path, faults: Faults) -> None:
        self._faults = faults
        self._line = connected(path)
        self._rest = b"" if self._line else _framed(_NOBODY)

    def recv(self, size: int) -> bytes:
        if not self._rest and self._line is not None:
            came = self._line.recv(65536)
            self._rest = _framed(came) if came else b""
        part, self._rest = self._rest[:size], self._rest[size:]
        return part

    def sendall(self, content: bytes) -> None:
        name = json.loads(content)["ask"]
        if name != "beat":
            self._faults.call(f"steward asked {name}", OSError)
        if self._line is not None:
            self._line.sendall(content)
        if name != "beat":
            self._faults.call(f"steward was asked {name}", OSError)

    def shutdown(self, how: int) -> None:
        if self._line is not None:
            self._line.shutdown(how)

    def close(self) -> None:
        if self._line is not None:
            self._line.close()


_NOBODY = (
    json.dumps(
        {"id": 0, "error": {"kind": "SwitchFault", "code": "no-steward", "message": "it does not listen", "hint": ""}}
    ).encode()
    + b"\n"
)


def _framed(content: bytes) -> bytes:
    return struct.pack(">BxxxL", 1, len(content)) + content


def connected(path: Path, seconds: float = 5.0) -> socket.socket | None:
    """Waits for a steward that is just starting, as its session does."""
    until = time.monotonic() + seconds
    while True:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.connect(str(path))
            return line
        except OSError:
            line.close()
            if time.monotonic() >= until:
                return None
            time.sleep(0.005)


def envelope(text: str) -> Mapping[str, Any]:
    """The command's JSON document; empty where it was killed before."""
    start = text.find("{\n")
    with contextlib.suppress(ValueError):
        return dict(json.JSONDecoder().raw_decode(text[start:])[0]) if start >= 0 else {}
    return {}
