"""The short form of the kill sweep, and its control: otagate with one thing wrong on purpose must be caught."""

import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from otagate.core.cloud import Colour
from otagate.core.replacement import Replacement
from otagate.steward.account import Stage
from otagate.steward.exchange import Exchange
from otagate.steward.helm import Helm
from tests.sweep import kill_sweep
from tests.sweep.faults import Harm
from tests.sweep.invariants import examined
from tests.sweep.kill_sweep import COMMIT, Figures, Point, injected, points_of, room, sweep
from tests.sweep.processes import Variant
from tests.sweep.stories import STORIES, Grounds, Scene, await_steward

STRIDE = 307  # every so many of all points and faults; `make sweep` takes each
EVERY = 7  # entry of a promotion
PROMOTE, BAD, ROLLBACK, REPLACE = (
    next(story for story in STORIES if story.name == name) for name in ("promote", "promote-bad", "rollback", "replace")
)


@pytest.fixture(scope="module")
def grounds() -> Iterator[Grounds]:
    with room() as folder:
        yield Grounds(folder)


def test_cut_off_anywhere_one_colour_serves_and_nothing_is_said_that_is_not_so(grounds: Grounds) -> None:
    figures = sweep(grounds, stride=STRIDE, jobs=2)
    assert figures.wrong == []
    assert figures.total >= 18
    stories = {name.split()[0] for name in figures.injected}
    assert len(stories) >= 5, stories


@pytest.mark.parametrize("figures", [Figures(), Figures(missed=9)])
def test_a_sweep_that_reached_nothing_has_shown_nothing(monkeypatch: pytest.MonkeyPatch, figures: Figures) -> None:
    monkeypatch.setattr(kill_sweep, "sweep", lambda *_, **__: figures)
    monkeypatch.setattr(sys, "argv", ["kill_sweep"])
    assert kill_sweep.main() == 1
    figures.injected["promote cli kill"] += 1
    assert kill_sweep.main() == 0


def test_a_story_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["kill_sweep", "--story", "promot"])
    with pytest.raises(SystemExit, match="2"):
        kill_sweep.main()


def test_an_entry_that_is_there_and_is_said_to_have_failed_spoils_no_journal(grounds: Grounds) -> None:
    figures = Figures()
    entries = points_of(grounds, PROMOTE, "steward").count(COMMIT)
    for entry in range(2, entries + 1, EVERY):
        injected(grounds, Point(PROMOTE, "steward", entry, COMMIT, Harm.LATE), figures)
    assert figures.wrong == []
    assert figures.total >= 4


class Reversed(Helm):
    """Run time first, then the file: the order that loses an acknowledged flip when the switch ends in between."""

    def _set(self, came: Colour | None, to: Colour, *, held: bool = False) -> None:  # noqa: ARG002
        epoch = self.book.new_epoch()
        self.book.turn(came, to, epoch, Stage.INTENT)
        self.switch.restore(to, epoch)
        self.map_file.write(to, epoch)
        self.book.turn(came, to, epoch, Stage.TURNED)


def test_control_the_reversed_order_is_caught_at_the_instant_of_death(grounds: Grounds) -> None:
    figures = Figures()
    point = Point(PROMOTE, "steward", 0, "switch restore done", Harm.KILL)
    after = injected(grounds, point, figures, Variant(helm=Reversed))
    assert figures.total == 1
    assert any("would be forgotten" in what for what in after.wrong), after.wrong


class Hasty(Exchange):
    """The new switch is let to the doors before it is proven and before the journal says so."""

    def _prove(self, now: Replacement) -> None:
        self._serve(now.new, second=now.second)
        super()._says_live(self._at_doors(now, now.new))


def test_control_a_switch_at_the_doors_before_it_is_proven_is_caught_at_the_instant_of_death(grounds: Grounds) -> None:
    figures = Figures()
    point = Point(REPLACE, "steward", 0, "switch 2 entry", Harm.KILL)
    assert injected(grounds, point, figures).wrong == []
    after = injected(grounds, point, figures, Variant(exchange=Hasty))
    assert figures.total == 2
    assert any("stands at the doors" in what for what in after.wrong), after.wrong


class Staying(Helm):
    """A way back that is only said."""

    def go_back(self, failed: Colour, warm: Colour, builds: Mapping[str, str]) -> None:
        pass


def test_control_an_end_that_is_not_what_serves_is_caught(grounds: Grounds) -> None:
    scene = Scene(grounds.copy(BAD.ground), Variant(helm=Staying))
    scene.steward(scene.ground.faults())
    after = examined(scene, BAD, scene.run(*grounds.words(BAD)))
    scene.close()
    assert "the promotion ended rolled-back, and green is live" in after.wrong


@pytest.mark.parametrize("phase", ["promoted", "abandoned", None])
def test_control_an_end_that_is_told_and_was_not_is_caught(grounds: Grounds, phase: str | None) -> None:
    """Of a build that goes bad, whose promotion may end on either colour: this one was rolled back."""
    scene = Scene(grounds.copy(BAD.ground))
    scene.steward(scene.ground.faults())
    told = scene.run(*grounds.words(BAD))
    honest = examined(scene, BAD, told).wrong
    said = {"data": {"promotion": {**told.body["data"]["promotion"], "phase": phase}}}
    wrong = examined(scene, BAD, replace(told, status=0, body=said)).wrong
    scene.close()
    assert honest == []
    assert any(word.startswith(("said ", "ended with 0")) for word in wrong), wrong


@pytest.mark.parametrize(("part", "name"), [("cli", "steward asked report"), ("steward", "switch flip")])
def test_a_rollback_that_was_cut_off_and_not_done_can_be_asked_for_again(
    grounds: Grounds, part: str, name: str
) -> None:
    figures = Figures()
    after = injected(grounds, Point(ROLLBACK, part, 0, name, Harm.KILL), figures)
    assert after.wrong == []
    assert figures.again == 1


def test_the_process_dies_at_the_chosen_call_and_of_the_signal(grounds: Grounds) -> None:
    """A sweep that kills nothing finds nothing."""
    scene = Scene(grounds.copy(PROMOTE.ground))
    faults = scene.ground.faults(60)
    process = scene.steward(faults)
    await_steward(scene)
    scene.run(*grounds.words(PROMOTE))
    scene.close()
    assert process.status == -signal.SIGKILL
    assert faults.hit
    assert faults.passed == len(faults.names) == 60
