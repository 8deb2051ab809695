"""What a crash leaves of the cases around it."""

from dataclasses import replace

import pytest

from otagate.core.suite import Case, Crash, Outcome, SuiteReport, without_evidence

CRASH = Crash("web", "p-blue-candidate-web", 105.0, "exit 1")


def case(outcome: Outcome, started: float = 100.0, ended: float = 110.0, message: str = "") -> Case:
    return Case("technical/test_a.py::test_a", outcome, started, ended, ("dose",), ("r1",), message, "long")


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.ERROR, Outcome.MISSING])
def test_a_case_that_a_crash_tore_down_points_to_the_crash(outcome: Outcome) -> None:
    (torn,) = without_evidence([case(outcome, message="refused")], [CRASH], slack=0.0)

    assert torn.outcome is Outcome.CRASHED
    assert torn.message == "web ended unasked while this ran (exit 1, p-blue-candidate-web); it saw: refused"
    assert (torn.id, torn.started, torn.ended, torn.requirements, torn.risks, torn.detail) == (
        "technical/test_a.py::test_a",
        100.0,
        110.0,
        ("dose",),
        ("r1",),
        "long",
    )


@pytest.mark.parametrize("outcome", [Outcome.PASSED, Outcome.SKIPPED, Outcome.XFAILED, Outcome.XPASSED])
def test_what_is_no_failure_stays_what_it_was(outcome: Outcome) -> None:
    before = case(outcome)

    assert without_evidence([before], [CRASH], slack=5.0) == (before,)


@pytest.mark.parametrize(
    ("at", "slack", "outcome"),
    [
        (99.0, 0.5, Outcome.FAILED),
        (99.5, 0.5, Outcome.CRASHED),
        (100.0, 0.0, Outcome.CRASHED),
        (110.0, 0.0, Outcome.CRASHED),
        (110.5, 0.5, Outcome.CRASHED),
        (110.6, 0.5, Outcome.FAILED),
    ],
)
def test_only_a_crash_within_the_case_and_its_slack_counts(at: float, slack: float, outcome: Outcome) -> None:
    (after,) = without_evidence([case(Outcome.FAILED)], [Crash("web", "c", at, "exit 1")], slack=slack)

    assert after.outcome is outcome


@pytest.mark.parametrize(("at", "outcome"), [(50.0, Outcome.CRASHED), (105.0, Outcome.FAILED)])
def test_what_failed_of_something_older_points_to_the_crash_that_broke_that(at: float, outcome: Outcome) -> None:
    late = replace(case(Outcome.FAILED), since=(45.0, 51.0))

    (after,) = without_evidence([late], [Crash("web", "c", at, "exit 1")], slack=1.0)

    assert after.outcome is outcome
    assert after.message == ("web ended unasked while what this needs was made (exit 1, c)" if at < 100 else "")


def test_a_case_that_never_started_stays_missing() -> None:
    never = case(Outcome.MISSING, started=0.0, ended=0.0)

    assert without_evidence([never], [Crash("web", "c", 0.0, "exit 1")], slack=1e9) == (never,)


def test_the_first_of_several_crashes_is_named() -> None:
    later = Crash("store", "s", 108.0, "out of memory")

    (torn,) = without_evidence([case(Outcome.FAILED)], [later, CRASH], slack=0.0)

    assert torn.message == "web ended unasked while this ran (exit 1, p-blue-candidate-web)"


def test_without_a_crash_nothing_changes_and_the_order_stays() -> None:
    cases = [case(Outcome.FAILED), case(Outcome.PASSED), case(Outcome.MISSING)]

    assert without_evidence(cases, [], slack=1.0) == tuple(cases)


def test_a_report_counts_its_cases_by_outcome() -> None:
    cases = (case(Outcome.PASSED), case(Outcome.FAILED), case(Outcome.PASSED))
    report = SuiteReport("technical", "sha256:", ("a",), cases, 1, True)

    assert report.count(Outcome.PASSED) == 2
    assert report.count(Outcome.PASSED, Outcome.FAILED) == 3
