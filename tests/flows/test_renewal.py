"""A changed definition of the edge: `up` renews the steward, `switch replace` brings in the switch."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from otagate.core.cloud import LABEL_DOORS
from otagate.core.errors import Busy, ProvisionFault, Refused, SwitchFault
from otagate.core.plan import Action
from otagate.core.platform import Hook, HookName, Tls
from otagate.core.shadow import Body, ShadowRule
from otagate.flows import environments, renewal, rollback, switch
from tests.flows.scene import CLAIM, Scene, raised
from tests.flows.test_environments import first_of, other_image, renew
from tests.flows.test_promote import go, judged

HOLDER, STEWARD, SWITCH = "p-shared-holder", "p-shared-steward", "p-shared-switch"


def listener_changed(scene: Scene, name: str = "dicom", **changes: Any) -> None:
    listeners = dict(scene.platform.listeners)
    listeners[name] = replace(listeners[name], **changes)
    scene.platform = replace(scene.platform, listeners=listeners)


def idle_changed(scene: Scene) -> None:
    listener_changed(scene, idle_timeout=3 * 3600.0)


def shadow_changed(scene: Scene) -> None:
    listener_changed(scene, "web", shadow=ShadowRule(30.0, 200, 20, 0, (), Body.JSON))


def ids(scene: Scene) -> dict[str, str]:
    return {name: standing.id for name, standing in scene.world.containers.items()}


def renewed(scene: Scene) -> tuple[str, ...]:
    return renewal.renew_steward(scene.platform, scene.ports, CLAIM, wait=0.0)


def up(scene: Scene) -> environments.Raised:
    """As the command does it."""
    renewed(scene)
    return scene.up()


def replaced(scene: Scene) -> None:
    switch.replace(scene.platform, scene.ports, CLAIM, wait=0.0)


def red(scene: Scene) -> bool:
    return environments.describe(scene.platform, scene.ports).red


CHANGES: tuple[Callable[[Scene], None], ...] = (
    idle_changed,
    shadow_changed,
    lambda scene: listener_changed(scene, "web", probe="/ready"),
    lambda scene: listener_changed(scene, called_ae="OTHER"),
)


@pytest.mark.parametrize("second", ["", "127.0.0.2"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("steward_first", [True, False])
def test_a_changed_listener_is_brought_in_by_up_and_switch_replace_in_either_order(
    second: str, change: Callable[[Scene], None], steward_first: bool
) -> None:
    scene = raised(second=second)
    change(scene)
    assert red(scene)
    for bring_in in (renewed, replaced) if steward_first else (replaced, renewed):
        assert red(scene)
        bring_in(scene)
    assert not red(scene)
    assert scene.up() == environments.Raised((), None)


def test_up_replaces_the_steward_alone_and_tells_of_the_switch() -> None:
    scene = raised()
    before, volumes = ids(scene), dict(scene.world.volumes)
    idle_changed(scene)
    plan = environments.plan_up(scene.platform, scene.ports)
    assert [(s.action, s.subject) for s in plan.steps if s.action is not Action.KEEP] == [(Action.REPLACE, STEWARD)]
    assert [s.subject for s in plan.steps if "changed; not applied" in s.cause] == [SWITCH]
    assert ids(scene) == before
    assert renewed(scene) == (STEWARD,)
    assert {name for name, made in ids(scene).items() if made != before[name]} == {STEWARD}
    assert scene.world.volumes == volumes
    told = scene.up()
    assert (told.changed, told.unapplied, told.kept) == ((), {SWITCH: "switch"}, None)
    assert renewed(scene) == ()


def test_before_anything_is_live_the_steward_is_renewed_as_well() -> None:
    scene = Scene()
    scene.world.sick.add(scene.world.images["hello/web:1.0"])
    with pytest.raises(ProvisionFault):
        scene.up()
    scene.world.sick.clear()
    idle_changed(scene)
    assert renewed(scene) == (STEWARD,)
    assert scene.up().unapplied == {}
    assert not red(scene)


def test_a_renewal_for_its_definition_needs_the_lease() -> None:
    scene = raised()
    before = ids(scene)
    idle_changed(scene)
    with scene.steward.lease(CLAIM, 0.0), pytest.raises(Busy):
        renewed(scene)
    assert ids(scene) == before


def kept(scene: Scene) -> renewal.Kept:
    """Why the steward is left as it is by `up`, and everything else as well."""
    before = ids(scene)
    assert Action.REPLACE not in {s.action for s in environments.plan_up(scene.platform, scene.ports).steps}
    assert renewed(scene) == ()
    told = scene.up()
    assert STEWARD in told.unapplied
    assert ids(scene) == before
    assert told.kept is not None
    return told.kept


def promoted(warm: float) -> Scene:
    """The way back is kept for `warm` seconds after the flip that was just made."""
    scene = raised()
    scene.platform = replace(scene.platform, policy=replace(scene.platform.policy, warm=warm))
    go(scene, judged(scene, "hello/web:1.1"))
    return scene


def test_while_the_way_back_is_kept_so_is_the_steward() -> None:
    scene = promoted(600.0)
    idle_changed(scene)
    assert kept(scene).why == "the way back is kept for 600 s more"
    scene.world.clock.advance(599.0)
    assert kept(scene).why == "the way back is kept for 1 s more"
    scene.world.clock.advance(1.0)
    assert renewed(scene) == (STEWARD,)
    replaced(scene)
    assert not red(scene)


def test_a_clock_that_was_set_back_keeps_the_steward_no_longer_than_the_policy_says() -> None:
    scene = promoted(600.0)
    idle_changed(scene)
    scene.world.clock.advance(-86400.0)
    assert kept(scene).why == "the way back is kept for 600 s more"


def test_where_there_is_no_way_back_left_the_steward_is_renewed() -> None:
    scene = promoted(600.0)
    idle_changed(scene)
    rollback.rollback(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert renewed(scene) == (STEWARD,)


def test_a_steward_of_another_image_is_renewed_also_while_the_way_back_is_kept() -> None:
    scene = promoted(600.0)
    other_image(scene)
    assert renewed(scene) == (STEWARD,)


@pytest.mark.parametrize("what", ["promotion", "replacement"])
def test_while_something_is_unfinished_the_steward_is_kept(what: str) -> None:
    scene = raised()
    with scene.steward.lease(CLAIM, 0.0) as hold:
        if what == "promotion":
            hold.begin(first_of(scene))
        else:
            hold.replace_switch(5.0)
    idle_changed(scene)
    assert kept(scene).why == "what it began is unfinished"


def test_what_was_begun_while_the_lease_was_waited_for_keeps_the_steward() -> None:
    scene = raised()
    idle_changed(scene)
    before = ids(scene)

    def begun_first(ask: str) -> None:
        if ask == "lease":
            scene.steward.before = lambda _: None
            with scene.steward.lease(CLAIM, 0.0) as hold:
                hold.begin(first_of(scene))

    scene.steward.before = begun_first
    assert renewed(scene) == ()
    assert ids(scene) == before


def added(scene: Scene) -> None:
    listeners = scene.platform.listeners
    more = replace(listeners["dicom"], name="more", host_port=10401)
    scene.platform = replace(scene.platform, listeners={**listeners, "more": more})


def removed(scene: Scene) -> None:
    scene.platform = replace(scene.platform, listeners={"web": scene.platform.listeners["web"]})


def reordered(scene: Scene) -> None:
    scene.platform = replace(scene.platform, listeners=dict(reversed([*scene.platform.listeners.items()])))


OTHER_DOORS: tuple[Callable[[Scene], None], ...] = (
    added,
    removed,
    reordered,
    lambda scene: listener_changed(scene, tls=Tls.PASS),
)


@pytest.mark.parametrize("change", OTHER_DOORS)
def test_other_doors_are_brought_in_by_nothing(change: Callable[[Scene], None]) -> None:
    scene = raised()
    change(scene)
    before = ids(scene)
    assert "were made for web/http/web/none dicom/dicom/web/none;" in kept(scene).why
    for refused in (replaced, lambda s: switch.plan_replacement(s.platform, s.ports)):
        with pytest.raises(Refused, match="the platform's files define") as no:
            refused(scene)
        assert no.value.code == "doors-changed"
    assert ids(scene) == before


def of_another_otagate(scene: Scene) -> None:
    def before(_: str) -> None:
        raise SwitchFault("another otagate", code="version")

    scene.steward.before = before


@pytest.mark.parametrize("change", OTHER_DOORS)
@pytest.mark.parametrize("why", ["image", "second", "gone", "otagate"])
def test_a_steward_that_must_be_made_anew_is_not_made_for_other_doors(
    why: str, change: Callable[[Scene], None]
) -> None:
    scene = raised()
    change(scene)
    if why == "image":
        other_image(scene)
    elif why == "second":
        scene.platform = replace(scene.platform, second="127.0.0.2")
    elif why == "otagate":
        of_another_otagate(scene)
    else:
        scene.world.containers.pop(STEWARD)
    before = ids(scene)
    for refused in (up, lambda s: environments.plan_up(s.platform, s.ports)):
        with pytest.raises(Refused) as no:
            refused(scene)
        assert no.value.code == "doors-changed"
    assert ids(scene) == before


def test_a_steward_is_not_renewed_where_the_switch_owns_its_ports_itself() -> None:
    scene = raised()
    scene.world.containers.pop(HOLDER)
    other_image(scene)
    before = ids(scene)
    with pytest.raises(Refused) as no:
        renewed(scene)
    assert no.value.code == "no-holder"
    assert ids(scene) == before


@pytest.mark.parametrize("left", [(), ("p-shared-store",)])
def test_production_without_its_steward_is_told_and_up_brings_it_back(left: tuple[str, ...]) -> None:
    scene = raised()
    for name in [*scene.world.containers] if left else [STEWARD]:
        if name not in left:
            scene.world.containers.pop(name)
    shown = environments.describe(scene.platform, scene.ports)
    assert shown.red
    assert [(d.service, d.field) for d in shown.departures] == [("steward", "container")]
    up(scene)
    assert not red(scene)


def other_label(scene: Scene, holder: str, made: str | None) -> None:
    standing = scene.world.containers[holder]
    labels = {name: value for name, value in standing.container.labels.items() if name != LABEL_DOORS}
    if made is not None:
        labels[LABEL_DOORS] = made
    standing.container = replace(standing.container, labels=labels)


@pytest.mark.parametrize("holder", [HOLDER, "p-shared-holder-second"])
@pytest.mark.parametrize("made", [None, "web/http/web/none"])
def test_doors_of_either_holder_that_do_not_say_the_same_are_other_doors(holder: str, made: str | None) -> None:
    scene = raised(second="127.0.0.2")
    other_label(scene, holder, made)
    with pytest.raises(Refused, match=holder) as no:
        replaced(scene)
    assert no.value.code == "doors-changed"
    idle_changed(scene)
    assert holder in kept(scene).why


def hooks_in(scene: Scene) -> str:
    return scene.world.containers[STEWARD].container.environment["OTAGATE_TOPOLOGY"]


@pytest.mark.parametrize("why", ["definition", "image"])
def test_a_steward_is_never_given_the_hooks_of_a_release_that_is_not_live(why: str) -> None:
    scene = raised()
    web = scene.platform.services["web"]
    hook = Hook(HookName.DRAIN, 8080, "/hooks/other", 2.0)
    scene.platform = replace(scene.platform, services={**scene.platform.services, "web": replace(web, hooks=(hook,))})
    if why == "definition":
        idle_changed(scene)
    else:
        other_image(scene)
    assert renewed(scene) == (STEWARD,)
    assert "/hooks/other" not in hooks_in(scene)
    assert renewed(scene) == ()


def test_a_steward_of_an_otagate_before_doors_were_labelled_is_renewed() -> None:
    scene = raised()
    old = other_image(scene)
    other_label(scene, HOLDER, None)
    of_another_otagate(scene)
    renew(scene)
    assert scene.world.containers[STEWARD].id != old
