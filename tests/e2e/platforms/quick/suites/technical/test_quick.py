"""Three cases: the build answers as itself, directly and through the mirror's front door, and keeps to its place."""

import time
from typing import Any

import pytest
import requests

ANSWER = (3.0, 20.0)  # seconds to connect, seconds between two parts of an answer


def _build(host: str, port: int, path: str) -> tuple[int, str]:
    until = time.monotonic() + 20
    while True:
        try:
            answer = requests.get(f"http://{host}:{port}{path}", timeout=ANSWER)
            return answer.status_code, answer.headers["X-Otagate-Build"]
        except requests.RequestException:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


@pytest.mark.parametrize(("path", "code"), [("/healthz", 200), ("/objects/1.2.3", 404)])
def test_the_build_answers_as_itself(otagate: Any, path: str, code: int) -> None:
    assert _build(otagate.candidate.host("web"), 8080, path) == (code, otagate.candidate.build("web"))


def test_the_front_door_leads_to_it(otagate: Any) -> None:
    assert _build(*otagate.door("web"), "/healthz") == (200, otagate.candidate.build("web"))
