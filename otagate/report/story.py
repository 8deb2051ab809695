"""The page of a whole story: what it came to first, then build by build what betrayed each, with its pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from otagate.core.judge import Mark
from otagate.core.record import PromotionRecord
from otagate.ports import StoredRun
from otagate.report import words
from otagate.report.html import SIGNS, gallery, measured, promoted, rendered


@dataclass(frozen=True)
class Chapter:
    """One build: `departure` says how it came otherwise than it must ("" if it did not); `page` is where its run's own
    page lies, seen from the story's."""

    image: str
    does: str
    departure: str
    run: StoredRun
    promotion: PromotionRecord | None
    page: str
    pictures: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class StoryRecord:
    """`counted` is the client's account as people read it: titles and figures; `seconds` from start to end."""

    platform: str
    surprises: Sequence[str]
    seconds: float
    counted: Sequence[tuple[str, str]]
    chapters: Sequence[Chapter]


def story_page(told: StoryRecord) -> str:
    """The page as text; it leads with the outcome."""
    well = not told.surprises
    return rendered(
        "story.html.j2",
        {
            "platform": told.platform,
            "word": "The story held" if well else "The story did not hold",
            "mark_of": (Mark.PASS if well else Mark.FAIL).value,
            "signs": {mark.value: sign for mark, sign in SIGNS.items()},
            "surprises": told.surprises,
            "seconds": told.seconds,
            "counted_by_client": told.counted,
            "chapters": [_chapter(number, chapter) for number, chapter in enumerate(told.chapters, start=1)],
        },
    )


def _chapter(number: int, chapter: Chapter) -> Mapping[str, Any]:
    run = chapter.run
    failed = [f for f in words.decisive_first(run.verdict.findings) if f.mark is Mark.FAIL and not f.trial]
    end = words.ended(chapter.promotion.view.phase).value if chapter.promotion else ""
    return {
        "anchor": f"build-{number}",
        "image": chapter.image,
        "does": chapter.does,
        "departure": chapter.departure,
        "page": chapter.page,
        "verdict": words.VERDICTS[run.verdict.decision],
        "mark": words.VERDICT_MARKS[run.verdict.decision].value,
        "because": words.because(run),
        "failed": [(finding, words.limit(finding, run)) for finding in failed],
        "metrics": [measured(metric, run) for metric in run.record.metrics.values()],
        "promotion": promoted(chapter.promotion) if chapter.promotion else None,
        "end": end,
        "galleries": gallery(run, chapter.pictures),
    }
