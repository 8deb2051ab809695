"""Durations, sizes and shares as people write them: `60s`, `4h`, `200ms`, `512m`, `2%`."""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from otagate.config.tree import shown

_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,6})?(?:ms|[dhms]))+", re.ASCII)
_PART = re.compile(r"([\d.]+)(ms|[dhms])")
_SIZE = re.compile(r"(\d{1,12})(b|kb?|mb?|gb?)", re.IGNORECASE | re.ASCII)
_BYTES = {"b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s?%", re.ASCII)
_LONGEST = 366 * 86400.0


def flaw(message: str, hint: str) -> PydanticCustomError:
    """An error of ours with its hint, for a validator to raise."""
    return PydanticCustomError("otagate", "{text}", {"text": message, "hint": hint})


def seconds(value: Any) -> float:
    """Seconds in a duration such as `1h30m`."""
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise flaw(f"{shown(value)} is not a duration", "write a number with its unit: 200ms, 60s, 3m, 4h, 7d")
    parts = _PART.findall(value)
    if len({unit for _, unit in parts}) < len(parts):
        raise flaw(f"{shown(value)} names a unit twice", "write each unit once: 1h30m")
    total = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if total > _LONGEST:
        raise flaw(f"{shown(value)} is longer than a year", "write a shorter duration")
    return round(total, 6)


def size(value: Any) -> int:
    """Bytes in a size such as `512m`, in powers of 1024 as Compose has it."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise flaw(f"{shown(value)} is not a size", "write a number with its unit: 512m, 2g")
    return int(match[1]) * _BYTES[match[2][0].lower()]


def share(value: Any) -> float:
    """A share such as `2%` as a number from 0 to 1."""
    match = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if match is None or float(match[1]) > 100:
        raise flaw(f"{shown(value)} is not a share", "write a percentage from 0% to 100%")
    return float(match[1]) / 100


def between(least: float, most: float, words: str) -> Callable[[Any], Any]:
    """A validator for numbers from `least` to `most`; `words` says the bounds in the file's own units."""

    def check(value: Any) -> Any:
        if not least <= value <= most:
            raise flaw("is out of range", f"write a value {words}")
        return value

    return check


Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|[dhms]))+$", "examples": ["60s", "4h"]}),
]
Size = Annotated[
    int, BeforeValidator(size), WithJsonSchema({"type": "string", "pattern": r"^\d+([bB]|[kKmMgG][bB]?)$"})
]
Share = Annotated[
    float,
    BeforeValidator(share),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,3}(\.\d+)? ?%$", "examples": ["2%"]}),
]
Deadline = Annotated[Duration, AfterValidator(between(0.1, 86400.0, "from 100ms to 24h"))]
Count = Annotated[int, AfterValidator(between(0, 1_000_000, "from 0 to 1000000"))]
Positive = Annotated[int, AfterValidator(between(1, 1_000_000, "from 1 to 1000000"))]
PortNumber = Annotated[int, AfterValidator(between(1, 65535, "from 1 to 65535"))]
