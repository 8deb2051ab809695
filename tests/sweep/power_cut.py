"""The power is cut: every process ends at once, and on the disk is only what had been brought there.

Two ways. `strict`, in any process: only what was synced is left, by the strictest file system that POSIX allows (see
`durable`). `loop`, as root: a real ext4 on a loop device, whose image is copied while everything stands still, so that
what only the kernel held is lost.

python -m tests.sweep.power_cut [strict|loop] [--points N]
"""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from otagate.steward.book import JOURNAL
from otagate.steward.journal import Journal, JournalUnreadable
from otagate.steward.serve import SOCKET
from tests.sweep.durable import Durable
from tests.sweep.faults import Faults, Harm
from tests.sweep.invariants import After, examined
from tests.sweep.kill_sweep import room
from tests.sweep.processes import Process, Variant
from tests.sweep.stories import STORIES, Grounds, Scene, Story, Told, await_steward, heard

PROMOTE = next(story for story in STORIES if story.name == "promote")
SIZE = 16 << 20  # bytes of the image
ENOUGH = 48  # points make a series; one told to take fewer must reach all of those
_STEP = 0.0005


@dataclass(frozen=True)
class Cut:
    """One cut before the `at`-th call, 0: once the command has said done. `hit`: the call was reached, else the cut
    came when the command had ended; `said`: it had said that it is done."""

    at: int
    hit: bool
    said: bool
    after: After


@dataclass
class Cuts:
    """What a series of cuts came to. `missed`: those whose call was not reached; they are no points. `at_end`: those
    after the command had said that it is done."""

    points: int = 0
    missed: int = 0
    at_end: int = 0
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def add(self, name: str, cut: Cut) -> None:
        self.points += cut.hit
        self.missed += bool(cut.at) and not cut.hit
        self.at_end += cut.said
        self.slowest = max(self.slowest, cut.after.recovered_in)
        self.wrong.extend(f"{name}: {what}" for what in cut.after.wrong)

    def lacking(self, due: int) -> list[str]:
        """What was not shown, where so many points were asked for."""
        least = min(due, ENOUGH)
        found = [f"only {self.points} of {least} points were reached"] if self.points < least else []
        return found if self.at_end else [*found, "no cut came after the end was told"]

    def text(self, way: str, due: int) -> str:
        head = f"power cut, {way}: {self.points} points (not reached: {self.missed}; after the end was told: "
        head += f"{self.at_end}), {len(self.wrong)} broken, slowest recovery {self.slowest:.2f} s"
        return "\n".join([head, *self.lacking(due), *self.wrong[:20]])


def after_the_cut(scene: Scene, told: Told, acknowledged: int) -> After:
    """Everything starts again on what is left; nothing that was acknowledged may be missing."""
    ground = scene.ground
    for told_once in (*ground.around.glob("run-time-*"), *ground.around.glob("active-*")):
        told_once.unlink()  # a container that starts anew starts passive, and a switch reads the map file
    lost = After()
    lost.must(kept_entries(ground.volume) >= acknowledged, f"entry {acknowledged} of the journal was acknowledged")
    switches = ground.switches(ground.world(ground.faults()))
    lost.must(bool(switches.standing()), "nobody serves until a person comes: no switch starts on the map file")
    scene.steward()
    await_steward(scene)
    after = examined(scene, PROMOTE, told)
    after.wrong[:0] = lost.wrong
    return after


def kept_entries(volume: Path) -> int:
    """The journal's last entry; -1 where it cannot be read."""
    if not (volume / JOURNAL).exists():
        return 0
    try:
        found = Journal.found(volume / JOURNAL)
    except JournalUnreadable:
        return -1
    try:
        return len(found.entries())
    finally:
        found.close()


# --- strict ---


def strict_points(grounds: Grounds, story: Story = PROMOTE) -> list[str]:
    scene = Scene(grounds.copy(story.ground))
    faults = scene.ground.faults()
    scene.steward(faults)
    await_steward(scene)
    told = scene.run(*grounds.words(story))
    scene.close()
    assert told.status == 0, told.text
    return faults.names


def strict_cut(grounds: Grounds, at: int, variant: Variant | None = None) -> Cut:
    """Of the steward's calls."""
    scene = Scene(grounds.copy(PROMOTE.ground), variant)
    ground, left = scene.ground, scene.ground.root / "left"
    durable = Durable(ground.volume)
    faults = ground.faults(at or 1 << 40)
    faults.last = lambda: durable.remains(left)
    steward = scene.steward(faults, durable)
    process, output = scene.start(*grounds.words(PROMOTE))
    while not (steward.ended() or (process.ended() and not at)):
        if process.ended():
            break  # the call was not reached
        time.sleep(_STEP)
    said = process.ended()
    process.kill()
    if not faults.hit:
        steward.signal(signal.SIGUSR1)  # it lays down what is left, and ends
    while not steward.ended():
        time.sleep(_STEP)
    told = heard(PROMOTE.words, process.status, output)
    shutil.rmtree(ground.volume)
    left.rename(ground.volume)
    cut = Cut(at, faults.hit, said, after_the_cut(scene, told, faults.acknowledged))
    scene.close()
    faults.release()
    return cut


def strict(grounds: Grounds, points: int) -> Cuts:
    """So many cuts, evenly over all calls, and one after the end."""
    names, cuts = strict_points(grounds), Cuts()
    step = max(1, len(names) // points)
    for at in [*range(1, len(names) + 1, step), 0]:
        cuts.add(f"call {at} ({names[at - 1] if at else 'the end'})", strict_cut(grounds, at))
    return cuts


# --- loop ---


@contextmanager
def disk(folder: Path, image: Path) -> Iterator[Path]:
    """A file system of its own in `image`, mounted."""
    target = folder / f"disk-{image.name}"
    target.mkdir()
    subprocess.run(["mount", "-o", "loop", image, target], check=True)
    try:
        yield target
    finally:
        for _ in range(50):
            if not subprocess.run(["umount", target], capture_output=True, check=False).returncode:
                break
            time.sleep(0.1)


def formatted(image: Path) -> Path:
    with image.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    return image


def loop_cut(grounds: Grounds, at: int, variant: Variant | None = None) -> tuple[Cut, int]:
    """Of the calls of steward and command line together; answers also how many there were."""
    root = grounds.copy(PROMOTE.ground)
    image, copy = formatted(root / "image"), root / "copy"
    with disk(root, image) as mounted:
        for name in ("volume", "home"):
            shutil.move(root / name, mounted / name)
        subprocess.run(["sync", "-f", mounted], check=True)
        scene = Scene(root, variant, mounted)
        faults = scene.ground.faults(at or 1 << 40, harm=Harm.STOP)
        steward = scene.steward(faults)
        process, output = scene.start(*grounds.words(PROMOTE), faults=faults)
        stop(faults, process, steward)
        said, acknowledged = process.ended(), faults.acknowledged
        shutil.copyfile(image, copy)
        process.kill()
        scene.close()
    told = heard(PROMOTE.words, process.status, output)
    with disk(root, copy) as mounted:
        (mounted / "volume" / SOCKET).unlink(missing_ok=True)
        scene = Scene(root, None, mounted)
        try:
            after = after_the_cut(scene, told, acknowledged)
        finally:
            scene.close()
    cut, passed = Cut(at, faults.hit, said, after), faults.passed
    faults.release()
    shutil.rmtree(root)
    return cut, passed


def stop(faults: Faults, *processes: Process) -> None:
    """Until the chosen call is reached, or the command line has ended; then all stand still."""
    while not faults.hit and not processes[0].ended():
        time.sleep(_STEP)
    for process in processes:
        process.signal(signal.SIGSTOP)


def loop(grounds: Grounds, points: int) -> Cuts:
    """So many cuts, evenly over all calls, and one after the end."""
    cuts = Cuts()
    cut, passed = loop_cut(grounds, 0)
    cuts.add("the end", cut)
    step = max(1, passed // points)
    for at in range(1, passed + 1, step):
        cuts.add(f"call {at} of {passed}", loop_cut(grounds, at)[0])
    return cuts


@dataclass(frozen=True)
class Control:
    """A sync left out, and what must be told of it: whatever else breaks shows nothing."""

    variant: Variant
    told: str

    def caught(self, after: After) -> bool:
        return any(self.told in what for what in after.wrong)


# A real ext4 brings a renamed file to the disk together with the journal's next sync: there the second is not seen.
NO_SYNC = "journal not synced"
CONTROLS = {
    NO_SYNC: Control(Variant(syncs_journal=False), "of the journal was acknowledged"),
    "map file not synced": Control(Variant(syncs_files=False), "no switch starts on the map file"),
}


def main() -> int:
    words = argparse.ArgumentParser()
    words.add_argument("way", choices=["strict", "loop"])
    words.add_argument("--points", type=int, default=60)
    asked = words.parse_args()
    # The image must lie on a disk of its own sort: a file in memory would be no test of a loop device.
    with room() if asked.way == "strict" else tempfile.TemporaryDirectory(prefix="cut-", dir="/var/tmp") as folder:
        grounds = Grounds(Path(folder))
        grounds.warm()
        if asked.way == "strict":
            cuts = strict(grounds, asked.points)
            found = {name: strict_cut(grounds, 0, control.variant).after for name, control in CONTROLS.items()}
        else:
            cuts = loop(grounds, asked.points)
            found = {NO_SYNC: loop_cut(grounds, 0, CONTROLS[NO_SYNC].variant)[0].after}
    print(cuts.text(asked.way, asked.points))
    caught = {name: CONTROLS[name].caught(after) for name, after in found.items()}
    for name, seen in caught.items():
        print(f"control, {name}: {'caught' if seen else 'NOT CAUGHT'}: {found[name].wrong}")
    return 1 if cuts.wrong or cuts.lacking(asked.points) or not all(caught.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
