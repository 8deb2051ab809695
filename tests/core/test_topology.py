from dataclasses import replace

from otagate.core.cloud import Binding, Colour
from otagate.core.places import Place
from otagate.core.platform import Tier
from otagate.core.topology import topology
from tests.core.platforms import WEB, platform

CANDIDATE = Place("p", Binding.CANDIDATE, Colour.GREEN)


def test_the_topology_knows_both_colours_of_production_and_one_of_a_mirror() -> None:
    assert set(topology(platform()).doors[0].backs) == {"blue", "green"}
    assert topology(platform(), CANDIDATE).doors[0].backs == {"green": "p-green-candidate-web"}


def test_a_pair_is_asked_at_both_its_front_doors_and_a_mirror_has_one() -> None:
    p = replace(platform(), second="127.0.0.2")
    assert topology(p).fronts == ("switch", "switch-second")
    assert topology(platform()).fronts == ("switch",)
    assert topology(p, CANDIDATE).fronts == ("p-green-candidate-switch",)


def test_each_listener_has_a_front_port_of_its_own() -> None:
    doors = topology(platform()).doors
    assert len({door.front for door in doors}) == len(doors) == 2


def test_a_listener_of_the_state_tier_is_not_coloured_and_has_one_back() -> None:
    p = platform()
    stateful = replace(p, services={**p.services, "web": replace(WEB, tier=Tier.STATE)})
    door = topology(stateful).doors[0]
    assert not door.coloured
    assert set(door.backs.values()) == {"p-shared-web"}


def test_a_listener_says_whose_build_must_answer() -> None:
    assert {door.name: door.service for door in topology(platform()).doors} == {"web": "web", "dicom": "web"}


def test_hooks_know_where_to_call_each_colour() -> None:
    calls = topology(platform()).hooks
    assert {c.name for c in calls} == {"activate", "passive"}
    assert calls[0].hosts == {"blue": "p-blue-web", "green": "p-green-web"}
