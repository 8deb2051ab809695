"""The shell scripts: every way to fail ends in one message with what to type next."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, **environment}
    return subprocess.run(
        [str(ROOT / script)], capture_output=True, text=True, timeout=60, check=False, env=settings, cwd="/"
    )


@pytest.mark.docker
@pytest.mark.usefixtures("engine")
def test_an_engine_that_answers_is_left_as_it_is() -> None:
    done = run("scripts/engine.sh")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("url", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:9"])
def test_a_named_engine_that_does_not_answer_is_not_replaced_by_another(url: str) -> None:
    done = run("scripts/engine.sh", DOCKER_HOST=url)
    assert done.returncode == 1
    assert f"DOCKER_HOST={url} does not answer" in done.stderr
    assert "next: start it" in done.stderr


def test_an_old_python_is_refused_with_the_way_to_name_another(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n')
    old.chmod(0o755)
    done = run("scripts/venv.sh", PYTHON=str(old))
    assert done.returncode == 1
    assert "Python 3.9.2 is too old" in done.stderr
    assert "make setup PYTHON=" in done.stderr


def test_a_missing_python_names_the_packages() -> None:
    done = run("scripts/venv.sh", PYTHON="/nowhere/python3")
    assert done.returncode == 1
    assert "next: sudo apt-get install -y python3-venv make git" in done.stderr


def test_a_set_up_environment_is_not_touched() -> None:
    run("scripts/venv.sh")
    done = run("scripts/venv.sh")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_make_help_names_every_target_of_the_readme() -> None:
    done = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, timeout=60, check=True)
    for target in ("setup", "demo", "test", "check", "bench", "bench-switch", "clean"):
        assert f"make {target} " in done.stdout


def ci(folder: Path, closing: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`.ci/run` with a make that only tells what it was given, and closes as pytest does."""
    make = folder / "make"
    make.write_text(
        f"#!/bin/sh\necho \"choice: $* $TESTS$PYTEST_ADDOPTS$PYTEST_PLUGINS$DEMO$MAKEFLAGS.\"\necho '{closing}'\n"
    )
    make.chmod(0o755)
    return run(".ci/run", PATH=f"{folder}:{os.environ['PATH']}", **environment)


@pytest.mark.parametrize("name", ["TESTS", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "DEMO", "MAKEFLAGS"])
def test_no_variable_chooses_what_ci_runs(name: str, tmp_path: Path) -> None:
    done = ci(tmp_path, "===== 7 passed in 1.00s =====", **{name: "chosen"})
    assert done.returncode == 0
    assert "choice: test ." in done.stdout


@pytest.mark.parametrize(
    "closing", ["no line", "=== 7 passed, 1 skipped in 1.00s ===", "=== 7 passed, 2 deselected in 1s ==="]
)
def test_ci_is_content_with_passes_alone(closing: str, tmp_path: Path) -> None:
    """The control of the test above: its make ends with 0, and that is not enough."""
    assert ci(tmp_path, closing).returncode == 1
