"""The lines a suite's run is told in, read strictly: what is not exactly as agreed is not a message."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from otagate.core.text import printable

PREFIX = b'{"otagate":1,'
LINE_BYTES = 8 * 1024 * 1024
ID_CHARS = 2_000
MESSAGE_CHARS = 1_000
DETAIL_CHARS = 40_000


class NotAMessage(ValueError):
    """A line that cannot be believed; the text says why."""


@dataclass(frozen=True)
class Message:
    """`number` counts a run's messages from 0."""

    kind: str
    number: int
    fields: Mapping[str, Any]


def decode(line: bytes, token: str) -> Message:
    """One line (without its end). Raises NotAMessage for a wrong form, token, kind or field."""
    message = _object(line)
    if message.pop("otagate", None) != 1 or not _is_text(message.get("token")):
        raise NotAMessage("a line that is not a message")
    if message.pop("token") != token:
        raise NotAMessage("a message without the run's token")
    kind, number = message.pop("kind", None), message.pop("number", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise NotAMessage(f"a message of unknown kind {printable(repr(kind), 60)}")
    if not _is_count(number):
        raise NotAMessage(f"a message of kind {kind} without its number")
    wanted = _KINDS[kind]
    if message.keys() != wanted.keys():
        raise NotAMessage(f"a message of kind {kind} with other fields than agreed")
    for name, check in wanted.items():
        if not check(message[name]):
            raise NotAMessage(f"a message of kind {kind} with an impossible {name}")
    return Message(kind, number, message)


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise NotAMessage("a line that is not JSON") from None
    if not isinstance(value, dict):
        raise NotAMessage("a line that is not a message")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= ID_CHARS


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53


def _is_status(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -1024 < value < 1024


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e12


def _is_number_text(value: object) -> bool:
    """A sample travels as text so that "nan" and "inf" can be told at all."""
    if not isinstance(value, str) or len(value) > 40:
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


def _is_span(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_time, value)) and value[0] <= value[1]


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def _is_cases(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(case, dict)
        and case.keys() == {"id", "requirements", "risks"}
        and _is_id(case["id"])
        and _is_texts(case["requirements"])
        and _is_texts(case["risks"])
        for case in value
    )


def _is_counts(value: object) -> bool:
    return isinstance(value, dict) and all(_is_count(n) for n in value.values())


def _is_ask(value: object) -> bool:
    if not isinstance(value, dict) or not _is_id(value.get("service")):
        return False
    return value.keys() == {"service"} or (value.keys() == {"service", "deadline"} and _is_time(value["deadline"]))


def _one_of(*words: str) -> Callable[[object], bool]:
    return lambda value: value in words


def _or_none(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or check(value)


_KINDS: Mapping[str, Mapping[str, Callable[[Any], bool]]] = {
    "session": {
        "pytest": _is_text,
        "python": _is_text,
        "plugins": _is_texts,
        "args": _is_texts,
        "optimized": _is_count,
    },
    "broken": {"where": _is_text, "message": _is_text, "detail": _is_text},
    "collected": {"cases": _is_cases, "dropped": _is_texts},
    "start": {"id": _is_id, "at": _is_time},
    "case": {
        "id": _is_id,
        "outcome": _one_of("passed", "failed", "error", "skipped", "xfailed", "xpassed"),
        "started": _is_time,
        "ended": _is_time,
        "since": _or_none(_is_span),
        "message": _is_text,
        "detail": _is_text,
    },
    "sample": {
        "metric": _is_id,
        "unit": _is_text,
        "direction": _one_of("lower", "higher"),
        "candidate": _is_number_text,
        "baseline": _or_none(_is_number_text),
        "case": _is_text,
    },
    "picture": {"name": _is_text, "title": _is_text, "size": _is_count, "content": _is_text},
    "ask": {"id": _is_count, "what": _one_of("restart", "kill", "logs"), "args": _is_ask},
    "end": {"collected": _is_count, "counts": _is_counts, "status": _is_status, "meddling": _is_texts},
}
