"""A command sleeps between look and deed, its lease is freed, others go on: it takes nothing of theirs down.

A laptop that is closed is what does it. `Nap` is the sleep: whoever else works on the platform does so inside.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest

from otagate.core.cloud import Binding, Colour
from otagate.core.container import Stage
from otagate.core.errors import Exit, Refused, SwitchFault
from otagate.core.promotion import Phase
from otagate.flows import environments, promote, recover, rollback
from otagate.ports import May, Tell
from tests.flows.scene import CLAIM, MIRROR, Scene
from tests.flows.test_promote import Died, die, go, judged, live, proven, revive

BOB = replace(CLAIM, by="bob", origin="bob@ward:2", command="otagate promote")
GREEN = "p-green-web"


@dataclass
class Nap:
    """Once only: the lease of whoever sleeps is freed, then `others` go on with the very same world."""

    scene: Scene
    others: Callable[[], object]
    slept: bool = False

    def take(self) -> None:
        if self.slept:
            return
        self.slept = True
        self.scene.steward.doze()
        self.others()


def overtake(scene: Scene, image: str = "hello/web:1.2") -> None:
    """Bob undoes what was cut off, and puts a build of his own live where the sleeper was at work."""
    recover.recover(scene.platform, scene.ports, BOB, wait=0.0)
    attempt = promote.promote(scene.platform, judged(scene, image), scene.ports, BOB, wait=0.0)
    assert attempt.record.view.phase is Phase.PROMOTED


def serves(scene: Scene, image: str = "hello/web:1.2") -> bool:
    """Whether bob's build is live, and stands."""
    standing = scene.world.containers.get(GREEN)
    runs = standing is not None and standing.running and standing.container.image == scene.world.images[image]
    return live(scene) is Colour.GREEN and runs


def sleeps_while_removing(nap: Nap, moment: str) -> None:
    """`moment` is before the containers are looked at, before the steward is asked of one, or when it has said yes."""
    real = nap.scene.engine.remove_colour

    def remove_colour(platform: str, colour: Colour, may: May, tell: Tell) -> tuple[str, ...]:
        def asked() -> None:
            if moment == "asked":
                nap.take()
            may()
            if moment == "allowed":
                nap.take()

        if moment == "looked":
            nap.take()
        return real(platform, colour, asked, tell)

    nap.scene.engine.remove_colour = remove_colour  # type: ignore[method-assign]


def never_asked(scene: Scene) -> None:
    """The control: as it would be without the question."""
    sleepy = scene.engine.remove_colour

    def remove_colour(platform: str, colour: Colour, may: May, tell: Tell) -> tuple[str, ...]:  # noqa: ARG001
        return sleepy(platform, colour, lambda: None, tell)

    scene.engine.remove_colour = remove_colour  # type: ignore[method-assign]


def left_over() -> tuple[Scene, str]:
    """Blue is live, and green holds a release that was rolled back from: neither live nor warm."""
    scene, run = proven()
    go(scene, run)
    rollback.rollback(scene.platform, scene.ports, CLAIM, wait=0.0)
    return scene, judged(scene, "hello/web:1.3")


def told(fault: SwitchFault) -> str:
    assert (fault.code, fault.exit) == ("lease-lost", Exit.FAULT)
    assert "the same command again" in fault.hint
    return fault.message


@pytest.mark.parametrize("moment", ["looked", "asked", "allowed"])
def test_a_promotion_that_slept_before_it_emptied_the_idle_colour_leaves_what_went_live_there(moment: str) -> None:
    scene, run = left_over()
    nap = Nap(scene, lambda: overtake(scene))
    sleeps_while_removing(nap, moment)
    with pytest.raises(SwitchFault) as lost:
        go(scene, run)
    assert nap.slept
    assert serves(scene)
    assert "green is live" in told(lost.value)


def test_control_without_the_question_what_went_live_there_is_lost() -> None:
    scene, run = left_over()
    nap = Nap(scene, lambda: overtake(scene))
    sleeps_while_removing(nap, "looked")
    never_asked(scene)
    with pytest.raises(SwitchFault):
        go(scene, run)
    assert nap.slept
    assert not serves(scene)
    assert live(scene) is Colour.GREEN


def test_a_promotion_that_another_undid_while_it_slept_ends_as_undone() -> None:
    scene, run = left_over()
    sleeps_while_removing(Nap(scene, lambda: recover.recover(scene.platform, scene.ports, BOB, wait=0.0)), "looked")
    view = go(scene, run).record.view
    assert (view.phase, view.reason) == (Phase.ABANDONED, "cut off in deploying, undone by bob")
    assert live(scene) is Colour.BLUE


def test_a_promotion_that_slept_and_that_nobody_undid_says_what_to_type() -> None:
    scene, run = left_over()
    sleeps_while_removing(Nap(scene, lambda: None), "looked")
    with pytest.raises(SwitchFault) as lost:
        go(scene, run)
    assert (lost.value.code, lost.value.exit) == ("lease-lost", Exit.FAULT)
    assert "nobody holds it now; blue is live; promote p-" in lost.value.message
    assert "is deploying" in lost.value.message
    assert lost.value.hint.startswith("otagate recover finishes or undoes p-")


def sleeps_before_it_creates(nap: Nap, *, adopts: bool = False) -> None:
    """Ansible has begun: nobody asks any more. `adopts` is the control, a stage that takes the place of what stands."""
    real = nap.scene.provisioner.apply

    def apply(platform: str, stages: Sequence[Stage], folder: str, tell: Tell) -> tuple[str, ...]:
        if any(stage.anew for stage in stages):
            nap.take()
            if adopts:
                stages = [replace(stage, anew=False, replace=True) for stage in stages]
        return real(platform, stages, folder, tell)

    nap.scene.provisioner.apply = apply  # type: ignore[method-assign]


def test_a_promotion_that_slept_before_it_created_its_containers_replaces_none() -> None:
    scene, run = left_over()
    nap = Nap(scene, lambda: overtake(scene))
    sleeps_before_it_creates(nap)
    with pytest.raises(SwitchFault) as lost:
        go(scene, run)
    assert nap.slept
    assert serves(scene)
    assert "green is live" in told(lost.value)


def test_control_a_stage_that_replaces_what_stands_takes_the_live_colour_down() -> None:
    scene, run = left_over()
    nap = Nap(scene, lambda: overtake(scene))
    sleeps_before_it_creates(nap, adopts=True)
    with pytest.raises(SwitchFault):
        go(scene, run)
    assert nap.slept
    assert not serves(scene)


def test_a_promotion_that_slept_before_ansible_began_creates_nothing() -> None:
    scene, run = left_over()
    nap = Nap(scene, lambda: overtake(scene))
    scene.steward.before = lambda name: nap.take() if name == "held" else None
    with pytest.raises(SwitchFault) as lost:
        go(scene, run)
    assert nap.slept
    assert serves(scene)
    told(lost.value)
    assert [s.containers[0].image for s in scene.provisioner.applied if s.anew][1:] == [
        scene.world.images["hello/web:1.2"]
    ]


def cut_off() -> Scene:
    """A promotion died with its containers in green."""
    scene, run = proven()
    die(scene, scene.provisioner, "apply", after=True)
    with pytest.raises(Died):
        go(scene, run)
    revive(scene)
    return scene


@pytest.mark.parametrize("moment", ["looked", "asked", "allowed"])
def test_a_recover_that_slept_before_it_removed_leaves_what_went_live_there(moment: str) -> None:
    scene = cut_off()
    nap = Nap(scene, lambda: overtake(scene))
    sleeps_while_removing(nap, moment)
    with pytest.raises(SwitchFault) as lost:
        recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert nap.slept
    assert serves(scene)
    assert "green is live" in told(lost.value)


def test_control_a_recover_that_does_not_ask_takes_the_live_colour_down() -> None:
    scene = cut_off()
    nap = Nap(scene, lambda: overtake(scene))
    sleeps_while_removing(nap, "looked")
    never_asked(scene)
    with pytest.raises(SwitchFault):
        recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert not serves(scene)


def down(scene: Scene, destroy: str | None = None) -> tuple[str, ...]:
    return environments.down(scene.platform, scene.ports, [MIRROR, CLAIM], destroy=destroy, wait=0.0)


@pytest.mark.parametrize("moment", ["looked", "asked", "allowed"])
def test_a_down_that_slept_before_it_removed_what_was_left_leaves_what_went_live_there(moment: str) -> None:
    scene, _ = left_over()
    nap = Nap(scene, lambda: overtake(scene))
    sleeps_while_removing(nap, moment)
    with pytest.raises(SwitchFault) as lost:
        down(scene)
    assert nap.slept
    assert serves(scene)
    assert "nobody holds it now; green is live" in told(lost.value)


def test_what_a_sleeping_down_is_about_to_remove_is_no_way_back_for_another() -> None:
    """The very same containers would go live: their ids would not tell them from what was to be removed."""
    scene, _ = left_over()
    refused: list[str] = []

    def others() -> None:
        with pytest.raises(Refused) as no:
            rollback.rollback(scene.platform, scene.ports, BOB, wait=0.0, override="the old one was better")
        refused.append(no.value.code)

    sleeps_while_removing(Nap(scene, others), "allowed")
    with pytest.raises(SwitchFault):
        down(scene)
    assert refused == ["no-release"]
    assert live(scene) is Colour.BLUE


def test_control_before_anybody_is_about_to_remove_it_the_same_way_back_is_open() -> None:
    scene, _ = left_over()
    back = rollback.rollback(scene.platform, scene.ports, BOB, wait=0.0, override="the old one was better")
    assert back.record.view.phase is Phase.PROMOTED
    assert live(scene) is Colour.GREEN


def test_who_is_at_work_is_told_to_a_down_that_slept() -> None:
    scene, _ = left_over()
    with ExitStack() as bobs:
        sleeps_while_removing(Nap(scene, lambda: bobs.enter_context(scene.steward.lease(BOB, 0.0))), "looked")
        with pytest.raises(SwitchFault) as lost:
            down(scene)
    assert "bob holds it now: otagate promote, from bob@ward:2; blue is live" in told(lost.value)
    assert lost.value.hint.startswith("otagate status shows what bob comes to")


def sleeps_while_destroying(nap: Nap, *, asks: bool) -> None:
    real = nap.scene.engine.remove

    def remove(platform: str, bindings: Sequence[Binding], *, state: bool, may: May, tell: Tell) -> tuple[str, ...]:
        if Binding.PRODUCTION in bindings:
            nap.take()
        return real(platform, bindings, state=state, may=may if asks else lambda: None, tell=tell)

    nap.scene.engine.remove = remove  # type: ignore[method-assign]


@pytest.mark.parametrize("asks", [True, False])
def test_a_destroy_that_slept_takes_nothing_down_and_control_did_it_not_ask_it_would(asks: bool) -> None:
    scene, _ = left_over()
    nap = Nap(scene, lambda: overtake(scene))
    sleeps_while_destroying(nap, asks=asks)
    if asks:
        with pytest.raises(SwitchFault) as lost:
            down(scene, "p")
        told(lost.value)
        assert serves(scene)
    else:
        down(scene, "p")
        assert scene.world.containers == {}
