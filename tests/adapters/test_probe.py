"""Probes against real sockets of this machine: who answers is read from the answer, and anything less is a fault."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from otagate.adapters.probe import Answer, ask, call, fetch, tell
from otagate.core.cloud import Colour
from otagate.core.errors import ProbeFault
from otagate.core.platform import Protocol
from otagate.core.shadow import MARK, Reply, Request
from otagate.core.topology import Door

BUILD = "sha256:" + "0123456789ab" + "c" * 52
HERE = "127.0.0.1"


class Site:
    """A web server whose answer each test sets."""

    def __init__(self) -> None:
        self.code = 200
        self.headers = {"X-Otagate-Build": BUILD, "X-Otagate-Colour": "blue"}
        self.delay = 0.0
        self.body = b"{}"
        self.heard: list[str] = []
        self.asked: dict[str, str] = {}
        self.server = ThreadingHTTPServer((HERE, 0), self._kind())
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def _kind(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Web(BaseHTTPRequestHandler):
            def answer(self) -> None:
                site.heard.append(f"{self.command} {self.path}")
                site.asked = dict(self.headers.items())
                time.sleep(site.delay)
                with contextlib.suppress(OSError):
                    self.send_response(site.code)
                    for name, value in site.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(site.body)))
                    self.end_headers()
                    self.wfile.write(site.body)

            do_GET = do_POST = do_HEAD = answer  # noqa: N815 - the library's names

            def log_message(self, format: str, *args: Any) -> None:
                """Silent."""

        return Web

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@contextlib.contextmanager
def raw(begin: bytes, then: bytes = b"", every: float = 0.0, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server that says `begin` to its first client, then `then` again and again, or hangs up; inside TLS
    where `tls` is given."""

    def serve(line: socket.socket, ends: threading.Event) -> None:
        with tls.wrap_socket(line, server_side=True) if tls else line as spoken:
            spoken.recv(65536)
            spoken.sendall(begin)
            while then and not ends.wait(every):
                spoken.sendall(then)

    with first_client(serve) as port:
        yield port


@contextlib.contextmanager
def first_client(serve: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """The port of a server that does `serve` with its first client; the event is set when nobody asks any more."""
    ends = threading.Event()
    with socket.create_server((HERE, 0)) as listening:

        def run() -> None:
            line, _ = listening.accept()
            with contextlib.suppress(OSError), line:
                serve(line, ends)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            ends.set()
            thread.join(5)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as line:
        line.bind((HERE, 0))
        return int(line.getsockname()[1])


WEB = Door("web", Protocol.HTTP, 1, {}, 1, probe="/healthz")
DICOM = Door("dicom", Protocol.DICOM, 1, {}, 1, called_ae="HELLO")
TCP = Door("hl7", Protocol.TCP, 1, {}, 1)


class TestFetch:
    COPY = Request("GET", "/objects?limit=1", (("host", "front.example"), ("cookie", "a=b")))

    def test_a_copy_is_asked_as_its_client_asked_it_and_bears_a_mark(self, site: Site) -> None:
        site.code, site.headers, site.body = 404, {"X-Kind": "none"}, b"gone"
        reply = fetch(HERE, site.port, self.COPY, 5.0)
        assert reply is not None
        assert (reply.code, reply.headers["x-kind"], reply.body, reply.whole) == (404, "none", b"gone", True)
        assert site.heard == ["GET /objects?limit=1"]
        assert (site.asked["host"], site.asked["cookie"], site.asked[MARK]) == ("front.example", "a=b", "1")

    def test_of_an_endless_body_only_the_beginning_is_read(self, site: Site) -> None:
        site.body = b"x" * 1_500_000
        reply = fetch(HERE, site.port, self.COPY, 5.0)
        assert reply is not None
        assert not reply.whole
        assert len(reply.body) == 1_000_000

    def test_whoever_does_not_answer_in_time_or_not_at_all_gives_none(self, site: Site, free_port: int) -> None:
        assert fetch(HERE, free_port, self.COPY, 1.0) is None
        site.delay = 10.0
        began = time.monotonic()
        assert fetch(HERE, site.port, self.COPY, 0.3) is None
        assert time.monotonic() - began < 8

    @pytest.mark.parametrize(
        "part", [b"HTTP/1.1 200 OK\r\nX-", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]
    )
    def test_an_answer_that_comes_drop_by_drop_is_cut_off_at_the_deadline(self, part: bytes) -> None:
        began = time.monotonic()
        with raw(part, then=b"x", every=0.05) as port:
            assert fetch(HERE, port, self.COPY, 0.5) is None
        assert time.monotonic() - began < 10

    @pytest.mark.parametrize(("said", "whole"), [(b"abc", False), (b"abcd", True)])
    def test_an_answer_that_is_shorter_than_it_says_is_none(self, said: bytes, whole: bool) -> None:
        with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + said) as port:
            assert (fetch(HERE, port, self.COPY, 5.0) is not None) is whole

    def test_what_cannot_be_sent_is_no_answer(self, site: Site) -> None:
        odd = Request("GET", "/a", (("x", "a\r\nb: c"),))
        assert fetch(HERE, site.port, odd, 1.0) is None
        assert site.heard == []

    def test_a_head_has_no_body(self, site: Site) -> None:
        reply = fetch(HERE, site.port, Request("HEAD", "/", ()), 5.0)
        assert isinstance(reply, Reply)
        assert reply.code == 200


BEGUN = f"HTTP/1.1 200 OK\r\nX-Otagate-Build: {BUILD}\r\nX-Otagate-Colour: blue\r\n".encode()
DRIPS = [BEGUN + b"X-", BEGUN + b"Content-Length: 99999\r\n\r\n", BEGUN + b"\r\n"]


class TestHttp:
    def test_build_and_colour_are_read_from_the_headers(self, site: Site) -> None:
        assert ask(WEB, HERE, site.port, 2) == Answer(BUILD, Colour.BLUE)
        assert site.heard == ["GET /healthz"]

    @pytest.mark.parametrize("code", [204, 301, 401, 404, 500, 503])
    def test_any_other_code_is_a_fault(self, site: Site, code: int) -> None:
        site.code, site.headers["Location"] = code, "/elsewhere"
        with pytest.raises(ProbeFault, match=f"answers {code}, not 200"):
            ask(WEB, HERE, site.port, 2)
        assert len(site.heard) == 1, "no redirect is followed, nothing is tried again"

    @pytest.mark.parametrize("headers", [{}, {"X-Otagate-Build": BUILD}, {"X-Otagate-Colour": "blue"},
                                         {"X-Otagate-Build": BUILD, "X-Otagate-Colour": "red"}])  # fmt: skip
    def test_an_answer_that_does_not_say_who_it_is_is_a_fault(self, site: Site, headers: dict[str, str]) -> None:
        site.headers = headers
        with pytest.raises(ProbeFault, match="does not say its build and colour"):
            ask(WEB, HERE, site.port, 2)

    def test_an_answer_that_comes_too_late_is_a_fault(self, site: Site) -> None:
        site.delay = 10.0
        began = time.monotonic()
        with pytest.raises(ProbeFault, match="does not answer"):
            ask(WEB, HERE, site.port, 0.2)
        assert time.monotonic() - began < 8

    @pytest.mark.parametrize("begun", DRIPS)
    def test_an_answer_that_comes_drop_by_drop_is_cut_off_at_the_deadline(self, begun: bytes) -> None:
        began = time.monotonic()
        with raw(begun, then=b"x", every=0.05) as port, pytest.raises(ProbeFault, match=r"not answer within 0.5 s"):
            ask(WEB, HERE, port, 0.5)
        assert time.monotonic() - began < 10

    def test_an_answer_that_is_shorter_than_it_says_is_a_fault(self) -> None:
        with raw(BEGUN + b"Content-Length: 9\r\n\r\nabc") as port, pytest.raises(ProbeFault, match="does not answer"):
            ask(WEB, HERE, port, 2)

    def test_a_body_without_end_does_not_hold_it_up(self, site: Site) -> None:
        site.body = b"x" * 5_000_000
        assert ask(WEB, HERE, site.port, 2).colour is Colour.BLUE

    def test_nobody_there_is_a_fault(self, free_port: int) -> None:
        with pytest.raises(ProbeFault, match="Connection refused"):
            ask(WEB, HERE, free_port, 1)

    def test_a_proxy_of_the_environment_is_not_asked(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.setenv("no_proxy", "")
        assert ask(WEB, HERE, site.port, 2).colour is Colour.BLUE


class TestHook:
    def test_a_hook_is_posted(self, site: Site) -> None:
        site.code = 204
        site.body = b""
        assert call(f"http://{HERE}:{site.port}/hooks/activate", 2)
        assert site.heard == ["POST /hooks/activate"]

    def test_nobody_there_is_no_fault_but_no_yes(self, free_port: int) -> None:
        assert not call(f"http://{HERE}:{free_port}/hooks/passive", 1)
        assert not call("http://no-such-host.invalid:80/hooks/passive", 1)

    def test_a_name_that_nobody_has_is_nobody_however_late_that_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def late(*_: object, **__: object) -> None:
            time.sleep(0.3)
            raise socket.gaierror("no such name")

        monkeypatch.setattr(socket, "getaddrinfo", late)
        assert not call("http://gone:80/hooks/passive", 0.1)

    def test_somebody_who_says_no_or_nothing_is_a_fault(self, site: Site) -> None:
        site.code = 500
        with pytest.raises(ProbeFault, match="answers 500"):
            call(f"http://{HERE}:{site.port}/hooks/passive", 1)
        site.delay = 10.0
        with pytest.raises(ProbeFault, match="does not answer"):
            call(f"http://{HERE}:{site.port}/hooks/passive", 0.2)

    def test_a_hook_that_answers_is_told_json_and_its_json_is_read(self, site: Site) -> None:
        site.body = b'{"count": 2}'
        assert tell(f"http://{HERE}:{site.port}/hooks/written-since", {"since": "2026"}, 2) == {"count": 2}
        assert site.heard == ["POST /hooks/written-since"]

    @pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"count": ', b'"x"', b'{"x": "%s"}' % (b"x" * 70000)])
    def test_an_answer_that_is_no_json_object_of_ordinary_size_is_a_fault(self, site: Site, body: bytes) -> None:
        site.body = body
        with pytest.raises(ProbeFault, match="JSON object"):
            tell(f"http://{HERE}:{site.port}/hooks/written-since", {}, 2)

    def test_nobody_to_tell_is_no_answer_and_a_no_is_a_fault(self, site: Site, free_port: int) -> None:
        assert tell(f"http://{HERE}:{free_port}/hooks/written-since", {}, 1) is None
        site.code = 404
        with pytest.raises(ProbeFault, match="answers 404"):
            tell(f"http://{HERE}:{site.port}/hooks/written-since", {}, 1)

    @pytest.mark.parametrize("begun", DRIPS)
    @pytest.mark.parametrize("hook", [call, lambda url, deadline: tell(url, {}, deadline)])
    def test_one_that_answers_drop_by_drop_is_cut_off_at_the_deadline(
        self, hook: Callable[[str, float], object], begun: bytes
    ) -> None:
        began = time.monotonic()
        with raw(begun, then=b"x", every=0.05) as port, pytest.raises(ProbeFault, match=r"not answer within 0.5 s"):
            hook(f"http://{HERE}:{port}/hooks/passive", 0.5)
        assert time.monotonic() - began < 10

    def test_a_line_that_breaks_off_is_a_fault(self) -> None:
        with (
            answering(lambda line: line.close()) as port,
            pytest.raises(ProbeFault, match="does not answer"),
        ):
            call(f"http://{HERE}:{port}/hooks/passive", 1)


@contextlib.contextmanager
def answering(what: Callable[[socket.socket], None]) -> Iterator[int]:
    """A TCP server that does `what` with each line."""
    with socket.socket() as listening:
        listening.bind((HERE, 0))
        listening.listen()

        def run() -> None:
            while True:
                try:
                    line, _ = listening.accept()
                except OSError:
                    return
                with line:
                    line.recv(1000)
                    what(line)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


class TestTcp:
    def test_an_open_port_is_all_there_is_to_know(self) -> None:
        with answering(lambda line: line.close()) as port:
            assert ask(TCP, HERE, port, 1) == Answer("", None)

    def test_a_closed_one_is_a_fault(self, free_port: int) -> None:
        with pytest.raises(ProbeFault, match="does not answer"):
            ask(TCP, HERE, free_port, 1)
