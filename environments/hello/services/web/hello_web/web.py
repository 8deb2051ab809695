"""The HTTP side. Every answer names the build and colour that gave it."""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hello_web.intake import Intake
from hello_web.limits import LARGEST, Unreadable, Unsupported
from hello_web.settings import Identity
from hello_web.store import Conflict, Objects, Span, StoreDown
from hello_web.tally import Tally
from hello_web.traits import Traits

UPLOAD = 30.0  # seconds for a request's body
MOST_LISTED = 1000
MOST_NAMED = 20

log = logging.getLogger("hello")

Lifespan = Callable[[], AbstractAsyncContextManager[None]]


class Web:
    """`well` says whether all that a request may need is there."""

    def __init__(
        self, identity: Identity, objects: Objects, intake: Intake, tally: Tally, well: Callable[[], bool]
    ) -> None:
        self._identity = identity
        self._objects = objects
        self._intake = intake
        self._tally = tally
        self._well = well

    def app(self, traits: Traits, lifespan: Lifespan) -> ASGIApp:
        routes = [
            Route("/healthz", self.health, methods=["GET"]),
            Route("/objects", self.keep, methods=["POST"]),
            Route("/objects", self.recent, methods=["GET"]),
            Route("/objects/{uid}", self.find, methods=["GET"]),
            Route("/objects/{uid}/content", self.content, methods=["GET"]),
            Route("/summary", self.summarise, methods=["POST"]),
            Route("/hooks/activate", self.activate, methods=["POST"]),
            Route("/hooks/passive", self.passive, methods=["POST"]),
            Route("/hooks/written-since", self.written_since, methods=["POST"]),
            Route("/hooks/quarantine", self.quarantine, methods=["POST"]),
            Route("/hooks/invariants", self.invariants, methods=["POST"]),
        ]
        refusals: dict[Any, Any] = {
            Unreadable: self._unreadable,
            Conflict: self._conflict,
            StoreDown: self._store_down,
            HTTPException: self._refused,
            ClientDisconnect: self._gone,
        }
        inner = Starlette(routes=routes, exception_handlers=refusals, lifespan=lambda _: lifespan())
        inner.router.redirect_slashes = False  # a redirect would be an answer without a body that names the build
        return Named(inner, self._identity, traits.tired_after)

    async def health(self, _: Request) -> Response:
        well = await run_in_threadpool(self._well)
        return self._answer({"healthy": well, "active": self._tally.active}, 200 if well else 503)

    async def keep(self, request: Request) -> Response:
        summary, kept = await run_in_threadpool(self._intake.keep, await _body(request), "http")
        return self._answer({"kept": kept.value, "summary": summary.answer})

    async def summarise(self, request: Request) -> Response:
        summary = await run_in_threadpool(self._intake.summarise, await _body(request))
        held = await run_in_threadpool(self._objects.holds, summary.sop_instance_uid)
        return self._answer({"held": held, "summary": summary.answer})

    async def recent(self, request: Request) -> Response:
        raw = request.query_params.get("limit", "20")
        if not (raw.isascii() and raw.isdigit() and len(raw) <= 4 and 1 <= int(raw) <= MOST_LISTED):
            raise HTTPException(400, f"limit must be a number from 1 to {MOST_LISTED}")
        return self._answer({"objects": await run_in_threadpool(self._objects.recent, int(raw))})

    async def find(self, request: Request) -> Response:
        found = await run_in_threadpool(self._objects.find, _uid(request))
        if found is None:
            raise HTTPException(404, "no such object")
        return self._answer({"object": found})

    async def content(self, request: Request) -> Response:
        found = await run_in_threadpool(self._objects.content, _uid(request))
        if found is None:
            raise HTTPException(404, "no such object")
        return Response(found, media_type="application/dicom")

    async def activate(self, _: Request) -> Response:
        await run_in_threadpool(self._tally.activate)
        return self._answer({"active": True})

    async def passive(self, _: Request) -> Response:
        await run_in_threadpool(self._tally.passive)
        return self._answer({"active": False})

    async def written_since(self, request: Request) -> Response:
        count, uids = await run_in_threadpool(self._objects.written, _span(await _body(request)), MOST_NAMED)
        return self._answer({"count": count, "items": uids})

    async def quarantine(self, request: Request) -> Response:
        return self._answer(
            {"quarantined": await run_in_threadpool(self._objects.quarantine, _span(await _body(request)))}
        )

    async def invariants(self, _: Request) -> Response:
        return self._answer({"active": self._tally.active, "well": await run_in_threadpool(self._well)})

    def _answer(self, body: dict[str, Any], code: int = 200) -> Response:
        told = {"build": self._identity.build, "colour": self._identity.colour, **body}
        return Response(json.dumps(told), code, media_type="application/json")

    def _error(self, code: int, reason: str, message: str) -> Response:
        return self._answer({"error": {"code": reason, "message": message}}, code)

    async def _unreadable(self, _: Request, error: Exception) -> Response:
        if isinstance(error, Unsupported):
            return self._error(415, "unsupported", str(error))
        return self._error(422, type(error).__name__.lower(), str(error))

    async def _conflict(self, _: Request, __: Exception) -> Response:
        return self._error(409, "conflict", "another object is kept under this SOP instance UID; it was not touched")

    async def _store_down(self, _: Request, __: Exception) -> Response:
        return self._error(503, "store", "the store does not answer; nothing was kept")

    async def _refused(self, _: Request, error: Exception) -> Response:
        code, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
        return self._error(code, "refused", detail)

    async def _gone(self, _: Request, __: Exception) -> Response:
        return self._error(400, "incomplete", "the request ended before its body did")


async def _body(request: Request) -> bytes:
    """Raises HTTPException for a body that is too large, or too slow."""
    claimed = request.headers.get("content-length", "0")
    if claimed.isascii() and claimed.isdigit() and int(claimed[:12]) > LARGEST:
        raise HTTPException(413, f"at most {LARGEST} bytes")
    parts, length = [], 0
    try:
        async with asyncio.timeout(UPLOAD):
            async for part in request.stream():
                parts.append(part)
                length += len(part)
                if length > LARGEST:
                    raise HTTPException(413, f"at most {LARGEST} bytes")
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {UPLOAD:.0f} s") from None
    return b"".join(parts)


def _span(body: bytes) -> Span:
    """What both hooks are asked about. Raises HTTPException."""
    try:
        asked = json.loads(body)
        since = datetime.fromisoformat(asked["since"])
        if since.tzinfo is None:
            raise ValueError("no time zone")
        return Span(str(asked["build"]), str(asked["colour"]), since)
    except (ValueError, KeyError, TypeError) as odd:
        what = 'a JSON object with "build", "colour" and "since" (ISO 8601 with its time zone) is expected'
        raise HTTPException(400, what) from odd


def _uid(request: Request) -> str:
    uid: str = request.path_params["uid"]
    if len(uid) > 64 or not set(uid) <= set("0123456789."):
        raise HTTPException(404, "no such object")
    return uid


class Named:
    """Adds the headers of the build to every answer, also to the last-resort one for an error nobody foresaw.

    After `tired_after` answers (0: never; health checks and hooks not counted) every fifth is an error.
    """

    def __init__(self, inner: ASGIApp, identity: Identity, tired_after: int) -> None:
        self._inner = inner
        self._identity = identity
        self._tired_after = tired_after
        self._answers = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        begun = False

        async def named(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message["headers"], *self._identity.headers]
            await send(message)

        try:
            if self._tired(scope["path"]):
                await self._fail(named, "tired")
            else:
                await self._inner(scope, receive, named)
        except Exception as error:  # its text may hold what a client sent: only its kind is logged
            log.error("unforeseen %s in %s", type(error).__name__, _place(error))
            if not begun:
                await self._fail(named, "unforeseen")

    def _tired(self, path: str) -> bool:
        if path == "/healthz" or path.startswith("/hooks/") or not self._tired_after:
            return False
        self._answers += 1
        return self._answers > self._tired_after and self._answers % 5 == 0

    async def _fail(self, send: Send, reason: str) -> None:
        body = json.dumps({"build": self._identity.build, "error": {"code": reason, "message": "internal error"}})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": body.encode()})


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "unknown" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
