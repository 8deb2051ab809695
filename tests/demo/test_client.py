"""What the client logs of an object that was acknowledged over HTTP, and the count that asks for it at the end."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from otagate.demo import afterwards
from otagate.demo.account import Request, account
from otagate.demo.asking import Log
from otagate.demo.client import Objects, ask
from otagate.demo.production import Production


class Web(BaseHTTPRequestHandler):
    """Acknowledges every object, and forgets what `forgets` names."""

    protocol_version = "HTTP/1.1"
    forgets = ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200)

    def do_GET(self) -> None:
        self._answer(404 if self.path.endswith(f"/{self.forgets}") else 200)

    def _answer(self, code: int) -> None:
        self.send_response(code)
        self.send_header("X-Otagate-Colour", "blue")
        self.send_header("X-Otagate-Build", "ab")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def served(forgets: str = "nothing") -> Iterator[str]:
    handler = type("Forgetful", (Web,), {"forgets": forgets})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def asked(folder: Path, turns: int) -> list[Request]:
    path, objects = folder / "log", Objects()
    with served() as address, requests.Session() as session, path.open("w") as file:
        log = Log(file)
        for turn in range(turns):
            ask(session.request, f"http://{address}", turn, objects, log, "kept-alive")
    return [Request(*json.loads(line)) for line in path.read_text().splitlines()]


def test_an_acknowledged_object_that_is_not_there_at_the_end_is_missing(tmp_path: Path) -> None:
    log = asked(tmp_path, 6)
    assert [bool(request.what) for request in log] == [True, False, False, False, True, False]
    counted = account(log, [], "blue", "ab")
    for forgets, missing in (("nothing", 0), (counted.kept[1], 1)):
        with served(forgets) as address:
            production = Production("p", tmp_path, {"web": {"address": address}}, {})
            assert afterwards.hello(counted, production).missing == missing
