"""What is measured goes between a page's marks, and nothing else of the page moves."""

from pathlib import Path

import pytest

from tests.bench.marks import write_figures

PAGE = "before\n\n<!-- a: begin -->\n\nold\n\n<!-- a: end -->\n\nafter\n"


def test_only_what_stands_between_the_marks_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    write_figures(page, "a", ["| new |", "|---|"])
    assert page.read_text() == PAGE.replace("old", "| new |\n|---|")


def test_a_page_without_the_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    with pytest.raises(ValueError, match="substring"):
        write_figures(page, "b", ["lost"])
    assert page.read_text() == PAGE
