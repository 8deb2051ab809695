"""From events to lines of progress, to what changed and to what broke."""

from dataclasses import replace
from typing import Any

from otagate.adapters.ansible.follow import OUR_ACTION, Follow
from otagate.core.cloud import Cloud
from otagate.core.container import Container, Stage
from otagate.core.platform import Healthcheck
from otagate.ports import Progress

CHECK = Healthcheck(("CMD", "true"), 1.0, 1.0, 1, 0.0)
WEB = Container("t-x-blue-web", "sha256:0", (), {}, healthcheck=CHECK)
PLAIN = Container("t-x-blue-plain", "sha256:0", (), {})
STAGE = Stage("first", Cloud.BLUE, "a test", (), (), (WEB, PLAIN), replace=True, deadline=1.0)


def follow(*stages: Stage) -> tuple[Follow, list[Progress]]:
    told: list[Progress] = []
    return Follow("t-x", stages or (STAGE,), told.append), told


def of_engine(name: str, action: str) -> dict[str, Any]:
    return {"Action": action, "Actor": {"Attributes": {"name": name}}}


def raised(*names: str) -> dict[str, Any]:
    return {"event": "runner_on_ok", "task_action": OUR_ACTION, "res": {"changed_names": list(names)}}


PLAY = {"event": "playbook_on_play_start", "stdout": "PLAY"}


def test_a_container_with_a_check_is_up_when_it_is_healthy_and_one_without_when_it_runs() -> None:
    seen, told = follow()
    seen.of_ansible(PLAY)
    for name, action in (
        (WEB.name, "create"),
        (PLAIN.name, "start"),
        (WEB.name, "start"),
        (WEB.name, "health_status: unhealthy"),
        (WEB.name, "health_status: healthy"),
    ):
        seen.of_engine(of_engine(name, action))
    assert [(t.subject, t.message, t.done, t.total) for t in told] == [
        ("blue-web", "created", 0, 2),
        ("blue-plain", "running", 1, 2),
        ("blue-web", "started", 1, 2),
        ("blue-web", "unhealthy", 1, 2),
        ("blue-web", "healthy", 2, 2),
    ]


def test_what_no_event_told_of_is_told_at_the_stages_end() -> None:
    seen, told = follow()
    seen.of_ansible(PLAY)
    seen.of_ansible(raised(WEB.name))
    assert [(t.subject, t.message) for t in told] == [("blue-web", "healthy"), ("blue-plain", "unchanged")]
    assert (seen.changed, seen.finished) == ([WEB.name], 1)


def test_events_of_others_and_of_kinds_unknown_are_passed_over() -> None:
    seen, told = follow()
    seen.of_ansible({"event": "verbose"})
    seen.of_ansible({"event": "runner_on_ok", "task_action": "debug", "res": {"changed_names": ["x"]}})
    seen.of_ansible({"event": "runner_on_skipped"})
    seen.of_engine(of_engine("t-x-other", "start"))
    seen.of_engine({"Action": "start"})
    assert (told, seen.changed, seen.finished, seen.broken) == ([], [], 0, None)


def test_output_and_progress_go_to_the_stage_under_way() -> None:
    second = replace(STAGE, name="second", containers=(PLAIN,))
    seen, told = follow(STAGE, second)
    seen.of_ansible({"event": "verbose", "stdout": "before"})
    for _ in range(2):
        seen.of_ansible(PLAY)
    seen.of_engine(of_engine(WEB.name, "start"))  # late, of a stage that is over
    seen.of_engine(of_engine(PLAIN.name, "start"))
    assert seen.output == {0: ["before", "PLAY"], 1: ["PLAY"]}
    assert [(t.step, t.subject, t.total) for t in told] == [("second", "blue-plain", 1)]


def test_networks_and_volumes_count_as_changed_when_they_were_made() -> None:
    seen, told = follow()
    for action, name, changed in (("docker_network", "t-x-blue", True), ("docker_volume", "t-x-data", False)):
        res = {"changed": changed, "item": {"name": name}}
        seen.of_ansible({"event": "runner_item_on_ok", "task_action": f"community.docker.{action}", "res": res})
    assert seen.changed == ["t-x-blue"]
    assert told == [Progress("first", "blue", "network created")]


def test_the_first_breakage_is_kept_and_needs_no_message() -> None:
    seen, _ = follow()
    seen.of_ansible({"event": "runner_on_unreachable", "task": "Look", "res": {}})
    seen.of_ansible({"event": "runner_on_failed", "task": "Later", "res": {"msg": "too"}})
    assert seen.broken is not None
    assert (seen.broken.task, seen.broken.message) == ("Look", "failed without a message")
