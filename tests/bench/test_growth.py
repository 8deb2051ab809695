"""What the soak takes for a leak: each kind is caught, and an honest series is not."""

import math
import sys
from collections.abc import Callable
from types import SimpleNamespace

import docker
import pytest

from tests.bench import soak
from tests.bench.growth import CREEPS, STAYS, fit, leaks, rows, unjudged

PAGE = 4096


def honest(cycle: int) -> dict[str, float]:
    return {
        **dict.fromkeys(STAYS, 7.0),
        **dict.fromkeys(CREEPS, 20.0 + cycle % 2),
        "steward memory": 60e6 + (cycle % 3) * PAGE,
        "switch memory": 20e6 + 1e5 * math.exp(-cycle),
        "store": 90_000.0 + cycle * 9_000 - cycle * 9_000 % PAGE,  # a database grows by whole pages
        "run folders": 1000.0 + cycle * 20_000,
        "journal": 8000.0 + cycle * 12_000,
    }


def series(n: int, **changed: Callable[[int], float]) -> list[dict[str, float]]:
    names = {name: name.replace("_", " ") for name in changed}
    return [{**honest(c), **{names[name]: change(c) for name, change in changed.items()}} for c in range(n)]


def test_an_honest_series_leaks_nothing() -> None:
    assert leaks(series(40)) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"containers": lambda c: 7.0 + (c == 5)}, "containers: 7 after the first cycle, at most 8"),
        ({"volumes": lambda c: 7.0 + c}, "volumes: 7"),
        ({"steward_files": lambda c: 20.0 + c / 4}, "steward files grows by 0.25 a cycle"),
        ({"switch_memory": lambda c: 2e7 + c * 200_000}, "switch memory grows by 200000.00 a cycle"),
        ({"store": lambda c: 9e4 + 500.0 * c * c}, "store does not grow in a line"),
    ],
)
def test_control_each_kind_of_leak_is_told(changed: dict[str, Callable[[int], float]], words: str) -> None:
    found = leaks(series(40, **changed))
    assert len(found) == 1
    assert found[0].startswith(words)


def test_a_container_left_by_the_second_cycle_is_told_though_no_line_means_anything_yet() -> None:
    assert leaks(series(2, containers=lambda c: 7.0 + c)) != []
    assert leaks(series(2)) == []


@pytest.mark.parametrize(("cycles", "status"), [(10, 1), (11, 0)])
def test_a_soak_of_too_few_cycles_to_say_what_creeps_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, cycles: int, status: int
) -> None:
    assert bool(unjudged(series(cycles))) == bool(status)
    ended = SimpleNamespace(run=lambda _: None, samples=lambda: series(cycles), remove=lambda: None)
    monkeypatch.setattr(soak, "Soak", lambda *_: ended)
    monkeypatch.setattr(docker, "from_env", lambda **_: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(sys, "argv", ["soak"])
    assert soak.main() == status


def test_a_line_through_a_line_is_that_line() -> None:
    line = fit([3.0, 5.0, 7.0, 9.0])
    assert line.start == pytest.approx(3.0)
    assert line.slope == pytest.approx(2.0)
    assert line.residual == pytest.approx(0.0)
    with pytest.raises(ValueError, match="two values"):
        fit([1.0])


def test_the_table_has_a_row_for_everything_counted() -> None:
    assert len(rows(series(3))) == 2 + len(honest(0))
