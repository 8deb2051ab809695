"""Secrets from outside, held so that they print as stars."""

import os
from collections.abc import Mapping
from pathlib import Path

from otagate.config.paths import read_whole
from otagate.config.tree import Flaw, shown
from otagate.core.errors import UsageError
from otagate.core.platform import SecretKind, SecretSource

MOST_SECRET_BYTES = 64 * 1024


class Secret:
    """Bytes nobody prints by accident: text, repr and format are stars; `reveal` gives them out."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def reveal(self) -> bytes:
        """The bytes themselves."""
        return self._content

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._content == self._content

    def __hash__(self) -> int:
        return hash(self._content)


def read_secret(source: SecretSource, folder: Path, environment: Mapping[str, str] = os.environ) -> Secret:
    """The secret that a platform in `folder` takes from outside; one final line break of a file is dropped.

    UsageError if it is not there, empty or unreadable. A generated secret has no outside: ValueError.
    """
    match source.kind:
        case SecretKind.GENERATED:
            raise ValueError("a generated secret is made, not read")
        case SecretKind.ENVIRONMENT:
            content = os.fsencode(environment.get(source.reference, ""))
            where, hint = f"the variable {source.reference}", f"export {source.reference}=…"
        case SecretKind.FILE:
            content, where = _content(source.reference, folder), f"the file {shown(source.reference)}"
            hint = "put the secret into the file"
    if not content:
        raise UsageError(f"the secret from {where} is empty or missing", code="secret", hint=hint)
    return Secret(content)


def _content(reference: str, folder: Path) -> bytes:
    try:
        content = read_whole(folder / reference, MOST_SECRET_BYTES)
    except Flaw as flaw:
        message = f"the secret file {shown(reference)} {flaw.message}"
        raise UsageError(message, code="secret", hint=flaw.hint) from None
    return content.removesuffix(b"\n").removesuffix(b"\r")
