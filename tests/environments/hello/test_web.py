"""The HTTP side over fakes: codes, names of the build, growing tired."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hello_web.intake import Intake
from hello_web.limits import LARGEST
from hello_web.tally import Tally
from hello_web.traits import Traits
from hello_web.web import Web

from tests.environments.hello.objects import IDENTITY, Memory, dose, entry, file_of


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    yield


class Client:
    """One caller at a time, without a socket."""

    def __init__(self, store: Memory, traits: Traits) -> None:
        web = Web(IDENTITY, store, Intake(store, IDENTITY, traits), Tally(store, IDENTITY), store.alive)
        self._app: Any = web.app(traits, nothing)

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def post(self, path: str, content: bytes | AsyncIterator[bytes] = b"") -> httpx.Response:
        return self.request("POST", path, content)

    def request(self, method: str, path: str, content: bytes | AsyncIterator[bytes] = b"") -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://web") as client:
                return await client.request(method, path, content=content)

        return asyncio.run(ask())


@pytest.fixture
def store() -> Memory:
    return Memory()


@pytest.fixture
def client(store: Memory) -> Client:
    return Client(store, Traits())


def test_an_object_is_kept_listed_found_and_read_back(client: Client) -> None:
    body = file_of(dose())
    assert client.post("/objects", content=body).json()["kept"] == "new"
    assert client.post("/objects", content=body).json()["kept"] == "same"
    assert client.get("/objects?limit=1").json()["objects"][0]["kept_by"] == IDENTITY.build
    assert client.get("/objects/1.2.3").json()["object"]["summary"]["dose"]["maximum"] == 11.5
    assert client.get("/objects/1.2.3/content").content == body
    assert client.post("/summary", content=body).json()["held"] is True


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/objects/9.9", 404),
        ("GET", "/objects/9.9/content", 404),
        ("GET", "/objects/..%2F", 404),
        ("GET", "/objects?limit=0", 400),
        ("GET", "/objects?limit=²", 400),
        ("GET", "/objects?limit=99999999999999999999", 400),
        ("GET", "/objects?limit=000000001999", 400),
        ("PUT", "/objects", 405),
        ("GET", "/none", 404),
        ("POST", "/objects", 422),
    ],
)
def test_a_refusal_is_clear_and_names_the_build(client: Client, method: str, path: str, code: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == code
    assert answer.headers["x-otagate-build"] == answer.json()["build"] == IDENTITY.build
    assert answer.headers["x-otagate-colour"] == "green"
    assert answer.json()["error"]["message"]


def test_a_truncated_body_is_named_so(client: Client) -> None:
    answer = client.post("/summary", content=file_of(dose())[:-1])
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "truncated")


def test_another_object_under_the_same_uid_is_a_conflict(client: Client) -> None:
    other = dose()
    other.DoseGridScaling = "0.75"
    assert client.post("/objects", content=file_of(dose())).status_code == 200
    assert client.post("/objects", content=file_of(other)).status_code == 409


def test_a_store_that_is_away_makes_it_unhealthy_and_keeps_nothing(client: Client, store: Memory) -> None:
    assert client.get("/healthz").status_code == 200
    store.down = True
    assert client.get("/healthz").status_code == 503
    answer = client.post("/objects", content=file_of(dose()))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store")
    assert store.entries == {}


def test_a_body_beyond_the_limit_is_refused(client: Client) -> None:
    assert client.post("/objects", content=b"\0" * (LARGEST + 1)).status_code == 413

    async def in_parts() -> AsyncIterator[bytes]:
        for _ in range(2):
            yield b"\0" * (LARGEST // 2 + 1)

    assert client.post("/objects", content=in_parts()).status_code == 413


def test_what_a_build_wrote_is_counted_named_and_set_apart(client: Client, store: Memory) -> None:
    for number in range(25):
        client.post("/objects", content=file_of(dose(uid=f"1.2.{number}")))
    store.keep(entry("9.9"))  # another build's
    asked = json.dumps({"build": IDENTITY.build, "colour": "green", "since": "2026-11-24T18:40:00.1+00:00"}).encode()
    answer = client.post("/hooks/written-since", content=asked).json()
    assert (answer["count"], len(answer["items"]), answer["items"][0]) == (25, 20, "1.2.0")
    assert store.asked[0].since == datetime(2026, 11, 24, 18, 40, 0, 100000, UTC)
    assert client.get("/objects/1.2.0").json()["object"]["quarantined"] is False
    assert client.post("/hooks/quarantine", content=asked).json()["quarantined"] == 25
    assert client.get("/objects/1.2.0").json()["object"]["quarantined"] is True
    assert client.get("/objects/9.9").json()["object"]["quarantined"] is False


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"build": "b", "colour": "green", "since": "2026-11-24T18:40:00"}']
)
def test_what_is_no_question_is_refused_and_marks_nothing(client: Client, store: Memory, body: bytes) -> None:
    client.post("/objects", content=file_of(dose()))
    for hook in ("written-since", "quarantine"):
        assert client.post(f"/hooks/{hook}", content=body).status_code == 400
    assert store.apart == set()


def test_the_hooks_turn_it_active_and_passive(client: Client) -> None:
    assert client.get("/healthz").json()["active"] is False
    assert client.post("/hooks/activate").json()["active"] is True
    assert client.get("/healthz").json()["active"] is True
    assert client.post("/hooks/passive").json()["active"] is False


def test_what_nobody_foresaw_is_a_named_500_and_its_text_stays_inside(
    client: Client, store: Memory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: int) -> None:
        raise RuntimeError("Secret^Name")

    monkeypatch.setattr(store, "recent", broken)
    answer = client.get("/objects")
    assert answer.status_code == 500
    assert answer.headers["x-otagate-build"] == IDENTITY.build
    assert "unforeseen RuntimeError" in caplog.text
    assert "Secret" not in caplog.text + answer.text


def test_after_its_answers_one_in_five_fails_whatever_the_path_and_health_is_not_counted() -> None:
    client = Client(Memory(), Traits(tired_after=10))
    for _ in range(20):
        assert client.get("/healthz").status_code == 200
    assert [client.get("/objects").status_code for _ in range(10)] == [200] * 10
    paths = ["/objects", "/none", "/objects?limit=1"] * 10
    codes = [client.get(path).status_code for path in paths]
    assert codes.count(500) == len(paths) / 5
    assert {client.get("/healthz").status_code for _ in range(10)} == {200}
    assert {client.post("/hooks/passive").status_code for _ in range(10)} == {200}


def test_the_invariants_say_whether_it_is_active_and_well(client: Client, store: Memory) -> None:
    told = client.post("/hooks/invariants").json()
    assert (told["active"], told["well"]) == (False, True)
    client.post("/hooks/activate")
    assert client.post("/hooks/invariants").json()["active"] is True
    store.down = True
    assert client.post("/hooks/invariants").json()["well"] is False
