"""Pictures from a real child pytest to its parent: what arrives, and what is refused and says so."""

from pathlib import Path

import pytest

from otagate.ports import SuiteResult
from tests.adapters.hostile_suites import LINE
from tests.adapters.local_suites import LocalSuites
from tests.pngs import png
from tests.suite_folders import suite_run, write


def attempt(folder: Path, text: str) -> SuiteResult:
    suite = write(folder / "suites" / "technical", {"test_a.py": text})
    return LocalSuites().run(suite_run(suite, folder / "output.txt"), lambda _what, _args: None, lambda _: None)


def test_a_picture_arrives_whole_with_the_case_that_attached_it(tmp_path: Path) -> None:
    text = f"""
import pytest
@pytest.fixture
def drawn(picture): picture("early", "From a fixture", {png(1)!r})
def test_a(picture, drawn): picture("dose", "Dose", {png(2)!r})
"""
    result = attempt(tmp_path, text)

    assert result.report.flaws == ()
    case = "technical/test_a.py::test_a"
    assert [(p.name, p.title, p.case) for p in result.report.pictures] == [
        ("early", "From a fixture", case),
        ("dose", "Dose", case),
    ]
    assert [result.contents[p.digest] for p in result.report.pictures] == [png(1), png(2)]


@pytest.mark.parametrize(
    ("call", "flaw"),
    [
        ("picture('p', 'P', b'<svg onload=alert(1)>')", "picture p is refused: it is not a PNG"),
        ("picture('p', 'P', PNG[:-4])", "picture p is refused: it is cut off"),
        ("picture('p', 'P', bytes(9 << 20))", "picture p is refused: its 9,437,184 bytes are more than 2,097,152"),
        ("picture('good', 'P', PNG)", "picture good is refused: there is one of that name already"),
        (
            "line.tell('picture', name='../p', title='P', size=len(PNG), content=CODED)",
            "picture ../p is refused: its name is not of small letters, digits and hyphens, 60 at most",
        ),
        (
            "line.tell('picture', name='p', title='P', size=1, content=CODED)",
            "picture p is refused: 68 of 1 bytes came",
        ),
        (
            "shout(json.dumps({'otagate': 1, 'token': 'guessed', 'number': 4, 'kind': 'picture', 'name': 'p',"
            " 'title': 'P', 'size': len(PNG), 'content': CODED}).encode() + b'\\n')",
            "on the suite's line: a message without the run's token",
        ),
        (
            "line.tell('picture', title='P', media='image/svg+xml', content=CODED)",
            "on the suite's line: a message of kind picture with other fields than agreed",
        ),
    ],
    ids=["no-png", "truncated", "large", "name-twice", "name-leads-out", "size-lied", "forged-token", "other-fields"],
)
def test_a_picture_that_is_refused_is_a_flaw_and_nothing_of_it_is_kept(tmp_path: Path, call: str, flaw: str) -> None:
    text = LINE + f"import base64, json\nPNG = {png()!r}\nCODED = base64.b64encode(PNG).decode()\n"
    text += f"def test_a(picture):\n    picture('good', 'Good', PNG)\n    {call}\n"
    result = attempt(tmp_path, text)

    assert flaw in result.report.flaws
    assert [picture.name for picture in result.report.pictures] == ["good"]
    assert list(result.contents.values()) == [png()]
