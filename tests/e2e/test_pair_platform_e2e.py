"""A platform that declares a pair of switches, from `up` to `down`, by the commands that a person types.

The tests of this module share one production and run in the order of the file.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
from docker.models.containers import Container

from otagate.core.cloud import LABEL_PLATFORM
from otagate.core.switch import socket_path
from tests.e2e.live import Live
from tests.e2e.quick import quick, remove
from tests.e2e.steady import Steady, association, echoes

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

SECOND = "127.0.0.2"
CALLED = "HELLO"
NAMES = ("holder", "holder-second", "steward", "store", "switch", "switch-second")


@pytest.fixture(scope="module")
def pair(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    assert engine.ping()
    root: Path = tmp_path_factory.mktemp("pair")
    live = quick(root)
    live.edit("otagate.yaml", "mirror: {data", f"switch: {{second: {{address: {SECOND}}}}}\n\nmirror: {{data")
    try:
        live.otagate("up", "--by", "tests")
        yield live
    finally:
        remove(live.name)


def doors(pair: Live, listener: str = "web") -> tuple[str, str]:
    """Where it answers: at the first switch, and at the second."""
    told = pair.otagate("status")["data"]["listeners"][listener]
    return str(told["address"]), str(told["second"])


def green(pair: Live) -> bool:
    process = pair.start("status")
    process.communicate(timeout=120)
    return process.returncode == 0


def colours(at: tuple[str, str]) -> list[str]:
    return [requests.get(f"http://{address}/healthz", timeout=30).headers["X-Otagate-Colour"] for address in at]


def load(address: str) -> Steady:
    host, port = address.split(":")
    return Steady(host, int(port), clients=4)


def container(engine: docker.DockerClient, pair: Live, name: str) -> Container:
    return engine.containers.get(f"{pair.name}-shared-{name}")


def standing(engine: docker.DockerClient, pair: Live) -> dict[str, str]:
    """Containers of the shared cloud by what follows its name, each with its id."""
    mine: Any = {"label": f"{LABEL_PLATFORM}={pair.name}"}
    begin = f"{pair.name}-shared-"
    found = engine.containers.list(all=True, filters=mine, ignore_removed=True)
    return {str(c.name).removeprefix(begin): str(c.id) for c in found if str(c.name).startswith(begin)}


def asked(engine: docker.DockerClient, pair: Live, command: str, number: int = 1) -> str:
    """The second switch, past the steward."""
    path = socket_path(number, second=True)
    code = f"from otagate.adapters.haproxy import HAProxy; print(HAProxy({path!r}).ask({command!r}))"
    status, output = container(engine, pair, "steward").exec_run(["python", "-c", code])
    assert isinstance(output, bytes)
    assert status == 0, output
    return output.decode().strip()


def eventually(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.2)
    return False


def test_both_doors_serve_at_the_same_port_of_two_addresses(engine: docker.DockerClient, pair: Live) -> None:
    assert tuple(sorted(standing(engine, pair))) == NAMES
    web = doors(pair)
    assert [address.split(":")[0] for address in web] == ["127.0.0.1", SECOND]
    assert len({address.split(":")[1] for address in web}) == 1
    assert colours(web) == ["blue", "blue"]
    for address in doors(pair, "dicom"):
        with association(address, CALLED) as line:
            assert echoes(line)
    assert pair.otagate("up")["data"]["changed"] == []


def test_a_promotion_flips_both_and_fails_no_request_at_either(pair: Live) -> None:
    run = pair.otagate("test", "web=hello/web:1.1")["data"]["run"]
    web = doors(pair)
    with load(web[0]) as first, load(web[1]) as other:
        pair.otagate("promote", run, "--by", "tests")
    assert (first.failed, other.failed) == ([], [])
    assert min(first.asked, other.asked) > 50
    assert colours(web) == ["green", "green"]


def test_one_that_was_turned_by_hand_is_red_and_recover_makes_both_agree(
    engine: docker.DockerClient, pair: Live
) -> None:
    web, epoch = doors(pair), asked(engine, pair, "show map /run/otagate/active.map").split("epoch ")[1].split()[0]
    assert asked(engine, pair, f"otagate restore blue {epoch}") == f"OK blue epoch {epoch}"
    assert colours(web) == ["green", "blue"], "the split is real"
    red = pair.otagate("status", exit=8)
    assert "the first says green" in red["data"]["disagreements"][0]
    pair.otagate("recover", "--by", "tests")
    assert colours(web) == ["green", "green"]
    assert pair.otagate("status")["data"]["disagreements"] == []


def test_one_that_was_killed_is_red_while_the_other_serves_and_up_brings_it_back(
    engine: docker.DockerClient, pair: Live
) -> None:
    web = doors(pair)
    with load(web[0]) as first:
        container(engine, pair, "switch-second").kill()
        red = pair.otagate("status", exit=8)
        assert any("the second switch: " in told for told in red["data"]["disagreements"])
        assert red["errors"][0]["hint"].startswith("otagate up")
        pair.otagate("up", "--by", "tests")
    assert first.failed == []
    assert eventually(lambda: colours(web) == ["green", "green"])
    assert eventually(lambda: green(pair))


def test_both_are_replaced_and_no_request_or_association_at_either_is_lost(
    engine: docker.DockerClient, pair: Live
) -> None:
    web, dicom, before = doors(pair), doors(pair, "dicom"), standing(engine, pair)
    with load(web[0]) as first, load(web[1]) as other, association(dicom[1], CALLED) as open_:
        replacing = pair.start("switch", "replace", "--by", "tests")
        assert eventually(lambda: "switch-second-3" in standing(engine, pair), 60), "the second one's turn has come"
        assert echoes(open_), "it goes on where it is"
        open_.release()
        out, err = replacing.communicate(timeout=200)
        assert replacing.returncode == 0, out + err
    assert (first.failed, other.failed) == ([], [])
    after = standing(engine, pair)
    assert set(after) == {*NAMES, "switch-2", "switch-second-3"} - {"switch", "switch-second"}
    assert {name: after[name] for name in NAMES if name in after} == {n: before[n] for n in NAMES if n in after}
    told = pair.otagate("status")["data"]
    assert told["replacement"]["reach"] == "replaced"
    assert told["replacement"]["second"]
    assert colours(web) == ["green", "green"]
    assert pair.otagate("up")["data"]["changed"] == []


def test_after_it_a_rollback_turns_both_new_ones(pair: Live) -> None:
    pair.otagate("rollback", "--by", "tests")
    assert colours(doors(pair)) == ["blue", "blue"]


def test_a_pair_that_is_not_declared_any_more_is_left_whole(engine: docker.DockerClient, pair: Live) -> None:
    before, line = standing(engine, pair), f"switch: {{second: {{address: {SECOND}}}}}"
    pair.edit("otagate.yaml", line, "")
    try:
        refused = pair.otagate("up", "--by", "tests", exit=1)
        assert refused["errors"][0]["code"] == "pair-changed"
    finally:
        pair.edit("otagate.yaml", "mirror: {data", f"{line}\n\nmirror: {{data")
    assert standing(engine, pair) == before
    assert eventually(lambda: green(pair))


def test_down_removes_both(engine: docker.DockerClient, pair: Live) -> None:
    pair.otagate("down", "--destroy-state", pair.name)
    assert standing(engine, pair) == {}
