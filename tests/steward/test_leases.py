"""Leases: one of a scope, told who has it, free as soon as it is let go, each with a newer epoch."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from otagate.core.errors import Busy
from otagate.core.traffic import Claim, Holder, Scope
from otagate.steward.book import Book
from otagate.steward.leases import Leases
from tests.steward.world import FakeClock


def claim(by: str, scope: Scope = Scope.PLATFORM) -> Claim:
    return Claim(scope, by, f"{by}@ward:7", "otagate promote run-7", "the night shift's build")


def never() -> bool:
    return False


@pytest.fixture
def leases(tmp_path: Path) -> Iterator[Leases]:
    with closing(Book.opened(tmp_path, FakeClock())) as book:
        yield Leases(book)


def test_the_second_is_told_who_what_why_from_where_and_since_when(leases: Leases) -> None:
    leases.acquire(claim("alice"), 0, never)
    with pytest.raises(Busy) as busy:
        leases.acquire(claim("bob"), 0, never)
    assert busy.value.message == (
        "alice holds the platform lease: otagate promote run-7 (the night shift's build), from alice@ward:7, "
        "since 2027-01-15 08:16:40 UTC"
    )
    assert "--wait" in busy.value.hint


def test_another_scope_is_free(leases: Leases) -> None:
    leases.acquire(claim("alice"), 0, never)
    assert leases.acquire(claim("bob", Scope.MIRROR), 0, never).epoch == 2
    assert {h.claim.by for h in leases.holders()} == {"alice", "bob"}


def test_let_go_it_is_free_and_the_next_epoch_is_newer(leases: Leases) -> None:
    first = leases.acquire(claim("alice"), 0, never)
    leases.release(first, "given back")
    assert not leases.holds(first)
    second = leases.acquire(claim("alice"), 0, never)
    assert second.epoch > first.epoch
    leases.release(first, "again, late")
    assert leases.holds(second), "a late release frees nobody else's lease"


def test_epochs_go_on_growing_after_a_restart(tmp_path: Path) -> None:
    with closing(Book.opened(tmp_path, FakeClock())) as book:
        first = Leases(book).acquire(claim("alice"), 0, never)
    with closing(Book.opened(tmp_path, FakeClock())) as book:
        again = Leases(book)
        assert again.holders() == ()
        assert again.acquire(claim("bob"), 0, never).epoch > first.epoch


def test_who_waits_gets_it_when_it_is_let_go(leases: Leases) -> None:
    first = leases.acquire(claim("alice"), 0, never)
    got: list[Holder] = []
    waiting = threading.Thread(target=lambda: got.append(leases.acquire(claim("bob"), 10, never)))
    waiting.start()
    time.sleep(0.1)
    began = time.monotonic()
    leases.release(first, "given back")
    waiting.join(5)
    assert [h.claim.by for h in got] == ["bob"]
    assert time.monotonic() - began < 8


def test_who_is_gone_while_waiting_gets_nothing(leases: Leases) -> None:
    first = leases.acquire(claim("alice"), 0, never)
    gone = threading.Event()
    ended: list[str] = []

    def wait() -> None:
        try:
            leases.acquire(claim("bob"), 60, gone.is_set)
        except Busy as busy:
            ended.append(busy.message)

    waiting = threading.Thread(target=wait)
    waiting.start()
    gone.set()
    leases.release(first, "given back")
    waiting.join(5)
    assert ended == ["the one who asked is gone"]
    assert leases.holders() == ()


def test_of_many_at_once_one_gets_it(leases: Leases) -> None:
    got: list[Holder] = []
    told: list[str] = []

    def run(name: str) -> None:
        try:
            got.append(leases.acquire(claim(name), 0, never))
        except Busy as busy:
            told.append(busy.message)

    threads = [threading.Thread(target=run, args=(f"p{i}",)) for i in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(got) == 1
    assert len(told) == 29
    assert all(message.startswith(f"{got[0].claim.by} holds") for message in told)
