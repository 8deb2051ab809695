import math
from dataclasses import dataclass

import pytest

from otagate.core.canonical import canonical, digest_of, digest_of_bytes, plain


@dataclass(frozen=True)
class Point:
    x: int
    tags: tuple[str, ...]


def test_the_order_of_keys_does_not_matter_and_every_value_does() -> None:
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})


def test_the_bytes_are_those_of_the_standard() -> None:
    # RFC 8785, 3.2.2.3: numbers as ECMAScript prints them, no white space
    assert canonical({"numbers": [333333333.33333329, 1e30, 4.50, 2e-3]}) == (
        b'{"numbers":[333333333.3333333,1e+30,4.5,0.002]}'
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, object()])
def test_what_is_no_json_has_no_digest(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the library's own subclasses
        digest_of({"x": value})


def test_dataclasses_become_plain_data_and_bytes_their_digest() -> None:
    assert plain({"p": Point(1, ("a",)), 2: b"secret"}) == {
        "p": {"x": 1, "tags": ["a"]},
        "2": digest_of_bytes(b"secret"),
    }
