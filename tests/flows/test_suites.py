import json
from dataclasses import replace

import pytest

from otagate.core.canonical import digest_of_bytes
from otagate.core.errors import UsageError
from otagate.core.judge import Decision
from otagate.core.picture import PICTURES, Picture
from tests.flows.scene import Scene, raised
from tests.flows.test_gate import tried
from tests.pngs import png


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


def attach(scene: Scene, suite: str, *contents: bytes) -> None:
    result = scene.suites.results["technical"]
    pictures = tuple(
        Picture(f"p{n}", "P", "technical/test_a.py::test_one", digest_of_bytes(content), 2, 1, len(content))
        for n, content in enumerate(contents)
    )
    kept = {digest_of_bytes(content): content for content in contents}
    scene.suites.results[suite] = replace(result, report=replace(result.report, pictures=pictures), contents=kept)


def test_pictures_lie_in_the_runs_folder_under_their_digests_and_in_its_record() -> None:
    scene = raised()
    attach(scene, "technical", png(1), png(2), png(1))
    stored = tried(scene)
    assert stored.verdict.decision is Decision.APPROVE
    pictures = stored.record.suites["technical"].pictures
    assert [picture.name for picture in pictures] == ["p0", "p1", "p2"]
    read = [scene.vault.read(stored.header.run, picture.file) for picture in pictures]
    assert read == [png(1), png(2), png(1)]
    assert len([path for path in scene.vault.files if path.endswith(".png")]) == 2


def test_pictures_for_which_the_run_has_no_room_leave_the_verdict_open() -> None:
    scene = raised()
    spec = scene.platform.suites["technical"]
    scene.platform = replace(scene.platform, suites={"technical": spec, "again": replace(spec, name="again")})
    attach(scene, "technical", *(png(n) for n in range(PICTURES - 1)))
    attach(scene, "again", png(100), png(101))
    scene.suites.results["again"] = replace(scene.suites.results["again"], metrics={})
    suites = tried(scene).record.suites
    assert suites["technical"].flaws == ()
    assert suites["again"].flaws == (f"picture p1 is refused: a run keeps {PICTURES} pictures",)
    assert [picture.name for picture in suites["again"].pictures] == ["p0"]
    assert len([path for path in scene.vault.files if path.endswith(".png")]) == PICTURES


def test_a_suite_whose_picture_was_refused_approves_nothing() -> None:
    scene = raised()
    result = scene.suites.results["technical"]
    refused = replace(result.report, flaws=("picture dose is refused: it is not a PNG",))
    scene.suites.results["technical"] = replace(result, report=refused)
    verdict = tried(scene).verdict
    assert verdict.decision is Decision.INCONCLUSIVE
    assert any("picture dose is refused" in finding.message for finding in verdict.findings)


def test_a_suite_never_gets_productions_secrets() -> None:
    scene = raised()
    spec = scene.platform.suites["technical"]
    object.__setattr__(spec, "secrets", ("password",))
    tried(scene)
    production = {v for (_, binding, _), v in scene.secrets.kept.items() if binding == "production"}
    assert not set(scene.suites.ran[0].secrets.values()) & production
    assert scene.suites.ran[0].secrets
