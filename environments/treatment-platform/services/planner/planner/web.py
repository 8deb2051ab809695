"""The HTTP side. Every answer names the build and colour that gave it, and the engine's if that was asked."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planner.courses import Courses
from planner.engine import Engine, named
from planner.settings import Identity
from planner.trouble import Trouble
from planner.worker import Worker

LARGEST = 64 * 1024  # bytes of a request
UPLOAD = 10.0  # seconds for a request's body

log = logging.getLogger("planner")

Lifespan = Callable[[], AbstractAsyncContextManager[None]]


class Web:
    """Requests in, answers out."""

    def __init__(
        self, identity: Identity, courses: Courses, engine: Engine, worker: Worker, listening: Callable[[], bool]
    ) -> None:
        self._identity = identity
        self._courses = courses
        self._engine = engine
        self._worker = worker
        self._listening = listening

    def app(self, lifespan: Lifespan) -> ASGIApp:
        """The whole application."""
        routes = [
            Route("/healthz", self.health, methods=["GET"]),
            Route("/plans", self.plan, methods=["POST"]),
            Route("/plans/{structure_set}", self.planned, methods=["GET"]),
            Route("/forward", self.forward, methods=["POST"]),
            Route("/hooks/activate", self.activate, methods=["POST"]),
            Route("/hooks/passive", self.passive, methods=["POST"]),
            Route("/hooks/written-since", self.written_since, methods=["POST"]),
        ]
        refusals: dict[Any, Any] = {Trouble: self._trouble, HTTPException: self._no_such, ClientDisconnect: self._gone}
        return Named(
            Starlette(routes=routes, exception_handlers=refusals, lifespan=lambda _: lifespan()), self._identity
        )

    async def health(self, _: Request) -> Response:
        well = self._listening() and self._worker.works
        return self._answer({"healthy": well, "active": self._worker.active}, 200 if well else 503)

    async def plan(self, request: Request) -> Response:
        """A plan for a structure set, sent to the machine before the answer; the one that is there if there is one."""
        wanted = await _wanted(request)
        study, structure_set = wanted.pop("study", None), wanted.pop("structure_set", None)
        if not isinstance(study, str) or not isinstance(structure_set, str):
            raise Trouble("bad-request", "study and structure_set must be given", 400)
        made = await run_in_threadpool(self._courses.run, study, structure_set, wanted)
        return self._answer(made, headers=named(made["engine"], made["engine_colour"]))

    async def planned(self, request: Request) -> Response:
        found = self._courses.find(request.path_params["structure_set"])
        if found is None:
            raise Trouble("not-found", "this process planned no such structure set", 404)
        return self._answer(found, headers=named(found["engine"], found["engine_colour"]))

    async def forward(self, request: Request) -> Response:
        """The engine's answer as it is."""
        answer = await run_in_threadpool(self._engine.ask, "/forward", await _wanted(request))
        return Response(answer.content, media_type=answer.kind, headers=named(answer.build, answer.colour))

    async def activate(self, _: Request) -> Response:
        await run_in_threadpool(self._worker.activate)
        return self._answer({"active": True})

    async def passive(self, _: Request) -> Response:
        await run_in_threadpool(self._worker.passive)
        return self._answer({"active": False})

    async def written_since(self, request: Request) -> Response:
        return self._answer(self._courses.written.since(await _wanted(request)))

    def _answer(self, body: Mapping[str, Any], code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        told = {"build": self._identity.build, "colour": self._identity.colour, **body}
        return Response(json.dumps(told), code, media_type="application/json", headers=headers)

    async def _trouble(self, _: Request, error: Exception) -> Response:
        trouble = error if isinstance(error, Trouble) else Trouble("unforeseen", "", 500)
        log.warning("trouble: %s", trouble.code)
        told = {"error": {"code": trouble.code, "message": trouble.message}}
        return self._answer(told, trouble.http, trouble.engine)

    async def _no_such(self, _: Request, error: Exception) -> Response:
        code = error.status_code if isinstance(error, HTTPException) else 500
        return self._answer({"error": {"code": "no-such-request", "message": ""}}, code)

    async def _gone(self, _: Request, __: Exception) -> Response:
        return self._answer({"error": {"code": "bad-request", "message": "the body did not come whole"}}, 400)


async def _wanted(request: Request) -> dict[str, Any]:
    held = b""
    try:
        async with asyncio.timeout(UPLOAD):
            async for part in request.stream():
                held += part
                if len(held) > LARGEST:
                    raise Trouble("bad-request", f"at most {LARGEST} bytes", 413)
        wanted = json.loads(held)
    except TimeoutError:
        raise Trouble("bad-request", f"the body did not come within {UPLOAD:.0f} s", 408) from None
    except (ValueError, RecursionError):
        raise Trouble("bad-request", "the body must be JSON", 400) from None
    if not isinstance(wanted, dict):
        raise Trouble("bad-request", "the body must be an object", 400)
    return wanted


class Named:
    """Adds the headers of the build to every answer, also to the last-resort one for an error nobody foresaw."""

    def __init__(self, inner: ASGIApp, identity: Identity) -> None:
        self._inner = inner
        self._identity = identity

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
            await self._inner(scope, receive, named)
        except Exception as error:  # its text may hold what a client sent: only its kind is logged
            log.error("unforeseen %s", type(error).__name__)
            if not begun:
                body = json.dumps({"build": self._identity.build, "error": {"code": "unforeseen", "message": ""}})
                headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
                await named({"type": "http.response.start", "status": 500, "headers": headers})
                await named({"type": "http.response.body", "body": body.encode()})
