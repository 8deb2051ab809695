"""What cannot be written changes nothing of what was done, nor how the command ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from otagate.cli.streams import Outlet

HELLO = Path(__file__).parents[2] / "environments" / "hello"
OTAGATE = f"{sys.executable} -m otagate"


def typed(line: str) -> "subprocess.CompletedProcess[str]":
    """A line as it is typed into a shell, with its redirections; $O is otagate."""
    env = {**os.environ, "O": OTAGATE, "PLATFORM": str(HELLO)}
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, env=env, check=False)


@pytest.mark.parametrize("broken", [">&-", ">/dev/full", "2>&-", "2>/dev/full", ">&- 2>&-", ">/dev/full 2>/dev/full"])
@pytest.mark.parametrize(("words", "code"), [("$PLATFORM --output json", 0), ("/nonexistent", 2)])
def test_a_stream_that_takes_nothing_leaves_the_exit_status_as_it_is(words: str, code: int, broken: str) -> None:
    done = typed(f"$O check -p {words} {broken}")
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("words", ["check -p $PLATFORM", "--version", "--help", "nonsense"])
def test_a_reader_that_had_enough_is_told_nothing(words: str) -> None:
    unbroken = typed(f"$O {words}").returncode
    done = typed(f"set -o pipefail; ( sleep 0.2; $O {words} ) | true")
    assert done.returncode == unbroken
    assert "cannot be written" not in done.stderr
    assert "Traceback" not in done.stderr
    assert typed(f"( $O {words}; echo $? >&2 ) 2>&1 >/dev/null | tail -1").stdout.strip() == str(unbroken)


@pytest.mark.parametrize(("broken", "why"), [(">/dev/full", "No space left on device"), (">&-", "it is closed")])
def test_a_result_that_cannot_be_written_is_told_on_stderr(broken: str, why: str) -> None:
    done = typed(f"$O check -p $PLATFORM {broken}")
    assert f"stdout cannot be written: {why}" in done.stderr
    assert "cannot be written" in typed(f"$O --version {broken}").stderr


def test_what_can_be_written_is() -> None:
    assert "no problem found" in typed("$O check -p $PLATFORM 2>&-").stdout
    assert "no problem found" in typed("$O check -p $PLATFORM 2>/dev/full").stdout
    assert "cannot be written" not in typed("$O check -p $PLATFORM").stderr


def test_no_file_that_a_command_opens_takes_a_closed_streams_number() -> None:
    code = "import os, otagate.cli.streams as s; s.take_over(); os.write(3, str(os.open('/', 0)).encode())"
    done = typed(f'{sys.executable} -c "{code}" 3>&1 0<&- 1>&- 2>&-')
    assert int(done.stdout) > 3


def test_a_sign_that_a_terminal_cannot_show_is_spelled_out() -> None:
    code = "import otagate.cli.streams as s; s.take_over(); print(chr(8594))"
    assert typed(f"PYTHONIOENCODING=ascii {sys.executable} -c '{code}'").stdout == "\\u2192\n"


def test_an_outlet_says_why_it_was_lost() -> None:
    with Path("/dev/full").open("wb") as full:
        outlet = Outlet(full.fileno())
        assert outlet.write(b"abc") == 3
    assert outlet.lost is not None
    assert outlet.lost.strerror == "No space left on device"


# A command's body stood in for by one that talks on a stream nobody reads any more, and goes on.
TALKS = """
import os, sys
from otagate.cli import app, platforms, result, talk
from otagate.core.errors import Exit
from otagate.ports import Progress

def body(where):
    say = talk.Talk()
    for number in range(3):
        say(Progress("deploying", "web", "started"))
    say.close()
    open(os.environ["END"], "w").write("finished")
    return result.Result(Exit.UNDONE, {}, "undone")

platforms.check = body
app.main()
"""


@pytest.mark.parametrize("broken", ["2>&1 >/dev/null | true", "2>/dev/full", "2>&-"])
def test_talk_that_nobody_hears_stops_no_work(broken: str, tmp_path: Path) -> None:
    (tmp_path / "talks.py").write_text(TALKS)
    end = tmp_path / "end"
    line = f"( sleep 0.2; END={end} {sys.executable} {tmp_path}/talks.py check; echo $? > {end}.code ) {broken}"
    typed(line)
    assert end.read_text() == "finished"
    assert Path(f"{end}.code").read_text().strip() == "5"


# … by one that is hung up on, twice as kernel and shell do, and needs a moment for its way out.
HUNG_UP = """
import os, signal, sys, time
from otagate.cli import app, platforms, result
from otagate.core.errors import Exit

def body(where):
    try:
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(0.2)
    finally:
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(0.2)
        sys.stdout.write("lowered\\n")
    return result.Result(Exit.DONE, {}, "went on")

platforms.check = body
app.main()
"""


def hung_up(*, ignored: bool, folder: Path) -> "subprocess.CompletedProcess[str]":
    (folder / "hung_up.py").write_text(HUNG_UP)
    trap = "trap '' HUP; " if ignored else ""
    return typed(f"{trap}{sys.executable} {folder}/hung_up.py check")


def test_a_lost_terminal_is_an_interrupt_and_the_way_out_is_taken_once(tmp_path: Path) -> None:
    done = hung_up(ignored=False, folder=tmp_path)
    assert (done.returncode, done.stdout) == (130, "lowered\n")
    assert done.returncode != 128 + signal.SIGHUP


def test_who_asked_to_outlive_the_terminal_does(tmp_path: Path) -> None:
    done = hung_up(ignored=True, folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "lowered\nwent on\n")
