"""What every form of the report says alike: the order of findings, verdict sentences, times and numbers."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from otagate.core.build import Build
from otagate.core.judge import Decision, Finding, Mark
from otagate.core.suite import Outcome
from otagate.core.text import counted, printable
from otagate.ports import StoredRun

VERDICTS = {Decision.APPROVE: "Approved", Decision.REFUSE: "Refused", Decision.INCONCLUSIVE: "Inconclusive"}
_WEIGHT = {Mark.FAIL: 0, Mark.UNKNOWN: 1, Mark.PASS: 2}

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


def next_step(run: StoredRun) -> str:
    """What to type next."""
    if run.verdict.decision is Decision.APPROVE:
        return f"otagate promote {run.header.run}"
    return f"otagate verdict {run.header.run}"


def tested(run: StoredRun) -> tuple[tuple[Build, Build | None], ...]:
    """Each build that differs from the baseline's, with the baseline's; all of them if none does."""
    before = {build.service: build for build in run.header.baseline}
    pairs = [(build, before.get(build.service)) for build in run.header.builds]
    changed = [(build, base) for build, base in pairs if base is None or base.digest != build.digest]
    return tuple(changed or pairs)


def size(value: float | None, unit: str) -> str:
    """A number with its unit as people read it; a dash where there is none."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "no number"
    unit = _ONE.get(unit, unit) if value == 1 else unit
    text = f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.4g}"
    return f"{text} {printable(unit, 20)}".rstrip()


def moment(at: float, form: str = "%Y-%m-%d %H:%M:%S UTC") -> str:
    """Seconds since the epoch as a date and time in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime(form) if 0 <= at < 2**37 else "at a time unknown"


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
