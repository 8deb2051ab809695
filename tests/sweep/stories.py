"""What is cut off in the sweep: one command each, from a ground on which it is due."""

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otagate.core.cloud import Colour
from otagate.core.switch import read_map
from otagate.steward.book import JOURNAL, MAP
from otagate.steward.serve import SOCKET
from tests.sweep.durable import Durable
from tests.sweep.faults import Faults
from tests.sweep.processes import (
    LEARNT,
    Ground,
    Process,
    Variant,
    command,
    connected,
    envelope,
    preload,
    steward,
)
from tests.sweep.switches import DOORS

DEADLINE = 30.0  # seconds for a command; none comes near it


class Scene:
    """A ground with its steward, restarted as its engine would when it ends, and the commands that are run on it."""

    def __init__(self, root: Path, variant: Variant | None = None, disk: Path | None = None) -> None:
        self.ground = Ground(root, disk)
        self.variant = variant
        self.split = ""  # what a restarted switch would have forgotten, as it was when the steward died
        self._commands = 0
        self._steward: Process | None = None

    def steward(self, faults: Faults | None = None, durable: Durable | None = None) -> Process:
        (self.ground.volume / SOCKET).unlink(missing_ok=True)
        self._steward = steward(
            self.ground, faults or self.ground.faults(), durable=durable, variant=self.variant if faults else None
        )
        return self._steward

    def keep_up(self) -> None:
        """What its engine does."""
        if self.steward_ended():
            self.split = self.split or split_at_death(self.ground)
            self.steward()

    def steward_ended(self) -> bool:
        return self._steward is not None and self._steward.ended()

    def start(self, *words: str, faults: Faults | None = None) -> tuple[Process, Path]:
        self._commands += 1
        output = self.ground.root / f"command-{self._commands}.log"
        used = faults or self.ground.faults()
        return command(self.ground, used, *words, output=output, variant=self.variant if faults else None), output

    def run(self, *words: str, faults: Faults | None = None) -> "Told":
        """A command to its end."""
        process, output = self.start(*words, faults=faults)
        until = time.monotonic() + DEADLINE
        while not process.ended():
            self.keep_up()
            if time.monotonic() > until:
                process.kill()
                return heard(words, None, output)
            time.sleep(0.002)
        return heard(words, process.status, output)

    def close(self) -> None:
        if self._steward is not None:
            self._steward.kill()
            self._steward = None


@dataclass(frozen=True)
class Told:
    """What a command said. `status` None: it hung; below zero: killed."""

    words: tuple[str, ...]
    status: int | None
    body: Mapping[str, Any]
    text: str

    @property
    def errors(self) -> str:
        return "; ".join(f"{e['message']} {e['hint']}" for e in self.body.get("errors", ()))


def heard(words: tuple[str, ...], status: int | None, output: Path) -> Told:
    text = output.read_text(errors="replace") if output.exists() else ""
    return Told(words, status, envelope(text), text)


@dataclass(frozen=True)
class Story:
    """`words` on a copy of `ground`; `target`: what is live once it is done, `before`: what was."""

    name: str
    words: tuple[str, ...]
    ground: str
    before: Colour | None
    target: Colour | None
    steward_too: bool = True


STORIES = (
    Story("up", ("up",), "empty", None, Colour.BLUE),
    Story("test", ("test", "web=hello/web:1.1"), "raised", Colour.BLUE, Colour.BLUE, steward_too=False),
    Story("promote", ("promote", "RUN"), "tested", Colour.BLUE, Colour.GREEN),
    Story("promote-bad", ("promote", "RUN"), "sick", Colour.BLUE, None),
    Story("rollback", ("rollback",), "promoted", Colour.GREEN, Colour.BLUE),
    Story("promote-widened", ("promote", "RUN"), "widened", Colour.BLUE, Colour.GREEN),
    Story("rollback-held", ("rollback",), "widened-promoted", Colour.GREEN, Colour.BLUE),
    Story("replace", ("switch", "replace"), "raised", Colour.BLUE, Colour.BLUE),
    Story("replace-deaf", ("switch", "replace"), "deaf", Colour.BLUE, Colour.BLUE),
    Story("recover-replacing", ("recover",), "cut-replacing", Colour.BLUE, Colour.BLUE),
    Story("recover-deploying", ("recover",), "cut-deploying", Colour.BLUE, None),
    Story("recover-flipping", ("recover",), "cut-flipping", Colour.BLUE, None),
)


class Grounds:
    """Each ground made once, by otagate itself, and copied for each run."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._made: dict[str, Path] = {}
        self._copies = 0

    def copy(self, name: str) -> Path:
        base = self.of(name)
        self._copies += 1
        return shutil.copytree(base, self._root / f"run-{os.getpid()}-{self._copies}", ignore=_not_of_this_run)

    def warm(self) -> None:
        """Have every command run once: what one imports late is imported by now for all that come."""
        self.of("returned")

    @property
    def run(self) -> str:
        """The id of the run that approved the build to promote."""
        return self._run_of("tested")

    def _run_of(self, ground: str) -> str:
        return next((self.of(ground) / "home" / "runs").glob("2*")).name

    def words(self, story: Story) -> tuple[str, ...]:
        own = "widened" if story.ground.startswith("widened") else "tested"
        return tuple(self._run_of(own) if word == "RUN" else word for word in story.words)

    def of(self, name: str) -> Path:
        if name not in self._made:
            makers: dict[str, Callable[[], Path]] = {
                "empty": lambda: Ground(self._root / "empty").root,
                "raised": lambda: self._after("empty", "raised", "up"),
                "tested": self._tested,
                "sick": self._sick,
                "promoted": lambda: self._after("tested", "promoted", "promote", self.run),
                "returned": lambda: self._after(
                    "promoted", "returned", "rollback", then=("recover", "status", "verdict")
                ),
                "empty-held": lambda: self._as("empty", "empty-held", "held"),
                "held": lambda: self._after("empty-held", "held", "up"),
                "held-wide": lambda: self._as("held", "held-wide", "widened"),
                "widened": lambda: self._after("held-wide", "widened", "test", "web=hello/web:1.1"),
                "widened-promoted": lambda: self._after(
                    "widened", "widened-promoted", "promote", self._run_of("widened")
                ),
                "deaf": self._deaf,
                "cut-replacing": lambda: self._cut("raised", "cut-replacing", "switch pause web", "switch", "replace"),
                "cut-deploying": self._cut_deploying,
                "cut-flipping": lambda: self._cut("tested", "cut-flipping", "switch flip", "promote", self.run),
            }
            self._made[name] = makers[name]()
        return self._made[name]

    def _begun(self, base: str, name: str) -> Scene:
        return Scene(shutil.copytree(self.of(base), self._root / name, ignore=_not_of_this_run))

    def _after(self, base: str, name: str, *words: str, then: Sequence[str] = ()) -> Path:
        scene = self._begun(base, name)
        scene.steward()
        (scene.ground.root / LEARNT).touch()
        for told in (scene.run(*words), *(scene.run(word) for word in then)):
            assert told.status == 0, told.text
        scene.close()
        preload(scene.ground)
        return scene.ground.root

    def _tested(self) -> Path:
        return self._after("raised", "tested", "test", "web=hello/web:1.1")

    def _as(self, base: str, name: str, kind: str) -> Path:
        """The same with other files of the platform."""
        scene = self._begun(base, name)
        (scene.ground.around / "kind").write_text(kind)
        return scene.ground.root

    def _sick(self) -> Path:
        scene = self._begun("tested", "sick")
        (scene.ground.around / "sickens").touch()
        return scene.ground.root

    def _deaf(self) -> Path:
        """A new switch takes what comes to the doors and answers nothing."""
        scene = self._begun("raised", "deaf")
        (scene.ground.around / "deaf").touch()
        return scene.ground.root

    def _cut_deploying(self) -> Path:
        """The command line killed as the new colour stands."""
        scene = self._begun("tested", "cut-deploying")
        scene.steward()
        faults = scene.ground.faults(name="engine raised p-green-web")
        told = scene.run("promote", self.run, faults=faults)
        scene.close()
        assert told.status == -9, told.text
        return scene.ground.root

    def _cut(self, base: str, name: str, at: str, *words: str) -> Path:
        """Everything killed at a call of the steward: between map file and run time, or as the old switch is paused."""
        scene = self._begun(base, name)
        scene.steward(scene.ground.faults(name=at))
        process, _ = scene.start(*words)
        while not scene.steward_ended():
            time.sleep(0.002)
        process.kill()
        return scene.ground.root


def no_sockets(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == SOCKET]


def _not_of_this_run(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == SOCKET or name.endswith(".log")]


def split_at_death(ground: Ground) -> str:
    """At the instant at which a steward was killed: what serves must be what a restarted switch would serve, and doors
    must be whose the journal says, and somebody's."""
    with suppress(OSError, ValueError):
        switches = ground.switches(ground.world(ground.faults()))
        file = read_map((ground.volume / MAP).read_text())
        for number, now in switches.standing().items():
            if now.serves and now.epoch > file[1]:
                return (
                    f"{now.colour} of epoch {now.epoch} is served and would be forgotten: the map file says {file[0]}"
                )
            if now.serves and (no := unknown_at_doors(ground.volume, number)):
                return no
        for door in DOORS if switches.standing() else ():
            if not switches.accepting(door):
                return f"nobody accepts at {door}"
    return ""


def replacement_says(volume: Path) -> tuple[int, int, str]:
    """The switch that serves by the journal's entries alone, the one that came last, and how far that came. Read of a
    copy: an entry that was half written is taken back there, as the next steward will."""
    with tempfile.TemporaryDirectory(dir=volume.parent) as folder:
        for path in volume.glob(f"{JOURNAL}*"):
            shutil.copy(path, folder)
        with closing(sqlite3.connect(Path(folder) / JOURNAL)) as line:
            read = "SELECT json_extract(body, '$.replacement.old'), json_extract(body, '$.replacement.new'), "
            read += (
                "json_extract(body, '$.replacement.reach') FROM entries WHERE kind = 'replacement' ORDER BY seq DESC"
            )
            old, new, reach = line.execute(read).fetchone() or (1, 1, "")
    return old if reach in ("beside", "void", "undone") else new, new, reach


def unknown_at_doors(volume: Path, number: int) -> str:
    """Why the switch of that number may not stand at the doors; the one that served before may until it is removed."""
    serving, new, reach = replacement_says(volume)
    if number == new != serving and reach == "beside":
        return f"switch {number} stands at the doors, and the journal says {reach}"
    return ""


def await_steward(scene: Scene) -> None:
    """Until it listens, or has ended."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until and not scene.steward_ended():
        if line := connected(scene.ground.volume / SOCKET, 0.05):
            line.close()
            return
