"""The short form of the power cut: only what was synced is left; and its controls, each with one sync taken out."""

import sys
from collections.abc import Iterator

import pytest

from tests.sweep import power_cut
from tests.sweep.invariants import After
from tests.sweep.kill_sweep import room
from tests.sweep.power_cut import CONTROLS, Cut, Cuts, strict, strict_cut
from tests.sweep.stories import Grounds


@pytest.fixture(scope="module")
def grounds() -> Iterator[Grounds]:
    with room() as folder:
        yield Grounds(folder)


def test_what_was_acknowledged_is_there_after_a_power_cut(grounds: Grounds) -> None:
    cuts = strict(grounds, points=4)
    assert cuts.wrong == []
    assert cuts.lacking(4) == []


def cuts_of(hits: int, missed: int = 0, *, end: bool = True) -> Cuts:
    cuts = Cuts()
    for at in range(1, hits + missed + 1):
        cuts.add(f"call {at}", Cut(at, hit=at <= hits, said=at > hits, after=After()))
    cuts.add("the end", Cut(0, hit=False, said=end, after=After()))
    return cuts


def test_control_a_cut_whose_call_was_not_reached_is_no_point() -> None:
    cuts = cuts_of(40, missed=20)
    assert cuts.lacking(60) == ["only 40 of 48 points were reached"]
    assert "40 points (not reached: 20; after the end was told: 21)" in cuts.text("strict", 60)
    assert cuts.lacking(40) == cuts_of(48, missed=12).lacking(60) == []
    assert cuts_of(48, end=False).lacking(60) == ["no cut came after the end was told"]


@pytest.mark.parametrize(("cuts", "status"), [(cuts_of(0, missed=60), 1), (cuts_of(0), 1), (cuts_of(60), 0)])
def test_a_series_that_reached_too_little_ends_with_1(monkeypatch: pytest.MonkeyPatch, cuts: Cuts, status: int) -> None:
    lost = After([control.told for control in CONTROLS.values()])
    monkeypatch.setattr(Grounds, "warm", lambda _: None)
    monkeypatch.setattr(power_cut, "strict", lambda *_: cuts)
    monkeypatch.setattr(power_cut, "strict_cut", lambda *_: Cut(0, hit=False, said=True, after=lost))
    monkeypatch.setattr(sys, "argv", ["power_cut", "strict"])
    assert power_cut.main() == status


@pytest.mark.parametrize("control", CONTROLS)
def test_control_a_sync_left_out_is_caught(grounds: Grounds, control: str) -> None:
    cut = strict_cut(grounds, 0, CONTROLS[control].variant)
    assert cut.said
    assert CONTROLS[control].caught(cut.after), cut.after.wrong
