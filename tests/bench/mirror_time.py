"""How long `otagate mirror up` takes on the hello platform, from scratch and again unchanged, and what part of that is
Ansible's bare start: a run of it with an empty stage. A platform of its own, removed at the end.

Run: .venv/bin/python -m tests.bench.mirror_time [RUNS]
"""

import os
import secrets
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from otagate.adapters.ansible.provisioner import AnsibleProvisioner
from otagate.adapters.engine.docker_engine import DockerEngine
from otagate.core.cloud import Binding
from tests.bench.raise_time import seconds
from tests.e2e.live import Live
from tests.fakes.world import EDGE
from tests.playbooks.scenery import Scene

SCRATCH, AGAIN, BARE = "mirror up, from scratch", "mirror up, unchanged", "Ansible's bare start"
BUILD = "web=hello/web:1.1"


@contextmanager
def hello() -> Iterator[Live]:
    """Production of hello; whatever bears its label is gone afterwards."""
    name = f"t-bench-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory() as folder, DockerEngine({}, lambda _: EDGE, platform=name) as engine:
        root = Path(folder)
        live = Live(name, root / name, {"OTAGATE_HOME": str(root / "home"), "OTAGATE_RESERVED_NAMES": "1"})
        try:
            live.otagate("init", str(live.folder))
            live.otagate("up", "--by", "bench")
            yield live
        finally:
            engine.remove(name, list(Binding), state=True, may=lambda: None, tell=lambda _: None)


def measured(live: Live, runs: int) -> dict[str, list[float]]:
    """Seconds of each way, `runs` of each, turn by turn so that the machine's mood falls on all alike."""
    found: dict[str, list[float]] = {SCRATCH: [], AGAIN: [], BARE: []}
    provisioner, bare = AnsibleProvisioner({}), Scene(live.name, "")
    nothing = bare.stage(networks=())
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs):
            for way in (SCRATCH, AGAIN):
                found[way].append(seconds(lambda: live.otagate("mirror", "up", BUILD)))
            live.otagate("mirror", "down")
            found[BARE].append(seconds(lambda: provisioner.apply(live.name, [nothing], folder, bare.tell)))
    return found


def told(name: str, samples: Sequence[float], bare: float) -> str:
    """One line: median, spread, and the share that Ansible's bare start has in it."""
    middle = statistics.median(samples)
    line = f"{name:<24} median {middle:6.2f} s   {min(samples):.2f}–{max(samples):.2f} s"
    return line if name == BARE else f"{line}   bare start {bare / middle:4.0%} of it"


def main() -> int:
    """Prints each way's median, spread and share, over RUNS (3) runs, and the machine's load."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with hello() as live:
        found = measured(live, runs)
    bare = statistics.median(found[BARE])
    for name, samples in found.items():
        print(told(name, samples, bare))
    print(f"over {runs} runs; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
