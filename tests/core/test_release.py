from dataclasses import replace

import pytest

from otagate.core.release import release_of
from tests.core.platforms import WEB, build, platform


def test_the_same_builds_and_definition_give_the_same_name() -> None:
    assert release_of(platform(), {"web": build()}) == release_of(platform("another"), {"web": build()})


def test_a_tag_does_not_enter_the_name_and_a_digest_does() -> None:
    named = release_of(platform(), {"web": build()}).digest
    assert release_of(platform(), {"web": replace(build(), reference="other:tag")}).digest == named
    assert release_of(platform(), {"web": build(digit="b")}).digest != named


@pytest.mark.parametrize(
    "change",
    [
        {"environment": {"STORE_HOST": "elsewhere"}},
        {"command": ("serve",)},
        {"secrets": ()},
        {"configs": ()},
        {"memory": 1},
        {"user": "0"},
        {"cap_drop": ("ALL",)},
        {"restart": "always"},
        {"hooks": ()},
        {"stop_grace": 1.0},
    ],
)
def test_every_part_of_the_definition_enters_the_name(change: dict[str, object]) -> None:
    p = platform()
    changed = replace(p, services={**p.services, "web": replace(WEB, **change)})  # type: ignore[arg-type]
    assert release_of(changed, {"web": build()}).digest != release_of(p, {"web": build()}).digest


def test_a_bundle_with_a_hole_has_no_name() -> None:
    with pytest.raises(ValueError, match="no build for web"):
        release_of(platform(), {})
