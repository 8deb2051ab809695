"""Flips while traffic runs, the short form of `make bench-switch`: nothing failed, stale, mixed, lost or doubled."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from otagate.core.cloud import Colour
from tests.e2e.flip_account import account_of
from tests.e2e.load_edge import LoadEdge
from tests.e2e.long_sessions import Association, Sender, send
from tests.e2e.open_loop import OpenLoop

pytestmark = [pytest.mark.docker, pytest.mark.e2e]


@pytest.fixture(scope="module")
def edge(engine: docker.DockerClient) -> Iterator[LoadEdge]:
    made = LoadEdge.made(engine, draining=True)
    try:
        made.begin()
        yield made
    finally:
        made.remove()


@pytest.fixture
def to(edge: LoadEdge) -> Colour:
    live = edge.steward().status().live
    assert live is not None
    return live.other


def test_flips_under_load_fail_nothing_leave_nothing_stale_and_mix_no_listeners(
    edge: LoadEdge, to: Colour, tmp_path: Path
) -> None:
    with OpenLoop(edge.address("web")[1], edge.address("tcp")[1], 400, tmp_path) as load:
        time.sleep(1)
        flips = [edge.flip(to if n % 2 == 0 else to.other, f"p-load-{n}") for n in range(3)]
        time.sleep(0.5)
    found = account_of(load.asks, flips)
    assert (found.failed, found.stale, found.mixed) == (0, 0, 0)
    assert found.asks > 1000
    assert {ask.colour for ask in load.asks} == {"blue", "green"}


def test_associations_that_outlast_a_flip_are_stored_whole_where_they_began(edge: LoadEdge, to: Colour) -> None:
    done: list[Association] = []
    address = edge.address("dicom")
    threads = [
        threading.Thread(target=lambda n=n: done.append(send(address, f"SHORT{n}", 150, 10.0)), daemon=True)
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    flip = edge.flip(to, "p-dicom", drain=30.0)
    for thread in threads:
        thread.join(60)
    assert [a.cut for a in done] == [""] * 4
    assert all(a.began < flip.began and a.ended > flip.acked for a in done), "each must have outlasted the flip"
    places = {colour: Counter(uid for _, uid in edge.told(colour, "/stored")) for colour in Colour}
    for association in done:
        assert {places[to.other][uid] for uid in association.asked} == {1}
        assert not any(places[to][uid] for uid in association.asked)


def test_messages_are_neither_lost_nor_doubled_when_the_service_lets_its_sessions_go(
    edge: LoadEdge, to: Colour
) -> None:
    senders = [Sender(edge.address("hl7"), f"short-{n}") for n in range(8)]
    threads = [sender.start() for sender in senders]
    for n in range(3):
        edge.flip(to if n % 2 == 0 else to.other, f"p-hl7-{n}", drain=30.0)
    time.sleep(0.5)
    for sender in senders:
        sender.stop()
    for thread in threads:
        thread.join(20)
    received = Counter(message for colour in Colour for message in edge.told(colour, "/received"))
    acknowledged = [message for sender in senders for message in sender.acknowledged]
    assert len(acknowledged) > 100
    assert [message for message in acknowledged if received[message] != 1] == []
    assert all(sender.reconnects >= 3 for sender in senders), "each flip must have moved each sender"
