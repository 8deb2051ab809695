"""Whoever asks over DICOM must not lose an answer by itself: whoever is counted on has to count right."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from otagate.adapters import association

DELAY = 0.02  # seconds for which the thread is not scheduled, between passing the checkpoint and saying so


class Reactor:
    """What pynetdicom's association does in a thread of its own, on a machine that schedules it late."""

    def __init__(self) -> None:
        self._reactor_checkpoint = threading.Event()
        self._reactor_checkpoint.set()
        self._is_paused = False
        self._kill = False
        self.looked = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._kill:
            time.sleep(0.001)
            self._is_paused = True
            self._reactor_checkpoint.wait()
            time.sleep(DELAY)
            self._is_paused = False
            self.looked += 1  # here it takes whatever answer has come

    def close(self) -> None:
        self._kill = True
        self._reactor_checkpoint.set()
        self._thread.join(1.0)


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    made = Reactor()
    yield made
    made.close()


def as_the_library_does(held: Any) -> None:
    held._reactor_checkpoint.clear()
    while not held._is_paused:
        time.sleep(0.0005)


def looks_after(reactor: Reactor, hold: Callable[[Any], None]) -> int:
    """How often the thread looked for an answer although it was held, over twenty sendings."""
    found = 0
    for turn in range(20):
        time.sleep(0.003 * (turn % 7))
        hold(reactor)
        before = reactor.looked
        time.sleep(DELAY * 2)
        found += reactor.looked - before
        reactor._reactor_checkpoint.set()
    return found


def test_a_held_association_takes_no_answer_from_under_the_sender(reactor: Reactor) -> None:
    assert looks_after(reactor, association.hold) == 0


def test_without_it_the_answer_would_be_taken(reactor: Reactor) -> None:
    assert looks_after(reactor, as_the_library_does) > 0
