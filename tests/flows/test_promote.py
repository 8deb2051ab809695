"""Promotions over the fakes, and what is left when the command dies at any call of any port."""

from dataclasses import replace

import pytest

from otagate.core.cloud import Colour
from otagate.core.container import Stage
from otagate.core.errors import Alarm, EngineFault, Interrupted, ProvisionFault, Refused, UsageError
from otagate.core.promotion import Event, Phase
from otagate.core.shadow import Body, ShadowRule, ShadowSeen
from otagate.flows import gate, incidents, promote, recover, rollback
from tests.flows.scene import CLAIM, MIRROR, Scene, raised

WEB_1 = "p-blue-web"


def proven(image: str = "hello/web:1.1") -> tuple[Scene, str]:
    scene = raised()
    return scene, judged(scene, image)


def judged(scene: Scene, image: str) -> str:
    return gate.test(scene.platform, {"web": image}, scene.ports, MIRROR, wait=0.0, keep=False).header.run


def go(scene: Scene, run: str) -> promote.Attempt:
    return promote.promote(scene.platform, run, scene.ports, CLAIM, wait=0.0)


def live(scene: Scene) -> Colour | None:
    return scene.steward.status().live


def test_a_judged_release_goes_live_on_the_idle_colour_and_the_old_one_stays_warm() -> None:
    scene, run = proven()
    attempt = go(scene, run)
    assert attempt.record.view.phase is Phase.PROMOTED
    assert live(scene) is Colour.GREEN
    assert scene.world.containers["p-green-web"].container.image == scene.world.images["hello/web:1.1"]
    assert scene.world.containers[WEB_1].running
    assert scene.steward.status().colours["blue"].warm


def test_the_containers_of_a_promotion_are_fresh_ones_bound_to_production() -> None:
    scene, run = proven()
    go(scene, run)
    container = scene.world.containers["p-green-web"].container
    assert [a.network for a in container.networks] == ["p-green"]
    production = next(f.content for f in scene.world.containers[WEB_1].container.files if f.secret)
    assert [f.content for f in container.files if f.secret] == [production]


def test_a_release_that_stood_there_before_is_made_afresh() -> None:
    scene, run = proven()
    go(scene, run)
    first = scene.world.containers["p-green-web"].id
    rollback.rollback(scene.platform, scene.ports, CLAIM, wait=0.0)
    incidents.clear(scene.platform, scene.ports, CLAIM, scene.steward.incidents()[0].incident, "the store was full")
    scene.world.clock.advance(1.0)
    go(scene, judged(scene, "hello/web:1.1"))
    assert scene.world.containers["p-green-web"].id != first


def test_a_digest_that_differs_after_deploying_discards_what_was_deployed() -> None:
    scene, run = proven()
    real = scene.engine.observe

    def observe(*words: object) -> object:
        if "p-green-web" in scene.world.containers:
            standing = scene.world.containers["p-green-web"]
            standing.container = replace(standing.container, image="sha256:" + "9" * 64)
        return real(*words)  # type: ignore[arg-type]

    scene.engine.observe = observe  # type: ignore[method-assign, assignment]
    attempt = go(scene, run)
    assert attempt.record.view.phase is Phase.ABANDONED
    assert "judged" in attempt.record.view.reason
    assert "p-green-web" not in scene.world.containers
    assert live(scene) is Colour.BLUE


def test_a_colour_that_answers_with_another_build_is_refused_at_smoke() -> None:
    scene, run = proven()
    scene.steward.world = None
    scene.steward.builds[Colour.GREEN] = {"web": scene.world.images["hello/web:1.5"]}
    attempt = go(scene, run)
    assert attempt.record.view.phase is Phase.ABANDONED
    assert "not judged" in attempt.record.view.reason


def test_a_deployment_that_breaks_is_discarded_and_production_serves_on() -> None:
    scene, run = proven()
    scene.world.sick.add(scene.world.images["hello/web:1.1"])
    attempt = go(scene, run)
    assert attempt.record.view.phase is Phase.ABANDONED
    assert attempt.objections == ()
    assert live(scene) is Colour.BLUE


@pytest.mark.parametrize(
    ("outcomes", "phase", "serves"),
    [
        ({Phase.WATCHING: (Event.REFUSED, "errors")}, Phase.ROLLED_BACK, Colour.BLUE),
        ({Phase.FLIPPING: (Event.FAULT, "socket gone")}, Phase.ROLLED_BACK, Colour.BLUE),
        (
            {Phase.WATCHING: (Event.REFUSED, "errors"), Phase.ROLLING_BACK: (Event.FAULT, "warm is dead")},
            Phase.STRANDED,
            Colour.GREEN,
        ),
    ],
)
def test_what_the_steward_comes_to_is_told_as_it_is(
    outcomes: dict[Phase, tuple[Event, str]], phase: Phase, serves: Colour
) -> None:
    scene, run = proven()
    scene.steward.outcomes = outcomes
    attempt = go(scene, run)
    assert attempt.record.view.phase is phase
    assert live(scene) is serves


def test_an_interrupt_while_deploying_takes_the_way_out() -> None:
    scene, run = proven()

    def interrupt(_: Stage) -> None:
        scene.provisioner.before = lambda _: None
        raise KeyboardInterrupt

    scene.provisioner.before = interrupt
    with pytest.raises(Interrupted):
        go(scene, run)
    status = scene.steward.status()
    assert status.promotion is not None
    assert status.promotion.phase is Phase.ABANDONED
    assert status.live is Colour.BLUE


def test_a_second_promotion_waits_until_the_first_is_recovered() -> None:
    scene, run = proven()
    die(scene, scene.provisioner, "apply")
    with pytest.raises(Died):
        go(scene, run)
    revive(scene)
    with pytest.raises(Refused, match="unfinished"):
        go(scene, run)
    done = recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert done.after is not None
    assert done.after.view.phase is Phase.ABANDONED
    assert go(scene, run).record.view.phase is Phase.PROMOTED


def test_no_such_run_is_told() -> None:
    with pytest.raises(UsageError, match="no run"):
        go(raised(), "2020")


def test_a_disagreement_stops_a_promotion_before_it_begins() -> None:
    scene, run = proven()
    scene.steward.disagreements = ("the map file says green",)
    with pytest.raises(Alarm, match="map file says green"):
        go(scene, run)


# --- die anywhere -----------------------------------------------------------------------------------------------


class Died(BaseException):
    """The process is gone: nothing of it runs on, not even its ways out."""


def die(scene: Scene, port: object, name: str, *, after: bool = False) -> None:
    """The command dies at the next call of `port.name`, before its effect or just after it."""
    real = getattr(port, name)

    def dying(*words: object, **named: object) -> object:
        if after:
            real(*words, **named)
        scene.steward.before = _dead
        for other, method in CALLS:
            setattr(getattr(scene, other), method, _dead)
        raise Died

    setattr(port, name, dying)


def _dead(*_: object, **__: object) -> None:
    raise Died


def revive(scene: Scene) -> None:
    """Another process: the same world and journal, new ports; the kernel has freed the lease."""
    scene.steward.before = lambda _: None
    scene.steward._held.clear()
    for other, method in CALLS:
        getattr(scene, other).__dict__.pop(method, None)
    scene.engine.__dict__.pop("observe", None)


CALLS = [
    ("provisioner", "apply"),
    ("engine", "remove_colour"),
    ("engine", "remove_switch"),
    ("engine", "observe"),
    ("suites", "digest"),
]


def at_steward(scene: Scene, asked: str, nth: int) -> None:
    count = 0

    def before(name: str) -> None:
        nonlocal count
        count += name == asked
        if name == asked and count == nth:
            scene.steward.before = _dead
            raise Died

    scene.steward.before = before


POINTS = [
    *(
        ("steward", ask, nth)
        for ask, n in (("begin", 1), ("report", 4), ("note", 2), ("prove", 1), ("may-remove", 1), ("held", 1))
        for nth in range(1, n + 1)
    ),
    *((other, method, after) for other, method in CALLS for after in (0, 1) if method != "remove_colour"),
]


@pytest.mark.parametrize(("port", "call", "which"), POINTS)
def test_whatever_call_the_command_dies_at_one_colour_serves_and_recover_ends_it(
    port: str, call: str, which: int
) -> None:
    scene, run = proven()
    if port == "steward":
        at_steward(scene, call, which)
    else:
        die(scene, getattr(scene, port), call, after=bool(which))
    died = False
    try:
        go(scene, run)
    except Died:
        died = True
    revive(scene)
    recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)
    status = scene.steward.status()
    assert status.promotion is not None
    assert status.promotion.phase.ended
    serving = scene.world.containers[f"p-{status.live}-web"]
    assert serving.running
    if died and status.live is Colour.BLUE:
        assert "p-green-web" not in scene.world.containers
        assert go(scene, run).record.view.phase is Phase.PROMOTED


def test_the_faults_of_ports_are_told_and_undone() -> None:
    for fault in (ProvisionFault("ansible"), EngineFault("engine")):
        scene, run = proven()

        def broken(_: Stage, fault: Exception = fault) -> None:
            raise fault

        scene.provisioner.before = broken
        attempt = go(scene, run)
        assert attempt.record.view.phase is Phase.ABANDONED
        assert str(fault) in attempt.record.view.reason


SHADOW = ShadowRule(5.0, 100, 20, 0, (), Body.EXACT)


def shadowed(seen: ShadowSeen, rule: ShadowRule = SHADOW) -> tuple[Scene, str]:
    """A judged release of a platform that declares a shadow, which will come to `seen`."""
    scene = Scene()
    listeners = scene.platform.listeners
    web = replace(listeners["web"], shadow=rule)
    scene.platform = replace(scene.platform, listeners={**listeners, "web": web})
    scene.up()
    scene.steward.shadows = {"web": seen}
    return scene, judged(scene, "hello/web:1.1")


def test_a_release_that_answers_as_the_live_one_does_goes_live() -> None:
    scene, run = shadowed(ShadowSeen(compared=30))
    assert go(scene, run).record.view.phase is Phase.PROMOTED


@pytest.mark.parametrize("seen", [ShadowSeen(30, 1), ShadowSeen(19), ShadowSeen()])
def test_control_a_release_that_answers_otherwise_or_was_not_compared_is_abandoned(seen: ShadowSeen) -> None:
    scene, run = shadowed(seen)
    attempt = go(scene, run)
    assert attempt.record.view.phase is Phase.ABANDONED
    assert "shadow of web" in attempt.record.view.reason
    assert live(scene) is Colour.BLUE
    assert "p-green-web" not in scene.world.containers


def test_where_nothing_refuses_what_differs_is_only_shown() -> None:
    scene, run = shadowed(ShadowSeen(30, 30), replace(SHADOW, unexplained=None))
    assert go(scene, run).record.view.phase is Phase.PROMOTED


def test_a_switch_made_without_a_shadow_refuses_it() -> None:
    scene, run = shadowed(ShadowSeen(compared=30))
    scene.steward.shadowed = set()
    attempt = go(scene, run)
    assert attempt.record.view.phase is Phase.ABANDONED
    assert "made without a shadow of web" in attempt.record.view.reason
