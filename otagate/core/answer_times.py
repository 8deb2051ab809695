"""How long answers took, as the switch counts them: whole counts in buckets, four to a doubling.

Bucket 0 holds up to 1 ms, bucket k from 2^((k-1)/4) to 2^(k/4) ms, the last one all that took longer. Counts of single
answers, not averages: they can be added, subtracted and tested.
"""

import math
from collections.abc import Mapping, Sequence

LAST = 64
_PER_DOUBLING = 4


def bucket(took: float) -> int:
    """Where an answer of so many seconds is counted."""
    milliseconds = took * 1000
    if milliseconds <= 1:
        return 0
    return min(LAST, math.floor(math.log2(milliseconds) * _PER_DOUBLING) + 1)


def edge(index: int) -> float:
    """The longest that a bucket's answers took, in seconds; the last one has no such end."""
    return math.inf if index >= LAST else 2.0 ** (index / _PER_DOUBLING) / 1000


def row_of(counted: Mapping[int, int]) -> tuple[int, ...]:
    """All buckets in order; raises ValueError for one that there is not, or a count below zero."""
    if any(not 0 <= index <= LAST or count < 0 for index, count in counted.items()):
        raise ValueError(f"no counts of answer times: {dict(counted)}")
    return tuple(counted.get(index, 0) for index in range(LAST + 1))


def slower(times: Sequence[int], index: int) -> int:
    """Answers that took longer than all of a bucket: by its index, for its end in seconds lies in the next one."""
    return sum(times[index + 1 :])


def kept_by(times: Sequence[int], share: float) -> float:
    """The time in seconds, rounded up to a bucket's end, that at least `share` of the answers kept; NaN if none was
    counted."""
    total, seen = sum(times), 0
    for index, count in enumerate(times):
        seen += count
        if total and seen >= share * total:
            return edge(index)
    return math.nan


def between(before: Sequence[int], after: Sequence[int]) -> tuple[int, ...] | None:
    """What was counted between two looks; None where a count fell, for then the switch was started anew."""
    rose = tuple(b - a for a, b in zip(before, after, strict=True))
    return rose if min(rose, default=0) >= 0 else None
