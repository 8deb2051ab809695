"""Suites that try to look better than they are, each with the flaw that must give it away (as a regular expression)."""

from dataclasses import dataclass

GOOD_AND_BAD = "def test_good(): pass\ndef test_bad(): assert False\n"
# How a case finds the descriptor on which the plugin speaks.
LINE = """
import os, otagate_plugin
line = otagate_plugin._run.line
def shout(data):
    os.write(line._out, data)
"""


@dataclass(frozen=True)
class Hostile:
    name: str
    files: dict[str, str]
    flaw: str
    deadline: float = 30.0


def conftest(name: str, text: str, flaw: str, cases: str = GOOD_AND_BAD) -> Hostile:
    return Hostile(name, {"conftest.py": text, "test_a.py": cases}, flaw)


def cases(name: str, text: str, flaw: str, deadline: float = 30.0) -> Hostile:
    return Hostile(name, {"test_a.py": text}, flaw, deadline)


HOSTILE = (
    cases(
        "it leaves with status 0 in the middle",
        "import os\ndef test_good(): pass\ndef test_leave(): os._exit(0)\ndef test_bad(): assert False\n",
        r"^no end marker: the run ended with 0 in the middle, in technical/test_a.py::test_leave$",
    ),
    cases("it leaves while it is imported", "import os\nos._exit(0)\n", r"^no end marker: the run ended with 0"),
    cases(
        "it kills the reporter",
        "import os, signal\ndef test_kill(): os.kill(os.getpid(), signal.SIGKILL)\n",
        r"^no end marker: the run ended with -9",
    ),
    cases(
        "it breaks off politely",
        "import pytest\ndef test_a(): pytest.exit('enough', returncode=0)\n",
        r"never reported",
    ),
    cases(
        "it forges a line without the token",
        LINE + 'def test_a(): shout(b\'{"otagate":1,"token":"x","number":3,"kind":"end"}\\n\')\n',
        r"^on the suite's line: a message without the run's token$",
    ),
    cases(
        "it writes noise on the line",
        LINE + "def test_a(): shout(b'passed!\\n')\n",
        r"^on the suite's line: a line that is",
    ),
    cases(
        "it knows the token and reports itself passed",
        LINE + "def test_a():\n"
        "    me = 'technical/test_a.py::test_a'\n"
        "    line.tell('case', id=me, outcome='passed', started=otagate_plugin._run.started, ended=9e9, message='',"
        " detail='', since=None)\n"
        "    assert False\n",
        r"test_a was reported twice|reported without having been started",
    ),
    cases(
        "it knows the token and ends the run early",
        LINE + "def test_a():\n"
        "    line.tell('end', collected=1, counts={'passed': 1}, status=0, meddling=[])\n"
        "    assert False\n",
        r"after the end marker$",
    ),
    cases(
        "it forges a line without its number",
        LINE + "def test_a():\n    line._number = 0\n",
        r"^message 0 came where number 3 was due$",
    ),
    cases(
        "it speaks of cases that nobody collected",
        LINE + "def test_a(): line.tell('start', id='technical/test_b.py::test_b', at=1.0)\n",
        r"test_b started but was never collected$",
    ),
    cases(
        "it prints a line of our own form",
        'def test_a(): print(\'{"otagate":1,"token":"","number":4,"kind":"end"}\')\n',
        r"printed a line of the gate's own form$",
    ),
    cases(
        "it writes a line of our own form to descriptor 1",
        'import os\ndef test_a(capfd):\n    with capfd.disabled(): os.write(1, b\'{"otagate":1,"kind":"end"}\\n\')\n',
        r"^a line of the gate's own form on the error stream$",
    ),
    cases(
        "it prints without end",
        "import os\ndef test_a(capfd):\n    with capfd.disabled():\n        while True: os.write(2, b'x' * 65536)\n",
        r"^the suite printed more than 16 MiB$",
    ),
    cases(
        "its line has no end",
        LINE + "def test_a():\n    while True: shout(b'x' * 65536)\n",
        r"^a line of the suite is longer than 8 MiB$",
    ),
    cases("it does not end", "import time\ndef test_a(): time.sleep(60)\n", r"^deadline of 2 s passed$", deadline=2.0),
    cases(
        "it closes the line",
        "import os\ndef test_a(): os.closerange(3, 64)\ndef test_bad(): assert False\n",
        r"^no end marker|never reported",
    ),
    cases(
        "it takes the plugin out",
        "def test_a(request):\n"
        "    manager = request.config.pluginmanager\n"
        "    manager.unregister(manager.get_plugin('otagate_plugin'))\n"
        "def test_bad(): assert False\n",
        r"^no end marker",
    ),
    cases("nothing is in it", "import os\n", r"^no case was collected$"),
    cases("it cannot be read", "def test_a(:\n", r"^technical/test_a.py broke .*: SyntaxError: "),
    Hostile(
        "a part of it cannot be imported",
        {"test_a.py": "def test_a(): pass\n", "test_b.py": "import nowhere_to_be_found\n"},
        r"^technical/test_b.py broke before its cases could be counted: ModuleNotFoundError: .*nowhere_to_be_found",
    ),
    conftest(
        "its conftest cannot be imported",
        "import nowhere_to_be_found\n",
        r"conftest.py broke before its cases could be counted: ModuleNotFoundError: .*nowhere_to_be_found",
    ),
    conftest(
        "its conftest leaves with status 0", "import os\nos._exit(0)\n", r"^pytest ended with 0 before its session"
    ),
    conftest(
        "it leaves out what fails",
        "def pytest_collection_modifyitems(items): items[:] = [i for i in items if 'bad' not in i.name]\n",
        r"^1 case\(s\) were found and then left out, technical/test_a.py::test_bad first$",
    ),
    conftest(
        "it sets a keyword",
        "def pytest_configure(config): config.option.keyword = 'good'\n",
        r"^1 case\(s\) were found and then left out",
    ),
    conftest(
        "it counts one case twice",
        "def pytest_collection_modifyitems(items): items[:] = [items[0], items[0]]\n",
        r"test_good was collected twice$",
    ),
    conftest(
        "it stops at the first failure",
        "def pytest_configure(config): config.option.maxfail = 1\n",
        r"^1 collected case\(s\) were never reported, technical/test_a.py::test_last first$",
        GOOD_AND_BAD + "def test_last(): pass\n",
    ),
    conftest(
        "it only collects",
        "def pytest_configure(config): config.option.collectonly = True\n",
        r"^2 collected case\(s\) were never reported",
    ),
    conftest(
        "it turns failed into passed",
        "import pytest\n"
        "@pytest.hookimpl(hookwrapper=True)\n"
        "def pytest_runtest_makereport():\n"
        "    outcome = yield\n"
        "    outcome.get_result().outcome = 'passed'\n",
        r"test_bad is reported as passed though it raised$",
    ),
    conftest(
        "it does not call its cases",
        "def pytest_pyfunc_call(): return True\n",
        r"conftest.py implements pytest_pyfunc_call$",
    ),
    conftest(
        "it runs no protocol",
        "def pytest_runtest_protocol(): return True\n",
        r"^2 collected case\(s\) were never reported",
    ),
    conftest(
        "it changes reports before we see them",
        "import pytest\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_runtest_logreport(report): report.outcome = 'passed'\n",
        r"implements pytest_runtest_logreport$",
    ),
    conftest(
        "it changes the exit status",
        "def pytest_sessionfinish(session): session.exitstatus = 0\n",
        r"^pytest ended with 0 but told 1$",
    ),
    Hostile(
        "it brings a plugin of its own",
        {
            "conftest.py": "import sys\nsys.path.insert(0, __file__[:-12])\npytest_plugins = ['meddler']\n",
            "meddler.py": "def pytest_runtestloop(): return True\n",
            "test_a.py": GOOD_AND_BAD,
        },
        r"meddler.py implements pytest_runtestloop$",
    ),
)
