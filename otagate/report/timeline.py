"""The picture of a run's suites: one lane each, a bar per case over the same clock, crashes across all lanes."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from otagate.core.judge import Mark
from otagate.core.suite import Case, Crash, SuiteReport
from otagate.core.text import counted, printable
from otagate.report.svg import Scale, axis, picture, tag, ticks
from otagate.report.words import OUTCOME_MARKS, known, span

_LANE, _BAR, _TOP = 66.0, 22.0, 22.0
_SIGNS = {Mark.FAIL: "✕", Mark.UNKNOWN: "?"}


def suites_picture(suites: Mapping[str, SuiteReport], crashes: Sequence[Crash]) -> Markup:
    """Empty if no case has a time to be drawn at."""
    lanes = [(name, [case for case in report.cases if _timed(case)]) for name, report in suites.items()]
    times = [time for _, cases in lanes for case in cases for time in (case.started, case.ended)]
    if not times:
        return Markup("")
    start, end = min(times), max(max(times), min(times) + 1)
    scale = Scale(0.0, (end - start) * 1.02)
    bottom = _TOP + _LANE * len(lanes)
    parts = axis(scale, _TOP, bottom, [(value, span(value) if value else "0 s") for value in ticks(scale)])
    for place, (name, cases) in enumerate(lanes):
        parts += _lane(name, cases, scale, start, _TOP + _LANE * place)
    seen = [crash for crash in crashes if start - 5 <= crash.at <= end + 5]
    for crash in seen:
        parts += _crash(crash, scale, min(max(crash.at - start, 0.0), scale.high), bottom)
    return picture("The suites' cases over time", bottom + 24, parts)


def _timed(case: Case) -> bool:
    return known(case.started) and known(case.ended) and case.started <= case.ended


def _lane(name: str, cases: Sequence[Case], scale: Scale, start: float, top: float) -> list[Markup]:
    text = f"{name} · {counted(len(cases), 'case')}"
    parts = [tag("text", text, class_="label", x=0, y=top + 14)]
    for case in cases:
        mark = OUTCOME_MARKS[case.outcome]
        begin, end = scale.share(case.started - start), scale.share(case.ended - start)
        title = tag("title", f"{printable(case.id, 160)}: {case.outcome}, {span(case.ended - case.started)}")
        x, width = f"{begin * 100:.3f}%", f"{(end - begin) * 100:.3f}%"
        parts.append(tag("rect", title, class_=f"case {mark}", x=x, width=width, y=top + 32, height=_BAR))
        if mark in _SIGNS:
            x = f"{(begin + end) * 50:.3f}%"
            parts.append(tag("text", _SIGNS[mark], class_=f"sign {mark}", x=x, y=top + 28, text_anchor="middle"))
    return parts


def _crash(crash: Crash, scale: Scale, at: float, bottom: float) -> list[Markup]:
    anchor = "start" if scale.share(at) < 0.5 else "end"
    text = (
        f"▼ {printable(crash.service, 30)} crashed"
        if anchor == "start"
        else f"{printable(crash.service, 30)} crashed ▼"
    )
    return [
        tag("line", class_="crash", x1=scale.at(at), x2=scale.at(at), y1=16, y2=bottom),
        tag("text", text, class_="crash", x=scale.at(at), y=12, text_anchor=anchor),
    ]
