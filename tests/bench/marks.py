"""A page's figures, written between its marks from what was measured and from nothing else."""

from collections.abc import Sequence
from pathlib import Path

BEGIN, END = "<!-- {name}: begin -->", "<!-- {name}: end -->"


def write_figures(page: Path, name: str, lines: Sequence[str]) -> None:
    """Put `lines` between the marks `name` of the page; ValueError if it has none."""
    text = page.read_text()
    begin, end = BEGIN.format(name=name), END.format(name=name)
    head, tail = text[: text.index(begin) + len(begin)], text[text.index(end) :]
    page.write_text("\n".join([head, "", *lines, "", tail]))
