"""Two colours that may not work at once, on the real switch, under load: how long anybody waits, at most and at all."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

import docker
import pytest
import requests

from otagate.core.cloud import Colour
from otagate.core.promotion import Phase
from otagate.core.topology import Topology
from otagate.core.traffic import Kind
from otagate.core.watch import WatchPolicy
from tests.e2e.edge import Edge, topology_of

pytestmark = pytest.mark.docker

BOUND = 2.0
WORK = 0.05  # seconds for one request
QUICK = WatchPolicy(lasts=0.3, every=0.1, window=1.0)


def holding(platform: str) -> Topology:
    return replace(topology_of(platform), hold=BOUND)


@pytest.fixture(scope="module", params=[True, False], ids=["held", "not held"])
def edge(request: pytest.FixtureRequest, engine: docker.DockerClient) -> Iterator[Edge]:
    made = Edge(engine, topology_of=holding if request.param else topology_of)
    try:
        made.raise_()
        assert made.genesis().phase is Phase.PROMOTED
        made.run_colour(Colour.GREEN)
        made.await_up(Colour.GREEN)
        yield made
    finally:
        made.remove()


@dataclass
class Load:
    """Clients that ask again and again through `urls`; what each answer says of when it was worked on, and by whom."""

    urls: tuple[str, ...]
    done: list[tuple[str, float, float]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    waited: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Load":
        self._threads = [threading.Thread(target=self._ask, args=(url,)) for url in self.urls]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, url: str) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                body = requests.get(url, timeout=10).json()
                self.done.append((body["colour"], body["began"], body["ended"]))
            except (requests.RequestException, ValueError, KeyError) as broke:
                self.failed.append(repr(broke))
            self.waited = max(self.waited, time.monotonic() - began)

    def at_once(self) -> float:
        """Seconds, at most, for which both colours were at work at the same time."""
        by = {colour: [(b, e) for c, b, e in self.done if c == colour] for colour in Colour}
        pairs = ((min(e, f) - max(b, c)) for b, e in by[Colour.BLUE] for c, f in by[Colour.GREEN])
        return max(0.0, max(pairs, default=0.0))


def longest(edge: Edge, promotion: str) -> float:
    """Seconds for which anybody waited, as the switch itself counted: what a busy machine adds is not in it."""
    told = [event.data["longest"] for event in edge.steward().follow(promotion) if "longest" in event.data]
    return float(max(told, default=0.0))


def load_of(edge: Edge) -> Load:
    fronts = [edge.url(f"/slow?s={WORK}"), "http://{}:{}/slow?s={}".format(*edge.address("raw"), WORK)]
    return Load(tuple(fronts * 4))


def test_with_a_hold_both_never_work_at_once_and_without_one_they_do(edge: Edge) -> None:
    held = bool(edge.topology().hold)
    waits: list[float] = []
    with load_of(edge) as load:
        time.sleep(0.5)
        for number in range(4):
            live = edge.steward().status().live
            assert live is not None
            intent = edge.intent(Kind.PROMOTE, live.other, f"p-{held}-{number}", QUICK)
            view = edge.promote(live.other, intent.promotion, intent=intent)
            assert view.phase is Phase.PROMOTED, view.reason
            waits.append(longest(edge, intent.promotion))
            time.sleep(0.3)
    assert load.failed == []
    assert {colour for colour, _, _ in load.done} == set(Colour)
    print(
        f"hold {edge.topology().hold:g} s: {len(load.done)} answers, {len(load.failed)} failed, both at work at once "
        f"for {load.at_once() * 1000:.1f} ms, "
        f"longest wait {max(waits) * 1000:.0f} ms, longest answer {load.waited * 1000:.0f} ms "
        f"(work is {WORK * 1000:.0f} ms)"
    )
    if held:
        assert load.at_once() == 0.0
        assert 0 < max(waits) < BOUND
    else:
        assert load.at_once() > 0.0


def test_a_session_that_does_not_end_refuses_the_flip_and_nobody_waits_longer_than_the_bound(edge: Edge) -> None:
    if not edge.topology().hold:
        pytest.skip("of a hold alone")
    live = edge.steward().status().live
    assert live is not None
    with closing(socket.create_connection(edge.address("raw"))) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert line.recv(4096)  # and stays open
        with load_of(edge) as load:
            time.sleep(0.3)
            view = edge.promote(live.other, "p-long", intent=edge.intent(Kind.PROMOTE, live.other, "p-long", QUICK))
        assert view.phase is Phase.ROLLED_BACK
        assert "did not end while new work was held" in view.reason
        assert (load.failed, {colour for colour, _, _ in load.done}) == ([], {live.value})
        wait = longest(edge, "p-long")
        print(f"refused: longest wait {wait:.2f} s of {BOUND:g} s, longest answer {load.waited:.2f} s")
        assert 0 < wait < BOUND
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert json.loads(line.recv(4096).rsplit(b"\r\n", 1)[1])["colour"] == live.value


def test_a_dead_steward_holds_nobody_longer_than_the_bound(edge: Edge) -> None:
    if not edge.topology().hold:
        pytest.skip("of a hold alone")
    live = edge.colour_now()
    edge.container("shared-steward").kill()
    epoch = next(line.split()[2] for line in edge_map(edge) if " epoch " in line)
    began = time.monotonic()
    assert held_past_the_steward(edge, f"otagate hold {epoch}") == "OK held"
    assert held_past_the_steward(edge, f"otagate hold {epoch}") == "ERR held already"
    assert requests.get(edge.url(), timeout=10).headers["X-Otagate-Colour"] == live
    assert BOUND - 0.5 < time.monotonic() - began < BOUND + 1.0


def edge_map(edge: Edge) -> list[str]:
    return held_past_the_steward(edge, "show map /run/otagate/active.map").splitlines()


def held_past_the_steward(edge: Edge, command: str) -> str:
    """Its engine has started it again by then; what is said goes past it, to the switch."""
    assert edge.eventually(lambda: bool(edge.haproxy("show info")))
    return edge.haproxy(command)
