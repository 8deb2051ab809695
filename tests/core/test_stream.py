"""Lines that are messages, and all the others."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otagate.core.stream import PREFIX, Message, NotAMessage, decode
from tests.core.lines import TOKEN, line, sound


@pytest.mark.parametrize("message", sound(), ids=lambda message: str(message["kind"]))
def test_every_kind_is_read_as_it_was_told(message: dict[str, Any]) -> None:
    fields = {name: value for name, value in message.items() if name != "kind"}

    assert decode(line(message, 7), TOKEN) == Message(message["kind"], 7, fields)


def test_the_plugin_and_the_reader_agree_on_the_form() -> None:
    from otagate.pytest_plugin import line

    assert line.PREFIX.encode() == PREFIX


@pytest.mark.parametrize("message", sound(), ids=lambda message: str(message["kind"]))
def test_a_message_with_a_field_less_more_or_of_another_kind_is_none(message: dict[str, Any]) -> None:
    impossible: tuple[Any, ...] = ({"a": {}}, [[]], -1e6, True)
    wrong = [{**message, "more": 1}, *({**message, name: value} for name in message for value in impossible)]
    wrong += [{k: v for k, v in message.items() if k != name} for name in message]
    for one in wrong:
        with pytest.raises(NotAMessage):
            decode(line(one, 0), TOKEN)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"passed",
        b"null",
        b"[]",
        b"{}",
        b'"otagate"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"otagate":1,' * 1_000,
        b'{"otagate":2,"token":"t0ken","number":0,"kind":"end"}',
        b'{"otagate":1,"token":"t0ken","number":0,"kind":"broken","where":"a","where":"b","message":"","detail":""}',
        b'{"otagate":1,"token":"t0ken","number":0,"kind":"start","id":"a","at":NaN}',
        b'{"otagate":1,"token":"t0ken","number":0,"kind":"start","id":"a","at":1e999}',
        b'{"otagate":1,"token":"t0ken","number":0,"kind":"start","id":"a","at":' + b"9" * 400 + b"}",
        b'{"otagate":1,"token":"t0ken","number":0,"kind":"start","id":"a","at":' + b"9" * 5_000 + b"}",
        b'{"otagate":1,"token":"t0ken","number":0,"kind":["start"],"id":"a","at":1}',
        b'{"otagate":1,"token":["t0ken"],"number":0,"kind":"start","id":"a","at":1}',
        b'{"otagate":1,"token":"t0ken","number":0,"kind":"start","id":"' + b"a" * 3_000 + b'","at":1}',
    ],
    ids=lambda text: repr(text[:60]),
)
def test_what_is_not_exactly_a_message_is_refused(text: bytes) -> None:
    with pytest.raises(NotAMessage):
        decode(text, TOKEN)


@pytest.mark.parametrize("token", ["", "T0ken", "t0ken ", "t0ke"])
def test_another_token_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(NotAMessage, match=r"^a message without the run's token$"):
        decode(line(sound()[0], 0, token), TOKEN)


@given(st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with pytest.raises(NotAMessage):
        decode(data, TOKEN)


@given(st.dictionaries(st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=8)))
def test_no_fields_raise_anything_else(fields: dict[str, Any]) -> None:
    envelope = {"otagate": 1, "token": TOKEN, "number": 0, "kind": "start"}
    with pytest.raises(NotAMessage):
        decode(json.dumps({**fields, **envelope}).encode(), TOKEN)
