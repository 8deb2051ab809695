"""Asking the steward through an engine: the exec's framed stream stood in for by a socket pair and a real steward."""

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import requests

from otagate.adapters import steward_client
from otagate.adapters.steward_client import StewardClient
from otagate.core.canonical import plain
from otagate.core.errors import Busy, Refused, SwitchFault
from otagate.core.promotion import Event, Phase
from otagate.core.traffic import Claim, Scope, Status, SwitchView

CLAIM = Claim(Scope.PLATFORM, "alice", "alice@here:1", "otagate promote", "a test")
Say = Callable[[dict[str, Any]], list[dict[str, Any]]]


def frame(content: bytes, channel: int = 1) -> bytes:
    return struct.pack(">BxxxL", channel, len(content)) + content


class Exec:
    """The far end of one exec: each line asked is answered by `say`, framed as an engine frames it, in odd pieces."""

    def __init__(self, say: Say) -> None:
        self.near, self._far = socket.socketpair()
        self.say = say
        self.heard: list[str] = []
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._far, self._far.makefile("rb") as lines, contextlib.suppress(OSError):
            for text in lines:
                body = json.loads(text)
                self.heard.append(body["ask"])
                for answer in self.say(body):
                    self.tell(answer)
        self.ended.set()

    def tell(self, answer: dict[str, Any]) -> None:
        if "raw" in answer:
            self._far.sendall(answer["raw"])
            return
        if "hang up" in answer:
            self._far.shutdown(socket.SHUT_RDWR)
            return
        content = json.dumps(answer).encode() + b"\n"
        half = len(content) // 2
        for part in (content[:half], content[half:]):
            framed = frame(part)
            self._far.sendall(framed[:3])
            self._far.sendall(framed[3:])

    def close(self) -> None:
        self.near.close()
        self._thread.join(5)


class Engine:
    """Just enough of an engine's client: containers by label, and execs."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.status = "running"
        self.found = True
        self.gone = False
        self.asked_for: Any = None
        self.execs: list[Exec] = []
        self.api = self.containers = self

    def list(self, **options: Any) -> list[Any]:
        self.asked_for = options["filters"]["label"]
        if self.gone:
            raise requests.ConnectionError("no route")
        container = type("Container", (), {"id": "c1", "name": "t-shared-steward", "status": self.status})
        return [container] if self.found else []

    def exec_create(self, container: str, command: Sequence[str], **options: Any) -> dict[str, str]:
        assert (container, command) == ("c1", ["python", "-m", "otagate.steward", "session"])
        assert options == {"stdin": True, "stdout": True, "stderr": True}
        return {"Id": "e1"}

    def exec_start(self, identity: str, *, socket: bool) -> socket.SocketIO:
        assert identity == "e1"
        assert socket
        self.execs.append(Exec(self.say))
        stream: Any = self.execs[-1].near.makefile("rwb", buffering=0)
        return stream  # type: ignore[no-any-return]


def polite(say: Say) -> Say:
    """Greets, acknowledges what needs no thought, and leaves the rest to `say`."""

    def answer(body: dict[str, Any]) -> list[dict[str, Any]]:
        if body["ask"] == "beat":
            return []
        plain = {"hello": {"source": "s"}, "acquire": {"epoch": 5}, "release": None}
        if body["ask"] in plain:
            return [{"id": body["id"], "answer": plain[body["ask"]]}]
        return say(body)

    return answer


@pytest.fixture
def client() -> Iterator[Callable[[Say], tuple[StewardClient, Engine]]]:
    engines = []

    def make(say: Say) -> tuple[StewardClient, Engine]:
        engine = Engine(polite(say))
        engines.append(engine)
        return StewardClient(lambda: engine, "t", "sha256:s", deadline=0.5), engine  # type: ignore[arg-type, return-value]

    yield make
    for engine in engines:
        for end in engine.execs:
            end.close()


Make = Callable[[Say], tuple[StewardClient, Engine]]


def error(kind: str, code: str = "c") -> Say:
    return lambda body: [{"id": body["id"], "error": {"kind": kind, "code": code, "message": "no", "hint": "do"}}]


def test_the_steward_is_found_by_its_labels(client: Make) -> None:
    steward, engine = client(lambda _: [])
    assert steward.present()
    assert engine.asked_for == ["otagate.platform=t", "otagate.service=steward"]


def test_answers_come_whole_however_the_stream_is_cut(client: Make) -> None:
    steward, engine = client(lambda body: [{"id": body["id"], "answer": "deploying"}])
    with steward.lease(CLAIM, 0) as hold:
        assert hold.epoch == 5
        assert hold.report(Event.OK, "fine") is Phase.DEPLOYING
    assert engine.execs[0].heard == ["hello", "acquire", "report", "release"]
    assert engine.execs[0].ended.wait(2), "the exec ends with the lease"


@pytest.mark.parametrize(
    ("kind", "raised"), [("Busy", Busy), ("Refused", Refused), ("SwitchFault", SwitchFault), ("Odd", SwitchFault)]
)
def test_what_the_steward_raises_is_raised_here(client: Make, kind: str, raised: type[Exception]) -> None:
    steward, _ = client(error(kind, "some-code"))
    with steward.lease(CLAIM, 0) as hold, pytest.raises(raised) as got:
        hold.report(Event.OK, "")
    fault: Any = got.value
    assert (fault.code, fault.message, fault.hint) == ("some-code", "no", "do")


def test_a_steward_that_is_silent_is_a_fault_within_the_deadline(client: Make) -> None:
    steward, _ = client(lambda _: [])
    began = time.monotonic()
    with pytest.raises(SwitchFault) as silent:
        steward.status()
    assert silent.value.code == "steward-silent"
    assert "outcome unknown" in silent.value.hint
    assert time.monotonic() - began < 2


def test_an_answer_to_an_ask_given_up_is_not_taken_for_the_next_ones(client: Make) -> None:
    late: list[int] = []

    def say(body: dict[str, Any]) -> list[dict[str, Any]]:
        if body["message"] == "first":
            late.append(body["id"])
            return []
        return [{"id": late[0], "answer": "abandoned"}, {"id": body["id"], "answer": "smoking"}]

    steward, _ = client(say)
    with steward.lease(CLAIM, 0) as hold:
        with pytest.raises(SwitchFault):
            hold.report(Event.OK, "first")
        assert hold.report(Event.OK, "second") is Phase.SMOKING


def test_a_steward_that_is_lost_says_its_last_words(client: Make) -> None:
    steward, _ = client(lambda _: [{"raw": frame(b"killed: out of memory\n", 2)}, {"hang up": True}])
    with pytest.raises(SwitchFault) as lost, steward.lease(CLAIM, 0) as hold:
        hold.note("")
    assert lost.value.code == "steward-lost"
    assert "out of memory" in lost.value.message


@pytest.mark.parametrize("raw", [b"garbage\n" * 4, frame(b"no json\n"), b"\x01\x00"])
def test_a_garbled_stream_is_a_lost_steward(client: Make, raw: bytes) -> None:
    steward, _ = client(lambda _: [{"raw": raw}, {"hang up": True}])
    with pytest.raises(SwitchFault) as lost:
        steward.status()
    assert lost.value.code == "steward-lost"


def test_an_answer_of_odd_shape_is_a_fault_not_a_status(client: Make) -> None:
    steward, _ = client(lambda body: [{"id": body["id"], "answer": {"live": "red"}}])
    with pytest.raises(SwitchFault) as odd:
        steward.status()
    assert odd.value.code == "protocol"


STATUS = plain(Status("s", None, 0, {}, SwitchView(None, None, None, None), None, (), (), None, 1.0))
EVENT = {"at": 1.0, "happening": "step", "phase": "watching", "message": "m", "data": {}}


def test_who_follows_goes_on_where_a_restarted_steward_left_off(client: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    since: list[int] = []

    def say(body: dict[str, Any]) -> list[dict[str, Any]]:
        since.append(body["since"])
        first = {"id": body["id"], "seq": body["since"] + 1, "event": EVENT}
        return [first, {"hang up": True}] if len(since) < 3 else [first, {"id": body["id"], "answer": None}]

    steward, engine = client(say)
    assert len(list(steward.follow("p-1"))) == 3
    assert since == [0, 1, 2]
    assert len(engine.execs) == 3
    monkeypatch.setattr(steward_client, "_AGAIN", 0.5)
    engine.say = polite(lambda _: [{"hang up": True}])
    with pytest.raises(SwitchFault):
        list(steward.follow("p-1"))


def test_a_steward_that_falls_silent_is_asked_and_followed_no_longer(
    client: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steward_client, "_QUIET", 0.1)
    steward, engine = client(lambda body: [{"id": body["id"], "seq": 1, "event": EVENT}] * (body["ask"] == "follow"))
    events = steward.follow("p-1")
    next(events)
    with pytest.raises(SwitchFault) as silent:
        next(events)
    assert silent.value.code == "steward-silent"
    assert [ask for one in engine.execs for ask in one.heard] == ["hello", "follow", "hello", "status"]


def test_a_steward_that_is_paused_while_it_is_followed_is_told_with_its_remedy(
    client: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steward_client, "_QUIET", 0.1)
    monkeypatch.setattr(steward_client, "_AGAIN", 1.0)
    steward, engine = client(lambda body: [{"id": body["id"], "seq": 1, "event": EVENT}])
    events = steward.follow("p-1")
    next(events)
    engine.status = "paused"
    with pytest.raises(SwitchFault) as paused:
        next(events)
    assert (paused.value.code, paused.value.hint) == ("steward-stopped", "docker unpause t-shared-steward")


def test_a_steward_that_has_nothing_to_tell_for_long_is_followed_on(
    client: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steward_client, "_QUIET", 0.1)
    following: list[tuple[Any, int]] = []

    def say(body: dict[str, Any]) -> list[dict[str, Any]]:
        if body["ask"] == "follow":
            following.append((engine.execs[-1], body["id"]))
            return []
        (end, number), *_ = following
        end.tell({"id": number, "seq": 1, "event": EVENT})
        end.tell({"id": number, "answer": None})
        return [{"id": body["id"], "answer": STATUS}]

    steward, engine = client(say)
    assert len(list(steward.follow("p-1"))) == 1
    assert len(following) == 1


def test_a_steward_that_had_nothing_to_tell_for_long_is_waited_for_as_long_as_any_when_it_is_lost(
    client: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steward_client, "_QUIET", 0.1)
    monkeypatch.setattr(steward_client, "_AGAIN", 1.0)
    following: list[Any] = []

    def say(body: dict[str, Any]) -> list[dict[str, Any]]:
        told = {"id": body["id"], "seq": 1, "event": EVENT}
        if body["ask"] == "follow":
            following.append(engine.execs[-1])
            return ([told], [{"hang up": True}], [told, {"id": body["id"], "answer": None}])[len(following) - 1]
        if time.monotonic() > ends:
            following[0].tell({"hang up": True})
        return [{"id": body["id"], "answer": STATUS}]

    steward, engine = client(say)
    ends = time.monotonic() + 1.5
    assert len(list(steward.follow("p-1"))) == 2
    assert len(following) == 3


def test_where_there_is_no_steward_running_the_hint_says_what_to_do(client: Make) -> None:
    steward, engine = client(lambda _: [])
    engine.status = "exited"
    with pytest.raises(SwitchFault) as stopped:
        steward.status()
    assert (stopped.value.code, "docker start t-shared-steward" in stopped.value.hint) == ("steward-stopped", True)
    engine.found = False
    assert not steward.present()
    with pytest.raises(SwitchFault) as none:
        steward.status()
    assert (none.value.code, "otagate up" in none.value.hint) == ("no-steward", True)
    engine.gone = True
    with pytest.raises(SwitchFault) as away:
        steward.present()
    assert away.value.code == "engine"


def test_a_lease_beats_while_it_is_held(client: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steward_client, "_BEAT", 0.05)
    steward, engine = client(lambda _: [])
    with steward.lease(CLAIM, 0):
        time.sleep(0.3)
    assert engine.execs[0].heard.count("beat") >= 3


def test_an_interrupt_inside_the_lease_still_gives_it_back(client: Make) -> None:
    steward, engine = client(lambda _: [])
    with pytest.raises(KeyboardInterrupt), steward.lease(CLAIM, 0):
        raise KeyboardInterrupt
    assert engine.execs[0].heard[-1] == "release"
