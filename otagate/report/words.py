"""What every form of the report says alike: the order of findings, verdict sentences, times and numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from otagate.core.build import Build
from otagate.core.judge import Decision, Finding, Mark, Reason
from otagate.core.policy import Direction
from otagate.core.promotion import Phase
from otagate.core.record import PromotionRecord
from otagate.core.suite import Outcome
from otagate.core.text import counted, printable
from otagate.core.traffic import BACK, Kind
from otagate.ports import StoredRun

VERDICTS = {Decision.APPROVE: "Approved", Decision.REFUSE: "Refused", Decision.INCONCLUSIVE: "Inconclusive"}
_WEIGHT = {Mark.FAIL: 0, Mark.UNKNOWN: 1, Mark.PASS: 2}

VERDICT_MARKS = {Decision.APPROVE: Mark.PASS, Decision.REFUSE: Mark.FAIL, Decision.INCONCLUSIVE: Mark.UNKNOWN}
_ENDS = {Phase.PROMOTED: Mark.PASS, Phase.ROLLED_BACK: Mark.FAIL, Phase.ABANDONED: Mark.FAIL, Phase.STRANDED: Mark.FAIL}

KINDS = {Kind.GENESIS: "First release", Kind.PROMOTE: "Promotion", Kind.ROLLBACK: "Rollback"}

_ONE = {"cases": "case", "samples": "sample", "crashes": "crash", "differences": "difference"}

# What an outcome means to the verdict, as `otagate.core.rules` reads it.
OUTCOME_MARKS = {
    Outcome.PASSED: Mark.PASS,
    Outcome.FAILED: Mark.FAIL,
    Outcome.ERROR: Mark.FAIL,
    Outcome.XPASSED: Mark.FAIL,
    Outcome.SKIPPED: Mark.UNKNOWN,
    Outcome.XFAILED: Mark.UNKNOWN,
    Outcome.MISSING: Mark.UNKNOWN,
    Outcome.CRASHED: Mark.UNKNOWN,
}


def decisive_first(findings: Sequence[Finding]) -> list[Finding]:
    """Failed before unknown before held, the gravest impact first; trial findings, which never count, last."""
    return sorted(findings, key=lambda f: (f.trial, _WEIGHT[f.mark], f.impact))


def headline(run: StoredRun) -> Finding | None:
    """The finding that decided: the gravest of the worst. None for an approval."""
    found = [finding for finding in decisive_first(run.verdict.findings) if not finding.trial]
    return found[0] if found and found[0].mark is not Mark.PASS else None


def because(run: StoredRun) -> str:
    """The verdict's reason in a sentence."""
    finding = headline(run)
    if finding is None:
        held = sum(not f.trial for f in run.verdict.findings)
        return f"every rule that counts held ({held} of {held})" if held else "no rule judged this run"
    others = sum(not f.trial and f.mark is finding.mark for f in run.verdict.findings) - 1
    more = f" (and {counted(others, 'more rule')})" if others else ""
    return f"{printable(finding.rule)}: {printable(finding.message, 400)}{more}"


@dataclass(frozen=True)
class Lead:
    """What a report says first: a sign, a word or two, and the reason in a sentence."""

    mark: Mark
    word: str
    because: str


def last(promotions: Sequence[PromotionRecord]) -> PromotionRecord | None:
    """What became of a release, of its promotions and the rollbacks that left it, oldest first: the newest that did
    not end where it began, for whatever was tried since changed nothing; else the newest."""
    stayed = [one for one in promotions if not (one.view.phase is Phase.ABANDONED or one.view.not_back)]
    return next(reversed(stayed or promotions), None)


def lead(run: StoredRun, promotion: PromotionRecord | None) -> Lead:
    """The end of what became of its release (`last`), for a verdict may have been overtaken by it; else the
    verdict."""
    if promotion is None:
        return Lead(VERDICT_MARKS[run.verdict.decision], VERDICTS[run.verdict.decision], because(run))
    view = promotion.view
    if not (view.phase.ended or view.phase is Phase.STRANDED):
        return Lead(Mark.UNKNOWN, f"{KINDS[view.intent.kind]} unfinished", f"it stands in phase {view.phase}")
    if view.end == BACK:
        why = f": {view.intent.override}" if view.intent.override else ""
        return Lead(Mark.FAIL, "Rolled back", printable(f"{view.intent.by} went back to {view.intent.to}{why}", 400))
    word = view.end.replace("-", " ").capitalize()
    told = f"{view.intent.to} was made live on every listener" if view.phase is Phase.PROMOTED else "no reason was told"
    return Lead(ended(view.phase), word, printable(view.reason, 400) or told)


def ended(phase: Phase) -> Mark:
    """How an end of a promotion reads; one that has no end yet is unknown."""
    return _ENDS.get(phase, Mark.UNKNOWN)


def next_step(run: StoredRun, promotion: PromotionRecord | None = None) -> str:
    """What to type next."""
    if promotion is not None:
        return "otagate recover" if promotion.view.phase is Phase.STRANDED else "otagate status"
    if run.verdict.decision is Decision.APPROVE:
        return f"otagate promote {run.header.run}"
    return f"otagate verdict {run.header.run}"


def tested(run: StoredRun) -> tuple[tuple[Build, Build | None], ...]:
    """Each build that differs from the baseline's, with the baseline's; all of them if none does."""
    before = {build.service: build for build in run.header.baseline}
    pairs = [(build, before.get(build.service)) for build in run.header.builds]
    changed = [(build, base) for build, base in pairs if base is None or base.digest != build.digest]
    return tuple(changed or pairs)


def called(build: Build, otherwise: str) -> str:
    """A build as a person named it; `otherwise` for one that is known by its digest alone."""
    return otherwise if build.reference == build.digest else build.reference


def size(value: float | None, unit: str) -> str:
    """A number with its unit as people read it; a dash where there is none."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "no number"
    unit = _ONE.get(unit, unit) if value == 1 else unit
    text = f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.4g}"
    return f"{text} {printable(unit, 20)}".rstrip()


# Where the number must be reached rather than kept below.
_AT_LEAST = frozenset({Reason.TOO_FEW_CASES, Reason.TOO_FEW_SAMPLES, Reason.NOTHING_RAN, Reason.LOW_FIDELITY})


def limit(finding: Finding, run: StoredRun) -> str:
    """A finding's limit with the side on which it lies: `≤ 2,000 ms`, `≥ 8 cases`."""
    if finding.limit is None:
        return "–"
    metric = run.record.metrics.get(finding.subject)
    higher = metric is not None and metric.direction is Direction.HIGHER and finding.unit == metric.unit
    held_cases = finding.reason is Reason.HELD and finding.unit == "cases"
    sign = "≥" if finding.reason in _AT_LEAST or held_cases or higher else "≤"
    return f"{sign} {size(finding.limit, finding.unit)}"


def known(at: float) -> bool:
    """Whether a time, in seconds since the epoch, is one that a clock can have shown."""
    return 0 <= at < 2**37


def moment(at: float, form: str = "%Y-%m-%d %H:%M:%S UTC") -> str:
    """Seconds since the epoch as a date and time in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime(form) if known(at) else "at a time unknown"


def span(seconds: float) -> str:
    """A duration: `0.84 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if not (math.isfinite(seconds) and seconds >= 0):
        return "of a length unknown"
    if seconds < 10:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
