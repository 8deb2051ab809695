"""The dose engine, over HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from planner.trouble import Trouble

PATIENCE = httpx.Timeout(120.0, connect=5.0)  # seconds; a plan is computed in a few on a quiet machine


@dataclass(frozen=True)
class Answer:
    """What the engine said, and the build and colour that said it."""

    build: str
    colour: str
    kind: str
    content: bytes
    body: Mapping[str, Any]


class Engine:
    """Every call raises Trouble: the engine's own refusals with its own code and status."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._client = httpx.Client(base_url=url, timeout=PATIENCE, transport=transport, trust_env=False)

    def close(self) -> None:
        self._client.close()

    def ask(self, path: str, wanted: Mapping[str, Any]) -> Answer:
        """`path` is /plans or /forward."""
        try:
            answer = self._client.post(path, json=dict(wanted))
        except httpx.HTTPError as error:
            raise Trouble("engine", f"the engine does not answer ({type(error).__name__})", 502) from None
        kind = answer.headers.get("content-type", "")
        body = _body(answer, kind)
        build, colour = (answer.headers.get(f"x-otagate-{name}", "") for name in ("build", "colour"))
        who = named(build, colour) | {"X-Engine-Status": str(answer.status_code)}
        if 400 <= answer.status_code < 500:
            told = body.get("error", {})
            code, message = str(told.get("code", "engine")), str(told.get("message", ""))
            lasting = answer.status_code != 408  # a request that came too slowly may come in time the next time
            raise Trouble(code, message, answer.status_code, lasting=lasting, engine=who)
        if answer.status_code != 200 or not build:
            raise Trouble("engine", f"the engine answered {answer.status_code}", 502, engine=who)
        return Answer(build, colour, kind, answer.content, body)


def named(build: str, colour: str) -> dict[str, str]:
    """The headers that say which engine is behind an answer; none for an engine that did not say."""
    return {"X-Engine-Build": build, "X-Engine-Colour": colour} if build else {}


def _body(answer: httpx.Response, kind: str) -> Mapping[str, Any]:
    if not kind.startswith("application/json"):
        return {}
    try:
        body = answer.json()
    except ValueError:
        raise Trouble("engine", "the engine's answer is no JSON", 502) from None
    return body if isinstance(body, dict) else {}
