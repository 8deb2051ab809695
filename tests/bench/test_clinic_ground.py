"""What the clinic's figures stand on goes when it has served; a figure taken otherwise than asked for is none."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker
import pytest

from otagate.core.cloud import LABEL_PLATFORM
from tests.bench.clinic.ground import ROOT, Ground, UnmeasuredError, ground
from tests.bench.clinic.parts import FIRST, computed


def standing(engine: docker.DockerClient, here: Ground) -> list[str]:
    mine: Any = {"label": f"{LABEL_PLATFORM}={here.platform.name}"}
    found: list[Any] = [*engine.containers.list(all=True, filters=mine), *engine.networks.list(filters=mine)]
    return [str(one.name) for one in [*found, *engine.volumes.list(filters=mine)]]


def interrupted(engine: docker.DockerClient, seen: list[Ground]) -> None:
    with ground(engine) as here:
        seen.append(here)
        assert here.raise_services("vna-index")["vna-index"] > 0
        here.calculator()
        assert len(standing(engine, here)) == 4, "control: two containers, a network and a volume"
        raise KeyboardInterrupt


@pytest.mark.docker
def test_what_was_raised_is_gone_after_an_interrupt(engine: docker.DockerClient) -> None:
    seen: list[Ground] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(engine, seen)
    assert standing(engine, seen[0]) == []


@pytest.mark.docker
def test_a_program_inside_that_fails_is_told_with_its_last_words(engine: docker.DockerClient) -> None:
    with ground(engine) as here:
        here.calculator()
        with pytest.raises(UnmeasuredError, match="FileNotFoundError"):
            here.ask("calculator", "engine", "arithmetic", "compare", "/tmp/nowhere.npz")  # noqa: S108


class Answering(Ground):
    """Stands nowhere; whatever is asked in it has one answer."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self._answer = answer

    def ask(self, container: str, kind: str, *words: str, **environment: str) -> Any:
        assert (container, kind, words[0]) == ("calculator", "engine", "arithmetic")
        assert environment["OPENBLAS_CORETYPE"] == FIRST[0]
        return self._answer


def test_a_process_that_computes_as_it_was_told_is_a_figure() -> None:
    answer = {"kernels": [FIRST[0]], "threads": FIRST[1]}
    assert computed(Answering(answer), "first", FIRST) == answer


@pytest.mark.parametrize("answer", [{"kernels": ["SkylakeX"], "threads": 1}, {"kernels": ["Haswell"], "threads": 2}])
def test_control_one_that_computes_otherwise_is_none(answer: dict[str, Any]) -> None:
    with pytest.raises(UnmeasuredError, match="asked for"):
        computed(Answering(answer), "first", FIRST)


def test_where_no_engine_answers_it_is_said_and_nothing_measured(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.bench.clinic_figures", "builds", "--short"]
    nowhere = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/none"}
    done = subprocess.run(command, cwd=ROOT, env=nowhere, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("not measured: ")
