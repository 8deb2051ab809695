"""A suite's account as lines: a sound one, to be broken one place at a time."""

import base64
import json
from typing import Any

from tests.pngs import png

TOKEN = "t0ken"
ARGS = ("-p", "otagate_plugin", "/suite/technical")
A, B = "technical/test_a.py::test_a", "technical/test_a.py::test_b"

Messages = list[dict[str, Any]]


def sound() -> Messages:
    """One case passed, one failed; a pair of samples, a picture, an ask."""
    return [
        {"kind": "session", "pytest": "9.0", "python": "3.13.5", "plugins": [], "args": [*ARGS], "optimized": 0},
        {
            "kind": "collected",
            "cases": [
                {"id": A, "requirements": ["dose"], "risks": ["r1"]},
                {"id": B, "requirements": [], "risks": []},
            ],
            "dropped": [],
        },
        {"kind": "start", "id": A, "at": 10.0},
        {
            "kind": "sample",
            "metric": "latency",
            "unit": "ms",
            "direction": "lower",
            "candidate": "1.5",
            "baseline": "2.0",
            "case": A,
        },
        {
            "kind": "picture",
            "name": "dose",
            "title": "Dose",
            "size": len(png()),
            "content": base64.b64encode(png()).decode(),
        },
        {"kind": "ask", "id": 1, "what": "restart", "args": {"service": "web", "deadline": 30}},
        {
            "kind": "case",
            "id": A,
            "outcome": "passed",
            "started": 10.0,
            "ended": 11.0,
            "since": None,
            "message": "",
            "detail": "",
        },
        {"kind": "start", "id": B, "at": 11.0},
        {
            "kind": "case",
            "id": B,
            "outcome": "failed",
            "started": 11.0,
            "ended": 12,
            "since": None,
            "message": "no",
            "detail": "a\nb",
        },
        {"kind": "end", "collected": 2, "counts": {"passed": 1, "failed": 1}, "status": 1, "meddling": []},
    ]


def line(message: dict[str, Any], number: int, token: str = TOKEN) -> bytes:
    return json.dumps({"otagate": 1, "token": token, "number": number, **message}).encode()


def lines(messages: Messages) -> list[bytes]:
    return [line(message, number) for number, message in enumerate(messages)]
