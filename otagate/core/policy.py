"""What a build must show: rules with their limits. A rule says which evidence it needs; absence is never a pass."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from otagate.core.impact import Impact


class Direction(StrEnum):
    """Which way a metric is better."""

    LOWER = "lower"
    HIGHER = "higher"


class Statistic(StrEnum):
    P50 = "p50"
    P95 = "p95"
    MAX = "max"
    MIN = "min"
    MEAN = "mean"


@dataclass(frozen=True)
class Rule:
    """Common to every rule. A `trial` rule is shown and never counted."""

    name: str
    impact: Impact
    trial: bool = False


@dataclass(frozen=True)
class CasesRule(Rule):
    """All cases of `suite` bearing one of `requirements` passed (empty: those that no other rule of the suite claims).

    `minimum`: at least so many must have passed; `skipped`: at most so many may have been skipped.
    """

    suite: str = ""
    requirements: tuple[str, ...] = ()
    minimum: int = 1
    skipped: int = 0


@dataclass(frozen=True)
class MetricRule(Rule):
    """A statistic of a metric against an absolute limit and, side by side, against the baseline's.

    `limit` in the metric's unit; `ratio` candidate/baseline for LOWER, baseline/candidate for HIGHER.
    """

    metric: str = ""
    statistic: Statistic = Statistic.P50
    limit: float | None = None
    ratio: float | None = None
    minimum: int = 20


@dataclass(frozen=True)
class CrashRule(Rule):
    """No container of the candidate's side ended unasked, restarted, or was killed for memory."""


@dataclass(frozen=True)
class DriftRule(Rule):
    """At most `unexplained` differences between mirror and production; `fidelity` is the least share that agrees."""

    unexplained: int = 0
    fidelity: float = 0.0


AnyRule = CasesRule | MetricRule | CrashRule | DriftRule


@dataclass(frozen=True)
class Policy:
    """`max_age` in seconds: how long a verdict may be promoted on. `minimums`: of each suite so many cases
    must have run. `warm`: seconds after a flip for which the old colour is kept.
    The rest says what preflight demands."""

    rules: tuple[AnyRule, ...] = field(default=())
    max_age: float = 24 * 3600.0
    approvals: int = 0
    backup: bool = False
    window: bool = False
    clock_skew: float = 2.0
    warm: float = 0.0
    minimums: Mapping[str, int] = field(default_factory=dict)
