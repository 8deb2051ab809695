"""The four kinds of rule: each a pure function from evidence to one finding. Absence and doubt are unknown."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from otagate.core.metric import BOUNDED_FROM, Interval, Metric, paired_ratio, reduced, usable
from otagate.core.policy import AnyRule, CasesRule, CrashRule, Direction, DriftRule, MetricRule, Policy, Statistic
from otagate.core.record import Record
from otagate.core.suite import Case, Crash, Outcome, SuiteReport
from otagate.core.text import counted, first_few, printable
from otagate.core.verdict import Finding, Mark, Reason

# xfail is strict here: an expected failure that passed is a failure; one that failed shows nothing.
BAD = (Outcome.FAILED, Outcome.ERROR, Outcome.XPASSED)
IDLE = (Outcome.SKIPPED, Outcome.XFAILED)
RAN = (Outcome.PASSED, *BAD)

# pytest's own exit statuses for "all passed", "some failed", "none collected"; any other means that it broke off.
_SPOKEN = (0, 1, 5)


def judge_cases(rule: CasesRule, policy: Policy, record: Record) -> Finding:
    """Every claimed case passed, and enough of them."""
    report = record.suites.get(rule.suite)
    if report is None:
        return _unknown(rule, Reason.SUITE_ABSENT, f"suite {printable(rule.suite)} left no report")
    mine = claimed(rule, policy, report)
    bad = _ids(mine, *BAD)
    if bad:
        message = f"{len(bad)} of {counted(len(mine), 'case')} failed: {case_names(bad)}{_first_word(mine)}"
        return _finding(rule, Mark.FAIL, Reason.CASE_FAILED, message, bad, (len(bad), 0, "cases"))
    return _doubt(rule, report, mine) or _enough(rule, mine)


def _first_word(cases: Sequence[Case]) -> str:
    """What the first failed case that said anything said: which number, against which limit."""
    said = next((case.message for case in cases if case.outcome in BAD and case.message), "")
    return f". First: {printable(said, 200)}" if said else ""


def claimed(rule: CasesRule, policy: Policy, report: SuiteReport) -> tuple[Case, ...]:
    """The cases that a rule answers for. A trial rule takes none away from the rule without requirements."""
    if rule.requirements:
        return tuple(case for case in report.cases if set(case.requirements) & set(rule.requirements))
    elsewhere = {
        requirement
        for other in policy.rules
        if isinstance(other, CasesRule) and other.suite == rule.suite and not other.trial
        for requirement in other.requirements
    }
    return tuple(case for case in report.cases if not set(case.requirements) & elsewhere)


def _doubt(rule: CasesRule, report: SuiteReport, mine: Sequence[Case]) -> Finding | None:
    """Why the claimed cases, none of which failed, are not to be believed."""
    crashed = _ids(mine, Outcome.CRASHED)
    if crashed:
        message = f"a crash left {counted(len(crashed), 'case')} without evidence (see the crash rule): "
        return _unknown(rule, Reason.CASE_CRASHED, message + case_names(crashed), crashed)
    flaws = incoherences(rule.suite, report)
    if flaws:
        message = f"the report of suite {printable(rule.suite)} cannot be believed: {first_few(flaws, 5, 200)}"
        return _unknown(rule, Reason.SUITE_INCOHERENT, message)
    missing = _ids(mine, Outcome.MISSING)
    if missing:
        message = f"{counted(len(missing), 'case')} collected but never reported: {case_names(missing)}"
        return _unknown(rule, Reason.CASE_MISSING, message, missing)
    return None


def _enough(rule: CasesRule, mine: Sequence[Case]) -> Finding:
    passed, idle = _ids(mine, Outcome.PASSED), _ids(mine, *IDLE)
    borne = {name for case in mine if case.outcome is Outcome.PASSED for name in case.requirements}
    needed = max(rule.minimum, 1)
    if not passed:
        why = f"all {len(idle)} skipped or expected to fail: {case_names(idle)}" if idle else "no case to run"
        return _unknown(rule, Reason.NOTHING_RAN, f"nothing ran ({why})", idle, (0, needed, "cases"))
    bare = [name for name in rule.requirements if name not in borne]
    if bare:
        return _unknown(rule, Reason.CASE_MISSING, f"no case that passed bears requirement {first_few(bare)}")
    if len(idle) > rule.skipped:
        message = f"{counted(len(idle), 'case')} skipped or expected to fail, at most {rule.skipped} may be: "
        size = (len(idle), rule.skipped, "cases")
        return _unknown(rule, Reason.CASE_SKIPPED, message + case_names(idle), idle, size)
    size = (len(passed), needed, "cases")
    if len(passed) < needed:
        message = f"only {counted(len(passed), 'case')} passed, at least {needed} must"
        return _unknown(rule, Reason.TOO_FEW_CASES, message, (), size)
    return _finding(rule, Mark.PASS, Reason.HELD, f"{counted(len(passed), 'case')} passed", (), size)


def incoherences(name: str, report: SuiteReport) -> tuple[str, ...]:
    """Reasons not to believe a suite's report: those the parent gave and those that the report itself shows."""
    ids = [case.id for case in report.cases]
    failed = report.count(*BAD, Outcome.CRASHED)
    odd = {
        "it bears another suite's name": report.name != name,
        "no tree digest says which suite ran": not report.tree_digest,
        "it never came to its end": not report.ended,
        f"exit status {report.exit_status} of the child": report.exit_status not in _SPOKEN,
        "exit status 0, though cases failed": report.exit_status == 0 and report.count(*BAD[:2], Outcome.CRASHED) > 0,
        "exit status 1, though no case failed": report.exit_status == 1 and failed == 0,
        "a case was reported twice": len(ids) != len(set(ids)),
        "a case was collected twice": len(report.collected) != len(set(report.collected)),
        "a reported case was never collected": not set(ids) <= set(report.collected),
        "a collected case was never reported": not set(report.collected) <= set(ids),
    }
    return (*report.flaws, *(flaw for flaw, holds in odd.items() if holds))


def judge_metric(rule: MetricRule, record: Record) -> Finding:
    """The statistic against its absolute limit first, then side by side against the baseline's."""
    metric = record.metrics.get(rule.metric)
    if metric is None or not metric.candidate:
        return _unknown(rule, Reason.METRIC_ABSENT, f"no sample of {printable(rule.metric)}")
    if not _bites(rule, metric):
        message = f"{printable(rule.metric)} has neither a limit nor a ratio that could be missed"
        return _unknown(rule, Reason.NO_LIMIT, message)
    lacking = _lacking(rule, metric.candidate, "the candidate")
    if lacking:
        return lacking
    value = reduced(metric.candidate, rule.statistic)
    found = _against_limit(rule, metric, value) or _against_baseline(rule, metric, value) or _metric_held(rule, metric)
    return replace(found, bounds=_bounds(rule, metric))


def _bites(rule: MetricRule, metric: Metric) -> bool:
    """Whether each given limit could be missed: NaN, infinity and "at least nothing" never are."""
    given = [value for value in (rule.limit, rule.ratio) if value is not None]
    if not given or not all(math.isfinite(value) for value in given):
        return False
    floor = metric.direction is Direction.HIGHER and rule.limit is not None and rule.limit <= 0
    return not floor and (rule.ratio is None or rule.ratio > 0)


def _lacking(rule: MetricRule, samples: Sequence[float], side: str) -> Finding | None:
    name, needed = printable(rule.metric), max(rule.minimum, 1)
    odd = [sample for sample in samples if not usable(sample)]
    if odd:
        message = f"{counted(len(odd), 'sample')} of {name} on {side} not a finite number of at least 0 ({odd[0]})"
        return _unknown(rule, Reason.METRIC_NOT_FINITE, message)
    if len(samples) < needed:
        message = f"{counted(len(samples), 'sample')} of {name} on {side}, at least {needed} must be"
        return _unknown(rule, Reason.TOO_FEW_SAMPLES, message, (), (len(samples), needed, "samples"))
    return None


def _against_limit(rule: MetricRule, metric: Metric, value: float) -> Finding | None:
    if rule.limit is None or not _worse(metric.direction, value, rule.limit):
        return None
    word = "at most" if metric.direction is Direction.LOWER else "at least"
    message = f"{_named(rule, metric)} is {_number(value, metric)}, {word} {_number(rule.limit, metric)} allowed"
    return _finding(rule, Mark.FAIL, Reason.LIMIT_EXCEEDED, message, (), (value, rule.limit, metric.unit))


def _against_baseline(rule: MetricRule, metric: Metric, value: float) -> Finding | None:
    if rule.ratio is None:
        return None
    if not metric.baseline:
        return _unknown(rule, Reason.BASELINE_ABSENT, f"no baseline sample of {printable(rule.metric)} to compare with")
    lacking = _lacking(rule, metric.baseline, "the baseline")
    if lacking:
        return lacking
    base = reduced(metric.baseline, rule.statistic)
    if base == 0:
        message = f"the baseline's {_named(rule, metric)} is 0: nothing can be compared with it"
        return _unknown(rule, Reason.BASELINE_ABSENT, message)
    if _bounded(rule, metric):
        return _pair_by_pair(rule, metric, rule.ratio)
    ratio = _ratio(metric.direction, value, base)
    if ratio <= rule.ratio:
        return None
    message = (
        f"{_named(rule, metric)} is {_number(value, metric)}, {ratio:.4g} times worse than the baseline's "
        f"{_number(base, metric)}, at most {rule.ratio:g} times allowed"
    )
    return _finding(rule, Mark.FAIL, Reason.RATIO_EXCEEDED, message, (), (ratio, rule.ratio, "×"))


def _bounded(rule: MetricRule, metric: Metric) -> bool:
    """Whether there are pairs enough to bound the median of their ratios."""
    return rule.statistic is Statistic.P50 and min(len(metric.candidate), len(metric.baseline)) >= BOUNDED_FROM


def _pair_by_pair(rule: MetricRule, metric: Metric, limit: float) -> Finding | None:
    """Medians are compared pair by pair, and held or missed only where the whole interval is on one side of the ratio:
    noise can make a slow build look like its baseline, and an honest one look slow."""
    if len(metric.candidate) != len(metric.baseline):
        sides = f"{len(metric.candidate)} samples on the candidate, {len(metric.baseline)} on the baseline"
        return _unknown(rule, Reason.BASELINE_ABSENT, f"{sides} of {printable(rule.metric)}: these are not pairs")
    found = paired_ratio(metric)
    measured = (found.middle, limit, "×")
    if found.high <= limit:
        return None
    message = (
        f"{_named(rule, metric)} is {found.middle:.4g} times worse than the baseline's, pair by pair "
        f"({_span(found)}), at most {limit:g} times allowed"
    )
    if found.low > limit:
        return _finding(rule, Mark.FAIL, Reason.RATIO_EXCEEDED, message, (), measured)
    return _unknown(rule, Reason.TOO_NOISY, f"{message}: the interval reaches across the limit", (), measured)


def _span(found: Interval) -> str:
    return f"90 % interval {found.low:.3g} to {found.high:.3g}"


def _bounds(rule: MetricRule, metric: Metric) -> tuple[tuple[str, float], ...]:
    bounds = [] if rule.limit is None else [("limit", float(rule.limit))]
    if rule.ratio is not None and metric.baseline and all(usable(sample) for sample in metric.baseline):
        base = reduced(metric.baseline, rule.statistic)
        lower = metric.direction is Direction.LOWER
        sign = "×" if lower else "÷"
        bounds.append((f"baseline {sign} {rule.ratio:g}", base * rule.ratio if lower else base / rule.ratio))
    return tuple((name, value) for name, value in bounds if math.isfinite(value))


def _ratio(direction: Direction, value: float, base: float) -> float:
    """How many times worse than the baseline: above 1 is worse. A candidate at 0 where more is better: infinitely."""
    if direction is Direction.LOWER:
        return value / base
    return base / value if value else math.inf


def _metric_held(rule: MetricRule, metric: Metric) -> Finding:
    value = reduced(metric.candidate, rule.statistic)
    message = f"{_named(rule, metric)} is {_number(value, metric)} over {counted(len(metric.candidate), 'sample')}"
    size = (value, rule.limit, metric.unit)
    if rule.ratio is not None:
        base = reduced(metric.baseline, rule.statistic)
        ratio, told = _ratio(metric.direction, value, base), ""
        if _bounded(rule, metric):
            found = paired_ratio(metric)
            ratio, told = found.middle, f" pair by pair ({_span(found)})"
        message += f", {ratio:.3g} times the baseline's {_number(base, metric)}{told}"
        size = size if rule.limit is not None else (ratio, rule.ratio, "×")
    return _finding(rule, Mark.PASS, Reason.HELD, message, (), size)


def judge_crashes(rule: CrashRule, record: Record) -> Finding:
    """No container ended unasked, while somebody watched and something ran."""
    if record.crashes is None:
        return _unknown(rule, Reason.CRASHES_UNWATCHED, "nobody watched the containers from the first case to the last")
    if record.crashes:
        message = told(record.crashes[0])
        if len(record.crashes) > 1:
            message += f" (and {len(record.crashes) - 1} more)"
        names = tuple(crash.container for crash in record.crashes)
        return _finding(rule, Mark.FAIL, Reason.CRASHED, message, names, (len(names), 0, "crashes"))
    if not ran(record):
        return _unknown(
            rule, Reason.NOTHING_RAN, "no container ended unasked, but nothing ran that could have ended one"
        )
    return _finding(rule, Mark.PASS, Reason.HELD, "no container ended unasked", (), (0, 0, "crashes"))


def told(crash: Crash) -> str:
    """A crash in a line: container, time, reason, last log line."""
    at = datetime.fromtimestamp(crash.at, UTC).strftime("%H:%M:%S UTC") if 0 <= crash.at < 2**37 else "a time unknown"
    last = next((line for line in reversed(crash.log.splitlines()) if line.strip()), "")
    tail = f"last line of its log: {printable(last, 160)}" if last else "its log is empty"
    return f"{printable(crash.container)} crashed at {at} ({printable(crash.reason)}); {tail}"


def ran(record: Record) -> bool:
    """Whether any case of any suite truly ran."""
    return any(report.count(*RAN) > 0 for report in record.suites.values())


def judge_drift(rule: DriftRule, record: Record) -> Finding:
    """Mirror and production were compared, and agree as far as the rule demands."""
    seen = record.comparison
    if seen is None or seen.compared <= 0:
        return _unknown(rule, Reason.DRIFT_ABSENT, "mirror and production were not compared")
    if not 0 <= rule.fidelity <= 1:
        return _unknown(rule, Reason.NO_LIMIT, f"a fidelity of {rule.fidelity} is no share between 0 and 1")
    drift = tuple(f"{difference.service}: {difference.field}" for difference in seen.drift)
    if len(drift) > rule.unexplained:
        message = (
            f"{counted(len(drift), 'unexplained difference')} between mirror and production, "
            f"at most {rule.unexplained} allowed: {first_few(drift)}"
        )
        return _finding(rule, Mark.FAIL, Reason.DRIFT, message, drift, (len(drift), rule.unexplained, "differences"))
    share = (seen.fidelity, rule.fidelity, "")
    if seen.fidelity < rule.fidelity:
        message = f"fidelity of the mirror is {seen.fidelity:.4f}, at least {rule.fidelity:g} must be"
        return _finding(rule, Mark.FAIL, Reason.LOW_FIDELITY, message, drift, share)
    message = f"{counted(seen.compared, 'field')} compared, {len(seen.differences)} differ, {len(drift)} unexplained"
    return _finding(rule, Mark.PASS, Reason.HELD, message, (), (len(drift), rule.unexplained, "differences"))


def _ids(cases: Sequence[Case], *outcomes: Outcome) -> tuple[str, ...]:
    return tuple(case.id for case in cases if case.outcome in outcomes)


def case_names(ids: Sequence[str]) -> str:
    """The first few cases by the name that their author gave them; `where` keeps the whole ids."""
    return first_few([name.partition("::")[2] or name for name in ids])


def _worse(direction: Direction, value: float, limit: float) -> bool:
    return value > limit if direction is Direction.LOWER else value < limit


def _named(rule: MetricRule, metric: Metric) -> str:
    return f"{rule.statistic} of {printable(metric.name)}"


def _number(value: float, metric: Metric) -> str:
    return f"{value:.6g} {printable(metric.unit, 20)}".rstrip()


Size = tuple[float | None, float | None, str]
_NO_SIZE: Size = (None, None, "")


def _finding(
    rule: AnyRule, mark: Mark, reason: Reason, message: str, where: tuple[str, ...] = (), size: Size = _NO_SIZE
) -> Finding:
    measured, limit, unit = size
    subject = rule.suite if isinstance(rule, CasesRule) else rule.metric if isinstance(rule, MetricRule) else ""
    return Finding(
        rule.name, mark, reason, message, rule.impact, _plain(measured), _plain(limit), unit, where, rule.trial, subject
    )


def _plain(value: float | None) -> float | None:
    """JSON has no infinity: the message alone says it."""
    return float(value) if value is not None and math.isfinite(value) else None


def _unknown(
    rule: AnyRule, reason: Reason, message: str, where: tuple[str, ...] = (), size: Size = _NO_SIZE
) -> Finding:
    return _finding(rule, Mark.UNKNOWN, reason, message, where, size)
