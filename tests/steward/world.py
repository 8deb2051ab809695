"""A steward's whole world in memory: a switch that reads its map file when it starts, services of two colours, a clock
that moves when somebody sleeps. Any call can be made to fail, or to be the last one before the steward is killed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otagate.adapters.probe import Answer
from otagate.core.answer_times import row_of
from otagate.core.canonical import digest_of
from otagate.core.cloud import Colour
from otagate.core.errors import ProbeFault, SwitchFault
from otagate.core.fronts import FrontCount
from otagate.core.platform import Protocol, Tls
from otagate.core.promotion import Event
from otagate.core.shadow import Reply, Request
from otagate.core.switch import OpenSession, backend, read_map
from otagate.core.switch_counts import BackendCount
from otagate.core.topology import Door, HookCall, Topology
from otagate.core.traffic import Intent, Kind, PromotionView
from otagate.core.watch import WatchPolicy
from otagate.steward.book import MAP, Book
from otagate.steward.course import Course
from otagate.steward.helm import Helm, Patience
from otagate.steward.map_file import MapFile

HOSTS = {"blue": "blue-web", "green": "green-web"}
BUILDS = {Colour.BLUE: digest_of("blue"), Colour.GREEN: digest_of("green")}
WATCH = WatchPolicy(lasts=2.0, every=0.5, window=1.0, minimum=20, blind=4, unhealthy=3)
TOPOLOGY = Topology(
    "t",
    "switch",
    (
        Door("web", Protocol.HTTP, 20001, HOSTS, 8080, probe="/healthz", shadowed=True),
        Door("dicom", Protocol.DICOM, 20002, HOSTS, 11112, called_ae="HELLO"),
        Door("archive", Protocol.TCP, 20003, {"blue": "store", "green": "store"}, 104, coloured=False),
    ),
    tuple(
        HookCall("web", name, HOSTS, 8080, f"/hooks/{name.replace('_', '-')}", 5.0)
        for name in ("passive", "activate", "written_since", "quarantine")
    ),
)


class Killed(BaseException):
    """The steward is no more; nothing of it may catch this."""


@dataclass
class FakeClock:
    time: float = 1000.0
    on_sleep: Callable[[], None] = lambda: None

    def now(self) -> float:
        return 1_800_000_000.0 + self.time

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.on_sleep()


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
        self.away, self.held_until = False, 0.0
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
        doors = (door.name for door in TOPOLOGY.doors)
        return {door: FrontCount(self.open.get(door, 0), self.taken.get(door, 0)) for door in doors}

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
        return not self.away and door not in self.paused | self.shut_doors

    def _count(self, name: str) -> BackendCount:
        now, answers, errors = (of.get(name, 0) for of in (self.sessions, self.answers, self.errors))
        times = row_of(self.times.get(name, {})) if self.tells_times else None
        return BackendCount(name not in self.down, name not in self.down, now, answers, errors, 0, 0, times=times)

    def _asked(self, name: str) -> None:
        if self.entry_now is None and self.map_file.exists() and not self.away:
            self.start()
        if self.away or self.entry_now is None:
            raise SwitchFault(f"the switch did not answer {name}", code="switch-away")
        self.before(name)


@dataclass
class FakeSwitches:
    """Production's switches by number. One comes to the doors as soon as the volume's file says its number, and stays;
    in `stuck` it does not. Before that it rehearses under its own host name."""

    volume: Path
    standing: dict[int, FakeSwitch]
    stuck: set[int] = field(default_factory=set)
    came: set[int] = field(default_factory=set)

    def at_doors(self, number: int) -> FakeSwitch:
        self._look()
        if number not in self.came:
            return FakeSwitch(self.volume / MAP, away=True)
        return self.standing[number]

    def rehearsing(self, number: int) -> FakeSwitch:
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
        path = self.volume / "serving"
        number = int(path.read_text()) if path.exists() else 1
        if number in self.standing and number not in self.stuck:
            self.came.add(number)


@dataclass
class FakeServices:
    """Hosts by name; the front door leads where the switch says. `absent` hosts are not there, `hung` do not answer."""

    switches: FakeSwitches
    builds: dict[str, str] = field(default_factory=lambda: {HOSTS[c.value]: BUILDS[c] for c in Colour})
    absent: set[str] = field(default_factory=set)
    hung: set[str] = field(default_factory=set)
    active: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    says: dict[str, Any] = field(default_factory=dict)  # what a host or a hook answers to written_since and quarantine
    told: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    replies: dict[str, Callable[[Request], Reply]] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    most_active: int = 0
    before: Callable[[str], None] = lambda _name: None
    drained: Callable[[str], None] = lambda _host: None

    def ask(self, door: Door, host: str, port: int, deadline: float, *, tls: bool) -> Answer:
        assert deadline > 0
        assert not tls or door.tls is not Tls.NONE
        self.before("ask")
        if host == TOPOLOGY.switch:
            host = door.backs[self.switches.in_front(door.name).entry()[0].value]
        elif host.startswith("t-shared-switch-"):
            host = door.backs[self.switches.rehearsing(int(host.rsplit("-", 1)[1])).entry()[0].value]
        if host in self.absent | self.hung:
            raise ProbeFault(f"{host}:{port} does not answer")
        if not door.coloured:
            return Answer("", None)
        colour = Colour(host.removesuffix("-web"))
        build = self.builds[host]
        short = build.removeprefix("sha256:")[:12]
        return Answer(short if door.protocol is Protocol.DICOM else build, colour)

    def call(self, url: str, deadline: float) -> bool:
        self.before("call")
        host, hook = url.split("//")[1].split(":")[0], url.rsplit("/", 1)[1]
        self.calls.append(f"{hook} {host}")
        if host in self.absent:
            return False
        if host in self.hung:
            raise ProbeFault(f"{url} does not answer within {deadline:g} s")
        if hook == "drain":
            self.drained(host)
            return True
        (self.active.add if hook == "activate" else self.active.discard)(host)
        self.most_active = max(self.most_active, len(self.active))
        return True

    def fetch(self, host: str, port: int, request: Request, deadline: float) -> Reply | None:
        assert port > 0
        assert deadline > 0
        self.before("fetch")
        self.fetched.append(host)
        if host in self.absent | self.hung:
            return None
        answers = self.replies.get(host)
        return answers(request) if answers else Reply(200, {}, b"{}")

    def tell(self, url: str, body: Mapping[str, Any], deadline: float) -> Any:
        assert deadline > 0
        self.before("tell")
        host, hook = url.split("//")[1].split(":")[0], url.rsplit("/", 1)[1]
        self.told.append((f"{hook} {host}", body))
        if host in self.absent:
            return None
        if host in self.hung:
            raise ProbeFault(f"{url} does not answer within {deadline:g} s")
        return self.says.get(hook, {"count": 0} if hook == "written-since" else {"quarantined": 0})


@dataclass
class World:
    """One volume with what stands around it. `steward()` opens a steward in it, as its engine would."""

    volume: Path
    topology: Topology = TOPOLOGY
    clock: FakeClock = field(default_factory=FakeClock)
    helm_kind: type[Helm] = Helm

    def __post_init__(self) -> None:
        self.switch = FakeSwitch(self.volume / MAP, bound=self.topology.hold, monotonic=self.clock.monotonic)
        self.switches = FakeSwitches(self.volume, {1: self.switch})
        self.services = FakeServices(self.switches)
        self.map_file = MapFile(self.volume / MAP)
        self._books: list[Book] = []

    def close(self) -> None:
        """No file stays open."""
        while self._books:
            self._books.pop().close()

    def steward(self) -> "Steward":
        book = Book.opened(self.volume, self.clock)
        self._books.append(book)
        helm = self.helm_kind(
            self.topology,
            book,
            self.map_file,
            self.switches,
            self.services,
            self.clock,
            Patience(up=5, switch=5, step=0.5),
        )
        return Steward(self, book, helm, Course(helm, book, self.clock))

    def live(self) -> "Steward":
        """A steward whose platform has blue live."""
        steward = self.steward()
        steward.begin(Kind.GENESIS, Colour.BLUE, "g-1")
        steward.to_flip()
        steward.course.run()
        return steward


@dataclass
class Steward:
    world: World
    book: Book
    helm: Helm
    course: Course

    def begin(self, kind: Kind, to: Colour, name: str, *, watch: WatchPolicy = WATCH, drain: float = 5.0) -> None:
        builds = {"web": BUILDS[to]}
        intent = Intent(name, kind, "", digest_of([name, to]), builds, to, "alice", watch, drain)
        self.book.write("begin", name, intent=intent, came=self.book.account.live, lease=self.book.account.epoch)

    def to_flip(self) -> None:
        for message in ("checked", "deployed", "smoked"):
            self.book.advance(Event.OK, message)

    def promote(self, to: Colour = Colour.GREEN, name: str = "p-1", *, watch: WatchPolicy = WATCH) -> None:
        """All of it, in this thread."""
        self.begin(Kind.PROMOTE, to, name, watch=watch)
        self.to_flip()
        self.course.run()

    def told(self, name: str) -> list[str]:
        return [event.message for _, event in self.book.events(name, 0)]


def view_of(steward: Steward) -> PromotionView:
    return steward.book.current()


def serves(world: World, steward: Steward, colour: Colour) -> None:
    """One colour on every account, and it alone works on its own."""
    account = steward.book.account
    assert account.live is colour
    assert world.map_file.read() == (colour, account.live_epoch) == world.switch.entry()
    assert world.services.active == {HOSTS[colour.value]}
