"""The tests' own alarm: nothing that did not run, or was let off, counts as a pass."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import docker
import pytest

ROOT = Path(__file__).resolve().parents[2]
KINDS = {
    "marked": "import pytest\n@pytest.mark.skip(reason='why not')\ndef test_it(): pass\n",
    "inside": "import pytest\ndef test_it(): pytest.skip('why not')\n",
    "module": "import pytest\npytest.importorskip('no_such_module_why_not')\n",
    "expected": "import pytest\n@pytest.mark.xfail(reason='why not')\ndef test_it(): raise ValueError\n",
}


def run(folder: Path, text: str, *, ci: bool = False, guarded: bool = True) -> subprocess.CompletedProcess[str]:
    if guarded:
        (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text(text)
    settings = {name: value for name, value in os.environ.items() if name != "CI"} | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line", "test_it.py"]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        env={**settings, **({"CI": "true"} if ci else {})},
    )  # fmt: skip


@pytest.mark.parametrize("ci", [True, False], ids=["in CI", "by hand"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_test_that_does_not_count_is_a_failure(tmp_path: Path, kind: str, ci: bool) -> None:
    done = run(tmp_path, KINDS[kind], ci=ci)
    assert done.returncode != 0
    assert "nothing is skipped here" in done.stdout
    assert "why" in done.stdout


def test_an_honest_pass_is_a_pass(tmp_path: Path) -> None:
    assert run(tmp_path, "def test_it(): pass\n").returncode == 0


def test_the_alarm_is_ours_and_not_pytests(tmp_path: Path) -> None:
    """The control: without it, pytest itself lets a skip pass."""
    assert run(tmp_path, KINDS["inside"], guarded=False).returncode == 0


LEAVES = """
import docker
def test_it():
    client = docker.from_env()
    client.containers.create("otagate/base:13", ["true"], name="{name}", labels={{"otagate.platform": "{name}"}})
    client.close()
"""


@pytest.mark.docker
def test_a_container_left_behind_fails_the_run(tmp_path: Path, engine: docker.DockerClient) -> None:
    name = f"t-left-{secrets.token_hex(4)}"
    try:
        done = run(tmp_path, LEAVES.format(name=name), ci=True)
    finally:
        engine.containers.get(name).remove(force=True)
    assert "1 passed" in done.stdout
    assert name in done.stdout
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
