"""The summary as a Markdown reader takes it: what it says first, and that no name in it becomes anything but text."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from otagate.core.build import Build
from otagate.core.promotion import Phase
from otagate.core.record import PromotionRecord, Record
from otagate.core.suite import Outcome
from otagate.ports import StoredRun
from otagate.report.markdown import LARGEST, plain, summary
from tests.core.test_flips import FORWARD
from tests.samples import HOSTILE, START, case, promotion, record, stored, suite

EVIL = [
    "<img src=x onerror=alert(1)>",
    "[click](https://evil.example)",
    "![pixel](https://evil.example/p.png)",
    "https://evil.example www.evil.example",
    "| a | b |",
    "`code` **bold** _soft_ ~~gone~~ $x$",
    "\n# heading\n- item\n::error::x",
    "%0A::error::x",
    "&lt;script&gt; &#60;",
    "\\",
    "trailing \\|",
    "@everyone",
    "--- === +++",
    "\x1b[31m\x00\u202e",
    HOSTILE,
]


def kinds(text: str) -> set[str]:
    """Every kind of markup that a reader would see in `text`."""
    reader = MarkdownIt("gfm-like", {"linkify": False, "html": True})
    found: set[str] = set()
    for token in reader.parse(text):
        found.add(token.type)
        found |= {child.type for child in token.children or []}
    return found


def shown(text: str) -> str:
    reader = MarkdownIt("gfm-like", {"linkify": False, "html": True})
    return "".join(child.content for token in reader.parse(text) for child in token.children or [])


def test_what_decided_comes_first() -> None:
    lines = [line for line in summary(stored()).splitlines() if line]
    assert lines[0] == "## ❌ Refused: hello"
    assert lines[1] == (
        "**Because** dose: 1 of 2 cases failed: test\\_maximum. "
        "First: test\\_maximum: assert 2.06 == 2.0 ± 0.01 (and 2 more rules)"
    )
    assert lines[2] == "**K0**: a wrong treatment is possible and may go unseen."
    rows = [line.split("|")[2].strip() for line in lines if line.startswith(("| ❌", "| ❔", "| ✅"))]
    assert rows == ["dose", "crash", "drift", "technical", "latency", "privacy", "memory (trial)"]


def test_a_promotion_is_told_with_its_figures() -> None:
    told = PromotionRecord(promotion(), (), {"requests": 20480, "lost": 0})
    text = summary(stored(), (told,))
    assert "### Promotion to green: rolled-back" in text
    assert "- requests: 20,480" in text
    assert "Next: `otagate status`" in text
    assert "Next: `otagate status`" in summary(stored(), (PromotionRecord(promotion(Phase.WATCHING)),)), "it goes on"
    assert "Next: `otagate recover`" in summary(stored(), (PromotionRecord(promotion(Phase.STRANDED)),))


def test_a_rolled_back_promotion_leads_and_its_flips_are_told() -> None:
    lines = [line for line in summary(stored(), (PromotionRecord(promotion(), tuple(FORWARD)),)).splitlines() if line]
    assert lines[0] == "## ❌ Rolled back: hello"
    assert lines[2].startswith("Verdict before it: ❌ Refused, dose: 1 of 2 cases failed")
    assert "- failed: 0, sent to the old colour after the turn: 0, sessions cut: 0" in lines
    assert any(line.startswith("- flip from blue to green: intent ") for line in lines)


def test_a_run_without_evidence_says_so() -> None:
    assert "## ❔ Inconclusive: hello" in summary(stored(content=Record({}, {}, None, None)))


@pytest.mark.parametrize("evil", EVIL)
def test_no_name_becomes_markup(evil: str) -> None:
    honest = kinds(summary(told_by("name")))
    assert kinds(summary(told_by(evil))) <= honest
    assert "html_inline" not in honest


@pytest.mark.parametrize("evil", EVIL[:-2])
def test_what_is_shown_is_the_name_itself(evil: str) -> None:
    text = shown(f"x {plain(evil)}").replace("\u200b", "")
    assert text == "x " + evil.replace("\n", " ")


@given(st.text(max_size=60))
def test_any_text_stays_text_also_in_a_table(text: str) -> None:
    escaped = plain(text)
    assert kinds(f"x {escaped} x") <= {"paragraph_open", "inline", "text", "paragraph_close", "text_special"}
    table = f"| a | b |\n|---|---|\n| x {escaped} x | y |\n"
    reader = MarkdownIt("gfm-like", {"linkify": False, "html": True})
    cells = [token.type for token in reader.parse(table)].count("td_open")
    assert cells == 2


def told_by(name: str) -> StoredRun:
    run = stored()
    suites = {name: suite(name, replace(case("technical", START, "t", Outcome.FAILED), id=name, message=name))}
    findings = tuple(replace(f, rule=name, message=name, unit=name, subject=name) for f in run.verdict.findings)
    header = replace(
        run.header, run="r", platform=name, by=name, builds=(Build("web", name, "sha256:" + "a" * 64),), baseline=()
    )
    content = replace(run.record, suites=suites)
    return replace(run, header=header, record=content, verdict=replace(run.verdict, findings=findings))


def test_mentions_and_addresses_are_parted() -> None:
    text = summary(told_by("@everyone https://evil.example www.evil.example"))
    assert "@everyone" not in text
    assert "https://" not in text
    assert "www.evil" not in text


def test_no_line_begins_with_a_workflow_command() -> None:
    for evil in EVIL:
        assert not [line for line in summary(told_by(evil)).splitlines() if line.lstrip().startswith("::")]


def test_many_failures_stay_within_the_limit_and_are_counted() -> None:
    failed = [replace(case("technical", START, f"test_{n}", Outcome.FAILED), message="é" * 300) for n in range(2000)]
    content = replace(record(), suites={"technical": suite("technical", *failed)})
    text = summary(stored(content=content))
    assert len(text.encode()) <= LARGEST
    assert "- and 1975 more" in text


def test_many_long_findings_stay_within_the_limit_and_the_decisive_ones_stay() -> None:
    run = stored()
    findings = tuple(
        replace(finding, rule=f"{finding.rule}-{n}", message="é" * 2000)
        for n in range(200)
        for finding in run.verdict.findings
    )
    text = summary(replace(run, verdict=replace(run.verdict, findings=findings)))
    assert len(text.encode()) <= LARGEST
    assert "dose-0" in text
    assert "more" in text
