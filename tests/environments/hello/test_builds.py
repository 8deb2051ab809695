"""The platform's files: sample builds differ by arguments alone, and the policy has a rule for each."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from hello_web.settings import UNTOLD, Identity, parse_peers, read_settings
from hello_web.traits import Traits, parse_traits

from otagate.config.load import load
from otagate.core.platform import Tier
from otagate.core.policy import CasesRule, CrashRule, DriftRule, MetricRule
from tests.environments import image_arguments
from tests.environments.hello.conftest import HELLO

DOCKERFILE = (HELLO / "services" / "web" / "Dockerfile").read_text()
ARGUMENTS = image_arguments.arguments(DOCKERFILE)


def declared() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((HELLO / "images.yaml").read_text())
    return found


def as_printed(given: Mapping[str, str]) -> str:
    return image_arguments.as_printed(DOCKERFILE, given)


def test_the_defaults_are_the_plain_service() -> None:
    assert parse_traits(as_printed({})) == Traits()
    assert {name.lower() for name in ARGUMENTS} == set(asdict(Traits()))


def test_every_sample_build_is_another_service_and_no_argument_is_unknown() -> None:
    builds = [entry for entry in declared()["images"] if entry["context"] == "services/web"]
    traits = [parse_traits(as_printed(entry.get("args", {}))) for entry in builds]
    assert len(set(traits)) == len(builds) == 8
    assert all(set(entry.get("args", {})) <= set(ARGUMENTS) for entry in builds)


@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"dose_factor": 1}', as_printed({"TIRED_AFTER": '"1"'}), as_printed({"LOG_PATIENT": "1"})]
)
def test_an_image_that_is_not_whole_does_not_start(text: str) -> None:
    with pytest.raises(ValueError, match="trait"):
        parse_traits(text)


def test_requirements_are_pinned_by_version_and_hash() -> None:
    for service in ("web", "suite"):
        text = (HELLO / "services" / service / "requirements.txt").read_text()
        entries = [entry for entry in re.split(r"\n(?=\S)", text) if entry.strip()]
        assert len(entries) > 10
        assert all(re.match(r"[\w\[\],-]+==\S+", entry) and "--hash=sha256:" in entry for entry in entries)


def test_the_data_is_named_by_its_hash() -> None:
    assert [entry["into"] for entry in declared()["data"]] == ["data/linked", "services/suite/linked"]
    assert all(len(entry["sha256"]) == 64 for entry in declared()["data"])


def test_the_platform_loads_and_every_case_of_its_suites_has_a_rule() -> None:
    platform = load(HELLO)
    assert (platform.services["web"].tier, platform.services["store"].tier) == (Tier.RELEASE, Tier.STATE)
    rules = {rule.name: rule for rule in platform.policy.rules}
    catch_all = {rule.suite for rule in rules.values() if isinstance(rule, CasesRule) and not rule.requirements}
    assert catch_all == set(platform.suites)
    claimed = {name for rule in rules.values() if isinstance(rule, CasesRule) for name in rule.requirements}
    marked = {
        name
        for file in (HELLO / "suites").rglob("test_*.py")
        for name in re.findall(r'requirement\("([\w-]+)"\)', file.read_text())
    }
    assert claimed <= marked
    assert isinstance(rules["crash"], CrashRule)
    assert isinstance(rules["drift"], DriftRule)
    latency = rules["latency"]
    assert isinstance(latency, MetricRule)
    assert (latency.metric, latency.ratio, latency.minimum) == ("summary-latency", 1.5, 40)


def test_the_probe_of_the_gate_is_a_known_peer() -> None:
    assert "OTAGATE" in parse_peers((HELLO / "services" / "web" / "peers.yaml").read_text())


@pytest.mark.parametrize("text", ["", "peers:", "peers: []", "peers: [1]", "peers: ['']", f"peers: [{'A' * 17}]"])
def test_a_peers_file_without_peers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"AE title|peers"):
        parse_peers(text)


def test_settings_come_from_environment_and_files(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "peers").write_text("peers: [PLANNER]")
    environ = {
        "STORE_HOST": "store",
        "STORE_PASSWORD_FILE": str(tmp_path / "password"),
        "PEERS_FILE": str(tmp_path / "peers"),
    }
    found = read_settings(environ)
    assert (found.store_password, found.peers, found.identity.build) == ("secret", ("PLANNER",), UNTOLD)
    with pytest.raises(KeyError):
        read_settings({key: value for key, value in environ.items() if key != "STORE_HOST"})


def test_an_association_has_room_for_colour_and_build() -> None:
    name = Identity("sha256:0123456789abcdef", "blue").implementation
    assert name == "b-0123456789ab"
    assert len(name) <= 16
