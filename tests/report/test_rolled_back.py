"""A release that was promoted and rolled back since: its report leads with that, and tells both flips."""

import pytest

from otagate.core.promotion import Phase
from otagate.core.record import PromotionRecord
from otagate.report.html import page
from otagate.report.markdown import summary
from tests.core.test_flips import FORWARD
from tests.report.test_page import Reading, approved, told
from tests.samples import promotion, rolled_back, stored


def test_the_summary_tells_its_flip_beside_the_promotions() -> None:
    text = summary(stored(), (PromotionRecord(promotion(Phase.PROMOTED), tuple(FORWARD)), rolled_back()))
    assert text.startswith("## ❌ Rolled back: hello\n\n**Because** bob went back to blue")
    assert "### Promotion to green: promoted" in text
    assert "### Rollback to blue: back" in text
    assert text.index("- flip from blue to green: ") < text.index("- flip from green to blue: ")


def test_on_the_page_it_has_its_own_part() -> None:
    read = Reading(page(approved(), (told(Phase.PROMOTED), rolled_back())))
    assert "Rolled back: hello" in read.text
    assert "bob went back to blue: dose is off" in read.text
    parts = ["Promotion to green", "Flip from blue to green", "Rollback to blue", "Flip from green to blue"]
    assert [read.text.index(part) for part in parts] == sorted(read.text.index(part) for part in parts)
    (lead,) = [a["class"] for tag, a in read.elements if a.get("class", "").startswith("verdict ")]
    assert lead == "verdict tone-fail"
    ids = [a["id"] for _, a in read.elements if "id" in a]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("phase", "word"),
    [
        (Phase.ROLLED_BACK, "Promoted: hello"),
        (Phase.ABANDONED, "Promoted: hello"),
        (Phase.STRANDED, "Stranded: hello"),
        (Phase.FLIPPING, "Rollback unfinished: hello"),
    ],
)
def test_a_rollback_that_ended_where_it_began_does_not_lead(phase: Phase, word: str) -> None:
    assert word in Reading(page(approved(), (told(Phase.PROMOTED), rolled_back(phase)))).text


def test_what_was_tried_since_and_ended_where_it_began_does_not_lead_either() -> None:
    again = told(Phase.ABANDONED)
    read = Reading(page(approved(), (told(Phase.PROMOTED), again)))
    assert "Promoted: hello" in read.text
    assert read.text.count("Promotion to green") == 2
    assert "Abandoned: hello" in Reading(page(approved(), (again,))).text


def test_one_that_went_live_again_after_it_leads() -> None:
    assert "Promoted: hello" in Reading(page(approved(), (told(), rolled_back(), told(Phase.PROMOTED)))).text
