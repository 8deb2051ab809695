"""What every client that never stops asking is made of: a log, a pace, an end; and how DICOM answers are read."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from pydicom.dataset import Dataset
from pynetdicom.association import Association

from otagate.adapters.association import hold

COLOURS = {"b": "blue", "g": "green"}
LOOKED = 1.0  # seconds between two looks whether all still ask
LONGEST = 4 * 3600.0  # seconds; a story of some forty minutes on a slow machine is far from it


class Log:
    """One JSON line a request, written as they end; threads share it."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream, self._lock = stream, threading.Lock()

    def __call__(self, kind: str, began: float, came: str, colour: str, build: str, what: str = "") -> None:
        line = json.dumps([kind, round(began, 6), round(time.time(), 6), came, colour, build, what])
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()


def paced(rate: float, stop: threading.Event) -> Iterator[int]:
    """Turns at `rate` a second; one that is late is not made up for in a burst."""
    turn, due = 0, time.monotonic()
    while not stop.wait(max(0.0, due - time.monotonic())):
        yield turn
        turn, due = turn + 1, max(due + 1.0 / rate, time.monotonic() - 1.0)


Ask = Callable[[Log, threading.Event], None]  # asks until the event is set


def keep_asking(asks: Sequence[Ask], log: Path, patience: float) -> int:
    """Each in a thread of its own until SIGTERM, until whoever started this process is gone, or for LONGEST; all
    together then get `patience` seconds for their last requests. Exit status: 1 unless each asked to the end and logged
    its last answer, for then the log is not all that was asked, and what is missing in it must not pass for calm."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the story decides when to stop, also after Ctrl-C
    whole: list[Ask] = []
    starter = os.getppid()
    with log.open("a") as stream:
        told = Log(stream)
        asking = [threading.Thread(target=_asked, args=(ask, told, stop, whole), daemon=True) for ask in asks]
        for thread in asking:
            thread.start()
        until = time.monotonic() + LONGEST
        while all(thread.is_alive() for thread in asking) and not stop.wait(LOOKED):
            if os.getppid() != starter or time.monotonic() >= until:
                break
        stop.set()
        until = time.monotonic() + patience
        for thread in asking:
            thread.join(max(0.0, until - time.monotonic()))
        return 0 if len(whole) == len(asking) else 1


def _asked(ask: Ask, log: Log, stop: threading.Event, whole: list[Ask]) -> None:
    """Notes in `whole` that it ended because it was told to, with nothing under way."""
    try:
        ask(log, stop)
    except Exception as error:
        sys.stderr.write(f"the client broke: {type(error).__name__}: {error}\n")
    else:
        if stop.is_set():
            whole.append(ask)


def who(association: Association) -> tuple[str, str]:
    """Colour and the build's first digits, as the implementation version name of the one that accepted says them."""
    version = (association.acceptor.implementation_version_name or "").strip()
    initial, _, build = version.partition("-")
    return COLOURS.get(initial, ""), build


def stored(association: Association, dataset: Dataset) -> str:
    """Send one object: the DIMSE status that came, or "cut"."""
    hold(association)
    try:
        status = association.send_c_store(dataset)
    except RuntimeError:  # it is not established, perhaps since a moment ago
        return "cut"
    return f"0x{status.Status:04x}" if "Status" in status else "cut"
