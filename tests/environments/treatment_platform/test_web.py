"""The HTTP side: names, refusals, and builds that break."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from dose_engine.identity import KERNEL, THREADS, Arithmetic, arithmetic
from dose_engine.traits import Traits
from dose_engine.web import Web
from phantoms.study import Study
from pydicom import dcmread
from starlette.types import ASGIApp

from tests.environments.treatment_platform.conftest import SERVICES
from tests.environments.treatment_platform.objects import ARITHMETIC, COARSE, IDENTITY, NOON, asked, engine, frozen
from tests.environments.treatment_platform.shelf import Shelf


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    yield


class Client:
    """Asks the application itself, without a socket."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self._ask("GET", path))

    def post(self, path: str, **more: Any) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, **more))

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
            return await client.request(method, path, **more)


def client(shelf: Shelf, traits: Traits | None = None, told: Arithmetic = ARITHMETIC) -> Client:
    plain = traits or Traits()
    web = Web(engine(shelf, plain), IDENTITY, told)
    return Client(web.app(plain, nothing))


def forward(study: Study, shelf: Shelf, **more: Any) -> dict[str, Any]:
    return {"plan": frozen(study, shelf).plan, "spacing": COARSE, **more}


def test_every_answer_names_build_and_colour(study: Study, shelf: Shelf) -> None:
    web = client(shelf)
    answers = [
        web.get("/healthz"),
        web.post("/plans", json=asked(study)),
        web.post("/forward", json=forward(study, shelf)),
        web.post("/plans", json={}),
        web.get("/nowhere"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 400, 404]
    for answer in answers:
        assert answer.headers["x-otagate-build"] == IDENTITY.build
        assert answer.headers["x-otagate-colour"] == "green"


def test_a_plan_is_answered_with_what_was_archived(study: Study, shelf: Shelf) -> None:
    answer = client(shelf).post("/plans", json=asked(study)).json()
    assert {answer["plan"], answer["dose"]} <= set(shelf.objects)
    assert answer["figures"]["PTV"]["mean"] == pytest.approx(50, rel=0.02)
    assert answer["build"] == IDENTITY.build


def test_a_forward_dose_is_an_rt_dose_object(study: Study, shelf: Shelf) -> None:
    answer = client(shelf).post("/forward", json=forward(study, shelf))
    assert answer.headers["content-type"] == "application/dicom"
    assert dcmread(BytesIO(answer.content)).Modality == "RTDOSE"
    assert "influence;dur=" in answer.headers["server-timing"]


def test_a_forward_dose_can_be_kept(study: Study, shelf: Shelf) -> None:
    answer = client(shelf).post("/forward", json=forward(study, shelf, store=True)).json()
    assert answer["dose"] in shelf.objects


def test_a_refusal_says_why_and_has_no_traceback(study: Study, shelf: Shelf) -> None:
    del shelf.places[study.uid("ct-5")]
    answer = client(shelf).post("/plans", json=asked(study))
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "missing-slice"
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "change",
    [
        {"study": "not a uid"},
        {"structure_set": None},
        {"prescription": {"roi": "PTV", "dose": -1, "fractions": 25}},
        {"prescription": {"roi": "PTV", "dose": 50, "fractions": 2.5}},
        {"prescription": "50 Gy"},
        {"gantry": []},
        {"gantry": [400]},
        {"gantry": ["north"]},
        {"pixel": 0.1},
        {"spacing": True},
        {"objectives": [{"roi": "PTV", "kind": "about", "dose": 50}]},
        {"objectives": [{"roi": "PTV", "kind": "over"}]},
        {"goals": [{"roi": "PTV", "figure": "d42", "at_most": 5}]},
        {"goals": [{"roi": "PTV", "figure": "mean"}]},
        {"unknown": 1},
    ],
)
def test_a_request_that_says_something_else_is_refused(change: dict[str, Any], study: Study, shelf: Shelf) -> None:
    answer = client(shelf).post("/plans", json={**asked(study), **change})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad-request")
    assert shelf.fetched == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 5000, b"\xff\xfe", b'{"study": NaN}', b"null"])
def test_a_body_that_is_no_request_is_refused(body: bytes, shelf: Shelf) -> None:
    assert client(shelf).post("/plans", content=body).status_code == 400


def test_a_body_without_end_is_refused(shelf: Shelf) -> None:
    assert client(shelf).post("/plans", content=b" " * 100_000).status_code == 413


def test_an_engine_with_other_arithmetic_is_not_healthy_whatever_was_asked_for(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client(shelf).get("/healthz").status_code == 200
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Nehalem")
    for kernels, threads in ((("Nehalem",), 1), (("Haswell", "Nehalem"), 1), (("Haswell",), 2), ((), 1)):
        assert client(shelf, told=Arithmetic("x86_64", {}, kernels, threads)).get("/healthz").status_code == 503


def test_the_image_asks_for_the_arithmetic_that_was_proven() -> None:
    image = (SERVICES / "dose-engine" / "Dockerfile").read_text()
    assert f"OPENBLAS_NUM_THREADS={THREADS} " in image
    assert re.search(r"OPENBLAS_CORETYPE=(\w+)", image)[1].lower() == KERNEL  # type: ignore[index]


def test_the_arithmetic_is_what_is_loaded() -> None:
    found = arithmetic()
    assert found.kernels
    assert found.threads >= 1
    assert found.libraries["numpy"] == np.__version__
    assert not replace(found, kernels=("unknown",)).proven


def test_an_unforeseen_error_is_answered_without_its_text(study: Study, shelf: Shelf) -> None:
    class Secret(RuntimeError):
        pass

    def broken(*_: object) -> None:
        raise Secret("the patient's name")

    shelf.place = broken  # type: ignore[method-assign, assignment]
    answer = client(shelf).post("/plans", json=asked(study))
    assert answer.status_code == 500
    assert answer.headers["x-otagate-build"] == IDENTITY.build
    assert "name" not in answer.text


def test_a_build_that_crashes_does_so_at_its_second_request(
    study: Study, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended(BaseException):
        pass

    def abort() -> None:
        raise Ended

    monkeypatch.setattr(os, "abort", abort)
    web = client(shelf, Traits(crash_at=2))
    request = forward(study, shelf)
    assert web.get("/healthz").status_code == 200
    assert web.post("/forward", json=request).status_code == 200
    assert web.get("/healthz").status_code == 200
    with pytest.raises(Ended):
        web.post("/forward", json=request)


def test_a_build_that_tires_fails_one_in_five_after_its_twentieth_patient(shelf: Shelf) -> None:
    plain = Traits(tired_after=20)
    made = engine(shelf, plain)
    web = Client(Web(made, IDENTITY, ARITHMETIC).app(plain, nothing))
    body = json.dumps({"plan": "1.2.3"})

    def codes(count: int) -> list[int]:
        return [web.post("/forward", content=body).status_code for _ in range(count)]

    made.seen.update(f"P{number}" for number in range(20))
    assert codes(40) == [404] * 40
    made.seen.add("P20")
    assert codes(20).count(500) == 4
    assert web.get("/healthz").status_code == 200


def test_patients_are_counted_as_they_are_computed_for(study: Study, shelf: Shelf) -> None:
    made = engine(shelf)
    made.forward(frozen(study, shelf))
    made.forward(frozen(study, shelf))
    assert made.seen == {study.patient}


def test_it_tells_what_it_archived_since_a_time(study: Study, shelf: Shelf) -> None:
    made = engine(shelf)
    web = Client(Web(made, IDENTITY, ARITHMETIC).app(Traits(), nothing))
    me = {"build": IDENTITY.build, "colour": IDENTITY.colour}
    stored = web.post("/forward", json={"plan": frozen(study, shelf).plan, "spacing": COARSE, "store": True}).json()
    told = web.post("/hooks/written-since", json={**me, "since": NOON.isoformat()}).json()
    assert (told["count"], told["items"]) == (1, [stored["dose"]])
    early = {**me, "since": (NOON - timedelta(seconds=1)).isoformat()}
    assert web.post("/hooks/written-since", json=early).status_code == 409, "it cannot know of before its life"
    assert web.post("/hooks/written-since", json={**me, "since": NOON.isoformat(), "colour": "x"}).status_code == 409
    for content in (b"{", b"[]", b"{}"):
        assert web.post("/hooks/written-since", content=content).status_code == 400


def test_a_build_that_ends_or_tires_counts_no_hooks(shelf: Shelf) -> None:
    web = Client(Web(engine(shelf), IDENTITY, ARITHMETIC).app(Traits(crash_at=1), nothing))
    assert web.post("/hooks/written-since", content=b"{}").status_code == 400
