"""A summary for a pull request or a CI job: what decided first, bounded in size, with names that cannot inject."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from otagate.core.flips import flips
from otagate.core.judge import Mark
from otagate.core.mirror import Difference
from otagate.core.record import PromotionRecord
from otagate.core.suite import Case, Outcome
from otagate.core.text import printable
from otagate.ports import StoredRun
from otagate.report.shadows import shadows
from otagate.report.turned import flip_report
from otagate.report.words import (
    KINDS,
    OUTCOME_MARKS,
    VERDICT_MARKS,
    VERDICTS,
    because,
    called,
    decisive_first,
    headline,
    last,
    lead,
    limit,
    moment,
    next_step,
    size,
    tested,
)

LARGEST = 64 * 1024  # bytes
_SIGNS = {Mark.PASS: "✅", Mark.FAIL: "❌", Mark.UNKNOWN: "❔"}
_WORDS = {Mark.PASS: "held", Mark.FAIL: "failed", Mark.UNKNOWN: "unknown"}

# What begins markup anywhere in a line is escaped. What does so only where a line begins (#, -, +, =, 1.) need not
# be: text from outside never stands there.
_LIVE = re.compile(r"[\\`*_{}\[\]<>|~&$]")
# Mentions and addresses are made into links after that, from the text itself: a space of no width parts them.
_LINKED = re.compile(r"@|:(?=//)|www\.", re.IGNORECASE)


def summary(run: StoredRun, promotions: Sequence[PromotionRecord] = ()) -> str:
    """The summary in at most 64 KiB of UTF-8; what does not fit is counted."""
    blocks = [_verdict(run, last(promotions)), _rules(run), *(_promotion(record) for record in promotions)]
    cases = [case for report in run.record.suites.values() for case in report.cases]
    blocks.append(_listed("Cases that did not pass", [_case(c) for c in cases if c.outcome is not Outcome.PASSED], 25))
    drift = run.record.comparison.drift if run.record.comparison else ()
    blocks.append(_listed("Unexplained differences", [_difference(d) for d in drift], 25))
    blocks.append(_names(run))
    return _bounded(block for block in blocks if block)


def plain(text: str, limit: int = 160) -> str:
    """Text that stays text, on one line."""
    return _LINKED.sub(lambda found: f"{found[0]}\u200b", _LIVE.sub(r"\\\g<0>", printable(text, limit)))


def _verdict(run: StoredRun, promotion: PromotionRecord | None) -> str:
    decisive, first = headline(run), lead(run, promotion)
    lines = [
        f"## {_SIGNS[first.mark]} {first.word}: {plain(run.header.platform)}",
        "",
        f"**Because** {plain(first.because, 600)}",
    ]
    if promotion:
        verdict = f"{_SIGNS[VERDICT_MARKS[run.verdict.decision]]} {VERDICTS[run.verdict.decision]}"
        lines += ["", f"Verdict before it: {verdict}, {plain(because(run), 600)}"]
    if decisive:
        lines += ["", f"**{decisive.impact}**: {decisive.impact.meaning}."]
    for build, base in tested(run):
        against = f", against {plain(called(base, 'what is live'))} (`{_code(base.short)}`)" if base else ""
        lines += ["", f"Build {plain(called(build, 'known by its digest'))} (`{_code(build.short)}`){against}."]
    return "\n".join([*lines, "", f"Next: `{_code(next_step(run, promotion))}`"])


def _rules(run: StoredRun) -> str:
    rows = [
        f"| {_SIGNS[f.mark]} {_WORDS[f.mark]} | {plain(f.rule, 60)}{' (trial)' if f.trial else ''} | {f.impact} "
        f"| {plain(f.message, 300)} | {plain(size(f.measured, f.unit))} | {plain(limit(f, run))} |"
        for f in decisive_first(run.verdict.findings)
    ]
    left = len(rows) - 60
    table = ["| | rule | impact | why | measured | limit |", "|---|---|---|---|---:|---:|", *rows[:60]]
    return "\n".join([*table, *(["", f"and {left} more"] if left > 0 else [])])


def _promotion(promotion: PromotionRecord) -> str:
    view = promotion.view
    lines = [f"### {KINDS[view.intent.kind]} to {view.intent.to}: {view.end}", ""]
    lines += [f"- reason: {plain(view.reason, 300)}"] if view.reason else []
    lines += [f"- {plain(name, 60)}: {plain(_figure(value), 60)}" for name, value in promotion.figures.items()]
    lines += [line for flip in flips(promotion.events) for line in _flip(flip_report(flip))]
    lines += [line for told in shadows(promotion.events) for line in _shadow(told)]
    return "\n".join([*lines, *(f"- left undone: {plain(debt, 300)}" for debt in view.debts)])


def _flip(told: Mapping[str, Any]) -> list[str]:
    times = ", ".join(f"{name} {at}" for name, at in told["times"])
    figures = ", ".join(f"{name}: {value}" for name, value in told["figures"].items())
    return [f"- flip from {plain(told['came'], 20)} to {plain(told['to'], 20)}: {times}", f"- {figures}"]


def _shadow(told: Mapping[str, Any]) -> list[str]:
    figures = ", ".join(f"{title}: {value}" for title, value in told["figures"].items())
    weight = "" if told["refuses"] else " (shown, refuses nothing)"
    first = f"- shadow of {plain(told['listener'], 60)}: {plain(told['told'], 20)}{weight}; {figures}"
    return [first, *(f"  - {plain(' '.join(row), 200)}" for row in told["rows"][:20])]


def _figure(value: float | str) -> str:
    return value if isinstance(value, str) else size(value, "")


def _case(case: Case) -> str:
    told = f": {plain(case.message, 200)}" if case.message else ""
    return f"- {_SIGNS[OUTCOME_MARKS[case.outcome]]} {case.outcome} {plain(case.id)}{told}"


def _difference(difference: Difference) -> str:
    was, now = (plain(value or "absent", 60) for value in (difference.production, difference.mirror))
    return f"- {plain(difference.service, 60)} {plain(difference.field, 80)}: {was} in production, {now} in the mirror"


def _listed(title: str, lines: Sequence[str], most: int) -> str:
    if not lines:
        return ""
    more = [f"- and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join([f"### {title}", "", *lines[:most], *more])


def _names(run: StoredRun) -> str:
    header = run.header
    when = f"{moment(run.ended)}, stands until {moment(run.expires)}"
    names = f"Release `{_code(header.release)}`, policy `{_code(header.policy_digest)}`."
    lifts = f"\nIt lifts the refusal of this very release by run `{_code(run.lifts)}`." if run.lifts else ""
    return f"Run `{_code(header.run)}` by {plain(header.by)}, {when}.\n{names}{lifts}"


def _code(text: str) -> str:
    """For a code span, in which nothing but a backtick is alive."""
    return printable(text, 160).replace("`", "'")


def _bounded(blocks: Iterable[str]) -> str:
    """As many whole lines as fit: the decisive ones come first, so what is lost weighs least."""
    lines = "\n\n".join(blocks).split("\n")
    room = LARGEST - 200
    kept = 0
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept += 1
    left = len(lines) - kept
    return "\n".join([*lines[:kept], *(["", f"and {left} more lines in the run’s record"] if left else [])]) + "\n"
