"""Shadow: live safe requests, asked of the live colour and of the candidate side by side, and their answers compared.

Pure: what to ask comes from the switch, who asks is the steward. Values of bodies and headers are nobody's to keep
(they may be a patient's): a difference is told by its place.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

SAFE = ("GET", "HEAD")
# One hop's own, or what would make two answers differ by the asking alone.
HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "upgrade"),
        *("transfer-encoding", "content-length", "expect", "range", "if-none-match", "if-modified-since"),
        "accept-encoding",
    }
)
MARK = "X-Otagate-Shadow"
_EXAMPLES = 20  # differences that a report keeps


class Body(StrEnum):
    """How two bodies are compared: byte by byte, as JSON without the ignored places, or not at all."""

    EXACT = "exact"
    JSON = "json"
    NONE = "none"


@dataclass(frozen=True)
class ShadowRule:
    """What a listener's platform declares. `lasts` in seconds; `most` requests; fewer than `minimum` comparisons mean
    unknown; more than `unexplained` differences refuse the promotion (None: they are shown, and nothing refuses);
    `headers` in lower case; `ignore`: JSON pointers in which `*` stands for any one name or number."""

    lasts: float
    most: int
    minimum: int
    unexplained: int | None
    headers: tuple[str, ...]
    body: Body
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """A safe request as a client sent it. `headers` keep their order; those of one hop are gone."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]

    @property
    def path(self) -> str:
        """Without the query, which may say whom it is about."""
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Reply:
    """`headers` by name in lower case; `whole` False: the body was longer than is read, and only its beginning is
    here."""

    code: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True


@dataclass(frozen=True)
class Difference:
    """`place`: `status`, `header NAME`, `body`, `body /POINTER` or `answer`."""

    place: str
    message: str


@dataclass(frozen=True)
class Example:
    """One request whose answers differed."""

    method: str
    path: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class ShadowSeen:
    """What came of one listener's shadow. `compared` requests, `differing` of them; `moving`: they differed only where
    the live colour did not answer the same twice; `unpaired`: it did not answer; `dropped`: not copied because the
    bounds were reached; `trouble`: what ended it early."""

    compared: int = 0
    differing: int = 0
    moving: int = 0
    unpaired: int = 0
    dropped: int = 0
    examples: tuple[Example, ...] = ()
    trouble: str = ""

    def with_compared(self, request: Request, found: Sequence[Difference]) -> "ShadowSeen":
        examples = self.examples
        if found and len(examples) < _EXAMPLES:
            examples = (*examples, Example(request.method, request.path, tuple(found[:10])))
        return replace(self, compared=self.compared + 1, differing=self.differing + bool(found), examples=examples)


class Told(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ShadowWord:
    """What a rule says of what was seen; `refuses` the promotion or only tells."""

    told: Told
    message: str
    refuses: bool


def read_request(raw: bytes) -> Request:
    """Method, target and headers as the switch hands them out, a line each; ValueError for anything else."""
    lines = raw.decode("latin-1").split("\n")
    method, _, target = lines[0].partition(" ")
    if method not in SAFE or not target.startswith("/") or any(c <= " " or c == "\x7f" for c in target):
        raise ValueError("no safe request")
    return Request(method, target, tuple(_headers(lines[1:])))


def _headers(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in filter(None, lines):
        name, colon, value = line.partition(":")
        if not colon or not name or "\r" in line:
            raise ValueError("no header")
        if name.lower() not in HOP:
            yield name, value.strip()


def compare(rule: ShadowRule, request: Request, live: Reply, new: Reply) -> tuple[Difference, ...]:
    """Where the new answer departs from the live one, by the rule."""
    found = []
    if live.code != new.code:
        found.append(Difference("status", f"{live.code} live, {new.code} new"))
    for name in rule.headers:
        if live.headers.get(name) != new.headers.get(name):
            absent = [side for side, reply in (("live", live), ("new", new)) if name not in reply.headers]
            found.append(Difference(f"header {name}", f"absent {absent[0]}" if absent else "another value"))
    if request.method != "HEAD":
        found.extend(_bodies(rule, live, new))
    return tuple(found)


def beyond_own(found: Sequence[Difference], own: Sequence[Difference]) -> tuple[Difference, ...]:
    """What was `found` of the new colour, without the places at or below which the live colour departs from its `own`
    answer as well: one place that moves must not hide another that is wrong."""
    moved = [difference.place for difference in own]
    return tuple(
        difference
        for difference in found
        if not any(
            difference.place == place or difference.place.startswith((f"{place}/", f"{place} /")) for place in moved
        )
    )


def _bodies(rule: ShadowRule, live: Reply, new: Reply) -> Iterator[Difference]:
    if rule.body is Body.NONE or (live.whole and new.whole and live.body == new.body):
        return
    if rule.body is Body.JSON and live.whole and new.whole:
        try:
            pair = json.loads(live.body), json.loads(new.body)
        except ValueError:
            yield Difference("body", "no JSON, and not the same bytes")
            return
        ignored = [pointer.split("/")[1:] for pointer in rule.ignore]
        yield from (Difference(f"body {place}".rstrip(), message) for place, message in _parts(*pair, (), ignored))
        return
    longer = "" if live.whole and new.whole else "; longer than is read, so never the same"
    yield Difference("body", f"{len(live.body)} bytes live, {len(new.body)} new{longer}")


def _parts(live: Any, new: Any, at: tuple[str, ...], ignored: Sequence[Sequence[str]]) -> Iterator[tuple[str, str]]:
    if any(_matches(pointer, at) for pointer in ignored):
        return
    if isinstance(live, dict) and isinstance(new, dict):
        for name in sorted({*live, *new}):
            yield from _one(live, new, name, (*at, name.replace("~", "~0").replace("/", "~1")), ignored)
    elif isinstance(live, list) and isinstance(new, list):
        if len(live) != len(new):
            yield "/" + "/".join(at) if at else "", f"{len(live)} entries live, {len(new)} new"
        for number, (one, other) in enumerate(zip(live, new, strict=False)):
            yield from _parts(one, other, (*at, str(number)), ignored)
    elif type(live) is not type(new) or live != new:
        yield "/" + "/".join(at) if at else "", "another value"


def _one(
    live: dict[str, Any], new: dict[str, Any], name: str, at: tuple[str, ...], ignored: Sequence[Sequence[str]]
) -> Iterator[tuple[str, str]]:
    if name in live and name in new:
        yield from _parts(live[name], new[name], at, ignored)
    elif not any(_matches(pointer, at) for pointer in ignored):
        yield "/" + "/".join(at), f"absent {'new' if name in live else 'live'}"


def _matches(pointer: Sequence[str], at: Sequence[str]) -> bool:
    return len(pointer) == len(at) and all(want in ("*", have) for want, have in zip(pointer, at, strict=True))


def judged(rule: ShadowRule, seen: ShadowSeen) -> ShadowWord:
    """Nothing compared is no evidence, and no evidence never passes."""
    refuses = rule.unexplained is not None
    told = f"{seen.compared} requests compared, {seen.differing} answered differently"
    if seen.differing > (rule.unexplained or 0):
        return ShadowWord(Told.FAIL, f"{told}, at most {rule.unexplained or 0} allowed", refuses)
    if seen.compared < max(1, rule.minimum):
        why = f" ({seen.trouble})" if seen.trouble else ""
        return ShadowWord(Told.UNKNOWN, f"{told}: fewer than the {max(1, rule.minimum)} demanded{why}", refuses)
    return ShadowWord(Told.PASS, told, refuses)
