"""What stands around the processes that are killed, kept in files so that it outlives them: the containers here, the
switches' run time and which service works on its own beside it. Each call is a point before and a point after."""

import os
import pickle
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from otagate.core.cloud import Cloud
from otagate.core.container import Container, Stage
from otagate.core.errors import EngineFault, ProvisionFault
from otagate.ports import Tell
from tests.fakes.clock import FakeClock
from tests.fakes.engine import FakeEngine
from tests.fakes.provisioner import FakeProvisioner
from tests.fakes.world import Standing, World
from tests.sweep.faults import Faults

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


def keep(path: Path, content: bytes) -> None:
    """Whole at any moment; past the faults, for this is not what is tested."""
    unborn = path.with_name(f"{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    unborn.write_bytes(content)
    unborn.replace(path)


def provision(what: str) -> ProvisionFault:
    return ProvisionFault(what, code="disk" if "ENOSPC" in what else "engine")


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
