"""`python -m tests.bench.clinic.inside.builds load|measure JSON`: one build of the engine beside the live one.

Runs in the suite's image, on the network of one archive and both engines; answers one line of JSON.
"""

import json
import random
import sys
import time
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
from acceptance.criteria import worst
from acceptance.volumes import Dose, read_dose
from conftest import DicomWeb, Http, phantom  # type: ignore[import-not-found]  # the suites', put beside this
from phantoms.frozen import frozen_plan
from phantoms.objects import ct_slices, encode, structure_set
from phantoms.study import Study
from phantoms.synthetic import synthetic

FROZEN = Path("/data/synthetic-1")
PASSWORD = Path("/run/secrets/vna-password")
SPACING = 5  # mm
SEED = 2  # of the further patients' study, with every second slice


class EndedError(Exception):
    """The build's process broke a connection off: `request` of its life, counted from 1."""

    def __init__(self, request: int) -> None:
        super().__init__(f"at request {request}")
        self.request = request


class Build:
    """The engine under measure. Its requests for work are counted."""

    def __init__(self, host: str) -> None:
        self.http = Http(host)
        self._requests = 0

    def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        self._requests += 1
        try:
            answer: httpx.Response = self.http.post(path, body)
        except httpx.TransportError as error:
            raise EndedError(self._requests) from error
        return answer

    def asked(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """An answer that must be a good one."""
        answer = self.post(path, body)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer


class Beside:
    """The build, the live build and the archive of both; `seen` is what came out so far."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._told = told
        self._archive = DicomWeb(told["archive"], PASSWORD.read_text())
        self._build, self._live = Build(told["build"]), Http(told["live"])
        self._both = {"build": self._build, "live": self._live}
        self._study = phantom(FROZEN)
        self._forward = {"plan": self._study.plan_uid, "spacing": SPACING}
        self._order = random.Random(told["seed"])  # noqa: S311 (an order, not a secret)
        self.seen: dict[str, Any] = {"ended_at": None}

    def measure(self) -> None:
        """Everything, or until the build's process ends."""
        try:
            self._same_plan()
            self._pairs()
            made = self._plans()
            self._own(made)
            self._tiring()
        except EndedError as ended:
            self.seen["ended_at"] = ended.request

    def _same_plan(self) -> None:
        build, live = (read_dose(one.asked("/forward", self._forward).content) for one in self._both.values())
        self.seen["forward_worst"] = off(live, build)

    def _pairs(self) -> None:
        self.seen["forward_ms"] = [
            {side: 1000 * seconds for side, (seconds, _) in self._pair("/forward", self._forward).items()}
            for _ in range(self._told["pairs"])
        ]

    def _pair(self, path: str, body: Mapping[str, Any]) -> dict[str, tuple[float, httpx.Response]]:
        """Seconds and answer of each side, one after the other in random order."""
        found = {}
        for side in self._order.sample(sorted(self._both), k=2):
            begun = time.perf_counter()
            answer = self._both[side].asked(path, body)
            found[side] = time.perf_counter() - begun, answer
        return found

    def _plans(self) -> Mapping[str, Any]:
        """The build's last answer."""
        wanted = {**self._told["plan"], "study": self._study.study, "structure_set": self._study.structure_set}
        pairs = [self._pair("/plans", wanted) for _ in range(self._told["plans"])]
        self.seen["plan_s"] = [{side: seconds for side, (seconds, _) in pair.items()} for pair in pairs]
        answers = [{side: answer.json() for side, (_, answer) in pair.items()} for pair in pairs]
        for name in ("iterations", "objective"):
            self.seen[name] = [{side: one["optimiser"][name] for side, one in pair.items()} for pair in answers]
        self.seen["target_mean"] = {side: one["figures"]["PTV"]["mean"] for side, one in answers[-1].items()}
        last: Mapping[str, Any] = answers[-1]["build"]
        return last

    def _own(self, made: Mapping[str, Any]) -> None:
        """The dose that the build archived with its plan, held against the live build's dose of that very plan."""
        plan, dose = (self._archive.fetch(self._study.study, made[name]) for name in ("plan", "dose"))
        (drawn,) = pydicom.dcmread(BytesIO(plan)).ReferencedStructureSetSequence
        found = self._archive.search("/instances", SOPInstanceUID=str(drawn.ReferencedSOPInstanceUID))
        answer = self._live.post("/forward", {"plan": made["plan"], "spacing": SPACING})
        self.seen["structures_missing"] = not found
        self.seen["own_refused"] = "" if answer.status_code == 200 else answer.json()["error"]["code"]
        self.seen["own_worst"] = None if self.seen["own_refused"] else off(read_dose(answer.content), read_dose(dose))

    def _tiring(self) -> None:
        """Further patients, each a patient of its own, and then many requests for the first one's dose."""
        others = [other(number) for number in range(self._told["further"])]
        asked = [{"plan": study.uid(f"frozen-{SEED}"), "spacing": SPACING} for study in others]
        failed = sum(self._build.post("/forward", one).status_code != 200 for one in asked)
        requests = self._told["requests"]
        later = sum(self._build.post("/forward", self._forward).status_code != 200 for _ in range(requests))
        self.seen["tiring"] = {
            "patients": 1 + len(others),
            "failed_before": failed,
            "requests": requests,
            "failed": later,
            "healthz": self._build.http.get("/healthz").status_code,
        }


def off(live: Dose, build: Dose) -> float:
    """Largest difference in any voxel, in % of the live build's maximum; AssertionError for another grid."""
    same = all((mine == theirs).all() for mine, theirs in zip(live.axes, build.axes, strict=True))
    assert same, "the doses lie on different grids"
    return worst(live.gray, build.gray)


def other(number: int) -> Study:
    """A small study of a patient of its own."""
    return synthetic(SEED).thinned(2, f"figures-{number}", f"OTA-F{number:05d}")


def load(told: Mapping[str, Any]) -> None:
    """The frozen study and the further patients', into the archive; AssertionError unless it kept all of it."""
    archive, study = DicomWeb(told["archive"], PASSWORD.read_text()), phantom(FROZEN)
    archive.wait_until_it_answers()
    batches = [[file.read_bytes() for file in study.files]]
    for number in range(told["further"]):
        small = other(number)
        objects = (*ct_slices(small), structure_set(small), frozen_plan(small, SEED))
        batches.append([encode(one) for one in objects])
    for batch in batches:
        answer = archive.store(*batch)
        assert answer.status_code == 200, f"the archive answered {answer.status_code}: {answer.text[:500]}"
        assert "00081198" not in answer.json(), "the archive did not keep everything"


def main() -> int:
    """Prints what was seen."""
    what, told = sys.argv[1], json.loads(sys.argv[2])
    if what == "load":
        load(told)
        print(json.dumps({}))
        return 0
    beside = Beside(told)
    beside.measure()
    print(json.dumps(beside.seen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
