"""The services of both colours around the processes that are killed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otagate.adapters.probe import Answer
from otagate.core.cloud import LABEL_COLOUR, Colour
from otagate.core.errors import ProbeFault
from otagate.core.places import switch_name
from otagate.core.platform import Protocol, Tls
from otagate.core.shadow import Reply, Request
from otagate.core.topology import Door, Topology
from tests.sweep.outside import KeptWorld
from tests.sweep.switches import PLATFORM, KeptSwitch, KeptSwitches

FIRST = switch_name(PLATFORM, 1)


@dataclass
class KeptServices:
    """The services of both colours: what runs answers with its image; hooks are kept as a file each."""

    folder: Path
    topology: Topology
    switches: KeptSwitches
    world: KeptWorld

    def ask(self, door: Door, host: str, port: int, deadline: float, *, tls: bool) -> Answer:
        assert port > 0 < deadline
        assert not tls or door.tls is not Tls.NONE
        self.world.faults.call(f"services ask {door.name}", ProbeFault)
        if host == self.topology.switch:
            host = self._behind(door, self.switches.in_front(door.name))
        elif host.startswith(FIRST):
            host = self._behind(door, self.switches.rehearsing(int(host.removeprefix(FIRST)[1:])))
        standing = self.world.one(host)
        if standing is None:
            raise ProbeFault(f"{host}:{port} does not answer")
        build = standing.container.image
        short = build.removeprefix("sha256:")[:12]
        return Answer(short if door.protocol is Protocol.DICOM else build, Colour(standing.label(LABEL_COLOUR)))

    def _behind(self, door: Door, switch: KeptSwitch) -> str:
        now = switch.runs()
        if now is None:
            raise ProbeFault(f"switch {switch.number} serves nothing")
        return door.backs[now[0].value]

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
