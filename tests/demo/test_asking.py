"""The client asks as long as its story lasts, and does not fall silent unseen."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from otagate.demo import asking

CLIENT = """
import sys, threading, time
from pathlib import Path
from otagate.demo.asking import keep_asking

def calm(log, stop):
    print("up", flush=True)
    stop.wait()
    log("read", time.time(), "200", "", "")

def breaks(log, stop):
    raise RuntimeError("out of it")

def gives_up(log, stop):
    pass

def hangs(log, stop):
    threading.Event().wait()

others = {"calm": calm, "breaks": breaks, "gives-up": gives_up, "hangs": hangs}
sys.exit(keep_asking([calm, others[sys.argv[1]]], Path(sys.argv[2]), 0.5))
"""


@pytest.mark.parametrize(("other", "status"), [("calm", 0), ("breaks", 1), ("gives-up", 1), ("hangs", 1)])
def test_a_client_of_which_a_part_fell_silent_says_so_by_its_exit_status(
    tmp_path: Path, other: str, status: int
) -> None:
    """Silence would be taken for calm. What the others asked is logged to the end all the same."""
    command = [sys.executable, "-c", CLIENT, other, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        assert client.stdout is not None
        client.stdout.readline()
        if other in ("calm", "hangs"):  # the others end it by themselves
            client.terminate()
        _, said = client.communicate(timeout=30)
    assert client.returncode == status
    assert said.decode() == ("the client broke: RuntimeError: out of it\n" if other == "breaks" else "")
    assert (tmp_path / "log").read_text().count("read") == (2 if other == "calm" else 1)


def test_a_client_whose_story_was_killed_ends_by_itself(tmp_path: Path) -> None:
    """Nobody is left to tell it to."""
    log = tmp_path / "log"
    story = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
    command = [sys.executable, "-c", story, sys.executable, "-c", CLIENT, "calm", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as killed:
        assert killed.stdout is not None
        killed.stdout.readline()
        killed.kill()
        killed.stdout.read()  # until the client, which has it too, is gone
    assert log.read_text().count("read") == 2


class Aborted:
    """An association that the peer aborted between the look at it and the sending."""

    def __init__(self) -> None:
        self._reactor_checkpoint = threading.Event()

    def send_c_store(self, _: Dataset) -> Dataset:
        raise RuntimeError("The association with a peer SCP must be established before sending a C-STORE request")


def test_an_object_that_met_an_aborted_association_is_cut_and_ends_nobody() -> None:
    assert asking.stored(Aborted(), Dataset()) == "cut"  # type: ignore[arg-type]
