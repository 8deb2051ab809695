"""What is told of an engine that was to be restarted in a flip; restarting one takes `make sweep`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import Fault
from tests.sweep import engine
from tests.sweep.engine import KILLED, Restarts, one, wrong
from tests.sweep.front import Accounts

SAID = Accounts((Colour.GREEN, 4), (Colour.GREEN, 4), (Colour.GREEN, 4), "promoted")


def test_an_engine_that_ended_and_left_one_colour_has_nothing_against_it() -> None:
    assert wrong(SAID, {"green"}, restarted=True) == []


def test_control_an_engine_that_never_ended_is_told() -> None:
    assert wrong(SAID, {"green"}, restarted=False) == ["the engine never ended: it is the one that was there before"]


@pytest.mark.parametrize(
    ("said", "fronts"),
    [
        (replace(SAID, run=(Colour.BLUE, 3)), {"green"}),
        (replace(SAID, file=(Colour.GREEN, 5)), {"green"}),
        (replace(SAID, phase="watching"), {"green"}),
        (SAID, {"blue"}),
        (SAID, {"green", "blue"}),
        (SAID, {"green", ""}),
    ],
)
def test_control_accounts_that_do_not_agree_and_a_promotion_at_no_end_are_told(
    said: Accounts, fronts: set[str]
) -> None:
    assert len(wrong(said, fronts, restarted=True)) == 1


class Outer:
    """An engine's container whose kill may fail, or change nothing."""

    def __init__(self, *, status: int = 0, dies: bool = True) -> None:
        self.status, self.dies, self.killed = status, dies, False

    def exec_run(self, words: list[str]) -> tuple[int, bytes]:
        if "kill" in words[-1]:
            self.killed = self.dies
            return self.status, b"kill: no such process"
        return 0, b"31 (dockerd) S 1" + b" 0" * 17 + (b" 977" if self.killed else b" 500") + b" 0"


class Edge:
    """All that `one` asks of an edge; its lease's line ends with the engine."""

    client = SimpleNamespace(ping=lambda: True)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: name

    def steward(self) -> Any:
        return SimpleNamespace(status=lambda: SimpleNamespace(live=Colour.BLUE), lease=self.lease)

    @contextmanager
    def lease(self, *_: object) -> Iterator[str]:
        yield "hold"
        raise Fault("the steward does not answer")


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, answer in (("ask_web", "green"), ("ask_dicom", "green"), ("accounts", SAID), ("settle", "promoted")):
        monkeypatch.setattr(engine, name, lambda *_, answer=answer: answer)
    monkeypatch.setattr(engine, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda _: None))


def restarted(outer: Outer) -> Restarts:
    restarts = Restarts()
    edge: Any = Edge()
    container: Any = outer
    one(edge, container, KILLED, "p-0", restarts)
    return restarts


@pytest.mark.usefixtures("settled")
def test_an_engine_counts_as_killed_once_another_process_is_there() -> None:
    assert restarted(Outer()).wrong == []
    assert restarted(Outer(dies=False)).wrong == [
        f"{KILLED}: the engine never ended: it is the one that was there before"
    ]


@pytest.mark.usefixtures("settled")
def test_control_a_dicom_door_on_the_other_colour_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "ask_dicom", lambda _: "blue")
    assert restarted(Outer()).wrong == [f"{KILLED}: {SAID}; ['blue', 'green'] answer"]


@pytest.mark.usefixtures("settled")
def test_a_kill_that_failed_is_not_passed_over() -> None:
    with pytest.raises(AssertionError, match="no such process"):
        restarted(Outer(status=1, dies=False))
