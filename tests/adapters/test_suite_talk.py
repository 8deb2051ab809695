"""The conversation with a child that does as the test says, piece by piece."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otagate.adapters import suite_talk
from otagate.adapters.suite_talk import ERR, OUT, Talk
from otagate.core.errors import EngineFault
from otagate.core.ledger import Balance
from tests.core.lines import ARGS, TOKEN, lines, sound
from tests.suite_folders import suite_run


class ScriptedChild:
    """Gives its `chunks` one by one, then its end. `status` None: it goes on after its streams closed."""

    def __init__(self, chunks: list[tuple[int, bytes]], status: int | None = 1, *, deaf: bool = False) -> None:
        self.chunks, self.status, self.deaf = chunks, status, deaf
        self.sent: list[Any] = []
        self.killed = False

    def receive(self, seconds: float) -> list[tuple[int, bytes]] | None:
        assert 0 <= seconds <= 1.0
        return [self.chunks.pop(0)] if self.chunks else None

    def send(self, data: bytes) -> None:
        if self.deaf:
            raise BrokenPipeError("nobody reads")
        assert data.endswith(b"\n")
        self.sent.append(json.loads(data))

    def wait(self, seconds: float) -> int | None:
        assert seconds > 0
        return self.status

    def kill(self) -> None:
        self.killed = True


Hold = Callable[..., Balance]


def answer(what: str, args: Mapping[str, Any]) -> Any:
    return f"{what} {args['service']}"


@pytest.fixture
def hold(tmp_path: Path) -> Hold:
    def hold(child: ScriptedChild, answer: Any = answer, **changes: Any) -> Balance:
        run = replace(suite_run(tmp_path, tmp_path / "output.txt"), **changes)
        return Talk(run, TOKEN, list(ARGS), answer, lambda _: None).hold(child)

    return hold


ACCOUNT = b"\n".join(lines(sound())) + b"\n"


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_lines_are_read_however_they_are_cut(size: int, hold: Hold) -> None:
    child = ScriptedChild([(OUT, ACCOUNT[i : i + size]) for i in range(0, len(ACCOUNT), size)])

    assert hold(child).flaws == ()
    assert child.sent == [{"token": TOKEN}, {"id": 1, "ok": True, "value": "restart web"}]
    assert not child.killed


def test_a_line_without_its_end_is_a_flaw(hold: Hold) -> None:
    assert "the suite's line ended in the middle of a message" in hold(ScriptedChild([(OUT, ACCOUNT[:-1])])).flaws


def test_a_refused_ask_is_told_to_the_case(hold: Hold) -> None:
    def refuse(*_: object) -> None:
        raise EngineFault("the engine does not answer")

    child = ScriptedChild([(OUT, ACCOUNT)])

    assert hold(child, refuse).flaws == ()
    assert child.sent[1] == {"id": 1, "ok": False, "error": "the engine does not answer"}


def test_an_answer_that_is_too_long_is_refused(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite_talk, "ANSWER_BYTES", 1 << 20)
    child = ScriptedChild([(OUT, ACCOUNT)])
    hold(child, lambda *_: "x" * (1 << 20))

    assert child.sent[1] == {"id": 1, "ok": False, "error": "the answer is longer than 1 MiB"}


def test_a_child_that_takes_no_answer_is_a_flaw(hold: Hold) -> None:
    assert (
        "the suite did not take what it was sent: nobody reads"
        in hold(ScriptedChild([(OUT, ACCOUNT)], deaf=True)).flaws
    )


def test_a_child_that_goes_on_after_its_streams_closed_is_killed_and_a_flaw(hold: Hold) -> None:
    child = ScriptedChild([(OUT, ACCOUNT)], status=None)

    assert hold(child).flaws == ("pytest closed its streams and did not end",)
    assert child.killed


def test_a_child_is_killed_when_the_deadline_has_passed(hold: Hold) -> None:
    child = ScriptedChild([(OUT, ACCOUNT)])

    assert hold(child, deadline=0.0).flaws == ("deadline of 0 s passed",)
    assert child.killed


def test_a_child_is_killed_when_the_gate_itself_breaks(hold: Hold) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    child = ScriptedChild([(OUT, ACCOUNT)])

    with pytest.raises(KeyboardInterrupt):
        hold(child, interrupt)
    assert child.killed


@pytest.mark.parametrize(
    ("limit", "stream", "flaw"),
    [
        ("STREAM_BYTES", OUT, "the suite told more than 1 MiB"),
        ("LINE_BYTES", OUT, "a line of the suite is longer than 1 MiB"),
        ("OUTPUT_BYTES", ERR, "the suite printed more than 1 MiB"),
    ],
)
def test_a_flood_ends_the_run(limit: str, stream: int, flaw: str, hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite_talk, limit, 1 << 20)
    child = ScriptedChild([(stream, b"x" * (1 << 16))] * 100)

    assert hold(child).flaws[0] == flaw
    assert child.killed
    assert len(child.chunks) == 83, "nothing is read beyond the limit"


def test_a_forged_line_on_the_error_stream_is_seen_however_it_is_cut(hold: Hold) -> None:
    cut = ScriptedChild([(OUT, ACCOUNT), (ERR, b'said {"ota'), (ERR, b'gate":1,"kind":"end"}\n')])
    honest = ScriptedChild([(OUT, ACCOUNT), (ERR, b'said {"otagate": "is a gate"}\n')])

    assert hold(cut).flaws == ("a line of the gate's own form on the error stream",)
    assert hold(honest).flaws == ()


def test_what_the_child_printed_is_kept_spelled_out(hold: Hold, tmp_path: Path) -> None:
    hold(ScriptedChild([(ERR, "Grö".encode()[:3]), (ERR, "Grö".encode()[3:] + b"\x1b[1m\tx\n\xff")]))

    assert (tmp_path / "output.txt").read_text() == "Grö\\x1b[1m\tx\n\ufffd"


def test_the_last_words_of_a_child_that_never_began_are_told(hold: Hold) -> None:
    child = ScriptedChild([(ERR, b"Traceback\nImportError: no module\n\n")], status=1)

    assert hold(child).flaws == ("pytest ended with 1 before its session began: ImportError: no module",)


def test_no_secret_is_kept_of_what_it_prints_or_tells(hold: Hold, tmp_path: Path) -> None:
    told = sound()
    told[8].update(message="login as s3cr3t-w0rd", detail="password='s3cr3t-w0rd'")
    account = b"\n".join(lines(told)) + b"\n"
    child = ScriptedChild([(OUT, account), (ERR, b"env: s3cr3t"), (ERR, b"-w0rd\nand again s3cr3t-w0rd")])

    balance = hold(child, secrets={"pw": b"s3cr3t-w0rd"})

    assert balance.flaws == ()
    assert (balance.cases[1].message, balance.cases[1].detail) == ("login as ***", "password='***'")
    assert (tmp_path / "output.txt").read_text() == "env: ***\nand again ***"
