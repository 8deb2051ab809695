"""Each block of problems/*.txt is one edit of the small platform (- before, + after) and all it must report (=)."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.config.platform_copies import original, problems_of, small_in


@dataclass(frozen=True)
class Edit:
    name: str
    file: str
    before: str
    after: str
    expected: tuple[str, ...]


def edits() -> list[Edit]:
    found = []
    for sheet in sorted((Path(__file__).parent / "problems").glob("*.txt")):
        for block in sheet.read_text().strip().split("\n\n"):
            title, *lines = block.split("\n")
            part = {mark: [line[1:] for line in lines if line[0] == mark] for mark in "-+="}
            before, after = "\n".join(part["-"]), "\n".join(part["+"])
            found.append(Edit(title.removeprefix("# "), sheet.stem, before, after, tuple(part["="])))
    return found


@pytest.mark.parametrize("edit", edits(), ids=lambda edit: f"{edit.file}: {edit.name}")
def test_one_fault_is_reported_once_where_it_stands(
    edit: Edit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = original(edit.file)
    assert edit.before in text
    folder = small_in(tmp_path, **{edit.file: text.replace(edit.before, edit.after, 1)})
    monkeypatch.chdir(folder)
    found = problems_of(folder)
    assert [str(problem) for problem in found] == list(edit.expected)
    assert all(problem.hint for problem in found)


def test_the_sheets_hold_what_they_are_thought_to_hold() -> None:
    names = [f"{edit.file}: {edit.name}" for edit in edits()]
    assert len(names) == len(set(names)) > 100
    assert all(edit.expected for edit in edits())
