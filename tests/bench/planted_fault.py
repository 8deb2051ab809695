"""A release whose every fifth answer is an error, under load: how long until the way back is in force, who is harmed.

The command line's part is a process of its own, `python -m tests.bench.planted_fault PLATFORM PROMOTION stay|die`; it
kills itself once the flip is made, or follows to the end.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import docker

from otagate.adapters.images import edge_images
from otagate.core.cloud import Colour
from otagate.core.promotion import Phase
from otagate.core.traffic import Kind
from otagate.core.watch import WatchPolicy
from tests.bench.targets import some
from tests.e2e.edge import claim_of
from tests.e2e.load_edge import SERVICE, LoadEdge, topology_of
from tests.e2e.open_loop import Ask, OpenLoop

SHARE = 5  # every fifth answer
LOOK, LOOKS = 5.0, 18  # seconds between two looks at how it ended, and how many at most
CALM = 2.0  # seconds of load before a promotion begins, and after it ended


@dataclass(frozen=True)
class Trial:
    """Seconds from the flip in force to the way back in force; requests that reached the faulty colour, and errors."""

    back: float
    reached: int
    harmed: int
    late: int  # answered by the faulty colour though sent after the way back was in force


Trials = Mapping[tuple[float, bool], Sequence[Trial]]  # by rate, and whether the command line died


def trial(edge: LoadEdge, name: str, rate: float, *, dies: bool) -> Trial:
    """One promotion of a faulty green; raises AssertionError unless blue serves again afterwards."""
    web = edge.address("web")[1]
    edge.poke(Colour.GREEN, f"/fault?share={SHARE}")
    with tempfile.TemporaryDirectory() as folder, OpenLoop(web, 0, rate, Path(folder)) as load:
        time.sleep(CALM)
        words = [sys.executable, "-m", "tests.bench.planted_fault", edge.platform, name, "die" if dies else "stay"]
        ended = subprocess.run(words, timeout=120).returncode
        assert ended == (-signal.SIGKILL if dies else 0), ended
        _gone_back(edge)
        time.sleep(CALM)
    assert edge.colour_now() == "blue"
    return _account(edge, name, load.asks)


def _gone_back(edge: LoadEdge) -> None:
    """Asked seldom: each ask starts a process beside what is measured, and ten a second made it three times slower."""
    for _ in range(LOOKS):
        time.sleep(LOOK)
        if edge.phase() is Phase.ROLLED_BACK:
            return
    raise AssertionError("no way back")


def _account(edge: LoadEdge, name: str, asks: Sequence[Ask]) -> Trial:
    ahead = time.monotonic() - time.time()
    turned = {str(e.data["to"]): e.at + ahead for e in edge.events(name) if e.data.get("stage") == "turned"}
    there, back = turned["green"], turned["blue"]
    return Trial(
        back=back - there,
        reached=sum(ask.colour == "green" or not ask.colour for ask in asks),
        harmed=sum(not ask.colour for ask in asks),
        late=sum(ask.colour == "green" and ask.sent > back for ask in asks),
    )


def trials(edge: LoadEdge, count: int, rates: Sequence[float]) -> Trials:
    """At each rate so many with the command line alive, and so many with it killed."""
    return {
        (rate, dies): [trial(edge, f"p-fault-{rate:.0f}-{int(dies)}-{n}", rate, dies=dies) for n in range(count)]
        for rate in rates
        for dies in (False, True)
    }


def table(found: Trials) -> list[str]:
    """A row for each rate and each fate of the command line."""
    rows = [
        "| requests/s | the command line | trials | flip to way back, median / most | reached the faulty colour "
        "| harmed, median / most | sent after the way back, answered by it |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (rate, dies), seen in found.items():
        back, harmed = sorted(t.back for t in seen), sorted(t.harmed for t in seen)
        rows.append(
            f"| {rate:.0f} | {_fate(dies)} | {len(seen)} "
            f"| {median(back):.2f} s / {back[-1]:.2f} s | {median([t.reached for t in seen]):.0f} "
            f"| {median(harmed):.0f} / {harmed[-1]} | {sum(t.late for t in seen)} |"
        )
    return rows


def wrong(found: Trials) -> list[str]:
    """How soon it goes back is shown and not judged; a fault that harmed nobody was not met, and shows nothing."""
    words = []
    for (rate, dies), seen in found.items():
        unmet = sum(not t.harmed for t in seen)
        late = sum(t.late for t in seen)
        told = [*some(unmet, "trials met no fault"), *some(late, "answers of the faulty colour after the way back")]
        words += [f"{rate:.0f}/s, {_fate(dies)}: {what}" for what in told]
    return words


def _fate(dies: bool) -> str:
    return "killed after the flip" if dies else "follows"


def promote(platform: str, name: str, *, dies: bool) -> None:
    """What the command line does; it is killed as soon as the steward watches, and so right after the flip."""
    client = docker.from_env(timeout=60)
    edge = LoadEdge(client, platform=platform, service=SERVICE, topology_of=topology_of)
    edge.images = edge_images(client)
    with edge.steward().lease(claim_of("alice"), 0) as hold:
        edge.to_flip(hold, edge.intent(Kind.PROMOTE, Colour.GREEN, name, WatchPolicy()))
        for event in edge.steward().follow(name):
            if dies and event.data.get("stage") == "turned":
                os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    promote(sys.argv[1], sys.argv[2], dies=sys.argv[3] == "die")
