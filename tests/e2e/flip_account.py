"""What a run of flips under load came to, from the asks and the flips alone: failed, stale, mixed, latency. Pure."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.e2e.open_loop import Ask


@dataclass(frozen=True)
class Flip:
    """Monotonic seconds: the command began, and was acknowledged; from then on only `to` may answer what is sent."""

    began: float
    acked: float
    to: str


@dataclass(frozen=True)
class Latency:
    """Milliseconds from due to done."""

    p50: float
    p99: float
    count: int


@dataclass(frozen=True)
class FlipAccount:
    """`stale`: sent after the acknowledgement, answered by the old colour. `mixed`: flips at which one listener still
    let the old colour answer what was sent after the other listener had already answered with the new one."""

    flips: int
    asks: int
    failed: int
    stale: int
    mixed: int
    calm: Latency
    around: Latency


def account_of(asks: Sequence[Ask], flips: Sequence[Flip], near: float = 1.0) -> FlipAccount:
    """Asks that overlap the next flip are not judged; `near` seconds before and after a flip are around it."""
    ends = [after.began for _, after in pairwise(flips)] + [math.inf]
    spans = list(zip(flips, ends, strict=True))
    answered = [ask for ask in asks if ask.colour]

    def is_near(ask: Ask) -> bool:
        return any(flip.began - near <= ask.due <= flip.acked + near for flip in flips)

    return FlipAccount(
        flips=len(flips),
        asks=len(asks),
        failed=len(asks) - len(answered),
        stale=sum(_stale(answered, flip, end) for flip, end in spans),
        mixed=sum(_is_mixed(answered, flip, end) for flip, end in spans),
        calm=_latency(answered, lambda ask: not is_near(ask)),
        around=_latency(answered, is_near),
    )


def _stale(asks: Iterable[Ask], flip: Flip, end: float) -> int:
    return sum(ask.sent > flip.acked and ask.done < end and ask.colour != flip.to for ask in asks)


def _is_mixed(asks: Iterable[Ask], flip: Flip, end: float) -> bool:
    within = [ask for ask in asks if ask.sent >= flip.began and ask.done < end]
    new: dict[str, float] = {}
    for ask in within:
        if ask.colour == flip.to:
            new[ask.listener] = min(ask.done, new.get(ask.listener, math.inf))
    return any(
        ask.colour != flip.to and any(ask.sent > at for listener, at in new.items() if listener != ask.listener)
        for ask in within
    )


def _latency(asks: Iterable[Ask], chosen: Callable[[Ask], bool]) -> Latency:
    times = sorted((ask.done - ask.due) * 1000 for ask in asks if ask.stream != "post" and chosen(ask))
    if not times:
        return Latency(math.nan, math.nan, 0)
    return Latency(times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.99))], len(times))
