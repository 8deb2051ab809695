"""The verdict: pure, and it says why. Pass needs positive evidence; everything else is fail or unknown."""

from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from itertools import zip_longest
from typing import Any, assert_never

from otagate.core.impact import Impact
from otagate.core.policy import AnyRule, CasesRule, CrashRule, DriftRule, MetricRule, Policy
from otagate.core.record import Migration, Record
from otagate.core.rules import (
    case_names,
    claimed,
    incoherences,
    judge_cases,
    judge_crashes,
    judge_drift,
    judge_metric,
    ran,
    told,
)
from otagate.core.suite import Outcome
from otagate.core.text import counted, first_few, printable
from otagate.core.verdict import Decision, Finding, Mark, Reason, Verdict

__all__ = ["Decision", "Finding", "Mark", "Reason", "Verdict", "contradiction", "decision_of", "judge"]

# Under these names stand the findings that answer for what no rule covers.
POLICY, RUN = "policy", "run"
MIGRATE = "migrate"

# A case ran if something came of it; a crash ended some while they did.
_RAN = (Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.XPASSED, Outcome.CRASHED)


def judge(policy: Policy, record: Record) -> Verdict:
    """One finding per rule, in the policy's order, then one for each thing that no rule covers."""
    findings = [_guarded(rule, policy, record) for rule in policy.rules]
    gravest = min((rule.impact for rule in policy.rules if not rule.trial), default=Impact.K0)
    if record.migration is not None:
        findings.append(_guarded_migration(policy, record, record.migration, gravest))
    findings += _uncovered(policy, record, gravest)
    return Verdict(decision_of(findings), tuple(findings))


def decision_of(findings: Sequence[Finding]) -> Decision:
    """Any fail refuses; else anything but a pass, or nothing at all, is inconclusive. Trial findings never count."""
    marks = {finding.mark for finding in findings if not finding.trial}
    if Mark.FAIL in marks:
        return Decision.REFUSE
    return Decision.APPROVE if marks == {Mark.PASS} else Decision.INCONCLUSIVE


def contradiction(policy: Policy, record: Record, verdict: Verdict) -> str:
    """Where a verdict is not what `record` comes to under `policy`; "" if it is just that."""
    again = judge(policy, record)
    if again.decision is not verdict.decision:
        return f"its record comes to {again.decision}, not to {verdict.decision}"
    for new, old in zip_longest(again.findings, verdict.findings):
        if new is None or old is None or _comparable(astuple(new)) != _comparable(astuple(old)):
            name = printable((new or old).rule)
            return f"the finding of {name} is not what its record comes to"
    return ""


def _comparable(value: Any) -> Any:
    """With NaN, which equals nothing, as a word."""
    if isinstance(value, tuple):
        return tuple(_comparable(item) for item in value)
    return "nan" if value != value else value


def _guarded(rule: AnyRule, policy: Policy, record: Record) -> Finding:
    """A rule that raised has found nothing: unknown, with the reason."""
    try:
        # Trial is the policy's word alone, whatever the rule's own code says.
        return replace(_judged(rule, policy, record), trial=rule.trial)
    except Exception as error:
        message = f"the rule itself broke: {_cause(error)}"
        return Finding(rule.name, Mark.UNKNOWN, Reason.RULE_RAISED, message, rule.impact, trial=rule.trial)


def _judged(rule: AnyRule, policy: Policy, record: Record) -> Finding:
    match rule:
        case CasesRule():
            return judge_cases(rule, policy, record)
        case MetricRule():
            return judge_metric(rule, record)
        case CrashRule():
            return judge_crashes(rule, record)
        case DriftRule():
            return judge_drift(rule, record)
        case _:
            assert_never(rule)


def _guarded_migration(policy: Policy, record: Record, seen: Migration, gravest: Impact) -> Finding:
    try:
        return _migration(policy, record, seen, gravest)
    except Exception as error:
        message = f"the record of the migration cannot be read: {_cause(error)}"
        return Finding(MIGRATE, Mark.UNKNOWN, Reason.RULE_RAISED, message, gravest)


def _migration(policy: Policy, record: Record, seen: Migration, gravest: Impact) -> Finding:
    """The live release must do on the migrated state what the policy asks of the candidate, save for its speed."""
    what = first_few([printable(str(move)) for move in seen.moves])
    if seen.broke:
        message = f"the candidate's migrate broke on the mirror: {printable(seen.broke, 300)}"
        return Finding(MIGRATE, Mark.FAIL, Reason.MIGRATION_BROKE, message, gravest)
    if not seen.moves:
        return Finding(MIGRATE, Mark.UNKNOWN, Reason.LIVE_UNPROVEN, "no service says which schema moved", gravest)
    rules = tuple(rule for rule in policy.rules if not rule.trial and not isinstance(rule, MetricRule))
    live = judge(
        replace(policy, rules=rules), replace(record, suites=seen.suites, crashes=seen.crashes, migration=None)
    )
    bad = [finding for finding in live.findings if finding.mark is not Mark.PASS]
    if live.decision is Decision.APPROVE:
        passed = sum(report.count(Outcome.PASSED) for report in seen.suites.values())
        message = f"{what}: {counted(passed, 'case')} of the live release passed on the migrated state"
        return Finding(MIGRATE, Mark.PASS, Reason.HELD, message, gravest)
    broken = live.decision is Decision.REFUSE
    worst = next(f for f in bad if (f.mark is Mark.FAIL) is broken)
    message = f"{what}: the live release on the migrated state: {worst.message}"
    mark, why = (Mark.FAIL, Reason.LIVE_BROKEN) if broken else (Mark.UNKNOWN, Reason.LIVE_UNPROVEN)
    return Finding(MIGRATE, mark, why, message, gravest, where=worst.where)


# What a look at the uncovered answers: the name it speaks under, a reason code, a message, the cases concerned.
_Gap = tuple[str, Reason, str, tuple[str, ...]]
_Look = Callable[[Policy, Record], _Gap | None]


def _uncovered(policy: Policy, record: Record, gravest: Impact) -> list[Finding]:
    """Unknowns that no rule answers for. Their impact is the gravest of the policy: nobody knows better."""
    looks: tuple[_Look, ...] = (
        *(_no_rules, _faults, _nothing_ran, _too_few),
        *(_unclaimed, _crashes_unjudged, _drift_unjudged),
    )
    gaps: list[_Gap] = []
    for look in looks:
        try:
            gap = look(policy, record)
        except Exception as error:
            gap = (RUN, Reason.RULE_RAISED, f"the record cannot be read: {_cause(error)}", ())
        gaps += [gap] if gap else []
    return [Finding(name, Mark.UNKNOWN, why, message, gravest, where=where) for name, why, message, where in gaps]


def _no_rules(policy: Policy, record: Record) -> _Gap | None:  # noqa: ARG001 - every look is called alike
    if any(not rule.trial for rule in policy.rules):
        return None
    trial = " (trial rules never count)" if policy.rules else ""
    return POLICY, Reason.EMPTY_POLICY, f"the policy has no rule that counts{trial}", ()


def _faults(policy: Policy, record: Record) -> _Gap | None:  # noqa: ARG001
    if not record.faults:
        return None
    return RUN, Reason.RUN_FAULT, f"the run was cut short: {first_few(record.faults, 3, 300)}", ()


def _nothing_ran(policy: Policy, record: Record) -> _Gap | None:  # noqa: ARG001
    return None if ran(record) else (RUN, Reason.NOTHING_RAN, "no case of any suite ran", ())


def _too_few(policy: Policy, record: Record) -> _Gap | None:
    """A suite of which fewer cases ran than the platform says that it has: somebody took some away."""
    short = [
        f"{ran_of_suite} of {printable(name)}, at least {least}"
        for name, least in policy.minimums.items()
        if not (ran_of_suite := record.suites[name].count(*_RAN) if name in record.suites else 0) >= least
    ]
    return (RUN, Reason.TOO_FEW_CASES, f"too few cases ran: {first_few(short)}", ()) if short else None


def _unclaimed(policy: Policy, record: Record) -> _Gap | None:
    rules = [rule for rule in policy.rules if isinstance(rule, CasesRule) and not rule.trial]
    loose: list[str] = []
    for name, report in record.suites.items():
        own = [rule for rule in rules if rule.suite == name]
        taken = {case.id for rule in own for case in claimed(rule, policy, report)}
        loose += [case.id for case in report.cases if case.id not in taken]
        if not own and not report.cases:
            flaws = incoherences(name, report)
            loose.append(f"suite {printable(name)} ({flaws[0] if flaws else 'empty'})")
    if not loose:
        return None
    return (
        RUN,
        Reason.CASE_UNCLAIMED,
        f"no rule judges {counted(len(loose), 'case')}: {case_names(loose)}",
        tuple(loose),
    )


def _crashes_unjudged(policy: Policy, record: Record) -> _Gap | None:
    if any(isinstance(rule, CrashRule) and not rule.trial for rule in policy.rules):
        return None
    if record.crashes is None:
        return RUN, Reason.CRASHES_UNWATCHED, "nobody watched the containers, and no rule asks for it", ()
    if not record.crashes:
        return None
    names = tuple(crash.container for crash in record.crashes)
    return RUN, Reason.CRASHED, f"no rule judges that {told(record.crashes[0])}", names


def _drift_unjudged(policy: Policy, record: Record) -> _Gap | None:
    if any(isinstance(rule, DriftRule) and not rule.trial for rule in policy.rules):
        return None
    seen = record.comparison
    if seen is None or seen.compared <= 0:
        return RUN, Reason.DRIFT_ABSENT, "mirror and production were not compared, and no rule asks for it", ()
    if not seen.drift:
        return None
    drift = tuple(f"{difference.service}: {difference.field}" for difference in seen.drift)
    return RUN, Reason.DRIFT, f"no rule judges {counted(len(drift), 'difference')}: {first_few(drift)}", drift


def _cause(error: Exception) -> str:
    return printable(f"{type(error).__name__}: {error}", 300)
