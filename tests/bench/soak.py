"""Test → promote → rollback on hello's services, again and again: what is left after each round, and what grows.

The suite has three cases, so that a cycle takes seconds where the whole gate takes a minute; everything else is what a
user gets. Ended at any moment it leaves all standing, and the same words go on with the next cycle. After the last one
everything is removed.

python -m tests.bench.soak [--cycles 200] [--folder .cache/soak]
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker

from otagate.core.cloud import LABEL_PLATFORM
from tests.bench.growth import leaks, rows, unjudged
from tests.e2e.live import SECONDS, Live, undone
from tests.e2e.quick import quick, remove

FOLDER = Path(__file__).parents[2] / ".cache" / "soak"
SAMPLES = "samples.jsonl"
NAME = "t-soak"
BUILD = "web=hello/web:1.1"
HOME = "blue"  # live at genesis, and after each cycle
_COUNT = (
    "import json, os\n"
    "files = memory = processes = 0\n"
    "for pid in filter(str.isdigit, os.listdir('/proc')):\n"
    "    if int(pid) == os.getpid(): continue\n"
    "    try:\n"
    "        files += len(os.listdir(f'/proc/{pid}/fd'))\n"
    "        memory += int(open(f'/proc/{pid}/statm').read().split()[1]) * os.sysconf('SC_PAGE_SIZE')\n"
    "        processes += 1\n"
    "    except FileNotFoundError: pass\n"
    "journal = sum(os.path.getsize('/run/otagate/' + n) for n in os.listdir('/run/otagate') if 'journal' in n)\n"
    "print(json.dumps([files, processes, memory, journal]))"
)
_COUNT_SH = (
    "files=0; processes=0; pages=0; for p in /proc/[0-9]*; do "
    '[ "$(cat $p/comm 2>/dev/null)" = haproxy ] || continue; '
    "set -- $p/fd/*; files=$((files + $#)); processes=$((processes + 1)); "
    "read -r _ resident _ < $p/statm; pages=$((pages + resident)); done; "
    'echo "[$files, $processes, $pages]"'
)
PAGE = 4096


def cycle(live: Live) -> None:
    """One round."""
    run = live.otagate("test", BUILD)["data"]["run"]
    live.otagate("promote", run)
    return_(live)
    live.otagate("status")


def return_(live: Live) -> None:
    """Back to the first colour, and what that leaves open is cleared."""
    if live.otagate("status")["data"]["live"] != HOME:
        live.otagate("rollback")
    for incident in live.otagate("incident", "list")["data"]["incidents"]:
        live.otagate("incident", "clear", incident["incident"], "--by", "soak", "--reason", "the soak goes on")


def taken_up(live: Live) -> None:
    """An earlier call was cut off anywhere: undo or finish what it began, and what it had begun to make, make whole."""
    process = live.start("recover")
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode in (0, undone(json.loads(out))), out + err
    live.otagate("mirror", "down")
    live.otagate("up")
    return_(live)


def counted(live: Live, client: docker.DockerClient) -> dict[str, float]:
    """What is there now. Bytes, and numbers of things."""
    mine: dict[str, Any] = {"label": f"{LABEL_PLATFORM}={live.name}"}
    steward = _asked(client, f"{live.name}-shared-steward", ["python", "-c", _COUNT])
    switch = _asked(client, f"{live.name}-shared-switch", ["sh", "-c", _COUNT_SH])
    home = Path(live.environment["OTAGATE_HOME"])
    return {
        "containers": len(client.containers.list(all=True, filters=mine, ignore_removed=True)),
        "networks": len(client.networks.list(filters=mine)),
        "volumes": len(client.volumes.list(filters=mine)),
        "steward files": steward[0],
        "steward processes": steward[1],
        "steward memory": steward[2],
        "switch files": switch[0],
        "switch processes": switch[1],
        "switch memory": switch[2] * PAGE,
        "journal": steward[3],
        "store": sum(path.stat().st_size for path in home.glob("otagate.sqlite*")),
        "run folders": sum(path.stat().st_size for path in (home / "runs").rglob("*") if path.is_file()),
    }


def _asked(client: docker.DockerClient, name: str, words: list[str]) -> list[float]:
    code, said = client.containers.get(name).exec_run(words)
    assert isinstance(said, bytes)
    assert code == 0, said
    return list(json.loads(said))


class Soak:
    """Its folder holds the platform, its home and a line a cycle."""

    def __init__(self, folder: Path, client: docker.DockerClient, name: str = NAME) -> None:
        self.folder = folder
        self.client = client
        self.name = name

    def samples(self) -> list[Mapping[str, float]]:
        path = self.folder / SAMPLES
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def live(self) -> Live:
        """The platform in production: as an earlier call left it, or made now."""
        name, home = self.name, {"OTAGATE_HOME": str(self.folder / "home"), "OTAGATE_RESERVED_NAMES": "1"}
        if self.samples():
            live = Live(name, self.folder / name, home)
            taken_up(live)
            return live
        self.remove()
        self.folder.mkdir(parents=True)
        live = quick(self.folder, name)
        live.otagate("up", "--by", "soak")
        return live

    def run(self, cycles: int) -> None:
        live = self.live()
        while (done := len(self.samples())) < cycles:
            began = time.monotonic()
            cycle(live)
            sample = {**counted(live, self.client), "seconds": time.monotonic() - began}
            with (self.folder / SAMPLES).open("a") as file:
                file.write(json.dumps(sample) + "\n")
            left = "".join(f"; {what}" for what in leaks(self.samples()))
            print(f"cycle {done + 1} of {cycles}: {sample['seconds']:.0f} s{left}", file=sys.stderr, flush=True)

    def remove(self) -> None:
        remove(self.name)
        shutil.rmtree(self.folder, ignore_errors=True)


def main() -> int:
    """0 if nothing leaked over all cycles; 1 if something did, or there were too few to say so."""
    words = argparse.ArgumentParser()
    words.add_argument("--cycles", type=int, default=200)
    words.add_argument("--folder", type=Path, default=FOLDER)
    asked = words.parse_args()
    client = docker.from_env(timeout=60)
    soak = Soak(asked.folder.absolute(), client)
    soak.run(asked.cycles)
    samples = soak.samples()
    found, few = leaks(samples), unjudged(samples)
    print("\n".join(rows(samples)))
    print(f"{len(samples)} cycles; leaks: {'; '.join([*found, *few]) or 'none'}; load {os.getloadavg()[0]:.1f}")
    soak.remove()
    client.close()
    return 1 if found or few else 0


if __name__ == "__main__":
    sys.exit(main())
