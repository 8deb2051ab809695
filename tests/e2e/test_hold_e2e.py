"""Two colours that may not work at once, on the real switch, under load: how long anybody waits, at most and at all."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
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

BOUND = 6.0
WORK = 0.05  # seconds for one request
QUICK = WatchPolicy(lasts=0.3, every=0.1, window=10.0)


def holding(platform: str) -> Topology:
    return replace(topology_of(platform), hold=BOUND)


def raised(engine: docker.DockerClient, topology: Callable[[str], Topology]) -> Iterator[Edge]:
    made = Edge(engine, topology_of=topology)
    try:
        made.raise_()
        assert made.genesis().phase is Phase.PROMOTED
        made.run_colour(Colour.GREEN)
        made.await_up(Colour.GREEN)
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def held(engine: docker.DockerClient) -> Iterator[Edge]:
    yield from raised(engine, holding)


@pytest.fixture(scope="module")
def plain(engine: docker.DockerClient) -> Iterator[Edge]:
    yield from raised(engine, topology_of)


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


def turned(edge: Edge) -> tuple[Load, list[float]]:
    """Four flips under load, and how long the switch let anybody wait in each."""
    waits: list[float] = []
    with load_of(edge) as load:
        time.sleep(0.5)
        for number in range(4):
            live = edge.steward().status().live
            assert live is not None
            intent = edge.intent(Kind.PROMOTE, live.other, f"p-turn-{number}", QUICK)
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
    return load, waits


def test_with_a_hold_both_never_work_at_once(held: Edge) -> None:
    load, waits = turned(held)
    assert load.at_once() == 0.0
    assert 0 < max(waits) < BOUND


def test_control_without_a_hold_they_do(plain: Edge) -> None:
    load, waits = turned(plain)
    assert load.at_once() > 0.0
    assert max(waits) == 0.0


def answering(line: http.client.HTTPConnection) -> str:
    line.request("GET", "/")
    colour: str = json.loads(line.getresponse().read())["colour"]
    return colour


def test_a_session_that_does_not_end_refuses_the_flip_and_nobody_waits_longer_than_the_bound(held: Edge) -> None:
    live = held.steward().status().live
    assert live is not None
    with closing(http.client.HTTPConnection(*held.address("raw"), timeout=10)) as line:
        assert answering(line) == live.value  # and stays open
        line.auto_open = 0  # never on another connection
        with load_of(held) as load:
            time.sleep(0.3)
            view = held.promote(live.other, "p-long", intent=held.intent(Kind.PROMOTE, live.other, "p-long", QUICK))
        assert view.phase is Phase.ROLLED_BACK
        assert "did not end while new work was held" in view.reason
        assert (load.failed, {colour for colour, _, _ in load.done}) == ([], {live.value})
        wait = longest(held, "p-long")
        print(f"refused: longest wait {wait:.2f} s of {BOUND:g} s, longest answer {load.waited:.2f} s")
        assert 0 < wait < BOUND
        assert answering(line) == live.value


def test_what_nobody_lets_go_is_let_go_at_the_bound_by_the_switch_itself(held: Edge) -> None:
    live = held.colour_now()
    entries = held.haproxy("show map /run/otagate/active.map").splitlines()
    epoch = next(line.split()[2] for line in entries if " epoch " in line)
    began = time.monotonic()
    assert held.haproxy(f"otagate hold {epoch}") == "OK held"
    assert held.haproxy(f"otagate hold {epoch}") == "ERR held already"
    assert requests.get(held.url(), timeout=10).headers["X-Otagate-Colour"] == live
    assert time.monotonic() - began > BOUND * 0.9
    wait = held.haproxy("otagate release").removeprefix("OK passed, longest ")
    print(f"nobody let go: longest wait {wait} ms of {BOUND:g} s")
    assert int(wait) < (BOUND + 0.1) * 1000
