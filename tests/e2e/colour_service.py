"""A release service small enough to read: HTTP and DICOM with build and colour, hooks, and faults on demand.

Runs alone in a container: standard library and pynetdicom. `POST /fault?share=N` makes every Nth answer a 500;
`POST /sick` makes the health check fail, `POST /sick?checks=N` the next N of them; `GET /slow?s=N` answers after N
seconds; `GET /active` tells its hooks' state.
"""

import json
import os
import ssl
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from pynetdicom import AE, evt

BUILD, COLOUR = os.environ["OTAGATE_BUILD"], os.environ["OTAGATE_COLOUR"]
state = {"active": False, "fault": 0, "sick": 0.0, "count": 0}
lock = threading.Lock()


class Web(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        if path.path == "/healthz":
            sick = self.sick()
            self.say(503 if sick else 200, {"healthy": not sick})
        elif path.path == "/active":
            self.say(200, {"active": state["active"]})
        else:
            began = time.time()
            if path.path == "/slow":
                time.sleep(float(parse_qs(path.query)["s"][0]))
            self.say(500 if self.faulty() else 200, {"colour": COLOUR, "began": began, "ended": time.time()})

    def do_POST(self) -> None:
        path, _ = urlsplit(self.path), self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if path.path == "/hooks/activate":
            state["active"] = True
        elif path.path == "/hooks/passive":
            state["active"] = False
        elif path.path == "/fault":
            state["fault"] = int(parse_qs(path.query)["share"][0])
        elif path.path == "/sick":
            state["sick"] = float(parse_qs(path.query).get("checks", ["inf"])[0])
        said: dict[str, dict[str, object]] = {
            "/hooks/written_since": {"count": 1, "items": ["one"]},
            "/hooks/quarantine": {"quarantined": 1},
        }
        self.say(200, said.get(path.path, {}))

    def sick(self) -> bool:
        with lock:
            left, state["sick"] = state["sick"], max(0.0, state["sick"] - 1)
            return left > 0

    def faulty(self) -> bool:
        with lock:
            state["count"] += 1
            return bool(state["fault"]) and state["count"] % state["fault"] == 0

    def say(self, code: int, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Otagate-Build", BUILD)
        self.send_header("X-Otagate-Colour", COLOUR)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


class Doors(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Silent: a checker hangs up early."""


entity = AE(ae_title="HELLO")
entity.add_supported_context("1.2.840.10008.1.1")  # verification
entity.implementation_version_name = f"{COLOUR[0]}-{BUILD.removeprefix('sha256:')[:12]}"
secure = None
if os.environ.get("DICOM_TLS"):
    with tempfile.NamedTemporaryFile("w") as pem:
        pem.write(os.environ["DICOM_TLS"])
        pem.flush()
        secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secure.load_cert_chain(pem.name)
entity.start_server(
    ("0.0.0.0", 11112), block=False, ssl_context=secure, evt_handlers=[(evt.EVT_C_ECHO, lambda _: 0x0000)]
)
Doors(("0.0.0.0", 8080), Web).serve_forever()
