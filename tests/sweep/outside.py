"""What stands around the processes that are killed, kept in files so that it outlives them: containers, the switch's
run time, which service works on its own. Each call of it is a point before and a point after."""

import io
import os
import pickle
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otagate.adapters.probe import Answer
from otagate.core.answer_times import row_of
from otagate.core.cloud import LABEL_BINDING, LABEL_COLOUR, LABEL_SERVICE, Binding, Cloud, Colour
from otagate.core.container import Container, Stage
from otagate.core.errors import EngineFault, ProbeFault, ProvisionFault, SwitchFault
from otagate.core.fronts import FrontCount
from otagate.core.platform import Protocol, Tls
from otagate.core.shadow import Reply, Request
from otagate.core.switch import OpenSession, backend, read_map
from otagate.core.switch_counts import BackendCount
from otagate.core.topology import Door, Topology
from otagate.ports import Tell
from otagate.steward.book import MAP
from tests.fakes.clock import FakeClock
from tests.fakes.engine import FakeEngine
from tests.fakes.provisioner import FakeProvisioner
from tests.fakes.world import Standing, World
from tests.sweep.faults import Faults

_open = io.open  # before it is watched: what the world itself reads is no call of otagate's
HOLD = 2.0  # seconds for which the switch of a platform that holds may do so
_KEPT = ("networks", "volumes", "containers", "_made", "schemas")


class TrueClock(FakeClock):
    """The real time: several processes live by it."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


class KeptWorld(World):
    """The containers, in one file that is whole at any moment."""

    def __init__(self, folder: Path, images: Mapping[str, str], faults: Faults) -> None:
        super().__init__(clock=TrueClock(), images=dict(images))
        self.folder = folder
        self._path = folder / "containers"
        self.moves = {images[name]: "2" for name in ("hello/web:1.1", "hello/web:1.2") if name in images}
        self.faults = faults
        self.load()

    def load(self) -> None:
        if self._path.exists():
            for name, value in pickle.loads(self._path.read_bytes()).items():  # noqa: S301 - our own
                setattr(self, name, value)

    def save(self) -> None:
        keep(self._path, pickle.dumps({name: getattr(self, name) for name in _KEPT}))

    def raise_container(self, container: Container, cloud: Cloud) -> Standing:
        self.faults.call(f"engine raises {container.name}", provision)
        made = super().raise_container(container, cloud)
        self.save()
        self.faults.call(f"engine raised {container.name}", provision)
        return made

    def run_once(self, container: Container, cloud: Cloud) -> Standing:
        made = super().run_once(container, cloud)
        self.save()
        self.faults.call(f"engine ran {container.name}", provision)
        return made

    def one(self, name: str) -> Standing | None:
        """As it runs now, whoever changed it."""
        self.load()
        standing = self.containers.get(name)
        return standing if standing is not None and standing.running else None

    def switch(self) -> Standing | None:
        """Production's."""
        self.load()
        wanted = {LABEL_SERVICE: "switch", LABEL_BINDING: Binding.PRODUCTION.value}
        return next((s for s in self.containers.values() if wanted.items() <= dict(s.container.labels).items()), None)


def keep(path: Path, content: bytes) -> None:
    """Whole at any moment; past the faults, for this is not what is tested."""
    unborn = path.with_name(f"{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    unborn.write_bytes(content)
    unborn.replace(path)


def provision(what: str) -> ProvisionFault:
    return ProvisionFault(what, code="disk" if "ENOSPC" in what else "engine")


def switch_away(what: str) -> SwitchFault:
    return SwitchFault(what, code="switch-away")


class KeptEngine(FakeEngine):
    """ports.Engine over the kept world."""

    world: KeptWorld

    def _answer(self) -> None:
        self.world.load()
        self.world.faults.call("engine asked", EngineFault)
        super()._answer()

    def _remove(self, standing: Sequence[Standing], tell: Tell) -> list[str]:
        gone = []
        for one in standing:
            self.world.faults.call(f"engine removes {one.container.name}", EngineFault)
            gone += super()._remove([one], tell)
            self.world.save()
            self.world.faults.call(f"engine removed {one.container.name}", EngineFault)
        return gone

    def remove(self, *arguments: Any, **more: Any) -> tuple[str, ...]:
        gone = super().remove(*arguments, **more)
        self.world.save()
        return gone


class KeptProvisioner(FakeProvisioner):
    """ports.Provisioner over the kept world."""

    world: KeptWorld

    def apply(self, platform: str, stages: Sequence[Stage], folder: str, tell: Tell) -> tuple[str, ...]:
        self._held()
        self.world.load()
        self.world.faults.call("provisioner applies", provision)
        changed = super().apply(platform, stages, folder, tell)
        self.world.save()
        self.world.faults.call("provisioner applied", provision)
        return changed

    def _held(self) -> None:
        """As slow as the test wants it: for as long as there is a file `hold`, at most a minute."""
        until = time.monotonic() + 60
        while (self.world.folder / "hold").exists() and time.monotonic() < until:
            time.sleep(0.01)


@dataclass
class KeptSwitch:
    """The switch's run time, which dies with its container. It reads the map file when it starts, as the real one does;
    `unsafe` is written where it was told to serve what it would forget."""

    folder: Path
    volume: Path
    world: KeptWorld

    def runs(self) -> tuple[Colour, int] | None:
        """What it serves now; None: it is not there, or waits for its first map."""
        standing = self.world.switch()
        if standing is None or not standing.running:
            return None
        path = self.folder / "run-time"
        if path.exists():
            identity, colour, epoch = path.read_text().split()
            if identity == standing.id:
                return Colour(colour), int(epoch)
        if not (self.volume / MAP).exists():
            return None
        colour_read, epoch_read = self._file()
        self._set(standing, colour_read, epoch_read)
        return colour_read, epoch_read

    def _file(self) -> tuple[Colour, int]:
        with _open(self.volume / MAP) as file:
            return read_map(file.read())

    def restart(self) -> None:
        """Its engine starts it again."""
        (self.folder / "held").unlink(missing_ok=True)
        (self.folder / "run-time").unlink(missing_ok=True)

    def _set(self, standing: Standing, colour: Colour, epoch: int) -> None:
        keep(self.folder / "run-time", f"{standing.id} {colour} {epoch}".encode())

    def _turn(self, colour: Colour, epoch: int) -> None:
        standing = self.world.switch()
        assert standing is not None
        if self._file() != (colour, epoch):
            keep(self.folder / "unsafe", f"told to serve {colour} of epoch {epoch}, which it would forget".encode())
        self._set(standing, colour, epoch)

    def entry(self) -> tuple[Colour, int]:
        with self._asked("entry") as now:
            return now

    def flip(self, came: Colour, to: Colour, epoch: int, *, held: bool) -> str:
        with self._asked("flip") as (active, last):
            if active is not came:
                return f"active is {active}, not {came}"
            if held and not self.holds():
                return "the hold has passed"
            if epoch <= last:
                return f"epoch {epoch} is not newer than {last}"
            self._turn(to, epoch)
            return ""

    def hold(self, epoch: int) -> str:
        with self._asked("hold") as (_, now):
            if epoch != now:
                return "the map has another epoch"
            if self.holds():
                return "held already"
            keep(self.folder / "held", f"{time.time() + HOLD}".encode())
            return ""

    def release(self) -> float:
        with self._asked("release"):
            (self.folder / "held").unlink(missing_ok=True)
            return 0.0

    def holds(self) -> bool:
        """Whether new work waits; it is the switch that ends it."""
        path = self.folder / "held"
        return path.exists() and time.time() < float(path.read_text())

    def restore(self, colour: Colour, epoch: int) -> None:
        with self._asked("restore"):
            self._turn(colour, epoch)

    def counts(self) -> Mapping[str, BackendCount]:
        with self._asked("counts") as (live, _):
            return {
                backend(door, colour): self._count(door, colour, live) for door in ("web", "dicom") for colour in Colour
            }

    def open_sessions(self) -> tuple[OpenSession, ...]:
        with self._asked("open_sessions"):
            return ()

    def arm_shadow(self, door: str, seconds: float, most: int) -> None:
        with self._asked(f"arm_shadow {door} {seconds:g} {most}"):
            return

    def take_shadow(self, door: str) -> tuple[tuple[bytes, ...], int]:
        with self._asked(f"take_shadow {door}"):
            return (), 0

    def cut(self, session: OpenSession) -> bool:
        with self._asked("cut"):
            return session.backend == ""

    def _count(self, door: str, colour: Colour, live: Colour) -> BackendCount:
        up = self.world.one(f"p-{colour}-web") is not None
        sickens = (self.folder / "sickens").exists() and colour is live is Colour.GREEN and door == "web"
        return BackendCount(up and not sickens, up and not sickens, 0, 0, 0, 0, 0, times=row_of({}))

    def fronts(self) -> Mapping[str, FrontCount]:
        with self._asked("fronts"):
            return {}

    def pause(self, door: str) -> None:
        raise switch_away(f"{door} is never paused here")

    def resume(self, door: str) -> None:
        raise switch_away(f"{door} is never resumed here")

    def shut(self, door: str) -> None:
        raise switch_away(f"{door} is never shut here")

    @contextmanager
    def _asked(self, name: str) -> Iterator[tuple[Colour, int]]:
        now = self.runs()
        if now is None:
            raise switch_away(f"the switch did not answer {name}")
        self.world.faults.call(f"switch {name}", switch_away)
        yield now
        self.world.faults.call(f"switch {name} done", switch_away)


@dataclass(frozen=True)
class OneSwitch:
    """It is never replaced here."""

    switch: KeptSwitch

    def at_doors(self, number: int, *, second: bool = False) -> KeptSwitch:
        assert (number, second) == (1, False)
        return self.switch

    def rehearsing(self, number: int, *, second: bool = False) -> KeptSwitch:
        raise switch_away(f"no {'second ' if second else ''}switch {number} rehearses")


@dataclass
class KeptServices:
    """The services of both colours: what runs answers with its image; hooks are kept as a file each."""

    folder: Path
    topology: Topology
    switch: KeptSwitch
    world: KeptWorld

    def ask(self, door: Door, host: str, port: int, deadline: float, *, tls: bool) -> Answer:
        assert port > 0 < deadline
        assert not tls or door.tls is not Tls.NONE
        self.world.faults.call(f"services ask {door.name}", ProbeFault)
        if host == self.topology.switch:
            now = self.switch.runs()
            if now is None:
                raise ProbeFault("the switch serves nothing")
            host = door.backs[now[0].value]
        standing = self.world.one(host)
        if standing is None:
            raise ProbeFault(f"{host}:{port} does not answer")
        build = standing.container.image
        short = build.removeprefix("sha256:")[:12]
        return Answer(short if door.protocol is Protocol.DICOM else build, Colour(standing.label(LABEL_COLOUR)))

    def call(self, url: str, deadline: float) -> bool:
        assert deadline > 0
        host, hook = url.split("//")[1].split(":")[0], url.rsplit("/", 1)[1]
        self.world.faults.call(f"services {hook} {host}", ProbeFault)
        standing = self.world.one(host)
        if standing is None:
            return False
        # Whatever a container was told is gone with it: the name holds which one it was.
        told = self.folder / f"active-{host}-{standing.id}"
        if hook == "activate":
            told.touch()
        else:
            told.unlink(missing_ok=True)
        self.world.faults.call(f"services {hook} {host} done", ProbeFault)
        return True

    def fetch(self, host: str, port: int, request: Request, deadline: float) -> Reply | None:
        assert port > 0
        assert deadline > 0
        assert request.target
        self.world.faults.call(f"services fetched {host}", ProbeFault)
        return None if self.world.one(host) is None else Reply(200, {}, b"{}")

    def tell(self, url: str, body: Mapping[str, Any], deadline: float) -> Any:
        assert deadline > 0
        asked = url.endswith("/hooks/invariants")
        assert body or asked
        host = url.split("//")[1].split(":")[0]
        self.world.faults.call(f"services told {host}", ProbeFault)
        if self.world.one(host) is None:
            return None
        return {"active": host in self.active(), "well": True} if asked else {}

    def active(self) -> set[str]:
        """The hosts that work on their own now."""
        self.world.load()
        names = {host: f"active-{host}-{s.id}" for host, s in self.world.containers.items()}
        return {host for host, name in names.items() if (self.folder / name).exists()}
