"""The watch's eyes: one look at the new colour after the other, each door and each invariant with a series of its own.

Each door is judged by itself, for a listener that fails among many busy ones would vanish in a common share.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from otagate.core.answer_times import LAST, edge, slower
from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.invariant import Invariant, holds
from otagate.core.sight import seen_share
from otagate.core.slow import slow_over
from otagate.core.switch import backend
from otagate.core.switch_counts import BackendCount, is_timed
from otagate.core.topology import Door
from otagate.core.watch import ANSWERS, Back, Enough, Gauge, GoOn, Sample, Series, Tally, WatchPolicy, look_on
from otagate.steward.helm import Helm
from otagate.steward.outside import Clock
from otagate.steward.traffic import Before, Start

_LINE_EVERY = 1.0  # seconds between lines for those who follow
_ASKED_AT_MOST = 0.5  # seconds for a hook's answer: who is slower is not readable, and the look must go on


class Lookout:
    """One watch over `colour`; `before` says what the old one's doors answered until the flip, `starts` from which
    counts on the new one's answers are its own. Not thread-safe: its course alone looks."""

    def __init__(
        self,
        helm: Helm,
        clock: Clock,
        colour: Colour,
        policy: WatchPolicy,
        before: Mapping[str, Before],
        starts: Mapping[str, Sequence[Start]],
    ) -> None:
        self._helm = helm
        self._clock = clock
        self._colour = colour
        self._policy = policy
        self._before = before
        self._doors = {door.name: self._series(door, starts.get(door.name, ())) for door in helm.doors}
        self._invariants = {invariant: Series(policy, _gauge_of(invariant)) for invariant in policy.invariants}
        self._began = clock.monotonic()
        self._line_at = self._began
        self._left = policy.lasts
        self.counts: Mapping[str, BackendCount] | None = None

    def _series(self, door: Door, starts: Sequence[Start]) -> Series:
        gauge = self._gauge(door)
        return Series(self._policy, gauge, last=tuple(_tally(start, gauge) for start in starts))

    def _gauge(self, door: Door) -> Gauge:
        if not is_timed(door):
            return Gauge(unit="sessions")
        was = self._before.get(door.name)
        over = slow_over(self._policy.slow, was.times if was else ())
        if over is None:
            return ANSWERS
        return Gauge(slow_over=over, sightless="the switch did not answer, or not with answer times,")

    def sight(self) -> str:
        """What this watch can see, in one line, as far as traffic goes on as it was before the flip."""
        counts = self._counted() or {}
        return "; ".join(self._sight(door, counts.get(backend(door.name, self._colour))) for door in self._helm.doors)

    def _sight(self, known: Door, count: BackendCount | None) -> str:
        door = known.name
        was, over = self._before.get(door), self._doors[door].gauge.slow_over
        if not is_timed(known):
            return f"{door}: {self._policy.cut} sessions refused or broken off"
        times = _times_judged(over)
        if count is not None and count.times is None:
            old = "the switch was made before it could tell answer times"
            times = f"{old}: not judged" if over is None else f"{old}, and a limit is declared: otagate switch replace"
        if was is None or not sum(was.times):
            return f"{door}: too few answers came before to say which error share; {times}"
        share = seen_share(self._policy, was.rate)
        which = f"error shares from {share:.1%}" if share is not None else "no error share with certainty"
        return f"{door}: {which} (95 % sure at {was.rate:.1f} answers/s); {times}"

    def look(self) -> GoOn | Enough | Back:
        """Look once and judge every series: back if one says so, enough only if all do."""
        self.counts = self._counted()
        now = self._clock.monotonic()
        for door in self._helm.doors:
            series = self._doors[door.name]
            count = self.counts.get(backend(door.name, self._colour)) if self.counts is not None else None
            self._doors[door.name] = series.after(*_samples(now, count, door, series.gauge))
        self._ask()
        return self._judged(self._clock.monotonic())

    def _counted(self) -> Mapping[str, BackendCount] | None:
        try:
            return self._helm.switch.counts()
        except SwitchFault:
            return None

    def _ask(self) -> None:
        if not self._invariants:
            return
        answers = self._helm.hooks.invariants(self._colour, _ASKED_AT_MOST)
        now = self._clock.monotonic()
        for invariant, series in self._invariants.items():
            up = holds(invariant, answers.get(invariant.service))
            self._invariants[invariant] = series.after(Sample(now, up, 0, 0))

    def _all(self) -> Iterable[tuple[str, Series]]:
        yield from self._doors.items()
        yield from ((invariant.service, series) for invariant, series in self._invariants.items())

    def _judged(self, now: float) -> GoOn | Enough | Back:
        said = [(who, look_on(series, flipped_at=self._began, now=now)) for who, series in self._all()]
        for who, word in said:
            if isinstance(word, Back):
                return replace(word, message=f"{who}: {word.message}")
        waits = [word.left for _, word in said if isinstance(word, GoOn)]
        self._left = max(waits, default=0.0)
        if waits:
            return GoOn(self._left)
        return Enough(sum(word.answers for _, word in said if isinstance(word, Enough)))

    def line(self) -> tuple[str, dict[str, Any]] | None:
        """What to tell those who follow, at most once a second."""
        now = self._clock.monotonic()
        if now - self._line_at < _LINE_EVERY:
            return None
        self._line_at = now
        seen = {door: series.counted for door, series in self._doors.items()}
        answers, errors = sum(t.answers for t in seen.values()), sum(t.errors for t in seen.values())
        message = f"{answers} answers, {errors} errors, {self._left:.0f} s left"
        doors = {door: {"answers": t.answers, "errors": t.errors} for door, t in seen.items()}
        return message, {"answers": answers, "errors": errors, "left": round(self._left, 1), "doors": doors}


def _times_judged(over: int | None) -> str:
    if over is None:
        return "no limit to answer times"
    if over == LAST:
        return f"no answer times: none can be judged against a limit above {edge(LAST - 1):.0f} s"
    return f"answers over {edge(over):.3g} s"


def _gauge_of(invariant: Invariant) -> Gauge:
    return Gauge(
        sightless=f"invariant {invariant.name} could not be read",
        ill=f"invariant {invariant.name} was not {invariant.words}",
        reason="invariant",
    )


def _samples(at: float, count: BackendCount | None, door: Door, gauge: Gauge) -> tuple[Sample, ...]:
    """One of each switch."""
    if count is None:
        return (Sample(at, None, None, None),)
    return tuple(_sample(at, one, door, gauge) for one in count.by_switch)


def _sample(at: float, count: BackendCount, door: Door, gauge: Gauge) -> Sample:
    """A switch made before it could tell answer times is blind only where there is a limit to hold them against: a
    limit that nothing is held against must not pass. Else health, errors and requests are judged. The sessions of a
    DICOM or TCP listener stay open for hours and wait for nothing."""
    if gauge.slow_over is not None and count.times is None:
        return Sample(at, None, None, None)
    # The switch hands everything through: what waits, waits in the service.
    waiting = count.queued + (count.sessions if is_timed(door) else 0)
    return Sample(at, count.up, waiting=waiting, **asdict(_tally(count, gauge)))


def _tally(count: BackendCount | Start, gauge: Gauge) -> Tally:
    times = count.times or ()
    slow = 0 if gauge.slow_over is None else slower(times, gauge.slow_over)
    return Tally(count.answers, count.errors, sum(times), slow)
