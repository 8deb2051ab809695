from dataclasses import replace

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import Alarm, Busy, ProvisionFault, Refused, SwitchFault, UsageError
from otagate.core.plan import Action
from otagate.core.promotion import Event, Phase
from otagate.core.traffic import Intent, Kind
from otagate.flows import environments, gate, promote, renewal
from tests.flows.scene import CLAIM, MIRROR, Scene, raised


def down(scene: Scene, destroy: str | None) -> tuple[str, ...]:
    return environments.down(scene.platform, scene.ports, [MIRROR, CLAIM], destroy=destroy, wait=0.0)


PRODUCTION = ["p-blue-web", "p-shared-holder", "p-shared-steward", "p-shared-store", "p-shared-switch"]


def test_genesis_makes_the_first_release_live_on_blue_and_marks_it_unproven() -> None:
    scene = Scene()
    made = scene.up()
    assert made.genesis is not None
    assert made.genesis.view.phase is Phase.PROMOTED
    assert made.genesis.view.intent.unproven
    assert made.genesis.view.intent.by == "ada"
    assert scene.names() == PRODUCTION
    assert scene.steward.status().live is Colour.BLUE


def test_a_second_up_changes_nothing() -> None:
    scene = raised()
    before = {name: s.id for name, s in scene.world.containers.items()}
    again = scene.up()
    assert again == environments.Raised((), None)
    assert {name: s.id for name, s in scene.world.containers.items()} == before


def test_up_adds_what_is_missing_from_the_live_digests_not_from_a_moved_tag() -> None:
    scene = raised()
    live = scene.world.containers.pop("p-blue-web").container.image
    scene.world.images["hello/web:1.0"] = "sha256:" + "f" * 64
    scene.up()
    assert scene.world.containers["p-blue-web"].container.image == live


def test_a_first_release_that_breaks_leaves_nothing_live_and_state_standing() -> None:
    scene = Scene()
    scene.world.sick.add(scene.world.images["hello/web:1.0"])
    with pytest.raises(ProvisionFault):
        scene.up()
    status = scene.steward.status()
    assert status.live is None
    assert status.promotion is not None
    assert status.promotion.phase is Phase.ABANDONED
    assert scene.names() == ["p-shared-steward", "p-shared-store"]
    scene.world.sick.clear()
    assert scene.up().genesis is not None


def test_a_first_release_that_answers_with_another_build_is_undone() -> None:
    scene = Scene()
    scene.steward.world = None
    scene.steward.up = True
    scene.steward.builds[Colour.BLUE] = {"web": scene.world.images["hello/web:1.5"]}
    with pytest.raises(Refused, match="not judged"):
        scene.up()
    promotion = scene.steward.status().promotion
    assert promotion is not None
    assert promotion.phase is Phase.ABANDONED
    assert "p-blue-web" not in scene.world.containers


def test_a_taken_port_is_told_before_anything_is_raised() -> None:
    scene = Scene()
    scene.world.taken.add(("127.0.0.1", 10400))
    with pytest.raises(UsageError, match="10400 is in use") as caught:
        scene.up()
    assert caught.value.hint
    assert scene.names() == []


def test_a_dry_run_says_what_would_be_created_and_creates_nothing() -> None:
    scene = Scene()
    plan = environments.plan_up(scene.platform, scene.ports)
    assert [step.action for step in plan.steps] == [Action.CREATE] * 5 + [Action.TURN]
    assert scene.names() == []


def test_a_plain_down_leaves_production_whole() -> None:
    scene = raised()
    assert down(scene, None) == ()
    assert scene.names() == PRODUCTION


@pytest.mark.parametrize("ends", [Phase.PROMOTED, Phase.ROLLED_BACK])
@pytest.mark.parametrize("destroy", [None, "p"])
def test_a_dry_run_of_down_names_every_container_that_down_removes(ends: Phase, destroy: str | None) -> None:
    scene = raised()
    run = gate.test(scene.platform, {"web": "hello/web:1.1"}, scene.ports, MIRROR, wait=0.0, keep=True).header.run
    scene.steward.outcomes = {} if ends is Phase.PROMOTED else {Phase.WATCHING: (Event.REFUSED, "errors")}
    promote.promote(scene.platform, run, scene.ports, CLAIM, wait=0.0)
    before = set(scene.names())
    planned = environments.plan_down(scene.platform, scene.ports, destroy=destroy)
    assert set(scene.names()) == before
    down(scene, destroy)
    gone = before - set(scene.names())
    assert {step.subject for step in planned.steps} == gone
    assert ("p-green-web" in gone) is (ends is Phase.ROLLED_BACK or destroy is not None)


def test_down_removes_all_of_a_platform_only_by_its_name() -> None:
    scene = raised()
    with pytest.raises(UsageError, match="does not name this platform"):
        down(scene, "q")
    assert scene.names() == PRODUCTION
    down(scene, "p")
    assert (scene.world.containers, scene.world.networks, scene.world.volumes) == ({}, {}, {})
    assert scene.secrets.kept == {}


def test_production_as_defined_shows_no_departure_and_a_hand_made_change_does() -> None:
    scene = raised()
    assert not environments.describe(scene.platform, scene.ports).red
    scene.world.containers["p-shared-store"].running = False
    shown = environments.describe(scene.platform, scene.ports)
    assert shown.red
    assert "store" in {d.service for d in shown.departures}


def test_disagreement_of_switch_map_and_journal_is_red() -> None:
    scene = raised()
    scene.steward.disagreements = ("the switch says green",)
    assert environments.describe(scene.platform, scene.ports).red


def test_without_production_status_shows_none() -> None:
    shown = environments.describe(Scene().platform, Scene().ports)
    assert (shown.status, shown.red) == (None, False)


def test_a_busy_platform_is_told_with_its_holder() -> None:
    scene = Scene()
    scene.up()
    with scene.steward.lease(CLAIM, 0.0), pytest.raises(Busy, match="ada"), scene.steward.lease(CLAIM, 0.0):
        pass


def test_down_waits_for_nobody_who_works_on_the_platform() -> None:
    scene = raised()
    with scene.steward.lease(MIRROR, 0.0), pytest.raises(Busy):
        down(scene, None)
    with scene.steward.lease(CLAIM, 0.0), pytest.raises(Busy):
        down(scene, "p")
    assert scene.names() == PRODUCTION


def test_a_platform_whose_steward_is_lost_can_still_be_destroyed_by_name() -> None:
    scene = raised()
    scene.steward.lost = True
    with pytest.raises(SwitchFault):
        down(scene, None)
    down(scene, "p")
    assert scene.world.containers == {}


def test_a_service_that_the_live_release_does_not_know_is_told_and_status_still_shows_traffic() -> None:
    scene = raised()
    web = scene.platform.services["web"]
    grown = {**scene.platform.services, "worker": replace(web, name="worker", image="hello/web:1.2")}
    scene.platform = replace(scene.platform, services=grown)
    with pytest.raises(Alarm, match="worker"):
        scene.up()
    shown = environments.describe(scene.platform, scene.ports)
    assert shown.status is not None
    assert shown.status.live is Colour.BLUE
    assert shown.red


def test_a_changed_state_service_is_told_as_not_applied() -> None:
    scene = raised()
    services = dict(scene.platform.services)
    services["store"] = replace(services["store"], memory=123_000_000)
    scene.platform = replace(scene.platform, services=services)
    assert scene.up().unapplied == {"p-shared-store": "store"}


def renew(scene: Scene) -> None:
    renewal.renew_steward(scene.platform, scene.ports, CLAIM, wait=0.0)


def other_image(scene: Scene) -> str:
    """The steward stands from another image; answers its container's id."""
    standing = scene.world.containers["p-shared-steward"]
    standing.container = replace(
        standing.container,
        image="sha256:" + "7" * 64,
        labels={
            **standing.container.labels,
            "otagate.spec": "another",
        },
    )
    return standing.id


def test_a_steward_of_another_image_is_renewed_under_the_lease_alone() -> None:
    scene = raised()
    old = other_image(scene)
    with scene.steward.lease(CLAIM, 0.0), pytest.raises(Busy):
        renew(scene)
    assert scene.world.containers["p-shared-steward"].id == old
    renew(scene)
    assert scene.world.containers["p-shared-steward"].id != old
    assert scene.up().unapplied == {}


def test_a_dry_run_says_that_a_steward_of_another_image_is_replaced() -> None:
    scene = raised()
    other_image(scene)
    steps = environments.plan_up(scene.platform, scene.ports).steps
    first, *others = steps
    assert (first.action, first.subject) == (Action.REPLACE, "p-shared-steward")
    assert {step.action for step in others} == {Action.KEEP}
    assert not [step for step in steps if "not applied" in step.cause]


def test_a_steward_whose_promotion_is_unfinished_is_never_replaced() -> None:
    scene = raised()
    with scene.steward.lease(CLAIM, 0.0) as hold:
        hold.begin(first_of(scene))
    old = other_image(scene)
    steps = environments.plan_up(scene.platform, scene.ports).steps
    assert {step.action for step in steps} == {Action.KEEP}
    renew(scene)
    assert scene.world.containers["p-shared-steward"].id == old


def first_of(scene: Scene) -> Intent:
    view = scene.steward.status().promotion
    assert view is not None
    return replace(view.intent, promotion="p-1", kind=Kind.PROMOTE, to=Colour.GREEN, release="sha256:" + "5" * 64)


@pytest.mark.parametrize(("code", "renewed"), [("version", True), ("version-at-work", False)])
def test_a_steward_of_another_otagate_is_replaced_only_where_it_says_that_it_is_idle(code: str, renewed: bool) -> None:
    scene = raised()
    old = other_image(scene)

    def before(_: str) -> None:
        raise SwitchFault("another otagate", code=code)

    scene.steward.before = before
    if renewed:
        first, then = environments.plan_up(scene.platform, scene.ports).steps
        assert (first.action, first.subject, then.action) == (Action.REPLACE, "p-shared-steward", Action.RUN)
        assert scene.world.containers["p-shared-steward"].id == old
        renew(scene)
    else:
        with pytest.raises(SwitchFault):
            environments.plan_up(scene.platform, scene.ports)
        with pytest.raises(SwitchFault):
            renew(scene)
    assert (scene.world.containers["p-shared-steward"].id != old) is renewed


def test_up_looks_again_once_it_has_the_lease() -> None:
    scene = raised()
    stale = environments.look_for_up(scene.platform, scene.ports)
    run = gate.test(scene.platform, {"web": "hello/web:1.1"}, scene.ports, MIRROR, wait=0.0, keep=False).header.run
    promote.promote(scene.platform, run, scene.ports, CLAIM, wait=0.0)
    del scene.world.containers["p-blue-web"], scene.world.containers["p-green-web"]
    environments.up(scene.platform, stale, scene.ports, CLAIM, wait=0.0)
    assert scene.world.containers["p-green-web"].container.image == scene.world.images["hello/web:1.1"]
    assert "p-blue-web" not in scene.world.containers


PAIR = sorted([*PRODUCTION, "p-shared-holder-second", "p-shared-switch-second"])


def declaring(scene: Scene, second: str) -> Scene:
    scene.platform = replace(scene.platform, second=second)
    return scene


def renewed_up(scene: Scene) -> environments.Raised:
    """As the command does it."""
    renewal.renew_steward(scene.platform, scene.ports, CLAIM, wait=0.0)
    return scene.up()


def test_of_a_pair_up_makes_both_and_down_removes_both() -> None:
    scene = raised(second="127.0.0.2")
    assert scene.names() == PAIR
    assert scene.steward.status().paired
    assert not environments.describe(scene.platform, scene.ports).red
    assert renewed_up(scene).changed == ()
    planned = environments.plan_down(scene.platform, scene.ports, destroy="p")
    assert {step.subject for step in planned.steps} == set(PAIR)
    down(scene, "p")
    assert scene.names() == []


@pytest.mark.parametrize("stopped", ["p-shared-switch", "p-shared-switch-second", "p-shared-holder-second"])
def test_one_of_a_pair_that_is_gone_or_stopped_is_red_and_up_brings_it_back(stopped: str) -> None:
    scene = raised(second="127.0.0.2")
    scene.world.containers[stopped].running = False
    shown = environments.describe(scene.platform, scene.ports)
    assert shown.red
    assert {d.field for d in shown.departures} >= {"running"}
    renewed_up(scene)
    del scene.world.containers["p-shared-switch-second"]
    assert environments.describe(scene.platform, scene.ports).red
    assert renewed_up(scene).changed == ("p-shared-switch-second",)
    assert not environments.describe(scene.platform, scene.ports).red


def test_a_second_that_is_declared_later_is_added_beside_a_steward_that_turns_both() -> None:
    scene = declaring(raised(), "127.0.0.2")
    planned = {step.subject: step.action for step in environments.plan_up(scene.platform, scene.ports).steps}
    assert planned["p-shared-steward"] is Action.REPLACE
    assert planned["p-shared-switch-second"] is planned["p-shared-holder-second"] is Action.CREATE
    before = {name: scene.world.containers[name].id for name in PRODUCTION}
    assert environments.describe(scene.platform, scene.ports).red
    added = renewed_up(scene)
    assert set(added.changed) == {"p-shared-holder-second", "p-shared-switch-second"}
    assert added.unapplied == {}
    assert scene.steward.status().paired
    after = {name: scene.world.containers[name].id for name in PRODUCTION}
    assert {name for name in PRODUCTION if before[name] != after[name]} == {"p-shared-steward"}
    assert not environments.describe(scene.platform, scene.ports).red


def test_no_second_is_raised_beside_a_steward_that_turns_one() -> None:
    """While a promotion or a replacement is unfinished the steward is not made anew: the other would stand still."""
    scene = raised()
    with scene.steward.lease(CLAIM, 0.0) as hold:
        hold.replace_switch(5.0)
    declaring(scene, "127.0.0.2")
    with pytest.raises(Refused, match=r"the steward turns one switch, and otagate\.yaml declares two") as no:
        renewed_up(scene)
    assert no.value.code == "pair-changed"
    assert scene.names() == PRODUCTION


def test_a_pair_that_is_not_declared_any_more_keeps_a_steward_that_turns_both() -> None:
    scene = declaring(raised(second="127.0.0.2"), "")
    before = {name: s.id for name, s in scene.world.containers.items()}
    for asked in (scene.up, lambda: renewed_up(scene)):
        with pytest.raises(Refused, match="production has a pair of switches") as no:
            asked()
        assert no.value.code == "pair-changed"
    assert {name: s.id for name, s in scene.world.containers.items()} == before
    assert environments.describe(scene.platform, scene.ports).red
    for name in ("p-shared-holder-second", "p-shared-switch-second"):  # what the hint says
        del scene.world.containers[name]
    assert renewed_up(scene).changed == ()
    assert not scene.steward.status().paired
    assert not environments.describe(scene.platform, scene.ports).red
