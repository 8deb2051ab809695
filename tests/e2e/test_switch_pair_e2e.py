"""A pair of real switches, each with ports of its own, turned together by one steward."""

from collections.abc import Iterator
from dataclasses import replace

import docker
import pytest
import requests

from otagate.core.cloud import Colour
from otagate.core.promotion import Phase
from otagate.core.switch import socket_path
from otagate.core.topology import Topology
from otagate.core.traffic import Kind
from otagate.core.watch import WatchPolicy
from tests.e2e.edge import Edge, claim_of, topology_of

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

SECOND = socket_path(second=True)


def paired(platform: str) -> Topology:
    return replace(topology_of(platform), second=f"{platform}-shared-holder-second")


class PairEdge(Edge):
    def raise_(self) -> None:
        super().raise_()
        self.run_switch(second=True)

    def colours(self) -> tuple[str, str]:
        """What each front door answers with."""
        second = requests.get("http://{}:{}/".format(*self.address("web", "holder-second")), timeout=5)
        return self.colour_now(), second.headers["X-Otagate-Colour"]

    def second(self, command: str) -> str:
        """A command for the second switch, past the steward."""
        code = f"from otagate.adapters.haproxy import HAProxy; print(HAProxy({SECOND!r}).ask({command!r}))"
        return self._python("shared-steward", code)


@pytest.fixture(scope="module")
def pair(engine: docker.DockerClient) -> Iterator[PairEdge]:
    made = PairEdge(engine, topology_of=paired)
    try:
        made.raise_()
        assert made.genesis().phase is Phase.PROMOTED
        made.run_colour(Colour.GREEN)
        made.await_up(Colour.GREEN)
        yield made
    finally:
        made.remove()


def test_both_turn_together(pair: PairEdge) -> None:
    assert pair.colours() == ("blue", "blue")
    assert pair.promote(Colour.GREEN, "p-both").phase is Phase.PROMOTED
    assert pair.colours() == ("green", "green")
    assert pair.steward().status().disagreements == ()


def test_one_that_was_turned_alone_is_told_and_recover_makes_them_agree(pair: PairEdge) -> None:
    epoch = pair.steward().status().switch.file_epoch
    assert pair.second(f"otagate restore blue {epoch}") == f"OK blue epoch {epoch}"
    assert pair.colours() == ("green", "blue"), "the split is real"
    (said,) = pair.steward().status().disagreements
    assert "the switches do not agree: the first says green" in said
    pair.steward().recover(claim_of("alice"), 0)
    assert pair.colours() == ("green", "green")
    assert pair.steward().status().disagreements == ()


def test_a_way_back_is_gone_by_one_while_the_other_is_stopped(pair: PairEdge) -> None:
    """Blue falls ill in its watch just as the second switch is stopped by hand, so that its engine leaves it so."""
    watch = WatchPolicy(lasts=120.0, every=0.1, window=1.0, blind=15)
    with pair.steward().lease(claim_of("alice"), 0) as hold:
        pair.to_flip(hold, pair.intent(Kind.PROMOTE, Colour.BLUE, "p-alone", watch))
        assert pair.eventually(lambda: pair.phase() is Phase.WATCHING)
        pair.container("shared-switch-second").stop(timeout=0)
        pair.poke(Colour.BLUE, "/sick")
    view = pair.end_of("p-alone")
    assert view.phase is Phase.ROLLED_BACK
    assert pair.colour_now() == "green"
    assert [debt for debt in view.debts if debt.startswith("the second switch is gone and was not turned")]
    assert "the second switch: " in pair.steward().status().disagreements[0]
    pair.container("shared-switch-second").start()
    assert pair.eventually(lambda: pair.steward().status().disagreements == ())
    assert pair.colours() == ("green", "green")
