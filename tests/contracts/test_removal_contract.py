"""What every Engine keeps to when it takes containers away."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from otagate.core.cloud import Binding, Colour
from otagate.core.container import VolumeMount
from otagate.core.places import switch_name
from otagate.ports import May
from tests.contracts.engine_bench import KINDS, Bench, benches
from tests.playbooks.scenery import freely


@pytest.fixture(params=KINDS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from benches(request)


def test_removal_keeps_the_state_of_production_unless_told(bench: Bench) -> None:
    scene = bench.scene
    store = scene.container("store", mounts=(VolumeMount(f"{scene.platform}-data", "/data"),))
    bench.raise_(store)

    gone = bench.engine.remove(scene.platform, [Binding.PRODUCTION], state=False, may=freely, tell=scene.tell)
    assert set(gone) == {store.name, scene.network()}
    assert bench.names() == set()

    gone = bench.engine.remove(scene.platform, [Binding.PRODUCTION], state=True, may=freely, tell=scene.tell)
    assert gone == (f"{scene.platform}-data",)
    assert bench.engine.remove(scene.platform, [Binding.PRODUCTION], state=True, may=freely, tell=scene.tell) == ()


def test_removal_of_a_mirror_leaves_production_whole(bench: Bench) -> None:
    scene, side = bench.scene, Binding.CANDIDATE
    bench.raise_(scene.container("store", mounts=(VolumeMount(f"{scene.platform}-data", "/data"),)))
    mount = VolumeMount(f"{scene.platform}-blue-candidate-data", "/data")
    bench.raise_(scene.container("store", binding=side, mounts=(mount,)), binding=side)

    gone = bench.engine.remove(
        scene.platform, [Binding.CANDIDATE, Binding.BASELINE], state=True, may=freely, tell=scene.tell
    )

    assert set(gone) == {scene.name("store", side), scene.network(side), mount.volume}
    assert bench.names() == {scene.name("store")}
    assert bench.seen()["store"].running


def test_removal_of_a_colour_takes_its_release_alone(bench: Bench) -> None:
    scene = bench.scene
    bench.raise_(scene.container("web", tier="release"), scene.container("store", tier="state"))

    assert bench.engine.remove_colour(scene.platform, Colour.GREEN, freely, scene.tell) == ()
    assert bench.engine.remove_colour(scene.platform, Colour.BLUE, freely, scene.tell) == (scene.name("web"),)
    assert bench.names() == {scene.name("store")}


class Gone(Exception):
    """The lease is."""


def removes_colour(bench: Bench, may: May) -> tuple[str, ...]:
    return bench.engine.remove_colour(bench.scene.platform, Colour.BLUE, may, bench.scene.tell)


def removes_all(bench: Bench, may: May) -> tuple[str, ...]:
    return bench.engine.remove(bench.scene.platform, [Binding.PRODUCTION], state=True, may=may, tell=bench.scene.tell)


@pytest.mark.parametrize("removes", [removes_colour, removes_all])
def test_it_is_asked_before_each_container_that_goes_and_ends_with_what_is_raised(
    bench: Bench, removes: Callable[[Bench, May], tuple[str, ...]]
) -> None:
    scene = bench.scene
    bench.raise_(scene.container("web", tier="release"), scene.container("worker", tier="release"))
    stood: list[int] = []

    def may() -> None:
        stood.append(len(bench.names()))
        if len(stood) == 2:
            raise Gone

    with pytest.raises(Gone):
        removes(bench, may)
    assert stood == [2, 1]
    assert len(bench.names()) == 1


@pytest.mark.parametrize("removes", [removes_colour, removes_all])
def test_what_is_made_under_the_same_name_while_it_asks_stays(
    bench: Bench, removes: Callable[[Bench, May], tuple[str, ...]]
) -> None:
    scene = bench.scene
    first = scene.container("web", tier="release", networks=())
    other = scene.container("web", tier="release", networks=(), environment={"OF": "another"})
    bench.up(scene.stage(first, networks=()))
    old = bench.seen()["web"].id

    def may() -> None:
        if bench.seen()["web"].id == old:
            bench.up(scene.stage(other, networks=()))

    removes(bench, may)
    assert bench.seen()["web"].running
    assert bench.seen()["web"].id != old


def test_who_is_asked_goes_last(bench: Bench) -> None:
    scene = bench.scene
    bench.raise_(*(scene.container(name) for name in ("a", "steward", "z")))
    stood: list[bool] = []
    removes_all(bench, lambda: stood.append(scene.name("steward") in bench.names()))
    assert stood == [True] * 3
    assert bench.names() == set()


def test_removal_of_a_pairs_switch_takes_the_one_at_those_doors_alone(bench: Bench) -> None:
    scene = bench.scene
    first, other = (
        replace(scene.container("switch"), name=switch_name(scene.platform, 2, second=second))
        for second in (False, True)
    )
    bench.raise_(first, other)

    assert bench.engine.remove_switch(scene.platform, 1, scene.tell, second=True) == ()
    assert bench.engine.remove_switch(scene.platform, 2, scene.tell, second=True) == (other.name,)
    assert bench.names() == {first.name}


def test_removal_of_a_switch_takes_the_one_of_that_number_alone(bench: Bench) -> None:
    scene = bench.scene
    first, second, other = (
        replace(scene.container(service), name=switch_name(scene.platform, number))
        for number, service in ((1, "switch"), (2, "switch"), (3, "web"))
    )
    bench.raise_(first, second, other)

    assert bench.engine.remove_switch(scene.platform, 4, scene.tell) == ()
    assert bench.engine.remove_switch(scene.platform, 3, scene.tell) == (), "it bears the name and is no switch"
    assert bench.engine.remove_switch(scene.platform, 1, scene.tell) == (first.name,)
    assert bench.names() == {second.name, other.name}
