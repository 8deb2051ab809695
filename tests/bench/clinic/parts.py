"""What is measured, part by part: each raises what it needs, and answers the lines of its tables."""

import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import sleep
from typing import Any

import docker
import yaml

from tests.bench.clinic import tables
from tests.bench.clinic.ground import CLINIC, ENGINE, Ground, UnmeasuredError, ground

FIRST = ("Haswell", 1)  # BLAS kernel and threads: what the image fixes
OTHERS = {"again": FIRST, "2 threads": ("Haswell", 2), "BLAS kernel Nehalem": ("Nehalem", 1)}
OTHERS |= {"Nehalem, 2 threads": ("Nehalem", 2)}
IDLE = 10.0  # seconds of rest before the memory of idle services is looked at


@dataclass(frozen=True)
class Extent:
    """How much is measured: pairs of doses and of plans of each build, further patients and requests after them,
    studies and warm doses of the chain, and how often everything is raised to time it."""

    pairs: int = 20
    plans: int = 5
    further: int = 20
    requests: int = 50
    studies: int = 10
    warm: int = 20
    raises: int = 3


SHORT = Extent(pairs=3, plans=1, further=2, requests=5, studies=1, warm=3, raises=1)
Part = Callable[[docker.DockerClient, Extent], list[str]]


def usual_plan() -> Mapping[str, Any]:
    """What the clinic's planner asks the engine for."""
    found: Mapping[str, Any] = yaml.safe_load((CLINIC / "services" / "planner" / "planner.yaml").read_text())["plan"]
    return found


def tags() -> list[str]:
    """Of the engine's builds that the platform declares."""
    declared = yaml.safe_load((CLINIC / "images.yaml").read_text())["images"]
    named = [str(one["image"]).rpartition(":") for one in declared]
    return [tag for name, _, tag in named if name == ENGINE]


def machine(before: float) -> str:
    """`before`: the load when it began."""
    when = datetime.now(UTC)
    return f"Load average {before:.1f} to {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {when:%B %Y}."


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def builds(client: docker.DockerClient, extent: Extent) -> list[str]:
    """Each build beside the live one, both on one archive."""
    before, seed = os.getloadavg()[0], secrets.randbelow(2**32)
    found: dict[str, Any] = {}
    with ground(client) as here:
        here.raise_services("vna-index", "vna", "dose-engine")
        here.asker()
        told = {
            "archive": here.host("vna"),
            "live": here.host("dose-engine"),
            "build": here.host("build"),
            "plan": usual_plan(),
            "pairs": extent.pairs,
            "plans": extent.plans,
            "further": extent.further,
            "requests": extent.requests,
        }
        here.ask("asker", "suite", "builds", "load", json.dumps(told))
        for number, tag in enumerate(tags()):
            here.engine(tag, "build")
            found[tag] = _beside(here, {**told, "seed": seed + number})
            here.remove("build")
            say(f"{tag}: {json.dumps(found[tag])}")
    words = (
        f"Median (least–most) of {extent.pairs} pairs of forward doses (the frozen plan, warm) and {extent.plans} "
        f"pairs of plans, in random order (seed {seed}), client to client; then the doses of {extent.further} further "
        f"patients and {extent.requests} requests more."
    )
    return [*tables.builds(found), "", words, machine(before)]


def _beside(here: Ground, told: Mapping[str, Any]) -> dict[str, Any]:
    seen: dict[str, Any] = here.ask("asker", "suite", "builds", "measure", json.dumps(told))
    return {**seen, "exit": here.ended("build")} if seen["ended_at"] else seen


def reproducibility(client: docker.DockerClient, _: Extent) -> list[str]:
    """The same dose and the same plan by other arithmetic, each in a process of its own."""
    before = os.getloadavg()[0]
    with ground(client) as here:
        here.calculator()
        first = computed(here, "first", FIRST)
        rows = {name: computed(here, f"other{at}", way) for at, (name, way) in enumerate(OTHERS.items())}
        files = [f"/tmp/other{at}.npz" for at in range(len(OTHERS))]  # noqa: S108 - of a container of its own
        apart = here.ask("calculator", "engine", "arithmetic", "compare", "/tmp/first.npz", *files)  # noqa: S108
    told = {name: {**row, **one} for (name, row), one in zip(rows.items(), apart, strict=True)}
    libraries = ", ".join(f"{name} {version}" for name, version in first["libraries"].items())
    words = f"Against {FIRST[0]} on one thread: {first['iterations']} iterations, {libraries}."
    return [*tables.reproducibility(told), "", words, machine(before)]


def computed(here: Ground, out: str, way: tuple[str, int]) -> dict[str, Any]:
    """UnmeasuredError unless the process computed in the way that was asked for."""
    kernel, threads = way
    wanted = {"OPENBLAS_CORETYPE": kernel, "OPENBLAS_NUM_THREADS": f"{threads}", "OMP_NUM_THREADS": f"{threads}"}
    place = f"/tmp/{out}.npz"  # noqa: S108 - of a container of its own
    plan = json.dumps(usual_plan())
    seen: dict[str, Any] = here.ask("calculator", "engine", "arithmetic", "dose", place, plan, **wanted)
    if ([one.lower() for one in seen["kernels"]], seen["threads"]) != ([kernel.lower()], threads):
        raise UnmeasuredError(f"asked for {way}, got {seen['kernels']} on {seen['threads']} threads")
    return seen


def chain(client: docker.DockerClient, extent: Extent) -> list[str]:
    """Studies through one side's chain, one after another."""
    before = os.getloadavg()[0]
    with ground(client) as here:
        here.raise_services()
        here.asker()
        seen = _chain(here, extent)
    objects = "–".join(str(count) for count in seen["objects"])
    beams = len(usual_plan()["gantry"])
    words = (
        f"Synthetic studies one after another: {len(seen['hops'])}, of {objects} objects each, {beams} beams; "
        f"findable: the archive lists them over DICOMweb. Warm doses: {len(seen['warm'])}, of the frozen plan. "
        f"Median (least–most)."
    )
    return [*tables.chain(seen["hops"]), "", *tables.warm(seen["warm"]), "", words, machine(before)]


def _chain(here: Ground, extent: Extent) -> dict[str, Any]:
    told = {"prefix": here.place.prefix, "studies": extent.studies, "warm": extent.warm}
    seen: dict[str, Any] = here.ask("asker", "suite", "chain", json.dumps(told))
    return seen


def services(client: docker.DockerClient, extent: Extent) -> list[str]:
    """How soon each is ready, raised one after the other, and its memory before and after the studies."""
    before = os.getloadavg()[0]
    ready: dict[str, list[float]] = {}
    for turn in range(extent.raises):
        with ground(client) as here:
            for name, seconds in here.raise_services().items():
                ready.setdefault(name, []).append(seconds)
            if turn < extent.raises - 1:
                continue
            sleep(IDLE)
            idle = here.memory()
            here.asker()
            _chain(here, extent)
            after = here.memory()
            reference = here.ask("asker", "suite", "reference", str(extent.raises))
    words = (
        f"Ready: from the start of its process until its own health check said well; raised {extent.raises} times from "
        f"nothing, one service after the other, and as often the reference asked; median (least–most). Memory as "
        f"`docker stats` shows it, {IDLE:.0f} s after the last was ready and after {extent.studies} studies."
    )
    return [*tables.services(ready, idle, after, reference), "", words, machine(before)]


PARTS: dict[str, Part] = {
    "builds": builds,
    "reproducibility": reproducibility,
    "chain": chain,
    "services": services,
}
