"""The page: one file that asks nothing of the network and runs no script, the verdict and its reason first."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from otagate.core.flips import flips
from otagate.core.impact import Impact
from otagate.core.judge import Mark
from otagate.core.metric import Metric, quantile, usable
from otagate.core.mirror import Comparison, Difference, Explanation
from otagate.core.picture import Picture
from otagate.core.record import PromotionRecord, Record
from otagate.core.suite import Case, Outcome
from otagate.core.text import counted, printable, printable_lines
from otagate.core.traffic import Happening
from otagate.ports import StoredRun
from otagate.report import words
from otagate.report.measured import bounds_of, metric_picture
from otagate.report.pairs import pairs_picture
from otagate.report.shadows import shadows
from otagate.report.timeline import suites_picture
from otagate.report.turned import flip_report

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_ROWS = 500
_MOST_TOLD = 100  # cases whose whole story is on the page

SIGNS = {Mark.PASS: "✓", Mark.FAIL: "✕", Mark.UNKNOWN: "?"}


def page(
    run: StoredRun,
    promotions: Sequence[PromotionRecord] = (),
    pictures: Mapping[str, bytes] = MappingProxyType({}),
) -> str:
    """The whole page as text; `pictures`: what the suites' pictures hold, by digest."""
    told = {"promotions": [promoted(record) for record in promotions]}
    return rendered("page.html.j2", _view(run, words.last(promotions), pictures) | told)


def rendered(template: str, view: Mapping[str, Any]) -> str:
    """A page of ours, with its style in it, from a template and what it shows."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_cleaned,
    )
    environment.filters |= {
        "name": lambda text: printable(str(text), 160),
        "moment": words.moment,
        "span": words.span,
        "size": words.size,
        "counted": counted,
    }
    style = Markup((_TEMPLATES / "style.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file
    return environment.get_template(template).render(view, style=style)


def _cleaned(value: Any) -> Any:
    """Every text on the page, whoever wrote it, without characters that hide or reorder what is read."""
    return printable_lines(value, 8_000) if isinstance(value, str) and not isinstance(value, Markup) else value


def _view(run: StoredRun, last: PromotionRecord | None, pictures: Mapping[str, bytes]) -> dict[str, Any]:
    record, verdict = run.record, run.verdict
    return {
        "run": run,
        "header": run.header,
        "lead": words.lead(run, last),
        "word": words.VERDICTS[verdict.decision],
        "mark_of": words.VERDICT_MARKS[verdict.decision].value,
        "signs": {mark.value: sign for mark, sign in SIGNS.items()},
        "because": words.because(run),
        "headline": words.headline(run),
        "next_step": words.next_step(run, last),
        "tested": words.tested(run),
        "called": words.called,
        "findings": [(finding, words.limit(finding, run)) for finding in words.decisive_first(verdict.findings)],
        "impacts": Impact,
        "metrics": [measured(metric, run) for metric in record.metrics.values()],
        "suites": record.suites,
        "timeline": suites_picture(record.suites, record.crashes or ()),
        **_cases(record),
        "outcome_marks": words.OUTCOME_MARKS,
        "took": _took,
        "passed": lambda report: report.count(Outcome.PASSED),
        "crashes": record.crashes,
        "comparison": record.comparison,
        "differences": _differences(record.comparison),
        "galleries": gallery(run, pictures),
    }


def _cases(record: Record) -> dict[str, Any]:
    cases = [case for report in record.suites.values() for case in report.cases]
    troubled = [case for case in cases if case.outcome is not Outcome.PASSED]
    return {
        "troubled": troubled[:_MOST_TOLD],
        "troubled_left": max(len(troubled) - _MOST_TOLD, 0),
        "cases": cases[:_MOST_ROWS],
        "cases_left": max(len(cases) - _MOST_ROWS, 0),
    }


def _took(case: Case) -> str:
    return words.span(case.ended - case.started)


def measured(metric: Metric, run: StoredRun) -> Mapping[str, Any]:
    """A metric as a page shows it: its picture, its statistics, and what rules found in it."""
    sides = (("candidate", metric.candidate), ("baseline", metric.baseline))
    findings = [finding for finding in run.verdict.findings if finding.subject == metric.name]
    return {
        "metric": metric,
        "picture": metric_picture(metric, bounds_of(metric.name, findings)),
        "pairs": pairs_picture(metric, bounds_of(metric.name, findings)),
        "sides": [(side, _statistics(samples)) for side, samples in sides if samples],
        "findings": findings,
    }


def _statistics(samples: Sequence[float]) -> Mapping[str, float | int | None]:
    kept = [sample for sample in samples if usable(sample)]
    shares = {"min": 0.0, "p50": 0.5, "p95": 0.95, "max": 1.0}
    values = {name: quantile(kept, share) if kept else None for name, share in shares.items()}
    return {"count": len(kept), "odd": len(samples) - len(kept), **values}


def _differences(comparison: Comparison | None) -> Sequence[tuple[str, Sequence[Difference]]]:
    """What is unexplained in the open, what is explained folded away."""
    if comparison is None:
        return ()
    ordered = sorted(comparison.differences, key=lambda d: (d.explanation, d.service, d.field))
    explained = [difference for difference in ordered if difference.explanation is not Explanation.DRIFT]
    return (("drift", comparison.drift[:_MOST_ROWS]), ("explained", explained[:_MOST_ROWS]))


def gallery(run: StoredRun, pictures: Mapping[str, bytes]) -> Mapping[str, Any]:
    """The pictures of each suite that has any; `pictures`: what they hold, by digest."""
    return {
        name: [_picture(picture, pictures.get(picture.digest)) for picture in report.pictures]
        for name, report in run.record.suites.items()
        if report.pictures
    }


def _picture(picture: Picture, content: bytes | None) -> Mapping[str, str]:
    """A picture as part of the page: a PNG, in which nothing can run."""
    # Markup, for what is read as text is cut where it grows long; there is nothing in base64 to escape.
    coded = base64.b64encode(content or b"").decode()
    data = Markup("") if content is None else Markup(f"data:image/png;base64,{coded}")  # noqa: S704
    text = printable(f"{picture.title}; picture {picture.name} of {picture.case}", 400)
    return {"title": picture.title, "case": picture.case, "text": text, "digest": picture.digest, "data": data}


def promoted(promotion: PromotionRecord) -> Mapping[str, Any]:
    """A promotion as a page shows it, its pictures drawn."""
    return {
        "view": promotion.view,
        "title": f"{words.KINDS[promotion.view.intent.kind]} to {promotion.view.intent.to}",
        "mark": words.ended(promotion.view.phase).value,
        "end": promotion.view.end,
        "events": [event for event in promotion.events if event.happening is not Happening.TRAFFIC][:_MOST_ROWS],
        "figures": {name: _figure(value) for name, value in promotion.figures.items()},
        "flips": [flip_report(flip) for flip in flips(promotion.events)],
        "shadows": shadows(promotion.events),
    }


def _figure(value: float | str) -> str:
    return printable(value, 60) if isinstance(value, str) else words.size(value, "")
