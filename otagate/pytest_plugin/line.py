"""The line between a suite's run and the gate."""

import json
import os
import select
import threading
from collections.abc import Mapping
from time import monotonic
from typing import Any

PREFIX = '{"otagate":1,'  # how every line begins; nothing else may print it
ASK_SECONDS = 120.0


class GateError(RuntimeError):
    """The gate answered an ask with no."""


class Line:
    """The way to the gate. Only the process that opened it speaks: a forked child has no say."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._out, self._in = os.dup(1), os.dup(0)
        os.dup2(2, 1)
        with open(os.devnull) as nothing:
            os.dup2(nothing.fileno(), 0)
        self._held = b""
        self._writing, self._asking = threading.Lock(), threading.Lock()
        self._number = self._asks = 0
        self._token = str(self._hear(ASK_SECONDS)["token"])

    def tell(self, kind: str, **fields: Any) -> None:
        if os.getpid() != self._process:
            return
        with self._writing:
            message = {"otagate": 1, "token": self._token, "number": self._number, "kind": kind, **fields}
            self._number += 1
            left = memoryview(json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n")
            while left:
                left = left[os.write(self._out, left) :]

    def ask(self, what: str, args: Mapping[str, Any], seconds: float) -> Any:
        with self._asking:
            self._asks += 1
            self.tell("ask", id=self._asks, what=what, args=dict(args))
            answer = self._hear(seconds)
            if answer["id"] != self._asks or not answer["ok"]:
                raise GateError(f"{what}: {answer.get('error', 'the answer is to another question')}")
            return answer["value"]

    def _hear(self, seconds: float) -> Any:
        end = monotonic() + seconds
        while b"\n" not in self._held:
            if not select.select([self._in], [], [], max(0.0, end - monotonic()))[0]:
                raise GateError(f"the gate did not answer within {seconds:g} s")
            more = os.read(self._in, 1 << 16)
            if not more:
                raise GateError("the gate is gone")
            self._held += more
        line, self._held = self._held.split(b"\n", 1)
        return json.loads(line)
