"""JUnit XML as a CI server reads it."""

from dataclasses import replace
from typing import Any

import pytest
from junitparser import JUnitXml

from otagate.core.judge import Decision
from otagate.core.record import Record
from otagate.core.suite import Outcome
from otagate.report.junit import POLICY_SUITE, document
from otagate.report.words import OUTCOME_MARKS
from tests.samples import HOSTILE, START, case, record, stored, suite


def read(text: str) -> dict[str, Any]:
    return {made.name: made for made in JUnitXml.fromstring(text.encode())}


def results(made: Any) -> dict[str, tuple[str, str]]:
    return {
        found.name: (type(found.result[0]).__name__, found.result[0].type) if found.result else ("passed", "")
        for found in made
    }


def properties(text: str) -> dict[str, str]:
    return {p.name: p.value for p in read(text)[POLICY_SUITE].properties()}


def test_each_finding_is_a_case_of_the_policys_suite() -> None:
    assert results(read(document(stored()))[POLICY_SUITE]) == {
        "dose": ("Failure", "case-failed"),
        "crash": ("Failure", "crashed"),
        "drift": ("Failure", "drift"),
        "technical": ("Error", "case-crashed"),
        "privacy": ("passed", ""),
        "latency": ("passed", ""),
        "memory": ("Skipped", "metric-not-finite"),
    }


def test_each_suite_keeps_its_cases_with_their_outcomes() -> None:
    made = read(document(stored()))
    assert results(made["functional"]) == {"test_maximum": ("Failure", "failed"), "test_dvh": ("passed", "")}
    assert results(made["technical"])["test_truncated"] == ("Error", "crashed")
    assert (made["technical"].tests, made["technical"].errors, made["technical"].failures) == (5, 1, 0)


@pytest.mark.parametrize("outcome", Outcome)
def test_only_a_passed_case_is_green(outcome: Outcome) -> None:
    content = replace(record(), suites={"technical": suite("technical", case("technical", START, "test_one", outcome))})
    kind, told = results(read(document(stored(content=content)))["technical"])["test_one"]
    assert (kind == "passed") == (outcome is Outcome.PASSED)
    assert told == ("" if outcome is Outcome.PASSED else outcome.value)
    assert set(OUTCOME_MARKS) == set(Outcome)


def test_requirements_and_risks_are_properties_of_the_case() -> None:
    text = document(stored())
    assert '<property name="requirement" value="dose" />' in text
    assert '<property name="risk" value="H-3" />' in text


def test_the_verdict_and_what_it_is_about_are_properties_of_the_policys_suite() -> None:
    told = properties(document(stored()))
    assert (told["verdict"], told["run"]) == ("refuse", "20251124-160000-ab12")
    assert told["because"].startswith("dose: 1 of 2 cases failed")
    assert told["build.web"] == stored().header.builds[0].digest


def test_a_run_without_any_evidence_is_red() -> None:
    run = stored(content=Record({}, {}, None, None))
    assert run.verdict.decision is Decision.INCONCLUSIVE
    made = read(document(run))
    assert list(made) == [POLICY_SUITE]
    assert made[POLICY_SUITE].errors == made[POLICY_SUITE].tests - made[POLICY_SUITE].skipped > 0


def test_a_hostile_name_is_xml_safe_and_short() -> None:
    text = document(stored())
    names = [made.name for made in read(text)["technical"]]
    assert any(name.startswith("test_<script>alert(1)</script>") for name in names)
    assert max(map(len, names)) <= 200
    assert not [c for c in text if ord(c) < 32 and c not in "\n\t"]
    assert HOSTILE not in text


def test_a_hostile_header_is_xml_safe() -> None:
    evil = '"/><failure/>\x00\x1b]]>&amp;\ud800\uffff'
    run = stored()
    header = replace(run.header, run=evil, platform=evil, release=evil)
    findings = tuple(replace(finding, rule=evil, message=evil, unit=evil) for finding in run.verdict.findings)
    text = document(replace(run, header=header, verdict=replace(run.verdict, findings=findings)))
    text.encode("utf-8")
    assert len(read(text)[POLICY_SUITE]) == 7
    assert properties(text)["run"].startswith('"/><failure/>')


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -1e9, 1e300])
def test_times_that_are_no_times_do_not_break_the_document(odd: float) -> None:
    strange = replace(case("technical", START, "test_odd"), started=0.0, ended=odd)
    run = stored(content=replace(record(), suites={"technical": suite("technical", strange)}))
    made = read(document(replace(run, header=replace(run.header, started=odd))))["technical"]
    assert next(iter(made)).time == 0
    assert made.timestamp is None


def test_a_long_story_keeps_its_end() -> None:
    told = replace(case("technical", START, "test_one", Outcome.FAILED), detail="begin\n" + "x" * 50_000 + "\nend")
    text = document(stored(content=replace(record(), suites={"technical": suite("technical", told)})))
    assert "\nend</failure>" in text
    assert "begin" not in text
