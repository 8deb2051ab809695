"""The whole path on real components: production, gate, promotion, way back, and what may go wrong on it.

The tests of this module share one production and run in the order of the file.
"""

import json
import os
import subprocess
import sys
import time
from typing import Any

import docker
import pytest
import requests

from otagate.demo.client import as_bytes, fresh_object
from tests.e2e.live import Live, asked, clear, containers, status

pytestmark = pytest.mark.e2e


def test_production_serves_its_first_release_on_both_listeners(hello: Live) -> None:
    data = status(hello)
    assert (data["live"], data["idle"]) == ("blue", "green")
    assert set(data["listeners"]) == {"web", "dicom"}
    assert asked(hello)[0] == "blue"


def test_a_second_up_changes_nothing(hello: Live) -> None:
    assert hello.otagate("up")["data"]["changed"] == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["test", "webb=hello/web:1.1"], "unknown-service"),
        (["test", "store=hello/store:1.0"], "unknown-service"),
        (["test", "web=hello/web:no-such-tag"], "no-image"),
        (["promote", "no-such-run"], "no-run"),
        (["verdict"], "no-run"),
        (["mirror", "diff"], "no-mirror"),
        (["down", "--destroy-state", "another"], "wrong-name"),
        (["test", "web=hello/web:1.1", "--wait", "soon"], "usage"),
    ],
)
def test_what_cannot_be_asked_is_told_with_what_to_do(hello: Live, words: list[str], code: str) -> None:
    errors = hello.otagate(*words, exit=2)["errors"]
    assert [error["code"] for error in errors] == [code]
    assert errors[0]["hint"]


def test_there_is_no_rollback_before_there_is_a_warm_colour(hello: Live) -> None:
    assert hello.otagate("rollback", exit=1)["errors"][0]["code"] == "no-release"


@pytest.mark.parametrize("words", [["status"], ["test", "web=hello/web:1.1"], ["up"]])
def test_an_engine_that_does_not_answer_is_a_fault_outside(hello: Live, words: list[str]) -> None:
    began = time.monotonic()
    errors = hello.otagate(*words, exit=4, DOCKER_HOST="unix:///nonexistent/docker.sock")["errors"]
    assert errors[0]["hint"]
    assert time.monotonic() - began < 60


def test_a_full_disk_is_a_fault_outside_and_production_is_as_it_was(hello: Live, engine: docker.DockerClient) -> None:
    before = containers(engine, hello)
    home = hello.environment["OTAGATE_HOME"]
    mount = f'mount -t tmpfs -o size=64k none {home} && exec "$@"'
    words = [sys.executable, "-m", "otagate", "test", "web=hello/web:1.1", "-p", str(hello.folder), "--output", "json"]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, "sh", *words],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **hello.environment},
    )
    assert done.returncode == 4, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert json.loads(done.stdout)["errors"][0]["hint"]
    assert containers(engine, hello) == before


def test_an_honest_build_is_proven_promoted_and_rolled_back_with_every_request_answered(hello: Live) -> None:
    run = hello.otagate("test", "web=hello/web:1.1")["data"]["run"]
    assert hello.otagate("verdict", run)["data"]["verdict"] == "approve"
    for form in ("html", "junit", "markdown"):
        assert hello.otagate("report", run, "--format", form)["data"]["path"]
    dry = hello.otagate("promote", run, "--dry-run")["data"]["plan"]["steps"]
    assert "turn" in [step["action"] for step in dry]
    old = asked(hello)

    promoted = hello.otagate("promote", run, "--by", "tests")["data"]["promotion"]
    assert promoted["phase"] == "promoted"
    new = asked(hello)
    assert (old[0], new[0]) == ("blue", "green")
    assert old[1] != new[1]
    assert status(hello)["colours"]["blue"]["warm"]

    assert hello.otagate("promote", run, exit=1)["errors"][0]["code"] == "already-live"

    uid = kept(hello)  # by the release that will be left

    back = hello.otagate("rollback", "--by", "tests")["data"]
    assert back["promotion"]["phase"] == "promoted"
    assert back["live"] == "blue"
    assert set(back["listeners"]) == {"web", "dicom"}
    assert asked(hello) == old
    assert hello.otagate("recover")["data"]["recovered"] is None
    errors = hello.otagate("rollback", exit=1)["errors"]
    assert errors[0]["code"] == "no-warm-side"
    assert "--override" in errors[0]["hint"]
    left_behind(hello, run, back, uid)


def left_behind(hello: Live, run: str, back: dict[str, Any], uid: str) -> None:
    """The incident names what was written, and holds the release until somebody has looked."""
    (incident,) = hello.otagate("status")["data"]["incidents"]
    assert back["incidents"] == [incident]
    assert incident["impact"] == "K1"
    (written,) = incident["written"]
    assert (written["service"], written["count"], written["items"]) == ("web", 1, [uid])
    assert written["quarantined"] == 1
    assert hello.otagate("promote", run, exit=1)["errors"][0]["code"] == "release-held"
    clear(hello)


def kept(hello: Live) -> str:
    """The UID of one object that production has just kept."""
    address = hello.otagate("status")["data"]["listeners"]["web"]["address"]
    dataset = fresh_object()
    answer = requests.post(f"http://{address}/objects", data=as_bytes(dataset), timeout=10)
    assert answer.status_code == 200, answer.text
    return str(dataset.SOPInstanceUID)


def test_a_switch_turned_by_hand_is_an_alarm_and_recover_mends_it(hello: Live, engine: docker.DockerClient) -> None:
    live = str(status(hello)["live"])
    other = "green" if live == "blue" else "blue"
    switch = engine.containers.get(f"{hello.name}-shared-steward")
    turn = (
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/otagate/admin.sock'); "
        f"s.sendall(b'set map /run/otagate/active.map active {other}\\n'); print(s.recv(100))"
    )
    done = switch.exec_run(["python", "-c", turn])
    assert done.exit_code == 0, done.output
    until = time.monotonic() + 30
    while True:
        process = hello.start("status")
        process.communicate(timeout=60)
        if process.returncode == 8:
            break
        assert time.monotonic() < until, "a switch turned by hand went unseen"
        time.sleep(0.5)
    hello.otagate("recover")
    assert status(hello)["live"] == live


def test_a_plain_down_leaves_production_and_its_name_takes_it_all(hello: Live, engine: docker.DockerClient) -> None:
    before = containers(engine, hello)
    hello.otagate("down")
    assert containers(engine, hello) <= before
    assert asked(hello)
    hello.otagate("down", "--destroy-state", hello.name)
    assert containers(engine, hello) == set()
