"""Switch, steward and two colours that bear load, turned by the steward as a promotion would, again and again."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker

from otagate.core.cloud import Colour
from otagate.core.platform import Protocol
from otagate.core.promotion import Phase
from otagate.core.topology import Door, HookCall, Topology
from otagate.core.traffic import Kind, StewardEvent
from otagate.core.watch import WatchPolicy
from tests.e2e.edge import Edge
from tests.e2e.flip_account import Flip

SERVICE = Path(__file__).with_name("load_service.py")
QUICK = WatchPolicy(lasts=0.3, every=0.1, window=10.0)


def topology_of(platform: str) -> Topology:
    hosts = {colour.value: f"{platform}-{colour}-web" for colour in Colour}
    return Topology(
        platform=platform,
        switch=f"{platform}-shared-holder",
        doors=(
            Door("web", Protocol.HTTP, 20001, hosts, 8080, "/healthz", service="web"),
            Door("dicom", Protocol.DICOM, 20002, hosts, 11112, "", "LOAD", 3600, service="web"),
            Door("hl7", Protocol.TCP, 20003, hosts, 2575, idle_timeout=3600, service="web"),
            Door("tcp", Protocol.TCP, 20004, hosts, 9000, service="web"),
        ),
        hooks=tuple(HookCall("web", name, hosts, 8080, f"/hooks/{name}", 5.0) for name in ("activate", "passive")),
    )


def draining_topology_of(platform: str) -> Topology:
    """The same, and the service closes its sessions when it is asked to."""
    known = topology_of(platform)
    return replace(known, hooks=(*known.hooks, replace(known.hooks[0], name="drain", path="/hooks/drain")))


def shadowed_topology_of(platform: str) -> Topology:
    """The same, and the switch copies safe requests of `web`."""
    known = topology_of(platform)
    return replace(known, doors=(replace(known.doors[0], shadowed=True), *known.doors[1:]))


def asked_topology_of(platform: str) -> Topology:
    """The same, and the service tells its invariants; who does not answer is given up on soon."""
    known = topology_of(platform)
    doors = (replace(known.doors[0], idle_timeout=4.0), *known.doors[1:])
    hooks = (*known.hooks, replace(known.hooks[0], name="invariants", path="/hooks/invariants"))
    return replace(known, doors=doors, hooks=hooks)


class LoadEdge(Edge):
    """Blue is live after `begin`, green stands beside it; nothing is made anew between flips."""

    @classmethod
    def made(
        cls, client: docker.DockerClient, *, draining: bool = False, invariants: bool = False, shadowed: bool = False
    ) -> "LoadEdge":
        known = draining_topology_of if draining else asked_topology_of if invariants else topology_of
        return cls(client, service=SERVICE, topology_of=shadowed_topology_of if shadowed else known)

    def begin(self) -> None:
        self.raise_()
        assert self.genesis().phase is Phase.PROMOTED
        self.run_colour(Colour.GREEN)
        self.await_up(Colour.GREEN)

    def flip(self, to: Colour, name: str, *, drain: float = 5.0, watch: WatchPolicy = QUICK) -> Flip:
        """One promotion to its end; raises AssertionError unless it was promoted."""
        view = self.promote(to, name, intent=replace(self.intent(Kind.PROMOTE, to, name, watch), drain=drain))
        assert view.phase is Phase.PROMOTED, view.reason
        return self.flip_of(name)

    @contextlib.contextmanager
    def once_watched(self, promotion: str, act: Callable[[], None]) -> Iterator[None]:
        """`act` is called as soon as the promotion is watched; what it raises is raised at the end."""
        wrong: list[BaseException] = []

        def wait() -> None:
            try:
                assert self.eventually(lambda: self._is_watched(promotion))
                act()
            except BaseException as error:
                wrong.append(error)

        thread = self.beside(wait)
        yield
        thread.join(90)
        if wrong:
            raise wrong[0]

    def _is_watched(self, promotion: str) -> bool:
        view = self.steward().status().promotion
        return view is not None and view.intent.promotion == promotion and view.phase is Phase.WATCHING

    def flip_of(self, promotion: str) -> Flip:
        """When the map file was about to be written, and when the switch's own word was read back."""
        ahead = time.monotonic() - time.time()
        turns = [e for e in self.events(promotion) if "stage" in e.data]
        at = {str(event.data["stage"]): event.at + ahead for event in reversed(turns)}
        return Flip(at["intent"], at["turned"], str(turns[0].data["to"]))

    def events(self, promotion: str) -> list[StewardEvent]:
        return list(self.steward().follow(promotion))

    def told(self, colour: Colour, path: str) -> list[Any]:
        """What a colour remembers: `/stored` or `/received`."""
        code = (
            "import json, urllib.request as u;"
            f"print(json.dumps(json.load(u.urlopen('http://127.0.0.1:8080{path}', timeout=30))))"
        )
        return list(json.loads(self._python(f"{colour}-web", code))[path.removeprefix("/")])
