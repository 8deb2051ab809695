"""A release service that bears load: HTTP, a greeting over TCP, MLLP and DICOM storage, each telling its colour.

Runs alone in a container: standard library and pynetdicom. Everything stored or received is remembered by its name, so
that a test can ask afterwards what arrived, how often and where. `POST /fault` plants faults: `share=N` makes every Nth
answer a 500, `slow=MS` each answer so much later, `hang=1` none at all, `close=1` hangs up instead, `short=1` in the
middle of the body, `deaf=MS` listens to no one so long, `reset=1` resets greetings, `refuse=1` refuses associations; 0
ends one. `POST /hooks/drain` closes the MLLP sessions after their acknowledgement, `POST
/hooks/invariants` answers whether all is well.
"""

import asyncio
import json
import os
import socket
import struct
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from pynetdicom import AE, evt

BUILD, COLOUR = os.environ["OTAGATE_BUILD"], os.environ["OTAGATE_COLOUR"]
HTTP, GREETING, MLLP, DICOM = 8080, 9000, 2575, 11112
WORK = 0.02  # seconds that a POST to /work takes
BEGIN, END = b"\x0b", b"\x1c\r"
stored: list[tuple[str, str]] = []  # calling AE title and SOP Instance UID
received: list[str] = []
fault = {"share": 0, "slow": 0, "hang": 0, "close": 0, "short": 0, "deaf": 0, "reset": 0, "refuse": 0, "ill": 0}
counted = {"answers": 0}
servers: list[Any] = []  # of DICOM
doors: list[asyncio.Server] = []  # of HTTP


class Web(asyncio.Protocol):
    """Kept-alive HTTP/1.1, one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, rest = self.buffer.split(b"\r\n\r\n", 1)
            length = next((int(li[15:]) for li in head.lower().split(b"\r\n") if li.startswith(b"content-length:")), 0)
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
            self.asked(method, urlsplit(target).path, parse_qs(urlsplit(target).query))

    def asked(self, method: str, path: str, query: dict[str, list[str]]) -> None:
        if path == "/work":
            asyncio.get_running_loop().call_later(WORK, self.say, 200, {})
            return
        if method == "POST":
            if path == "/fault":
                fault.update({name: int(values[0]) for name, values in query.items()})
                servers[0].ae_title = "OTHER" if fault["refuse"] else "LOAD"
                if "deaf" in query:
                    doors.pop().close()
                    asyncio.get_running_loop().call_later(fault["deaf"] / 1000, lambda: asyncio.ensure_future(hear()))
            elif path == "/hooks/invariants":
                self.say(200, {"well": not fault["ill"]})
                return
            elif path == "/hooks/drain":
                Messages.drain()
            self.say(200, {})
            return
        if path in ("/stored", "/received"):
            self.say(200, {"stored": stored, "received": received})
            return
        if path == "/healthz":
            self.say(200, {})
            return
        self.answered()

    def answered(self) -> None:
        counted["answers"] += 1
        code = 500 if fault["share"] and counted["answers"] % fault["share"] == 0 else 200
        if fault["close"]:
            self.transport.close()
        elif fault["short"]:
            self.transport.write(b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nshort")
            self.transport.close()
        elif not fault["hang"]:
            asyncio.get_running_loop().call_later(fault["slow"] / 1000, self.say, code, {})

    def say(self, code: int, body: object) -> None:
        content = json.dumps(body).encode()
        head = f"HTTP/1.1 {code} X\r\nContent-Length: {len(content)}\r\nX-Otagate-Build: {BUILD}\r\n"
        self.transport.write(f"{head}X-Otagate-Colour: {COLOUR}\r\n\r\n".encode() + content)


class Greeting(asyncio.Protocol):
    """Says its colour and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if fault["reset"]:
            line = transport.get_extra_info("socket")
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
            return
        transport.write(f"{COLOUR}\n".encode())
        transport.close()


class Messages(asyncio.Protocol):
    """MLLP: each message is a name; it is remembered, then acknowledged with the colour."""

    open: ClassVar[set["Messages"]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""
        self.ends = False
        self.open.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self.open.discard(self)

    def data_received(self, data: bytes) -> None:
        if self.ends and not self.buffer:
            return  # it came after our end of the line: its sender gets no acknowledgement and sends it again
        self.buffer += data
        while END in self.buffer:
            message, self.buffer = self.buffer.split(END, 1)
            received.append(message.removeprefix(BEGIN).decode())
            self.transport.write(BEGIN + f"ACK {COLOUR}".encode() + END)
        if self.ends and not self.buffer:
            self.transport.write_eof()

    @classmethod
    def drain(cls) -> None:
        """Half a close: what the kernel still holds of our acknowledgement must not be lost to a reset."""
        for session in tuple(cls.open):
            if not session.ends:
                session.ends = True
                if not session.buffer:
                    session.transport.write_eof()


def keep(event: Any) -> int:
    stored.append((str(event.assoc.requestor.ae_title).strip(), str(event.request.AffectedSOPInstanceUID)))
    return 0x0000


def serve_dicom() -> None:
    entity = AE(ae_title="LOAD")
    entity.require_called_aet = True
    entity.maximum_associations = 50
    entity.network_timeout = None
    entity.add_supported_context("1.2.840.10008.1.1")  # verification
    entity.add_supported_context("1.2.840.10008.5.1.4.1.1.7")  # secondary capture
    entity.implementation_version_name = f"{COLOUR[0]}-{BUILD.removeprefix('sha256:')[:12]}"
    handlers: list[Any] = [(evt.EVT_C_ECHO, lambda _: 0x0000), (evt.EVT_C_STORE, keep)]
    servers.append(entity.start_server(("0.0.0.0", DICOM), block=False, evt_handlers=handlers))


async def hear() -> None:
    doors.append(await asyncio.get_running_loop().create_server(Web, "0.0.0.0", HTTP, backlog=1024))


async def main() -> None:
    loop = asyncio.get_running_loop()
    await hear()
    for kind, port in ((Greeting, GREETING), (Messages, MLLP)):
        await loop.create_server(kind, "0.0.0.0", port, backlog=1024)
    await asyncio.Event().wait()


serve_dicom()
asyncio.run(main())
