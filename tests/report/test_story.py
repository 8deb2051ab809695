"""The story's page: the outcome first, then what betrayed each build, safe and self-contained."""

from dataclasses import replace

from otagate.core.canonical import digest_of_bytes
from otagate.core.promotion import Phase
from otagate.report.story import Chapter, StoryRecord, story_page
from tests.report.test_page import Reading, told
from tests.samples import HOSTILE, PIXEL, record, stored

COUNTED = (("HTTP requests", "4,100"), ("  failed", "0"))


def chapter(image: str = "engine:1.2", departure: str = "", **more: object) -> Chapter:
    made = Chapter(image, "output +3 %", departure, stored(), None, "runs/r1/report.html")
    return replace(made, **more)  # type: ignore[arg-type]


def story(*chapters: Chapter, surprises: tuple[str, ...] = ()) -> StoryRecord:
    return StoryRecord("clinic", surprises, 600.0, COUNTED, chapters)


def test_it_leads_with_the_outcome_and_then_with_what_the_client_counted() -> None:
    text = Reading(story_page(story(chapter()))).text
    assert text.index("The story held") < text.index("4,100") < text.index("engine:1.2")


def test_a_surprise_is_the_first_thing_said() -> None:
    content = story_page(story(chapter(departure="dose did not fail"), surprises=("engine:1.2: dose did not fail",)))
    text = Reading(content).text
    assert "The story held" not in text
    assert text.index("The story did not hold") < text.index("engine:1.2: dose did not fail") < text.index("4,100")
    assert "otherwise than it must" in text


def test_each_build_has_the_numbers_that_betrayed_it_and_its_runs_page() -> None:
    reading = Reading(story_page(story(chapter(), chapter("engine:1.3"))))
    failed = [finding for finding in stored().verdict.findings if finding.mark.value == "fail"]
    assert failed
    assert all(finding.message in reading.text for finding in failed)
    assert [a["href"] for a in reading.all("a") if a["href"].startswith("runs/")] == ["runs/r1/report.html"] * 2


def test_the_pictures_of_a_run_are_on_it() -> None:
    run = stored()
    known = {picture.digest for report in record().suites.values() for picture in report.pictures}
    assert digest_of_bytes(PIXEL) in known
    content = story_page(story(chapter(run=run, pictures={digest_of_bytes(PIXEL): PIXEL})))
    shown = Reading(content).all("img")
    assert shown
    assert all(one["src"].startswith("data:image/png;base64,") for one in shown)


def test_a_promotion_is_told_with_its_end_and_its_drawings() -> None:
    content = story_page(story(chapter(promotion=told(Phase.ROLLED_BACK))))
    text = Reading(content).text
    assert "rolled-back" in text
    assert "Sessions left on blue while it drained" in text


def test_metrics_are_drawn_pair_by_pair() -> None:
    assert stored().record.metrics
    assert "pair by pair, in the order in which they were taken" in Reading(story_page(story(chapter()))).text


def test_what_was_written_by_others_cannot_become_part_of_the_page() -> None:
    content = story_page(story(chapter(image=HOSTILE, does=HOSTILE, departure=HOSTILE), surprises=(HOSTILE,)))
    assert not Reading(content).all("script")
    assert "default-src 'none'" in content
