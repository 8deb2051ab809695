from dataclasses import replace

import pytest

from otagate.core.replacement import FOLLOWS, Reach, Replacement

BEGUN = Replacement("alice", "here", 1, 2, 60.0, Reach.BESIDE, 0.0, 0.0, 7)


@pytest.mark.parametrize(
    ("reach", "serving", "left_over", "acts", "ended"),
    [
        (Reach.BESIDE, 1, None, False, False),
        (Reach.TAKING, 2, None, True, False),
        (Reach.ALONE, 2, None, True, False),
        (Reach.DRAINED, 2, 1, False, False),
        (Reach.REPLACED, 2, None, False, True),
        (Reach.VOID, 1, 2, False, False),
        (Reach.UNDONE, 1, None, False, True),
    ],
)
def test_at_each_point_one_serves_and_what_serves_is_never_left_over(
    reach: Reach, serving: int, left_over: int | None, acts: bool, ended: bool
) -> None:
    now = replace(BEGUN, reach=reach)
    assert (now.serving, now.left_over, now.acts, now.ended) == (serving, left_over, acts, ended)
    assert now.left_over != now.serving


def test_each_point_is_named_and_each_way_ends() -> None:
    assert set(FOLLOWS) == set(Reach)

    def ends(reach: Reach) -> set[Reach]:
        return {reach} if not FOLLOWS[reach] else {end for after in FOLLOWS[reach] for end in ends(after)}

    assert ends(Reach.BESIDE) == {Reach.REPLACED, Reach.UNDONE}
    assert ends(Reach.ALONE) == {Reach.REPLACED}, "once the old one has shut its doors there is no way back"
