"""The HTTP side. Every answer names the build and colour that gave it."""

import asyncio
import json
import logging
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dose_engine.engine import Engine
from dose_engine.identity import Arithmetic, Identity
from dose_engine.refusal import Refusal
from dose_engine.request import parse_forward_request, parse_plan_request
from dose_engine.traits import Traits

LARGEST = 64 * 1024  # bytes of a request
UPLOAD = 10.0  # seconds for a request's body
AT_ONCE = 2  # computations; the rest wait their turn
WORK = ("/plans", "/forward")
EVERY = 5  # which request a tired engine fails

log = logging.getLogger("dose-engine")

Lifespan = Callable[[], AbstractAsyncContextManager[None]]


class Web:
    """Requests in, answers out; the engine does the work, on threads of their own."""

    def __init__(self, engine: Engine, identity: Identity, told: Arithmetic) -> None:
        self._engine = engine
        self._identity = identity
        self._arithmetic = told
        self._room = asyncio.Semaphore(AT_ONCE)

    def app(self, traits: Traits, lifespan: Lifespan) -> ASGIApp:
        """The whole application."""
        routes = [
            Route("/healthz", self.health, methods=["GET"]),
            Route("/plans", self.plan, methods=["POST"]),
            Route("/forward", self.forward, methods=["POST"]),
            Route("/hooks/written-since", self.written_since, methods=["POST"]),
        ]
        refusals: dict[Any, Any] = {
            Refusal: self._refused,
            HTTPException: self._no_such,
            ClientDisconnect: self._gone,
        }
        inner = Starlette(routes=routes, exception_handlers=refusals, lifespan=lambda _: lifespan())
        return Named(inner, self._identity, traits, self._engine.seen)

    async def health(self, _: Request) -> Response:
        """Well only where the last digits come out as the image promises: other arithmetic is another engine."""
        sound = self._arithmetic.proven
        return self._answer({"healthy": sound, "arithmetic": self._arithmetic.answer}, 200 if sound else 503)

    async def plan(self, request: Request) -> Response:
        wanted = parse_plan_request(await _body(request))
        async with self._room:
            answer = await run_in_threadpool(self._engine.plan, wanted)
        log.info("plan %s computed and archived in %.2f s", answer["plan"], answer["timings"]["all"])
        return self._answer(answer)

    async def forward(self, request: Request) -> Response:
        wanted = parse_forward_request(await _body(request))
        async with self._room:
            encoded, answer = await run_in_threadpool(self._engine.forward, wanted)
        if wanted.store:
            return self._answer(answer)
        hops = ", ".join(f"{name};dur={1000 * seconds:.1f}" for name, seconds in answer["timings"].items())
        return Response(encoded, media_type="application/dicom", headers={"Server-Timing": hops})

    async def written_since(self, request: Request) -> Response:
        try:
            asked = json.loads(await _body(request))
        except (ValueError, RecursionError):
            raise Refusal("bad-request", "the body must be JSON", http=400) from None
        return self._answer(self._engine.written.since(asked))

    def _answer(self, body: dict[str, Any], code: int = 200) -> Response:
        told = {"build": self._identity.build, "colour": self._identity.colour, **body}
        return Response(json.dumps(told, allow_nan=False), code, media_type="application/json")

    async def _refused(self, _: Request, error: Exception) -> Response:
        refusal = error if isinstance(error, Refusal) else Refusal("refused", "")
        log.warning("refused: %s", refusal.code)
        return self._answer({"error": {"code": refusal.code, "message": refusal.message}}, refusal.http)

    async def _no_such(self, _: Request, error: Exception) -> Response:
        code = error.status_code if isinstance(error, HTTPException) else 500
        return self._answer({"error": {"code": "no-such-request", "message": "see docs/dose-engine.md"}}, code)

    async def _gone(self, _: Request, __: Exception) -> Response:
        return self._answer({"error": {"code": "bad-request", "message": "the body did not come whole"}}, 400)


async def _body(request: Request) -> bytes:
    """Raises Refusal for a body that is too large, or too slow."""
    held = b""
    try:
        async with asyncio.timeout(UPLOAD):
            async for part in request.stream():
                held += part
                if len(held) > LARGEST:
                    raise Refusal("bad-request", f"at most {LARGEST} bytes", http=413)
    except TimeoutError:
        raise Refusal("bad-request", f"the body did not come within {UPLOAD:.0f} s", http=408) from None
    return held


class Named:
    """Adds the headers of the build to every answer, also to the last-resort one for an error nobody foresaw.

    Counts requests for work (health checks and hooks are none) for the traits that depend on how many there were.
    """

    def __init__(self, inner: ASGIApp, identity: Identity, traits: Traits, seen: set[str]) -> None:
        self._inner = inner
        self._identity = identity
        self._traits = traits
        self._seen = seen
        self._requests = 0

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
            if scope["path"] in WORK and self._fails():
                await self._fail(named, "tired")
            else:
                await self._inner(scope, receive, named)
        except Exception as error:  # its text may hold what a client sent: only its kind is logged
            log.error("unforeseen %s", type(error).__name__)
            if not begun:
                await self._fail(named, "unforeseen")

    def _fails(self) -> bool:
        self._requests += 1
        if self._requests == self._traits.crash_at:
            os.abort()  # as native code that writes past its array ends the whole process
        tired = 0 < self._traits.tired_after < len(self._seen)
        return tired and self._requests % EVERY == 0

    async def _fail(self, send: Send, reason: str) -> None:
        body = json.dumps({"build": self._identity.build, "error": {"code": reason, "message": "internal error"}})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": body.encode()})
