"""HAProxy's Runtime API against a socket that answers as told: what is odd, slow or cut off is never taken for done."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otagate.adapters.haproxy import HAProxy
from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.switch import MAP_PATH, OpenSession


class Told:
    """Answers each command with what `says` returns; None: never answers."""

    def __init__(self, path: Path) -> None:
        self.heard: list[str] = []
        self.says: Callable[[str], bytes | None] = lambda _command: b"\n"
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(path))
        self._listening.listen()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            command = line.recv(65536).decode().strip()
            self.heard.append(command)
            answer = self.says(command)
            if answer is None:
                self._open.append(line)
            else:
                with contextlib.suppress(OSError):  # whoever asked may have given up
                    line.sendall(answer)
                line.close()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for line in self._open:
            line.close()
        self._thread.join(5)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    made = Told(tmp_path / "admin.sock")
    yield made
    made.close()


@pytest.fixture
def switch(tmp_path: Path) -> HAProxy:
    return HAProxy(str(tmp_path / "admin.sock"), deadline=0.3)


def test_the_entry_is_read_from_the_map_at_run_time(told: Told, switch: HAProxy) -> None:
    told.says = lambda _: b"0x1 active green\n0x2 epoch 7\n\n"
    assert switch.entry() == (Colour.GREEN, 7)
    assert told.heard == [f"show map {MAP_PATH}"]


@pytest.mark.parametrize(
    "answer",
    [b"", b"\n", b"Unknown map identifier. Please use #<id> or <file>.\n", b"0x1 active red\n0x2 epoch 1\n",
     b"0x1 active blue\n", b"0x1 active blue\n0x3 active green\n0x2 epoch 1\n", b"0x1 active blue\n0x2 epoch x\n"],
)  # fmt: skip
def test_an_odd_map_is_a_fault_and_no_colour(told: Told, switch: HAProxy, answer: bytes) -> None:
    told.says = lambda _: answer
    with pytest.raises(SwitchFault) as odd:
        switch.entry()
    assert odd.value.code == "switch-map"


def test_a_flip_is_done_only_if_the_switch_says_exactly_that(told: Told, switch: HAProxy) -> None:
    told.says = lambda _: b"OK blue -> green epoch 8\n\n"
    assert switch.flip(Colour.BLUE, Colour.GREEN, 8) == ""
    assert told.heard == ["otagate flip blue green 8"]
    told.says = lambda _: b"OK blue -> green epoch 9\n\n"
    assert switch.flip(Colour.BLUE, Colour.GREEN, 8) != ""


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"ERR no server up: web_green\n\n", "no server up: web_green"),
        (b"ERR active is green, not blue\n\n", "active is green, not blue"),
        (b"Unknown command: 'otagate', but maybe ...\n", "Unknown command: 'otagate', but maybe ..."),
        (b"Permission denied\n\n", "Permission denied"),
        (b"\n", "an empty answer"),
        (b"", "an empty answer"),
    ],
)
def test_anything_else_is_a_refusal_with_its_words(told: Told, switch: HAProxy, answer: bytes, why: str) -> None:
    told.says = lambda _: answer
    assert switch.flip(Colour.BLUE, Colour.GREEN, 8) == why
    with pytest.raises(SwitchFault, match="would not take its map over"):
        switch.restore(Colour.BLUE, 8)


def test_flip_and_restore_are_said_as_the_switch_knows_them(told: Told, switch: HAProxy) -> None:
    told.says = lambda c: b"OK blue epoch 3\n" if "restore" in c else b"OK green -> blue epoch 3\n"
    assert switch.flip(Colour.GREEN, Colour.BLUE, 3) == ""
    switch.restore(Colour.BLUE, 3)
    assert told.heard == ["otagate flip green blue 3", "otagate restore blue 3"]


def test_a_hold_is_said_and_let_go_as_the_switch_knows_it(told: Told, switch: HAProxy) -> None:
    told.says = lambda c: b"OK held\n" if "hold" in c else b"OK passed, longest 1250\n"
    assert switch.hold(7) == ""
    assert switch.release() == 1.25
    assert told.heard == ["otagate hold 7", "otagate release"]
    told.says = lambda c: b"OK blue -> green epoch 8\n" if c.endswith(" held") else b"ERR held already\n"
    assert switch.flip(Colour.BLUE, Colour.GREEN, 8, held=True) == ""
    assert switch.hold(7) == "held already"
    with pytest.raises(SwitchFault, match="would not release"):
        switch.release()


SESSION = OpenSession("0x7f", "10.0.0.1:104", "dicom_blue", "4s")


def test_a_session_is_cut_only_if_the_switch_says_nothing(told: Told, switch: HAProxy) -> None:
    told.says = lambda _: b"0x7f: proto=tcpv4 src=10.0.0.1:104 fe=dicom be=dicom_blue srv=s1 ts=00 epoch=0 age=4s\n\n"
    assert switch.open_sessions() == (SESSION,)
    told.says = lambda _: b"\n"
    assert switch.cut(SESSION)
    assert told.heard[-1] == "shutdown session 0x7f"
    told.says = lambda _: b"No such session (use 'show sess').\n\n"
    assert not switch.cut(SESSION), "it had ended by itself"
    told.says = lambda _: b"Permission denied\n\n"
    with pytest.raises(SwitchFault, match="would not end a session: Permission denied"):
        switch.cut(SESSION)
    with pytest.raises(SwitchFault, match="cannot be read"):
        switch.open_sessions()


def test_a_switch_that_does_not_answer_is_a_fault_within_its_deadline(told: Told, switch: HAProxy) -> None:
    told.says = lambda _: None
    for ask in (switch.entry, switch.counts, lambda: switch.flip(Colour.BLUE, Colour.GREEN, 2)):
        with pytest.raises(SwitchFault) as away:
            ask()
        assert away.value.code == "switch-away"
        assert away.value.hint


def test_nobody_at_the_socket_is_a_fault_of_its_own(tmp_path: Path) -> None:
    """No file, and the file of a process that has ended: neither can pass anything."""
    path = str(tmp_path / "nobody.sock")
    for _ in range(2):
        with pytest.raises(SwitchFault) as gone:
            HAProxy(path).counts()
        assert gone.value.code == "switch-gone"
        with socket.socket(socket.AF_UNIX) as ended:
            if not Path(path).exists():
                ended.bind(path)


def test_a_process_that_takes_no_more_lines_is_not_gone(tmp_path: Path) -> None:
    """It stands still and may pass traffic: its queue is full, nobody refused."""
    path = str(tmp_path / "full.sock")
    with socket.socket(socket.AF_UNIX) as full, contextlib.ExitStack() as lines:
        full.bind(path)
        full.listen(0)
        with contextlib.suppress(BlockingIOError):
            for _ in range(5):
                line = lines.enter_context(socket.socket(socket.AF_UNIX))
                line.setblocking(False)
                line.connect(path)
        with pytest.raises(SwitchFault) as away:
            HAProxy(path, deadline=0.2).entry()
    assert away.value.code == "switch-away"


def test_an_answer_without_end_is_given_up(told: Told, switch: HAProxy) -> None:
    told.says = lambda _: b"x" * 5_000_000
    with pytest.raises(SwitchFault, match="without end"):
        switch.ask("show stat")


@pytest.mark.parametrize("answer", [b"", b"nonsense\n", b"# pxname,svname\nweb,BACKEND\n", b"\xff\xfe\n"])
def test_odd_statistics_are_a_fault_and_no_health(told: Told, switch: HAProxy, answer: bytes) -> None:
    told.says = lambda _: answer
    with pytest.raises(SwitchFault):
        switch.counts()


def test_copies_are_armed_only_if_the_switch_says_exactly_that(told: Told, switch: HAProxy) -> None:
    told.says = lambda _: b"OK web 100\n\n"
    switch.arm_shadow("web", 2.5, 100)
    assert told.heard == ["otagate shadow arm web 2500 100"]
    told.says = lambda _: b"Unknown command: 'otagate shadow'\n"
    with pytest.raises(SwitchFault) as odd:
        switch.arm_shadow("web", 2.5, 100)
    assert odd.value.code == "switch-shadow"


def test_copies_are_taken_whole_or_not_at_all(told: Told, switch: HAProxy) -> None:
    first, second = (f"GET /{n}\nhost: a".encode().hex() for n in (1, 2))
    told.says = lambda _: f"OK 2 5\n{first}\n{second}\n\n".encode()
    assert switch.take_shadow("web") == ((b"GET /1\nhost: a", b"GET /2\nhost: a"), 5)
    for odd in (b"OK 2 0\n41\n\n", b"OK 1 0\nxyz\n\n", b"\n", b"ERR no shadow at listener web\n\n"):
        told.says = lambda _, odd=odd: odd  # type: ignore[misc]
        with pytest.raises(SwitchFault):
            switch.take_shadow("web")
