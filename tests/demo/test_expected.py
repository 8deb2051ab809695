from pathlib import Path

import pytest

from otagate.config.find import shipped
from otagate.config.load import load
from otagate.core.errors import Exit
from otagate.core.judge import Decision
from otagate.core.platform import Tier
from otagate.core.promotion import Phase
from otagate.demo.expected import HELLO, Expectation
from otagate.demo.scenario import HELLO as HELLO_STORY
from otagate.demo.scenario import TREATMENT, Scenario

DOSE = ("dose", "case-failed")
WRONG = Expectation(
    "web:2", "wrong dose", Decision.REFUSE, Exit.REFUSED, "dose", "case-failed", also=("functional", "chain")
)
ALL = (DOSE, ("functional", "case-failed"), ("chain", "ratio-exceeded"))


def test_a_verdict_by_all_documented_rules_is_as_it_must_be() -> None:
    assert WRONG.departure("refuse", 1, ALL) == ""
    assert WRONG.departure("refuse", 1, (*ALL, DOSE)) == ""  # a rule may find several things


@pytest.mark.parametrize(
    ("decision", "exit_", "failed", "told"),
    [
        ("approve", 0, (), "it is approve (exit 0)"),
        ("inconclusive", 3, ALL, "it is inconclusive (exit 3)"),
        ("refuse", 1, ALL[1:], "dose did not fail by case-failed"),
        ("refuse", 1, (("dose", "too-few"), *ALL[1:]), "dose did not fail by case-failed"),
        ("refuse", 1, (DOSE,), "chain, functional did not fail"),
        ("refuse", 1, (*ALL, ("crash", "crashed")), "crash failed too"),
    ],
)
def test_any_departure_is_said(decision: str, exit_: int, failed: tuple[tuple[str, str], ...], told: str) -> None:
    assert WRONG.departure(decision, exit_, failed) == told


def test_a_verdict_is_said_with_the_rule_that_the_build_is_made_for_first() -> None:
    assert WRONG.came("refuse", (*ALL[1:], DOSE, DOSE)) == "refuse by dose (case-failed) with chain, functional"
    assert WRONG.came("refuse", ALL[1:2]) == "refuse by functional (case-failed)"
    assert WRONG.came("approve", ()) == "approve"
    assert WRONG.must == "refuse by dose (case-failed) with chain, functional (exit 1)"


@pytest.mark.parametrize("expected", HELLO, ids=lambda e: e.image)
def test_on_hello_the_one_rule_fails_alone(expected: Expectation) -> None:
    named = ((expected.rule, expected.reason),) if expected.rule else ()
    assert expected.departure(expected.decision, expected.exit, named) == ""
    assert expected.departure(expected.decision, expected.exit, (*named, ("other", "case-failed")))
    if named:
        assert expected.departure(expected.decision, expected.exit, ())


@pytest.mark.parametrize("scenario", [HELLO_STORY, TREATMENT], ids=lambda s: s.like)
def test_what_goes_bad_is_brought_back_by_its_errors_and_by_nothing_else(scenario: Scenario) -> None:
    (bad,) = (e for e in scenario.builds if e.promotion is Phase.ROLLED_BACK)
    assert not bad.ended_otherwise("rolled-back", 5, "planner: 11 errors in 109 answers of the watch")
    assert bad.ended_otherwise("rolled-back", 5, "planner: 30 of 100 answers took longer than 0.4 s, 25% may")
    assert bad.ended_otherwise("promoted", 0, "planner: 11 errors in 109 answers of the watch")
    (good,) = (e for e in scenario.builds if e.promotion is Phase.PROMOTED)
    assert not good.ended_otherwise("promoted", 0, "")
    assert good.ended_otherwise("promoted", 8, "")


@pytest.mark.parametrize("scenario", [HELLO_STORY, TREATMENT], ids=lambda s: s.like)
def test_a_story_promotes_one_build_for_good_and_has_one_brought_back(scenario: Scenario) -> None:
    ends = [e.promotion for e in scenario.builds if e.promotion is not None]
    assert [end.value for end in ends] == ["promoted", "rolled-back"]
    assert all((e.decision is Decision.REFUSE) == bool(e.rule) for e in scenario.builds)


@pytest.mark.parametrize("scenario", [HELLO_STORY, TREATMENT], ids=lambda s: s.like)
def test_a_story_names_only_what_its_platform_has(scenario: Scenario) -> None:
    platform = load(shipped("environments") / scenario.like, {})
    assert set(scenario.doors.values()) <= set(platform.listeners)
    assert set(scenario.secrets.values()) <= set(platform.secrets)
    assert platform.services[scenario.service].tier is Tier.RELEASE
    rules = {rule.name for rule in platform.policy.rules}
    assert {rule for expected in scenario.builds for rule in expected.rules} <= rules
    for outside in scenario.outside:
        assert platform.services[outside.name].image == outside.image
        assert all((Path(platform.folder) / path).is_file() for path in outside.files.values())
