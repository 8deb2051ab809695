"""What a page and a summary say of a shadow: figures, places, never more than the record holds."""

from otagate.core.canonical import plain
from otagate.core.promotion import Phase
from otagate.core.record import PromotionRecord
from otagate.core.shadow import Difference, Request, ShadowSeen
from otagate.core.traffic import Happening, StewardEvent
from otagate.report import FORMATS
from otagate.report.shadows import shadows
from tests.samples import HOSTILE, START, promotion, stored

GET = Request("GET", "/objects?patient=Muster", ())
SEEN = ShadowSeen(compared=40, moving=2).with_compared(GET, [Difference("body /dose", "another value")])


def event(seen: ShadowSeen = SEEN, told: str = "fail") -> StewardEvent:
    data = {"listener": "web", "told": told, "refuses": True, **plain(seen)}
    return StewardEvent(START, Happening.STEP, Phase.SMOKING, "shadow of web", {"shadow": data})


def page(*events: StewardEvent, form: str = "html") -> str:
    content, _ = FORMATS[form](stored(), (PromotionRecord(promotion(), events),), {})
    return content.decode()


def test_figures_and_places_are_told() -> None:
    (told,) = shadows([event()])
    assert told["figures"]["compared"] == "41"
    assert told["figures"]["answered differently"] == "1"
    assert told["rows"] == [("GET /objects", "body /dose", "another value")]


def test_the_page_and_the_summary_show_them() -> None:
    assert "Shadow of web: fail" in page(event())
    assert "body /dose" in page(event())
    summary = page(event(), form="markdown")
    assert "shadow of web: fail" in summary
    assert "Muster" not in page(event()) + summary


def test_without_a_shadow_nothing_is_said_of_one() -> None:
    assert shadows([StewardEvent(START, Happening.STEP, Phase.SMOKING, "smoked")]) == []
    assert "Shadow of" not in page()


def test_what_the_event_does_not_hold_is_unknown() -> None:
    odd = StewardEvent(START, Happening.STEP, Phase.SMOKING, "shadow", {"shadow": {"listener": "web"}})
    (told,) = shadows([odd])
    assert told["told"] == "unknown"
    assert set(told["figures"].values()) == {"unknown"}


def test_a_path_is_text_and_nothing_else() -> None:
    seen = ShadowSeen().with_compared(Request("GET", f"/{HOSTILE}", ()), [Difference("status", "200 live, 500 new")])
    assert "<script" not in page(event(seen)).split("<body", 1)[1].split("Shadow of", 1)[1]
