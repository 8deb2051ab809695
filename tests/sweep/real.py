"""Everything real: the commands that a user types, on hello's own services, and one part killed inside a move.

A `promote` or `rollback` is begun; at a moment of its own the command line, the switch's HAProxy or the steward is
killed (SIGKILL to its process, past the engine, which starts it again by itself). Afterwards colour, journal, map file
and run time must agree, nothing may be said that is not so, and the next command works.

python -m tests.sweep.real [--runs N] [--part cli|steward|switch] [--seconds S: no new kill after so long]

A kill that came when its move had ended is made again; with fewer of a part than were asked for it ends with 1.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException

from otagate.adapters.images import source_digest
from otagate.adapters.steward_client import StewardClient
from otagate.core.cloud import Colour
from otagate.core.errors import OtagateError
from otagate.core.promotion import Phase
from otagate.core.traffic import Status
from tests.e2e.live import SECONDS, Live, undone
from tests.e2e.quick import raised
from tests.sweep.front import TOLD, Accounts, Asker, accounts, ask_dicom, ask_web
from tests.sweep.invariants import ENDED, After, allowed, truly_done
from tests.sweep.slayer import Slayer
from tests.sweep.stories import Story, Told

PARTS = ("cli", "switch", "steward")
IMAGES = ("hello/web:1.0", "hello/web:1.1")
STEP = 7  # the points are taken out of order, so that a series that ends early is spread as well
FLIP = 0.3  # seconds from the begin of flipping over which the points lie: the flip itself, and the watch's first looks


@dataclass
class Kills:
    """What a series of real kills came to, by part. Seconds. `missed`: those whose move had ended before; they are in
    no other figure."""

    outages: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    settled: dict[str, list[float]] = field(default_factory=dict)
    recovers: Counter[str] = field(default_factory=Counter)
    within: dict[str, Counter[str]] = field(default_factory=dict)
    ends: dict[str, Counter[str]] = field(default_factory=dict)
    missed: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.made(part) for part in self.settled)

    def made(self, part: str) -> int:
        return len(self.settled.get(part, ()))

    def lacking(self, parts: Iterable[str], runs: int) -> list[str]:
        """What was not shown, where so many kills of each part were asked for."""
        return [f"{part}: {self.made(part)} of {runs} kills" for part in parts if self.made(part) < max(1, runs)]

    def count(self, part: str, askers: dict[str, Asker]) -> None:
        for name, asker in askers.items():
            self.outages.setdefault(part, {}).setdefault(name, []).append(asker.gap)
            self.failed[part] += asker.failed
            self.asked[part] += asker.asked

    def rows(self) -> list[str]:
        """One row a part, for docs/reliability.md."""
        lines = [
            "| killed | n | broken | longest gap web, s: median / worst | longest gap dicom | settled after, s "
            "| killed while | ended | needed `recover` |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for part, times in self.settled.items():
            gaps = [self._both(self.outages[part][name]) for name in ("web", "dicom")]
            broken = sum(line.startswith(f"{part} ") for line in self.wrong)
            lines.append(
                f"| {part} | {len(times)} | {broken} | {gaps[0]} | {gaps[1]} | {self._both(times)} "
                f"| {_counted(self.within[part])} | {_counted(self.ends[part])} | {self.recovers[part]} |"
            )
        return lines

    def _both(self, times: list[float]) -> str:
        ordered = sorted(times)
        return f"{ordered[len(ordered) // 2]:.2f} / {ordered[-1]:.2f}"

    def text(self) -> str:
        load = f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        missed = f"not counted, for the move had ended: {self.missed.total()}"
        total = f"{self.total} kills with everything real ({missed}): {len(self.wrong)} broken; {load}"
        return "\n".join([*self.rows(), total, *self.wrong[:20]])


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counter.items()))


@dataclass(frozen=True)
class Move:
    """A command that turns traffic, from `before` to `target` if it is done."""

    words: tuple[str, ...]
    before: Colour
    target: Colour


class Ground:
    """A platform in production and, between two kills, at rest."""

    def __init__(self, live: Live, client: docker.DockerClient, slayer: Slayer) -> None:
        self.live = live
        self.slayer = slayer
        self.client = client
        self.steward = StewardClient(lambda: client, live.name, source_digest())
        listeners = live.otagate("status")["data"]["listeners"]
        self.doors = {name: _address(door["address"]) for name, door in listeners.items()}
        self._promoted = False

    # --- before ---

    def next_move(self) -> Move:
        """A promotion, then where it came to its end the way back, and so on."""
        status = self.steward.status()
        assert status.live is not None
        for incident in status.incidents:
            self.live.otagate("incident", "clear", incident.incident, "--by", "tests", "--reason", "killed on purpose")
        other = status.colours.get(status.live.other)
        back = self._promoted and other is not None and other.warm
        self._promoted = not back
        words = ("rollback",) if back else ("promote", self._judged(status))
        return Move(words, status.live, status.live.other)

    def _judged(self, status: Status) -> str:
        """The run that approves the build which is not live."""
        assert status.live is not None
        now = status.colours[status.live].builds["web"]
        image = next(name for name in IMAGES if self.client.images.get(name).id != now)
        run: str = self.live.otagate("test", f"web={image}")["data"]["run"]
        return run

    # --- the kill ---

    def lasts(self, move: Move) -> float:
        """Seconds that the move takes when nothing is killed."""
        began = time.monotonic()
        self.live.otagate(*move.words)
        return time.monotonic() - began

    def pid(self, part: str) -> int:
        """Of the part's own process, on the engine's machine."""
        return int(self.client.containers.get(f"{self.live.name}-shared-{part}").attrs["State"]["Pid"])

    def await_flip(self, before: str) -> None:
        """Until the steward says that it has begun to flip for another promotion than `before`."""
        until = time.monotonic() + 120
        while (view := self.steward.status().promotion) is None or view.intent.promotion == before:
            assert time.monotonic() < until, "the move never began"
        for event in self.steward.follow(view.intent.promotion):
            if event.phase is Phase.FLIPPING or event.phase.ended:
                return

    # --- afterwards ---

    def settle(self, killed: float) -> float:
        """Seconds from the kill until steward and switch answer again and one colour serves on every account."""
        until = killed + 60
        while True:
            try:
                status = self.steward.status()
                if not status.disagreements and self.fronts() == {status.live} == {self._entry()}:
                    return time.monotonic() - killed
            except (OtagateError, DockerException, *TOLD):
                pass
            assert time.monotonic() < until, "steward and switch never agreed again"
            time.sleep(0.05)

    def fronts(self) -> set[str]:
        """The colours that answer at the front doors, "" for an answer that names none."""
        return {ask_web(self.doors["web"]), ask_dicom(self.doors["dicom"])}

    def _entry(self) -> Colour | None:
        return accounts(self.steward_container()).run[0]

    def steward_container(self) -> Any:
        return self.client.containers.get(f"{self.live.name}-shared-steward")

    def recover(self) -> float:
        """The next command, which finishes or undoes the rest; its seconds."""
        began = time.monotonic()
        process = self.live.start("recover")
        out, err = process.communicate(timeout=SECONDS)
        assert process.returncode in (0, undone(json.loads(out))), out + err
        return time.monotonic() - began

    def stood_up(self) -> None:
        """What a promotion was undone of in deploying is missing: `up` adds it."""
        process = self.live.start("status")
        out, err = process.communicate(timeout=SECONDS)
        if process.returncode == 8:
            self.live.otagate("up")
            out = json.dumps(self.live.otagate("status"))
        assert json.loads(out)["exit"] == 0, out + err


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def kill_one(ground: Ground, part: str, share: float, lasts: Mapping[str, float], kills: Kills) -> bool:
    """One move and one kill: of the command line at `share` of the whole move, of a container's process at `share`
    of the flip. False if it came too late."""
    move = ground.next_move()
    view = ground.steward.status().promotion
    last = view.intent.promotion if view else ""
    askers = {
        "web": Asker(lambda: ask_web(ground.doors["web"])),
        "dicom": Asker(lambda: ask_dicom(ground.doors["dicom"])),
    }
    for asker in askers.values():
        asker.start()
    process = ground.live.start(*move.words)
    try:
        if part == "cli":
            time.sleep(share * lasts[move.words[0]])
            process.send_signal(signal.SIGKILL)
        else:
            with ground.slayer.ready(ground.pid(part)) as slay:
                ground.await_flip(last)
                time.sleep(share * FLIP)
                slay()
        counts = _settled(ground, part, move, process, kills)
    finally:
        process.kill()
        for asker in askers.values():
            asker.end()
    if counts:
        kills.count(part, askers)
    ground.stood_up()
    return counts


def _settled(ground: Ground, part: str, move: Move, process: "subprocess.Popen[str]", kills: Kills) -> bool:
    """Everything that must hold now, in the order in which a person would find out; answers whether the kill met the
    move."""
    killed, at = time.monotonic(), time.time()
    took = ground.settle(killed)
    out, err = process.communicate(timeout=SECONDS)
    view = ground.steward.status().promotion
    unfinished = view is not None and not view.phase.ended
    if unfinished:
        took = max(took, ground.recover())
    after = After(recovered_in=took)
    after.must(took <= allowed(), f"settled after {took:.1f} s")
    said = accounts(ground.steward_container())
    _agreed(ground, said, after)
    body = json.loads(out) if out.strip() else {}
    told = Told(move.words, process.returncode, body, out + err)
    truly_done(Story(move.words[0], move.words, "", move.before, move.target), told, said.journal[0], after)
    kills.wrong.extend(f"{part} in {' '.join(move.words)}: {what}" for what in after.wrong)
    within = _within(ground, at)
    if not met(part, process.returncode, within):
        kills.missed[part] += 1
        return False
    kills.settled.setdefault(part, []).append(took)
    kills.recovers[part] += unfinished
    kills.within.setdefault(part, Counter())[within] += 1
    kills.ends.setdefault(part, Counter())[said.phase] += 1
    return True


def met(part: str, status: int, within: str) -> bool:
    """A command that ended by itself was not killed, and a move that had ended was not cut off."""
    return status == -signal.SIGKILL if part == "cli" else within not in ENDED


def _agreed(ground: Ground, said: Accounts, after: After) -> None:
    status = ground.steward.status()
    after.must(said.agree, f"journal {said.journal}, map file {said.file}, run time {said.run}")
    after.must(said.phase in ENDED, f"the promotion rests in {said.phase}")
    after.must(status.live == said.journal[0], f"the steward says {status.live}, the journal {said.journal[0]}")
    after.must(not status.disagreements, f"{status.disagreements}")
    fronts = ground.fronts()
    after.must(fronts == {said.journal[0]}, f"{sorted(fronts)} answer at the front doors, {said.journal[0]} is live")


def _within(ground: Ground, at: float) -> str:
    """What the promotion was doing at a moment, by the steward's own times: a phase, or a part of the flip."""
    view = ground.steward.status().promotion
    assert view is not None
    if at < view.started:
        return "before it began"
    now = str(Phase.PREFLIGHT)
    for event in ground.steward.follow(view.intent.promotion):
        if event.at > at:
            break
        now = f"flip {event.data['stage']}" if "stage" in event.data else str(event.phase)
    return now


def real(
    live: Live,
    client: docker.DockerClient,
    runs: int,
    parts: tuple[str, ...],
    kills: Kills,
    *,
    seconds: float = float("inf"),
) -> None:
    """`runs` kills of each part, spread evenly, into `kills`; none is begun once `seconds` are over."""
    with Slayer(client, live.name) as slayer:
        ground = Ground(live, client, slayer)
        _rounds(ground, runs, parts, kills, time.monotonic() + seconds)


def _rounds(ground: Ground, runs: int, parts: tuple[str, ...], kills: Kills, until: float) -> None:
    undisturbed = (ground.next_move() for _ in range(2 if "cli" in parts else 0))
    lasts = {move.words[0]: ground.lasts(move) for move in undisturbed}
    for part in parts:
        shares = [(number * STEP % runs + 0.5) / runs for number in range(runs)]
        while shares and kills.missed[part] <= runs:
            if time.monotonic() > until:
                return
            share = shares.pop(0)
            if not kill_one(ground, part, share, lasts, kills):
                shares.append(share)
            print(f"{part} {kills.made(part)} of {runs}: {len(kills.wrong)} broken", file=sys.stderr, flush=True)


def main() -> int:
    words = argparse.ArgumentParser()
    words.add_argument("--runs", type=int, default=20)
    words.add_argument("--part", default="", choices=["", *PARTS])
    words.add_argument("--seconds", type=float, default=float("inf"))
    asked = words.parse_args()
    client, kills = docker.from_env(timeout=60), Kills()
    parts = (asked.part,) if asked.part else PARTS
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))  # what was seen by then is told, and all is removed
    try:
        with tempfile.TemporaryDirectory() as folder, raised(Path(folder)) as live:
            real(live, client, asked.runs, parts, kills, seconds=asked.seconds)
    finally:
        print("\n".join([kills.text(), *kills.lacking(parts, asked.runs)]), flush=True)
        client.close()
    return 1 if kills.wrong or kills.lacking(parts, asked.runs) else 0


if __name__ == "__main__":
    sys.exit(main())
