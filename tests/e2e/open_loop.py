"""Load that does not wait for answers: requests fall due at random moments, whether earlier ones were answered or not.

Four streams over two listeners: kept-alive GETs, GETs on a new connection each, POSTs that take 20 ms, and TCP
connections that are told the colour. A process of its own, so that what is measured shares no interpreter with who
measures: `python -m tests.e2e.open_loop WEB_PORT TCP_PORT RATE OUT`, until stdin ends. TCP_PORT 0: HTTP alone.
"""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

HOST = "127.0.0.1"
SHARES = {"kept": 0.5, "fresh": 0.2, "post": 0.1, "tcp": 0.2}
DEADLINE = 10.0


@dataclass(frozen=True)
class Ask:
    """One request. Monotonic seconds; `colour` "" where no whole answer came or its status was 500 or above."""

    stream: str
    due: float
    sent: float
    done: float
    colour: str

    @property
    def listener(self) -> str:
        return "tcp" if self.stream == "tcp" else "web"


class Line(asyncio.Protocol):
    """One HTTP connection; `ask` sends one request and waits for its whole answer."""

    def __init__(self) -> None:
        self.lost = False
        self.buffer = b""
        self.waiting: asyncio.Future[tuple[int, str]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, gap, rest = self.buffer.partition(b"\r\n\r\n")
        if not gap or self.waiting is None:
            return
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if len(rest) >= int(fields.get(b"content-length", b"0")):
            answer = int(head.split(b" ", 2)[1]), fields.get(b"x-otagate-colour", b"").decode()
            self.buffer = b""
            if not self.waiting.done():
                self.waiting.set_result(answer)
            self.waiting = None

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(error or ConnectionResetError("closed without an answer"))

    async def ask(self, request: bytes) -> tuple[int, str]:
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.waiting


class Client:
    """Sends until told to end; `asks` grows."""

    def __init__(self, web: int, tcp: int, rate: float) -> None:
        self.web, self.tcp = web, tcp
        self.asks: list[Ask] = []
        self.idle: dict[str, list[Line]] = {"kept": [], "post": []}
        self.ends = asyncio.Event()
        whole = sum(share for stream, share in SHARES.items() if tcp or stream != "tcp")
        self.rates = {s: rate * share / whole for s, share in SHARES.items() if tcp or s != "tcp"}

    async def run(self) -> None:
        kinds: dict[str, Callable[[], Awaitable[tuple[int, str]]]] = {
            "kept": lambda: self.kept("kept", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
            "post": lambda: self.kept("post", b"POST /work HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"),
            "fresh": self.fresh,
            "tcp": self.greeted,
        }
        await asyncio.gather(*(self.stream(name, rate, kinds[name]) for name, rate in self.rates.items()))

    async def stream(self, name: str, rate: float, ask: Callable[[], Awaitable[tuple[int, str]]]) -> None:
        due = time.monotonic()
        running: set[asyncio.Task[None]] = set()
        while not self.ends.is_set():
            due += random.expovariate(rate)
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self.one(name, due, ask))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)

    async def one(self, name: str, due: float, ask: Callable[[], Awaitable[tuple[int, str]]]) -> None:
        sent = time.monotonic()
        try:
            code, colour = await asyncio.wait_for(ask(), DEADLINE)
        except (OSError, ValueError, TimeoutError):
            code, colour = 0, ""
        self.asks.append(Ask(name, due, sent, time.monotonic(), colour if 0 < code < 500 else ""))

    async def line(self) -> Line:
        _, line = await asyncio.get_running_loop().create_connection(Line, HOST, self.web)
        return line

    async def kept(self, pool: str, request: bytes) -> tuple[int, str]:
        """On an idle connection that nobody closed, else on a new one; never sent twice."""
        lines = self.idle[pool]
        while lines and lines[-1].lost:
            lines.pop()
        line = lines.pop() if lines else await self.line()
        answer = await line.ask(request)
        if not line.lost:
            lines.append(line)
        return answer

    async def fresh(self) -> tuple[int, str]:
        line = await self.line()
        try:
            return await line.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        finally:
            line.transport.close()

    async def greeted(self) -> tuple[int, str]:
        reader, writer = await asyncio.open_connection(HOST, self.tcp)
        try:
            said = (await reader.read(64)).decode().strip()
            return (200, said) if said else (0, "")
        finally:
            writer.close()


class OpenLoop:
    """The client's process, from entry to exit; `asks` holds all of it afterwards."""

    def __init__(self, web: int, tcp: int, rate: float, folder: Path) -> None:
        self._out = folder / "asks.json"
        words = ["-m", "tests.e2e.open_loop", str(web), str(tcp), str(rate), str(self._out)]
        self._process = subprocess.Popen([sys.executable, *words], stdin=subprocess.PIPE)
        self.asks: list[Ask] = []

    def __enter__(self) -> "OpenLoop":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        if kind is None:
            self.asks = [Ask(*row) for row in json.loads(self._out.read_text())]


async def _main(web: int, tcp: int, rate: float, out: Path) -> None:
    client = Client(web, tcp, rate)
    loop = asyncio.get_running_loop()
    loop.run_in_executor(None, lambda: (sys.stdin.read(), loop.call_soon_threadsafe(client.ends.set)))
    await client.run()
    out.write_text(json.dumps([[a.stream, a.due, a.sent, a.done, a.colour] for a in client.asks]))


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4])))
