"""Whatever differs is reported, and only what a rule or the build explains is explained."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otagate.core.canonical import digest_of, plain
from otagate.core.cloud import LABEL_BINDING, LABEL_SERVICE, LABEL_SPEC, LABEL_TIER, Cloud
from otagate.core.container import Attachment, Container, File, Stage
from otagate.core.mirror import (
    BUILD_VARIABLE,
    CONTAINER,
    IMAGE,
    MIRROR_RULES,
    PRESENT,
    Comparison,
    Difference,
    Explanation,
    ObservedCloud,
    ObservedContainer,
    against_definition,
    compare,
    file_fact,
    production_digest,
)
from otagate.core.platform import AllowedDifference

OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64
FIELDS = {
    "command": '["serve"]',
    "entrypoint": '["/bin/web"]',
    "env.PATH": "sha256:aa",
    "env.STORE_HOST": "sha256:bb",
    BUILD_VARIABLE: OLD,
    "env.OTAGATE_COLOUR": "its own",
    "user": "65534:65534",
    "working_dir": "/srv",
    "healthcheck": '{"Test": ["CMD", "true"]}',
    "limit.memory": "67108864",
    "limit.cpus": "0.5",
    "capabilities.drop": '["ALL"]',
    "security": '["no-new-privileges:true"]',
    "read_only": "true",
    "restart": "unless-stopped",
    "stop.timeout": "10",
    "mount./data": "data rw",
    "tmpfs./tmp": "size=64m",
    "file./etc/web/peers": "sha256:cc 444",
    "secret./run/secrets/pw": PRESENT,
    "network.colour": "web",
    "host.ShmSize": "67108864",
    "config.Tty": "true",
    "engine.version": "20.10",
    "engine.kernel": "6.1",
}
FROM_IMAGE = {"command": '["serve"]', "env.PATH": "sha256:aa", "user": "65534:65534"}


def container(
    *,
    service: str = "web",
    binding: str = "production",
    image: str = OLD,
    fields: dict[str, str] | None = None,
    from_image: dict[str, str] | None = None,
    tier: str = "release",
) -> ObservedContainer:
    sealed = {"network.colour.internal": "false" if binding == "production" else "true"}
    return ObservedContainer(
        name=f"t-blue-{binding}-{service}",
        id="0" * 64,
        service=service,
        cloud="blue",
        colour="blue",
        binding=binding,
        image=image,
        running=True,
        health="healthy",
        started_at=1.0,
        restarts=0,
        addresses={"t-blue": "10.0.0.2"},
        fields={**FIELDS, **sealed} if fields is None else fields,
        from_image=FROM_IMAGE if from_image is None else from_image,
        labels={LABEL_SERVICE: service, LABEL_TIER: tier, LABEL_BINDING: binding},
    )


def changed(one: ObservedContainer, **fields: str | None) -> ObservedContainer:
    """With other values under names that are no keywords: `__` stands for what may not be in one."""
    merged = {**one.fields, **fields}
    return replace(one, fields={name: value for name, value in merged.items() if value is not None})


PRODUCTION, MIRROR = container(), container(binding="candidate")
SAME = {"web": OLD}


def only(found: Comparison) -> Difference:
    unexplained = [d for d in found.differences if d.field != "network.colour.internal"]
    assert len(unexplained) == 1, unexplained
    return unexplained[0]


def test_a_mirror_like_production_has_nothing_unexplained() -> None:
    found = compare([PRODUCTION], [MIRROR], [], SAME)

    assert found.compared == len(PRODUCTION.fields) + 2  # the image, and whether it runs
    assert [(d.field, d.explanation) for d in found.differences] == [("network.colour.internal", Explanation.ALLOWED)]
    assert found.drift == ()
    assert found.fidelity == 1.0


@pytest.mark.parametrize("value", ["another", None], ids=["changed", "gone"])
@pytest.mark.parametrize("name", sorted(FIELDS))
@pytest.mark.parametrize("side", ["production", "mirror"])
def test_every_field_that_differs_is_reported(side: str, name: str, value: str | None) -> None:
    """Mutants: each field, changed or taken away on either side, is drift, and it alone."""
    production = changed(PRODUCTION, **{name: value}) if side == "production" else PRODUCTION
    mirror = changed(MIRROR, **{name: value}) if side == "mirror" else MIRROR

    found = compare([production], [mirror], [], {})

    difference = only(found)
    assert (difference.service, difference.field, difference.explanation) == ("web", name, Explanation.DRIFT)
    assert {difference.production, difference.mirror} == {FIELDS[name], value}
    assert found.fidelity < 1.0


@pytest.mark.parametrize("side", ["production", "mirror"])
def test_a_field_that_nobody_thought_of_is_reported(side: str) -> None:
    production = changed(PRODUCTION, unheard="of") if side == "production" else PRODUCTION
    mirror = changed(MIRROR, unheard="of") if side == "mirror" else MIRROR

    assert only(compare([production], [mirror], [], SAME)).explanation is Explanation.DRIFT


def test_another_image_without_a_test_is_drift() -> None:
    mirror = replace(MIRROR, image=NEW)
    assert only(compare([PRODUCTION], [mirror], [], {})).explanation is Explanation.DRIFT


def build_under_test(**fields: str | None) -> ObservedContainer:
    of_image = {**FROM_IMAGE, "command": '["serve", "--new"]', "env.PATH": "sha256:ff"}
    base = {"command": '["serve", "--new"]', "env.PATH": "sha256:ff", BUILD_VARIABLE: NEW}
    return changed(replace(MIRROR, image=NEW, from_image=of_image), **{**base, **fields})


def test_what_comes_from_the_image_under_test_is_the_build() -> None:
    found = compare([PRODUCTION], [build_under_test()], [], {"web": NEW})

    explained = {d.field: d.explanation for d in found.differences}
    assert {name for name, why in explained.items() if why is Explanation.BUILD} == {
        IMAGE,
        BUILD_VARIABLE,
        "command",
        "env.PATH",
    }
    assert found.drift == ()


@pytest.mark.parametrize("name", sorted(FIELDS.keys() - {BUILD_VARIABLE}))
def test_the_build_explains_nothing_that_its_image_does_not_set(name: str) -> None:
    """The control: under a build under test, every field that the image does not set itself is still drift."""
    found = compare([PRODUCTION], [build_under_test(**{name: "by hand"})], [], {"web": NEW})

    assert name in {d.field for d in found.drift}


def test_a_value_that_production_defines_over_its_image_is_not_the_builds() -> None:
    """Production overrides its image's command; a mirror that takes the image's is not like production."""
    production = changed(PRODUCTION, command='["serve", "--tuned"]')
    found = compare([production], [build_under_test()], [], {"web": NEW})
    assert "command" in {d.field for d in found.drift}


def test_a_mirror_that_runs_another_image_than_the_one_tested_is_drift() -> None:
    for mirror in (MIRROR, replace(MIRROR, image="sha256:" + "3" * 64)):
        found = compare([PRODUCTION], [mirror], [], {"web": NEW})
        assert {IMAGE, BUILD_VARIABLE} <= {d.field for d in found.drift}
        assert all("not the build under test" in d.reason for d in found.drift)


def test_a_service_that_was_told_another_build_than_it_runs_is_drift() -> None:
    mirror = changed(build_under_test(), **{BUILD_VARIABLE: OLD})
    assert [d.field for d in compare([PRODUCTION], [mirror], [], {"web": NEW}).drift] == [BUILD_VARIABLE]


def test_a_mirror_with_a_way_out_is_drift_even_if_production_has_one_too() -> None:
    for production in ("true", "false"):
        mirror = changed(MIRROR, **{"network.colour.internal": "false"})
        found = compare([changed(PRODUCTION, **{"network.colour.internal": production})], [mirror], [], SAME)
        assert [d.field for d in found.drift] == ["network.colour.internal"]


def test_no_rule_of_the_platform_allows_a_way_out_or_another_build() -> None:
    everything = [AllowedDifference("all", "*", "*", "because")]
    mirror = changed(replace(MIRROR, image=NEW), **{"network.colour.internal": "false"})
    drift = compare([PRODUCTION], [mirror], everything, SAME).drift
    assert {d.field for d in drift} == {IMAGE, "network.colour.internal"}


def test_a_rule_explains_by_service_and_field_and_is_named_with_its_reason() -> None:
    rule = AllowedDifference("small", "w*", "limit.*", "the mirror has less")
    mirror = changed(MIRROR, **{"limit.memory": "1"})

    difference = only(compare([PRODUCTION], [mirror], [rule], SAME))
    assert difference.explanation is Explanation.ALLOWED
    assert difference.reason == "small: the mirror has less"
    for other in (replace(rule, service="store"), replace(rule, field="env.*"), replace(rule, field="limit")):
        assert only(compare([PRODUCTION], [mirror], [other], SAME)).explanation is Explanation.DRIFT


@pytest.mark.parametrize(("production", "mirror"), [([PRODUCTION], []), ([], [MIRROR])])
def test_a_service_on_one_side_alone_is_drift(
    production: list[ObservedContainer], mirror: list[ObservedContainer]
) -> None:
    found = compare(production, mirror, [], SAME)

    assert (found.compared, found.fidelity) == (1, 0.0)
    assert (found.drift[0].service, found.drift[0].field) == ("web", CONTAINER)


def test_nothing_compared_is_no_likeness() -> None:
    assert compare([], [], [], SAME) == Comparison(0, ())
    assert compare([], [], [], SAME).fidelity == 0.0


def test_every_container_of_a_service_is_compared() -> None:
    second = changed(replace(PRODUCTION, name="t-green-web"), **{"limit.memory": "1"})
    found = compare([PRODUCTION, second], [MIRROR], [], SAME)
    assert [d.field for d in found.drift] == ["limit.memory"]


def test_a_stand_in_is_the_mirrors_own_and_any_other_extra_is_not() -> None:
    extra = container(service="linac", binding="candidate", tier="external")
    assert compare([PRODUCTION], [MIRROR, extra], [], SAME).drift == ()
    stranger = container(service="linac", binding="candidate", tier="release")
    assert [d.service for d in compare([PRODUCTION], [MIRROR, stranger], [], SAME).drift] == ["linac"]
    missing = container(service="linac", tier="external")
    assert [d.service for d in compare([PRODUCTION, missing], [MIRROR], [], SAME).drift] == ["linac"]


def test_the_steward_is_productions_alone() -> None:
    steward = container(service="steward", tier="edge")
    assert compare([PRODUCTION, steward], [MIRROR], [], SAME).drift == ()
    in_mirror = container(service="steward", tier="edge", binding="candidate")
    assert [d.service for d in compare([PRODUCTION], [MIRROR, in_mirror], [], SAME).drift] == ["steward"]


EDGE = {"image": "x", "env.OTAGATE_SWITCH_CONFIG": "a", "env.OTAGATE_SWITCH_LUA": "a", "mount./run/otagate": "s rw"}


def test_a_mirrors_switch_has_its_own_map_and_publishes_nothing() -> None:
    ours = {**EDGE, "port.20001/tcp": "127.0.0.1", "network.shared": "switch", "network.colour.internal": "false"}
    theirs = {
        "image": "x",
        "env.OTAGATE_SWITCH_CONFIG": "b",
        "env.OTAGATE_SWITCH_LUA": "b",
        "env.OTAGATE_SWITCH_MAP": "c",
        "tmpfs./run/otagate": "default",
        "network.colour.internal": "true",
    }
    switch = container(service="switch", tier="edge", fields=ours)
    mirrors = container(service="switch", tier="edge", binding="candidate", fields=theirs)

    found = compare([switch], [mirrors], [], {})

    assert found.drift == ()
    assert {d.reason.partition(":")[0] for d in found.differences} == {
        "publishes-nothing",
        "one-network",
        "sealed",
        "own-switch",
        "own-map",
    }
    with_map = changed(switch, **{"env.OTAGATE_SWITCH_MAP": "d"})
    assert [d.field for d in compare([with_map], [mirrors], [], {}).drift] == ["env.OTAGATE_SWITCH_MAP"]
    published = changed(mirrors, **{"port.20002/tcp": "0.0.0.0"})
    assert [d.field for d in compare([switch], [published], [], {}).drift] == ["port.20002/tcp"]
    web = container(binding="candidate", fields={**theirs})
    assert "env.OTAGATE_SWITCH_MAP" in {d.field for d in compare([container(fields=ours)], [web], [], {}).drift}


def test_every_rule_of_a_mirrors_own_has_a_reason() -> None:
    assert all(rule.name and len(rule.reason) > 10 for rule in MIRROR_RULES)


@given(
    st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text(max_size=3)),
    st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text(max_size=3)),
)
def test_differences_are_exactly_the_fields_that_differ(one: dict[str, str], other: dict[str, str]) -> None:
    found = compare([container(fields=one)], [container(binding="candidate", fields=other)], [], {})

    assert {d.field for d in found.differences} == {n for n in one.keys() | other.keys() if one.get(n) != other.get(n)}
    assert found.compared == len(one.keys() | other.keys()) + 2
    assert 0.0 <= found.fidelity <= 1.0


# --- production's digest ----------------------------------------------------------------------------------------


def cloud(*containers: ObservedContainer, facts: dict[str, str] | None = None) -> ObservedCloud:
    return ObservedCloud("blue", facts or {"engine.version": "20.10"}, containers)


def test_the_digest_of_production_does_not_see_how_well_it_runs() -> None:
    tired = replace(PRODUCTION, health="starting", started_at=9.0, restarts=7, id="f" * 64, running=False, addresses={})
    assert production_digest([cloud(PRODUCTION)]) == production_digest([cloud(tired)])
    assert production_digest([cloud(PRODUCTION)]) == production_digest([cloud(PRODUCTION, MIRROR)])


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_the_digest_of_production_sees_every_field(name: str) -> None:
    before = production_digest([cloud(PRODUCTION)])
    assert production_digest([cloud(changed(PRODUCTION, **{name: "another"}))]) != before
    assert production_digest([cloud(changed(PRODUCTION, **{name: None}))]) != before


def test_the_digest_of_production_sees_images_names_engines_and_who_is_there() -> None:
    digests = {
        production_digest(clouds)
        for clouds in (
            [cloud(PRODUCTION)],
            [cloud()],
            [],
            [cloud(replace(PRODUCTION, image=NEW))],
            [cloud(replace(PRODUCTION, name="other"))],
            [cloud(PRODUCTION, facts={"engine.version": "26.1"})],
            [replace(cloud(PRODUCTION), cloud="green")],
        )
    }
    assert len(digests) == 7


# --- production against its definition --------------------------------------------------------------------------


CONFIG, SECRET = File("/etc/web/peers", b"one", 0o444), File("/run/secrets/pw", b"two", 0o444, secret=True)


def defined(**wanted: object) -> Container:
    made = Container("t-blue-web", OLD, (Attachment("t-blue"),), {}, restart="no", files=(CONFIG, SECRET))
    made = replace(made, memory=64, cpus=0.5, **wanted)  # type: ignore[arg-type]
    return replace(made, labels={LABEL_SERVICE: "web", LABEL_SPEC: digest_of(plain(made))})


def raised(container_: Container) -> ObservedContainer:
    fields = {
        "limit.memory": "64",
        "limit.cpus": "0.5",
        "restart": "no",
        "file./etc/web/peers": file_fact(b"one", 0o444),
        "secret./run/secrets/pw": PRESENT,
    }
    return replace(container(fields=fields), name=container_.name, labels=container_.labels)


def against(seen: list[ObservedContainer], *containers: Container) -> dict[str, tuple[str | None, str | None]]:
    stage = Stage("blue", Cloud.BLUE, "a test", (), (), containers, replace=False, deadline=1.0)
    found = against_definition([stage], [cloud(*seen)])
    assert all(d.explanation is Explanation.DRIFT and d.reason for d in found)
    return {d.field: (d.production, d.mirror) for d in found}


def test_production_as_defined_does_not_depart() -> None:
    assert against([raised(defined())], defined()) == {}


def test_a_container_that_is_missing_stopped_or_too_many_departs() -> None:
    one = defined()
    assert against([], one) == {CONTAINER: (None, "t-blue-web")}
    assert against([raised(one)]) == {CONTAINER: ("t-blue-web", None)}
    assert against([replace(raised(one), running=False, addresses={})], one) == {"running": ("no", "yes")}


def test_a_mirrors_container_is_not_productions_extra() -> None:
    assert against([raised(defined()), MIRROR], defined()) == {}


def test_another_specification_or_image_departs() -> None:
    seen = raised(defined())
    assert set(against([seen], defined(user="0"))) == {"specification"}
    assert against([replace(seen, image=NEW)], defined()) == {IMAGE: (NEW, OLD)}
    assert set(against([replace(seen, labels={LABEL_SERVICE: "web"})], defined())) == {"specification"}


@pytest.mark.parametrize("name", sorted(raised(defined()).fields))
def test_what_was_changed_by_hand_in_a_running_container_departs(name: str) -> None:
    """Neither `docker update` nor `docker cp` touches the label, so the label alone would not tell."""
    for value in ("another", None):
        assert set(against([changed(raised(defined()), **{name: value})], defined())) == {name}


def test_a_network_joined_or_left_by_hand_departs() -> None:
    seen = raised(defined())
    assert set(against([replace(seen, addresses={"t-blue": "1", "else": "2"})], defined())) == {"networks"}
    assert set(against([replace(seen, addresses={})], defined())) == {"networks"}
