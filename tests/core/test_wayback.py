from dataclasses import replace

from otagate.core.cloud import Colour
from otagate.core.schema import Schema
from otagate.core.traffic import ColourView
from otagate.core.wayback import NO_RELEASE, against_return

OLD, NEW = ColourView("old", {}, warm=True), ColourView("new", {}, warm=False)


def codes(there: ColourView | None, live: ColourView | None) -> list[str]:
    return [o.code for o in against_return(Colour.BLUE, there, live, {})]


def test_a_warm_colour_with_another_release_is_a_way_back() -> None:
    assert codes(OLD, NEW) == []


def test_each_thing_against_it_has_its_own_code() -> None:
    assert codes(None, NEW) == [NO_RELEASE]
    assert codes(NEW, OLD) == ["no-warm-side"]
    assert codes(OLD, OLD) == ["identical-release"]
    assert codes(NEW, NEW) == ["identical-release", "no-warm-side"]


def test_what_cannot_be_overridden_offers_no_override() -> None:
    hints = {o.code: o.hint for there in (None, NEW) for o in against_return(Colour.BLUE, there, NEW, {})}
    assert [code for code, hint in hints.items() if "--override" not in hint] == [NO_RELEASE]


def test_a_schema_that_moved_on_is_no_way_back() -> None:
    old = replace(OLD, schemas={"web": Schema("1", ("1",))})
    both = replace(OLD, schemas={"web": Schema("1", ("1", "2"))})
    new = replace(NEW, schemas={"web": Schema("2", ("1", "2"))})
    assert codes(old, new) == ["incompatible-schema"]
    assert codes(both, new) == []
    (objection,) = against_return(Colour.BLUE, old, new, {})
    assert "the release in blue reads web 1, not 2" in objection.message


def test_a_state_that_was_moved_beyond_what_the_warm_release_reads_is_no_way_back() -> None:
    old = replace(OLD, schemas={"web": Schema("1", ("1", "2"))})
    new = replace(NEW, schemas={"web": Schema("2", ("1", "2"))})
    assert [o.code for o in against_return(Colour.BLUE, old, new, {"web": ("3",)})] == ["incompatible-schema"]
    assert [o.code for o in against_return(Colour.BLUE, old, new, {"web": ("2", "3")})] == ["incompatible-schema"]
    assert against_return(Colour.BLUE, old, new, {"web": ("1", "2")}) == ()
