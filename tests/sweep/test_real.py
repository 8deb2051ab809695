"""What counts as a kill with everything real, and what is lacking; the kills themselves take `make sweep`."""

import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import docker
import pytest

from otagate.core.cloud import Colour
from otagate.core.promotion import Phase
from tests.sweep import real
from tests.sweep.front import Accounts
from tests.sweep.invariants import After
from tests.sweep.real import PARTS, Kills, Move, kill_one

MOVE = Move(("promote", "run-1"), Colour.BLUE, Colour.GREEN)


class Ground:
    """A platform whose command runs for so long and at whose front door nobody stands; each move comes to its end."""

    def __init__(self, lasts: float) -> None:
        view = SimpleNamespace(phase=Phase.PROMOTED, intent=SimpleNamespace(promotion="p-1"))
        self.doors = {"web": ("127.0.0.1", 1), "dicom": ("127.0.0.1", 1)}
        self.steward = SimpleNamespace(status=lambda: SimpleNamespace(promotion=view))
        self.slayer = SimpleNamespace(ready=lambda _: nullcontext(lambda: None))
        words = [sys.executable, "-c", f"import time; time.sleep({lasts})"]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.live = SimpleNamespace(start=lambda *_: self.process)

    def next_move(self) -> Move:
        return MOVE

    def settle(self, _: float) -> float:
        return 0.1

    def pid(self, _: str) -> int:
        return 0

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


@pytest.fixture
def within(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the promotion was doing at the kill; the last word counts."""
    seen = ["flip turned"]
    live = (Colour.GREEN, 3)
    monkeypatch.setattr(real, "accounts", lambda _: Accounts(live, live, live, "promoted"))
    monkeypatch.setattr(real, "_agreed", lambda *_: None)
    monkeypatch.setattr(real, "_within", lambda *_: seen[-1])
    return seen


def killed(part: str, *, lasts: float, after: float = 0.0) -> Kills:
    ground: Any = Ground(lasts)
    if after:
        ground.process.wait(60)
    kills = Kills()
    counts = kill_one(ground, part, after, {"promote": 1.0}, kills)
    assert counts == (kills.total == 1) == bool(kills.outages)
    assert kills.wrong == []
    return kills


@pytest.mark.usefixtures("within")
def test_a_command_counts_as_killed_only_if_it_died_of_it() -> None:
    made, late = killed("cli", lasts=60), killed("cli", lasts=0, after=0.01)
    assert (made.made("cli"), made.missed["cli"]) == (1, 0)
    assert (late.made("cli"), late.missed["cli"]) == (0, 1)
    assert "not counted, for the move had ended: 1" in late.text()


@pytest.mark.parametrize("part", ["switch", "steward"])
def test_a_flip_that_had_ended_was_not_cut_off(part: str, within: list[str]) -> None:
    assert killed(part, lasts=0).made(part) == 1
    within.append("promoted")
    assert killed(part, lasts=0).missed[part] == 1


@pytest.mark.parametrize(("dicom", "wrong"), [("green", 0), ("blue", 1), ("", 1)])
def test_both_front_doors_must_name_the_colour_that_is_live(
    monkeypatch: pytest.MonkeyPatch, dicom: str, wrong: int
) -> None:
    """A control: listeners that a kill left mixed are no agreement."""
    live = (Colour.GREEN, 3)
    monkeypatch.setattr(real, "ask_web", lambda _: "green")
    monkeypatch.setattr(real, "ask_dicom", lambda _: dicom)
    client: Any = None
    shown = {name: {"address": "127.0.0.1:1"} for name in ("web", "dicom")}
    platform: Any = SimpleNamespace(name="p", otagate=lambda _: {"data": {"listeners": shown}})
    ground, after = real.Ground(platform, client, client), After(recovered_in=0.0)
    status = SimpleNamespace(live=Colour.GREEN, disagreements=())
    ground.steward = SimpleNamespace(status=lambda: status)  # type: ignore[assignment]
    real._agreed(ground, Accounts(live, live, live, "promoted"), after)
    assert len(after.wrong) == wrong
    assert not wrong or f"{sorted(['green', dicom])} answer at the front doors, green is live" in after.wrong[0]


def test_too_few_kills_of_a_part_are_told() -> None:
    kills = Kills(settled={"cli": [1.0, 1.0], "switch": [1.0]})
    assert kills.lacking(PARTS, 2) == ["switch: 1 of 2 kills", "steward: 0 of 2 kills"]
    assert kills.lacking(("cli",), 2) == []
    assert kills.lacking(("steward",), 0) == ["steward: 0 of 0 kills"]


@pytest.mark.parametrize(("made", "status"), [(0, 1), (1, 1), (2, 0)])
def test_a_series_of_too_few_ends_with_1(monkeypatch: pytest.MonkeyPatch, made: int, status: int) -> None:
    def series(_live: Any, _client: Any, _runs: int, _parts: Any, kills: Kills, *, seconds: float) -> None:
        assert seconds > 0
        for _ in range(made):
            kills.settled.setdefault("cli", []).append(1.0)
        kills.within["cli"], kills.ends["cli"] = Counter(), Counter()
        kills.outages["cli"] = {"web": [0.1], "dicom": [0.1]}

    @contextmanager
    def raised(_: Any) -> Any:
        yield None

    monkeypatch.setattr(real, "real", series)
    monkeypatch.setattr(real, "raised", raised)
    monkeypatch.setattr(docker, "from_env", lambda **_: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["real", "--part", "cli", "--runs", "2"])
    assert real.main() == status


def test_a_kill_that_came_too_late_is_made_again_and_no_more_than_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[float] = []

    def late(_ground: Any, part: str, share: float, _lasts: Any, kills: Kills) -> bool:
        ended.append(share)
        kills.missed[part] += 1
        return False

    monkeypatch.setattr(real, "kill_one", late)
    nobody: Any = None
    real._rounds(nobody, 2, ("switch",), Kills(), float("inf"))
    assert ended == [0.25, 0.75, 0.25]
