"""How long a stage of 2 networks, 2 volumes and 4 containers takes to rise, again with nothing to do, and what part of
that is Ansible's own: a run with an empty stage, and the same stage by the action plugin alone.

Run: .venv/bin/python -m tests.bench.raise_time [RUNS]
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

import docker

from otagate.adapters.ansible.provisioner import AnsibleProvisioner
from otagate.adapters.engine.docker_engine import DockerEngine
from otagate.core.cloud import Binding
from otagate.core.container import Attachment, Network, Stage, VolumeMount
from tests.fakes.world import EDGE
from tests.playbooks.scenery import Scene, raise_stage, scene


def stage_of(made: Scene) -> Stage:
    networks = tuple(Network(f"{made.platform}-{name}", False, made.labels()) for name in ("one", "two"))
    volumes = (made.volume("three"), made.volume("four"))
    services = [
        made.container(
            f"s{number}",
            networks=tuple(Attachment(network.name, (f"s{number}",)) for network in networks),
            mounts=tuple(VolumeMount(volume.name, f"/data/{volume.name}") for volume in volumes),
        )
        for number in range(4)
    ]
    return made.stage(*services, networks=networks, volumes=volumes)


def seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def told(name: str, samples: Sequence[float]) -> None:
    print(f"{name:<46} median {statistics.median(samples):5.2f} s   {min(samples):.2f}–{max(samples):.2f} s")


def main() -> int:
    """Prints median and spread of each way, in seconds, and the machine's load."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    found: dict[str, list[float]] = {}
    client = docker.from_env()
    with scene(client) as made, tempfile.TemporaryDirectory() as folder, DockerEngine({}, lambda _: EDGE) as engine:
        provisioner, wanted = AnsibleProvisioner({}), stage_of(made)
        nothing = made.stage(networks=(), volumes=())

        def ansible(stage: Stage) -> Callable[[], object]:
            return lambda: provisioner.apply(made.platform, [stage], folder, made.tell)

        def alone() -> object:
            return raise_stage(client, made.platform, wanted)

        def clear() -> None:
            engine.remove(made.platform, list(Binding), state=True, may=lambda: None, tell=made.tell)

        for _ in range(runs):
            for way, act in (("Ansible", ansible(wanted)), ("action plugin alone", alone)):
                clear()
                found.setdefault(f"{way}, from scratch", []).append(seconds(act))
                found.setdefault(f"{way}, again", []).append(seconds(act))
            found.setdefault("Ansible, an empty stage", []).append(seconds(ansible(nothing)))
    client.close()
    for name, samples in found.items():
        told(name, samples)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
