"""One question to an address, with a deadline: which build and colour answers there? Raises ProbeFault."""

import contextlib
import errno
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

from otagate.adapters.verification import verify
from otagate.core.cloud import Colour
from otagate.core.errors import NO_ANSWER, ProbeFault
from otagate.core.platform import Protocol
from otagate.core.shadow import MARK, Reply, Request
from otagate.core.topology import Door

_BODY = 65536  # bytes
_COMPARED = 1_000_000  # bytes of a body that is compared
_INITIALS = {"b": Colour.BLUE, "g": Colour.GREEN}
_BROKEN = (OSError, http.client.HTTPException, ValueError)


@dataclass(frozen=True)
class Answer:
    """Who answered: the build's digest, or as many of its hex digits as the protocol has room for ("" for TCP, which
    tells neither); `colour` None likewise."""

    build: str
    colour: Colour | None


def ask(door: Door, host: str, port: int, deadline: float, *, tls: bool = False) -> Answer:
    """Ask `host:port` in the door's own protocol, inside TLS if told so; raises ProbeFault."""
    match door.protocol:
        case Protocol.HTTP:
            return _http(host, port, door.probe or "/", deadline, _unnamed() if tls else None)
        case Protocol.DICOM:
            return _dicom(host, port, door.called_ae, deadline, _unnamed() if tls else None)
        case Protocol.TCP:
            return _tcp(host, port, deadline)


def _unnamed() -> ssl.SSLContext:
    """TLS without a look at the name: a certificate bears the public name, and who answers is told by build and
    colour."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _http(host: str, port: int, path: str, deadline: float, tls: ssl.SSLContext | None) -> Answer:
    url = f"http{'s' if tls else ''}://{host}:{port}{path}"
    try:
        with _line(host, port, deadline, tls) as line:
            code, headers, _ = _asked(line, "GET", path)
    except _BROKEN as error:
        raise _silent(url, error, deadline) from error
    if code != 200:
        raise ProbeFault(f"{url} answers {code}, not 200")
    build, colour = headers.get("X-Otagate-Build", ""), headers.get("X-Otagate-Colour", "")
    if not build or colour not in list(Colour):
        raise ProbeFault(f"{url} does not say its build and colour (headers X-Otagate-Build, X-Otagate-Colour)")
    return Answer(build, Colour(colour))


def _dicom(host: str, port: int, called: str, deadline: float, tls: ssl.SSLContext | None) -> Answer:
    """A C-ECHO; the implementation version name of the association says who answered."""
    where = f"dicom://{host}:{port} ({called})"
    try:
        with _line(host, port, deadline, tls) as line:
            version = verify(line.sock, called)
    except OSError as error:
        raise _silent(where, error, deadline) from error
    except ValueError as error:
        raise ProbeFault(f"{where} {error}") from error
    initial, dash, build = version.partition("-")
    if initial not in _INITIALS or not dash or len(build) < 12:
        raise ProbeFault(f"{where} does not say its build and colour (implementation version name {version!r})")
    return Answer(build, _INITIALS[initial])


def _tcp(host: str, port: int, deadline: float) -> Answer:
    try:
        with socket.create_connection((host, port), timeout=deadline):
            return Answer("", None)
    except OSError as error:
        raise ProbeFault(f"tcp://{host}:{port} does not answer: {error}", code=_code(error)) from error


def call(url: str, deadline: float) -> bool:
    """POST a hook. False if nobody is there (name unknown, connection refused); raises ProbeFault if somebody is who
    does not answer 2xx in time."""
    return _posted(url, None, deadline) is not None


def tell(url: str, body: Mapping[str, Any], deadline: float) -> Any:
    """POST JSON to a hook that answers JSON (an object). None if nobody is there; raises ProbeFault like `call`, and
    for an answer that is larger than 64 KiB or no JSON."""
    content = _posted(url, body, deadline)
    if content is None:
        return None
    try:
        answer = json.loads(content) if len(content) <= _BODY else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ProbeFault(f"{url} does not answer a JSON object of at most {_BODY} bytes")
    return answer


def fetch(host: str, port: int, request: Request, deadline: float) -> Reply | None:
    """A safe request as a client sent it, marked as a copy. None if there was no whole answer within `deadline`
    seconds, however little at a time it came."""
    try:
        with _line(host, port, deadline) as line:
            return _answer_to_copy(line, request)
    except _BROKEN:
        return None


@contextlib.contextmanager
def _line(
    host: str, port: int, deadline: float, tls: ssl.SSLContext | None = None
) -> Iterator[http.client.HTTPConnection]:
    """A new connection each time and no proxy: the answer must be this address's own. What is not sent and read in it
    within `deadline` seconds is cut off, however little at a time comes: TimeoutError."""
    until = time.monotonic() + deadline
    with contextlib.closing(http.client.HTTPConnection(host, port, timeout=deadline)) as line:
        line.connect()
        if tls is not None:
            line.sock = tls.wrap_socket(line.sock, server_hostname=host, do_handshake_on_connect=False)
        with _cut_at(line.sock, until):
            if isinstance(line.sock, ssl.SSLSocket):
                line.sock.do_handshake()
            yield line


@contextlib.contextmanager
def _cut_at(line: socket.socket, until: float) -> Iterator[None]:
    """A socket's own timeout begins anew with each part; this one does not. Raises TimeoutError."""

    def cut() -> None:
        with contextlib.suppress(OSError):
            # Of TLS too the bare socket's: the other one's would take the session from under whoever reads.
            socket.socket.shutdown(line, socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, until - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        if time.monotonic() < until:
            raise
        raise TimeoutError from error
    finally:
        timer.cancel()
    if time.monotonic() >= until:  # an answer that says no length looks whole where it was cut
        raise TimeoutError


def _answer_to_copy(line: http.client.HTTPConnection, request: Request) -> Reply:
    """Raises OSError, HTTPException or ValueError where there is no whole answer."""
    named = any(name.lower() == "host" for name, _ in request.headers)
    line.putrequest(request.method, request.target, skip_host=named, skip_accept_encoding=True)
    for name, value in (*request.headers, (MARK, "1"), ("Connection", "close")):
        line.putheader(name, value)
    line.endheaders()
    answer = line.getresponse()
    body = _body(answer, _COMPARED)
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return Reply(answer.status, headers, body[:_COMPARED], len(body) <= _COMPARED)


def _asked(
    line: http.client.HTTPConnection, method: str, path: str, content: bytes | None = None
) -> tuple[int, Message, bytes]:
    """Code, headers and body, of which an ordinary size is read to its end: closing before would look like a broken
    client to the service. No redirect is followed."""
    kind = {} if content is None else {"Content-Type": "application/json"}
    line.request(method, path, content, {"Connection": "close", **kind})
    answer = line.getresponse()
    return answer.status, answer.headers, _body(answer, _BODY)


def _body(answer: http.client.HTTPResponse, most: int) -> bytes:
    """A whole body; more than `most` bytes where there are more. Raises OSError and HTTPException."""
    body, claimed = b"", answer.length
    enough = most + 1 if claimed is None else min(most + 1, claimed)
    while len(body) < enough and (part := answer.read1(65536)):  # who keeps the line open ends it by no end of file
        body += part
    if claimed is not None and len(body) < enough:
        raise http.client.IncompleteRead(body)
    return body


def _posted(url: str, body: Mapping[str, Any] | None, deadline: float) -> bytes | None:
    where = urlsplit(url)
    content = None if body is None else json.dumps(body).encode()
    try:
        with _line(where.hostname or "", where.port or 80, deadline) as line:
            code, _, answer = _asked(line, "POST", where._replace(scheme="", netloc="").geturl(), content)
    except (socket.gaierror, ConnectionRefusedError):
        return None
    except _BROKEN as error:
        raise _silent(url, error, deadline) from error
    if not 200 <= code < 300:
        raise ProbeFault(f"{url} answers {code}")
    return answer


def _silent(url: str, error: Exception, deadline: float) -> ProbeFault:
    if isinstance(error, TimeoutError):
        return ProbeFault(f"{url} does not answer within {deadline:g} s", code=NO_ANSWER)
    why = error.strerror if isinstance(error, OSError) else ""
    return ProbeFault(f"{url} does not answer: {why or type(error).__name__}", code=_code(error))


def _code(error: Exception) -> str:
    """Whoever resets, hangs up or breaks off is there all the same."""
    away = isinstance(error, TimeoutError | ConnectionRefusedError | socket.gaierror)
    lost = isinstance(error, OSError) and error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH)
    return NO_ANSWER if away or lost else ""
