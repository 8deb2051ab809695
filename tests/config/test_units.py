"""Durations, sizes and shares."""

import pytest
from pydantic_core import PydanticCustomError

from otagate.config.units import seconds, share, size


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("60s", 60),
        ("4h", 14400),
        ("200ms", 0.2),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        ("7d", 604800),
        ("0s", 0),
        ("1m30s500ms", 90.5),
    ],
)
def test_a_duration_is_seconds(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "60",
        "s",
        "-1s",
        "1 s",
        "1S",
        "1e3s",
        "inf",
        "nans",
        "1s1s",
        "1us",
        "9999d",
        "1.s",
        "٣s",
        "1s\n",
        60,
        1.5,
        None,
        True,
        [],
        "9" * 400 + "s",
    ],
)
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(PydanticCustomError):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "value"), [("512m", 512 * 1024**2), ("2G", 2 * 1024**3), ("10kb", 10240), ("7b", 7), ("1MB", 1024**2)]
)
def test_a_size_is_bytes(text: str, value: int) -> None:
    assert size(text) == value


@pytest.mark.parametrize("text", ["", "512", "m", "-1m", "1.5g", "1 m", "1mib", "٣m", 512, None])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(PydanticCustomError):
        size(text)


@pytest.mark.parametrize(("text", "value"), [("2%", 0.02), ("0.5%", 0.005), ("100%", 1), ("0%", 0), ("2 %", 0.02)])
def test_a_share_is_a_number_up_to_one(text: str, value: float) -> None:
    assert share(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "2", "%", "-1%", "101%", "100.1%", "nan%", 0.02, 2, None])
def test_what_is_no_share_is_refused(text: object) -> None:
    with pytest.raises(PydanticCustomError):
        share(text)
