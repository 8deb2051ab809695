"""`python -m tests.bench.clinic.inside.chain JSON`: synthetic studies through the whole chain, one after another.

Runs in the suite's image, on the network of one side; answers one line of JSON, everything in seconds.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conftest import DOSE, PLAN, DicomWeb, Side, phantom  # type: ignore[import-not-found]  # the suites', put beside this
from peer import COMMITTED, Peer, listening  # type: ignore[import-not-found]
from phantoms.objects import write
from phantoms.study import Study
from phantoms.synthetic import synthetic
from pydicom.uid import generate_uid

FROZEN = Path("/data/synthetic-1")
PASSWORD = Path("/run/secrets/vna-password")
FOUND = 60.0  # seconds within which a study must be found
SPACING = 5  # mm


class Hosts:
    """Where the services of one side are."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def host(self, service: str) -> str:
        return f"{self._prefix}-{service}"


class Chain:
    """One side's, asked as scanner and as clinic."""

    def __init__(self, prefix: str) -> None:
        self._side = Side(Hosts(prefix))
        self._host = Hosts(prefix).host("vna")
        self._archive = DicomWeb(self._host, PASSWORD.read_text())

    def hops(self, studies: Sequence[tuple[Study, Sequence[Path]]]) -> list[dict[str, float]]:
        """Of each study; AssertionError where a hop fails."""
        with listening(self._side.archive, self._archive, self._host) as peer:
            return [self._hops(study, files, peer) for study, files in studies]

    def _hops(self, study: Study, files: Sequence[Path], peer: Peer) -> dict[str, float]:
        begun = time.perf_counter()
        codes = self._side.scans.store(files)
        stored = time.perf_counter()
        assert codes == [0] * len(files), f"the planner's receiver answered {codes}"
        while len(self._archive.search(f"/studies/{study.uid('study')}/instances")) < len(files):
            assert time.perf_counter() - stored < FOUND, f"{study.name} was not found within {FOUND:.0f} s"
        found = time.perf_counter()
        asked = {"study": study.uid("study"), "structure_set": study.uid("structures")}
        made = self._side.planner.asked("/plans", asked).json()
        ended = time.perf_counter()
        there = self._side.linac.get(f"/plans/{made['plan']}").json().get("plan", {})
        assert there.get("sha256") == made["linac"]["sha256"], "the machine has another plan, or none"
        engine, planner = made["engine_timings"], made["timings"]
        return {
            "stored": stored - begun,
            "findable": found - stored,
            "found": engine["find"] + engine["fetch"] + engine["prepare"],
            "influence": engine["influence"],
            "optimised": engine["optimise"],
            "kept": engine["encode"] + engine["store"],
            "fetched": planner["fetch"],
            "machine": planner["linac"],
            "all": ended - begun,
            "committed": self._committed(peer, [(PLAN, made["plan"]), (DOSE, made["dose"])]),
        }

    def _committed(self, peer: Peer, objects: Sequence[tuple[str, str]]) -> float:
        """From the request until the archive has said that it answers for the objects (storage commitment)."""
        transaction = str(generate_uid(prefix="2.25."))
        begun = time.perf_counter()
        peer.ask_for_commitment(transaction, objects)
        kind, report = peer.report()
        ended = time.perf_counter()
        assert (kind, str(report.TransactionUID)) == (COMMITTED, transaction), "the archive does not answer for them"
        return ended - begun

    def warm(self, count: int) -> list[dict[str, float]]:
        """Forward doses of the frozen plan with all that can be kept in memory there: from client to client, and the
        engine's own hops."""
        frozen = phantom(FROZEN)
        assert self._side.scans.store([frozen.plan]) == [0], "the frozen plan was not taken"
        asked = {"plan": frozen.plan_uid, "spacing": SPACING}
        self._side.engine.asked("/forward", asked)
        found = []
        for _ in range(count):
            begun = time.perf_counter()
            answer = self._side.engine.asked("/forward", asked)
            client = time.perf_counter() - begun
            found.append({"client": client, **timings(answer.headers["Server-Timing"])})
        return found


def timings(header: str) -> dict[str, float]:
    """Seconds by the hop's name, from a Server-Timing header of ours."""
    named = (one.strip().partition(";dur=") for one in header.split(","))
    return {name: float(milliseconds) / 1000 for name, _, milliseconds in named}


def written(study: Study) -> list[Path]:
    """The study's scan and structures as files, in the order in which they are sent."""
    folder = Path("/tmp/studies") / study.name  # noqa: S108 - of a container of its own
    write(study, folder)
    return [*sorted((folder / "ct").glob("*.dcm")), folder / "structures.dcm"]


def main(told: Mapping[str, Any]) -> int:
    """Prints the hops of each study, how many objects it has, and the warm doses."""
    chain = Chain(told["prefix"])
    studies = [(study, written(study)) for study in (synthetic(seed) for seed in range(1, 1 + told["studies"]))]
    hops = chain.hops(studies)
    objects = {len(files) for _, files in studies}
    print(json.dumps({"hops": hops, "objects": sorted(objects), "warm": chain.warm(told["warm"])}))
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
