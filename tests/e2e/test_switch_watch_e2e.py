"""What the watch reads from the real switch: each counter moves for its fault and stands still without it, and of each
kind a planted fault is gone back from."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Event, Thread

import docker
import pytest
import requests
from pynetdicom.ae import ApplicationEntity

from otagate.core.answer_times import LAST, bucket, row_of, slower
from otagate.core.cloud import Colour
from otagate.core.invariant import Invariant
from otagate.core.promotion import Phase
from otagate.core.slow import SlowPolicy
from otagate.core.switch_counts import BackendCount
from otagate.core.watch import WatchPolicy
from tests.e2e.load_edge import LoadEdge

POLICY = WatchPolicy(lasts=60.0, every=0.1, window=1.0, queue=20, slow=SlowPolicy(limit=0.1))


pytestmark = [pytest.mark.docker, pytest.mark.e2e]


@pytest.fixture(scope="module")
def edge(engine: docker.DockerClient) -> Iterator[LoadEdge]:
    made = LoadEdge.made(engine, invariants=True)
    try:
        made.begin()
        yield made
    finally:
        made.remove()


def associate(address: tuple[str, int]) -> bool:
    entity = ApplicationEntity(ae_title="WATCH")
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate(*address, ae_title="LOAD")
    if established := association.is_established:
        association.release()
    return established


def greeted(address: tuple[str, int]) -> bytes:
    with socket.create_connection(address, timeout=5) as line:
        try:
            return line.recv(64)
        except ConnectionResetError:
            return b""


@contextmanager
def asking(edge: LoadEdge) -> Iterator[None]:
    """A listener that is asked all the time, each request on a connection of its own."""
    ends = Event()
    url = edge.url()

    def ask() -> None:
        while not ends.wait(0.02):
            try:
                requests.get(url, timeout=1)
            except requests.RequestException:
                continue

    threads = [Thread(target=ask, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ends.set()
        for thread in threads:
            thread.join(10)


def wait_for_one(url: str) -> None:
    with suppress(requests.RequestException):
        requests.get(url, timeout=8)


def test_answers_are_timed_one_by_one(edge: LoadEdge) -> None:
    before = edge.counts()["web_blue"].times
    assert before is not None
    for _ in range(5):
        requests.get(edge.url(), timeout=5)
    edge.poke(Colour.BLUE, "/fault?slow=200")
    for _ in range(3):
        requests.get(edge.url(), timeout=5)
    edge.poke(Colour.BLUE, "/fault?slow=0")
    after = edge.counts()["web_blue"].times
    assert after is not None
    assert sum(after) - sum(before) == 8
    assert slower(after, bucket(0.15)) - slower(before, bucket(0.15)) == 3
    assert after[LAST] == 0
    assert edge.counts()["web_green"].times == row_of({})


def test_refused_and_reset_sessions_are_counted_and_good_ones_are_not(edge: LoadEdge) -> None:
    dicom, tcp = edge.address("dicom"), edge.address("tcp")
    before = edge.counts()
    assert [associate(dicom) for _ in range(3)] == [True] * 3
    assert [greeted(tcp) for _ in range(3)] == [b"blue\n"] * 3
    good = edge.counts()
    edge.poke(Colour.BLUE, "/fault?refuse=1&reset=1")
    assert [associate(dicom) for _ in range(3)] == [False] * 3
    assert [greeted(tcp) for _ in range(3)] == [b""] * 3
    edge.poke(Colour.BLUE, "/fault?refuse=0&reset=0")
    time.sleep(0.2)
    bad = edge.counts()
    for name in ("dicom_blue", "tcp_blue"):
        assert good[name].errors == before[name].errors, name
        assert bad[name].errors - good[name].errors == 3, name


FAILURES = {  # a planted fault and what a client sees of it; None: an answer that breaks off
    "share=1": 500,
    "close=1": 502,
    "hang=1": 504,
    "deaf=5000": 503,
    "short=1": None,
}


@pytest.mark.parametrize("fault", FAILURES)
def test_each_answer_that_fails_is_one_error(edge: LoadEdge, fault: str) -> None:
    url, said = edge.url(), list[int | None]()

    def ask() -> None:
        try:
            said.append(requests.get(url, timeout=20).status_code)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            said.append(None)

    def asked(times: int) -> BackendCount:
        threads = [edge.beside(ask) for _ in range(times)]
        for thread in threads:
            thread.join(30)
        time.sleep(0.2)
        return edge.counts()["web_blue"]

    before = edge.counts()["web_blue"]
    good = asked(5)
    assert (good.errors, said) == (before.errors, [200] * 5)
    edge.poke(Colour.BLUE, f"/fault?{fault}")
    bad = asked(7)
    if fault.startswith("deaf"):
        edge.await_up(Colour.BLUE)
    else:
        edge.poke(Colour.BLUE, f"/fault?{fault.partition('=')[0]}=0")
    assert said[5:] == [FAILURES[fault]] * 7
    assert (bad.errors - good.errors, bad.answers - good.answers) == (7, 7)


FAULTS = {
    "slow=200": "took longer than 0.1",
    "refuse=1": "dicom: 3 sessions refused or broken off of ",  # 3; or 4: the flip's own probe counts from the proof on
    "reset=1": "tcp: 3 sessions refused or broken off of ",
    "hang=1": "requests wait",
    "ill=1": "web: invariant well was not true at 3 looks in a row",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_gone_back_from(edge: LoadEdge, fault: str) -> None:
    policy = POLICY if fault != "ill=1" else replace(POLICY, invariants=(Invariant("well", "web", is_true=True),))
    threads: list[Thread] = []
    url = edge.url()

    def plant() -> None:
        edge.poke(Colour.GREEN, f"/fault?{fault}")
        for _ in range(3):
            associate(edge.address("dicom")) if fault == "refuse=1" else None
            greeted(edge.address("tcp")) if fault == "reset=1" else None
        if fault == "hang=1":
            threads.extend(edge.beside(lambda: wait_for_one(url)) for _ in range(40))

    name = f"p-{fault.partition('=')[0]}"
    with asking(edge), edge.once_watched(name, plant):
        view = edge.promote(Colour.GREEN, name, policy)
    edge.poke(Colour.GREEN, f"/fault?{fault.partition('=')[0]}=0")
    for thread in threads:
        thread.join(10)
    assert view.phase is Phase.ROLLED_BACK, view
    assert FAULTS[fault] in view.reason
    assert edge.colour_now() == "blue"


def test_healthy_traffic_is_let_pass(edge: LoadEdge) -> None:
    policy = replace(POLICY, lasts=4.0, invariants=(Invariant("well", "web", is_true=True),))
    lines: list[socket.socket] = []

    def connect() -> None:
        lines.extend(socket.create_connection(edge.address("hl7"), timeout=5) for _ in range(policy.queue + 10))

    with asking(edge), edge.once_watched("p-well", connect):
        view = edge.promote(Colour.GREEN, "p-well", policy)
    assert edge.counts()["hl7_green"].sessions == len(lines), (
        "long sessions were open all the while, and wait for nothing"
    )
    for line in lines:
        line.close()
    assert view.phase is Phase.PROMOTED, view.reason
