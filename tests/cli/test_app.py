import json
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from otagate.cli.app import app, incident, mirror
from otagate.core.errors import Exit

COMMANDS = ["demo", "doctor", "init", "check", "up", "down", "test", "verdict", "report", "promote", "rollback"]


def otagate(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "otagate", *words], capture_output=True, text=True, timeout=60)


def surface() -> list[str]:
    """Every command as it is typed."""
    top = [c.name or c.callback.__name__ for c in app.registered_commands if c.callback]
    groups = {"mirror": mirror, "incident": incident}
    return [*top, *(f"{name} {c.name}" for name, group in groups.items() for c in group.registered_commands)]


def helped(command: str) -> str:
    shown = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "80", "TERM": "dumb"})
    assert shown.exit_code == 0
    return shown.output


@pytest.mark.parametrize("command", surface())
def test_every_command_has_help_that_fits_eighty_columns(command: str) -> None:
    assert max(map(len, helped(command).splitlines())) <= 80


@pytest.mark.parametrize("command", surface())
def test_every_commands_help_names_its_exit_codes(command: str) -> None:
    told = " ".join(helped(command).split()).partition("Exit: ")[2].partition("╭")[0]
    codes = [int(number) for number in re.findall(r"\b\d+\b", told)]
    assert codes[0] == 0
    assert codes == sorted(codes) or command == "verdict"
    assert set(codes) < set(Exit)


def test_whatever_takes_a_lease_may_wait_for_it_and_nothing_else_offers_to() -> None:
    takes = {"up", "down", "test", "promote", "rollback", "recover", "mirror up", "mirror down"}
    assert {command for command in surface() if "--wait" in helped(command)} == takes


def test_whatever_changes_a_platform_says_beforehand_what_it_would_do() -> None:
    changes = {"up", "down", "test", "promote", "rollback", "recover", "mirror up", "mirror down"}
    assert {command for command in surface() if "--dry-run" in helped(command)} == changes


def test_the_gates_and_the_ways_back_are_told_apart_by_their_exit_codes() -> None:
    for command, *words in (
        ("test", "0 approve", "1 refuse", "3 inconclusive"),
        ("promote", "0 promoted", "5 undone", "6 stranded"),
        ("recover", "0 finished or nothing to do", "5 undone", "6 stranded"),
        ("status", "6 stranded", "8 not as it should be"),
    ):
        said = " ".join(helped(command).split())
        assert [word for word in words if word not in said] == []


def test_every_command_of_the_surface_is_there() -> None:
    there = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    assert {*COMMANDS, "status", "recover"} <= there
    assert {c.name for c in mirror.registered_commands} == {"up", "diff", "down"}
    assert {c.name for c in incident.registered_commands} == {"list", "clear"}


@pytest.mark.parametrize("words", [["nonsense"], ["test"], ["promote"], ["status", "--no-such-option"]])
def test_a_usage_error_ends_2_and_speaks_json_when_asked(words: list[str]) -> None:
    plain = otagate(*words)
    assert plain.returncode == 2
    assert plain.stdout == ""
    assert "Traceback" not in plain.stderr
    asked = otagate(*words, "--output", "json")
    assert asked.returncode == 2
    assert json.loads(asked.stdout)["errors"][0]["code"] == "usage"


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("--output json check", "check"),
        ("check --no-such --output json", "check"),
        ("mirror up --no-such --output=json", "mirror up"),
        ("nonsense --output json", ""),
    ],
)
def test_a_usage_error_names_the_command_and_no_option_of_it(words: str, command: str) -> None:
    assert json.loads(otagate(*words.split()).stdout)["command"] == command
    assert otagate("nonsense").stderr.startswith("otagate: ")


@pytest.mark.parametrize("word", ["web", "web=", "=image", "web=a web=b"])
def test_what_is_not_service_equals_image_is_refused_by_name(word: str) -> None:
    done = otagate("test", *word.split(), "--output", "json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["errors"][0]["hint"]


def test_the_version_is_printed() -> None:
    assert otagate("--version").stdout.startswith("otagate 0.")


def test_help_imports_no_engine_no_ansible_no_database_and_of_the_core_its_errors_alone() -> None:
    code = (
        "import sys; from otagate.cli.app import app; "
        "print(*(m for m in ('docker', 'ansible_runner', 'sqlalchemy', 'pydantic', 'requests') if m in sys.modules), "
        "*(m for m in sorted(sys.modules) if m.startswith('otagate.core.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "otagate.core.errors"


@pytest.mark.parametrize("words", [["--override", "it burns"], ["--override", " ", "--by", "ada"]])
def test_an_override_without_a_name_or_a_reason_is_refused_before_anything_is_asked(words: list[str]) -> None:
    done = otagate("rollback", *words, "--output", "json")
    assert done.returncode == 2
    assert "a reason and a name" in json.loads(done.stdout)["errors"][0]["message"]
