"""What a finding tells: the numbers that decided, the cases or fields it is about, and the bounds of its metric."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from otagate.core.impact import Impact
from otagate.core.judge import Reason, judge
from otagate.core.policy import CasesRule, Policy
from otagate.core.rules import case_names, claimed, incoherences, ran, told
from otagate.core.suite import Crash, Outcome
from tests.core.judging import read_cases

CASES = tuple(read_cases())
SOUND = next(case for case in CASES if case.name == "sound")


def test_findings_carry_the_numbers_that_decided() -> None:
    told = {f.rule: (f.measured, f.limit, f.unit) for f in judge(SOUND.policy, SOUND.record).findings}
    assert told == {
        "technical": (2, 2, "cases"),
        "privacy": (1, 1, "cases"),
        "dose": (3, 2, "cases"),
        "latency": (41.5, 100, "ms"),
        "throughput": (9, 5, "1/s"),
        "crash": (0, 0, "crashes"),
        "drift": (0, 0, "differences"),
    }


NUMBERS: Mapping[str, tuple[str, Any]] = {
    "too slow": ("latency", (101.5, 100, "ms")),
    "slower than the baseline by more than the ratio": ("latency", (1.525, 1.5, "×")),
    "a ratio alone needs no limit": ("latency", (41.5 / 40.5, 1.5, "×")),
    "no throughput at all, beside a baseline": ("throughput", (None, 2, "×")),
    "noise that reaches across the ratio": ("latency", (1.0, 1.5, "×")),
    "too few samples": ("latency", (3, 4, "samples")),
    "fewer cases than the minimum": ("technical", (2, 3, "cases")),
    "more cases skipped than allowed": ("technical", (2, 1, "cases")),
    "a suite all skipped": ("dose", (0, 2, "cases")),
    "many failures are counted and the first few named": ("technical", (4, 0, "cases")),
    "two crashes with odd times and no log": ("crash", (2, 0, "crashes")),
    "unexplained drift": ("drift", (1, 0, "differences")),
    "too little fidelity": ("drift", (0.8, 0.9, "")),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_finding_that_is_no_pass_carries_its_numbers_too(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    rule, numbers = NUMBERS[name]
    told = {f.rule: (f.measured, f.limit, f.unit) for f in judge(case.policy, case.record).findings}
    assert told[rule] == pytest.approx(numbers) if None not in numbers else told[rule] == numbers


def test_a_finding_says_what_it_is_about_and_where_its_statistic_would_fail() -> None:
    told = {f.rule: (f.subject, dict(f.bounds)) for f in judge(SOUND.policy, SOUND.record).findings}
    assert told["technical"] == ("technical", {})
    assert told["crash"] == ("", {})
    assert told["latency"] == ("summary-latency", {"limit": 100, "baseline × 1.5": 1.5 * 40.5})
    assert told["throughput"] == ("stores-per-second", {"limit": 5, "baseline ÷ 2": 5})


@pytest.mark.parametrize("name", ["too slow without a baseline is too slow", "a baseline not a number"])
def test_without_a_usable_baseline_the_limit_alone_is_a_bound(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    told = {f.rule: f.bounds for f in judge(case.policy, case.record).findings}
    assert told["latency"] == (("limit", 100.0),)


WHERE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "many failures are counted and the first few named": ("technical", ("a", "b", "c", "d")),
    "a suite all skipped": ("dose", ("maximum", "dvh")),
    "more cases skipped than allowed": ("technical", ("a", "b")),
    "a case collected and never reported": ("technical", ("extra",)),
    "a case left without evidence by a crash nobody recorded": ("technical", ("restart",)),
    "a case that no rule claims": ("run", ("plan",)),
    "two crashes with odd times and no log": ("crash", ("w", "w")),
    "a crash that no rule judges": ("run", ("w",)),
    "unexplained drift": ("drift", ("web: limit.memory",)),
    "too little fidelity": ("drift", ("web: limit.memory",)),
    "drift that no rule judges": ("run", ("web: image",)),
}


@pytest.mark.parametrize("name", WHERE)
def test_a_finding_names_all_the_cases_or_fields_it_is_about(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    rule, where = WHERE[name]
    assert {f.rule: f.where for f in judge(case.policy, case.record).findings}[rule] == where


def test_a_sound_report_has_no_incoherence_and_the_parents_flaws_come_first() -> None:
    report = SOUND.record.suites["technical"]
    assert incoherences("technical", report) == ()
    flaws = incoherences("technical", replace(report, flaws=("odd line",), ended=False))
    assert flaws == ("odd line", "it never came to its end")


def test_failed_cases_agree_with_an_exit_status_of_failure_alone() -> None:
    report = SOUND.record.suites["technical"]
    for outcome in (Outcome.FAILED, Outcome.ERROR, Outcome.CRASHED):
        changed = replace(report, cases=(replace(report.cases[0], outcome=outcome), *report.cases[1:]))
        assert incoherences("technical", replace(changed, exit_status=1)) == ()
        assert incoherences("technical", replace(changed, exit_status=0)) == ("exit status 0, though cases failed",)


def test_an_expected_failure_that_passed_agrees_with_either_exit_status() -> None:
    report = SOUND.record.suites["technical"]
    changed = replace(report, cases=(replace(report.cases[0], outcome=Outcome.XPASSED), *report.cases[1:]))
    assert [incoherences("technical", replace(changed, exit_status=status)) for status in (0, 1)] == [(), ()]


def test_a_rule_without_requirements_claims_what_no_other_counted_rule_of_its_suite_claims() -> None:
    report = SOUND.record.suites["technical"]
    rest = CasesRule("rest", Impact.K1, suite="technical")
    logs = CasesRule("logs", Impact.K1, suite="technical", requirements=("clean-log",))
    elsewhere = CasesRule("elsewhere", Impact.K1, suite="functional", requirements=("clean-log",))

    def names(*rules: CasesRule) -> list[str]:
        return [case.id for case in claimed(rest, Policy(rules), report)]

    assert names(rest) == ["health", "restart", "logs"]
    assert names(rest, logs) == ["health", "restart"]
    assert names(rest, replace(logs, trial=True)) == ["health", "restart", "logs"]
    assert names(rest, elsewhere) == ["health", "restart", "logs"]


def test_something_ran_only_if_a_case_came_to_an_outcome_of_its_own() -> None:
    report = SOUND.record.suites["technical"]

    def one(outcome: Outcome) -> bool:
        case = replace(report.cases[0], outcome=outcome)
        return ran(replace(SOUND.record, suites={"technical": replace(report, cases=(case,))}))

    assert [outcome for outcome in Outcome if one(outcome)] == [
        Outcome.PASSED,
        Outcome.FAILED,
        Outcome.ERROR,
        Outcome.XPASSED,
    ]


def test_a_crash_is_told_in_one_line_whatever_its_log_holds() -> None:
    line = told(Crash("web", "w\x1b", 0.0, "exit 1", "first\n\x07last\r\n  \n"))
    assert line == "w\\x1b crashed at 00:00:00 UTC (exit 1); last line of its log: \\x07last"
    assert len(told(Crash("web", "w", 0.0, "exit 1", "x" * 10_000))) < 250


def test_one_crash_is_told_alone() -> None:
    case = next(case for case in CASES if case.name == "a crash refuses by the crash rule and no other")
    finding = next(f for f in judge(case.policy, case.record).findings if f.rule == "crash")
    assert finding.message.endswith("last line of its log: segfault in parser")


def test_cases_are_named_as_their_author_named_them() -> None:
    assert case_names(["suite/test_a.py::test_one[a::b]", "plain"]) == "test_one[a::b], plain"


def test_a_case_rule_without_a_suite_in_the_record_says_which() -> None:
    rule = CasesRule("load", Impact.K1, suite="load\n")
    finding = judge(Policy((rule,)), SOUND.record).findings[0]
    assert (finding.reason, finding.message) == (Reason.SUITE_ABSENT, "suite load  left no report")


def test_a_failure_says_what_its_first_case_said() -> None:
    """Which number, against which limit: a name alone sends people to the report."""
    suite = SOUND.record.suites["technical"]
    quiet = replace(suite.cases[0], outcome=Outcome.FAILED, message="")
    loud = replace(suite.cases[1], outcome=Outcome.FAILED, message="PTV mean:\n+3.36 %, limit ±2 %" + "x" * 1000)
    broken = replace(suite, cases=(quiet, loud, *suite.cases[2:]), exit_status=1)
    record = replace(SOUND.record, suites={**SOUND.record.suites, "technical": broken})
    told = next(f for f in judge(SOUND.policy, record).findings if f.rule == "technical").message
    assert ". First: PTV mean: +3.36 %, limit ±2 %" in told
    assert len(told) < 400
