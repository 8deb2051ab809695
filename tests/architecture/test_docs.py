"""What the documents say is held against the code that they speak of."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from otagate.cli.app import app
from otagate.demo.expected import HELLO, TREATMENT, Expectation

DOCS = Path(__file__).parents[2] / "docs"
CLINIC = DOCS.parent / "environments" / "treatment-platform"


def rows(page: Path) -> list[list[str]]:
    lines = page.read_text().splitlines()
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


@pytest.mark.parametrize(
    ("page", "builds", "others"),
    [(DOCS / "builds.md", HELLO, False), (CLINIC / "docs" / "builds.md", TREATMENT, True)],
    ids=["hello", "treatment-platform"],
)
def test_the_table_of_sample_builds_is_the_one_that_the_demo_holds_them_against(
    page: Path, builds: tuple[Expectation, ...], others: bool
) -> None:
    """`others`: the page has a column for the rules that fail with the one that a build is made for."""
    table = {row[0]: row[1:] for row in rows(page) if re.fullmatch(r"[\w-]+/[\w-]+:1\.[1-9]", row[0])}
    assert table == {
        e.image: [
            e.does,
            e.decision.value,
            e.rule or "–",
            e.reason or "–",
            *([", ".join(e.also) or "–"] if others else []),
            str(int(e.exit)),
            e.promotion.value if e.promotion else "–",
            str(int(e.promotion_exit)) if e.promotion_exit is not None else "–",
        ]
        for e in builds
    }
    assert others or not any(e.also for e in builds)


def typed(page: str) -> Iterator[str]:
    """The otagate commands in a page's code blocks, without what the page says of them."""
    blocks = (DOCS / page).read_text().split("\n```")[1::2]
    for line in (line for block in blocks for line in block.splitlines()):
        if line.startswith("otagate "):
            yield re.split(r"\s{2,}|\s+#|\s+>", line)[0]


@pytest.mark.parametrize("line", list(typed("your-platform.md")))
def test_a_command_of_the_guide_is_one_that_can_be_typed(line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words)


def test_the_guides_files_and_links_are_there() -> None:
    text = (DOCS / "your-platform.md").read_text()
    named = re.findall(r"`((?:services|suites|docs)/[\w./-]+)`", text)
    linked = re.findall(r"\]\(([\w./-]+\.md)\)", text)
    assert named
    assert linked
    assert [path for path in named if not (CLINIC / path).exists() and not (DOCS.parent / path).exists()] == []
    assert [path for path in linked if not (DOCS / path).exists()] == []
