"""The kill sweep: one command after the other cut off at each of its calls, in its own process or in the steward's.

python -m tests.sweep.kill_sweep [--story NAME] [--who cli|steward] [--stride N]

A stride that is a multiple of 3 meets one kind of fault alone.
"""

import argparse
import collections
import os
import pickle
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from otagate.steward.book import JOURNAL
from tests.sweep.faults import Harm
from tests.sweep.invariants import After, examined, next_works
from tests.sweep.processes import Variant
from tests.sweep.stories import STORIES, Grounds, Scene, Story, await_steward, no_sockets

COMMIT = f"sqlite delete {JOURNAL}-journal"
HARMS = (Harm.KILL, Harm.EIO, Harm.ENOSPC)
PORTS = ("engine", "switch", "services", "steward ")
AFTERWARDS = 10  # every so many runs the next promotion is made as well
WHO = ("cli", "steward")


@dataclass(frozen=True)
class Point:
    """The `at`-th call of `who` in a story, named as it was when nothing was planted; LATE: the `at`-th so named.
    `at` 0: the first so named."""

    story: Story
    who: str
    at: int
    name: str
    harm: Harm

    def __str__(self) -> str:
        return f"{self.story.name}, {self.harm} of the {self.who} at call {self.at} ({self.name})"


@dataclass
class Figures:
    """What a sweep came to. `missed`: runs in which the call was not reached; they are not counted as injected."""

    injected: collections.Counter[str] = field(default_factory=collections.Counter)
    missed: int = 0
    slowest: float = 0.0
    again: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.injected.values())

    def add(self, point: Point, hit: bool, after: After) -> None:
        if not hit:
            self.missed += 1
        else:
            self.injected[f"{point.story.name} {point.who} {point.harm}"] += 1
        self.slowest = max(self.slowest, after.recovered_in)
        self.wrong.extend(f"{point}: {what}" for what in after.wrong)

    def join(self, other: "Figures") -> None:
        self.injected += other.injected
        self.missed += other.missed
        self.slowest = max(self.slowest, other.slowest)
        self.again += other.again
        self.wrong += other.wrong

    def text(self) -> str:
        lines = [f"{name:<40} {count:>5}" for name, count in sorted(self.injected.items())]
        lines.append(f"{'injected runs':<40} {self.total:>5}   (not reached: {self.missed})")
        lines.append(f"slowest recovery {self.slowest:.2f} s; next promotion made after {self.again} of them")
        lines.append(f"invariants broken: {len(self.wrong)}")
        return "\n".join([*lines, *self.wrong[:40]])


def points_of(grounds: Grounds, story: Story, who: str, variant: Variant | None = None) -> list[str]:
    """The story with nothing planted; answers the calls that it makes."""
    scene = Scene(grounds.copy(story.ground), variant)
    faults = scene.ground.faults()
    scene.steward(faults if who == "steward" else None)
    await_steward(scene)
    told = scene.run(*grounds.words(story), faults=faults if who == "cli" else None)
    names = faults.names
    scene.close()
    assert told.status in (0, 5), told.text
    return names


def planned(grounds: Grounds, story: Story, who: str, stride: int) -> Iterator[Point]:
    """Each call with each fault that it can meet: a port's call breaks in one way, a disk's in two; a commit
    of the journal needs no room, but the sync of the folder comes after it."""
    names = points_of(grounds, story, who)
    for at, name in enumerate(names, 1):
        for number, harm in enumerate(HARMS):
            if harm is Harm.ENOSPC and name.startswith(PORTS):
                continue
            late = harm is Harm.ENOSPC and name == COMMIT
            if (at * len(HARMS) + number) % stride == 0:
                yield _late(story, who, names[:at]) if late else Point(story, who, at, name, harm)


def _late(story: Story, who: str, names: list[str]) -> Point:
    """At the last of these calls."""
    return Point(story, who, names.count(names[-1]), names[-1], Harm.LATE)


def injected(grounds: Grounds, point: Point, figures: Figures, variant: Variant | None = None) -> After:
    """One run with one fault."""
    scene = Scene(grounds.copy(point.story.ground), variant)
    named = point.harm is Harm.LATE or not point.at
    faults = scene.ground.faults(point.at, harm=point.harm, name=point.name if named else "")
    try:
        scene.steward(faults if point.who == "steward" else None)
        if point.who == "steward":
            await_steward(scene)
        told = scene.run(*grounds.words(point.story), faults=faults if point.who == "cli" else None)
        if point.who == "steward" and not faults.hit:  # what comes after the story is no part of it
            scene.close()
            scene.steward()
        after = examined(scene, point.story, told)
        if figures.total % AFTERWARDS == 0 and not after.wrong:
            next_works(scene, point.story, after)
            figures.again += 1
        figures.add(point, faults.hit, after)
    finally:
        scene.close()
        faults.release()
    if after.wrong and (told_of := os.environ.get("SWEEP_KEEPS")):  # a folder to look at what broke afterwards
        shutil.copytree(scene.ground.root, Path(told_of) / scene.ground.root.name, ignore=no_sockets)
    shutil.rmtree(scene.ground.root)
    return after


def sweep(grounds: Grounds, *, story: str = "", who: str = "", stride: int = 1, jobs: int = 1) -> Figures:
    """Every `stride`-th of all points and faults, `jobs` at once: a run mostly waits."""
    grounds.warm()
    points = [
        point
        for one in STORIES
        for whose in WHO
        if story in ("", one.name) and who in ("", whose) and (whose == "cli" or one.steward_too)
        for point in planned(grounds, one, whose, stride)
    ]
    parts = [_apart(grounds, points[job::jobs]) for job in range(jobs)]
    figures = Figures()
    for part in parts:
        figures.join(_joined(part))
    return figures


def _apart(grounds: Grounds, points: list[Point]) -> tuple[int, int]:
    """A process that makes these runs; answers it, and the pipe on which its figures come."""
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    status = 1
    try:
        figures = Figures()
        for point in points:
            injected(grounds, point, figures)
        with os.fdopen(write, "wb") as pipe:
            pickle.dump(figures, pipe)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _joined(part: tuple[int, int]) -> Figures:
    pid, read = part
    with os.fdopen(read, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError("a part of the sweep broke: its output says where")
    figures: Figures = pickle.loads(content)  # noqa: S301 - our own
    return figures


@contextmanager
def room() -> Iterator[Path]:
    """A new folder, in memory where there is such: what a killed process wrote is kept there as well as on a disk."""
    memory = Path("/dev/shm")  # noqa: S108
    folder = Path(tempfile.mkdtemp(prefix="sweep-", dir=memory if memory.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def main() -> int:
    words = argparse.ArgumentParser()
    words.add_argument("--story", default="", choices=["", *(story.name for story in STORIES)])
    words.add_argument("--who", default="", choices=["", *WHO])
    words.add_argument("--stride", type=int, default=1, help="every n-th call with each fault; not a multiple of 3")
    words.add_argument("--jobs", type=int, default=3)
    asked = words.parse_args()
    began = time.monotonic()
    with room() as folder:
        figures = sweep(Grounds(folder), story=asked.story, who=asked.who, stride=asked.stride, jobs=asked.jobs)
    print(figures.text())
    print(f"in {time.monotonic() - began:.0f} s")
    return 1 if figures.wrong or not figures.total else 0


if __name__ == "__main__":
    raise SystemExit(main())
