"""The transition table, written out a second time by hand, cell by cell, and what must hold of any such table."""

from itertools import product

import pytest

from otagate.core.promotion import ENDS, NEXT, OWES, STEWARDS_OWN, Event, Phase, advance

GRID = {
    ("preflight", "ok"): "deploying",
    ("preflight", "refused"): "abandoned",
    ("preflight", "fault"): "abandoned",
    ("preflight", "abort"): "abandoned",
    ("deploying", "ok"): "smoking",
    ("deploying", "refused"): None,
    ("deploying", "fault"): "discarding",
    ("deploying", "abort"): "discarding",
    ("smoking", "ok"): "flipping",
    ("smoking", "refused"): "discarding",
    ("smoking", "fault"): "discarding",
    ("smoking", "abort"): "discarding",
    ("flipping", "ok"): "watching",
    ("flipping", "refused"): "rolling-back",
    ("flipping", "fault"): "rolling-back",
    ("flipping", "abort"): "rolling-back",
    ("watching", "ok"): "finalizing",
    ("watching", "refused"): "rolling-back",
    ("watching", "fault"): "rolling-back",
    ("watching", "abort"): "rolling-back",
    ("finalizing", "ok"): "promoted",
    ("finalizing", "refused"): None,
    ("finalizing", "fault"): "promoted",
    ("finalizing", "abort"): "finalizing",
    ("discarding", "ok"): "abandoned",
    ("discarding", "refused"): None,
    ("discarding", "fault"): "abandoned",
    ("discarding", "abort"): "discarding",
    ("rolling-back", "ok"): "rolled-back",
    ("rolling-back", "refused"): None,
    ("rolling-back", "fault"): "stranded",
    ("rolling-back", "abort"): "rolling-back",
    ("stranded", "ok"): "rolling-back",
    ("stranded", "refused"): "flipping",
    ("stranded", "fault"): "stranded",
    ("stranded", "abort"): "rolled-back",
    ("promoted", "ok"): None,
    ("promoted", "refused"): None,
    ("promoted", "fault"): None,
    ("promoted", "abort"): None,
    ("abandoned", "ok"): None,
    ("abandoned", "refused"): None,
    ("abandoned", "fault"): None,
    ("abandoned", "abort"): None,
    ("rolled-back", "ok"): None,
    ("rolled-back", "refused"): None,
    ("rolled-back", "fault"): None,
    ("rolled-back", "abort"): None,
}


@pytest.mark.parametrize(("phase", "event"), list(product(Phase, Event)))
def test_every_cell_of_the_grid_is_as_written_by_hand(phase: Phase, event: Event) -> None:
    wanted = GRID[phase.value, event.value]
    if wanted is None:
        with pytest.raises(ValueError, match=f"no way on from {phase} by {event}"):
            advance(phase, event)
    else:
        assert advance(phase, event) is Phase(wanted)


def test_the_grid_by_hand_has_every_cell_and_no_other() -> None:
    assert set(GRID) == {(phase.value, event.value) for phase, event in product(Phase, Event)}


def test_nothing_leaves_an_end() -> None:
    assert not [phase for phase, _ in NEXT if phase in ENDS]


def test_from_every_phase_an_end_can_be_reached() -> None:
    reach = {phase: {after for (before, _), after in NEXT.items() if before is phase} for phase in Phase}
    for _ in Phase:
        reach = {phase: afters.union(*(reach[a] for a in afters)) for phase, afters in reach.items()}
    assert all(phase in ENDS or reach[phase] & ENDS for phase in Phase)


def test_traffic_that_was_turned_is_never_left_to_a_discard() -> None:
    turned = {Phase.FLIPPING, Phase.WATCHING, Phase.FINALIZING, Phase.ROLLING_BACK, Phase.STRANDED}
    assert not [
        (phase, event) for (phase, event), after in NEXT.items() if phase in turned and after is Phase.DISCARDING
    ]


def test_breakage_while_traffic_is_turned_is_never_taken_for_done() -> None:
    for phase in (Phase.FLIPPING, Phase.WATCHING):
        for event in (Event.REFUSED, Event.FAULT, Event.ABORT):
            assert advance(phase, event) is Phase.ROLLING_BACK


def test_only_harmless_faults_become_debts() -> None:
    assert {advance(phase, event) for phase, event in OWES} == {Phase.PROMOTED, Phase.ABANDONED}
    assert {event for _, event in OWES} == {Event.FAULT}


def test_the_steward_acts_alone_from_the_flip_on() -> None:
    assert {Phase.FLIPPING, Phase.WATCHING, Phase.FINALIZING, Phase.ROLLING_BACK} == STEWARDS_OWN
    assert not STEWARDS_OWN & ENDS


def test_a_way_out_interrupted_is_taken_again() -> None:
    for phase in (Phase.DISCARDING, Phase.ROLLING_BACK, Phase.FINALIZING):
        assert advance(phase, Event.ABORT) is phase


@pytest.mark.parametrize("phase", list(Phase))
def test_an_end_knows_itself(phase: Phase) -> None:
    assert phase.ended is (phase.value in {"promoted", "abandoned", "rolled-back"})
