"""A suite, its cases and what became of them, as counted by the parent (never as claimed by an exit status)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from otagate.core.picture import Picture


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"  # set-up or tear-down broke
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"
    MISSING = "missing"  # collected, never reported
    CRASHED = "crashed"  # left without evidence by a crash of the candidate while it ran


@dataclass(frozen=True)
class Case:
    """One test. Times in seconds since the epoch; `message` is the failure's short form, `detail` its long one; `since`
    begin and end of what broke before the case needed it and failed of it."""

    id: str
    outcome: Outcome
    started: float
    ended: float
    requirements: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    message: str = ""
    detail: str = ""
    since: tuple[float, float] | None = None


@dataclass(frozen=True)
class SuiteReport:
    """What the parent saw. `flaws` are reasons not to believe the run (e.g. "no end marker"); empty means coherent.
    `runner` names the programs that ran it, e.g. "pytest 9.0.1, Python 3.13.5"."""

    name: str
    tree_digest: str
    collected: tuple[str, ...]
    cases: tuple[Case, ...]
    exit_status: int | None
    ended: bool
    flaws: tuple[str, ...] = ()
    seconds: float = 0.0
    runner: str = ""
    pictures: tuple[Picture, ...] = ()

    def count(self, *outcomes: Outcome) -> int:
        return sum(case.outcome in outcomes for case in self.cases)


@dataclass(frozen=True)
class Crash:
    """A container that ended unasked. `at` in seconds since the epoch."""

    service: str
    container: str
    at: float
    reason: str  # "exit 1", "out of memory", "killed by signal 11"
    log: str = ""


def without_evidence(cases: Sequence[Case], crashes: Sequence[Crash], *, slack: float) -> tuple[Case, ...]:
    """Failed or errored cases during which (± `slack` seconds) a crash fell become CRASHED and name it, and those that
    failed of what had broken before, if one fell during that.

    A crash is judged once, by its own rule; what it tore down gives no evidence either way. Passed cases stay. A case
    that was running when the run itself was cut off counts as torn down too; one that never started stays MISSING.
    """
    return tuple(_torn_down(case, crashes, slack) for case in cases)


def _torn_down(case: Case, crashes: Sequence[Crash], slack: float) -> Case:
    running = case.outcome in (Outcome.FAILED, Outcome.ERROR) or (case.outcome is Outcome.MISSING and case.started > 0)
    if not running:
        return case
    begin, end = case.since or (case.started, case.ended)
    during = [crash for crash in crashes if begin - slack <= crash.at <= end + slack]
    if not during:
        return case
    first = min(during, key=lambda crash: crash.at)
    what = "what this needs was made" if case.since else "this ran"
    message = f"{first.service} ended unasked while {what} ({first.reason}, {first.container})"
    return replace(
        case, outcome=Outcome.CRASHED, message=f"{message}; it saw: {case.message}" if case.message else message
    )
