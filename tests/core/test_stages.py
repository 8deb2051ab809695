import json

from otagate.core.cloud import LABEL_BINDING, LABEL_COLOUR, LABEL_PLATFORM, LABEL_SPEC, Binding, Colour
from otagate.core.container import Stage
from otagate.core.edge import steward_stage
from otagate.core.places import Place
from otagate.core.release import release_of
from otagate.core.stages import colour_stage, mirror_stage, state_stage
from tests.core.platforms import build, platform

IMAGES = {"store": "sha256:" + "5" * 64}
CANDIDATE = Place("p", Binding.CANDIDATE, Colour.GREEN)


def secret(name: str) -> bytes:
    return f"production {name}".encode()


def mirror(digit: str = "a", run: str = "r1", place: Place = CANDIDATE, value: bytes = b"mirror") -> Stage:
    p = platform()
    release = release_of(p, {"web": build(digit=digit)})
    return mirror_stage(
        p,
        release,
        IMAGES,
        place,
        lambda _: value,
        "sha256:" + "7" * 64,
        run,
        switched=place.binding is Binding.CANDIDATE,
    )


def colour(colour: Colour = Colour.BLUE) -> Stage:
    p = platform()
    return colour_stage(p, release_of(p, {"web": build()}), colour, secret, fresh=True)


def test_every_object_bears_the_platform_and_its_binding() -> None:
    p = platform()
    stages = (state_stage(p, IMAGES, secret), steward_stage(p, "s"), colour(), mirror())
    for stage in stages:
        labels = [x.labels for part in (stage.networks, stage.volumes, stage.containers) for x in part]
        assert {one[LABEL_PLATFORM] for one in labels} == {"p"}
        assert all(one[LABEL_BINDING] for one in labels)


def test_a_mirror_shares_no_network_volume_or_secret_with_production() -> None:
    p, m = platform(), mirror()
    production = (state_stage(p, IMAGES, secret), colour(Colour.GREEN))
    theirs = {a.network for s in production for c in s.containers for a in c.networks}
    ours = {a.network for c in m.containers for a in c.networks}
    assert ours
    assert not ours & theirs
    volumes = {x.volume for s in production for c in s.containers for x in c.mounts}
    assert not {x.volume for c in m.containers for x in c.mounts} & volumes
    secrets = {f.content for s in production for c in s.containers for f in c.files if f.secret}
    assert not {f.content for c in m.containers for f in c.files if f.secret} & secrets


def test_a_mirrors_network_is_internal_and_nothing_of_it_is_published() -> None:
    m = mirror()
    assert [n.internal for n in m.networks] == [True]
    assert not [port for c in m.containers for port in c.ports]


def test_only_the_candidates_side_has_a_switch() -> None:
    baseline = mirror(place=Place("p", Binding.BASELINE, Colour.GREEN))
    assert "p-green-candidate-switch" in {c.name for c in mirror().containers}
    assert not [c for c in baseline.containers if c.name.endswith("switch")]


def test_the_specification_digest_ignores_the_run_and_sees_a_changed_secret() -> None:
    def specs(stage: Stage) -> list[str]:
        return [c.labels[LABEL_SPEC] for c in stage.containers]

    assert specs(mirror(run="r1")) == specs(mirror(run="r2"))
    assert specs(mirror()) != specs(mirror(value=b"another"))
    assert specs(mirror()) != specs(mirror(digit="b"))


def test_a_secret_stands_in_no_environment_and_no_label() -> None:
    for container in mirror(value=b"hunter2hunter2").containers:
        assert "hunter2" not in json.dumps([dict(container.environment), dict(container.labels)])


def test_releases_are_told_their_build_and_colour_and_state_is_not() -> None:
    web = next(c for c in mirror().containers if c.name.endswith("web"))
    store = next(c for c in mirror().containers if c.name.endswith("store"))
    assert web.environment["OTAGATE_BUILD"] == build().digest
    assert web.environment["OTAGATE_COLOUR"] == "green"
    assert "OTAGATE_BUILD" not in store.environment


def test_a_mirrors_release_waits_for_its_state_and_productions_for_its_own_stage_only() -> None:
    assert next(c for c in mirror().containers if c.name.endswith("web")).after == ("p-green-candidate-store",)
    assert colour().containers[0].after == ()


def test_both_colours_differ_in_name_network_and_label_only() -> None:
    blue, green = colour(Colour.BLUE).containers[0], colour(Colour.GREEN).containers[0]
    assert (blue.name, green.name) == ("p-blue-web", "p-green-web")
    assert blue.labels[LABEL_COLOUR] != green.labels[LABEL_COLOUR]
    assert {**blue.environment, "OTAGATE_COLOUR": ""} == {**green.environment, "OTAGATE_COLOUR": ""}
    assert blue.files == green.files
