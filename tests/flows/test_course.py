"""What breaks in a phase of the command's own is reported, undone and only then told."""

from dataclasses import replace

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import EngineFault, Interrupted, SwitchFault, UsageError
from otagate.core.judge import Decision, Verdict
from otagate.core.promotion import Event, Phase
from otagate.core.traffic import Holder
from otagate.flows import course, gate, promote, rollback
from otagate.ports import Progress
from tests.flows.scene import CLAIM, MIRROR, Scene
from tests.flows.test_promote import WEB_1, go, judged, live, proven


def phase(scene: Scene) -> Phase:
    view = scene.steward.status().promotion
    assert view is not None
    return view.phase


@pytest.mark.parametrize("error", [EngineFault("gone"), UsageError("empty"), RuntimeError("a bug")])
def test_what_breaks_in_preflight_abandons_the_promotion_and_is_raised_as_it_is(error: Exception) -> None:
    scene, run = proven()

    def broken(_: str) -> str:
        raise error

    scene.suites.digest = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(type(error)):
        go(scene, run)
    assert phase(scene) is Phase.ABANDONED
    assert live(scene) is Colour.BLUE
    scene.suites.__dict__.pop("digest")
    assert go(scene, run).record.view.phase is Phase.PROMOTED


def test_an_interrupt_in_preflight_leaves_nothing_unfinished() -> None:
    scene, run = proven()

    def interrupt(_: str) -> str:
        raise KeyboardInterrupt

    scene.suites.digest = interrupt  # type: ignore[method-assign, assignment]
    with pytest.raises(Interrupted, match="abandoned"):
        go(scene, run)
    assert phase(scene) is Phase.ABANDONED


@pytest.mark.parametrize("leaving", [SystemExit(1), KeyboardInterrupt()])
def test_whoever_wants_out_while_a_colour_is_raised_takes_the_way_out_first(leaving: BaseException) -> None:
    scene, run = proven()

    def tell(progress: Progress) -> None:
        scene.told.append(progress)
        if progress.subject == "green-web":
            raise leaving

    with pytest.raises(Interrupted, match="abandoned"):
        promote.promote(scene.platform, run, replace(scene.ports, tell=tell), CLAIM, wait=0.0)
    assert phase(scene) is Phase.ABANDONED
    assert live(scene) is Colour.BLUE
    assert "p-green-web" not in scene.world.containers


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("step", ["digest", "apply"])
def test_a_second_interrupt_while_the_first_is_told_takes_the_way_out_as_well(step: str, taken: bool) -> None:
    """Before the steward took it, or after."""
    scene, run = proven()
    aborts = interrupted_aborts(scene, 1, taken=taken)
    parts = {"digest": scene.suites, "apply": scene.provisioner}
    setattr(parts[step], step, interrupt)
    with pytest.raises(Interrupted, match="ended abandoned"):
        go(scene, run)
    assert aborts == [Event.ABORT, Event.ABORT]
    assert phase(scene) is Phase.ABANDONED
    assert "p-green-web" not in scene.world.containers


def test_an_interrupt_while_a_refusal_is_told_takes_the_way_out() -> None:
    scene, run = proven()
    break_report(scene, 2, KeyboardInterrupt(), taken=False)
    scene.provisioner.apply = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(Interrupted, match="ended abandoned"):
        go(scene, run)
    assert phase(scene) is Phase.ABANDONED


def test_a_third_interrupt_is_told_what_is_left_and_what_to_type() -> None:
    scene, run = proven()
    interrupted_aborts(scene, 2, taken=False)
    scene.provisioner.apply = interrupt  # type: ignore[method-assign, assignment]
    with pytest.raises(Interrupted, match="may be unfinished") as left:
        go(scene, run)
    assert phase(scene) is Phase.DEPLOYING
    assert scene.steward.current().intent.promotion in left.value.message
    assert "otagate recover" in left.value.hint


@pytest.mark.parametrize("begun", [False, True])
def test_an_interrupt_while_it_is_begun_leaves_nothing_unfinished(begun: bool) -> None:
    scene, run = proven()
    real, before = scene.steward.begin, scene.steward.current()

    def begin(*words: object) -> None:
        if begun:
            real(*words)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    scene.steward.begin = begin  # type: ignore[method-assign, assignment]
    with pytest.raises(Interrupted, match="ended abandoned" if begun else "was not begun"):
        go(scene, run)
    assert (scene.steward.current() != before) is begun
    assert scene.steward.unfinished is None
    scene.steward.begin = real  # type: ignore[method-assign]
    assert go(scene, run).record.view.phase is Phase.PROMOTED


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def broken(*_: object) -> None:
    raise EngineFault("gone")


def break_report(scene: Scene, nth: int, error: BaseException, *, taken: bool) -> None:
    """The `nth` report ends in `error`, once the steward took it or before."""
    real, reports = scene.steward.report, 0

    def report(holder: Holder, event: Event, message: str) -> Phase:
        nonlocal reports
        reports += 1
        if reports != nth:
            return real(holder, event, message)
        if taken:
            real(holder, event, message)
        raise error

    scene.steward.report = report  # type: ignore[method-assign]


def interrupted_aborts(scene: Scene, times: int, *, taken: bool) -> list[Event]:
    """So many of the first aborts are interrupted, once the steward took each or before; answers all aborts."""
    real = scene.steward.report
    aborts: list[Event] = []

    def report(holder: Holder, event: Event, message: str) -> Phase:
        if event is not Event.ABORT:
            return real(holder, event, message)
        aborts.append(event)
        again = len(aborts) <= times
        if again and not taken:
            raise KeyboardInterrupt
        answer = real(holder, event, message)
        if again:
            raise KeyboardInterrupt
        return answer

    scene.steward.report = report  # type: ignore[method-assign]
    return aborts


def test_an_answer_that_comes_too_late_is_settled_by_asking() -> None:
    """The steward took the report that begins the flip, and its answer was lost: the promotion is followed."""
    scene, run = proven()
    break_report(scene, 3, SwitchFault("no answer in time", code="steward-silent"), taken=True)
    assert go(scene, run).record.view.phase is Phase.PROMOTED
    assert live(scene) is Colour.GREEN


def test_a_steward_that_is_lost_is_told_as_that() -> None:
    scene, run = proven()

    def lost(name: str) -> None:
        if name in ("report", "status") and scene.steward._view is not None and not phase_of(scene).ended:
            raise SwitchFault("lost", code="steward-lost")

    scene.steward.before = lost
    with pytest.raises(SwitchFault):
        go(scene, run)


def test_who_loses_the_steward_once_it_acts_is_told_that_the_outcome_is_unknown() -> None:
    scene, run = proven()

    def away(name: str) -> None:
        if name == "follow":
            raise SwitchFault("the engine did not answer", code="engine", hint="otagate doctor")

    scene.steward.before = away
    with pytest.raises(SwitchFault, match="the engine did not answer") as lost:
        go(scene, run)
    assert lost.value.hint == "outcome unknown: otagate status says what is so"
    assert live(scene) is Colour.GREEN


def test_an_end_that_was_told_stands_though_nobody_can_be_asked_afterwards() -> None:
    scene, run = proven()

    def away(name: str) -> None:
        if name == "status" and scene.steward._view is not None and phase_of(scene) is Phase.PROMOTED:
            raise SwitchFault("the engine did not answer", code="engine", hint="otagate doctor")

    scene.steward.before = lambda name: setattr(scene.steward, "before", away) if name == "follow" else None
    record = go(scene, run).record
    assert (record.view.phase, record.view.reason) == (Phase.PROMOTED, "")


def phase_of(scene: Scene) -> Phase:
    assert scene.steward._view is not None
    return scene.steward._view.phase


def test_a_dead_worker_in_the_warm_colour_is_no_way_back() -> None:
    scene, run = proven()
    go(scene, run)
    scene.world.containers[WEB_1].health = "unhealthy"
    attempt = rollback.rollback(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert attempt.record.view.phase is Phase.ABANDONED
    assert "unhealthy" in attempt.record.view.reason
    assert live(scene) is Colour.GREEN


def test_a_later_refusal_of_the_same_release_withdraws_an_approval() -> None:
    scene, run = proven()
    stored = scene.store.saved["p"][run]
    again = replace(stored, header=replace(stored.header, run="later"), verdict=Verdict(Decision.REFUSE))
    scene.store.save_run(again)
    assert [o.code for o in go(scene, run).objections] == ["withdrawn"]
    judged(scene, "hello/web:1.1")
    assert go(scene, run).record.view.phase is Phase.PROMOTED


def test_a_run_must_be_named_to_be_promoted() -> None:
    scene, _ = proven()
    with pytest.raises(UsageError, match="named"):
        go(scene, "")


def test_an_ending_is_told_of_ones_own_promotion_also_when_another_began_since() -> None:
    scene, run = proven()
    attempt = go(scene, run)
    begun = replace(attempt.record.view, phase=Phase.PREFLIGHT)
    rollback.rollback(scene.platform, scene.ports, CLAIM, wait=0.0)
    told = course.follow(begun, scene.ports)
    assert (told.view.intent.promotion, told.view.phase) == (begun.intent.promotion, Phase.PROMOTED)


def test_the_way_back_is_told_with_its_reason() -> None:
    scene, run = proven()
    scene.steward.outcomes = {Phase.WATCHING: (Event.REFUSED, "errors")}
    assert go(scene, run).record.view.phase is Phase.ROLLED_BACK
    assert gate.test(scene.platform, {"web": "hello/web:1.2"}, scene.ports, MIRROR, wait=0.0, keep=False).header.run
