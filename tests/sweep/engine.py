"""An engine restarted in the middle of a promotion: one in a container of the sweep's own, with switch, steward and
colours inside; the machine's engine is left alone.

Three ways: its process killed, its process told to end, and its whole container killed, as a machine that loses its
power. Afterwards the engine starts what it kept, and `recover` is all that is asked. Needs root and an engine on this
machine.

python -m tests.sweep.engine
"""

import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import docker
import requests
from docker.errors import DockerException
from docker.models.containers import Container

from otagate.adapters.images import BASE, PYTHON, edge_images
from otagate.core.cloud import LABEL_PLATFORM, Colour
from otagate.core.errors import OtagateError
from otagate.core.promotion import Event, Phase
from otagate.core.traffic import Kind
from otagate.core.watch import WatchPolicy
from tests.e2e.edge import COLOUR_IMAGE, Edge, claim_of
from tests.sweep.front import TOLD, Accounts, Asker, accounts, ask_dicom, ask_web
from tests.sweep.invariants import ENDED

Said = TypeVar("Said")

IMAGE = "t-engine:1"
HERE = Path(__file__).with_name("engine_image")
WATCH = WatchPolicy(lasts=2.0, every=0.1, window=1.0, blind=15)
KILLED, ENDED_BY_TERM, POWER = "its process killed", "its process told to end", "its whole machine killed"
WAYS: Mapping[str, str] = {KILLED: "KILL", ENDED_BY_TERM: "TERM", POWER: ""}


@dataclass
class InnerEdge(Edge):
    """An edge whose doors are reached at the inner engine's own address."""

    at: str = ""

    def published(self) -> Mapping[str, tuple[str, int | None]]:
        return {f"{front}/tcp": ("0.0.0.0", front) for front in self.fronts.values()}

    def address(self, listener: str, holder: str = "holder") -> tuple[str, int]:  # noqa: ARG002
        return self.at, self.fronts[listener]


@dataclass
class Restarts:
    """By way: seconds until steward and switch answered and agreed, and the longest gap of each listener."""

    rows: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def text(self) -> str:
        head = ["| the engine | settled after, s | longest gap web, s | dicom, s | ended |", "|---|---|---|---|---|"]
        return "\n".join([*head, *self.rows, f"{len(self.rows)} restarts: {len(self.wrong)} broken", *self.wrong])


@contextmanager
def inner(client: docker.DockerClient) -> Iterator[tuple[Container, docker.DockerClient]]:
    """An engine that answers, and holds the edge's images; gone at the end."""
    client.images.build(path=str(HERE), tag=IMAGE, rm=True)
    name = f"t-engine-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory() as folder:
        outer = made(client, name, folder)
        try:
            outer.start()
            # A client asks for the engine's version as soon as it is made.
            engine = awake(lambda: docker.DockerClient(base_url=f"unix://{folder}/docker.sock", timeout=60), outer)
            images = edge_images(client)
            load(client, engine, (BASE, PYTHON, images.switch, images.holder, images.steward, COLOUR_IMAGE))
            yield outer, engine
            engine.close()
        finally:
            outer.remove(force=True, v=True)


def made(client: docker.DockerClient, name: str, folder: str) -> Container:
    """With the rights that an engine needs, of the paths that a container may not touch too, which the SDK's own words
    cannot give."""
    rights = client.api.create_host_config(
        binds={folder: {"bind": "/engine", "mode": "rw"}},
        cap_add=["ALL"],
        cap_drop=["SYS_RESOURCE"],
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        device_cgroup_rules=["a *:* rwm"],
        cgroupns="private",
    )
    rights.update({"MaskedPaths": [], "ReadonlyPaths": []})
    labels = {LABEL_PLATFORM: name}
    found = client.api.create_container(IMAGE, name=name, host_config=rights, labels=labels, volumes=["/engine"])
    return client.containers.get(found["Id"])


def awake(ask: Callable[[], Said], outer: Container) -> Said:
    """What the engine says, once it says something."""
    until = time.monotonic() + 60
    while True:
        with suppress(DockerException, requests.RequestException):
            return ask()
        assert time.monotonic() < until, f"the engine never answered: {outer.logs(tail=10)!r}"
        time.sleep(0.1)


def load(client: docker.DockerClient, engine: docker.DockerClient, images: tuple[str, ...]) -> None:
    """With their names, by which they are found."""
    for image in images:
        found = client.images.get(image)
        with tempfile.TemporaryFile() as file:
            for part in client.api.get_image(found.tags[0]):
                file.write(part)
            file.seek(0)
            engine.images.load(file)


def restart(edge: InnerEdge, outer: Container, way: str) -> None:
    if WAYS[way]:
        code, said = outer.exec_run(["sh", "-c", f"kill -{WAYS[way]} $(cat /var/run/docker.pid)"])
        assert code == 0, said
        time.sleep(0.5)
    else:
        outer.kill("KILL")
        outer.start()
        outer.reload()
        edge.at = address_of(outer)
    awake(edge.client.ping, outer)


def engine_of(outer: Container) -> str:
    """Its process and when that began: another one after every restart."""
    code, said = outer.exec_run(["sh", "-c", "cat /proc/$(cat /var/run/docker.pid)/stat"])
    assert isinstance(said, bytes)
    assert code == 0, said
    fields = said.decode().split()
    return f"{fields[0]} since {fields[21]}"


def address_of(outer: Container) -> str:
    outer.reload()
    networks = outer.attrs["NetworkSettings"]["Networks"]
    return str(next(iter(networks.values()))["IPAddress"])


def one(edge: InnerEdge, outer: Container, way: str, name: str, restarts: Restarts) -> None:
    """A promotion whose engine ends just as the flip begins."""
    to = edge.steward().status().live
    assert to is not None
    askers = {
        "web": Asker(lambda: ask_web(edge.address("web"))),
        "dicom": Asker(lambda: ask_dicom(edge.address("dicom"))),
    }
    for asker in askers.values():
        asker.start()
    before, line = engine_of(outer), ExitStack()
    try:
        hold = line.enter_context(edge.steward().lease(claim_of("alice"), 5))
        edge.to_flip(hold, edge.intent(Kind.PROMOTE, to.other, name, WATCH))
        began = time.monotonic()
        restart(edge, outer, way)
        with suppress(OtagateError, DockerException, *TOLD):
            line.close()  # it ended with the engine
        phase = settle(edge, began, name)
        took = time.monotonic() - began
        time.sleep(1.0)
    finally:
        for asker in askers.values():
            asker.end()
    said = accounts(edge.container("shared-steward"))
    restarted = engine_of(outer) != before
    fronts = {ask_web(edge.address("web")), ask_dicom(edge.address("dicom"))}
    restarts.wrong += [f"{way}: {what}" for what in wrong(said, fronts, restarted=restarted)]
    restarts.rows.append(f"| {way} | {took:.1f} | {askers['web'].gap:.1f} | {askers['dicom'].gap:.1f} | {phase} |")


def wrong(said: Accounts, fronts: set[str], *, restarted: bool) -> list[str]:
    """What must not be once all has settled; `fronts`: the colours that answer at the front doors."""
    agreed = said.agree and said.phase in ENDED and fronts == {said.journal[0]}
    found = [] if agreed else [f"{said}; {sorted(fronts)} answer"]
    return found if restarted else [*found, "the engine never ended: it is the one that was there before"]


def settle(edge: InnerEdge, began: float, name: str) -> str:
    """What `recover` and nothing else makes of it, once steward and switch are there again."""
    until = began + 120
    while True:
        try:
            view = edge.steward().recover(claim_of("bob"), 5)
            if view is not None and view.phase is Phase.DISCARDING:
                with edge.steward().lease(claim_of("bob"), 5) as hold:
                    hold.report(Event.OK, "removed what was deployed")
            view = edge.steward().status().promotion
            assert view is not None
            assert view.intent.promotion == name
            if view.phase.ended and ask_web(edge.address("web")) and ask_dicom(edge.address("dicom")):
                return str(view.phase)
        except (OtagateError, DockerException, requests.RequestException, *TOLD):
            pass
        assert time.monotonic() < until, "steward and switch never came back"
        time.sleep(0.1)


def restarted(client: docker.DockerClient) -> Restarts:
    """Each way once."""
    restarts = Restarts()
    with inner(client) as (outer, engine):
        edge = InnerEdge(engine, at=address_of(outer))
        edge.raise_()
        assert edge.genesis().phase is Phase.PROMOTED
        edge.run_colour(Colour.GREEN)
        edge.await_up(Colour.GREEN)
        for number, way in enumerate(WAYS):
            one(edge, outer, way, f"p-{number}", restarts)
            for colour in Colour:
                edge.await_up(colour)
    return restarts


def main() -> int:
    client = docker.from_env(timeout=120)
    restarts = restarted(client)
    client.close()
    print(restarts.text())
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 1 if restarts.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
