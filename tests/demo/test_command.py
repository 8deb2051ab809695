"""What a story started is not left behind, however the story ends."""

import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from otagate.demo import story as module
from otagate.demo.account import After, Request, account
from otagate.demo.command import Story, Surprise, started
from otagate.demo.expected import HELLO
from otagate.demo.production import Production
from otagate.demo.scenario import HELLO as HELLO_STORY
from otagate.demo.scenario import Least

READY = "import signal, sys, time; print('up', flush=True); "
WAITS = [sys.executable, "-c", f"{READY}time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + READY + "time.sleep(60)",
]


def broken_off(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    raise KeyboardInterrupt


@pytest.mark.parametrize(("command", "by"), [(WAITS, -15), (DEAF, -9)])
def test_a_process_ends_with_the_story_that_started_it(command: list[str], by: int) -> None:
    with pytest.raises(KeyboardInterrupt), started(command, patience=1.0, stdout=subprocess.PIPE) as process:
        broken_off(process)
    assert process.returncode == by


def test_a_process_that_has_ended_already_keeps_its_own_end() -> None:
    with started([sys.executable, "-c", "raise SystemExit(5)"], patience=1.0) as process:
        process.wait(20)
    assert process.returncode == 5


@dataclass
class Failing(Story):
    """Promotes by a command that waits; every other command is a surprise."""

    def command(self, *words: str) -> list[str]:
        assert words[0] == "promote"
        return WAITS

    def otagate(self, *words: str, **_: Any) -> dict[str, Any]:
        time.sleep(0.1)
        raise Surprise(f"{words[0]} went otherwise")


def test_a_promotion_ends_with_a_story_that_fails_while_it_deploys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def popen(*words: Any, **how: Any) -> "subprocess.Popen[bytes]":
        begun.append(real(*words, **how))
        return begun[0]

    monkeypatch.setattr(subprocess, "Popen", popen)
    story = Failing(tmp_path, "p", tmp_path, {}, lambda _: None)
    with pytest.raises(Surprise), ExitStack() as running:
        module.promoting(story, HELLO[1], "r-1", running)
    (process,) = begun
    assert process.stdout is not None
    process.stdout.close()
    assert process.poll() == -15


@pytest.mark.parametrize(("ending", "surprises"), [("0", 0), ("1", 1)])
def test_a_client_whose_log_is_not_whole_is_a_surprise(tmp_path: Path, ending: str, surprises: int) -> None:
    (tmp_path / "told_to_end.py").write_text(
        "import signal, sys\n"
        f"signal.signal(signal.SIGTERM, lambda *_: sys.exit({ending}))\n"
        "open(sys.argv[2] + '.up', 'w').close()\n"
        "signal.pause()\n"
    )
    scenario = replace(HELLO_STORY, client="told_to_end", doors={}, secrets={})
    story = Story(tmp_path, "p", tmp_path, {"PYTHONPATH": str(tmp_path)}, lambda _: None)
    with module._client(story, scenario, Production("p", tmp_path, {}, {}), tmp_path / "log"):
        until = time.monotonic() + 20
        while not (tmp_path / "log.up").exists() and time.monotonic() < until:
            time.sleep(0.02)
    assert len(story.surprises) == surprises


def test_reads_are_waited_for_and_asked_for_like_all_else(tmp_path: Path) -> None:
    log = [Request("forward", 1, 2, "200", "blue", "ab"), Request("read", 1, 2, "200", "", "")]
    counted = account(log, [], "blue", "bad")
    for reads, told in ((1, False), (2, True)):
        story = Story(tmp_path, "p", tmp_path, {}, lambda _: None)
        module._weigh(story, Least(requests=1, stores=0, reads=reads), counted, After(missing=0), [])
        assert ("the archive was read only 1 times" in story.surprises) is told


@pytest.mark.parametrize("out", ["", "{", '["promoted"'])
def test_a_promotion_that_dies_without_a_result_is_a_surprise(tmp_path: Path, out: str) -> None:
    log = tmp_path / "log"
    log.touch()
    command = [sys.executable, "-c", f"import sys; sys.stdout.write({out!r}); sys.exit(70)"]
    with started(command, patience=5.0, stdout=subprocess.PIPE) as process:
        promotion = module.Promotion(HELLO[0], process, log)
        with pytest.raises(Surprise, match=r"hello/web:1.1 ended by 70 and told no result"):
            module._ended(Story(tmp_path, "p", tmp_path, {}, lambda _: None), promotion, module.Told())
