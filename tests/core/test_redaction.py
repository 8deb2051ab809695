"""No form of a secret stays in a text, and nothing else is touched."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otagate.core.redaction import STARS, Redactor

SECRET = 'p w/+"ä&='


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
    ],
)
def test_every_printed_form_of_a_secret_is_hidden(form: str) -> None:
    assert Redactor([SECRET.encode()])(f"before {form} after") == f"before {STARS} after"


def test_a_secret_inside_longer_base64_is_hidden() -> None:
    secret = "correct-horse-battery"
    for user in ("a", "ab", "abc"):
        text = base64.b64encode(f"{user}:{secret}!".encode()).decode()
        hidden = Redactor([secret.encode()])(text)
        assert STARS in hidden
        assert len(hidden.replace(STARS, "")) <= len(text) - 4 * (len(secret) // 3 - 1)


def test_a_secret_that_ends_in_a_line_break_is_hidden_without_it() -> None:
    assert Redactor([b"hunter22\n"])("password=hunter22;") == f"password={STARS};"


def test_each_long_line_of_a_key_is_hidden() -> None:
    key = b"-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n-----END KEY-----\n"
    assert "MIIEvQ" not in Redactor([key])("loaded MIIEvQIBADANBgkqhkiG from file")


def test_a_secret_inside_another_leaves_no_rest() -> None:
    assert Redactor([b"abcd", b"abcdefgh"])("x abcdefgh y") == f"x {STARS} y"


def test_text_without_secrets_is_left_as_it_is() -> None:
    assert Redactor([])("nothing to hide") == "nothing to hide"
    assert Redactor([b"", b"  "])("nothing to hide") == "nothing to hide"


@given(st.text(min_size=4).filter(lambda s: s.strip() and "*" not in s), st.text(), st.text())
def test_no_secret_survives(secret: str, before: str, after: str) -> None:
    assert secret not in Redactor([secret.encode()])(before + secret + after).replace(STARS, "\0")
