"""Production's switches, each with a run time in a file that dies with its container. As `images/switch/start.sh` does
it, one whose number stands in the volume's `serving` takes the doors, and another rehearses behind none."""

import io
import pickle
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from otagate.core.answer_times import row_of
from otagate.core.cloud import Colour
from otagate.core.errors import ProbeFault, SwitchFault
from otagate.core.fronts import FrontCount
from otagate.core.places import switch_name
from otagate.core.switch import OpenSession, backend, read_map
from otagate.core.switch_counts import BackendCount
from otagate.steward.book import MAP
from otagate.steward.exchange import SERVING
from otagate.steward.pair import AWAY, GONE
from tests.sweep.outside import KeptWorld, keep

_open = io.open  # before it is watched: what the world itself reads is no call of otagate's
_LOOKING = threading.RLock()  # a steward's threads
HOLD = 2.0  # seconds for which the switch of a platform that holds may do so
LINGERS = 0.05  # seconds for which a session at a shut door goes on
PLATFORM = "p"
DOORS = ("web", "dicom")


@dataclass(frozen=True)
class RunTime:
    """What one process of HAProxy knows. `identity` is its container's; `shut` maps a door to when it was."""

    identity: str
    serves: bool
    colour: Colour
    epoch: int
    paused: frozenset[str] = frozenset()
    shut: Mapping[str, float] = field(default_factory=dict)
    taken: Mapping[str, int] = field(default_factory=dict)

    def accepts(self, door: str) -> bool:
        return self.serves and door not in self.paused and door not in self.shut


def switch_gone(what: str) -> SwitchFault:
    return SwitchFault(what, code=GONE)


def switch_away(what: str) -> SwitchFault:
    return SwitchFault(what, code=AWAY)


@dataclass(frozen=True)
class KeptSwitch:
    """The one of that number, at the doors or rehearsing; `unsafe` is written where it was told to serve what it would
    forget."""

    all: "KeptSwitches"
    number: int
    at_doors: bool = True

    def runs(self) -> tuple[Colour, int] | None:
        """What it serves now; None: it is not there, stands elsewhere, or waits for its first map."""
        now = self.all.run_time(self.number)
        return (now.colour, now.epoch) if now is not None and now.serves is self.at_doors else None

    def _turn(self, colour: Colour, epoch: int) -> None:
        if self.all.map_file() != (colour, epoch):
            self.all.unsafe(f"told to serve {colour} of epoch {epoch}, which it would forget")
        self.all.change(self.number, colour=colour, epoch=epoch)

    def entry(self) -> tuple[Colour, int]:
        with self._asked("entry") as now:
            return now

    def flip(self, came: Colour, to: Colour, epoch: int, *, held: bool) -> str:
        with self._asked("flip") as (active, last):
            if active is not came:
                return f"active is {active}, not {came}"
            if held and not self.holds():
                return "the hold has passed"
            if epoch <= last:
                return f"epoch {epoch} is not newer than {last}"
            self._turn(to, epoch)
            return ""

    def hold(self, epoch: int) -> str:
        with self._asked("hold") as (_, now):
            if epoch != now:
                return "the map has another epoch"
            if self.holds():
                return "held already"
            keep(self.all.folder / "held", f"{time.time() + HOLD}".encode())
            return ""

    def release(self) -> float:
        with self._asked("release"):
            (self.all.folder / "held").unlink(missing_ok=True)
            return 0.0

    def holds(self) -> bool:
        """Whether new work waits; it is the switch that ends it."""
        path = self.all.folder / "held"
        return path.exists() and time.time() < float(path.read_text())

    def restore(self, colour: Colour, epoch: int) -> None:
        with self._asked("restore"):
            self._turn(colour, epoch)

    def counts(self) -> Mapping[str, BackendCount]:
        with self._asked("counts") as (live, _):
            return {backend(door, colour): self._count(door, colour, live) for door in DOORS for colour in Colour}

    def open_sessions(self) -> tuple[OpenSession, ...]:
        with self._asked("open_sessions"):
            return ()

    def arm_shadow(self, door: str, seconds: float, most: int) -> None:
        with self._asked(f"arm_shadow {door} {seconds:g} {most}"):
            return

    def take_shadow(self, door: str) -> tuple[tuple[bytes, ...], int]:
        with self._asked(f"take_shadow {door}"):
            return (), 0

    def cut(self, session: OpenSession) -> bool:
        with self._asked("cut"):
            return session.backend == ""

    def _count(self, door: str, colour: Colour, live: Colour) -> BackendCount:
        up = self.all.world.one(f"{PLATFORM}-{colour}-web") is not None
        sickens = (self.all.folder / "sickens").exists() and colour is live is Colour.GREEN and door == "web"
        return BackendCount(up and not sickens, up and not sickens, 0, 0, 0, 0, 0, times=row_of({}))

    def fronts(self) -> Mapping[str, FrontCount]:
        """One session is open at each door, and ends soon after it is shut."""
        with self._asked("fronts"):
            now = self.all.run_time(self.number)
            assert now is not None
            ended = {door for door, at in now.shut.items() if time.time() > at + LINGERS}
            return {door: FrontCount(int(door not in ended), now.taken.get(door, 0)) for door in DOORS}

    def pause(self, door: str) -> None:
        with self._asked(f"pause {door}"):
            self.all.change(self.number, paused=self._now.paused | {door})

    def resume(self, door: str) -> None:
        with self._asked(f"resume {door}"):
            self.all.change(self.number, paused=self._now.paused - {door})

    def shut(self, door: str) -> None:
        with self._asked(f"shut {door}"):
            self.all.change(self.number, shut={door: time.time(), **self._now.shut})

    @property
    def _now(self) -> RunTime:
        now = self.all.run_time(self.number)
        assert now is not None
        return now

    @contextmanager
    def _asked(self, name: str) -> Iterator[tuple[Colour, int]]:
        which = "switch" if self.number == 1 else f"switch {self.number}"
        now = self.runs()
        if now is None:
            raise switch_gone(f"{which} did not answer {name}")
        self.all.world.faults.call(f"{which} {name}", switch_away)
        yield now
        self.all.world.faults.call(f"{which} {name} done", switch_away)


@dataclass(frozen=True)
class KeptSwitches:
    """steward.outside.Switches over the kept world; `folder` is the world's, `volume` the steward's."""

    folder: Path
    volume: Path
    world: KeptWorld

    def at_doors(self, number: int, *, second: bool = False) -> KeptSwitch:
        assert not second, "the sweep has one switch"
        return KeptSwitch(self, number)

    def rehearsing(self, number: int, *, second: bool = False) -> KeptSwitch:
        assert not second, "the sweep has one switch"
        return KeptSwitch(self, number, at_doors=False)

    def standing(self) -> dict[int, RunTime]:
        """Those whose containers run, by number, once there was a first map."""
        self.world.load()
        name = switch_name(PLATFORM, 1)
        found = [int(n.removeprefix(name)[1:] or 1) for n in self.world.containers if n.startswith(name)]
        return {n: now for n in sorted(found) if (now := self.run_time(n)) is not None}

    def accepting(self, door: str) -> list[int]:
        return [number for number, now in self.standing().items() if now.accepts(door)]

    def in_front(self, door: str) -> KeptSwitch:
        """Who takes the next connection: of several that accept the oldest. One that is `deaf` takes it for nothing."""
        with _LOOKING:
            for number in self.accepting(door):
                taken = self.standing()[number].taken
                self.change(number, taken={**taken, door: taken.get(door, 0) + 1})
                if number > 1 and (self.folder / "deaf").exists():
                    break
                return self.at_doors(number)
        raise ProbeFault(f"nobody answers at {door}")

    def run_time(self, number: int) -> RunTime | None:
        """As it is now: one that just started reads the map file, and so does one that just came to the doors."""
        standing = self.world.one(switch_name(PLATFORM, number))
        if standing is None:
            return None
        with _LOOKING:
            kept, serves = self._kept(number), number == self.serving()
            if kept is None or kept.identity != standing.id or (serves and not kept.serves):
                try:
                    kept = RunTime(standing.id, serves, *self.map_file())
                except (OSError, ValueError):  # without a whole map it does not start
                    return None
                keep(self._path(number), pickle.dumps(kept))
            return kept

    def removed(self) -> dict[int, RunTime]:
        """What those whose containers are gone knew last."""
        numbers = [int(path.name.removeprefix("run-time-")) for path in self.folder.glob("run-time-*")]
        kept = {number: self._kept(number) for number in numbers if self.run_time(number) is None}
        return {number: now for number, now in kept.items() if now is not None}

    def change(self, number: int, **changed: object) -> None:
        with _LOOKING:
            now = self.run_time(number)
            assert now is not None
            keep(self._path(number), pickle.dumps(replace(now, **changed)))  # type: ignore[arg-type]

    def serving(self) -> int:
        with suppress(OSError), _open(self.volume / SERVING) as file:
            return int(file.read())
        return 1

    def map_file(self) -> tuple[Colour, int]:
        with _open(self.volume / MAP) as file:
            return read_map(file.read())

    def unsafe(self, what: str) -> None:
        keep(self.folder / "unsafe", what.encode())

    def _path(self, number: int) -> Path:
        return self.folder / f"run-time-{number}"

    def _kept(self, number: int) -> RunTime | None:
        try:
            found: RunTime = pickle.loads(self._path(number).read_bytes())  # noqa: S301 - our own
        except FileNotFoundError:
            return None
        return found
