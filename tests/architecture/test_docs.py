"""What the documents say is held against the code that they speak of."""

import re
from pathlib import Path

from otagate.demo.expected import HELLO

DOCS = Path(__file__).parents[2] / "docs"


def rows(page: str) -> list[list[str]]:
    lines = (DOCS / page).read_text().splitlines()
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def test_the_table_of_sample_builds_is_the_one_that_the_demo_holds_them_against() -> None:
    table = {row[0]: row[1:] for row in rows("builds.md") if re.fullmatch(r"hello/web:1\.[1-9]", row[0])}
    assert table == {
        e.image: [
            e.does,
            e.decision.value,
            e.rule or "–",
            e.reason or "–",
            str(int(e.exit)),
            e.promotion.value if e.promotion else "–",
            str(int(e.promotion_exit)) if e.promotion_exit is not None else "–",
        ]
        for e in HELLO
    }
