"""Keeps notes in PostgreSQL. `serve` knows the password of an account that may only read and insert; `migrate` alone is
given the owner's. LEDGER_LABEL is the schema that this build writes; with LEDGER_RENAMES its move breaks older ones."""

import json
import os
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg

LABEL = os.environ["LEDGER_LABEL"]
KEPT = "text" if os.environ.get("LEDGER_RENAMES") else "note"


def connected(account: str) -> Any:
    password = Path(f"/run/secrets/{account}-password").read_text()
    host = os.environ["STORE_HOST"]
    return psycopg.connect(host=host, dbname="hello", user=account, password=password, connect_timeout=5)


class Web(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/healthz":
            return self.say(200, {})
        try:
            with connected("web") as store:
                self.say(200, [row[0] for row in store.execute(f"SELECT {KEPT} FROM notes ORDER BY id").fetchall()])  # noqa: S608
        except psycopg.Error as error:
            self.say(500, {"error": str(error)})

    def do_POST(self) -> None:
        note = self.rfile.read(int(self.headers["Content-Length"])).decode()
        author = (", author", ", 'somebody'") if LABEL == "2" and KEPT == "note" else ("", "")
        try:
            with connected("web") as store:
                store.execute(f"INSERT INTO notes ({KEPT}{author[0]}) VALUES (%s{author[1]})", [note])  # noqa: S608
            self.say(200, {})
        except psycopg.Error as error:
            self.say(500, {"error": str(error)})

    def say(self, code: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Otagate-Build", os.environ["OTAGATE_BUILD"])
        self.send_header("X-Otagate-Colour", os.environ["OTAGATE_COLOUR"])
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


def migrate() -> None:
    """One transaction: whoever kills it finds the old schema or the new one."""
    with connected("owner") as store:
        (label,) = store.execute("SELECT label FROM label FOR UPDATE").fetchone()
        if os.environ["OTAGATE_MIGRATE"] == "apply" and label < LABEL:
            change = "RENAME note TO text" if KEPT == "text" else "ADD COLUMN author text NOT NULL DEFAULT ''"
            store.execute(f"ALTER TABLE notes {change}")
            store.execute("UPDATE label SET label = %s", [LABEL])
            label = LABEL
    print(f"schema {label}")


if sys.argv[1] == "serve":
    ThreadingHTTPServer(("", 8080), Web).serve_forever()
elif sys.argv[1] == "migrate":
    migrate()
else:
    urllib.request.urlopen("http://127.0.0.1:8080/notes", timeout=3)
