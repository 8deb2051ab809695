"""The short form of the power cut: only what was synced is left; and its controls, each with one sync taken out."""

from collections.abc import Iterator

import pytest

from tests.sweep.kill_sweep import room
from tests.sweep.power_cut import CONTROLS, strict, strict_cut
from tests.sweep.stories import Grounds


@pytest.fixture(scope="module")
def grounds() -> Iterator[Grounds]:
    with room() as folder:
        yield Grounds(folder)


def test_what_was_acknowledged_is_there_after_a_power_cut(grounds: Grounds) -> None:
    cuts = strict(grounds, points=4)
    assert cuts.wrong == []
    assert cuts.made >= 5
    assert cuts.at_end >= 1


@pytest.mark.parametrize("control", CONTROLS)
def test_control_a_sync_left_out_is_caught(grounds: Grounds, control: str) -> None:
    after, said = strict_cut(grounds, 0, CONTROLS[control].variant)
    assert said
    assert CONTROLS[control].caught(after), after.wrong
