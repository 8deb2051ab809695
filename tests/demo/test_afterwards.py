"""What was acknowledged must be there: at the archive, and at the machine exactly once."""

from pathlib import Path

import pytest

from otagate.demo.account import After, Request, account
from otagate.demo.afterwards import RT_PLAN, clinic, compare
from otagate.demo.command import Surprise
from otagate.demo.production import Production

CT = "1.2.840.10008.5.1.4.1.1.2"
HELD = {"1.1": {"1.1.1": CT, "1.1.2": CT, "1.1.9": RT_PLAN}}
TAKEN = [{"uid": "1.1.9", "times": 1}, {"uid": "1.7.9", "times": 1}]


def counted(*plans: str, stores: tuple[str, ...] = ("1.1/1.1.1", "1.1/1.1.2")) -> After:
    log = [Request("store", 1, 2, "0x0000", "blue", "ab", what) for what in stores]
    log += [Request("plan", 1, 2, "200", "blue", "ab", plan) for plan in plans]
    return compare(account(log, [], "blue", "ab"), HELD, TAKEN)


def test_all_is_where_it_should_be() -> None:
    assert counted("1.1.9") == After(missing=0, astray=0, unplanned=0)


def test_an_instance_that_the_archive_has_not_is_missing() -> None:
    assert counted(stores=("1.1/1.1.1", "1.1/1.1.3")).missing == 1


def test_a_study_that_the_archive_has_not_is_missing_whole_and_unplanned() -> None:
    assert counted(stores=("1.2/1.2.1", "1.2/1.2.2")) == After(missing=2, astray=0, unplanned=1)


def test_a_plan_that_the_machine_has_not_is_astray() -> None:
    assert counted("1.1.8").astray == 1


def test_a_plan_that_came_twice_or_was_acknowledged_twice_is_astray() -> None:
    log = [Request("plan", 1, 2, "200", "blue", "ab", "1.1.9")]
    twice = compare(account(log, [], "blue", "ab"), HELD, [{"uid": "1.1.9", "times": 2}])
    assert twice.astray == 1
    assert counted("1.1.9", "1.1.9").astray == 1


def test_a_study_whose_plan_never_came_to_the_machine_has_none() -> None:
    log = [Request("store", 1, 2, "0x0000", "blue", "ab", "1.1/1.1.1")]
    assert compare(account(log, [], "blue", "ab"), HELD, []) == After(missing=0, astray=0, unplanned=1)


class Unreachable(Production):
    """Its archive's door is closed."""

    def secret(self, name: str) -> str:
        return name


def test_an_archive_that_cannot_be_asked_is_a_surprise_and_no_proof(tmp_path: Path) -> None:
    production = Unreachable("p", tmp_path, {"vna-web": {"address": "127.0.0.1:9"}}, {"linac": "127.0.0.1:9"})
    log = [Request("store", 1, 2, "0x0000", "blue", "ab", "1.1/1.1.1")]
    with pytest.raises(Surprise, match="could not be asked for"):
        clinic(account(log, [], "blue", "ab"), production)
