"""One byte form for every value that is named by its digest (JSON Canonicalization Scheme, RFC 8785)."""

import hashlib
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
