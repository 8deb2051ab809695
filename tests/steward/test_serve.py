"""The steward's socket, with sessions as lines over it: answers, leases that die with their line, versions, repair."""

import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otagate.core.canonical import plain
from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.traffic import Claim, Kind, Scope
from otagate.steward.book import JOURNAL, MAP
from otagate.steward.helm import Patience
from otagate.steward.serve import Office, Server, topology_of
from otagate.steward.session import relay
from tests.steward.world import BUILDS, TOPOLOGY, WATCH, World

SOURCE = "sha256:" + "a" * 64
CLAIM = plain(Claim(Scope.PLATFORM, "alice", "alice@here:1", "otagate promote", "a test"))


class Line:
    """One session's end."""

    def __init__(self, volume: Path, *, source: str = SOURCE, hello: bool = True) -> None:
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._line.settimeout(10)
        self._line.connect(str(volume / "steward.sock"))
        self._lines = self._line.makefile("rb")
        self._number = 0
        if hello:
            self.ask("hello", source=source)

    def send(self, **body: Any) -> None:
        self._line.sendall(json.dumps(body).encode() + b"\n")

    def read(self) -> Any:
        text = self._lines.readline()
        return json.loads(text) if text else None

    def ask(self, name: str, **body: Any) -> Any:
        """The answer; an error is raised as AssertionError with its code."""
        self._number += 1
        self.send(id=self._number, ask=name, **body)
        while (told := self.read())["id"] != self._number:
            pass
        assert "error" not in told, f"{told['error']['kind']} {told['error']['code']}: {told['error']['message']}"
        return told["answer"]

    def refused(self, name: str, **body: Any) -> dict[str, str]:
        self._number += 1
        self.send(id=self._number, ask=name, **body)
        error: dict[str, str] = self.read()["error"]
        return error

    def close(self) -> None:
        self._lines.close()
        self._line.close()


class Serving:
    def __init__(self, world: World, **options: Any) -> None:
        self.volume = world.volume
        patience = Patience(up=5, switch=5, step=0.01)
        self.office = Office(
            world.volume,
            TOPOLOGY,
            SOURCE,
            switches=world.switches,
            services=world.services,
            clock=world.clock,
            patience=patience,
        )
        self.server = Server(self.office, world.volume, **options)
        self._thread = threading.Thread(target=self.server.run)
        self._thread.start()
        self.lines: list[Line] = []

    def line(self, **options: Any) -> Line:
        self.lines.append(Line(self.volume, **options))
        return self.lines[-1]

    def end(self) -> None:
        for line in self.lines:
            line.close()
        self.server.close()
        self._thread.join(5)
        self.office.close()


@pytest.fixture
def serving(world: World) -> Iterator[Serving]:
    world.live()
    world.close()
    made = Serving(world)
    yield made
    made.end()


def intent(name: str, to: Colour = Colour.GREEN) -> Any:
    return {
        "promotion": name,
        "kind": Kind.PROMOTE,
        "run": "r",
        "release": "sha256:r",
        "builds": {"web": BUILDS[to]},
        "to": to,
        "by": "alice",
        "watch": plain(WATCH),
        "drain": 1.0,
        "unproven": False,
    }


def holders(line: Line) -> list[str]:
    return [holder["claim"]["by"] for holder in line.ask("status")["holders"]]


def until_free(line: Line, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not holders(line):
            return True
        time.sleep(0.02)
    return False


def test_a_promotion_by_lines_from_hello_to_the_end(serving: Serving) -> None:
    line = serving.line()
    assert line.ask("acquire", claim=CLAIM, wait=0)["epoch"] == 2
    assert line.ask("begin", intent=intent("p-1"))["phase"] == "preflight"
    phases = [line.ask("report", event="ok", message=m) for m in ("checked", "deployed", "smoked")]
    assert phases == ["deploying", "smoking", "flipping"]
    line.ask("release")
    line.send(id=99, ask="follow", promotion="p-1", since=0)
    told = []
    while "answer" not in (came := line.read()):
        told.append(came)
    assert [t["seq"] for t in told] == sorted({t["seq"] for t in told})
    assert (told[-1]["event"]["happening"], told[-1]["event"]["phase"]) == ("end", "promoted")
    line.send(id=100, ask="follow", promotion="p-1", since=told[-3]["seq"])
    assert [line.read()["seq"] for _ in range(2)] == [told[-2]["seq"], told[-1]["seq"]], "it goes on where one left off"
    assert line.read() == {"id": 100, "answer": None}


def test_a_lease_is_free_as_soon_as_its_line_ends(serving: Serving) -> None:
    first, second = serving.line(), serving.line()
    first.ask("acquire", claim=CLAIM, wait=0)
    assert holders(second) == ["alice"]
    first.close()
    assert until_free(second, 10.0)
    second.ask("acquire", claim=CLAIM, wait=0)


def test_a_line_that_ends_while_it_waits_gets_no_lease(serving: Serving) -> None:
    first, second, third = serving.line(), serving.line(), serving.line()
    first.ask("acquire", claim=CLAIM, wait=0)
    second.send(id=5, ask="acquire", claim=CLAIM, wait=60)
    time.sleep(0.1)
    second.close()
    time.sleep(0.1)
    first.close()
    assert until_free(third, 10.0)
    time.sleep(0.7)
    assert holders(third) == []


def test_two_hundred_holders_that_die_never_leave_the_lease_behind(serving: Serving) -> None:
    for _ in range(200):
        line = Line(serving.volume)
        line.ask("acquire", claim=CLAIM, wait=5)
        line.close()
    assert until_free(serving.line(), 10.0)


def test_a_silent_line_is_given_up_and_a_beating_one_kept(world: World) -> None:
    world.live()
    world.close()
    serving = Serving(world, silence=3.0)
    try:
        silent = serving.line()
        silent.ask("acquire", claim=CLAIM, wait=0)
        other = serving.line()
        mirror = {**CLAIM, "scope": "mirror"}
        other.ask("acquire", claim=mirror, wait=0)
        for _ in range(10):
            time.sleep(0.5)
            other.send(id=0, ask="beat")
        assert [h["claim"]["scope"] for h in other.ask("status")["holders"]] == ["mirror"]
        assert silent.read() is None
    finally:
        serving.end()


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("nonsense", {}),
        ("acquire", {}),
        ("acquire", {"claim": {"scope": "moon"}, "wait": 0}),
        ("begin", {"intent": "now"}),
        ("report", {"event": "maybe", "message": ""}),
        ("prove", {"colour": "blue"}),
        ("may-remove", {}),
        ("may-remove", {"colour": "red"}),
        ("prove", {"colour": "red", "builds": {}}),
        ("prove", {"colour": "blue", "builds": {"web": 1}}),
        ("recover", {"claim": {**CLAIM, "extra": 1}, "wait": 0}),
    ],
)
def test_what_is_no_ask_is_refused_and_the_line_goes_on(serving: Serving, name: str, body: dict[str, Any]) -> None:
    line = serving.line()
    if name in ("begin", "report", "prove", "may-remove"):
        line.ask("acquire", claim=CLAIM, wait=0)
    assert line.refused(name, **body)["code"] == "protocol"
    assert line.ask("status")["live"] == "blue"


@pytest.mark.parametrize("text", [b"\n", b"{}\n", b"[]\n", b"\xff\xfe\n", b'{"id": "x", "ask": "status"}\n'])
def test_a_line_that_is_none_is_said_to_be_none(serving: Serving, text: bytes) -> None:
    line = serving.line()
    line._line.sendall(text)
    assert line.read()["error"]["code"] == "protocol"
    assert line.ask("status")["live"] == "blue"


def test_without_a_lease_nothing_is_changed(serving: Serving) -> None:
    line = serving.line()
    for name, body in (
        ("begin", {"intent": intent("p-1")}),
        ("report", {"event": "ok", "message": ""}),
        ("note", {"message": ""}),
        ("prove", {"colour": "blue", "builds": {}}),
        ("may-remove", {"colour": "green"}),
        ("held", {}),
    ):
        assert line.refused(name, **body)["code"] == "lease-lost"


def test_the_stewards_own_phase_is_not_reported_on_but_may_be_aborted(world: World) -> None:
    world.live()
    world.close()
    serving = Serving(world)
    pause = threading.Event()

    def linger() -> None:
        pause.wait(0.05)

    world.clock.on_sleep = linger
    try:
        line = serving.line()
        line.ask("acquire", claim=CLAIM, wait=0)
        slow = {**intent("p-1"), "watch": {**plain(WATCH), "lasts": 1000.0}}
        line.ask("begin", intent=slow)
        for message in ("checked", "deployed", "smoked"):
            line.ask("report", event="ok", message=message)
        for event in ("ok", "refused", "fault"):
            error = line.refused("report", event=event, message="done")
            assert error["code"] == "steward-acts"
            said = f"promotion p-1 is (flipping|watching), which the steward does alone: .* abort .*, not {event}"
            assert re.fullmatch(said, error["message"])
        line.ask("report", event="abort", message="stop")
        line.send(id=7, ask="follow", promotion="p-1", since=0)
        while "answer" not in (came := line.read()):
            last = came
        assert last["event"]["phase"] == "rolled-back"
    finally:
        pause.set()
        serving.end()


EVERY_ASK: dict[str, dict[str, Any]] = {
    "status": {},
    "acquire": {"claim": CLAIM, "wait": 0},
    "release": {},
    "begin": {"intent": {}},
    "report": {"event": "ok", "message": ""},
    "note": {"message": ""},
    "prove": {"colour": "blue", "builds": {}},
    "may-remove": {"colour": "green"},
    "go-back": {"claim": CLAIM},
    "incidents": {},
    "clear": {"claim": CLAIM, "incident": "i", "reason": "r"},
    "recover": {"claim": CLAIM, "wait": 0},
    "follow": {"promotion": "p-1", "since": 0},
}


def test_an_unreadable_journal_is_said_at_each_ask_until_it_is_put_back(world: World) -> None:
    world.live()
    world.close()
    path = world.volume / JOURNAL
    whole = path.read_bytes()
    path.write_bytes(b"spoilt")
    before, chart = world.switch.entry_now, (world.volume / MAP).read_text()
    serving = Serving(world)
    try:
        line = serving.line()
        for name, body in EVERY_ASK.items():
            error = line.refused(name, **body)
            assert error["code"] == "journal-unreadable", name
            assert "put the journal back" in error["hint"]
            assert "cd /run/otagate " in error["hint"]
        assert world.switch.entry_now == before
        assert (path.read_bytes(), (world.volume / MAP).read_text()) == (b"spoilt", chart)
        path.write_bytes(whole)
        assert line.ask("status")["live"] == "blue"
    finally:
        serving.end()


def test_a_second_steward_in_the_volume_ends_at_once(serving: Serving, world: World) -> None:
    with pytest.raises(SwitchFault) as second:
        Serving(world)
    assert second.value.code == "second-steward"
    assert serving.line().ask("status")["live"] == "blue"


def test_at_its_start_it_makes_the_switch_say_what_the_file_says(world: World) -> None:
    world.live()
    world.close()
    world.switch.entry_now = (Colour.GREEN, 40)
    serving = Serving(world)
    try:
        line = serving.line()
        end = time.monotonic() + 5
        while line.ask("status")["disagreements"] and time.monotonic() < end:
            time.sleep(0.02)
        assert world.switch.entry_now == (Colour.BLUE, 1)
    finally:
        serving.end()


def test_recover_by_a_line_mends_a_map_that_cannot_be_read(serving: Serving, world: World) -> None:
    (world.volume / MAP).write_text("activ")
    line = serving.line()
    end = time.monotonic() + 5
    while not (found := line.ask("status")["disagreements"]) and time.monotonic() < end:
        time.sleep(0.02)  # it settles what it found at its start, and says nothing of a turn under way
    assert "cannot be read" in found[0]
    assert line.ask("recover", claim=CLAIM, wait=0) is None
    assert line.ask("status")["disagreements"] == []
    assert holders(line) == []


@pytest.mark.parametrize("text", ["", "{}", "nonsense", '{"platform": "t"}'])
def test_a_topology_that_cannot_be_read_is_said(text: str) -> None:
    with pytest.raises(SwitchFault) as odd:
        topology_of(text)
    assert odd.value.code == "topology"


def test_the_relay_carries_lines_both_ways_and_ends_with_its_input(serving: Serving) -> None:
    ask_in, ask_out = os.pipe()
    say_in, say_out = os.pipe()
    ended: list[int] = []
    path = str(serving.volume / "steward.sock")
    running = threading.Thread(target=lambda: ended.append(relay(path, ask_in, say_out)))
    running.start()
    with open(say_in, "rb") as said, open(ask_out, "wb", buffering=0) as asks:
        asks.write(json.dumps({"id": 1, "ask": "hello", "source": SOURCE}).encode() + b"\n")
        assert json.loads(said.readline())["answer"] == {"source": SOURCE}
        asks.write(json.dumps({"id": 2, "ask": "acquire", "claim": CLAIM, "wait": 0}).encode() + b"\n")
        assert json.loads(said.readline())["answer"] == {"epoch": 2}
        asks.close()
        running.join(5)
        assert ended == [0]
    assert until_free(serving.line(), 10.0)
    os.close(ask_in)
    os.close(say_out)
