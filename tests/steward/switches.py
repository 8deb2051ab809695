"""Production's switches in memory: each reads the map file when it starts, and any call to it can be made to fail."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from otagate.core.answer_times import row_of
from otagate.core.cloud import Colour
from otagate.core.errors import ProbeFault, SwitchFault
from otagate.core.fronts import FrontCount
from otagate.core.switch import OpenSession, backend, read_map
from otagate.core.switch_counts import BackendCount
from otagate.steward.book import MAP

DOORS = ("web", "dicom", "archive")


@dataclass
class FakeSwitch:
    """`entry_now` None: it waits for its first map, or is down. `before` is called with each command's name."""

    map_file: Path
    entry_now: tuple[Colour, int] | None = None
    down: set[str] = field(default_factory=set)
    sessions: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    times: dict[str, dict[int, int]] = field(default_factory=dict)  # by backend: bucket → answers
    tells_times: bool = True
    away: bool = False
    gone: bool = False  # its process has ended, and its engine does not start it again
    refuses: str = ""
    lies: bool = False
    served: set[Colour] = field(default_factory=set)  # every colour it ever turned to
    ends_by_itself: bool = False  # each session, just as it is to be cut
    copies: list[bytes] = field(default_factory=list)
    armed: list[tuple[str, float, int]] = field(default_factory=list)
    before: Callable[[str], None] = lambda _name: None
    bound: float = 4.0
    held_until: float = 0.0
    monotonic: Callable[[], float] = lambda: 0.0
    paused: set[str] = field(default_factory=set)
    shut_doors: set[str] = field(default_factory=set)
    open: dict[str, int] = field(default_factory=dict)  # connections by door
    taken: dict[str, int] = field(default_factory=dict)

    def start(self) -> None:
        """What its engine does with one that ended: it reads the map file, or waits for one."""
        self.away = self.gone = False
        self.held_until = 0.0
        self.entry_now = read_map(self.map_file.read_text()) if self.map_file.exists() else None
        if self.entry_now is not None:
            self.served.add(self.entry_now[0])

    def entry(self) -> tuple[Colour, int]:
        self._asked("entry")
        assert self.entry_now is not None
        return self.entry_now

    def flip(self, came: Colour, to: Colour, epoch: int, *, held: bool) -> str:
        self._asked("flip")
        assert self.entry_now is not None
        active, last = self.entry_now
        if self.refuses:
            return self.refuses
        if held and not self.holds():
            return "the hold has passed"
        if active is not came:
            return f"active is {active}, not {came}"
        if epoch <= last:
            return f"epoch {epoch} is not newer than {last}"
        if {backend("web", to), backend("dicom", to)} & self.down:
            return "no server up"
        if not self.lies:
            self.entry_now = (to, epoch)
            self.served.add(to)
        return ""

    def hold(self, epoch: int) -> str:
        self._asked("hold")
        if self.entry_now is None or epoch != self.entry_now[1]:
            return "the map has another epoch"
        if self.holds():
            return "held already"
        self.held_until = self.monotonic() + self.bound
        return ""

    def release(self) -> float:
        self._asked("release")
        self.held_until = 0.0
        return 0.25

    def holds(self) -> bool:
        return self.monotonic() < self.held_until

    def restore(self, colour: Colour, epoch: int) -> None:
        self._asked("restore")
        self.entry_now = (colour, epoch)
        self.served.add(colour)

    def counts(self) -> Mapping[str, BackendCount]:
        self._asked("counts")
        return {name: self._count(name) for name in (backend(d, c) for d in ("web", "dicom") for c in Colour)}

    def open_sessions(self) -> tuple[OpenSession, ...]:
        self._asked("open_sessions")
        return tuple(
            OpenSession(f"0x{n}", f"10.0.0.{n}:104", name, f"{n}s")
            for name, count in sorted(self.sessions.items())
            for n in range(1, count + 1)
        )

    def arm_shadow(self, door: str, seconds: float, most: int) -> None:
        self._asked("arm_shadow")
        self.armed.append((door, seconds, most))

    def take_shadow(self, door: str) -> tuple[tuple[bytes, ...], int]:
        self._asked("take_shadow")
        copies, self.copies = tuple(self.copies), []
        return (copies if door == "web" else ()), 0

    def cut(self, session: OpenSession) -> bool:
        self._asked("cut")
        self.sessions[session.backend] -= 1
        return not self.ends_by_itself

    def fronts(self) -> Mapping[str, FrontCount]:
        self._asked("fronts")
        return {door: FrontCount(self.open.get(door, 0), self.taken.get(door, 0)) for door in DOORS}

    def pause(self, door: str) -> None:
        self._asked("pause")
        self.paused.add(door)

    def resume(self, door: str) -> None:
        self._asked("resume")
        self.paused.discard(door)

    def shut(self, door: str) -> None:
        self._asked("shut")
        self.shut_doors.add(door)

    def accepts(self, door: str) -> bool:
        return not self.away and not self.gone and door not in self.paused | self.shut_doors

    def _count(self, name: str) -> BackendCount:
        now, answers, errors = (of.get(name, 0) for of in (self.sessions, self.answers, self.errors))
        times = row_of(self.times.get(name, {})) if self.tells_times else None
        return BackendCount(name not in self.down, name not in self.down, now, answers, errors, 0, 0, times=times)

    def _asked(self, name: str) -> None:
        if self.gone:
            raise SwitchFault(f"the switch did not answer {name}", code="switch-gone")
        if self.entry_now is None and self.map_file.exists() and not self.away:
            self.start()
        if self.away or self.entry_now is None:
            raise SwitchFault(f"the switch did not answer {name}", code="switch-away")
        self.before(name)


@dataclass
class FakeSwitches:
    """Production's switches by number. One comes to the doors as soon as the volume's file says its number, and stays;
    in `stuck` it does not. Before that it rehearses under its own host name. `other` stands at a pair's other doors."""

    volume: Path
    standing: dict[int, FakeSwitch]
    folder: str = ""
    other: "FakeSwitches | None" = None
    stuck: set[int] = field(default_factory=set)
    came: set[int] = field(default_factory=set)

    def at_doors(self, number: int, *, second: bool = False) -> FakeSwitch:
        if second:
            assert self.other is not None
            return self.other.at_doors(number)
        self._look()
        if number not in self.came:
            return FakeSwitch(self.volume / MAP, gone=True)
        return self.standing[number]

    def rehearsing(self, number: int, *, second: bool = False) -> FakeSwitch:
        if second:
            assert self.other is not None
            return self.other.rehearsing(number)
        if number in self.came or number not in self.standing:
            return FakeSwitch(self.volume / MAP, away=True)
        return self.standing[number]

    def restart(self, number: int) -> None:
        """What its engine does with one that ended."""
        self.came.discard(number)
        self.standing[number] = FakeSwitch(self.volume / MAP)
        self.standing[number].start()

    def in_front(self, door: str) -> FakeSwitch:
        """Who takes the next connection; the sockets' queue is one for all."""
        self._look()
        for number in sorted(self.came, reverse=True):
            if self.standing[number].accepts(door):
                self.standing[number].taken[door] = self.standing[number].taken.get(door, 0) + 1
                return self.standing[number]
        raise ProbeFault(f"nobody takes what waits at {door}")

    def _look(self) -> None:
        path = self.volume / self.folder / "serving"
        number = int(path.read_text()) if path.exists() else 1
        if number in self.standing and number not in self.stuck:
            self.came.add(number)
