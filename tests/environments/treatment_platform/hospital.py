"""A hospital in memory around a planner: an archive, an engine and a machine that it can be tried against."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from dose_engine.multipart import pack, unpack
from planner.archive import Archive
from planner.courses import Courses
from planner.engine import Engine
from planner.machine import Machine
from planner.settings import Identity
from planner.web import Web
from planner.worker import Worker
from planner.written import Written

IDENTITY = Identity("sha256:" + "cd" * 32, "blue")
ENGINE_BUILD = "sha256:" + "ab" * 32
USUAL = {"prescription": {"roi": "PTV", "dose": 50, "fractions": 25}}
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
SOON = 30.0  # seconds; nothing here takes one on a quiet machine


@dataclass
class Hospital:
    """An archive and an engine that live in memory; the engine makes the same plan each time."""

    plan: bytes
    plan_uid: str
    stored: list[bytes] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    objects: Any = 33
    looked: int = 0  # how often a study's plans were asked for
    refusal: tuple[int, str] | None = None
    down: bool = False
    nameless: Mapping[str, Any] | None = None  # an answer that does not say which plan the engine made

    def archive(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("down", request=request)
        path, query = request.url.path.removeprefix("/dicom-web"), request.url.params
        if request.method == "POST":
            self.stored += unpack(request.content, request.headers["content-type"])
            return httpx.Response(200, json={})
        if query.get("Modality") == "RTSTRUCT":
            found = [{"0020000D": {"Value": ["1.2"]}, "00080018": {"Value": [uid]}} for uid in self.waiting]
            begin = int(query["offset"])
            return httpx.Response(200, json=found[begin : begin + int(query["limit"])])
        if query.get("Modality") == "RTPLAN":
            self.looked += 1
            return httpx.Response(200, json=[{}] * len(self.asked) if not self.refusal else [])
        if path == "/studies":
            return httpx.Response(200, json=[{"00201208": {"Value": [self.objects]}}])
        if "SOPInstanceUID" in query:
            known = query["SOPInstanceUID"] == self.plan_uid
            return httpx.Response(200, json=[{"0020000E": {"Value": ["1.3"]}}] if known else [])
        body, kind = pack([self.plan])
        return httpx.Response(200, content=body, headers={"Content-Type": kind})

    def engine(self, request: httpx.Request) -> httpx.Response:
        named = {"X-Otagate-Build": ENGINE_BUILD, "X-Otagate-Colour": "blue"}
        if request.url.path == "/forward":
            return httpx.Response(200, content=b"dose", headers={**named, "Content-Type": "application/dicom"})
        self.asked.append(json.loads(request.content))
        if self.refusal:
            error = {"code": self.refusal[1], "message": "said so"}
            return httpx.Response(self.refusal[0], json={"error": error}, headers=named)
        made = {"plan": self.plan_uid, "dose": "1.9", "timings": {"all": 1.0}}
        return httpx.Response(200, json=made if self.nameless is None else self.nameless, headers=named)


@dataclass
class Parts:
    archive: Archive
    engine: Engine
    courses: Courses
    worker: Worker


def assembled(hospital: Hospital, machine: Machine) -> Parts:
    """A planner in this hospital, its worker not started."""
    archive = Archive("http://vna/dicom-web", ("clinic", "secret"), httpx.MockTransport(hospital.archive))
    engine = Engine("http://engine", httpx.MockTransport(hospital.engine))
    courses = Courses(archive, engine, machine, USUAL, Written(IDENTITY, lambda: datetime.now(UTC)))
    return Parts(archive, engine, courses, Worker(archive, courses, period=0.05))


@contextmanager
def working(parts: Parts) -> Iterator[Parts]:
    parts.worker.start()
    try:
        yield parts
    finally:
        parts.worker.close()


def at(port: int, kind: type[Machine] = Machine) -> Machine:
    """The machine, as the planner knows it."""
    return kind(("127.0.0.1", port), "LINAC", "PLANNER", IDENTITY.implementation)


def ask(parts: Parts, method: str, path: str, **more: Any) -> httpx.Response:
    @asynccontextmanager
    async def nothing() -> AsyncIterator[None]:
        yield

    app = Web(IDENTITY, parts.courses, parts.engine, parts.worker, lambda: True).app(nothing)

    async def asking() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://planner") as client:
            return await client.request(method, path, **more)

    return asyncio.run(asking())


def eventually(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + SOON
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.01)
    return False
