"""What every clock keeps to."""

import re

import pytest

from otagate.adapters.system import SystemClock
from otagate.ports import Clock
from tests.fakes.clock import FakeClock


@pytest.fixture(params=["fake", "system"])
def clock(request: pytest.FixtureRequest) -> Clock:
    return FakeClock() if request.param == "fake" else SystemClock()


def test_both_times_go_on_by_what_was_slept(clock: Clock) -> None:
    now, monotonic = clock.now(), clock.monotonic()
    clock.sleep(0.02)

    assert clock.monotonic() - monotonic >= 0.02
    assert clock.now() - now >= 0.01


def test_ids_bear_prefix_and_time_and_never_repeat(clock: Clock) -> None:
    made = [clock.new_id("p-") for _ in range(3)]

    assert len(set(made)) == 3
    assert all(re.fullmatch(r"p-\d{8}T\d{6}-[0-9a-z]{4}", one) for one in made)


def test_ids_sort_by_their_second(clock: Clock) -> None:
    first = clock.new_id("")
    clock.sleep(1.01)

    assert first < clock.new_id("")


def test_no_two_nonces_are_the_same(clock: Clock) -> None:
    made = {clock.nonce() for _ in range(100)}

    assert len(made) == 100
    assert all(re.fullmatch("[0-9a-f]{32}", nonce) for nonce in made)


def test_nobody_sleeps_backwards(clock: Clock) -> None:
    with pytest.raises(ValueError, match="non-negative"):
        clock.sleep(-1)
