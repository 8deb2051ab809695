"""A release service that remembers who asked it what, and answers as it is told to.

Runs alone in a container: the standard library. `POST /behave?NAME=VALUE` sets how all but health check and hooks is
answered: `code`, `kind` (the header X-Kind), `dose` (in the body), `way` (`plain`; `hang`: not before another way is
set; `drip`: a byte every tenth of a second, without end). `POST /heard` tells and forgets what was asked: method, path,
the mark of a copy and the cookie of each; `POST /holding`, how many requests hang.
"""

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

BUILD, COLOUR = os.environ["OTAGATE_BUILD"], os.environ["OTAGATE_COLOUR"]
PLAIN = {"code": "200", "kind": "summary", "dose": "60", "way": "plain"}
behaves = dict(PLAIN)
heard: list[tuple[str, str, str, str]] = []
counted = {"holding": 0, "answers": 0}
turn = threading.Condition()


class Web(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/healthz":
            self.say(200, {})
            return
        self.remember()
        self.wait()
        with turn:
            counted["answers"] += 1
            number = counted["answers"]
        body: dict[str, object] = {"dose": int(behaves["dose"]), "patient": "Phantom"}
        if urlsplit(self.path).path == "/moving":
            body["number"] = number
        self.say(int(behaves["code"]), body)

    do_HEAD = do_GET  # noqa: N815 - the library's names

    def do_POST(self) -> None:
        url, body = urlsplit(self.path), dict[str, object]()
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if url.path == "/behave":
            with turn:
                behaves.update(PLAIN)
                behaves.update(parse_qsl(url.query))
                turn.notify_all()
        elif url.path == "/heard":
            body["heard"], heard[:] = list(heard), []
        elif url.path == "/holding":
            body["holding"] = counted["holding"]
        elif not url.path.startswith("/hooks/"):
            self.remember()
        self.say(200, body)

    def remember(self) -> None:
        mark, cookie = self.headers.get("X-Otagate-Shadow", ""), self.headers.get("Cookie", "")
        heard.append((self.command, self.path, mark, cookie))

    def wait(self) -> None:
        with turn:
            counted["holding"] += 1
            turn.wait_for(lambda: behaves["way"] != "hang")
            counted["holding"] -= 1
        while behaves["way"] == "drip":
            self.wfile.write(b"H")
            time.sleep(0.1)

    def say(self, code: int, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Kind", behaves["kind"])
        self.send_header("X-Otagate-Build", BUILD)
        self.send_header("X-Otagate-Colour", COLOUR)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


class Doors(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Silent: a client whose patience has ended hangs up."""


Doors(("0.0.0.0", 8080), Web).serve_forever()
