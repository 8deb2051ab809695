"""The clinic's platform in short form: production, and a build of the engine that gives 3 % too much at its gate."""

import json

import docker
import pytest

from otagate.core.cloud import LABEL_PLATFORM
from tests.e2e.live import Live

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

RULES = {"dose", "unchanged", "geometry", "references", "refusals", "machine", "functional", "technical", "passive"}
RULES |= {"privacy", "latency", "chain", "crash", "drift"}


def test_an_engine_that_gives_too_much_is_refused_by_its_dose_and_all_else_passes(clinic: Live) -> None:
    """The rules that pass are the proof that the suites ran on a sound mirror: one alone that fails by itself shows."""
    envelope = clinic.otagate("test", "dose-engine=treatment-platform/dose-engine:1.2", exit=1)
    findings = {finding["rule"]: finding for finding in envelope["findings"]}
    assert set(findings) >= RULES
    short = {rule: finding["mark"] for rule, finding in findings.items() if finding["mark"] != "pass"}
    assert short == {"dose": "fail", "unchanged": "fail"}, json.dumps([findings[rule] for rule in short], indent=1)


def test_nothing_is_left_when_it_is_taken_down_with_its_state(clinic: Live, engine: docker.DockerClient) -> None:
    mine: dict[str, str | list[str] | bool] = {"label": f"{LABEL_PLATFORM}={clinic.name}"}
    assert engine.containers.list(all=True, filters=mine), "control: production stands"
    clinic.otagate("down", "--destroy-state", clinic.name)
    assert engine.containers.list(all=True, filters=mine, ignore_removed=True) == []
    assert engine.volumes.list(filters=mine) == []
