"""The lease among many: holders killed one after the other, and promoters who all begin at once.

Holders twice: at the steward's own socket, and through a real engine's exec, as the command line has it.

python -m tests.sweep.leases [--holders N] [--through-engine N] [--promoters N] [--rounds N]
"""

import argparse
import contextlib
import os
import shutil
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import docker

from otagate.adapters.steward_client import StewardClient
from otagate.core.traffic import Claim, Scope
from otagate.ports import Steward
from tests.e2e.edge import Edge
from tests.sweep.invariants import After, one_colour
from tests.sweep.kill_sweep import room
from tests.sweep.processes import Process, client, command, forked
from tests.sweep.stories import Grounds, Scene, Told, await_steward, heard

AT_ONCE = 1.0  # seconds within which the next one has the lease
_WAIT = 20.0
_STAMP = struct.Struct("d")


@dataclass
class Handed:
    """Seconds from each holder's death to the next one's lease; below zero where the next one had it before."""

    seconds: list[float] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)

    @property
    def newer(self) -> bool:
        """Each lease's epoch than all before it."""
        return self.epochs == sorted(set(self.epochs))

    @property
    def wrong(self) -> bool:
        return min(self.seconds) < 0 or max(self.seconds) > AT_ONCE or not self.newer

    def text(self) -> str:
        ordered = sorted(self.seconds)
        middle = ordered[len(ordered) // 2]
        late, early = sum(s > AT_ONCE for s in ordered), sum(s < 0 for s in ordered)
        took = f"{middle:.3f} s (median), {ordered[-1]:.3f} s (worst)"
        newer = "each newer than the last" if self.newer else f"NOT IN ORDER: {self.epochs}"
        head = f"{len(ordered)} holders killed: the next one had the lease after {took}, {late} late, {early} early"
        return f"{head}; epochs {newer}"


class Holder:
    """A process that waits for the lease, tells when it has it, and keeps it until it is killed."""

    def __init__(self, name: str, steward: Callable[[], Steward], log: Path) -> None:
        self._read, write = os.pipe()

        def work() -> int:
            claim = Claim(Scope.PLATFORM, name, f"{name}@here:{os.getpid()}", "otagate promote", "a test")
            with steward().lease(claim, _WAIT) as hold:
                os.write(write, _STAMP.pack(time.monotonic()) + _STAMP.pack(hold.epoch))
                time.sleep(_WAIT)
            return 0

        self.process: Process = forked(work, log)
        os.close(write)

    def has_it(self) -> tuple[float, int]:
        """When, by the clock that all processes share, and under which epoch."""
        content = os.read(self._read, 2 * _STAMP.size)
        os.close(self._read)
        if len(content) < 2 * _STAMP.size:
            raise AssertionError("it ended without the lease")
        return _STAMP.unpack_from(content)[0], int(_STAMP.unpack_from(content, _STAMP.size)[0])


def handed_on(begin: Callable[[str], Holder], count: int, waits: float) -> Handed:
    """Each holder is killed once the next one has had `waits` seconds to wait: what is timed is the lease, no start."""
    handed, holder = Handed(), begin("holder-0")
    handed.epochs.append(holder.has_it()[1])
    try:
        for number in range(1, count + 1):
            following = begin(f"holder-{number}")
            time.sleep(waits)
            killed = time.monotonic()
            holder.process.kill()
            got, epoch = following.has_it()
            handed.seconds.append(got - killed)
            handed.epochs.append(epoch)
            holder = following
    finally:
        holder.process.kill()
    return handed


def killed_holders(grounds: Grounds, count: int) -> Handed:
    scene = Scene(grounds.copy("raised"))
    scene.steward()
    await_steward(scene)
    ground = scene.ground
    try:
        return handed_on(
            lambda name: Holder(name, lambda: client(ground, ground.faults()), ground.root / "holders.log"), count, 0.1
        )
    finally:
        scene.close()


def killed_through_an_engine(edge: Edge, log: Path, count: int, waits: float = 1.5) -> Handed:
    def steward() -> Steward:
        return StewardClient(docker.from_env, edge.platform, edge.images.source)

    return handed_on(lambda name: Holder(name, steward, log), count, waits)


@dataclass
class Rounds:
    """What came of each round of promoters who began at once."""

    promoters: int
    rounds: int = 0
    wrong: list[str] = field(default_factory=list)

    def text(self) -> str:
        head = f"{self.rounds} rounds of {self.promoters} promoters at once: {len(self.wrong)} broken"
        return "\n".join([head, *self.wrong[:20]])


def race(grounds: Grounds, promoters: int, rounds: int) -> Rounds:
    came = Rounds(promoters)
    for number in range(1, rounds + 1):
        scene = Scene(grounds.copy("tested"))
        try:
            came.wrong += [f"round {number}: {what}" for what in _round(scene, grounds, promoters)]
        finally:
            scene.close()
        shutil.rmtree(scene.ground.root)
        came.rounds += 1
    return came


def _round(scene: Scene, grounds: Grounds, promoters: int) -> list[str]:
    """All stand at the line, start together, and the winner is not done before all others have their answer."""
    hold = scene.ground.around / "hold"
    hold.touch()
    scene.steward()
    await_steward(scene)
    line, start = os.pipe()

    def ready() -> None:
        os.close(start)
        os.read(line, 1)

    running: dict[int, tuple[Process, Path]] = {}
    for number in range(promoters):
        output = scene.ground.root / f"promoter-{number}.log"
        words = ("promote", grounds.run, "--by", f"person-{number}-")
        running[number] = command(scene.ground, scene.ground.faults(), *words, output=output, ready=ready), output
    os.close(line)
    os.close(start)
    until = time.monotonic() + 60
    while sum(not process.ended() for process, _ in running.values()) > 1 and time.monotonic() < until:
        time.sleep(0.01)
    hold.unlink()
    while not all(process.ended() for process, _ in running.values()) and time.monotonic() < until:
        time.sleep(0.01)
    with contextlib.ExitStack() as ends:
        for process, _ in running.values():
            ends.callback(process.kill)
    return judged(scene, {number: heard(("promote",), p.status, output) for number, (p, output) in running.items()})


def judged(scene: Scene, told: dict[int, Told]) -> list[str]:
    after = After()
    winners = [number for number, one in told.items() if one.status == 0]
    after.must(len(winners) == 1, f"winners: {winners}; statuses {sorted(str(t.status) for t in told.values())}")
    for number, one in told.items():
        if winners and number not in winners:
            named = f"person-{winners[0]}- holds the platform lease" in one.errors
            after.must(one.status == 7 and named, f"person-{number} was told {one.status}: {one.errors}")
    one_colour(scene, after)
    return after.wrong


def through_an_engine(log: Path, count: int) -> Handed:
    edge = Edge(docker.from_env())
    try:
        edge.raise_()
        edge.genesis()
        return killed_through_an_engine(edge, log, count)
    finally:
        edge.remove()
        edge.client.close()


def main() -> int:
    words = argparse.ArgumentParser()
    words.add_argument("--holders", type=int, default=200)
    words.add_argument("--through-engine", type=int, default=200)
    words.add_argument("--promoters", type=int, default=50)
    words.add_argument("--rounds", type=int, default=20)
    asked = words.parse_args()
    with room() as folder:
        grounds = Grounds(folder)
        grounds.of("tested")
        handed = killed_holders(grounds, asked.holders)
        print(handed.text(), flush=True)
        engines = through_an_engine(folder / "engine.log", asked.through_engine)
        print(f"through an engine: {engines.text()}", flush=True)
        came = race(grounds, asked.promoters, asked.rounds)
        print(came.text())
    return 1 if came.wrong or not came.rounds or handed.wrong or engines.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
