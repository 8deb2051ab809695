"""The engine's adapter where it is finer than its port: deaf streams, silent engines, memory, ports, removal."""

import gc
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from otagate.adapters.engine import resolve as resolving
from otagate.adapters.engine.connection import Engines
from otagate.adapters.engine.docker_engine import DockerEngine
from otagate.adapters.engine.observe import seconds
from otagate.core.cloud import LABEL_PLATFORM, LABEL_SERVICE, Binding, Cloud, Colour
from otagate.core.container import File, Port
from otagate.core.errors import EngineFault, UsageError
from otagate.core.mirror import file_fact
from tests.adapters.wire import wire
from tests.fakes.world import EDGE
from tests.playbooks.scenery import BASE, Scene, freely, raise_stage, scene, twins

SIDE = Binding.CANDIDATE


def over(url: str, *, platform: str = "", timeout: float = 20.0) -> DockerEngine:
    return DockerEngine({cloud.value: url for cloud in Cloud}, lambda _: EDGE, platform=platform, timeout=timeout)


@pytest.fixture
def stage(engine: docker.DockerClient) -> Iterator[Scene]:
    with scene(engine) as made:
        yield made


@pytest.fixture
def ours(stage: Scene) -> Iterator[DockerEngine]:
    with DockerEngine({}, lambda _: EDGE, platform=stage.platform) as made:
        yield made


# --- an engine that does not answer -----------------------------------------------------------------------------

ASKS: dict[str, Callable[[DockerEngine], object]] = {
    "resolve": lambda e: e.resolve("web", BASE),
    "observe": lambda e: e.observe("t-x", [Binding.PRODUCTION]),
    "wait_healthy": lambda e: e.wait_healthy(["t-x"], 1.0, lambda _: None),
    "log_tail": lambda e: e.log_tail("t-x", 1),
    "watch_crashes": lambda e: e.watch_crashes("t-x", SIDE).__enter__(),
    "restart": lambda e: e.restart("t-x", 1.0),
    "kill": lambda e: e.kill("t-x", 1.0),
    "clock": lambda e: e.clock(Cloud.BLUE),
    "port_taken": lambda e: e.port_taken("127.0.0.1", e.free_port("127.0.0.1")),
    "published": lambda e: e.published("t-x"),
    "remove": lambda e: e.remove("t-x", [SIDE], state=True, may=freely, tell=lambda _: None),
    "remove_colour": lambda e: e.remove_colour("t-x", Colour.BLUE, freely, lambda _: None),
    "images": lambda e: e.images(),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS.keys())
def test_an_engine_that_is_not_there_is_a_fault_with_the_next_command(
    ask: Callable[[DockerEngine], object], tmp_path: Path
) -> None:
    with over(f"unix://{tmp_path}/none.sock") as engine, pytest.raises(EngineFault, match="does not answer") as caught:
        ask(engine)
    assert caught.value.hint == "otagate doctor"


def test_an_engine_that_accepts_and_says_nothing_is_a_fault_in_time(tmp_path: Path) -> None:
    with wire(tmp_path, mute=True) as line, over(line.url, timeout=0.5) as engine:
        began = time.monotonic()
        with pytest.raises(EngineFault, match="does not answer"):
            engine.clock(Cloud.BLUE)
        assert time.monotonic() - began < 5


@pytest.mark.docker
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_falls_silent_in_the_middle_is_a_fault(tmp_path: Path) -> None:
    with wire(tmp_path) as line, over(line.url, timeout=30.0) as engine:
        assert engine.clock(Cloud.BLUE) > 0
        line.close()
        with pytest.raises(EngineFault, match="does not answer"):
            engine.clock(Cloud.BLUE)
    gc.collect()  # the library drops a socket that could not connect without closing it


# --- crashes ----------------------------------------------------------------------------------------------------


@pytest.mark.docker
def test_a_stream_of_events_that_breaks_is_no_evidence(
    engine: docker.DockerClient, stage: Scene, tmp_path: Path
) -> None:
    web = stage.container("web", binding=SIDE)
    raise_stage(engine, stage.platform, stage.stage(web, binding=SIDE))
    with wire(tmp_path) as line, over(line.url) as behind, behind.watch_crashes(stage.platform, SIDE) as watch:
        assert watch.seen() == ()
        line.hang_up()
        until = time.monotonic() + 10
        while watch.seen() is not None and time.monotonic() < until:
            time.sleep(0.05)
        assert watch.seen() is None
        engine.containers.get(web.name).kill()
        assert watch.seen() is None, "what came after may be incomplete"


@pytest.mark.docker
def test_crashes_that_were_seen_stay_seen_after_the_watch(
    engine: docker.DockerClient, stage: Scene, ours: DockerEngine
) -> None:
    web = stage.container("web", binding=SIDE)
    raise_stage(engine, stage.platform, stage.stage(web, binding=SIDE))
    with ours.watch_crashes(stage.platform, SIDE) as watch:
        engine.containers.get(web.name).kill()
        heard(watch.seen)
    assert [c.container for c in watch.seen() or ()] == [web.name]


@pytest.mark.docker
def test_a_crash_before_the_watch_is_not_of_it(engine: docker.DockerClient, stage: Scene, ours: DockerEngine) -> None:
    web = stage.container("web", binding=SIDE)
    raise_stage(engine, stage.platform, stage.stage(web, binding=SIDE))
    engine.containers.get(web.name).kill()
    time.sleep(0.2)
    with ours.watch_crashes(stage.platform, SIDE) as watch:
        assert watch.seen() == ()


@pytest.mark.docker
@pytest.mark.parametrize(("code", "reason"), [(0, "exit 0"), (3, "exit 3"), (139, "killed by signal 11")])
def test_a_crash_tells_how_it_ended_and_its_last_words(
    code: int, reason: str, engine: docker.DockerClient, stage: Scene, ours: DockerEngine
) -> None:
    command = ("sh", "-c", f"while [ ! -e /go ]; do sleep 0.05; done; echo last words; exit {code}")
    web = stage.container("web", binding=SIDE, command=command)
    raise_stage(engine, stage.platform, stage.stage(web, binding=SIDE))
    with ours.watch_crashes(stage.platform, SIDE) as watch:
        before = time.time()
        engine.containers.get(web.name).exec_run(["touch", "/go"])
        seen = heard(watch.seen)
    assert [(c.service, c.reason, c.log) for c in seen] == [("web", reason, "last words")]
    assert before - 1 < seen[0].at < time.time() + 1


# Perl, for the base image has nothing else that takes memory at will.
HUNGRY = "perl -e '$x = \"a\" x (200 << 20)'"


@pytest.mark.docker
@pytest.mark.parametrize("child", [True, False], ids=["in a child", "in the main process"])
def test_a_lack_of_memory_is_one_crash_also_in_a_child(
    child: bool, engine: docker.DockerClient, stage: Scene, ours: DockerEngine
) -> None:
    """The engine's own flag stays false for a child that was killed; its event does not lie."""
    hungry = f"{HUNGRY}; sleep infinity" if child else f"exec {HUNGRY}"
    command = ("sh", "-c", f"while [ ! -e /go ]; do sleep 0.05; done; {hungry}")
    web = stage.container("web", binding=SIDE, command=command, memory=32 << 20)
    raise_stage(engine, stage.platform, stage.stage(web, binding=SIDE))
    with ours.watch_crashes(stage.platform, SIDE) as watch:
        engine.containers.get(web.name).exec_run(["touch", "/go"])
        seen = heard(watch.seen)
        time.sleep(0.5)
        assert len(watch.seen() or ()) == 1
    assert [(c.service, c.reason) for c in seen] == [("web", "out of memory")]
    assert (engine.containers.get(web.name).status == "running") is child


@pytest.mark.docker
def test_the_end_of_a_suites_container_is_no_crash(
    engine: docker.DockerClient, stage: Scene, ours: DockerEngine
) -> None:
    suite = stage.container("suite", binding=SIDE)
    raise_stage(engine, stage.platform, stage.stage(suite, binding=SIDE))
    assert suite.labels[LABEL_SERVICE] == "suite"
    with ours.watch_crashes(stage.platform, SIDE) as watch:
        engine.containers.get(suite.name).kill()
        time.sleep(0.3)
        assert watch.seen() == ()
    assert all(cloud.containers == () for cloud in ours.observe(stage.platform, [SIDE]))


def heard(seen: Callable[[], tuple[Any, ...] | None]) -> tuple[Any, ...]:
    until = time.monotonic() + 10
    while not (found := seen()) and time.monotonic() < until:
        time.sleep(0.05)
    return found or ()


# --- health -----------------------------------------------------------------------------------------------------


@pytest.mark.docker
def test_who_ends_while_it_is_waited_for_is_named_at_once_with_its_log(
    engine: docker.DockerClient, stage: Scene, ours: DockerEngine
) -> None:
    web = stage.container("web", command=("sh", "-c", "echo why; sleep infinity"))
    raise_stage(engine, stage.platform, stage.stage(web))
    engine.containers.get(web.name).kill()
    began = time.monotonic()
    with pytest.raises(EngineFault, match=r"ended \(killed by signal 9\)\nlast lines of its log:\nwhy"):
        ours.wait_healthy([web.name], 30.0, stage.tell)
    assert time.monotonic() - began < 10


@pytest.mark.docker
def test_a_paused_container_is_not_healthy(engine: docker.DockerClient, stage: Scene, ours: DockerEngine) -> None:
    web = stage.container("web")
    raise_stage(engine, stage.platform, stage.stage(web))
    engine.containers.get(web.name).pause()
    with pytest.raises(EngineFault, match="is paused after"):
        ours.wait_healthy([web.name], 0.3, stage.tell)


@pytest.mark.docker
def test_another_platforms_mirror_is_not_started_again(engine: docker.DockerClient, stage: Scene) -> None:
    web = stage.container("web", binding=SIDE)
    raise_stage(engine, stage.platform, stage.stage(web, binding=SIDE))
    with DockerEngine({}, lambda _: EDGE, platform="t-prov-other") as other:
        for again in (other.restart, other.kill):
            with pytest.raises(UsageError, match="is not of platform t-prov-other"):
                again(web.name, 5.0)


# --- observation ------------------------------------------------------------------------------------------------


@pytest.mark.docker
def test_a_file_changed_by_hand_is_seen_by_its_content(
    engine: docker.DockerClient, stage: Scene, ours: DockerEngine
) -> None:
    files = (File("/etc/trial", b"one", 0o444), File("/run/secrets/pw", b"two", 0o444, secret=True))
    web = stage.container("web", files=files)
    raise_stage(engine, stage.platform, stage.stage(web))

    def fields() -> dict[str, str]:
        clouds = ours.observe(stage.platform, [Binding.PRODUCTION])
        return {k: v for cloud in clouds for c in cloud.containers for k, v in c.fields.items()}

    assert fields()["file./etc/trial"] == file_fact(b"one", 0o444)
    engine.containers.get(web.name).exec_run(["sh", "-c", "echo two > /etc/trial; rm /run/secrets/pw"])
    assert fields()["file./etc/trial"] == file_fact(b"two\n", 0o444)
    assert "secret./run/secrets/pw" not in fields()
    engine.containers.get(web.name).exec_run(["sh", "-c", "rm /etc/trial; mkdir /etc/trial"])
    assert fields()["file./etc/trial"] == "not a file"
    engine.containers.get(web.name).exec_run(["rmdir", "/etc/trial"])
    assert "file./etc/trial" not in fields()


@pytest.mark.docker
def test_a_hand_that_joins_a_mirror_to_production_shows(
    engine: docker.DockerClient, stage: Scene, ours: DockerEngine
) -> None:
    raise_stage(engine, stage.platform, stage.stage(stage.container("web", tier="release")))
    web = stage.container("web", binding=SIDE, tier="release")
    raise_stage(engine, stage.platform, stage.stage(web, binding=SIDE))
    engine.networks.get(stage.network()).connect(web.name)
    (seen,) = [c for cloud in ours.observe(stage.platform, [SIDE]) for c in cloud.containers]
    assert seen.fields["network.colour"] == "web"
    assert seen.fields["network.blue"] == "no alias"


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("1970-01-01T00:00:01.123456789Z", 1.123456789),
        ("1970-01-01T01:00:01.25+01:00", 1.25),
        ("1969-12-31T19:00:01-05:00", 1.0),
        ("0001-01-01T00:00:00Z", 0.0),
        ("", 0.0),
    ],
)
def test_an_engines_timestamps_are_seconds(moment: str, expected: float) -> None:
    assert seconds(moment) == pytest.approx(expected, abs=1e-9)


# --- images -----------------------------------------------------------------------------------------------------


@pytest.mark.docker
def test_a_registry_that_never_answers_is_not_waited_for(engine: docker.DockerClient) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        reference = f"127.0.0.1:{deaf.getsockname()[1]}/t-prov/none:1"
        began = time.monotonic()
        with pytest.raises(UsageError, match=r"no answer within 0\.5 s"):
            resolving.resolve(engine, "web", reference, pull=0.5)
        assert time.monotonic() - began < 5


@pytest.mark.docker
@pytest.mark.parametrize("reference", ["sha256:" + "0" * 64, "Not A Reference", ""])
def test_what_is_no_image_is_the_callers_mistake(reference: str, ours: DockerEngine) -> None:
    with pytest.raises(UsageError) as caught:
        ours.resolve("web", reference)
    assert caught.value.code == "no-image"


@pytest.mark.docker
def test_a_registrys_digest_stands_beside_the_images(
    engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {**engine.api.inspect_image(BASE), "RepoDigests": ["registry.example/web@sha256:aa", "other@sha256:bb"]}  # type: ignore[no-untyped-call]
    monkeypatch.setattr(engine.api, "inspect_image", lambda _: told)
    assert resolving.resolve(engine, "web", "registry.example/web:1").registry_digest == "sha256:aa"
    assert resolving.resolve(engine, "web", "third/web:1").registry_digest == ""


# --- ports ------------------------------------------------------------------------------------------------------


@pytest.mark.docker
def test_a_port_with_a_listener_is_taken_and_a_free_one_is_not(ours: DockerEngine) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert ours.port_taken("127.0.0.1", port)
    assert not ours.port_taken("127.0.0.1", port)


def test_an_address_of_another_machine_is_the_callers_mistake() -> None:
    with over("unix:///nowhere") as engine, pytest.raises(UsageError, match="not this machine's"):
        engine.free_port("192.0.2.1")


@pytest.mark.docker
def test_a_stopped_switch_keeps_its_ports(engine: docker.DockerClient, stage: Scene, ours: DockerEngine) -> None:
    port = ours.free_port("127.0.0.1")
    switch = stage.container("switch", ports=(Port("127.0.0.1", port, 20001),))
    raise_stage(engine, stage.platform, stage.stage(switch))
    engine.containers.get(switch.name).kill()
    assert ours.published(stage.platform) == {20001: ("127.0.0.1", port)}


# --- removal ----------------------------------------------------------------------------------------------------


@pytest.mark.docker
def test_networks_of_one_name_all_go(engine: docker.DockerClient, stage: Scene, ours: DockerEngine) -> None:
    count = 2 if twins(engine, stage) else 1
    gone = ours.remove(stage.platform, [Binding.PRODUCTION], state=False, may=freely, tell=stage.tell)
    assert gone == (stage.network(),) * count


@pytest.mark.docker
def test_a_network_in_use_by_another_is_said_so(engine: docker.DockerClient, stage: Scene, ours: DockerEngine) -> None:
    raise_stage(engine, stage.platform, stage.stage())
    guest = engine.containers.run(
        stage.image, ["sleep", "infinity"], name=f"{stage.platform}-guest", network=stage.network(), detach=True
    )
    try:
        with pytest.raises(EngineFault, match=f"still in use by {guest.name}"):
            ours.remove(stage.platform, [Binding.PRODUCTION], state=False, may=freely, tell=stage.tell)
        assert engine.containers.get(f"{stage.platform}-guest").status == "running"
    finally:
        guest.remove(force=True)


@pytest.mark.docker
def test_another_platform_is_left_alone(engine: docker.DockerClient, stage: Scene, ours: DockerEngine) -> None:
    raise_stage(engine, stage.platform, stage.stage(stage.container("web")))
    assert ours.remove(f"{stage.platform}-x", list(Binding), state=True, may=freely, tell=stage.tell) == ()
    assert ours.remove(stage.platform[:-1], list(Binding), state=True, may=freely, tell=stage.tell) == ()
    assert engine.containers.get(stage.name("web")).labels[LABEL_PLATFORM] == stage.platform


# --- connections ------------------------------------------------------------------------------------------------


def test_clouds_are_grouped_by_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere")
    engines = Engines({"blue": "tcp://one:2376", "green": "tcp://one:2376"}, 1.0)
    assert engines.clouds() == {
        "tcp://one:2376": (Cloud.BLUE, Cloud.GREEN),
        "unix:///elsewhere": (Cloud.SHARED,),
    }
    monkeypatch.delenv("DOCKER_HOST")
    assert engines.url(Cloud.SHARED) == "unix:///var/run/docker.sock"


@pytest.mark.docker
def test_containers_of_a_shared_engine_are_observed_once(
    engine: docker.DockerClient, stage: Scene, ours: DockerEngine
) -> None:
    web = stage.container("web")
    raise_stage(engine, stage.platform, stage.stage(web))
    seen = [c.name for cloud in ours.observe(stage.platform, [Binding.PRODUCTION]) for c in cloud.containers]
    assert seen == [web.name]
    gone = replace(web, name="t-prov-gone")
    assert gone.name not in seen
