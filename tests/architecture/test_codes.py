"""`docs/reasons.md` and `docs/exit-codes.md` say of each code what the code says of itself."""

import re
from pathlib import Path

import pytest

from otagate.core.errors import Exit
from otagate.core.judge import Mark, Reason, judge
from tests.core.judging import read_cases

DOCS = Path(__file__).parents[2] / "docs"


def table(name: str) -> list[list[str]]:
    rows = [line.strip("|").split("|") for line in (DOCS / name).read_text().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_every_reason_code_has_its_row_in_the_order_of_the_code() -> None:
    assert [row[0].strip("`") for row in table("reasons.md")] == [reason.value for reason in Reason]


@pytest.mark.parametrize("row", table("reasons.md"), ids=lambda row: row[0])
def test_each_row_says_what_it_means_who_acts_and_what_to_type(row: list[str]) -> None:
    code, mark, meaning, who, what = row
    assert mark in list(Mark)
    assert meaning.endswith(".")
    assert who
    assert re.search(r"`otagate [a-z]+", what), code


def test_the_marks_are_those_that_the_judge_gives() -> None:
    given: dict[str, set[Mark]] = {}
    for case in read_cases():
        for finding in judge(case.policy, case.record).findings:
            if finding.rule not in ("run", "policy"):
                given.setdefault(finding.reason, set()).add(finding.mark)
    told = {row[0].strip("`"): {Mark(row[1])} for row in table("reasons.md")}
    assert {reason: marks for reason, marks in given.items() if marks != told[reason]} == {}
    alone = {Reason.EMPTY_POLICY, Reason.CASE_UNCLAIMED, Reason.RUN_FAULT}  # never a rule's own
    assert set(given) == {reason.value for reason in Reason} - alone


def test_every_command_that_is_recommended_exists() -> None:
    from otagate.cli.app import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    known |= {group.name for group in app.registered_groups if group.name}
    told = set(re.findall(r"`otagate ([a-z]+)", "".join(row[4] for row in table("reasons.md"))))
    assert told <= known


def test_every_exit_code_has_its_row() -> None:
    assert [(int(row[0]), row[1]) for row in table("exit-codes.md")] == [(e.value, e.name.lower()) for e in Exit]
    assert all(row[2].endswith(".") and row[3] for row in table("exit-codes.md"))
