"""A steward's whole world in memory: a switch that reads its map file when it starts, services of two colours, a clock
that moves when somebody sleeps. Any call can be made to fail, or to be the last one before the steward is killed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otagate.adapters.probe import Answer
from otagate.core.canonical import digest_of
from otagate.core.cloud import Colour
from otagate.core.errors import NO_ANSWER, ProbeFault
from otagate.core.platform import Protocol, Tls
from otagate.core.promotion import Event
from otagate.core.shadow import Reply, Request
from otagate.core.topology import Door, HookCall, Topology
from otagate.core.traffic import Intent, Kind, PromotionView
from otagate.core.watch import WatchPolicy
from otagate.steward.book import MAP, Book
from otagate.steward.course import Course
from otagate.steward.helm import Helm, Patience
from otagate.steward.map_file import MapFile
from tests.steward.switches import FakeSwitch, FakeSwitches

HOSTS = {"blue": "blue-web", "green": "green-web"}
BUILDS = {Colour.BLUE: digest_of("blue"), Colour.GREEN: digest_of("green")}
WATCH = WatchPolicy(lasts=2.0, every=0.5, window=1.0, minimum=20, blind=4, unhealthy=3)
TOPOLOGY = Topology(  # its doors are those of switches.DOORS
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
        elif host == "switch-second":
            assert self.switches.other is not None
            host = door.backs[self.switches.other.in_front(door.name).entry()[0].value]
        elif host.startswith("t-shared-switch-"):
            number, second = int(host.rsplit("-", 1)[1]), "-second-" in host
            host = door.backs[self.switches.rehearsing(number, second=second).entry()[0].value]
        if host in self.absent | self.hung:
            raise ProbeFault(f"{host}:{port} does not answer", code=NO_ANSWER)
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
        if self.topology.second:
            self.other = FakeSwitch(self.volume / MAP, bound=self.topology.hold, monotonic=self.clock.monotonic)
            self.switches.other = FakeSwitches(self.volume, {1: self.other}, folder="second")
            (self.volume / "second").mkdir()
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
            Patience(up=5, switch=5, gone=3, step=0.5),
        )
        return Steward(self, book, helm, Course(helm, book, self.clock))

    def both_go_bad(self) -> None:
        """As soon as somebody waits green is down, and blue hangs."""

        def go() -> None:
            self.switch.down.add("web_green")
            self.services.hung.add("blue-web")

        self.clock.on_sleep = go

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

    def begin(
        self, kind: Kind, to: Colour, name: str, *, watch: WatchPolicy = WATCH, drain: float = 5.0, run: str = ""
    ) -> None:
        builds = {"web": BUILDS[to]}
        intent = Intent(name, kind, run, digest_of([name, to]), builds, to, "alice", watch, drain)
        self.book.write("begin", name, intent=intent, came=self.book.account.live, lease=self.book.account.epoch)

    def to_flip(self) -> None:
        for message in ("checked", "deployed", "smoked"):
            self.book.advance(view_of(self).phase, Event.OK, message)

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
