import math
from dataclasses import replace

import pytest

from otagate.core.judge import Decision
from otagate.core.policy import Policy
from otagate.core.preflight import RECORD, Judged, Now, objections

JUDGED = Judged("r1", Decision.APPROVE, 990.0, 1000.0, "rel", "pol", {"technical": "t"}, "prod")
NOW = Now(999.0, "rel", "pol", {"technical": "t"}, "prod", "live", {"steward": 0.5})


def codes(judged: Judged = JUDGED, now: Now = NOW, policy: Policy | None = None) -> list[str]:
    return [o.code for o in objections(policy or Policy(), judged, now)]


def test_nothing_is_objected_when_every_condition_holds() -> None:
    assert codes() == []


@pytest.mark.parametrize(
    ("judged", "now", "code"),
    [
        ({"decision": Decision.REFUSE}, {}, "not-approved"),
        ({"decision": Decision.INCONCLUSIVE}, {}, "not-approved"),
        ({}, {"at": 1000.0}, "expired"),
        ({"ended": 990.0, "expires": 990.0 + 24 * 3600.0 + 1}, {}, RECORD),
        ({"expires": math.inf}, {}, RECORD),
        ({"ended": 1002.0, "expires": 1003.0}, {}, RECORD),
        ({}, {"contradiction": "its record comes to refuse, not to approve"}, RECORD),
        ({}, {"release": "other"}, "changed"),
        ({}, {"policy": "other"}, "changed"),
        ({}, {"suites": {"technical": "other"}}, "changed"),
        ({}, {"suites": {}}, "changed"),
        ({}, {"suites": {"technical": "t", "more": "m"}}, "changed"),
        ({}, {"production": "other"}, "production-changed"),
        ({}, {"live_release": "rel"}, "already-live"),
        ({}, {"unreadable": ("the new release reads web 2, not 1",)}, "incompatible-schema"),
        ({}, {"held": "it was rolled back"}, "release-held"),
        ({}, {"brought_back": "errors"}, "brought-back"),
        ({}, {"held": "it was rolled back", "brought_back": "errors"}, "release-held"),
        ({}, {"clocks": {"steward": 2.1}}, "clocks"),
        ({}, {"clocks": {"steward": -2.1}}, "clocks"),
        ({}, {"clocks": {"engine": None}}, "clocks"),
        ({}, {"clocks": {"engine": math.nan}}, "clocks"),
    ],
)
def test_each_condition_that_fails_is_objected_by_its_own_code(
    judged: dict[str, object], now: dict[str, object], code: str
) -> None:
    assert codes(replace(JUDGED, **judged), replace(NOW, **now)) == [code]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "code"),
    [(Policy(approvals=1), "approvals"), (Policy(backup=True), "backup"), (Policy(window=True), "window")],
)
def test_what_the_policy_demands_and_nothing_shows_is_no_pass(policy: Policy, code: str) -> None:
    assert codes(policy=policy) == [code]


def test_a_release_that_is_live_already_is_told_as_that_and_not_as_a_changed_production() -> None:
    assert codes(now=replace(NOW, live_release="rel", production="changed by its own promotion")) == ["already-live"]


def test_what_another_policy_would_come_to_is_a_change_and_no_altered_record() -> None:
    assert codes(now=replace(NOW, policy="other", contradiction="it comes to refuse")) == ["changed"]


def test_only_a_changed_production_is_an_alarm() -> None:
    found = objections(Policy(), replace(JUDGED, decision=Decision.REFUSE), replace(NOW, production="x"))
    assert [(o.code, o.alarm) for o in found] == [("production-changed", True), ("not-approved", False)]


def test_the_way_back_is_not_deployed_over_before_its_time() -> None:
    policy = replace(Policy(), warm=60.0)
    kept = objections(policy, JUDGED, replace(NOW, warm_since=NOW.at - 45))
    assert [o.code for o in kept] == ["way-back-kept"]
    assert "15 s more" in kept[0].message
    assert objections(policy, JUDGED, replace(NOW, warm_since=NOW.at - 60)) == ()
    assert objections(policy, JUDGED, replace(NOW, warm_since=None)) == ()


def test_a_flip_from_a_clock_ahead_of_ours_holds_for_the_whole_time_and_no_longer() -> None:
    (kept,) = objections(replace(Policy(), warm=60.0), JUDGED, replace(NOW, warm_since=NOW.at + 500))
    assert "60 s more" in kept.message
