"""JUnit XML for CI servers: each suite with its cases, and the policy's findings as a suite of their own."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

from junitparser import Error, Failure, JUnitXml, Properties, Property, Skipped, TestCase, TestSuite

from otagate.core.judge import Finding, Mark
from otagate.core.suite import Case, Outcome, SuiteReport
from otagate.core.text import printable, printable_lines
from otagate.ports import StoredRun
from otagate.report.words import because, decisive_first, known, size

POLICY_SUITE = "otagate.policy"
_DETAIL = 16_000
_SAID = {
    Outcome.XPASSED: "passed, though marked as expected to fail",
    Outcome.MISSING: "collected, never reported",
    Outcome.CRASHED: "left without evidence by a crash",
    Outcome.SKIPPED: "skipped",
    Outcome.XFAILED: "expected to fail",
}


def document(run: StoredRun) -> str:
    """The whole document; nothing in it is taken from a case's name without being made fit for XML."""
    xml = JUnitXml(f"otagate {printable(run.header.platform)}")
    xml.add_testsuite(_policy(run))
    for name, report in run.record.suites.items():
        xml.add_testsuite(_suite(name, report, run))
    xml.update_statistics()  # type: ignore[no-untyped-call]
    return ElementTree.tostring(xml._elem, encoding="unicode", xml_declaration=False)


def _policy(run: StoredRun) -> Any:
    suite = TestSuite(POLICY_SUITE)
    header = run.header
    facts = {
        "verdict": run.verdict.decision.value,
        "because": because(run),
        "run": header.run,
        "release": header.release,
        "baseline": header.baseline_release,
        "policy": header.policy_digest,
        **{f"build.{build.service}": build.digest for build in header.builds},
    }
    for name, value in facts.items():
        suite.add_property(printable(name), printable(value, 500))
    suite.add_testcases([_finding(finding) for finding in decisive_first(run.verdict.findings)])
    _dated(suite, run)
    return suite


def _finding(finding: Finding) -> Any:
    case = TestCase(printable(finding.rule), POLICY_SUITE, 0.0)
    facts = {
        "impact": finding.impact.value,
        "reason": finding.reason.value,
        "measured": size(finding.measured, finding.unit),
        "limit": size(finding.limit, finding.unit),
    }
    _describe(case, facts.items())
    message = printable(finding.message, 2000)
    if finding.trial:
        case.result = [Skipped(f"trial, never counted: {finding.mark}: {message}", finding.reason.value)]
    elif finding.mark is Mark.FAIL:
        case.result = [Failure(message, finding.reason.value)]
    elif finding.mark is Mark.UNKNOWN:
        case.result = [Error(message, finding.reason.value)]
    return case


def _suite(name: str, report: SuiteReport, run: StoredRun) -> Any:
    suite = TestSuite(printable(name))
    suite.add_property("tree", printable(report.tree_digest))
    for flaw in report.flaws:
        suite.add_property("flaw", printable(flaw, 500))
    suite.add_testcases([_case(case) for case in report.cases])
    _dated(suite, run)
    return suite


def _case(case: Case) -> Any:
    file, _, name = case.id.partition("::")
    took = max(case.ended - case.started, 0.0)
    made = TestCase(printable(name or file, 200), printable(file, 200), took if took < 1e6 else 0.0)
    _describe(made, [*(("requirement", r) for r in case.requirements), *(("risk", r) for r in case.risks)])
    said = printable(case.message or _SAID.get(case.outcome, case.outcome.value), 2000)
    result = _result(case.outcome, said)
    if result is not None:
        result.text = printable_lines(case.detail, _DETAIL)
        made.result = [result]
    return made


def _result(outcome: Outcome, said: str) -> Any:
    match outcome:
        case Outcome.PASSED:
            return None
        case Outcome.FAILED | Outcome.XPASSED:
            return Failure(said, outcome.value)
        case Outcome.ERROR | Outcome.MISSING | Outcome.CRASHED:
            return Error(said, outcome.value)
        case Outcome.SKIPPED | Outcome.XFAILED:
            return Skipped(said, outcome.value)


def _describe(case: Any, facts: Iterable[tuple[str, str]]) -> None:
    described = list(facts)
    if not described:
        return
    properties = Properties()  # type: ignore[no-untyped-call]
    for name, value in described:
        properties.add_property(Property(name, printable(value, 200)))
    case.append(properties)


def _dated(suite: Any, run: StoredRun) -> None:
    started = run.header.started
    if known(started):
        suite.timestamp = datetime.fromtimestamp(started, UTC).strftime("%Y-%m-%dT%H:%M:%S")
