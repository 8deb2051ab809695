"""Secrets made unreadable in text, in every form in which programs print them."""

import base64
import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

STARS = "***"
_LINE = 8  # a line of a secret of several lines is hidden by itself from this length on


class Redactor:
    """Replaces secrets: as they are, in base64, URL- and JSON-escaped."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        # The longest first: a form inside another must not leave the rest of it standing.
        self._forms = sorted(forms, key=lambda form: (-len(form), form))

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, STARS)
        return text


def _forms(secret: bytes) -> set[str]:
    whole = {secret, secret.strip()}
    lines = {line.strip() for line in secret.splitlines() if len(line.strip()) >= _LINE}
    found = {form for part in whole | lines for form in _escaped(part)}
    return {form for form in found if form.strip()}


def _escaped(secret: bytes) -> set[str]:
    text = secret.decode(errors="replace")
    return {
        text,
        quote(text),
        quote(text, safe=""),
        quote_plus(text),
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
        *_in_base64(secret),
    }


def _in_base64(secret: bytes) -> set[str]:
    """The secret alone, and the digits that it always makes when it stands inside something longer."""
    found = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        found |= {encode(secret).decode(), encode(secret).decode().rstrip("=")}
        for shift in range(3):
            # Digits that also depend on the bytes before or after are cut off.
            first, last = -(-8 * shift // 6), (8 * (shift + len(secret))) // 6
            inner = encode(b"\0" * shift + secret).decode()[first:last]
            found |= {inner} if len(inner) >= _LINE else set()
    return found
