"""One byte form for every value that is named by its digest (JSON Canonicalization Scheme, RFC 8785)."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import rfc8785


def canonical(value: Any) -> bytes:
    """The RFC 8785 bytes of a JSON-like value; raises ValueError on NaN, infinity and non-JSON types."""
    return bytes(rfc8785.dumps(value))


def digest_of(value: Any) -> str:
    """`sha256:` and 64 hex digits over the canonical bytes of `value`."""
    return digest_of_bytes(canonical(value))


def digest_of_bytes(content: bytes) -> str:
    """`sha256:` and 64 hex digits over `content` as it is."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def plain(value: Any) -> Any:
    """Dataclasses, mappings and tuples as JSON-like data; bytes enter by their digest."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return digest_of_bytes(value)
    return value
