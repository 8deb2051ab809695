from dataclasses import replace

import pytest

from otagate.core.errors import Busy, EngineFault, OtagateError, ProvisionFault, Refused, SwitchFault, UsageError
from otagate.core.plan import Action
from otagate.core.replacement import Reach, Replacement
from otagate.flows import environments, recover, switch
from tests.flows.scene import CLAIM, Scene, raised
from tests.flows.test_promote import Died, die, revive

OLD, NEW = "p-shared-switch", "p-shared-switch-2"


def go(scene: Scene) -> Replacement:
    (done,) = switch.replace(scene.platform, scene.ports, CLAIM, wait=0.0)
    return done


def both(scene: Scene) -> tuple[Replacement, ...]:
    return switch.replace(scene.platform, scene.ports, CLAIM, wait=0.0)


def switches(scene: Scene) -> set[str]:
    return {name for name in scene.names() if "switch" in name}


def red(scene: Scene) -> bool:
    return environments.describe(scene.platform, scene.ports).red


def test_another_switch_stands_where_the_old_one_stood_and_the_doors_stay() -> None:
    scene = raised()
    holder, ports = scene.world.containers["p-shared-holder"].id, scene.engine.published("p")
    done = go(scene)
    assert (done.reach, done.old, done.new, done.by) == (Reach.REPLACED, 1, 2, "ada")
    assert switches(scene) == {NEW}
    assert (scene.world.containers["p-shared-holder"].id, scene.engine.published("p")) == (holder, ports)
    assert not red(scene)
    assert scene.up().changed == ()


def test_the_next_one_follows_it() -> None:
    scene = raised()
    go(scene)
    assert (go(scene).new, switches(scene)) == (3, {"p-shared-switch-3"})


def test_the_dry_run_names_what_is_created_and_removed_and_changes_nothing() -> None:
    scene = raised()
    go(scene)
    before = switches(scene)
    plan = switch.plan_replacement(scene.platform, scene.ports)
    assert switches(scene) == before
    go(scene)
    changed = {s.subject for s in plan.steps if s.action in (Action.CREATE, Action.REMOVE)}
    assert changed == before | switches(scene)


def test_what_was_cut_is_told() -> None:
    scene = raised()
    scene.steward.switches.cut = ("dicom 10.0.0.9:1 open 9s",)
    assert go(scene).cut == ("dicom 10.0.0.9:1 open 9s",)


def test_one_that_cannot_be_raised_is_removed_and_the_old_one_stays() -> None:
    scene = raised()
    scene.world.sick.add(scene.engine.images().switch)
    with pytest.raises(ProvisionFault):
        go(scene)
    assert switches(scene) == {OLD}
    assert not red(scene)


def test_one_that_is_not_proven_is_removed_and_the_old_one_stays() -> None:
    scene = raised()
    scene.steward.switches.breaks = "its map says green"
    with pytest.raises(SwitchFault, match="its map says green"):
        go(scene)
    assert switches(scene) == {OLD}
    assert not red(scene)


def test_one_through_which_the_doors_do_not_answer_is_undone() -> None:
    scene = raised()
    scene.steward.switches.fails = "nobody answers"
    done = go(scene)
    assert (done.reach, done.reason) == (Reach.UNDONE, "nobody answers")
    assert switches(scene) == {OLD}


def test_a_production_whose_switch_owns_its_ports_is_told_what_to_do_and_left_alone() -> None:
    scene = raised()
    del scene.world.containers["p-shared-holder"]
    before = {name: s.id for name, s in scene.world.containers.items()}
    for command in (lambda: go(scene), lambda: switch.plan_replacement(scene.platform, scene.ports), scene.up):
        with pytest.raises(Refused, match="owns its ports itself") as no:
            command()
        assert no.value.code == "no-holder"
        assert f"docker rm -f {OLD}, then otagate up" in no.value.hint
    assert {name: s.id for name, s in scene.world.containers.items()} == before
    del scene.world.containers[OLD]  # what the hint says
    assert set(scene.up().changed) == {"p-shared-holder", OLD}


def test_a_listener_more_or_less_is_refused() -> None:
    scene = raised()
    listeners = {"web": scene.platform.listeners["web"]}
    scene.platform = replace(scene.platform, listeners=listeners)
    with pytest.raises(Refused) as no:
        go(scene)
    assert no.value.message == (
        "the doors of p-shared-holder were made for web/http/web/none dicom/dicom/web/none; the platform's files "
        "define web/http/web/none"
    )


def test_it_is_refused_before_anything_is_live_and_while_somebody_works() -> None:
    with pytest.raises(UsageError):
        go(Scene())
    scene = raised()
    with scene.steward.lease(CLAIM, 0.0), pytest.raises(Busy):
        go(scene)
    assert switches(scene) == {OLD}


@pytest.mark.parametrize("after", [False, True])
def test_a_command_line_that_died_while_raising_is_undone_by_recover(after: bool) -> None:
    scene = raised()
    die(scene, scene.provisioner, "apply", after=after)
    with pytest.raises(Died):
        go(scene)
    revive(scene)
    assert red(scene)
    with pytest.raises(Refused, match="unfinished"):
        go(scene)
    done = recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert done.replacement is not None
    assert done.replacement.reach is Reach.UNDONE
    assert switches(scene) == {OLD}
    assert not red(scene)


@pytest.mark.parametrize("halts", [Reach.TAKING, Reach.ALONE, Reach.DRAINED])
def test_one_that_was_cut_off_later_is_finished_by_recover(halts: Reach) -> None:
    scene = raised()
    scene.steward.switches.halts = halts
    die(scene, scene.engine, "remove_switch")
    with pytest.raises((Died, OtagateError)):
        go(scene)
    revive(scene)
    assert red(scene)
    planned = recover.plan_recovery(scene.platform, scene.ports)
    done = recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert done.replacement is not None
    assert done.replacement.reach is Reach.REPLACED
    assert [s.subject for s in planned.steps if s.action is Action.REMOVE] == [OLD]
    assert switches(scene) == {NEW}
    assert not red(scene)
    assert recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0) == recover.Recovery(None, None)


SECOND_OLD = "p-shared-switch-second"


def test_of_a_pair_both_are_replaced_and_all_doors_stay() -> None:
    scene = raised(second="127.0.0.2")
    holders = {name: s.id for name, s in scene.world.containers.items() if "holder" in name}
    assert len(holders) == 2
    planned = switch.plan_replacement(scene.platform, scene.ports)
    done = both(scene)
    assert [(one.old, one.new, one.second, one.reach) for one in done] == [
        (1, 2, False, Reach.REPLACED),
        (1, 3, True, Reach.REPLACED),
    ]
    assert switches(scene) == {"p-shared-switch-2", "p-shared-switch-second-3"}
    assert {name: s.id for name, s in scene.world.containers.items() if "holder" in name} == holders
    assert [s.subject for s in planned.steps if s.action is Action.REMOVE] == [OLD, SECOND_OLD]
    assert {s.subject for s in planned.steps if s.action is Action.CREATE} == switches(scene)
    assert not red(scene)
    assert scene.up().changed == ()
    assert [one.new for one in both(scene)] == [4, 5]


def test_of_a_pair_the_second_is_not_tried_with_what_the_first_could_not_take() -> None:
    scene = raised(second="127.0.0.2")
    scene.steward.switches.fails = "nobody answers"
    assert [one.reach for one in both(scene)] == [Reach.UNDONE]
    assert switches(scene) == {OLD, SECOND_OLD}


@pytest.mark.parametrize("halts", [None, Reach.TAKING, Reach.ALONE, Reach.DRAINED])
def test_of_a_pair_one_that_was_cut_off_at_the_second_is_finished_by_recover(halts: Reach | None) -> None:
    scene = raised(second="127.0.0.2")
    asked: list[str] = []

    def at_the_second(ask: str) -> None:
        asked.append(ask)
        if asked.count("replace-switch") == 2 and ask == "replace-switch":
            scene.steward.switches.halts = halts
            die(
                scene,
                scene.provisioner if halts is None else scene.engine,
                "apply" if halts is None else "remove_switch",
            )

    scene.steward.before = at_the_second
    with pytest.raises((Died, OtagateError)):
        both(scene)
    revive(scene)
    assert red(scene)
    planned = recover.plan_recovery(scene.platform, scene.ports)
    done = recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0).replacement
    assert done is not None
    assert (done.second, done.reach) == (True, Reach.UNDONE if halts is None else Reach.REPLACED)
    left = "p-shared-switch-second-3" if halts is None else SECOND_OLD
    assert [s.subject for s in planned.steps if s.action is Action.REMOVE] == [left]
    kept = SECOND_OLD if halts is None else "p-shared-switch-second-3"
    assert switches(scene) == {NEW, kept}, "the first one was done and stays so"
    assert not red(scene)


def test_a_second_that_lost_its_holder_is_not_replaced() -> None:
    scene = raised(second="127.0.0.2")
    del scene.world.containers["p-shared-holder-second"]
    with pytest.raises(Refused, match="p-shared-holder-second, which owns the doors, is not there"):
        both(scene)
    assert switches(scene) == {OLD, SECOND_OLD}


def test_a_fault_after_the_new_one_serves_says_that_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = raised()

    def broken(*_: object, **_more: object) -> None:
        raise EngineFault("the engine does not answer")

    monkeypatch.setattr(scene.engine, "remove_switch", broken)
    with pytest.raises(EngineFault, match=f"{NEW} serves; {OLD}, which nothing needs, may be left over") as told:
        go(scene)
    assert "otagate recover" in told.value.hint
    monkeypatch.undo()
    assert red(scene)
    recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert switches(scene) == {NEW}
    assert not red(scene)


def test_who_loses_the_steward_while_it_hands_over_is_told_that_the_outcome_is_unknown() -> None:
    scene = raised()

    asked: list[str] = []

    def lost(name: str) -> None:
        asked.append(name)
        if name == "status" and "take-doors" in asked:
            raise SwitchFault("the engine that runs the steward did not answer", code="engine", hint="is it up?")

    scene.steward.before = lost
    with pytest.raises(SwitchFault) as told:
        go(scene)
    assert told.value.hint == "outcome unknown: otagate status says what is so"
