"""What is told while work goes on where there is no terminal."""

import pytest

from otagate.cli.talk import Talk
from otagate.ports import Progress


def counted(done: int) -> Progress:
    return Progress("suite", "technical", "passed: a case", done, 75)


def test_a_long_step_is_told_now_and_then_and_at_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    now = [100.0]
    say = Talk(lambda: now[0])
    for done in range(76):
        say(counted(done))
        now[0] += 1.0
    say.close()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[3] for line in lines] == ["15/75", "30/75", "45/75", "60/75", "75/75"]
    assert lines[0] == "  15.0 s  suite        15/75 technical  passed: a case"


def test_a_step_that_counts_nothing_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    say = Talk(lambda: 0.0)
    say(Progress("drift", "", "comparing"))
    say.close()
    assert capsys.readouterr().err == "   0.0 s  drift        comparing\n"
