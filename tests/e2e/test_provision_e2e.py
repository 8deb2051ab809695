"""Provisioning as a user meets it: a whole stage by Ansible on a real engine, its log, and a stop in the middle."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from otagate.adapters.ansible.provisioner import AnsibleProvisioner
from otagate.adapters.engine.docker_engine import DockerEngine
from otagate.core.cloud import Binding
from otagate.core.container import Attachment, File, Network, Stage, VolumeMount
from otagate.core.errors import ProvisionFault
from otagate.core.mirror import against_definition
from tests.fakes.world import EDGE
from tests.playbooks.scenery import AT_ONCE, Scene, scene

pytestmark = pytest.mark.docker
SECRET = b"hunter2-hunter2"


@pytest.fixture
def stage(engine: docker.DockerClient) -> Iterator[Scene]:
    with scene(engine) as made:
        yield made


def whole(stage: Scene) -> Stage:
    """Two networks, two volumes, four containers, one of which waits for another."""
    shared = Network(f"{stage.platform}-shared", False, stage.labels())
    volumes = (stage.volume("one"), stage.volume("two"))
    services = [
        stage.container(
            f"s{number}",
            networks=(Attachment(stage.network(), (f"s{number}",)), Attachment(shared.name, (f"s{number}",))),
            mounts=tuple(VolumeMount(v.name, f"/data/{v.name}") for v in volumes),
            files=(
                File("/etc/trial/peers", b"one", 0o444),
                File("/run/secrets/pw", SECRET, 0o444, secret=True),
            ),
            healthcheck=AT_ONCE if number == 1 else None,
            after=(stage.name("s1"),) if number == 4 else (),
        )
        for number in (1, 2, 3, 4)
    ]
    own = Network(stage.network(), False, stage.labels())
    return stage.stage(*services, name="whole stage", networks=(own, shared), volumes=volumes)


def test_a_whole_stage_rises_once_and_is_as_defined(stage: Scene, tmp_path: Path) -> None:
    provisioner, wanted = AnsibleProvisioner({}), whole(stage)

    changed = provisioner.apply(stage.platform, [wanted], str(tmp_path), stage.tell)

    assert len(changed) == 8
    with DockerEngine({}, lambda _: EDGE) as engine:
        assert against_definition([wanted], engine.observe(stage.platform, [Binding.PRODUCTION])) == ()
    by_service = {told.subject: told for told in stage.told}
    assert {f"blue-s{number}" for number in (1, 2, 3, 4)} <= by_service.keys()
    assert stage.told[-1].done == stage.told[-1].total == 4
    log = (tmp_path / "ansible-whole-stage.log").read_text()
    assert "TASK [stage : Raise the containers]" in log
    assert SECRET.decode() not in log
    assert provisioner.apply(stage.platform, [wanted], str(tmp_path), stage.tell) == ()


def test_a_secret_in_a_containers_last_words_is_hidden(stage: Scene, tmp_path: Path) -> None:
    files = (File("/run/secrets/pw", SECRET, 0o444, secret=True),)
    web = stage.container("web", files=files, command=("sh", "-c", "cat /run/secrets/pw; echo; exit 1"))
    with pytest.raises(ProvisionFault, match=r"ended \(exit 1\)") as caught:
        AnsibleProvisioner({}).apply(stage.platform, [stage.stage(web)], str(tmp_path), stage.tell)
    assert "last lines of its log:\n***" in caught.value.message
    for kept in tmp_path.iterdir():
        assert SECRET.decode() not in kept.read_text()


SCRIPT = """
from otagate.adapters.ansible.provisioner import AnsibleProvisioner
from otagate.core.platform import Healthcheck
from tests.playbooks.scenery import Scene
stage = Scene({platform!r}, {image!r})
told = Healthcheck(("CMD", "test", "-e", "/go"), 0.5, 2.0, 100, 0.0)
store = stage.container("store", healthcheck=told)
web = stage.container("web", after=(store.name,))
AnsibleProvisioner({{}}).apply(stage.platform, [stage.stage(store, web, deadline=60.0)], {folder!r}, stage.tell)
"""


@pytest.mark.parametrize("number", [None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_after_a_stop_in_the_middle_no_container_starts(
    number: signal.Signals | None, engine: docker.DockerClient, stage: Scene, tmp_path: Path
) -> None:
    """`web` waits for `store`, which is let get healthy once the program was stopped. None is the control."""
    script = SCRIPT.format(platform=stage.platform, image=stage.image, folder=str(tmp_path))
    program = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    web, store = stage.name("web"), stage.name("store")
    try:
        assert eventually(lambda: (state(engine, web), state(engine, store)) == ("created", "running"))
        if number is not None:
            program.send_signal(number)
            program.wait(timeout=60)
            time.sleep(6.0 if number == signal.SIGKILL else 0.0)  # its guard looks once a second, then sweeps
        engine.containers.get(store).exec_run(["touch", "/go"])
        assert eventually(lambda: healthy(engine, store))
        if number is None:
            assert eventually(lambda: state(engine, web) == "running")
        time.sleep(0.5)
        assert state(engine, web) == ("running" if number is None else "created")
    finally:
        program.kill()
        program.wait()


def state(engine: docker.DockerClient, name: str) -> str:
    found = engine.containers.list(all=True, filters={"name": f"^{name}$"}, ignore_removed=True)
    return str(found[0].status) if found else "none"


def healthy(engine: docker.DockerClient, name: str) -> bool:
    return bool(engine.containers.get(name).attrs["State"]["Health"]["Status"] == "healthy")


def eventually(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + 30
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return true()
