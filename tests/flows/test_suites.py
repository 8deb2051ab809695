import json
from dataclasses import replace

import pytest

from otagate.core.errors import UsageError
from otagate.core.judge import Decision
from tests.flows.scene import raised
from tests.flows.test_gate import tried


def test_a_restart_that_a_suite_asks_for_is_no_crash() -> None:
    scene = raised()
    scene.suites.asks = {"technical": [("restart", {"service": "web"}), ("kill", {"service": "web"})]}
    assert tried(scene).verdict.decision is Decision.APPROVE
    assert scene.engine.asked == [("restart", "p-green-candidate-web"), ("kill", "p-green-candidate-web")]


@pytest.mark.parametrize(
    ("what", "args"),
    [("restart", {"service": "switch2"}), ("restart", {}), ("remove", {"service": "web"}), ("kill", {"service": ""})],
)
def test_a_suite_may_ask_for_nothing_else(what: str, args: dict[str, str]) -> None:
    scene = raised()
    scene.suites.asks = {"technical": [(what, args)]}
    tried(scene)
    assert isinstance(scene.suites.answers[0], UsageError)
    assert scene.engine.asked == []


def test_a_suite_is_given_both_sides_the_door_and_what_it_must_not_reach() -> None:
    scene = raised()
    tried(scene)
    given = scene.suites.ran[0].environment
    assert given["OTAGATE_CANDIDATE_WEB"] == "p-green-candidate-web"
    assert given["OTAGATE_CANDIDATE_WEB_BUILD"] == scene.world.images["hello/web:1.1"]
    assert given["OTAGATE_BASELINE_WEB_BUILD"] == scene.world.images["hello/web:1.0"]
    assert given["OTAGATE_DOOR_WEB"].startswith("p-green-candidate-switch:")
    production = json.loads(given["OTAGATE_PRODUCTION"])
    assert production["p-shared-store"]
    assert not [name for name in production if "candidate" in name]


def test_a_metric_that_two_suites_report_makes_neither_believable() -> None:
    scene = raised()
    spec = scene.platform.suites["technical"]
    scene.platform = replace(scene.platform, suites={"technical": spec, "again": replace(spec, name="again")})
    scene.suites.results["again"] = scene.suites.results["technical"]
    suites = tried(scene).record.suites
    assert [bool(report.flaws) for report in suites.values()] == [True, True]


def test_a_suite_never_gets_productions_secrets() -> None:
    scene = raised()
    spec = scene.platform.suites["technical"]
    object.__setattr__(spec, "secrets", ("password",))
    tried(scene)
    production = {v for (_, binding, _), v in scene.secrets.kept.items() if binding == "production"}
    assert not set(scene.suites.ran[0].secrets.values()) & production
    assert scene.suites.ran[0].secrets
