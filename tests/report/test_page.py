"""The page: what stands on it and in which order, that it is safe, self-contained and legible."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from otagate.core.build import Build
from otagate.core.canonical import digest_of_bytes
from otagate.core.judge import Decision, Verdict, judge
from otagate.core.metric import Metric
from otagate.core.policy import Direction
from otagate.core.promotion import Phase
from otagate.core.record import PromotionRecord, Record
from otagate.core.suite import Outcome
from otagate.core.traffic import Happening, StewardEvent
from otagate.ports import StoredRun
from otagate.report import FORMATS
from otagate.report.html import page
from tests.samples import HOSTILE, PIXEL, POLICY, START, case, picture, promotion, record, stored, suite

STYLE = (Path(__file__).parents[2] / "otagate" / "report" / "templates" / "style.css").read_text()
VOID = {"meta", "br", "img"}


class Reading(HTMLParser):
    """The page as a browser would read it: text, elements with attributes; fails where an element is left open."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.text = ""
        self.elements: list[tuple[str, dict[str, str]]] = []
        self._open: list[str] = []
        self.feed(content)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] != "style":
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def told(phase: Phase = Phase.ROLLED_BACK) -> PromotionRecord:
    turn = {"stage": "intent", "came": "blue", "to": "green", "epoch": 2}
    events = [
        StewardEvent(START + 599, Happening.STEP, Phase.FLIPPING, "about to turn", turn),
        StewardEvent(START + 600, Happening.PHASE, Phase.WATCHING, "green is live", {}),
    ]
    for second in range(1, 11):
        data = {"answers": second * 150, "errors": max(0, second - 7) * 30, "left": 60 - second}
        events.append(StewardEvent(START + 600 + second, Happening.WATCH, Phase.WATCHING, "watched", data))
        left = {"web": max(0, 6 - second), "dicom": 1}
        events.append(StewardEvent(START + 600 + second, Happening.DRAIN, Phase.WATCHING, "sessions", {"left": left}))
    events.append(StewardEvent(START + 611, Happening.PHASE, Phase.ROLLING_BACK, "61 errors", {}))
    return PromotionRecord(promotion(phase), tuple(events), {"requests": 20480, "requests lost": 0, "by": "client"})


RUNS: dict[str, tuple[StoredRun, tuple[PromotionRecord, ...]]] = {
    "refused": (stored(), ()),
    "with a promotion": (stored(), (told(),)),
    "with an unfinished promotion": (stored(), (told(Phase.STRANDED),)),
    "with a promotion that told nothing": (stored(), (PromotionRecord(promotion()),)),
    "empty": (stored(content=Record({}, {}, None, None)), ()),
    "judged by nothing": (replace(stored(), verdict=Verdict(Decision.INCONCLUSIVE)), ()),
}


@pytest.fixture(params=RUNS, ids=str)
def content(request: pytest.FixtureRequest) -> str:
    return page(*RUNS[request.param])


def test_the_verdict_comes_first_then_its_reason_then_its_impact() -> None:
    text = Reading(page(stored())).text
    places = [
        text.index(part)
        for part in (
            "Refused",
            "dose: 1 of 2 cases failed: test_maximum. First: test_maximum: assert 2.06 == 2.0 ± 0.01"
            " (and 2 more rules)",
            "In treatment this would mean: a wrong treatment is possible and may go unseen.",
            "otagate verdict 20251124-160000-ab12",
            "Rule by rule",
        )
    ]
    assert places == sorted(places)


def approved() -> StoredRun:
    sound = record()
    suites = {
        "technical": suite("technical", *(case("technical", START + n, f"test_{n}") for n in range(3)),
                           case("technical", START + 5, "test_log", Outcome.PASSED, "clean-log")),
        "functional": suite("functional", case("functional", START + 9, "test_dose", Outcome.PASSED, "dose")),
    }  # fmt: skip
    assert sound.comparison is not None
    sound = replace(sound, suites=suites, crashes=(), comparison=replace(sound.comparison, differences=()))
    run = stored(content=sound)
    assert run.verdict.decision is Decision.APPROVE
    return run


def test_an_approval_says_what_to_type_next_and_until_when_it_stands() -> None:
    text = Reading(page(approved())).text
    assert "every rule that counts held (6 of 6)" in text
    assert "otagate promote 20251124-160000-ab12" in text
    assert "May be promoted until2025-11-25 16:01:00 UTC" in text


def test_each_finding_shows_its_number_its_limit_and_its_reason_code() -> None:
    text = re.sub(r"\s+", " ", Reading(page(stored())).text)
    for part in ("1 difference", "≤ 0 differences", "41.82 ms", "≤ 2,000 ms", "≥ 1 case", "case-failed", "crashed"):
        assert part in text


def test_a_trial_finding_is_marked_as_not_counted() -> None:
    assert "trial, not counted" in Reading(page(stored())).text


def test_a_crash_shows_its_container_its_reason_and_its_log() -> None:
    text = Reading(page(stored())).text
    assert "hello-blue-candidate-web: exit 139" in text
    assert "reading header\nsegmentation fault" in text


def test_a_promotion_shows_its_end_its_reason_its_figures_and_its_curves() -> None:
    read = Reading(page(stored(), (told(),)))
    for part in ("Rolled back", "errors above the limit", "20,480", "requests lost"):
        assert part in read.text
    assert "Sessions left on blue while it drained" in read.text
    assert "otagate status" in read.text


def test_a_promotion_that_was_rolled_back_leads_and_the_verdict_comes_after_it() -> None:
    read = Reading(page(approved(), (told(),)))
    assert "Rolled back: hello, run" in read.text
    assert read.text.index("errors above the limit") < read.text.index("Verdict before it: Approved")
    (lead,) = [a["class"] for tag, a in read.elements if a.get("class", "").startswith("verdict ")]
    assert lead == "verdict tone-fail"


@pytest.mark.parametrize(
    ("phase", "word", "tone"),
    [
        (Phase.PROMOTED, "Promoted", "pass"),
        (Phase.ABANDONED, "Abandoned", "fail"),
        (Phase.STRANDED, "Stranded", "fail"),
        (Phase.WATCHING, "Promotion unfinished", "unknown"),
        (Phase.FLIPPING, "Promotion unfinished", "unknown"),
    ],
)
def test_only_a_promotion_that_ended_well_leads_with_green(phase: Phase, word: str, tone: str) -> None:
    read = Reading(page(approved(), (PromotionRecord(promotion(phase)),)))
    assert f"{word}: hello" in read.text
    assert [a for _, a in read.elements if a.get("class") == f"verdict tone-{tone}"]


def test_a_drain_of_nothing_is_not_drawn() -> None:
    events = tuple(replace(event, data={**event.data, "left": {"web": 0}}) for event in told().events)
    assert "Sessions left" not in Reading(page(stored(), (PromotionRecord(promotion(Phase.PROMOTED), events),))).text


def test_a_baseline_known_by_its_digest_alone_is_called_what_is_live() -> None:
    run = stored()
    live = replace(run.header.baseline[0], reference=run.header.baseline[0].digest)
    text = Reading(page(replace(run, header=replace(run.header, baseline=(live,))))).text
    assert "Measured againstwhat is live101010101010" in text


def test_drift_stands_in_the_open_and_what_is_explained_is_folded_away() -> None:
    text = Reading(page(stored())).text
    assert text.index("env.WORK_MEM", text.index("Mirror against production")) < text.index("2 explained differences")
    assert text.index("2 explained differences") < text.index("mirror is smaller")


def test_an_unfinished_promotion_asks_for_recover() -> None:
    assert "otagate recover" in Reading(page(*RUNS["with an unfinished promotion"])).text


def test_the_page_asks_nothing_of_the_network_and_runs_no_script(content: str) -> None:
    read = Reading(content)
    assert {tag for tag, _ in read.elements} & {"script", "link", "iframe", "object", "embed", "base", "form"} == set()
    addresses = [v for _, a in read.elements for k, v in a.items() if k in ("src", "href", "srcset", "action")]
    assert all(address.startswith("data:image/") for address in addresses)
    assert not [k for _, a in read.elements for k in a if k.startswith("on")]
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    rules = [a["content"] for a in read.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert rules == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_the_page_can_be_read_by_machine_and_by_ear(content: str) -> None:
    read = Reading(content)
    assert read.all("html") == [{"lang": "en"}]
    assert [len(read.all(tag)) for tag in ("header", "main", "footer", "h1", "title")][:4] == [1, 1, 1, 1]
    ids = [a["id"] for _, a in read.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["aria-labelledby"] for _, a in read.elements if "aria-labelledby" in a} <= set(ids)
    assert all(a.get("alt") for a in read.all("img"))
    assert all(a.get("role") == "img" for a in read.all("svg") if "viewbox" not in a)
    assert all(a.get("scope") for a in read.all("th"))


def colours(scheme: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", scheme))


LIGHT, DARK = STYLE.split("@media (prefers-color-scheme: dark)")[:2]


def brightness(colour: str) -> float:
    def part(value: int) -> float:
        share = value / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (part(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((brightness(one), brightness(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_ink_stands_out_from_every_ground_it_is_put_on(scheme: str) -> None:
    palette = colours(scheme)
    inks = ("ink", "soft", "link", "pass", "fail", "unknown", "candidate", "baseline")
    pairs = [(ink, ground) for ink in inks for ground in ("sheet", "ground", "wash")]
    pairs += [(tone, f"{tone}-wash") for tone in ("pass", "fail", "unknown")]
    weak = {pair: contrast(palette[pair[0]], palette[pair[1]]) for pair in pairs}
    assert {pair: value for pair, value in weak.items() if value < 4.5} == {}


def test_a_low_contrast_would_be_seen() -> None:
    assert contrast("#777777", "#ffffff") < 4.5 < contrast("#595959", "#ffffff")


def test_marks_and_samples_differ_by_more_than_their_colour() -> None:
    text = Reading(page(stored())).text
    assert all(sign in text for sign in ("✕failed", "?unknown", "✓held"))
    assert ".dot.baseline { fill: none" in STYLE


def test_no_name_from_outside_becomes_markup_or_hides_what_is_read() -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x1b[31m\u202e\x00"
    run = stored(content=record())
    hostile_picture = replace(picture("evil", evil), name=evil, case=evil)
    hostile = replace(
        run,
        header=replace(
            run.header,
            run=evil,
            platform=evil,
            by=evil,
            command=evil,
            builds=(Build(evil, evil, evil),),
            suite_digests={evil: evil},
            suite_images={evil: evil},
        ),
        record=replace(
            run.record,
            suites={evil: replace(run.record.suites["technical"], flaws=(evil,), pictures=(hostile_picture,))},
            metrics={evil: Metric(evil, evil, Direction.LOWER, (1.0, 2.0), (1.0,))},
        ),
        verdict=replace(
            run.verdict, findings=tuple(replace(f, rule=evil, message=evil, unit=evil) for f in run.verdict.findings)
        ),
    )
    view = replace(promotion(), reason=evil, debts=(evil,))
    events = (StewardEvent(START, Happening.STEP, Phase.WATCHING, evil, {"answers": evil}),)
    read = Reading(page(hostile, (PromotionRecord(view, events, {evil: evil}),), {hostile_picture.digest: PIXEL}))
    assert read.all("script") == []
    assert [list(attributes) for attributes in read.all("img")] == [["alt", "src"]]
    assert not [c for c in read.text if ord(c) < 32 and c not in "\n\t"]
    assert "\u202e" not in read.text
    assert "<script>alert(1)</script>" in read.text  # shown as what it is


def test_the_hostile_case_of_the_sample_is_shown_short() -> None:
    read = Reading(page(stored()))
    assert read.all("script") == []
    assert "test_<script>" in read.text
    assert "long" * 100 not in read.text
    assert HOSTILE not in page(stored())


def test_a_picture_is_on_the_page_with_its_title_its_case_and_words_for_who_cannot_see_it() -> None:
    read = Reading(page(stored(), (), {digest_of_bytes(PIXEL): PIXEL}))
    (shown,) = read.all("img")
    assert shown["src"] == f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    assert shown["alt"] == "Dose at isocentre; picture dose-slice of functional/test_functional.py::test_maximum"
    assert "Dose at isocentre" in read.text
    assert "Not shown" not in read.text


def test_a_large_picture_is_on_the_page_whole() -> None:
    large = PIXEL * 200
    run = stored()
    functional = replace(run.record.suites["functional"], pictures=(picture("large", "Large", large),))
    run = replace(run, record=replace(run.record, suites={"functional": functional}))
    (shown,) = Reading(page(run, (), {digest_of_bytes(large): large})).all("img")
    assert base64.b64decode(shown["src"].partition(",")[2]) == large
    assert len(large) > 8_000


def test_a_picture_whose_file_is_not_what_was_recorded_is_named_as_not_shown() -> None:
    read = Reading(page(stored()))
    assert read.all("img") == []
    assert f"the run’s folder does not hold what was recorded as {digest_of_bytes(PIXEL)}" in " ".join(
        read.text.split()
    )


def test_a_run_without_pictures_has_no_place_for_them() -> None:
    run = stored()
    without = {name: replace(report, pictures=()) for name, report in run.record.suites.items()}
    assert "Pictures from the suites" in Reading(page(run)).text
    bare = page(replace(run, record=replace(run.record, suites=without)))
    assert "Pictures from the suites" not in Reading(bare).text


def test_a_large_run_stays_a_page_that_opens() -> None:
    cases = [case("technical", START + n, f"test_{n}", Outcome.FAILED) for n in range(3000)]
    big = [replace(c, message="m" * 5000, detail="line\n" * 20_000) for c in cases]
    metric = Metric("m", "ms", Direction.LOWER, tuple(float(n) for n in range(20_000)))
    content = Record({"technical": suite("technical", *big)}, {"m": metric}, (), None)
    made = page(replace(stored(), record=content, verdict=judge(POLICY, content)))
    assert len(made) < 4_000_000
    assert "and 2900 more, listed below" in Reading(made).text
    assert "and 2500 more in the record" in Reading(made).text


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf"), -1.0, 1e300])
def test_times_and_samples_that_are_no_numbers_do_not_break_the_page(odd: float) -> None:
    base = record()
    strange = replace(case("technical", START, "test_odd"), started=odd, ended=odd)
    metric = Metric("odd", "ms", Direction.HIGHER, (odd, 1.0), (odd,))
    crashes = tuple(replace(crash, at=odd) for crash in base.crashes or ())
    content = replace(base, suites={"technical": suite("technical", strange)}, metrics={"odd": metric}, crashes=crashes)
    run = replace(stored(content=content), ended=odd, expires=odd)
    events = tuple(replace(event, at=odd) for event in told().events)
    Reading(page(replace(run, header=replace(run.header, started=odd)), (PromotionRecord(promotion(), events),)))


def test_samples_all_alike_are_drawn() -> None:
    for value in (0.0, 5.0):
        metric = Metric("even", "ms", Direction.LOWER, (value,) * 20, (value,) * 20)
        content = replace(record(), metrics={"even": metric})
        assert "<circle" in page(stored(content=content))


def test_every_form_gives_its_content_and_the_name_of_its_file() -> None:
    assert {form: render(stored(), (), {})[1] for form, render in FORMATS.items()} == {
        "html": "report.html",
        "junit": "junit.xml",
        "markdown": "summary.md",
    }
    assert all(render(stored(), (told(),), {})[0] for render in FORMATS.values())
