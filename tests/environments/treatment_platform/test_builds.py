"""The sample builds of the dose engine differ by arguments alone, and are the ones that the demo knows."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest
import yaml
from dose_engine.traits import Traits, parse_traits

from otagate.demo.expected import ENGINE, TREATMENT
from tests.environments import image_arguments
from tests.environments.treatment_platform.test_suites import ENVIRONMENTS

CLINIC = ENVIRONMENTS / "treatment-platform"
DOCKERFILE = (CLINIC / "services" / "dose-engine" / "Dockerfile").read_text()
ARGUMENTS = image_arguments.arguments(DOCKERFILE)
LIVE = f"{ENGINE}:1.0"  # from genesis: it is never a candidate


def builds() -> dict[str, dict[str, str]]:
    """Image → arguments. Fails where one image is declared twice."""
    declared: dict[str, Any] = yaml.safe_load((CLINIC / "images.yaml").read_text())
    found = [entry for entry in declared["images"] if entry["context"] == "services/dose-engine"]
    assert len({entry["image"] for entry in found}) == len(found)
    return {entry["image"]: entry.get("args", {}) for entry in found}


def as_printed(given: Mapping[str, str]) -> str:
    return image_arguments.as_printed(DOCKERFILE, given)


def test_the_defaults_are_the_plain_engine() -> None:
    assert parse_traits(as_printed({})) == Traits()
    assert {name.lower() for name in ARGUMENTS} == set(asdict(Traits()))


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_every_argument_sets_the_trait_of_its_name(name: str) -> None:
    """printf takes its values by place: two of one kind would change places unseen."""
    plain = getattr(Traits(), name.lower())
    given = {bool: "true", float: "1.5", int: "7"}[type(plain)]
    made = asdict(parse_traits(as_printed({name: given})))
    assert {key for key, value in made.items() if value != getattr(Traits(), key)} == {name.lower()}


def test_every_sample_build_is_another_service_and_no_argument_is_unknown() -> None:
    traits = [parse_traits(as_printed(given)) for given in builds().values()]
    assert len(set(traits)) == len(traits) == 8
    assert all(set(given) <= set(ARGUMENTS) for given in builds().values())


def test_the_live_build_is_the_plain_one_and_every_other_has_one_trait() -> None:
    assert {image: len(given) for image, given in builds().items()} == {image: int(image != LIVE) for image in builds()}


def test_the_builds_are_those_whose_verdict_the_demo_knows() -> None:
    assert list(builds()) == [LIVE, *(expected.image for expected in TREATMENT)]


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        '{"output_factor": 1}',
        as_printed({"CRASH_AT": '"2"'}),
        as_printed({"MIRRORED": "1"}),
        as_printed({"PASSES": "true"}),
    ],
)
def test_an_image_that_is_not_whole_does_not_start(text: str) -> None:
    with pytest.raises(ValueError, match="trait"):
        parse_traits(text)
