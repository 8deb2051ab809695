"""What the commands about what is live say to a person."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from otagate.cli import gate, promotion
from otagate.cli.result import Result
from otagate.core.cloud import Colour
from otagate.core.errors import Exit, UsageError
from otagate.core.platform import Platform
from otagate.core.promotion import Event, Phase
from otagate.core.traffic import Kind, Status
from otagate.ports import Ports
from tests.flows.scene import CLAIM, Scene, raised
from tests.flows.test_promote import WEB_1, go, judged, proven


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A release was promoted, from blue to green; the commands find the fakes."""
    scene, run = proven()
    go(scene, run)

    @contextmanager
    def opened(_: str | None) -> Iterator[tuple[Platform, Ports]]:
        yield scene.platform, scene.ports

    monkeypatch.setattr(promotion, "opened", opened)
    monkeypatch.setattr(gate, "opened", opened)
    return scene


def during(scene: Scene, phase: Phase, live: Colour) -> dict[str, str]:
    """What `status` calls each colour in a phase of that promotion."""
    now: Status = scene.steward.status()
    assert now.promotion is not None
    colours = {name: replace(view, warm=False) for name, view in now.colours.items()}
    status = replace(now, live=live, colours=colours, promotion=replace(now.promotion, phase=phase))
    lines = [line.split(" release ")[0].split(maxsplit=1) for line in promotion._status_lines("p", status)[1:3]]
    return {name: role.strip() for name, role in lines}


@pytest.mark.parametrize("phase", [Phase.WATCHING, Phase.FINALIZING, Phase.ROLLING_BACK])
def test_while_it_is_watched_the_old_colour_is_the_way_back_not_idle(scene: Scene, phase: Phase) -> None:
    assert during(scene, phase, Colour.GREEN) == {"blue": "way back", "green": "live"}


def test_what_hung_as_it_was_left_is_none(scene: Scene) -> None:
    scene.steward._view = replace(scene.steward.current(), hung=True)
    assert during(scene, Phase.WATCHING, Colour.GREEN) == {"blue": "idle", "green": "live"}


def test_a_colour_is_idle_where_it_is_no_way_back(scene: Scene) -> None:
    assert during(scene, Phase.FLIPPING, Colour.BLUE) == {"blue": "live", "green": "idle"}
    assert during(scene, Phase.PROMOTED, Colour.GREEN) == {"blue": "idle", "green": "live"}


def test_a_rollback_says_back_and_never_promoted(scene: Scene) -> None:
    done = promotion.rollback("p", by="ada", override=None, dry_run=False, wait="0s")
    assert done.exit is Exit.DONE
    assert done.text.startswith("BACK  rollback r-")
    assert done.data["promotion"]["phase"] == "promoted", "programs are told the phase as it is spelled"
    assert "promoted" not in promotion.status("p").text
    assert scene.steward.status().live is Colour.BLUE


def test_a_rollback_that_did_not_go_back_says_what_still_serves_and_is_no_safe_end(scene: Scene) -> None:
    scene.world.containers[WEB_1].running = False
    done = promotion.rollback("p", by="ada", override=None, dry_run=False, wait="0s")
    assert done.exit is Exit.FAULT, "5 says that the old release serves"
    head, reason, *_ = done.text.splitlines()
    assert head.startswith("NOT BACK  rollback r-")
    assert head.endswith(": green still serves, because")
    assert reason == f"  {WEB_1} does not run"
    assert done.data["promotion"]["phase"] == "abandoned", "programs are told the phase as it is spelled"
    assert done.next == promotion.AGAIN
    assert f"not back: {WEB_1} does not run" in promotion.status("p").text


def test_a_rollback_that_was_turned_and_came_back_is_no_safe_end_either(scene: Scene) -> None:
    scene.steward.outcomes = {Phase.WATCHING: (Event.REFUSED, "web: down")}
    done = promotion.rollback("p", by="ada", override=None, dry_run=False, wait="0s")
    assert (done.exit, done.next) == (Exit.FAULT, promotion.AGAIN)
    assert done.text.startswith("NOT BACK")
    assert promotion.status("p").next == promotion.AGAIN
    scene.steward.outcomes = {}
    assert promotion.rollback("p", by="ada", override=None, dry_run=False, wait="0s").exit is Exit.DONE
    assert promotion.status("p").next == "otagate test SERVICE=IMAGE"


def test_a_recover_that_undoes_a_rollback_is_no_safe_end_either(scene: Scene) -> None:
    with scene.steward.lease(CLAIM, 0.0) as hold:
        intent = scene.steward.current().intent
        held = scene.steward.status().colours["blue"]
        back = replace(intent, promotion="r-1", kind=Kind.ROLLBACK, to=Colour.BLUE, release=held.release)
        hold.begin(replace(back, builds=held.builds))
    done = promotion.recover("p", by="ada", override=None, dry_run=False, wait="0s")
    assert done.exit is Exit.FAULT
    assert "found rollback r-1 cut off while preflight; now not back" in done.text


def test_whoever_has_the_lease_is_named_with_what_why_from_where_and_since_when(scene: Scene) -> None:
    with scene.steward.lease(replace(CLAIM, command="otagate promote R", why="promote run R"), 0.0):
        at = scene.world.clock.now()
        seen = promotion.status("p")
    assert seen.data["leases"] == [
        {
            "scope": "platform",
            "by": "ada",
            "from": "ada@host:1",
            "command": "otagate promote R",
            "why": "promote run R",
            "since": at,
        }
    ]
    since = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    assert f"platform: ada from ada@host:1, otagate promote R (promote run R), since {since}" in seen.text


def test_a_schema_whose_move_was_cut_off_is_told_with_both_its_labels(scene: Scene) -> None:
    now: Status = scene.steward.status()
    cut = replace(now, schemas={"web": ("1", "2"), "api": ("3",)})
    told = [line for line in promotion._status_lines("p", cut) if "schema" in line]
    assert told == ["  schema     of web may be 1 or 2: its move was cut off"]
    assert promotion._traffic(cut)["schemas"] == {"web": ["1", "2"], "api": ["3"]}, "programs are told every label"


def test_where_there_is_no_production_no_schema_is_told_in_the_same_place() -> None:
    assert promotion._traffic(None)["schemas"] == {}


@pytest.fixture
def stranded(monkeypatch: pytest.MonkeyPatch) -> Scene:
    """On green, which the watch refused; blue is dead."""
    scene, run = proven()
    dead = (Event.FAULT, "web of blue does not answer")
    refused = (Event.REFUSED, "errors")
    scene.steward.outcomes = {Phase.WATCHING: refused, Phase.ROLLING_BACK: dead, Phase.STRANDED: dead}
    go(scene, run)

    @contextmanager
    def opened(_: str | None) -> Iterator[tuple[Platform, Ports]]:
        yield scene.platform, scene.ports

    monkeypatch.setattr(promotion, "opened", opened)
    return scene


KEEP = "otagate recover --override REASON --by NAME"


def test_a_recover_that_is_stranded_again_says_more_than_to_look_and_recover(stranded: Scene) -> None:
    assert promotion.status("p").next == f"otagate recover; or, to keep green: {KEEP}"
    again = promotion.recover("p", by="ada", override=None, dry_run=False, wait="0s")
    first = "start again what the reason names last, then otagate recover"
    assert (again.exit, again.next) == (Exit.STRANDED, f"{first}; or, to keep green where it serves: {KEEP}")
    assert stranded.steward.status().live is Colour.GREEN


def test_what_is_stranded_is_kept_by_name_and_whoever_looks_is_told_by_whom(stranded: Scene) -> None:
    dry = promotion.recover("p", by="ada", override="blue burnt down", dry_run=True, wait="0s")
    assert (
        "keeps green, unsigned: only if the map file says green, it answers, and nobody could go back to blue"
        in dry.text
    )
    done = promotion.recover("p", by="ada", override="blue burnt down", dry_run=False, wait="0s")
    assert (done.exit, done.next) == (Exit.DONE, "otagate status")
    assert done.text.splitlines()[0].endswith("cut off while stranded; now promoted")
    assert "  override by ada, unsigned: blue burnt down" in done.text.splitlines()
    word = {"by": "ada", "reason": "blue burnt down", "signed": False}
    assert done.data["promotion"]["override"] == word
    seen = promotion.status("p")
    assert (seen.exit, seen.data["promotion"]["override"]) == (Exit.DONE, word)
    assert "  override   by ada, unsigned: blue burnt down" in seen.text
    (record,) = stranded.store.promotions.values()
    assert record.view.kept is not None


@pytest.mark.parametrize(("override", "by"), [(" ", "ada"), ("why", None), ("why", " ")])
def test_nobodys_word_keeps_nothing(stranded: Scene, override: str, by: str | None) -> None:
    with pytest.raises(UsageError) as no:
        promotion.recover("p", by=by, override=override, dry_run=False, wait="0s")
    assert no.value.hint == KEEP
    assert stranded.steward.current().phase is Phase.STRANDED


def test_both_addresses_of_a_pair_are_told_and_one_that_disagrees_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = raised(second="127.0.0.2")

    @contextmanager
    def opened(_: str | None) -> Iterator[tuple[Platform, Ports]]:
        yield pair.platform, pair.ports

    monkeypatch.setattr(promotion, "opened", opened)
    well = promotion.status("p")
    assert well.exit is Exit.DONE
    assert well.data["listeners"]["dicom"] == {"address": "127.0.0.1:10400", "second": "127.0.0.2:10400"}
    assert "127.0.0.1:10400  127.0.0.2:10400" in well.text
    pair.steward.disagreements = ("the switches do not agree: the first says blue, the second says green",)
    split = promotion.status("p")
    assert (split.exit, split.errors[0]["code"], split.next) == (Exit.ALARM, "disagreement", "otagate recover")
    mended = promotion.recover("p", by="ada", override=None, dry_run=False, wait="0s")
    assert (mended.exit, mended.next) == (Exit.DONE, "otagate status")
    assert mended.text == "agree again: the switches do not agree: the first says blue, the second says green"
    assert promotion.status("p").exit is Exit.DONE


def test_a_switch_that_stands_still_is_brought_back_by_up_for_recover_would_wait_in_vain(scene: Scene) -> None:
    scene.world.containers[f"{scene.platform.name}-shared-switch"].running = False
    scene.steward.disagreements = ("the switch does not answer",)
    red = promotion.status("p")
    assert (red.exit, red.next) == (Exit.ALARM, "otagate up")
    assert red.errors[0] == {
        "code": "disagreement",
        "message": "the switch does not answer",
        "hint": "otagate up adds what is missing, then otagate status",
        "at": "",
    }


def reported(scene: Scene) -> tuple[Result, str]:
    """What `report` of the run that was promoted comes to, and its summary."""
    (run,) = scene.store.runs("p")
    done = gate.report(run, "p", form="markdown", to=None)
    return done, scene.vault.files[done.text].decode()


def test_a_report_tells_a_promotion_whose_command_line_died_while_it_was_watched(scene: Scene) -> None:
    done, page = reported(scene)
    assert (done.exit, done.errors) == (Exit.DONE, [])
    assert "green was made live on every listener" in page
    assert "otagate promote" not in page


def test_a_report_of_a_promotion_that_still_runs_asks_to_look_not_to_promote(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, run = proven()
    scene.steward.rests = Phase.WATCHING
    go(scene, run)

    @contextmanager
    def opened(_: str | None) -> Iterator[tuple[Platform, Ports]]:
        yield scene.platform, scene.ports

    monkeypatch.setattr(gate, "opened", opened)
    done, page = reported(scene)
    assert (done.exit, done.errors, scene.store.promotions) == (Exit.DONE, [], {})
    assert "Next: `otagate status`" in page
    assert "Promotion unfinished" in page
    assert "otagate promote" not in page


def test_a_report_without_the_steward_tells_what_the_store_has_and_says_so(scene: Scene) -> None:
    scene.steward.lost = True
    done, page = reported(scene)
    assert done.exit is Exit.DONE
    assert [error["message"] for error in done.errors] == ["not known what became of it since: the steward is lost"]
    assert "otagate promote" in page


def ended(scene: Scene) -> list[str]:
    """Which promotions the store tells, and how they ended."""
    return [f"{record.view.intent.kind} {record.view.phase}" for record in scene.store.promotions.values()]


def test_recover_keeps_the_end_of_what_is_not_unfinished_any_more(scene: Scene) -> None:
    done = promotion.recover("p", by="ada", override=None, dry_run=False, wait="0s")
    assert (done.exit, done.text, done.errors) == (Exit.DONE, "nothing was unfinished", ())
    assert ended(scene) == ["promote promoted"]


def test_a_rollback_keeps_the_end_of_what_it_goes_back_from_too(scene: Scene) -> None:
    assert promotion.rollback("p", by="ada", override=None, dry_run=False, wait="0s").exit is Exit.DONE
    assert ended(scene) == ["promote promoted", "rollback promoted"]


def test_a_promotion_keeps_the_end_of_the_one_before_it_too(scene: Scene) -> None:
    scene.world.clock.advance(scene.platform.policy.warm + 1)
    run = judged(scene, "hello/web:1.2")
    assert promotion.promote(run, "p", by="ada", dry_run=False, wait="0s").exit is Exit.DONE
    assert ended(scene) == ["promote promoted", "promote promoted"]


def test_a_store_that_is_full_makes_a_recovery_no_other_one(scene: Scene) -> None:
    scene.store.full = True
    done = promotion.recover("p", by="ada", override=None, dry_run=False, wait="0s")
    assert (done.exit, done.text) == (Exit.DONE, "nothing was unfinished")
    assert done.errors[0]["message"] == "not kept: the store cannot grow: the disk is full"
