"""ports.Suites without a child: results, digests and asks as the test sets them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from otagate.core.errors import OtagateError, SuiteFault, UsageError
from otagate.ports import Answer, Progress, SuiteResult, SuiteRun, Tell


@dataclass
class FakeSuites:
    """`digests` by folder, `results` and `asks` by suite; suites in `broken` cannot be started.

    `ran` and `answers` say what was asked of it. `during` is called while a suite runs, before its asks.
    """

    digests: dict[str, str]
    results: dict[str, SuiteResult]
    asks: Mapping[str, Sequence[tuple[str, Mapping[str, Any]]]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    during: Callable[[SuiteRun], None] = lambda _: None
    ran: list[SuiteRun] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)

    def digest(self, folder: str) -> str:
        if folder not in self.digests:
            raise UsageError(f"suite folder {folder} holds no test file", code="empty-suite")
        return self.digests[folder]

    def run(self, run: SuiteRun, answer: Answer, tell: Tell) -> SuiteResult:
        digest = self.digest(run.folder)
        if run.suite in self.broken:
            raise SuiteFault(f"suite {run.suite} could not be started")
        self.ran.append(run)
        self.during(run)
        for what, args in self.asks.get(run.suite, ()):
            try:
                self.answers.append(answer(what, args))
            except OtagateError as refusal:  # a case is told so; the run goes on
                self.answers.append(refusal)
        result = self.results[run.suite]
        total = len(result.report.collected)
        tell(Progress("suite", run.suite, f"{total} cases collected", 0, total))
        for done, case in enumerate(result.report.cases, 1):
            tell(Progress("suite", run.suite, f"{case.outcome}: {case.id}", done, total))
        return replace(result, report=replace(result.report, name=run.suite, tree_digest=digest))
