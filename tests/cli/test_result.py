import json

import pytest

from otagate.cli.options import Output
from otagate.cli.result import SCHEMA, Result, run
from otagate.core.errors import (
    Alarm,
    Busy,
    ConfigError,
    EngineFault,
    Exit,
    Interrupted,
    OtagateError,
    Position,
    Problem,
    Refused,
    UsageError,
)

KEYS = ["schema", "command", "exit", "data", "findings", "errors"]


def told(capsys: pytest.CaptureFixture[str], body: object, output: Output = Output.JSON) -> tuple[int, str, str]:
    code = run("probe", output, body)  # type: ignore[arg-type]
    out, err = capsys.readouterr()
    return code, out, err


def raising(error: BaseException) -> object:
    def body() -> Result:
        raise error

    return body


def test_the_envelope_holds_the_same_keys_whatever_came(capsys: pytest.CaptureFixture[str]) -> None:
    for body in (lambda: Result(Exit.DONE, {"a": 1}, "done"), raising(UsageError("no")), raising(ValueError("x"))):
        _, out, _ = told(capsys, body)
        assert list(json.loads(out)) == KEYS
        assert json.loads(out)["schema"] == SCHEMA


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("u"), 2),
        (ConfigError([Problem(Position("f", 1, 2), "a.b", "bad")]), 2),
        (Refused("r"), 1),
        (Busy("b"), 7),
        (EngineFault("e"), 4),
        (Alarm("a"), 8),
        (Interrupted("i"), 130),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_kind_of_breakage_has_its_own_exit_status(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    ended, out, _ = told(capsys, raising(error))
    assert ended == code
    assert json.loads(out)["exit"] == code
    assert json.loads(out)["errors"]


def test_an_error_is_told_with_its_place_and_what_to_do_next(capsys: pytest.CaptureFixture[str]) -> None:
    problem = Problem(Position("otagate.yaml", 3, 7), "watch.lasts", "must be at least 1s", "for example 60s")
    _, out, err = told(capsys, raising(ConfigError([problem])), Output.TEXT)
    assert out == ""
    assert err == "otagate probe: otagate.yaml:3:7: watch.lasts: must be at least 1s\n  → for example 60s\n"


def test_a_bug_shows_no_traceback_and_names_the_file_that_has_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("OTAGATE_HOME", str(tmp_path))
    code, out, err = told(capsys, raising(RuntimeError("surprise")), Output.TEXT)
    assert code == 70
    assert "Traceback" not in out + err
    path = err.split("Details: ")[1].split()[0]
    with open(path) as kept:
        assert "RuntimeError: surprise" in kept.read()


def test_a_library_that_would_end_the_program_is_a_bug_not_an_exit_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("OTAGATE_HOME", str(tmp_path))
    assert told(capsys, raising(SystemExit(1)))[0] == 70
    assert told(capsys, raising(SystemExit(0)))[0] == 70


def test_text_goes_to_stdout_and_talk_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    body = lambda: Result(Exit.DONE, {}, "what came", next="otagate status")  # noqa: E731
    _, out, err = told(capsys, body, Output.TEXT)
    assert (out, err) == ("what came\n", "next: otagate status\n")


def test_every_error_class_has_an_exit_status_of_its_own_meaning() -> None:
    def walk(kind: type[OtagateError]) -> list[type[OtagateError]]:
        return [kind, *(deeper for sub in kind.__subclasses__() for deeper in walk(sub))]

    assert {k.exit for k in walk(OtagateError)} <= set(Exit)
    assert all(k.exit is not Exit.DONE for k in walk(OtagateError))
