"""What judging answers with: marks, reason codes, findings and the verdict they make."""

from dataclasses import dataclass, field
from enum import StrEnum

from otagate.core.impact import Impact


class Mark(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Decision(StrEnum):
    APPROVE = "approve"
    REFUSE = "refuse"
    INCONCLUSIVE = "inconclusive"


class Reason(StrEnum):
    """Stable reason codes; `docs/reasons.md` is tested against this."""

    HELD = "held"
    CASE_FAILED = "case-failed"
    CASE_SKIPPED = "case-skipped"
    CASE_MISSING = "case-missing"
    CASE_CRASHED = "case-crashed"
    NOTHING_RAN = "nothing-ran"
    TOO_FEW_CASES = "too-few-cases"
    SUITE_ABSENT = "suite-absent"
    SUITE_INCOHERENT = "suite-incoherent"
    METRIC_ABSENT = "metric-absent"
    METRIC_NOT_FINITE = "metric-not-finite"
    TOO_FEW_SAMPLES = "too-few-samples"
    BASELINE_ABSENT = "baseline-absent"
    LIMIT_EXCEEDED = "limit-exceeded"
    RATIO_EXCEEDED = "ratio-exceeded"
    TOO_NOISY = "too-noisy"
    NO_LIMIT = "no-limit"
    CRASHED = "crashed"
    CRASHES_UNWATCHED = "crashes-unwatched"
    DRIFT = "drift"
    LOW_FIDELITY = "low-fidelity"
    DRIFT_ABSENT = "drift-absent"
    MIGRATION_BROKE = "migration-broke"
    LIVE_BROKEN = "live-broken"
    LIVE_UNPROVEN = "live-unproven"
    EMPTY_POLICY = "empty-policy"
    CASE_UNCLAIMED = "case-unclaimed"
    RULE_RAISED = "rule-raised"
    RUN_FAULT = "run-fault"


@dataclass(frozen=True)
class Finding:
    """What one rule found. `measured` against `limit` in `unit` where numbers decide; `where` names cases or fields.

    `subject` is the suite or metric it is about; `bounds` are the values, in the metric's own unit, beyond which the
    candidate's statistic fails, each with its name.
    """

    rule: str
    mark: Mark
    reason: Reason
    message: str
    impact: Impact
    measured: float | None = None
    limit: float | None = None
    unit: str = ""
    where: tuple[str, ...] = ()
    trial: bool = False
    subject: str = ""
    bounds: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Verdict:
    decision: Decision
    findings: tuple[Finding, ...] = field(default=())

    def failed(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.mark is Mark.FAIL and not f.trial)
