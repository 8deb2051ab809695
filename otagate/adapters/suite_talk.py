"""The conversation with a running suite: its lines into the ledger, its asks to the gate, its words to a file."""

import codecs
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Protocol

from otagate.core.errors import OtagateError
from otagate.core.ledger import Ask, Balance, Ledger, Step
from otagate.core.redaction import Redactor
from otagate.core.stream import LINE_BYTES, PREFIX
from otagate.core.text import printable
from otagate.ports import Answer, Progress, SuiteRun, Tell

STREAM_BYTES = 256 * 1024 * 1024
OUTPUT_BYTES = 16 * 1024 * 1024
ANSWER_BYTES = 32 * 1024 * 1024
LINGER_SECONDS = 10.0  # between the end of its streams and its own end
OUT, ERR = 1, 2
_UNWRITTEN_CHARS = 64 * 1024


class Child(Protocol):
    """A started pytest with its three streams."""

    def receive(self, seconds: float) -> list[tuple[int, bytes]] | None:
        """What came (stream, bytes) within `seconds`; None at the end of both streams."""

    def send(self, data: bytes) -> None:
        """OSError if it does not take it."""

    def wait(self, seconds: float) -> int | None:
        """Its exit status; None if it has not ended within `seconds`."""

    def kill(self) -> None: ...


class _Cut(Exception):
    """The parent ends the run; the text is the flaw."""


class Talk:
    """One run's conversation. `arguments` is what pytest was started with."""

    def __init__(self, run: SuiteRun, token: str, arguments: list[str], answer: Answer, tell: Tell) -> None:
        self._run, self._answer, self._tell = run, answer, tell
        self._token = token
        self._ledger = Ledger(token, arguments, run.secrets.values())
        self._redact = Redactor(run.secrets.values())
        self._unwritten = ""
        self._end = time.monotonic() + run.deadline
        self._held = bytearray()
        self._streamed = self._written = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._last = b""

    def hold(self, child: Child) -> Balance:
        """Until the child ends, the deadline passes or a limit is reached; the child is dead afterwards."""
        cut, status = "", None
        with _output(self._run.output) as file:
            try:
                self._send(child, {"token": self._token})
                self._listen(child, file)
                status = child.wait(max(0.1, min(LINGER_SECONDS, self._left())))
                if status is None:
                    cut = "pytest closed its streams and did not end"
            except _Cut as reason:
                cut = str(reason)
            finally:
                self._flush(file, self._unwritten)
                if status is None:
                    child.kill()
        return self._ledger.settle(status, now=time.time(), cut=cut, said=self._said())

    def _left(self) -> float:
        return self._end - time.monotonic()

    def _listen(self, child: Child, file: IO[str]) -> None:
        while True:
            if self._left() <= 0:
                raise _Cut(f"deadline of {self._run.deadline:g} s passed")
            chunks = child.receive(min(1.0, self._left()))
            if chunks is None:
                break
            for stream, data in chunks:
                if stream == OUT:
                    self._hear(child, data)
                else:
                    self._write(file, data)
        if self._held:
            self._ledger.flaw("the suite's line ended in the middle of a message")

    def _hear(self, child: Child, data: bytes) -> None:
        self._streamed += len(data)
        if self._streamed > STREAM_BYTES:
            raise _Cut(f"the suite told more than {STREAM_BYTES >> 20} MiB")
        *lines, rest = (bytes(self._held) + data).split(b"\n") if b"\n" in data else [data]
        if lines:
            self._held = bytearray(rest)
        else:
            self._held += rest
        if len(self._held) > LINE_BYTES or any(len(line) > LINE_BYTES for line in lines):
            raise _Cut(f"a line of the suite is longer than {LINE_BYTES >> 20} MiB")
        for line in lines:
            self._enter(child, line)

    def _enter(self, child: Child, line: bytes) -> None:
        match self._ledger.take(line):
            case Ask() as ask:
                self._reply(child, ask)
            case Step(case=None, total=total):
                self._tell(Progress("suite", self._run.suite, f"{total} cases collected", 0, total))
            case Step(case=case, done=done, total=total) if case is not None:
                self._tell(Progress("suite", self._run.suite, f"{case.outcome}: {case.id}", done, total))

    def _reply(self, child: Child, ask: Ask) -> None:
        args = dict(ask.args)
        if "deadline" in args:
            args["deadline"] = max(0.0, min(args["deadline"], self._left()))
        try:
            reply = {"id": ask.id, "ok": True, "value": self._answer(ask.what, args)}
        except OtagateError as error:
            reply = {"id": ask.id, "ok": False, "error": error.message}
        if len(json.dumps(reply)) > ANSWER_BYTES:
            reply = {"id": ask.id, "ok": False, "error": f"the answer is longer than {ANSWER_BYTES >> 20} MiB"}
        self._send(child, reply)

    def _send(self, child: Child, message: object) -> None:
        try:
            child.send(json.dumps(message).encode() + b"\n")
        except OSError as error:
            self._ledger.flaw(f"the suite did not take what it was sent: {error}")

    def _write(self, file: IO[str], data: bytes) -> None:
        if PREFIX in self._last + data:
            self._ledger.flaw("a line of the gate's own form on the error stream")
        self._last = (self._last + data)[-4096:]
        self._written += len(data)
        if self._written > OUTPUT_BYTES:
            raise _Cut(f"the suite printed more than {OUTPUT_BYTES >> 20} MiB")
        self._unwritten += self._decoder.decode(data)
        if len(self._unwritten) > _UNWRITTEN_CHARS or "\n" in self._unwritten:
            whole, end, rest = self._unwritten.rpartition("\n")
            self._flush(file, whole + end or rest)
            self._unwritten = rest if end else ""

    def _flush(self, file: IO[str], text: str) -> None:
        """By whole lines: a secret that is cut in two would not be known again."""
        text = self._redact(text)
        file.write(printable(text, 10 * len(text) + 1, lines=True))

    def _said(self) -> str:
        lines = [line.strip() for line in self._last.decode("utf-8", "replace").splitlines()]
        return next((line for line in reversed(lines) if line), "")


@contextmanager
def _output(path: str) -> Iterator[IO[str]]:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        yield file
