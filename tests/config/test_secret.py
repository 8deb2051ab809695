"""Secrets from outside: read when needed, printed as stars."""

import copy
import json
import pickle
from pathlib import Path

import pytest

from otagate.config.load import load
from otagate.config.secret import MOST_SECRET_BYTES, Secret, read_secret
from otagate.core.errors import UsageError
from otagate.core.platform import SecretKind, SecretSource
from tests.config.platform_copies import original, small_in


def test_a_secret_prints_as_stars() -> None:
    secret = Secret(b"hunter2")
    for text in (str(secret), repr(secret), f"{secret}", f"{secret!r:>20}", f"{[secret]}", f"{secret}"):
        assert "hunter2" not in text
        assert "***" in text


def test_a_secret_does_not_leave_by_pickle_or_json() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret(b"hunter2"))
    with pytest.raises(TypeError):
        copy.copy(Secret(b"hunter2"))
    with pytest.raises(TypeError):
        json.dumps(Secret(b"hunter2"))


def test_it_gives_out_its_bytes_when_asked() -> None:
    assert Secret(b"\x00\xff").reveal() == b"\x00\xff"


def test_equal_secrets_are_equal() -> None:
    assert Secret(b"a") == Secret(b"a") != Secret(b"b")
    assert len({Secret(b"a"), Secret(b"a"), Secret(b"b")}) == 2


def test_a_variable_is_read(tmp_path: Path) -> None:
    source = SecretSource(SecretKind.ENVIRONMENT, "MAIL_PASSWORD")
    assert read_secret(source, tmp_path, {"MAIL_PASSWORD": "hunter2"}).reveal() == b"hunter2"


@pytest.mark.parametrize(("content", "secret"), [(b"hunter2\n", b"hunter2"), (b"a\r\n", b"a"), (b"a\n\n", b"a\n")])
def test_a_file_is_read_without_its_last_line_break(content: bytes, secret: bytes, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(content)
    assert read_secret(SecretSource(SecretKind.FILE, "key"), tmp_path).reveal() == secret
    assert read_secret(SecretSource(SecretKind.FILE, str(tmp_path / "key")), Path("/")).reveal() == secret


@pytest.mark.parametrize("environment", [{}, {"MAIL_PASSWORD": ""}])
def test_a_missing_or_empty_variable_is_never_an_empty_secret(environment: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="MAIL_PASSWORD is empty or missing") as caught:
        read_secret(SecretSource(SecretKind.ENVIRONMENT, "MAIL_PASSWORD"), tmp_path, environment)
    assert caught.value.hint == "export MAIL_PASSWORD=…"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"x" * (MOST_SECRET_BYTES + 1)])
def test_a_missing_empty_or_huge_file_is_refused(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_secret(SecretSource(SecretKind.FILE, "key"), tmp_path)
    assert caught.value.hint


def test_a_generated_secret_has_no_outside(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="made, not read"):
        read_secret(SecretSource(SecretKind.GENERATED), tmp_path)


def test_the_sources_of_secrets_are_loaded(tmp_path: Path) -> None:
    more = "secrets: {mail: {environment: MAIL_PASSWORD}, key: {file: ./key}, store-password"
    compose = original("compose").replace("\nsecrets: {store-password", f"\n{more}")
    assert load(small_in(tmp_path, compose=compose)).secrets == {
        "key": SecretSource(SecretKind.FILE, "./key"),
        "mail": SecretSource(SecretKind.ENVIRONMENT, "MAIL_PASSWORD"),
        "store-password": SecretSource(SecretKind.GENERATED),
    }
