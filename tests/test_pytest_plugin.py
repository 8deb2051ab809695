"""The plugin by hand: found by its entry point, without a gate. With one, see tests/adapters/test_pytest_child.py."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import otagate.pytest_plugin as plugin
from otagate.pytest_plugin import line

SUITE = """
import os
import pytest
@pytest.mark.requirement("dose")
@pytest.mark.risk("r1")
def test_host(otagate): assert otagate.candidate.host("web") == "127.0.0.1"
def test_missing(otagate): otagate.baseline.host("web")
def test_metric(metric):
    for value in (3.0, 1.0, 2.0): metric("latency", unit="ms", direction="lower").add(candidate=value, baseline=4)
def test_picture(picture): picture("dose", "Dose", b"as it is")
def test_badly_named(picture): picture("../dose", "Dose", b"")
@pytest.mark.parametrize("ask", ["restart", "kill", "logs"])
def test_ask(ask, otagate): getattr(otagate, ask)("web")
def test_secret(otagate): assert otagate.secret("pw") == "s3cret"
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("by-hand")
    (folder / "test_a.py").write_text(SUITE)
    (folder / "secrets").mkdir()
    (folder / "secrets/pw").write_text("s3cret")
    addresses = {"OTAGATE_CANDIDATE_WEB": "127.0.0.1", "OTAGATE_SECRETS": str(folder / "secrets")}
    return by_hand(folder, addresses)


def by_hand(folder: Path, variables: dict[str, str]) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "--strict-markers", "-rA", "-p", "no:cacheprovider", "--color=no", "."],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "COLUMNS": "200", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return (ran.stdout + ran.stderr).replace("Failed: ", "")  # some releases of pytest name the exception, some do not


def test_the_addresses_set_by_hand_are_used(output: str) -> None:
    assert "PASSED test_a.py::test_host" in output
    assert "PASSED test_a.py::test_secret" in output


def test_a_missing_address_fails_and_is_named(output: str) -> None:
    assert "FAILED test_a.py::test_missing - OTAGATE_BASELINE_WEB is not set" in output


def test_metrics_are_printed_at_the_end(output: str) -> None:
    assert "latency [ms, lower is better]: candidate 3 × p50 2, baseline 3 × p50 4" in output


def test_pictures_go_to_the_folder_that_was_named_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("def test_picture(picture): picture('dose', 'Dose', b'as it is')\n")
    assert "1 passed" in by_hand(tmp_path, {})
    assert not [*tmp_path.rglob("*.png")]

    assert "1 passed" in by_hand(tmp_path, {"OTAGATE_PICTURES": str(tmp_path / "deep/pictures")})
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*.png")] == [Path("deep/pictures/dose.png")]
    assert (tmp_path / "deep/pictures/dose.png").read_bytes() == b"as it is"


def test_a_picture_whose_name_could_lead_elsewhere_fails_its_case(output: str) -> None:
    assert "FAILED test_a.py::test_badly_named - ValueError: picture '../dose': a name is of small letters" in output


@pytest.mark.parametrize("ask", ["restart", "kill", "logs"])
def test_an_ask_fails_and_says_that_it_needs_the_gate(ask: str, output: str) -> None:
    assert f"FAILED test_a.py::test_ask[{ask}] - otagate.{ask} needs the gate: run this suite" in output


def test_no_line_of_the_gates_form_is_printed(output: str) -> None:
    assert line.PREFIX not in output
    assert "5 failed, 4 passed" in output


def test_it_needs_nothing_but_pytest_and_the_standard_library() -> None:
    nodes = [n for file in Path(plugin.__file__).parent.glob("*.py") for n in ast.walk(ast.parse(file.read_text()))]
    imported = {a.name.partition(".")[0] for n in nodes if isinstance(n, ast.Import) for a in n.names}
    imported |= {str(n.module).partition(".")[0] for n in nodes if isinstance(n, ast.ImportFrom) and n.level == 0}

    assert imported - set(sys.stdlib_module_names) == {"pytest"}
