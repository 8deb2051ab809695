from otagate.core.cloud import Binding, Colour
from otagate.core.places import Place, holder_name, production_networks, run_folder, shared_name, switch_name


def test_no_two_places_of_a_platform_share_a_name() -> None:
    places = [Place("p", binding, colour) for binding in Binding for colour in Colour]
    names = {place.container("web") for place in places} | {shared_name("p", "web")}
    assert len(names) == len(places) + 1


def test_a_mirrors_network_is_none_of_productions() -> None:
    mirrors = {Place("p", b, c).network for b in Binding if b.is_mirror for c in Colour}
    assert not mirrors & set(production_networks("p"))


def test_the_colours_own_networks_are_productions() -> None:
    assert {Place("p", Binding.PRODUCTION, c).network for c in Colour} < set(production_networks("p"))


def test_no_two_of_a_pair_share_a_name_or_a_folder() -> None:
    sides = (False, True)
    names = {switch_name("p", number, second=second) for number in (1, 2, 3) for second in sides}
    names |= {holder_name("p", second=second) for second in sides}
    assert len(names) == 8
    assert len({run_folder(second=second) for second in sides}) == 2
