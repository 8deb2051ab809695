"""A shadow in whole promotions, by the commands a user types: what differs refuses, is on the page, and what does not
lets the release go live."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.e2e.live import Live
from tests.e2e.quick import quick, remove

pytestmark = pytest.mark.docker

WEB = "probe: /healthz, idle: 60s}"
SHADOW = """probe: /healthz, idle: 60s,
    shadow: {lasts: 3s, most: 60, minimum: 5, unexplained: 0, headers: [content-type], body: json,
             ignore: [/build, /colour]}}"""


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Live, str]]:
    """Production whose listener `web` declares a shadow, and the run of an approved release."""
    live = quick(tmp_path_factory.mktemp("shadow"))
    try:
        live.edit("otagate.yaml", WEB, SHADOW)
        live.otagate("up", "--by", "tests")
        yield live, live.otagate("test", "web=hello/web:1.1")["data"]["run"]
    finally:
        remove(live.name)


@contextmanager
def asked(live: Live, path: str) -> Iterator[list[int]]:
    """Production, again and again; the status of each answer."""
    address = live.otagate("status")["data"]["listeners"]["web"]["address"]
    ends, codes = threading.Event(), list[int]()

    def ask() -> None:
        with requests.Session() as session:
            while not ends.wait(0.05):
                codes.append(session.get(f"http://{address}{path}", timeout=10).status_code)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield codes
    finally:
        ends.set()
        thread.join(30)


def page(live: Live, run: str, form: str) -> str:
    return Path(live.otagate("report", run, "--format", form)["data"]["path"]).read_text()


def test_what_is_answered_otherwise_refuses_the_promotion_and_stands_on_its_page(judged: tuple[Live, str]) -> None:
    """A passive colour says in its health that it is passive: nobody declared that this may differ."""
    live, run = judged
    with asked(live, "/healthz?patient=Muster") as codes:
        envelope = live.otagate("promote", run, "--by", "tests", exit=5)
    promotion = envelope["data"]["promotion"]
    assert promotion["phase"] == "abandoned"
    assert "shadow of web" in promotion["reason"]
    assert "answered differently, at most 0 allowed" in promotion["reason"]
    status = live.otagate("status")["data"]
    assert (status["live"], set(codes)) == ("blue", {200})
    html, summary = page(live, run, "html"), page(live, run, "markdown")
    assert "Shadow of web: fail" in html
    assert "<code>GET /healthz</code>" in html
    assert "body /active" in html
    assert "shadow of web: fail" in summary
    assert "body /active" in summary
    assert "Muster" not in html + summary


def test_without_a_client_nothing_was_compared_and_the_promotion_is_refused(judged: tuple[Live, str]) -> None:
    live, run = judged
    promotion = live.otagate("promote", run, "--by", "tests", exit=5)["data"]["promotion"]
    assert promotion["phase"] == "abandoned"
    assert "0 requests compared" in promotion["reason"]
    assert "fewer than the 5 demanded" in promotion["reason"]
    assert "Shadow of web: unknown" in page(live, run, "html")


def test_control_the_same_release_goes_live_where_it_answers_the_same(judged: tuple[Live, str]) -> None:
    live, run = judged
    began = time.monotonic()
    with asked(live, "/objects?limit=5") as codes:
        promotion = live.otagate("promote", run, "--by", "tests")["data"]["promotion"]
    assert promotion["phase"] == "promoted"
    assert (live.otagate("status")["data"]["live"], set(codes)) == ("green", {200})
    last = page(live, run, "html").rpartition('aria-labelledby="promotion-')[2]  # the refused ones stand before it
    assert "Shadow of web: pass" in last
    assert "body /active" not in last
    print(f"promoted beside its shadow in {time.monotonic() - began:.0f} s")
