"""The action plugin on a real engine: what it refuses, whom it blames, and what it leaves alone."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from otagate.adapters.ansible.provisioner import find_playbooks
from otagate.adapters.ansible.specification import specification
from otagate.core.cloud import LABEL_PLATFORM
from otagate.core.container import Attachment, File, Network, Port, Stage, VolumeMount
from playbooks.action_plugins.otagate_stage import Raising, StageFault, healthcheck, look, the_network
from tests.playbooks.scenery import AT_ONCE, ENGINE, NEVER, Scene, raise_stage, scene, twins

pytestmark = pytest.mark.docker


@pytest.fixture
def stage(engine: docker.DockerClient) -> Iterator[Scene]:
    with scene(engine) as made:
        yield made


def inside(engine: docker.DockerClient, name: str, command: str) -> str:
    answer: Any = engine.containers.get(name).exec_run(["sh", "-c", command]).output
    return str(answer.decode().strip())


def eventually(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + 10
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return true()


def test_files_are_there_before_the_first_start_with_their_modes(engine: docker.DockerClient, stage: Scene) -> None:
    files = (
        File("/run/secrets/pw", b"hunter2", 0o444, secret=True),
        File("/etc/trial/deep/peers", b"one", 0o640),
        File("/var/tmp/note", b"three", 0o600),  # noqa: S108  # the container's
    )
    web = stage.container("web", files=files, command=("sh", "-c", "cat /run/secrets/pw; echo; sleep infinity"))

    raise_stage(engine, stage.platform, stage.stage(web))

    assert eventually(lambda: engine.containers.get(web.name).logs() == b"hunter2\n")
    modes = inside(engine, web.name, "stat -c '%a %u %n' /run/secrets/pw /etc/trial/deep/peers /etc/trial /run/secrets")
    assert modes.splitlines() == [
        "444 0 /run/secrets/pw",
        "640 0 /etc/trial/deep/peers",
        "755 0 /etc/trial",  # nobody but root may put another file in a secret's place
        "755 0 /run/secrets",
    ]
    assert inside(engine, web.name, "stat -c %a /var/tmp") == "1777"  # what the image has keeps its mode
    assert "hunter2" not in json.dumps(engine.containers.get(web.name).attrs)


def test_a_container_gets_all_that_was_specified(engine: docker.DockerClient, stage: Scene) -> None:
    second = Network(f"{stage.platform}-shared", False, stage.labels())
    web = stage.container(
        "web",
        networks=(Attachment(stage.network(), ("web", "www")), Attachment(second.name, ("web",))),
        environment={"A": "b"},
        entrypoint=("sleep",),
        command=("infinity",),
        mounts=(VolumeMount(f"{stage.platform}-data", "/data", read_only=True),),
        tmpfs=("/scratch:size=1m", "/plain"),
        read_only=True,
        user="65534:65534",
        cap_drop=("ALL",),
        no_new_privileges=True,
        memory=64 << 20,
        cpus=0.5,
        restart="on-failure:3",
        healthcheck=AT_ONCE,
        stop_signal="SIGQUIT",
        stop_grace=7.0,
    )
    raise_stage(
        engine,
        stage.platform,
        stage.stage(
            web,
            networks=(Network(stage.network(), False, stage.labels()), second),
            volumes=(stage.volume("data"),),
        ),
    )

    seen = engine.containers.get(web.name).attrs
    host, config = seen["HostConfig"], seen["Config"]
    joined = seen["NetworkSettings"]["Networks"]
    assert {name: set(e["Aliases"]) - {seen["Id"][:12]} for name, e in joined.items()} == {
        stage.network(): {"web", "www"},
        second.name: {"web"},
    }
    assert (config["Entrypoint"], config["Cmd"], config["User"]) == (["sleep"], ["infinity"], "65534:65534")
    assert (config["StopSignal"], config["StopTimeout"]) == ("SIGQUIT", 7)
    assert "A=b" in config["Env"]
    assert config["Healthcheck"]["Interval"] == 500_000_000
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (64 << 20, 64 << 20, 500_000_000)
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["SecurityOpt"]) == (True, ["ALL"], ["no-new-privileges:true"])
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert host["Tmpfs"] == {"/scratch": "size=1m", "/plain": ""}
    assert [(m["Name"], m["Destination"], m["RW"]) for m in seen["Mounts"]] == [
        (f"{stage.platform}-data", "/data", False)
    ]


def test_a_raised_container_starts_again_on_its_networks(engine: docker.DockerClient, stage: Scene) -> None:
    """It was joined by the network's id, and must find it after a restart of its own."""
    web = stage.container("web")
    raise_stage(engine, stage.platform, stage.stage(web))
    engine.containers.get(web.name).restart(timeout=0)
    assert inside(engine, web.name, "getent hosts web") != ""


def test_networks_of_one_name_are_refused(engine: docker.DockerClient, stage: Scene) -> None:
    if twins(engine, stage):
        with pytest.raises(StageFault, match="is ambiguous: 2 bear this name"):
            raise_stage(engine, stage.platform, stage.stage(stage.container("web")))
    else:  # an engine that allows one alone has nothing to confuse
        assert len(engine.networks.list(names=[stage.network()])) == 1


def test_names_that_two_networks_bear_are_refused_whatever_the_engine_allows() -> None:
    two = {"n": [{"Id": "a" * 64, "Name": "n"}, {"Id": "b" * 64, "Name": "n"}]}
    with pytest.raises(StageFault, match="ambiguous: 2 bear this name"):
        the_network(two, "n", {"platform": "t-x"})


def test_a_network_is_looked_up_by_its_whole_name(engine: docker.DockerClient, stage: Scene) -> None:
    """The engine's own filter also finds names that only contain what was asked for."""
    engine.api.create_network(f"{stage.network()}-longer", labels=stage.labels())
    web = stage.container("web")
    raise_stage(engine, stage.platform, stage.stage(web))
    assert list(engine.containers.get(web.name).attrs["NetworkSettings"]["Networks"]) == [stage.network()]


def test_objects_of_others_are_left_alone(engine: docker.DockerClient, stage: Scene) -> None:
    network = engine.api.create_network(stage.network())["Id"]
    try:
        with pytest.raises(StageFault, match=f"network {stage.network()} exists and is not of platform"):
            raise_stage(engine, stage.platform, stage.stage(stage.container("web")))
    finally:
        engine.api.remove_network(network)
    volume = engine.volumes.create(f"{stage.platform}-data")
    try:
        with pytest.raises(StageFault, match=f"volume {volume.name} exists and is not of platform"):
            raise_stage(engine, stage.platform, stage.stage(volumes=(stage.volume("data"),)))
    finally:
        volume.remove()


def test_a_volume_is_never_made_by_the_way(engine: docker.DockerClient, stage: Scene) -> None:
    mounted = stage.container("web", mounts=(VolumeMount(f"{stage.platform}-data", "/data"),))
    with pytest.raises(StageFault, match=r"volume .*-data does not exist"):
        raise_stage(engine, stage.platform, stage.stage(mounted))
    assert engine.volumes.list(filters={"name": stage.platform}) == []


def test_what_was_created_but_never_began_is_made_anew(engine: docker.DockerClient, stage: Scene) -> None:
    """A run that was killed between creation and start may not have put the files in."""
    web = stage.container("web", files=(File("/etc/trial", b"one", 0o444),))
    wanted = stage.stage(web, replace=False)
    raise_stage(engine, stage.platform, stage.stage())
    left = engine.api.create_container(web.image, name=web.name, labels=dict(web.labels), command="sleep infinity")

    assert raise_stage(engine, stage.platform, wanted) == (web.name,)
    assert engine.containers.get(web.name).id != left["Id"]
    assert inside(engine, web.name, "cat /etc/trial") == "one"


def test_what_began_since_it_was_looked_at_is_not_taken_for_what_never_did(
    engine: docker.DockerClient, stage: Scene
) -> None:
    """Another made and started it while this slept: it may be live. Only a stage that replaces takes it away."""
    web = stage.container("web")
    raise_stage(engine, stage.platform, stage.stage())
    made = engine.api.create_container("otagate/base:13", ["sleep", "infinity"], name=web.name, labels=dict(web.labels))

    class Sleepy(Raising):
        def _clear(self, present: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
            engine.api.start(made["Id"])
            super()._clear(present, wanted)

    def raise_(stage_: Stage) -> None:
        wanted = json.loads(specification(stage.platform, ENGINE, stage_))
        Sleepy(engine.api, wanted, look(engine.api, wanted)["until"], check=False).run()

    with pytest.raises(StageFault, match="running container"):
        raise_(stage.stage(web, replace=False))
    assert engine.containers.get(web.name).id == made["Id"]
    engine.api.stop(made["Id"], timeout=0)
    engine.api.remove_container(made["Id"])
    made = engine.api.create_container("otagate/base:13", ["sleep", "infinity"], name=web.name, labels=dict(web.labels))
    raise_(stage.stage(web))
    assert engine.containers.get(web.name).id != made["Id"]


def test_check_mode_changes_nothing_and_says_what_it_would(engine: docker.DockerClient, stage: Scene) -> None:
    kept, web = stage.container("kept"), stage.container("web")
    raise_stage(engine, stage.platform, stage.stage(kept))
    wanted = stage.stage(kept, web, volumes=(stage.volume("data"),))

    said = raise_stage(engine, stage.platform, wanted, check=True)

    assert said == (f"{stage.platform}-data", web.name)
    assert [c.name for c in engine.containers.list(all=True, filters=of(stage))] == [kept.name]
    assert engine.volumes.list(filters=of(stage)) == []


def test_the_whole_playbook_runs_in_check_mode(engine: docker.DockerClient, stage: Scene, tmp_path: Path) -> None:
    wanted = stage.stage(stage.container("web"), volumes=(stage.volume("data"),))
    path = tmp_path / "stage.json"
    path.write_bytes(specification(stage.platform, ENGINE, wanted))
    playbooks = find_playbooks()
    extra = {"otagate_cloud": "localhost", "otagate_specification": str(path), "ansible_connection": "local"}
    run = subprocess.run(
        [
            Path(sys.executable).parent / "ansible-playbook",
            *("--check", "-i", "localhost,", "-e", json.dumps(extra), playbooks / "stage.yml"),
        ],
        env={**os.environ, "ANSIBLE_CONFIG": str(playbooks / "ansible.cfg")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "changed=3" in run.stdout
    assert path.exists(), "the run that follows the check still needs it"
    assert engine.networks.list(filters=of(stage)) == []


def of(stage: Scene) -> dict[str, str | list[str] | bool]:
    return {"label": f"{LABEL_PLATFORM}={stage.platform}"}


def test_the_guilty_one_is_blamed_and_not_those_that_wait_for_it(engine: docker.DockerClient, stage: Scene) -> None:
    words = "".join(f"echo line {number};" for number in range(30))
    store = stage.container("store", command=("sh", "-c", words + "exit 3"))
    web = stage.container("web", after=(store.name,))

    with pytest.raises(StageFault) as caught:
        raise_stage(engine, stage.platform, stage.stage(web, store))

    assert caught.value.guilty == store.name
    assert "ended (exit 3)" in caught.value.message
    assert caught.value.log == tuple(f"line {number}" for number in range(10, 30))
    assert engine.containers.get(web.name).status == "created"


def test_a_container_that_its_policy_starts_again_has_ended_all_the_same(
    engine: docker.DockerClient, stage: Scene
) -> None:
    store = stage.container("store", command=("sh", "-c", "sleep 0.1; exit 4"), restart="always", healthcheck=NEVER)
    began = time.monotonic()
    with pytest.raises(StageFault, match="ended"):
        raise_stage(engine, stage.platform, stage.stage(store))
    assert time.monotonic() - began < 20


def test_who_never_gets_healthy_is_named_with_its_last_check(engine: docker.DockerClient, stage: Scene) -> None:
    store = stage.container("store", healthcheck=NEVER)
    with pytest.raises(StageFault) as caught:
        raise_stage(engine, stage.platform, stage.stage(store, deadline=6.0))
    assert caught.value.guilty == store.name
    assert "after 6 s" in caught.value.message
    assert "not today" in caught.value.message


def test_a_killed_container_is_told_by_its_signal(engine: docker.DockerClient, stage: Scene) -> None:
    store = stage.container("store", command=("sh", "-c", "exit 139"))
    with pytest.raises(StageFault, match=r"ended \(killed by signal 11\)"):
        raise_stage(engine, stage.platform, stage.stage(store))


def test_a_port_in_use_is_said_so(engine: docker.DockerClient, stage: Scene) -> None:
    port = Port("127.0.0.1", 0, 8080)
    raise_stage(engine, stage.platform, stage.stage(stage.container("one", ports=(port,))))
    bound = engine.api.inspect_container(stage.name("one"))["NetworkSettings"]["Ports"]["8080/tcp"][0]
    taken = replace(port, host_port=int(bound["HostPort"]))
    with pytest.raises(StageFault, match="port is already allocated") as caught:
        raise_stage(engine, stage.platform, stage.stage(stage.container("two", ports=(taken,))))
    assert caught.value.guilty == stage.name("two")


def test_a_missing_image_is_blamed_on_its_container(engine: docker.DockerClient, stage: Scene) -> None:
    with pytest.raises(StageFault, match=r"(?i)no such image") as caught:
        raise_stage(engine, stage.platform, stage.stage(stage.container("web", image="sha256:" + "0" * 64)))
    assert caught.value.guilty == stage.name("web")


def test_an_order_that_cannot_be_is_refused_before_anything_is_made(engine: docker.DockerClient, stage: Scene) -> None:
    one = stage.container("one", after=(stage.name("two"),))
    two = stage.container("two", after=(stage.name("one"),))
    with pytest.raises(StageFault, match="wait for each other"):
        raise_stage(engine, stage.platform, stage.stage(one, two))
    with pytest.raises(StageFault, match="which is not of stage trial"):
        raise_stage(engine, stage.platform, stage.stage(one))
    assert engine.containers.list(all=True, filters=of(stage)) == []


def test_a_container_of_production_may_finish_before_it_is_replaced(engine: docker.DockerClient, stage: Scene) -> None:
    """It writes its last word into a volume when it is asked to stop."""
    volume = f"{stage.platform}-data"
    last = ("sh", "-c", "trap 'echo bye > /data/last; exit 0' TERM; while :; do sleep 0.05; done")
    mounts = (VolumeMount(volume, "/data"),)
    wanted: dict[str, Any] = {"mounts": mounts, "command": last, "stop_grace": 5.0}
    raise_stage(engine, stage.platform, stage.stage(stage.container("web", **wanted), volumes=(stage.volume("data"),)))

    newer = stage.container("web", **wanted, environment={"A": "b"})
    raise_stage(engine, stage.platform, stage.stage(newer))

    assert inside(engine, newer.name, "cat /data/last") == "bye"


def test_a_stage_whose_time_is_up_makes_nothing_more(engine: docker.DockerClient, stage: Scene) -> None:
    wanted = stage.stage(stage.container("web"))
    raise_stage(engine, stage.platform, stage.stage())
    read = json.loads(specification(stage.platform, ENGINE, wanted))
    look(engine.api, read)
    with pytest.raises(StageFault, match="is not up after"):
        Raising(engine.api, read, time.time() - 1, False).run()
    assert engine.containers.get(stage.name("web")).status == "created"


def test_many_containers_rise_beside_each_other(engine: docker.DockerClient, stage: Scene) -> None:
    """Six that each need a second for their first check take less than two of them alone would."""
    check = replace(AT_ONCE, interval=1.0)
    services = [stage.container(f"s{number}", healthcheck=check) for number in range(6)]
    began = threading.active_count()
    raise_stage(engine, stage.platform, stage.stage(*services))
    started = [engine.containers.get(c.name).attrs["State"]["StartedAt"] for c in services]
    checked = [engine.containers.get(c.name).attrs["State"]["Health"]["Log"][0]["Start"] for c in services]
    assert max(started) < max(checked), "nobody waits for another's health"
    assert threading.active_count() == began


def test_durations_are_given_to_the_engine_in_nanoseconds() -> None:
    read = healthcheck({"test": ["CMD", "true"], "interval": 0.5, "timeout": 2.0, "retries": 3, "start_period": 0.0})
    assert read == {
        "test": ["CMD", "true"],
        "retries": 3,
        "interval": 500_000_000,
        "timeout": 2_000_000_000,
        "start_period": 0,
    }
    assert healthcheck(None) is None
