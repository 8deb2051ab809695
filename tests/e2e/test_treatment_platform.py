"""The clinic's platform in short form: production, an honest build of the engine, one that gives 3 % too much."""

import docker
import pytest

from otagate.core.cloud import LABEL_PLATFORM
from tests.e2e.live import Live

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def test_an_honest_engine_is_approved(clinic: Live) -> None:
    envelope = clinic.otagate("test", "dose-engine=treatment-platform/dose-engine:1.1")
    assert envelope["data"]["verdict"] == "approve"
    assert {finding["mark"] for finding in envelope["findings"]} == {"pass"}


def test_an_engine_that_gives_too_much_is_refused_by_its_dose(clinic: Live) -> None:
    envelope = clinic.otagate("test", "dose-engine=treatment-platform/dose-engine:1.2", exit=1)
    failed = [finding for finding in envelope["findings"] if finding["mark"] == "fail"]
    assert "dose" in {finding["rule"] for finding in failed}
    assert not {"crash", "drift", "technical", "passive"} & {finding["rule"] for finding in failed}


def test_nothing_is_left_when_it_is_taken_down_with_its_state(clinic: Live, engine: docker.DockerClient) -> None:
    mine: dict[str, str | list[str] | bool] = {"label": f"{LABEL_PLATFORM}={clinic.name}"}
    assert engine.containers.list(all=True, filters=mine), "control: production stands"
    clinic.otagate("down", "--destroy-state", clinic.name)
    assert engine.containers.list(all=True, filters=mine, ignore_removed=True) == []
    assert engine.volumes.list(filters=mine) == []
