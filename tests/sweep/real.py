"""Everything real: the steward's container, HAProxy, an engine, two colours; and one of them killed inside a flip.

A promotion or a rollback is begun by a command line's process of its own; then, at a moment spread over its phases, one
part is killed: the command line, the steward's container or the switch's, both started again at once. Afterwards
colour, map, run time and journal must agree, with nothing but `recover`.

python -m tests.sweep.real [--runs N] [--part cli|steward|switch]
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import docker
import requests

from otagate.adapters.steward_client import StewardClient
from otagate.core.cloud import Colour
from otagate.core.errors import Busy, Refused, SwitchFault
from otagate.core.promotion import Event, Phase
from otagate.core.traffic import Kind, PromotionView, Status
from otagate.core.watch import WatchPolicy
from tests.e2e.edge import Edge, claim_of
from tests.sweep.invariants import allowed

PARTS = ("cli", "steward", "switch")
WATCH = WatchPolicy(lasts=0.5, every=0.1, window=1.0, blind=30)

COMMAND = """
import sys, docker
from tests.sweep.real import promotes
promotes(docker.from_env(timeout=60), *sys.argv[1:])
"""


def promotes(client: docker.DockerClient, platform: str, source: str, name: str, kind: str) -> None:
    """What the command line does of a promotion, step by step, in a process that may be killed."""
    edge = Edge(client, platform)
    steward = StewardClient(client, platform, source)
    status = steward.status()
    assert status.live is not None
    to = status.live.other
    intent = edge.intent(Kind(kind), to, name, WATCH)
    if intent.kind is Kind.ROLLBACK:
        warm = status.colours[to]
        intent = replace(intent, release=warm.release, builds=warm.builds, run="")
    print("begins", flush=True)
    with steward.lease(claim_of("alice"), 5) as hold:
        hold.begin(intent)
        for message in ("every condition holds", "deployed"):
            hold.report(Event.OK, message)
        hold.prove(to, intent.builds)
        hold.report(Event.OK, "smoked")
    for _ in steward.follow(name):
        pass
    print("done", flush=True)


class Client(threading.Thread):
    """Asks the front door every 10 ms, each time by a new connection; keeps when it was answered well."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self.answered: list[float] = []
        self.failed = 0
        self._ends = threading.Event()

    def run(self) -> None:
        while not self._ends.wait(0.01):
            try:
                answer = requests.get(self._url, timeout=1, headers={"Connection": "close"})
                well = answer.status_code == 200
            except requests.RequestException:
                well = False
            if well:
                self.answered.append(time.monotonic())
            self.failed += not well

    def end(self) -> None:
        self._ends.set()
        self.join()

    def outage(self) -> float:
        """The longest time without a good answer, in seconds."""
        return max((b - a for a, b in zip(self.answered, self.answered[1:], strict=False)), default=float("inf"))


@dataclass
class Kills:
    """What a series of real kills came to: part → outages in seconds, requests that failed."""

    outages: dict[str, list[float]] = field(default_factory=lambda: {part: [] for part in PARTS})
    failed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    asked: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    ends: dict[str, int] = field(default_factory=dict)
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def text(self) -> str:
        lines = []
        for part in PARTS:
            if gaps := sorted(self.outages[part]):
                gap = f"longest gap {gaps[len(gaps) // 2]:.2f} s (median), {gaps[-1]:.2f} s (worst)"
                lines.append(
                    f"{part}: {len(gaps)} kills, {self.failed[part]} of {self.asked[part]} requests failed, {gap}"
                )
        total = sum(len(gaps) for gaps in self.outages.values())
        ended = ", ".join(f"{count} {phase}" for phase, count in sorted(self.ends.items()))
        lines.append(f"{total} kills with everything real: {len(self.wrong)} broken; ended: {ended}")
        lines.append(f"slowest recovery {self.slowest:.2f} s")
        return "\n".join([*lines, *self.wrong[:20]])


class Ground:
    """A platform with blue live and both colours standing."""

    def __init__(self, client: docker.DockerClient) -> None:
        self.edge = Edge(client)
        self._number = 0

    @contextmanager
    def standing(self) -> Iterator["Ground"]:
        try:
            self.edge.raise_()
            assert self.edge.genesis().phase is Phase.PROMOTED
            self.edge.run_colour(Colour.GREEN)
            self.edge.await_up(Colour.GREEN)
            yield self
        finally:
            self.edge.remove()

    def begin(self) -> tuple[str, "subprocess.Popen[str]"]:
        """The next promotion, or every second time a rollback where there is a warm side; once it has begun."""
        self._number += 1
        status = self.edge.steward().status()
        assert status.live is not None
        back = self._number % 2 == 0 and status.colours[status.live.other].warm
        name, kind = f"p-{self._number}", Kind.ROLLBACK if back else Kind.PROMOTE
        words = [sys.executable, "-c", COMMAND, self.edge.platform, self.edge.images.source, name, kind.value]
        path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=path)
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        return name, process

    def lasts(self) -> float:
        """Seconds from the beginning of a promotion to its end, when nothing is killed."""
        began = time.monotonic()
        _, process = self.begin()
        process.wait(60)
        return time.monotonic() - began

    def kill(self, part: str, process: "subprocess.Popen[str]") -> None:
        if part == "cli":
            process.send_signal(signal.SIGKILL)
            return
        container = self.edge.container(f"shared-{part}")
        container.kill("SIGKILL")
        container.start()

    def settled(self, name: str, kills: Kills) -> None:
        """By `recover` alone, in time; then one colour on every account."""
        began = time.monotonic()
        view = self._recovered()
        for _ in self.edge.steward().follow(name) if view is not None else ():
            pass
        kills.slowest = max(kills.slowest, time.monotonic() - began)
        if time.monotonic() - began > allowed():
            kills.wrong.append(f"{name}: recovery took {time.monotonic() - began:.1f} s")
        status = self._at_rest()
        view = status.promotion
        if view is not None and view.intent.promotion == name:
            kills.ends[view.phase] = kills.ends.get(view.phase, 0) + 1
            if not view.phase.ended:
                kills.wrong.append(f"{name} rests in {view.phase}")
        says = (status.live, status.switch.file_colour, status.switch.run_colour, self.edge.colour_now())
        if len(set(says)) != 1 or status.disagreements:
            kills.wrong.append(f"{name}: journal, file, run time and front door say {says}; {status.disagreements}")

    def _recovered(self) -> PromotionView | None:
        """The lease of one that was killed is free at once; a steward that was, answers as soon as it is there."""
        until = time.monotonic() + 20
        while True:
            try:
                view = self.edge.steward().recover(claim_of("bob"), 0)
                if view is not None and view.phase is Phase.DISCARDING:
                    with self.edge.steward().lease(claim_of("bob"), 5) as hold:
                        hold.report(Event.OK, "removed what was deployed")
                return view
            except (Busy, SwitchFault, Refused):
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def _at_rest(self) -> Status:
        """The keeper has looked, and the switch has found its backs again."""
        self.edge.eventually(lambda: not self.edge.steward().status().disagreements, 5)
        self.edge.eventually(lambda: bool(self.edge.colour_now()), 5)
        return self.edge.steward().status()


def kill_one(ground: Ground, part: str, after: float, kills: Kills) -> None:
    """One promotion, one kill `after` so many seconds."""
    client = Client(ground.edge.url())
    client.start()
    name, process = ground.begin()
    try:
        time.sleep(after)
        ground.kill(part, process)
        process.wait(60)
        ground.settled(name, kills)
    finally:
        process.kill()
        if process.stdout is not None:
            process.stdout.close()
        client.end()
    kills.outages[part].append(client.outage())
    kills.failed[part] += client.failed
    kills.asked[part] += client.failed + len(client.answered)
    for colour in Colour:
        ground.edge.await_up(colour)


def real(client: docker.DockerClient, runs: int, parts: tuple[str, ...] = PARTS) -> Kills:
    """`runs` kills of each part, spread evenly over a promotion."""
    kills = Kills()
    with Ground(client).standing() as ground:
        lasts = ground.lasts()
        for part in parts:
            for number in range(runs):
                kill_one(ground, part, lasts * (number + 0.5) / runs, kills)
    return kills


def main() -> int:
    words = argparse.ArgumentParser()
    words.add_argument("--runs", type=int, default=20)
    words.add_argument("--part", default="", choices=["", *PARTS])
    asked = words.parse_args()
    kills = real(docker.from_env(timeout=60), asked.runs, (asked.part,) if asked.part else PARTS)
    print(kills.text())
    return 1 if kills.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
