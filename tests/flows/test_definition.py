"""A definition that the files change reaches production as a build does: by test and promote, and by nothing else."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from otagate.core.canonical import digest_of_bytes
from otagate.core.cloud import LABEL_DEFINITION, LABEL_RELEASE, Binding, Colour
from otagate.core.errors import Alarm, Refused, UsageError
from otagate.core.impact import Impact
from otagate.core.judge import Decision
from otagate.core.mirror import Explanation
from otagate.core.platform import Hook, HookName, Migrate, Service
from otagate.core.promotion import Phase
from otagate.core.record import Record
from otagate.core.suite import Crash
from otagate.flows import environments, gate, incidents, promote, rollback, switch
from otagate.flows.incidents import worst_impact
from otagate.flows.look import look_at_production
from otagate.ports import StoredRun
from tests.flows.scene import CLAIM, MIRROR, Scene, raised


def redefine(scene: Scene, **changes: object) -> Service:
    """The files say something else of `web` from now on."""
    web = replace(scene.platform.services["web"], **changes)  # type: ignore[arg-type]
    scene.platform = replace(scene.platform, services={**scene.platform.services, "web": web})
    return web


def gated(scene: Scene, image: str = "hello/web:1.1") -> StoredRun:
    return gate.test(scene.platform, {"web": image}, scene.ports, MIRROR, wait=0.0, keep=True)


def promoted(scene: Scene, stored: StoredRun) -> promote.Attempt:
    return promote.promote(scene.platform, stored.header.run, scene.ports, CLAIM, wait=0.0)


def live_environment(scene: Scene, colour: Colour) -> dict[str, str]:
    return dict(scene.world.containers[f"p-{colour}-web"].container.environment)


def test_a_changed_definition_is_proven_promoted_and_brought_back() -> None:
    scene = raised()
    redefine(scene, environment={"STORE_HOST": "store", "LEVEL": "debug"}, memory=99_000_000)
    stored = gated(scene)
    assert stored.verdict.decision is Decision.APPROVE
    assert stored.record.comparison is not None
    told = {d.field: d.explanation for d in stored.record.comparison.differences}
    assert told["env.LEVEL"] is told["limit.memory"] is Explanation.DEFINITION
    assert stored.record.comparison.drift == ()

    attempt = promoted(scene, stored)
    assert (attempt.record.view.phase, attempt.objections) == (Phase.PROMOTED, ())
    assert live_environment(scene, Colour.GREEN)["LEVEL"] == "debug"
    assert not (shown := environments.describe(scene.platform, scene.ports)).red
    assert shown.redefined == ()

    rollback.rollback(scene.platform, scene.ports, CLAIM, wait=0.0)
    incidents.clear(scene.platform, scene.ports, CLAIM, scene.steward.incidents()[0].incident, "seen")
    assert scene.steward.status().live is Colour.BLUE
    assert "LEVEL" not in live_environment(scene, Colour.BLUE)
    assert not (shown := environments.describe(scene.platform, scene.ports)).red
    assert shown.redefined == ("web",)


def test_a_definition_alone_is_a_release_of_its_own() -> None:
    scene = raised()
    redefine(scene, environment={"STORE_HOST": "store", "LEVEL": "debug"})
    attempt = promoted(scene, gated(scene, "hello/web:1.0"))
    assert attempt.record.view.phase is Phase.PROMOTED
    assert attempt.record.view.intent.impact == scene.platform.services["web"].impact.value


def test_the_live_release_stands_in_the_mirror_as_it_was_defined() -> None:
    scene = raised()
    redefine(scene, environment={"STORE_HOST": "store", "LEVEL": "debug"})
    gated(scene)
    sides = [scene.world.containers[f"p-green-{side}-web"].container for side in ("candidate", "baseline")]
    assert ["LEVEL" in side.environment for side in sides] == [True, False]


def test_a_changed_definition_is_no_departure_and_up_goes_on_adding_what_is_missing() -> None:
    scene = raised()
    redefine(scene, environment={"STORE_HOST": "elsewhere"})
    shown = environments.describe(scene.platform, scene.ports)
    assert (shown.red, shown.redefined) == (False, ("web",))
    before = scene.world.containers["p-blue-web"].id
    scene.world.containers.pop("p-shared-switch")
    made = scene.up()
    assert (made.redefined, made.unapplied) == (("web",), {})
    assert "p-shared-switch" in scene.world.containers
    assert scene.world.containers["p-blue-web"].id == before


def test_control_production_that_was_changed_by_hand_departs_from_the_definition_it_was_made_from() -> None:
    scene = raised()
    redefine(scene, memory=99_000_000)
    scene.world.containers["p-blue-web"].changed["limit.memory"] = "99000000"  # what the files say is not live yet
    assert [d.field for d in environments.describe(scene.platform, scene.ports).departures] == ["limit.memory"]
    assert gated(scene).verdict.decision is Decision.REFUSE


@pytest.mark.parametrize(
    ("field", "by_hand", "change"),
    [
        ("limit.swap", "-1", {"memory": 99_000_000}),
        ("user", "root", {"user": "1:1"}),
        ("env.LEVEL", digest_of_bytes(b"debug"), {"environment": {"STORE_HOST": "store", "LEVEL": "debug"}}),
        ("network.colour", "other", {"user": "1:1"}),
    ],
)
def test_control_production_that_is_not_as_the_baseline_is_drift_whatever_the_files_say_by_now(
    field: str, by_hand: str, change: dict[str, object]
) -> None:
    """Also where it was changed to the very value that the release under test defines."""
    scene = raised()
    redefine(scene, **change)
    assert gated(scene).verdict.decision is Decision.APPROVE
    scene.world.containers["p-blue-web"].changed[field] = by_hand
    stored = gated(scene, "hello/web:1.2")
    assert stored.verdict.decision is Decision.REFUSE
    assert stored.record.comparison is not None
    assert field in {d.field for d in stored.record.comparison.drift}


@pytest.mark.parametrize("redefined", [False, True])
@pytest.mark.parametrize("name", ["p-green-candidate-web", "p-green-baseline-web"])
def test_a_side_of_the_mirror_that_is_not_there_is_told_and_nothing_is_explained_by_it(
    name: str, redefined: bool
) -> None:
    scene = raised()
    if redefined:
        redefine(scene, environment={"STORE_HOST": "store", "LEVEL": "debug"})
    gated(scene)
    scene.world.containers.pop(name)
    if name == "p-green-candidate-web" or redefined:
        assert gate.compare_standing(scene.platform, scene.ports).drift
    else:
        assert not gate.compare_standing(scene.platform, scene.ports).drift


def test_a_mirror_that_was_raised_from_other_files_is_not_compared() -> None:
    scene = raised()
    gated(scene)
    redefine(scene, environment={"STORE_HOST": "store", "LEVEL": "debug"})
    with pytest.raises(UsageError, match="other files") as told:
        gate.compare_standing(scene.platform, scene.ports)
    assert told.value.hint == "otagate mirror up"


def test_a_mirror_that_does_not_say_what_it_was_raised_from_is_not_compared() -> None:
    scene = raised()
    gated(scene)
    standing = scene.world.containers["p-green-candidate-web"]
    labels = {name: value for name, value in standing.container.labels.items() if name != LABEL_RELEASE}
    standing.container = replace(standing.container, labels=labels)
    with pytest.raises(UsageError, match="other files"):
        gate.compare_standing(scene.platform, scene.ports)


def forged(scene: Scene, **labels: str | None) -> None:
    standing = scene.world.containers["p-blue-web"]
    kept = {**standing.container.labels, **labels}
    standing.container = replace(standing.container, labels={n: v for n, v in kept.items() if v is not None})


def _other(text: str, **changes: object) -> str:
    found = json.loads(text)
    found["service"] |= changes
    return json.dumps(found)


ODD: dict[str, Callable[[str], str | None]] = {
    "gone": lambda _: None,
    "odd": lambda text: text[:-3],
    "forged": lambda text: _other(text, environment={"LEVEL": "debug"}),
    "of another service": lambda text: _other(text, name="store"),
    "of another tier": lambda text: _other(text, tier="state"),
    "not a number": lambda text: _other(text, cpus=float("nan")),
    "a number that is none": lambda text: text.replace('"memory":null', '"memory":' + "9" * 400),
    "deep": lambda _: "[" * 200_000,
    "missing": lambda text: text,
}


@pytest.mark.parametrize("how", list(ODD))
def test_control_a_live_definition_that_cannot_be_told_is_an_alarm(how: str) -> None:
    scene = raised()
    text = scene.world.containers["p-blue-web"].container.labels[LABEL_DEFINITION]
    if how == "missing":
        scene.world.containers.pop("p-blue-web")
    else:
        forged(scene, **{LABEL_DEFINITION: ODD[how](text)})
    own = scene.platform
    redefine(scene, environment={"STORE_HOST": "elsewhere"})
    with pytest.raises(Alarm, match="another release") as told:
        look_at_production(scene.platform, scene.ports)
    assert told.value.code == "definition-changed"
    with pytest.raises(Alarm, match="another release"):
        scene.up()
    shown = environments.describe(scene.platform, scene.ports)
    assert shown.red
    assert shown.untold is not None
    assert "take the change of the files back" in shown.untold.hint
    scene.platform = own
    scene.up()  # the hint's way out: with the change taken back, what is missing is made again
    assert not environments.describe(scene.platform, scene.ports).red


@pytest.mark.parametrize("change", [{"hooks": (Hook(HookName.DRAIN, 8080, "/drain", 2.0),)}, {"hold": 1.5}])
def test_other_hooks_than_those_of_the_live_release_are_refused_before_anything_is_raised(
    change: dict[str, object],
) -> None:
    scene = raised()
    redefine(scene, **change)
    with pytest.raises(Refused, match="other hooks") as told:
        gated(scene)
    assert told.value.code == "hooks-changed"
    assert not environments.describe(scene.platform, scene.ports).red


def test_a_replaced_switch_has_the_hold_of_the_live_release_not_that_of_the_files() -> None:
    scene = raised()
    redefine(scene, hold=10.0)
    switch.replace(scene.platform, scene.ports, CLAIM, wait=0.0)
    (standing,) = [s for s in scene.world.containers.values() if s.container.name.startswith("p-shared-switch")]
    assert "otagate hold" not in standing.container.environment["OTAGATE_SWITCH_LUA"]
    assert not environments.describe(scene.platform, scene.ports).red


@pytest.mark.parametrize("by", ["service", "migrate"])
def test_a_secret_that_the_live_release_needs_and_the_files_do_not_declare_is_told_and_none_is_made_up(by: str) -> None:
    scene = Scene()
    if by == "migrate":
        redefine(scene, secrets=(), migrate=Migrate(("migrate",), ("password",), 30.0))
    scene.up()
    redefine(scene, secrets=(), migrate=None)
    store = replace(scene.platform.services["store"], secrets=())
    services = {**scene.platform.services, "store": store}
    scene.platform = replace(scene.platform, services=services, secrets={})
    with pytest.raises(Alarm, match="secrets that the files do not declare any more: password"):
        gated(scene)


def test_a_secret_that_only_the_live_release_has_is_hidden_in_the_record() -> None:
    scene = raised()
    live = look_at_production(scene.platform, scene.ports)
    redefine(scene, secrets=())
    store = replace(scene.platform.services["store"], secrets=())
    scene.platform = replace(scene.platform, services={**scene.platform.services, "store": store})
    secret = scene.secrets.of("p", Binding.CANDIDATE, "password").decode()
    crash = Crash("web", "p-green-candidate-web", 1.0, f"said {secret}", secret)
    record = Record({}, {}, (crash,), None)
    hidden = gate._redacted(record, [scene.platform, live.defined], scene.ports)
    assert secret not in str(hidden)
    assert secret in str(gate._redacted(record, [scene.platform], scene.ports))


def two() -> Scene:
    """With another service of the release, whose failure is worse than that of `web`."""
    scene = Scene()
    web = scene.platform.services["web"]
    dose = replace(web, name="dose", image="hello/web:1.3", impact=Impact.K0, hooks=())
    scene.platform = replace(scene.platform, services={**scene.platform.services, "dose": dose})
    scene.up()
    return scene


@pytest.mark.parametrize(("redefined", "impact"), [(False, "K1"), (True, "K0")])
def test_a_promotion_and_its_rollback_count_also_what_only_the_definition_changes(redefined: bool, impact: str) -> None:
    scene = two()
    if redefined:
        dose = replace(scene.platform.services["dose"], environment={"LEVEL": "debug"})
        scene.platform = replace(scene.platform, services={**scene.platform.services, "dose": dose})
    there = promoted(scene, gated(scene))
    assert (there.record.view.phase, there.record.view.intent.impact) == (Phase.PROMOTED, impact)
    back = rollback.rollback(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert back.record.view.intent.impact == impact


def test_the_impact_counts_every_service_that_differs_by_build_or_definition() -> None:
    web = raised().platform.services["web"]
    worse = replace(web, name="dose", impact=Impact.K0)
    platform = replace(raised().platform, services={"web": replace(web, impact=Impact.K3), "dose": worse})
    same, other = {"web": "1", "dose": "1"}, {"web": "2", "dose": "1"}
    assert worst_impact(platform, same, other) == "K3"
    assert worst_impact(platform, same, other, ["dose"]) == "K0"
    assert worst_impact(platform, same, same, ["web"]) == "K3"
    assert worst_impact(platform, same, same) == "K0"  # nobody knows whose definition it is


def test_a_run_of_a_release_whose_hooks_the_files_change_afterwards_is_not_promoted() -> None:
    scene = raised()
    stored = gated(scene)
    redefine(scene, hooks=(Hook(HookName.DRAIN, 8080, "/drain", 2.0),))
    attempt = promoted(scene, stored)
    assert attempt.record.view.phase is Phase.ABANDONED
    assert [o.code for o in attempt.objections] == ["changed"]
