"""The runner of suites: hostile ones are given away by a flaw, honest ones are believed."""

import math
import platform
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otagate.core.errors import Refused
from otagate.core.suite import Outcome
from otagate.ports import Progress, SuiteResult
from tests.adapters.hostile_suites import GOOD_AND_BAD, HOSTILE, LINE, Hostile
from tests.adapters.local_suites import LocalSuites
from tests.suite_folders import suite_run, write

Try = Callable[..., SuiteResult]


def no_answer(what: str, args: Mapping[str, Any]) -> Any:
    raise Refused(f"no {what} of {args['service']} here")


@pytest.fixture
def attempt(tmp_path: Path) -> Try:
    def run(
        files: Mapping[str, str], answer: Any = no_answer, tell: Any = lambda _: None, **changes: Any
    ) -> SuiteResult:
        folder = write(tmp_path / "suites" / "technical", files)
        made = replace(suite_run(folder, tmp_path / "output.txt"), **changes)
        return LocalSuites().run(made, answer, tell)

    return run


def outcomes(result: SuiteResult) -> dict[str, str]:
    return {case.id.rpartition("::")[2]: case.outcome.value for case in result.report.cases}


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_a_suite_that_bends_its_own_account_is_given_away(hostile: Hostile, attempt: Try) -> None:
    report = attempt(hostile.files, deadline=hostile.deadline).report

    assert any(re.search(hostile.flaw, flaw) for flaw in report.flaws), report.flaws
    assert len(report.cases) == len(report.collected)


HONEST = {
    "conftest.py": "import pytest\n@pytest.fixture(autouse=True)\ndef ready(otagate): yield\n",
    "inner/test_kinds.py": """
import os, subprocess, sys, warnings
import pytest

@pytest.mark.requirement("dose", "geometry")
@pytest.mark.requirement("dose")
@pytest.mark.risk("r1")
def test_passed(): print("plain words")
def test_failed(): assert 1 == 2, "one is not two"
def test_raised(): raise ValueError("wrong")
@pytest.fixture
def broken(): raise OSError("no set-up")
def test_error(broken): pass
@pytest.fixture
def dirty():
    yield
    raise OSError("no tear-down")
def test_dirty(dirty): pass
def test_both(dirty): assert False, "the case itself"
@pytest.mark.skip(reason="not here")
def test_skipped(): pass
def test_skips_itself(): pytest.skip("not now")
@pytest.mark.xfail(reason="known")
def test_xfailed(): assert False
@pytest.mark.xfail
def test_xpassed(): pass
@pytest.mark.xfail(strict=True)
def test_xpassed_strict(): pass
def test_child_speaks_to_its_own_output():
    subprocess.run([sys.executable, "-c", "import sys; print(sys.stdin.read())"], check=True)
def test_fork():
    child = os.fork()
    if child == 0: os._exit(0)
    os.waitpid(child, 0)
def test_leaves_as_a_program_would(): sys.exit(0)
@pytest.mark.parametrize("name", ["a", "b"])
def test_many(name): pass
class TestKind:
    def test_method(self): pass
""",
}


def test_an_honest_suite_is_believed_case_by_case(attempt: Try) -> None:
    result = attempt(HONEST)

    assert result.report.flaws == ()
    assert result.report.ended
    assert result.report.exit_status == 1
    assert result.report.runner == f"pytest {pytest.__version__}, Python {platform.python_version()}"
    assert outcomes(result) == {
        "test_passed": "passed",
        "test_failed": "failed",
        "test_raised": "failed",
        "test_error": "error",
        "test_dirty": "error",
        "test_both": "failed",
        "test_skipped": "skipped",
        "test_skips_itself": "skipped",
        "test_xfailed": "xfailed",
        "test_xpassed": "xpassed",
        "test_xpassed_strict": "failed",
        "test_child_speaks_to_its_own_output": "passed",
        "test_fork": "passed",
        "test_leaves_as_a_program_would": "failed",
        "test_many[a]": "passed",
        "test_many[b]": "passed",
        "test_method": "passed",
    }


def test_a_case_keeps_its_marks_message_detail_and_times(attempt: Try) -> None:
    cases = {case.id: case for case in attempt(HONEST).report.cases}
    passed, failed = (cases[f"technical/inner/test_kinds.py::test_{name}"] for name in ("passed", "failed"))

    assert (passed.requirements, passed.risks, passed.message, passed.detail) == (("dose", "geometry"), ("r1",), "", "")
    assert failed.message.startswith("AssertionError: one is not two")
    assert "def test_failed" in failed.detail
    assert 1e9 < passed.started <= passed.ended <= failed.started
    assert cases["technical/inner/test_kinds.py::test_skips_itself"].message == "not now"
    assert cases["technical/inner/test_kinds.py::test_error"].message == "OSError: no set-up"


def test_progress_is_told_as_it_goes(attempt: Try) -> None:
    told: list[Progress] = []

    attempt({"test_a.py": GOOD_AND_BAD}, tell=told.append)

    assert told == [
        Progress("suite", "technical", "2 cases collected", 0, 2),
        Progress("suite", "technical", "passed: technical/test_a.py::test_good", 1, 2),
        Progress("suite", "technical", "failed: technical/test_a.py::test_bad", 2, 2),
    ]


def test_a_module_that_skips_itself_counts_as_a_skipped_case(attempt: Try) -> None:
    files = {"test_a.py": "import pytest\npytest.importorskip('nowhere_to_be_found')\ndef test_a(): pass\n"}
    result = attempt({**files, "test_b.py": "def test_b(): pass\n"})

    assert result.report.flaws == ()
    assert {case.id: case.outcome for case in result.report.cases} == {
        "technical/test_b.py::test_b": Outcome.PASSED,
        "technical/test_a.py": Outcome.SKIPPED,
    }


@pytest.mark.parametrize("name", ["pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml"])
def test_no_configuration_file_of_the_suite_is_read(name: str, attempt: Try) -> None:
    section = {"setup.cfg": "tool:pytest", "pyproject.toml": "tool.pytest.ini_options"}.get(name, "pytest")

    result = attempt({name: f'[{section}]\naddopts = "-k good"\n', "test_a.py": GOOD_AND_BAD})

    assert (result.report.flaws, outcomes(result)) == ((), {"test_good": "passed", "test_bad": "failed"})


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTEST_ADDOPTS": "-k good"},
        {"PYTEST_PLUGINS": "nowhere_to_be_found"},
        {"PYTHONOPTIMIZE": "2"},
        {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""},
        {"OTAGATE_STREAM": "0"},
    ],
    ids=str,
)
def test_the_environment_cannot_bend_the_count(environment: dict[str, str], attempt: Try) -> None:
    result = attempt({"test_a.py": GOOD_AND_BAD}, environment=environment)

    assert (result.report.flaws, outcomes(result)) == ((), {"test_good": "passed", "test_bad": "failed"})


def test_the_cases_that_the_deadline_cuts_off_are_missing_with_their_marks(attempt: Try) -> None:
    text = (
        "import pytest, time\ndef test_a(): pass\n"
        "@pytest.mark.requirement('dose')\ndef test_b(): time.sleep(60)\ndef test_c(): pass\n"
    )
    report = attempt({"test_a.py": text}, deadline=10.0).report

    a, b, c = report.cases
    assert (a.outcome, b.outcome, c.outcome) == (Outcome.PASSED, Outcome.MISSING, Outcome.MISSING)
    assert b.requirements == ("dose",)
    assert b.started > 0
    assert b.ended >= b.started
    assert (c.started, c.ended) == (0.0, 0.0)
    assert report.flaws == (
        "deadline of 10 s passed",
        "2 collected case(s) were never reported, technical/test_a.py::test_b first",
    )
    assert not report.ended
    assert report.seconds < 60


def test_names_and_messages_cannot_move_a_cursor_or_a_page(attempt: Try) -> None:
    text = (
        "import pytest\n"
        "@pytest.mark.requirement('\\x1b[2Jdose')\n"
        "@pytest.mark.parametrize('x', [1], ids=['\\x1b[2J::error::\\u202egnp'])\n"
        "def test_a(x): raise ValueError('\\x1b]0;title\\x07\\r\\n\\u202e<script>')\n"
    )
    (case,) = attempt({"test_a.py": text}).report.cases

    for shown in (case.id, case.message, case.detail.replace("\n", ""), *case.requirements):
        assert all(character.isprintable() for character in shown), shown


def test_a_long_message_keeps_its_beginning_and_its_end(attempt: Try) -> None:
    (case,) = attempt({"test_a.py": "def test_a(): raise ValueError('b' + 'x' * 10**6 + 'e')\n"}).report.cases

    assert len(case.message) < 1_000
    assert len(case.detail) < 30_000
    assert "characters left out" in case.detail


def test_metrics_come_in_pairs_and_not_finite_values_as_they_are(attempt: Try) -> None:
    text = """
import math
import platform
import pytest
def test_a(metric):
    latency = metric("latency", unit="ms", direction="lower")
    latency.add(candidate=1.5, baseline=2)
    latency.add(candidate=math.nan, baseline=math.inf)
    metric("latency", unit="ms", direction="lower").add(3)
    metric("share", unit="1", direction="higher").add(candidate=0.5)
    with pytest.raises(ValueError): metric("latency", unit="s", direction="lower")
    with pytest.raises(ValueError): metric("other", unit="s", direction="up")
    with pytest.raises((TypeError, ValueError)): latency.add(candidate="fast")
"""
    result = attempt({"test_a.py": text})

    assert (result.report.flaws, outcomes(result)) == ((), {"test_a": "passed"})
    latency = result.metrics["latency"]
    assert (latency.unit, latency.direction) == ("ms", "lower")
    assert latency.candidate[::2] == (1.5, 3.0)
    assert math.isnan(latency.candidate[1])
    assert latency.baseline == (2.0, math.inf)
    assert result.metrics["share"].candidate == (0.5,)


def test_what_fails_of_an_older_error_says_when_that_was(attempt: Try) -> None:
    """A session fixture's, met again, and one of a thread that ran ahead; an error of its own says nothing."""
    text = """
from concurrent.futures import ThreadPoolExecutor
import time
import pytest
def broken(gate):
    with gate.ahead():
        raise OSError("reset")
@pytest.fixture(scope="session")
def ahead(otagate):
    with ThreadPoolExecutor(1) as pool: return pool.submit(broken, otagate)
@pytest.fixture(scope="session")
def shared():
    time.sleep(0.05)
    raise OSError("refused")
def test_first(shared): pass
def test_before(ahead): time.sleep(0.05)
def test_again(shared): pass
def test_late(ahead): ahead.result()
def test_own(): assert False
"""
    result = attempt({"test_a.py": text})

    assert result.report.flaws == ()
    first, before, again, late, own = result.report.cases
    assert (first.outcome, first.since, own.since, before.since) == (Outcome.ERROR, None, None, None)
    assert again.since is not None
    assert late.since is not None
    assert first.started <= again.since[0] < again.since[1] <= first.ended < again.started
    assert before.started <= late.since[0] <= late.since[1] <= before.ended < late.started


def test_asks_are_answered_or_refused_and_a_refusal_fails_the_case(attempt: Try) -> None:
    asked: list[tuple[str, Mapping[str, Any]]] = []

    def answer(what: str, args: Mapping[str, Any]) -> Any:
        asked.append((what, args))
        return no_answer(what, args) if what == "kill" else "one\ntwo ü"

    text = """
def test_restart(otagate): otagate.restart("web", deadline=9)
def test_restart_late(otagate): otagate.restart("web", deadline=900)
def test_logs(otagate): assert otagate.logs("web") == "one\\ntwo ü"
def test_kill(otagate): otagate.kill("web")
"""
    result = attempt({"test_a.py": text}, answer=answer)

    assert result.report.flaws == ()
    assert outcomes(result) == {
        "test_restart": "passed",
        "test_restart_late": "passed",
        "test_logs": "passed",
        "test_kill": "failed",
    }
    assert result.report.cases[3].message == "otagate_plugin.line.GateError: kill: no kill of web here"
    assert [what for what, _ in asked] == ["restart", "restart", "logs", "kill"]
    assert asked[0][1] == {"service": "web", "deadline": 9}
    assert asked[1][1]["deadline"] <= 30.0, "no ask outlasts the suite's own deadline"


def test_an_ask_that_is_not_in_the_contract_never_reaches_the_gate(attempt: Try) -> None:
    asked: list[str] = []
    text = LINE + "def test_a(): line.ask('down', {'service': 'web'}, 0.2)\n"

    report = attempt({"test_a.py": text}, answer=lambda what, _: asked.append(what)).report

    assert asked == []
    assert "on the suite's line: a message of kind ask with an impossible what" in report.flaws


def test_the_fixture_says_which_variable_is_missing(attempt: Try) -> None:
    text = """
def test_host(otagate): otagate.candidate.host("web")
def test_build(otagate): otagate.baseline.build("dose-engine")
def test_door(otagate): otagate.door("dicom")
def test_secret(otagate): otagate.secret("store-password")
def test_production(otagate): otagate.production
"""
    cases = attempt({"test_a.py": text}).report.cases

    assert [case.outcome for case in cases] == [Outcome.FAILED] * 5
    for case, named in zip(
        cases,
        [
            "OTAGATE_CANDIDATE_WEB",
            "OTAGATE_BASELINE_DOSE_ENGINE_BUILD",
            "OTAGATE_DOOR_DICOM",
            "store-password",
            "OTAGATE_PRODUCTION",
        ],
        strict=True,
    ):
        assert named in case.message


def test_the_fixture_gives_what_the_environment_says(attempt: Try) -> None:
    text = """
def test_a(otagate):
    assert otagate.candidate.host("web") == "p-web"
    assert otagate.baseline.build("dose-engine") == "sha256:1"
    assert otagate.door("dicom") == ("switch", 8001)
    assert otagate.secret("store-password") == "s3cret"
    assert otagate.production == {"p-store": ["10.0.0.1"]}
    assert otagate.nonce == "n"
"""
    environment = {
        "OTAGATE_CANDIDATE_WEB": "p-web",
        "OTAGATE_BASELINE_DOSE_ENGINE_BUILD": "sha256:1",
        "OTAGATE_DOOR_DICOM": "switch:8001",
        "OTAGATE_PRODUCTION": '{"p-store": ["10.0.0.1"]}',
        "OTAGATE_NONCE": "n",
    }
    result = attempt({"test_a.py": text}, environment=environment, secrets={"store-password": b"s3cret"})

    assert (result.report.flaws, outcomes(result)) == ((), {"test_a": "passed"})


def test_no_case_can_read_the_token_from_its_environment(attempt: Try) -> None:
    text = LINE + (
        "def test_a():\n"
        "    assert line._token.encode() not in open('/proc/self/environ', 'rb').read()\n"
        "    assert 'OTAGATE_STREAM' not in os.environ\n"
    )
    assert outcomes(attempt({"test_a.py": text})) == {"test_a": "passed"}


def test_the_shared_conftest_beside_the_suite_is_used(attempt: Try, tmp_path: Path) -> None:
    write(tmp_path / "suites", {"conftest.py": "import pytest\n@pytest.fixture\ndef shared(): return 7\n"})

    assert outcomes(attempt({"test_a.py": "def test_a(shared): assert shared == 7\n"})) == {"test_a": "passed"}


def test_what_the_suite_prints_is_kept_in_a_file_for_the_owner_alone(attempt: Try, tmp_path: Path) -> None:
    attempt({"test_a.py": "def test_a():\n    print('\\x1b[31mred')\n    assert False\n"})

    output = tmp_path / "output.txt"
    assert "\\x1b[31mred" in output.read_text()
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
