"""The shadow on the real switch and the real steward: who is asked what, at most how much, what is told of it, and that
production goes on whatever the candidate does."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import docker
import pytest
import requests

from otagate.core.cloud import Colour
from otagate.core.platform import Protocol
from otagate.core.promotion import Phase
from otagate.core.shadow import Body, ShadowRule, ShadowSeen, Told, judged
from otagate.core.topology import Door, HookCall, Topology
from otagate.steward.shadow import DEADLINE
from tests.e2e.edge import Edge

pytestmark = pytest.mark.docker

RULE = ShadowRule(1.5, 30, 3, 0, ("x-kind",), Body.JSON)
COOKIE = "session=Muster"
SAFE = ("GET", "HEAD")


def topology_of(platform: str) -> Topology:
    hosts = {colour.value: f"{platform}-{colour}-web" for colour in Colour}
    return Topology(
        platform=platform,
        switch=f"{platform}-shared-holder",
        doors=(Door("web", Protocol.HTTP, 20001, hosts, 8080, "/healthz", service="web", shadowed=True),),
        hooks=tuple(HookCall("web", name, hosts, 8080, f"/hooks/{name}", 5.0) for name in ("activate", "passive")),
    )


@pytest.fixture(scope="module")
def standing(engine: docker.DockerClient) -> Iterator[Edge]:
    """Blue is live, and green stands beside it."""
    made = Edge(engine, service=Path(__file__).with_name("shadow_service.py"), topology_of=topology_of)
    try:
        made.raise_()
        assert made.genesis().phase is Phase.PROMOTED
        made.run_colour(Colour.GREEN)
        made.await_up(Colour.GREEN)
        yield made
    finally:
        made.remove()


@pytest.fixture
def edge(standing: Edge) -> Edge:
    """Both colours answer the same, and have heard nothing yet."""
    for colour in Colour:
        standing.poke(colour, "/behave")
        standing.poke(colour, "/heard")
    return standing


@dataclass
class Clients:
    """They ask production's front door again and again: each answer's method, status and colour."""

    edge: Edge
    methods: tuple[str, ...] = SAFE
    path: str = "/objects?patient=Muster"
    answers: list[tuple[str, int, str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    _ends: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Clients":
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(2)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self) -> None:
        url = self.edge.url(self.path)
        with requests.Session() as session:
            while not self._ends.is_set():
                for method in self.methods:
                    try:
                        said = session.request(method, url, headers={"Cookie": COOKIE}, timeout=10)
                        self.answers.append((method, said.status_code, said.headers["X-Otagate-Colour"]))
                    except (requests.RequestException, KeyError) as broke:
                        self.broken.append(repr(broke))
                self._ends.wait(0.01)

    def went_on(self, count: int) -> bool:
        """So many answers more than there were."""
        goal = len(self.answers) + count
        return self.edge.eventually(lambda: len(self.answers) >= goal, 30)


def heard(edge: Edge, colour: Colour) -> list[tuple[str, str, str, str]]:
    """What a colour was asked since it was last looked at: method, path, mark, cookie."""
    told: Any = edge.poke(colour, "/heard")["heard"]
    return [(method, path, mark, cookie) for method, path, mark, cookie in told]


def told_of(edge: Edge, promotion: str) -> dict[str, Any]:
    """What the steward's journal says of a promotion's shadow."""
    (told,) = [e.data["shadow"] for e in edge.steward().follow(promotion) if "shadow" in e.data]
    return dict(told)


def test_what_clients_ask_of_the_live_colour_is_asked_of_the_candidate_too_unless_it_may_change_something(
    edge: Edge,
) -> None:
    with Clients(edge, ("GET", "POST", "HEAD")) as clients:
        seen = edge.shadow("p-both", RULE)
    copies = heard(edge, Colour.GREEN)
    assert judged(RULE, seen).told is Told.PASS, seen
    assert (seen.differing, seen.moving, seen.unpaired) == (0, 0, 0)
    assert len(copies) == seen.compared >= RULE.minimum
    assert {(path, mark, cookie) for _, path, mark, cookie in copies} == {(clients.path, "1", COOKIE)}
    assert {method for method, *_ in copies} == set(SAFE)
    live = Counter((method, mark) for method, _, mark, _ in heard(edge, Colour.BLUE))
    assert live["GET", "1"] + live["HEAD", "1"] == seen.compared, "the live colour is asked each once more"
    assert live["POST", ""] > RULE.minimum, "control: meanwhile there was what must not be copied"
    assert live["POST", "1"] == 0
    assert set(clients.answers) == {(method, 200, "blue") for method in clients.methods}


def test_control_outside_a_shadow_nothing_is_copied(edge: Edge) -> None:
    with Clients(edge) as clients:
        assert clients.went_on(40)
    assert heard(edge, Colour.GREEN) == []
    assert edge.haproxy("otagate shadow take web") == "OK 0 0"


@pytest.mark.parametrize("methods", [(), ("POST",)])
def test_a_shadow_that_saw_nothing_is_unknown_and_refuses(edge: Edge, methods: tuple[str, ...]) -> None:
    rule = replace(RULE, lasts=1.0)
    name = f"p-nothing-{len(methods)}"
    with Clients(edge, methods) as clients:
        seen = edge.shadow(name, rule)
    assert seen == ShadowSeen()
    word = judged(rule, seen)
    assert (word.told, word.refuses) == (Told.UNKNOWN, True)
    assert told_of(edge, name)["told"] == "unknown"
    assert heard(edge, Colour.GREEN) == []
    assert bool(clients.answers) is bool(methods), "control: others asked meanwhile, or nobody"


def test_no_more_is_copied_than_the_rule_says_and_the_rest_is_counted(edge: Edge) -> None:
    with Clients(edge) as clients:
        seen = edge.shadow("p-bound", replace(RULE, most=5))
    assert 0 < seen.compared <= 5
    assert len(heard(edge, Colour.GREEN)) == seen.compared
    assert 0 < seen.dropped <= len(clients.answers) - seen.compared
    assert told_of(edge, "p-bound")["dropped"] == seen.dropped


@pytest.mark.parametrize(
    ("arm", "asked", "header", "answer"),
    [
        ("60000 1", 20, "x", "OK 1 19"),  # the rule's bound
        ("60000 60000", 20, "x", "OK 20 0"),  # control: below every bound all are copied
        ("60000 60000", 80, "x", "OK 64 16"),  # what waits for the steward, if it does not come
        ("60000 60000", 3, "x" * 8100, "OK 0 3"),  # the size of one
        ("60000 60000", 3, "x" * 7500, "OK 3 0"),  # control: a little less
        ("60000 10", 5, "x", "OK 1 4"),  # the pace
        ("1 1000", 3, "x", "OK 0 0"),  # the time
    ],
)
def test_the_switch_itself_holds_each_bound_and_counts_what_is_beyond(
    edge: Edge, arm: str, asked: int, header: str, answer: str
) -> None:
    assert edge.haproxy(f"otagate shadow arm web {arm}").startswith("OK web")
    with requests.Session() as session:
        for _ in range(asked):
            assert session.get(edge.url(), headers={"X-Long": header}, timeout=10).status_code == 200
            if arm == "60000 60000":
                time.sleep(0.002)  # one a millisecond is the pace
    first, *copies = edge.haproxy("otagate shadow take web").splitlines()
    assert first == answer
    assert all(header.encode() in bytes.fromhex(copy) for copy in copies)
    assert edge.haproxy("otagate shadow take web") == "OK 0 0"
    assert edge.haproxy("otagate shadow arm web 1 1") == "OK web 1"


def test_what_comes_at_once_after_a_pause_is_within_the_pace(edge: Edge) -> None:
    """A page that asks for ten things is copied as a whole."""
    assert edge.haproxy("otagate shadow arm web 60000 600") == "OK web 600"
    time.sleep(1.0)
    with requests.Session() as session:
        for _ in range(10):
            session.get(edge.url(), timeout=10)
    assert edge.haproxy("otagate shadow take web").splitlines()[0] == "OK 10 0"
    assert edge.haproxy("otagate shadow arm web 1 1") == "OK web 1"


@pytest.mark.parametrize(
    ("fault", "places"),
    [
        ("code=503", ["status"]),
        ("kind=other", ["header x-kind"]),
        ("dose=59", ["body /dose"]),
        ("code=404&kind=other&dose=59", ["status", "header x-kind", "body /dose"]),
    ],
)
def test_a_candidate_that_answers_otherwise_is_told_by_its_places(edge: Edge, fault: str, places: list[str]) -> None:
    edge.poke(Colour.GREEN, f"/behave?{fault}")
    name = f"p-{fault.replace('=', '-').replace('&', '-')}"
    with Clients(edge, ("GET",)):
        seen = edge.shadow(name, RULE)
    assert seen.compared == seen.differing >= RULE.minimum
    assert [difference.place for difference in seen.examples[0].differences] == places
    assert judged(RULE, seen).told is Told.FAIL
    told = told_of(edge, name)
    assert (told["told"], told["refuses"], told["differing"]) == ("fail", True, seen.differing)
    assert [found["place"] for found in told["examples"][0]["differences"]] == places
    assert (told["examples"][0]["path"], "Muster" in str(told), "59" in str(told["examples"])) == (
        "/objects",
        False,
        False,
    )


def test_control_what_the_rule_does_not_name_is_no_difference(edge: Edge) -> None:
    edge.poke(Colour.GREEN, "/behave?kind=other&dose=59")
    lenient = replace(RULE, headers=(), ignore=("/dose",))
    with Clients(edge, ("GET",)):
        seen = edge.shadow("p-lenient", lenient)
    assert (judged(lenient, seen).told, seen.differing) == (Told.PASS, 0)


def test_what_the_live_colour_itself_answers_anew_each_time_compares_nothing(edge: Edge) -> None:
    with Clients(edge, ("GET",), path="/moving"):
        seen = edge.shadow("p-moving", RULE)
    assert (seen.compared, seen.moving > 0) == (0, True)
    assert judged(RULE, seen).told is Told.UNKNOWN


@contextmanager
def shadowing(edge: Edge, name: str, rule: ShadowRule) -> Iterator[list[ShadowSeen]]:
    """A shadow beside what the body does; what it saw stands in the list at the end."""
    found: list[ShadowSeen] = []
    thread = edge.beside(lambda: found.append(edge.shadow(name, rule)))
    try:
        yield found
    finally:
        thread.join(60)


def holds_one(edge: Edge, colour: Colour) -> bool:
    return int(str(edge.poke(colour, "/holding")["holding"])) > 0


def test_while_a_candidate_hangs_production_goes_on(edge: Edge) -> None:
    """As many answers as clients ask for come while a copy waits at the candidate, not one of them from it."""
    edge.poke(Colour.GREEN, "/behave?way=hang")
    with Clients(edge) as clients, shadowing(edge, "p-hang", RULE) as found:
        assert edge.eventually(lambda: holds_one(edge, Colour.GREEN), 20)
        assert clients.went_on(100)
        assert holds_one(edge, Colour.GREEN), "the copy waited all the while"
    edge.poke(Colour.GREEN, "/behave")
    assert (clients.broken, {(code, colour) for _, code, colour in clients.answers}) == ([], {(200, "blue")})
    (seen,) = found
    assert len(clients.answers) > 20 * seen.compared
    assert seen.compared == seen.differing > 0
    assert seen.examples[0].differences[0].message == f"none from the new colour in {DEADLINE:g} s"
    assert judged(RULE, seen).told is Told.FAIL


def test_control_a_live_colour_that_hangs_stops_the_clients(edge: Edge) -> None:
    with Clients(edge) as clients:
        assert clients.went_on(10)
        edge.poke(Colour.BLUE, "/behave?way=hang")
        assert edge.eventually(lambda: holds_one(edge, Colour.BLUE))
        time.sleep(0.5)
        before = len(clients.answers)
        time.sleep(1.0)
        assert len(clients.answers) == before
        edge.poke(Colour.BLUE, "/behave")
        assert clients.went_on(10)


@contextmanager
def dripping(edge: Edge) -> Iterator[None]:
    edge.poke(Colour.GREEN, "/behave?way=drip")
    yield
    edge.poke(Colour.GREEN, "/behave")


@contextmanager
def standing_still(edge: Edge) -> Iterator[None]:
    green = edge.container("green-web")
    green.pause()
    try:
        yield
    finally:
        green.unpause()


@contextmanager
def gone(edge: Edge) -> Iterator[None]:
    with edge.stopped(Colour.GREEN):
        yield
    edge.await_up(Colour.GREEN)


@pytest.mark.parametrize("way", [dripping, standing_still, gone])
def test_a_candidate_that_gives_no_whole_answer_differs_and_slows_nobody(
    edge: Edge, way: Callable[[Edge], AbstractContextManager[None]]
) -> None:
    name = f"p-{way.__name__}"
    with Clients(edge) as clients, way(edge), shadowing(edge, name, RULE) as found:
        assert clients.went_on(100)
    assert (clients.broken, {(code, colour) for _, code, colour in clients.answers}) == ([], {(200, "blue")})
    (seen,) = found
    assert seen.compared == seen.differing > 0
    assert {difference.place for example in seen.examples for difference in example.differences} == {"answer"}
    assert told_of(edge, name)["told"] == "fail"
