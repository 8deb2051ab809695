"""One question to an address, with a deadline: which build and colour answers there? Raises ProbeFault."""

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from requests.adapters import HTTPAdapter

from otagate.adapters.association import hold
from otagate.core.cloud import Colour
from otagate.core.errors import ProbeFault
from otagate.core.platform import Protocol
from otagate.core.shadow import MARK, Reply, Request
from otagate.core.switch import CALLING_AE, VERIFICATION
from otagate.core.topology import Door

_BODY = 65536  # bytes
_COMPARED = 1_000_000  # bytes of a body that is compared
_INITIALS = {"b": Colour.BLUE, "g": Colour.GREEN}


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
            return _http(f"http{'s' if tls else ''}://{host}:{port}{door.probe or '/'}", deadline)
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


class _Unnamed(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=_unnamed(), assert_hostname=False)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Left to the context."""


def _http(url: str, deadline: float) -> Answer:
    """A new connection each time, no proxy, no redirect: the answer must be this address's own."""
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", _Unnamed())
        try:
            with session.get(url, timeout=deadline, allow_redirects=False, stream=True, verify=False) as answer:
                code, headers = answer.status_code, answer.headers
                _taken(answer, deadline)
        except requests.RequestException as error:
            raise ProbeFault(f"{url} does not answer: {_cause(error)}") from error
    if code != 200:
        raise ProbeFault(f"{url} answers {code}, not 200")
    build, colour = headers.get("X-Otagate-Build", ""), headers.get("X-Otagate-Colour", "")
    if not build or colour not in list(Colour):
        raise ProbeFault(f"{url} does not say its build and colour (headers X-Otagate-Build, X-Otagate-Colour)")
    return Answer(build, Colour(colour))


def _taken(answer: requests.Response, deadline: float) -> bytes:
    """Read a body of ordinary size to its end: closing before would look like a broken client to the service."""
    until, parts, size = time.monotonic() + deadline, [], 0
    for part in answer.iter_content(8192):
        parts.append(part)
        size += len(part)
        if size > _BODY or time.monotonic() > until:
            break
    return b"".join(parts)


def _dicom(host: str, port: int, called: str, deadline: float, tls: ssl.SSLContext | None) -> Answer:
    """A C-ECHO; the implementation version name of the association says who answered."""
    where = f"dicom://{host}:{port}"
    entity = ApplicationEntity(ae_title=CALLING_AE)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = deadline
    entity.add_requested_context(VERIFICATION)
    association = entity.associate(host, port, ae_title=called or "ANY-SCP", tls_args=(tls, host) if tls else None)
    if not association.is_established:
        state = "rejects the association" if association.is_rejected else "does not answer"
        raise ProbeFault(f"{where} ({called}) {state}")
    version = association.acceptor.implementation_version_name or ""
    _echo(association, where)
    initial, dash, build = version.partition("-")
    if initial not in _INITIALS or not dash or len(build) < 12:
        raise ProbeFault(f"{where} does not say its build and colour (implementation version name {version!r})")
    return Answer(build, _INITIALS[initial])


def _echo(association: Association, where: str) -> None:
    try:
        hold(association)
        outcome = association.send_c_echo()
    except (RuntimeError, ValueError) as error:
        raise ProbeFault(f"{where} broke off: {error}") from error
    finally:
        association.release()
    if getattr(outcome, "Status", None) != 0x0000:
        raise ProbeFault(f"{where} does not answer C-ECHO with success")


def _tcp(host: str, port: int, deadline: float) -> Answer:
    try:
        with socket.create_connection((host, port), timeout=deadline):
            return Answer("", None)
    except OSError as error:
        raise ProbeFault(f"tcp://{host}:{port} does not answer: {error}") from error


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
    until = time.monotonic() + deadline
    line = http.client.HTTPConnection(host, port, timeout=deadline)
    try:
        line.connect()
        with _cut_at(line.sock, until):
            reply = _answer_to_copy(line, request)
        return reply if time.monotonic() <= until else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        line.close()


@contextlib.contextmanager
def _cut_at(line: socket.socket, until: float) -> Iterator[None]:
    """A socket's own timeout begins anew with each part; this one does not."""

    def cut() -> None:
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, until - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _answer_to_copy(line: http.client.HTTPConnection, request: Request) -> Reply:
    """Raises OSError, HTTPException or ValueError where there is no whole answer."""
    named = any(name.lower() == "host" for name, _ in request.headers)
    line.putrequest(request.method, request.target, skip_host=named, skip_accept_encoding=True)
    for name, value in (*request.headers, (MARK, "1"), ("Connection", "close")):
        line.putheader(name, value)
    line.endheaders()
    answer = line.getresponse()
    body, claimed = b"", answer.length
    most = _COMPARED + 1 if claimed is None else min(_COMPARED + 1, claimed)
    while len(body) < most and (part := answer.read1(65536)):  # who keeps the line open ends it by no end of file
        body += part
    if claimed is not None and len(body) < most:
        raise http.client.IncompleteRead(body)
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return Reply(answer.status, headers, body[:_COMPARED], len(body) <= _COMPARED)


def _posted(url: str, body: Mapping[str, Any] | None, deadline: float) -> bytes | None:
    with requests.Session() as session:
        session.trust_env = False
        try:
            with session.post(url, json=body, timeout=deadline, allow_redirects=False, stream=True) as answer:
                code, content = answer.status_code, _taken(answer, deadline)
        except requests.ConnectTimeout as error:
            raise ProbeFault(f"{url} does not answer within {deadline:g} s") from error
        except requests.ConnectionError as error:
            if _nobody(error):
                return None
            raise ProbeFault(f"{url} broke off: {_cause(error)}") from error
        except requests.RequestException as error:
            raise ProbeFault(f"{url} does not answer: {_cause(error)}") from error
    if not 200 <= code < 300:
        raise ProbeFault(f"{url} answers {code}")
    return content


def _nobody(error: BaseException) -> bool:
    """A cause somewhere below says that there is no such name or that the connection was refused."""
    return any(isinstance(cause, socket.gaierror | ConnectionRefusedError) for cause in _causes(error))


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    following: list[BaseException] = [error]
    while following:
        cause = following.pop()
        if cause in found:
            continue
        found.append(cause)
        inner = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        following += [c for c in inner if isinstance(c, BaseException)]
    return found


def _cause(error: BaseException) -> str:
    """The innermost words, without addresses of objects in memory."""
    last = next((c for c in reversed(_causes(error)) if isinstance(c, OSError) and c.strerror), None)
    return str(last.strerror) if last else type(error).__name__
