"""What the ledger is for, asked through the front door and of the service itself."""

import json
import os
import urllib.request


def asked(url: str, note: str = "") -> object:
    body = note.encode() if note else None
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=10) as answer:  # noqa: S310
        return json.loads(answer.read())


def test_a_note_is_kept_and_read_again() -> None:
    url = f"http://{os.environ['OTAGATE_DOOR_WEB']}/notes"
    asked(url, "first")
    assert "first" in asked(url)  # type: ignore[operator]


def test_the_release_is_healthy() -> None:
    host = os.environ["OTAGATE_CANDIDATE_WEB"]
    with urllib.request.urlopen(f"http://{host}:8080/healthz", timeout=10) as answer:
        assert answer.headers["X-Otagate-Build"] == os.environ["OTAGATE_CANDIDATE_WEB_BUILD"]
