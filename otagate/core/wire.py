"""JSON-like data back into our frozen types: what the command line and the steward say to one another.

`canonical.plain` writes what `typed` reads. Reading is strict: a key too many, one too few or a value of another kind
is a ValueError that names the place, never a default.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar, Union, get_args, get_origin

T = TypeVar("T")


def typed(kind: type[T], value: Any, at: str = "") -> T:
    """`value` as an instance of `kind`; raises ValueError."""
    return typing.cast(T, _read(kind, value, at or getattr(kind, "__name__", "value")))


def _read(kind: Any, value: Any, at: str) -> Any:
    if kind is Any:
        return value
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _either(get_args(kind), value, at)
    if origin is tuple:
        return _row(get_args(kind), value, at)
    if origin in (Mapping, dict):
        return _mapping(get_args(kind), value, at)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _member(kind, value, at)
    if is_dataclass(kind):
        return _record(kind, value, at)
    return _atom(kind, value, at)


def _either(kinds: tuple[Any, ...], value: Any, at: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    (kind,) = [k for k in kinds if k is not type(None)]
    return _read(kind, value, at)


def _row(kinds: tuple[Any, ...], value: Any, at: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{at}: a list was expected, not {value!r}")
    return tuple(_read(kinds[0], item, f"{at}[{index}]") for index, item in enumerate(value))


def _mapping(kinds: tuple[Any, ...], value: Any, at: str) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{at}: a mapping was expected, not {value!r}")
    return {_read(kinds[0], key, at): _read(kinds[1], item, f"{at}.{key}") for key, item in value.items()}


def _member(kind: type[Enum], value: Any, at: str) -> Enum:
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"{at}: {value!r} is no {kind.__name__}") from None


def _record(kind: Any, value: Any, at: str) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError(f"{at}: a mapping was expected, not {value!r}")
    known = {field.name: field for field in fields(kind)}
    odd = sorted(set(value) - set(known))
    if odd:
        raise ValueError(f"{at}: unknown key {odd[0]!r}")
    missing = [name for name, field in known.items() if name not in value and _needed(field)]
    if missing:
        raise ValueError(f"{at}: {missing[0]!r} is missing")
    hints = typing.get_type_hints(kind)
    return kind(**{name: _read(hints[name], item, f"{at}.{name}") for name, item in value.items()})


def _needed(field: "Field[Any]") -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _atom(kind: Any, value: Any, at: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{at}: {kind.__name__} was expected, not {value!r}")
    return value
