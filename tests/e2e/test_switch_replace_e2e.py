"""The switch itself replaced in the real engine while clients ask and an association stays open.

The tests of this module share one production and run in the order of the file.
"""

import subprocess
import time
from collections.abc import Callable
from typing import Any

import docker
import pytest
import requests

from otagate.adapters.images import source_digest
from otagate.adapters.steward_client import StewardClient
from otagate.core.cloud import LABEL_PLATFORM, LABEL_SERVICE
from otagate.core.replacement import Reach
from otagate.core.switch import SERVERS_PATH
from tests.e2e.live import Live
from tests.e2e.steady import Steady, association, echoes

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

CALLED = "HELLO"


def address(hello: Live, listener: str) -> str:
    return str(hello.otagate("status")["data"]["listeners"][listener]["address"])


def load(web: str) -> Steady:
    host, port = web.split(":")
    return Steady(host, int(port))


def edge(engine: docker.DockerClient, hello: Live, service: str) -> list[Any]:
    wanted: Any = {"label": [f"{LABEL_PLATFORM}={hello.name}", f"{LABEL_SERVICE}={service}"]}
    return list(engine.containers.list(all=True, filters=wanted, ignore_removed=True))


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.1)
    return False


def answers(web: str) -> bool:
    try:
        return requests.get(f"http://{web}/healthz", timeout=3).status_code == 200
    except requests.RequestException:
        return False


def reaches(engine: docker.DockerClient, hello: Live, wanted: Reach) -> bool:
    """Whether the replacement gets there in time."""
    steward = StewardClient(lambda: engine, hello.name, source_digest())

    def there() -> bool:
        now = steward.status().replacement
        return now is not None and now.reach is wanted

    return eventually(there, 60)


def test_a_replacement_fails_no_request_and_cuts_no_association(engine: docker.DockerClient, hello: Live) -> None:
    web, dicom = address(hello, "web"), address(hello, "dicom")
    (before,) = edge(engine, hello, "switch")
    plan = hello.otagate("switch", "replace", "--dry-run")["data"]["plan"]["steps"]
    assert [step["action"] for step in plan] == ["create", "run", "turn", "remove"]
    with load(web) as asked, association(dicom, CALLED) as open_:
        replacing = hello.start("switch", "replace", "--by", "tests")
        assert reaches(engine, hello, Reach.ALONE), "the old one waits for the association"
        assert len(edge(engine, hello, "switch")) == 2
        assert echoes(open_), "it goes on where it is"
        with association(dicom, CALLED) as new:
            assert echoes(new), "a new one is accepted meanwhile"
            open_.release()
            out, err = replacing.communicate(timeout=90)
            assert replacing.returncode == 0, out + err
            assert echoes(new), "it was the new switch's, and stays"
    assert asked.failed == []
    assert asked.asked > 100
    (after,) = edge(engine, hello, "switch")
    assert after.id != before.id
    known = after.exec_run(["cat", SERVERS_PATH]).output.decode()
    assert " web_blue 1 s1 " in known, "what it knew when it rehearsed went with it to the doors"
    told = hello.otagate("status")["data"]
    assert told["replacement"]["reach"] == "replaced"
    assert told["replacement"]["cut"] == []
    assert (address(hello, "web"), address(hello, "dicom")) == (web, dicom)
    assert hello.otagate("up")["data"]["changed"] == []


def test_the_new_one_has_no_right_either(engine: docker.DockerClient, hello: Live) -> None:
    for service in ("switch", "holder"):
        (container,) = edge(engine, hello, service)
        text = container.exec_run(["cat", "/proc/1/status"]).output.decode()
        seen = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        assert seen["Uid"].split() == ["65534"] * 4
        assert {seen[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
        assert container.exec_run(["touch", "/etc/written"]).exit_code != 0


def test_the_control_a_stop_and_start_fails_requests_and_cuts(engine: docker.DockerClient, hello: Live) -> None:
    web, dicom = address(hello, "web"), address(hello, "dicom")
    (switch,) = edge(engine, hello, "switch")
    with load(web) as asked, association(dicom, CALLED) as open_:
        switch.stop(timeout=2)
        switch.start()
        assert eventually(lambda: answers(web))
        assert not echoes(open_)
    assert asked.failed != []


def test_killed_halfway_it_is_shown_red_and_recover_finishes(engine: docker.DockerClient, hello: Live) -> None:
    web, dicom = address(hello, "web"), address(hello, "dicom")
    with load(web) as asked:
        with association(dicom, CALLED):
            replacing: subprocess.Popen[str] = hello.start("switch", "replace", "--by", "tests")
            assert reaches(engine, hello, Reach.ALONE)
            replacing.kill()
            replacing.communicate(timeout=30)
            refused = hello.otagate("switch", "replace", "--by", "tests", exit=1)
            assert refused["errors"][0]["code"] == "unfinished"
            hello.otagate("status", exit=8)
        done = hello.otagate("recover", "--by", "tests")
        assert done["data"]["replacement"]["reach"] == "replaced"
    assert asked.failed == []
    assert len(edge(engine, hello, "switch")) == 1
    assert hello.otagate("status")["data"]["disagreements"] == []


def test_switch_and_holder_come_back_at_the_same_ports(engine: docker.DockerClient, hello: Live) -> None:
    web = address(hello, "web")
    for service in ("switch", "holder"):
        (container,) = edge(engine, hello, service)
        container.exec_run(["sh", "-c", "kill -9 -1"])
        assert eventually(lambda: answers(web)), f"after the {service} was killed"
        engine.api.kill(container.id, "SIGKILL")
        engine.api.start(container.id)
        assert eventually(lambda: answers(web)), f"after the {service} was killed and started"
        (switch,) = edge(engine, hello, "switch")
        known = switch.exec_run(["cat", SERVERS_PATH])
        assert (known.exit_code, known.output) == (0, b""), "what was known before a break is not believed after it"
    assert address(hello, "web") == web


def test_a_switch_that_starts_before_its_holder_waits_for_it(engine: docker.DockerClient, hello: Live) -> None:
    web = address(hello, "web")
    (switch,), (holder,) = edge(engine, hello, "switch"), edge(engine, hello, "holder")
    for container in (switch, holder):
        engine.api.kill(container.id, "SIGKILL")
    engine.api.start(switch.id)
    began = engine.api.inspect_container(switch.id)
    time.sleep(1)  # what the holder left, a name and a socket that answers nobody, is there
    engine.api.start(holder.id)
    assert eventually(lambda: answers(web))
    now = engine.api.inspect_container(switch.id)
    assert (now["RestartCount"], now["State"]["StartedAt"]) == (began["RestartCount"], began["State"]["StartedAt"])
