"""The judge: the cases of `tests/cases/judge/`, and what must hold for every policy and record."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otagate.core.impact import Impact
from otagate.core.judge import Decision, Finding, Mark, Reason, decision_of, judge
from otagate.core.metric import Metric
from otagate.core.mirror import Comparison, Difference, Explanation
from otagate.core.policy import AnyRule, CasesRule, CrashRule, Direction, DriftRule, MetricRule, Policy, Statistic
from otagate.core.record import Record
from otagate.core.suite import Crash, Outcome, SuiteReport
from tests.core.judging import JudgeCase, read_cases

CASES = tuple(read_cases())
SOUND = next(case for case in CASES if case.name == "sound")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: JudgeCase) -> None:
    verdict = judge(case.policy, case.record)
    told = [(f.rule, f"{f.mark} {f.reason} {f.message}") for f in verdict.findings]
    for rule, words in case.findings.items():
        mark, reason, message = [*words.split(" ", 2), ""][:3]
        assert [
            text for name, text in told if name == rule and text.startswith(f"{mark} {reason} ") and message in text
        ], told
    if case.only:
        assert [text for rule, text in told if rule not in case.findings and not text.startswith("pass ")] == []
    assert verdict.decision == case.verdict, told


def test_missing_evidence_is_known_in_at_least_sixty_ways_and_none_approves() -> None:
    missing = [case for case in CASES if case.missing]
    assert len(missing) >= 60
    assert [case.name for case in missing if judge(case.policy, case.record).decision is Decision.APPROVE] == []


def test_every_reason_code_is_reached_by_a_case() -> None:
    reached = {finding.reason for case in CASES for finding in judge(case.policy, case.record).findings}
    assert reached == set(Reason)


def test_each_rule_gives_one_finding_in_the_order_of_the_policy_with_its_impact() -> None:
    for case in CASES:
        findings = judge(case.policy, case.record).findings
        told = [(f.rule, f.impact, f.trial) for f in findings[: len(case.policy.rules)]]
        assert told == [(rule.name, rule.impact, rule.trial) for rule in case.policy.rules]


def test_what_no_rule_covers_bears_the_gravest_impact_of_the_rules_that_count() -> None:
    rules = (
        CasesRule("technical", Impact.K3, suite="technical"),
        CasesRule("trial", Impact.K0, trial=True, suite="technical"),
        DriftRule("drift", Impact.K2),
    )
    gap = judge(Policy(rules), replace(SOUND.record, faults=("gone",))).findings[len(rules)]
    assert (gap.rule, gap.reason, gap.impact) == ("run", Reason.RUN_FAULT, Impact.K2)


def test_without_a_rule_what_is_missing_bears_the_gravest_impact_of_all() -> None:
    assert {finding.impact for finding in judge(Policy(), Record({}, {}, None, None)).findings} == {Impact.K0}


def test_a_hostile_name_is_shown_short_and_without_control_characters() -> None:
    name = "test_\x1b[2J\n::error::" + "x" * 10_000
    record = with_case(SOUND.record, "technical", name, Outcome.FAILED)
    finding = judge(SOUND.policy, record).findings[0]
    assert finding.where == (name,)
    assert finding.message.isprintable()
    assert len(finding.message) < 300


class Burst(Mapping[str, Any]):
    """A record's part that breaks whoever reads it."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("burst\x00")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("burst")

    def __len__(self) -> int:
        return 1

    def get(self, *_: Any) -> Any:
        raise RuntimeError("burst\x00")


def test_a_rule_that_raised_is_unknown_and_says_why() -> None:
    verdict = judge(SOUND.policy, replace(SOUND.record, metrics=Burst()))
    finding = next(f for f in verdict.findings if f.rule == "latency")
    assert (finding.mark, finding.reason) == (Mark.UNKNOWN, Reason.RULE_RAISED)
    assert finding.message == "the rule itself broke: RuntimeError: burst\\x00"
    assert verdict.decision is Decision.INCONCLUSIVE


def test_a_trial_rule_that_raised_is_shown_and_not_counted() -> None:
    trial = MetricRule("odd", Impact.K4, trial=True, metric="odd", limit=1.0)
    broken: Any = "no metric"
    record = replace(SOUND.record, metrics={**SOUND.record.metrics, "odd": broken})
    verdict = judge(Policy((*SOUND.policy.rules, trial)), record)
    assert (verdict.findings[-1].reason, verdict.findings[-1].trial) == (Reason.RULE_RAISED, True)
    assert verdict.decision is Decision.APPROVE


def test_a_record_that_cannot_be_read_is_unknown() -> None:
    verdict = judge(Policy((CrashRule("crash", Impact.K1),)), replace(SOUND.record, suites=Burst()))
    assert [f.reason for f in verdict.findings] == [Reason.RULE_RAISED] * 3
    assert verdict.decision is Decision.INCONCLUSIVE


def test_a_rule_of_no_known_kind_is_unknown() -> None:
    stranger: Any = CrashRule.__base__
    verdict = judge(Policy((*SOUND.policy.rules, stranger("odd", Impact.K1))), SOUND.record)
    assert verdict.findings[-1].reason is Reason.RULE_RAISED
    assert verdict.decision is Decision.INCONCLUSIVE


def test_an_empty_policy_is_not_said_to_have_trial_rules() -> None:
    finding = judge(Policy(), SOUND.record).findings[0]
    assert finding.message == "the policy has no rule that counts"


def test_no_finding_at_all_is_inconclusive() -> None:
    assert decision_of(()) is Decision.INCONCLUSIVE


MARKS = st.sampled_from(Mark)


@given(st.lists(st.tuples(MARKS, st.booleans())))
def test_the_decision_is_the_worst_of_what_counts(marks: list[tuple[Mark, bool]]) -> None:
    findings = [Finding("r", mark, Reason.HELD, "", Impact.K1, trial=trial) for mark, trial in marks]
    counted = [mark for mark, trial in marks if not trial]
    if Mark.FAIL in counted:
        expected = Decision.REFUSE
    elif Mark.UNKNOWN in counted or not counted:
        expected = Decision.INCONCLUSIVE
    else:
        expected = Decision.APPROVE
    assert decision_of(findings) is expected


# — properties over whole policies and records


def with_case(record: Record, suite: str, name: str, outcome: Outcome) -> Record:
    report = record.suites[suite]
    case = replace(report.cases[0], id=name, outcome=outcome)
    status = 1 if outcome in (Outcome.FAILED, Outcome.ERROR, Outcome.CRASHED) else report.exit_status
    changed = replace(report, cases=(*report.cases, case), collected=(*report.collected, name), exit_status=status)
    return replace(record, suites={**record.suites, suite: changed})


REQUIREMENTS = st.lists(st.sampled_from(["dose", "geometry", "clean-log", "slow"]), max_size=2, unique=True).map(tuple)


@st.composite
def reports(draw: st.DrawFn, name: str) -> SuiteReport:
    """A suite as it may come: mostly sound, so that approve is reached often enough to mean something."""
    outcome = st.sampled_from([Outcome.PASSED] * 12 + list(Outcome))
    count = draw(st.integers(0, 5))
    sound = SOUND.record.suites["technical"]
    cases = tuple(
        replace(sound.cases[0], id=f"c{at}", outcome=draw(outcome), requirements=draw(REQUIREMENTS))
        for at in range(count)
    )
    failed = any(case.outcome in (Outcome.FAILED, Outcome.ERROR, Outcome.CRASHED) for case in cases)
    status = draw(st.sampled_from([int(failed)] * 8 + [None, 2]))
    flaws = draw(st.sampled_from([()] * 8 + [("odd",)]))
    ids = tuple(case.id for case in cases)
    return SuiteReport(name, "sha256:5", ids, cases, status, draw(st.sampled_from([True] * 8 + [False])), flaws)


SAMPLES = st.lists(
    st.one_of(st.floats(1, 100), st.floats(1, 100), st.sampled_from([0.0, -1.0, float("nan"), float("inf")])),
    max_size=6,
).map(tuple)
METRICS = st.builds(Metric, st.just("m"), st.just("ms"), st.sampled_from(Direction), SAMPLES, SAMPLES)
DRIFT = st.builds(
    Difference,
    st.just("web"),
    st.sampled_from(["image", "command"]),
    st.just("a"),
    st.just("b"),
    st.sampled_from(Explanation),
    st.just(""),
)
COMPARISONS = st.builds(Comparison, st.integers(0, 20), st.lists(DRIFT, max_size=2).map(tuple))
CRASHES = st.just(()) | st.just((Crash("web", "w", 1.0, "exit 1"),))


@st.composite
def records(draw: st.DrawFn) -> Record:
    names = draw(st.lists(st.sampled_from(["technical", "functional"]), unique=True, max_size=2))
    return Record(
        {name: draw(reports(name)) for name in names},
        draw(st.dictionaries(st.just("m"), METRICS, max_size=1)),
        draw(st.none() | CRASHES),
        draw(st.none() | COMPARISONS),
        draw(st.sampled_from([()] * 8 + [("gone",)])),
    )


IMPACTS, TRIALS = st.sampled_from(Impact), st.sampled_from([False, False, False, True])
SUITES = st.sampled_from(["technical", "functional"])
LIMITS = st.none() | st.floats(1, 200)
RULES: st.SearchStrategy[AnyRule] = st.one_of(
    st.builds(CasesRule, st.just("cases"), IMPACTS, TRIALS, SUITES, REQUIREMENTS, st.integers(0, 3), st.integers(0, 2)),
    st.builds(CasesRule, st.just("rest"), IMPACTS, TRIALS, SUITES, st.just(()), st.integers(0, 3), st.integers(0, 2)),
    st.builds(
        MetricRule,
        st.just("metric"),
        IMPACTS,
        TRIALS,
        st.just("m"),
        st.sampled_from(Statistic),
        LIMITS,
        LIMITS,
        st.integers(0, 4),
    ),
    st.builds(CrashRule, st.just("crash"), IMPACTS, TRIALS),
    st.builds(DriftRule, st.just("drift"), IMPACTS, TRIALS, st.integers(0, 2), st.sampled_from([0.0, 0.5, 1.0])),
)
POLICIES = st.lists(RULES, max_size=6).map(tuple).map(Policy)


@given(POLICIES, records())
def test_an_approval_rests_on_a_counted_pass_and_on_nothing_else(policy: Policy, record: Record) -> None:
    verdict = judge(policy, record)
    counted = [finding for finding in verdict.findings if not finding.trial]
    if verdict.decision is Decision.APPROVE:
        assert counted
        assert all(finding.mark is Mark.PASS and finding.reason is Reason.HELD for finding in counted)
        assert any(report.count(Outcome.PASSED) for report in record.suites.values())
        assert not record.faults
        assert record.crashes is not None
        assert record.comparison is not None
    assert all((finding.reason is Reason.HELD) == (finding.mark is Mark.PASS) for finding in verdict.findings)
    assert all(finding.message.isprintable() for finding in verdict.findings)


@given(POLICIES, records(), RULES)
def test_adding_a_trial_rule_never_changes_the_decision(policy: Policy, record: Record, rule: AnyRule) -> None:
    before = judge(policy, record)
    after = judge(Policy((*policy.rules, replace(rule, trial=True))), record)
    assert after.decision is before.decision


@given(POLICIES, records(), RULES)
def test_adding_a_counted_rule_never_turns_a_refusal_away(policy: Policy, record: Record, rule: AnyRule) -> None:
    before = judge(policy, record)
    after = judge(Policy((*policy.rules, replace(rule, trial=False))), record)
    # A rule with requirements takes cases from the rule without any: then it is the one that refuses.
    if before.decision is Decision.REFUSE:
        assert after.decision is Decision.REFUSE


def poorer(record: Record) -> Iterator[tuple[str, Record]]:
    """Every record with one piece of evidence less."""
    yield "crashes", replace(record, crashes=None)
    yield "comparison", replace(record, comparison=None)
    yield "fields", replace(record, comparison=Comparison(0, ()))
    yield "fault", replace(record, faults=("gone",))
    for name, report in record.suites.items():
        rest = {other: kept for other, kept in record.suites.items() if other != name}
        yield f"suite {name}", replace(record, suites=rest)
        for what, changed in thinner(report):
            yield f"{name}: {what}", replace(record, suites={**rest, name: changed})
    for name, metric in record.metrics.items():
        if name != "unruled":
            rest_of = {other: kept for other, kept in record.metrics.items() if other != name}
            yield f"metric {name}", replace(record, metrics=rest_of)
            for gone in (replace(metric, candidate=()), replace(metric, baseline=())):
                yield f"{name}: {gone}", replace(record, metrics={**rest_of, name: gone})
            for at in range(len(metric.candidate)):
                holed = (*metric.candidate[:at], float("nan"), *metric.candidate[at + 1 :])
                yield f"{name}: {at}", replace(record, metrics={**rest_of, name: replace(metric, candidate=holed)})


def thinner(report: SuiteReport) -> Iterator[tuple[str, SuiteReport]]:
    yield "end", replace(report, ended=False)
    yield "status", replace(report, exit_status=None)
    yield "digest", replace(report, tree_digest="")
    yield "collected", replace(report, collected=())
    yield "cases", replace(report, cases=())
    for at, case in enumerate(report.cases):
        yield f"without {case.id}", replace(report, cases=report.cases[:at] + report.cases[at + 1 :])
        for outcome in set(Outcome) - {Outcome.PASSED}:
            changed = (*report.cases[:at], replace(case, outcome=outcome), *report.cases[at + 1 :])
            yield f"{case.id} {outcome}", replace(report, cases=changed)


def test_removing_any_piece_of_evidence_from_an_approving_record_never_approves() -> None:
    assert judge(SOUND.policy, SOUND.record).decision is Decision.APPROVE  # the control: it is that piece that lacks
    lesser = dict(poorer(SOUND.record))
    assert len(lesser) > 70
    assert [what for what, record in lesser.items() if judge(SOUND.policy, record).decision is Decision.APPROVE] == []


@settings(max_examples=60)
@given(st.data())
def test_removing_several_pieces_never_approves_either(data: st.DataObject) -> None:
    record = SOUND.record
    for _ in range(data.draw(st.integers(2, 4))):
        record = data.draw(st.sampled_from([lesser for _, lesser in poorer(record)]))
    assert judge(SOUND.policy, record).decision is not Decision.APPROVE


@given(POLICIES, records())
def test_the_same_evidence_gives_the_same_verdict(policy: Policy, record: Record) -> None:
    assert judge(policy, record) == judge(policy, record)


@pytest.mark.parametrize("least", [1, 2, 3])
def test_fewer_cases_than_the_platform_says_its_suite_has_are_no_pass(least: int) -> None:
    suite, report = next(iter(SOUND.record.suites.items()))
    ran = len(report.cases)
    for minimum, decision in ((ran, Decision.APPROVE), (ran + least, Decision.INCONCLUSIVE)):
        policy = replace(SOUND.policy, minimums={suite: minimum})
        assert judge(policy, SOUND.record).decision is decision


def test_a_suite_with_a_minimum_that_never_ran_is_no_pass() -> None:
    policy = replace(SOUND.policy, minimums={"absent": 1})
    assert judge(policy, SOUND.record).decision is Decision.INCONCLUSIVE
