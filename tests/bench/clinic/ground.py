"""Where the clinic's figures are taken: containers as the platform's own definition has them, on a network of their
own, and one more that asks. All bear the label of one platform of the tests' own, and are gone afterwards.
"""

import json
import secrets
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, ImageNotFound
from docker.models.containers import Container as Running

from otagate.adapters.ansible.specification import specification
from otagate.config.load import load
from otagate.core.build import Build
from otagate.core.cloud import LABEL_PLATFORM, Binding, Cloud, Colour
from otagate.core.container import Attachment, Container, File, Stage
from otagate.core.labelled import labels_of
from otagate.core.places import Place
from otagate.core.platform import Platform, Tier
from otagate.core.release import release_of
from otagate.core.stages import mirror_stage
from playbooks.action_plugins.otagate_stage import create, put_files
from tests.bench.clinic.tables import mebibytes

ROOT = Path(__file__).parents[3]
CLINIC = ROOT / "environments" / "treatment-platform"
READY = 60  # seconds that a service gets to be ready
ASKED = 1200  # seconds that one program inside gets
PATIENCE = ASKED + 60  # seconds for one answer of the engine: it waits for the programs
ENDED = 20  # seconds within which a container must have ended that broke a connection off
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SUITE, ENGINE = "treatment-platform/suite:1.0", "treatment-platform/dose-engine"
# Asked in the container itself: the engine's own health check comes every 4 s. The clock is this machine's.
POLL = 'until "$@" > /dev/null 2>&1; do sleep 0.01; done; date +%s.%N'
FIGURES = "/figures"
INSIDE = "tests/bench/clinic/inside"
PATHS = {
    "suite": (FIGURES, f"{FIGURES}/suites", "/opt/suite", "/opt/reference"),
    "engine": (FIGURES, f"{FIGURES}/reference", "/opt/engine"),
}


class UnmeasuredError(Exception):
    """A figure that could not be taken, and why."""


class Ground:
    """One platform, raised as one side of a mirror is; use `ground` to have it removed."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client
        self.platform: Platform = replace(load(CLINIC, {}), name=f"t-figures-{secrets.token_hex(3)}")
        self.place = Place(self.platform.name, Binding.CANDIDATE, Colour.BLUE)
        self._secrets = {name: secrets.token_hex(16).encode() for name in self.platform.secrets}
        self._stage = self._side()
        self._containers = {self._called(one.name): one for one in self._stage.containers}

    def host(self, service: str) -> str:
        return self.place.container(service)

    def raise_services(self, *only: str) -> dict[str, float]:
        """On a new network with new volumes, each once what it needs is ready; seconds until each was."""
        chosen = {name: one for name, one in self._containers.items() if not only or name in only}
        labels = self._labels("")
        self._client.api.create_network(self.place.network, internal=True, labels=labels)
        for mount in (mount for one in chosen.values() for mount in one.mounts):
            self._client.api.create_volume(mount.volume, labels=labels)
        needs = {name: [self._called(after) for after in one.after] for name, one in chosen.items()}
        ready = {}
        for name in TopologicalSorter(needs).static_order():
            self.begin(chosen[name])
            ready[name] = self.ready(name)
        return ready

    def engine(self, tag: str, called: str) -> None:
        """Another build of the engine beside the live one, ready to be asked; it is not started again when it ends."""
        image = self._image(f"{ENGINE}:{tag}")
        live = self._containers["dose-engine"]
        self._containers[called] = replace(
            live,
            name=self.host(called),
            image=image,
            networks=(Attachment(self.place.network, (called,)),),
            environment={**live.environment, "OTAGATE_BUILD": image},
            restart="no",
        )
        self.begin(self._containers[called])
        self.ready(called)

    def idler(self, called: str, image: str, files: Iterable[File], *, networked: bool) -> None:
        """A container that only waits, for programs to be run in."""
        labels = self._labels(called)
        self.begin(
            Container(
                name=self.host(called),
                image=self._image(image),
                networks=(Attachment(self.place.network, ()),) if networked else (),
                labels=labels,
                entrypoint=("sleep",),
                command=("infinity",),
                files=tuple(files),
                stop_grace=0.0,
            )
        )

    def asker(self) -> None:
        """The container that asks the services, with the suites' own client."""
        password = File("/run/secrets/vna-password", self._secrets["vna-password"], 0o444, secret=True)
        client = placed(CLINIC / "suites" / "conftest.py", "suites/conftest.py")
        peer = placed(CLINIC / "suites" / "technical" / "peer.py", "suites/peer.py")
        programs = sources(*(f"{INSIDE}/{name}.py" for name in ("builds", "chain", "reference")))
        self.idler("asker", SUITE, [*programs, client, peer, password], networked=True)

    def calculator(self) -> None:
        """The engine's image without its server, and without limits, to compute in as the caller likes."""
        programs = sources(f"{INSIDE}/arithmetic.py", "tests/environments/treatment_platform/shelf.py")
        phantoms = (CLINIC / "services" / "reference" / "phantoms").glob("*.py")
        studies = [placed(path, f"reference/phantoms/{path.name}") for path in phantoms]
        self.idler("calculator", f"{ENGINE}:1.0", [*programs, *studies], networked=False)

    def begin(self, wanted: Container) -> None:
        """Made as a stage makes it, and started."""
        stage = replace(self._stage, containers=(wanted,))
        described = json.loads(specification(self.platform.name, "", stage))["containers"][0]
        made = create(self._client.api, described, {})
        put_files(self._client.api, made, described["files"], [mount["target"] for mount in described["mounts"]])
        self._client.api.start(made)

    def ready(self, service: str) -> float:
        """Seconds from the start of its process until its own health check said well."""
        check = self._containers[service].healthcheck
        if check is None or check.test[0] != "CMD":
            raise UnmeasuredError(f"{service} has no health check that can be run")
        words = ["timeout", "--kill-after=5", str(READY), "bash", "-c", POLL, "-", *check.test[1:]]
        try:
            code, out, err = self._run(service, words, {})
        except APIError as error:  # it has ended
            raise UnmeasuredError(f"{service}: {error.explanation}: {self.log(service)}") from error
        if code != 0:
            raise UnmeasuredError(f"{service} was not ready within {READY} s: {err} {self.log(service)}")
        began = datetime.fromisoformat(self._running(service).attrs["State"]["StartedAt"]).timestamp()
        return float(out.split()[-1]) - began

    def ask(self, container: str, kind: str, *words: str, **environment: str) -> Any:
        """What a program of `inside` answers, run in a container there; UnmeasuredError with its last words."""
        python = "/opt/venv/bin/python" if kind == "engine" else "python"
        told = {**environment, "PYTHONPATH": ":".join(PATHS[kind]), "PYTHONDONTWRITEBYTECODE": "1"}
        module = f"{INSIDE.replace('/', '.')}.{words[0]}"
        line = ["timeout", "--kill-after=5", str(ASKED), python, "-m", module, *words[1:]]
        code, out, err = self._run(container, line, told)
        if code != 0:
            raise UnmeasuredError(f"inside.{' '.join(words)} ended {code}: {err[-3000:]}")
        return json.loads(out)

    def ended(self, called: str) -> int:
        """The exit status of one that is said to have ended."""
        try:
            return int(self._running(called).wait(timeout=ENDED)["StatusCode"])
        except requests.RequestException as error:
            raise UnmeasuredError(f"{called} broke a connection off, but has not ended: {error}") from error

    def remove(self, called: str) -> None:
        self._running(called).remove(force=True, v=True)

    def memory(self) -> dict[str, float]:
        """MiB of each service now."""
        names = [service.name for service in self.platform.services.values()]
        stats: dict[str, Any] = {name: self._running(name).stats(stream=False) for name in names}
        return {name: mebibytes(one) for name, one in stats.items()}

    def log(self, called: str) -> str:
        return bytes(self._running(called).logs(tail=20)).decode(errors="replace")

    def clear(self) -> None:
        """Remove whatever bears the platform's label."""
        mine: dict[str, str | list[str] | bool] = {"label": f"{LABEL_PLATFORM}={self.platform.name}"}
        for container in self._client.containers.list(all=True, filters=mine, ignore_removed=True):
            container.remove(force=True, v=True)
        for network in self._client.networks.list(filters=mine):
            network.remove()
        for volume in self._client.volumes.list(filters=mine):
            volume.remove()

    def _called(self, container: str) -> str:
        return container.removeprefix(f"{self.place.prefix}-")

    def _running(self, called: str) -> Running:
        return self._client.containers.get(self.host(called))

    def _run(self, called: str, words: list[str], environment: dict[str, str]) -> tuple[int, str, str]:
        """Exit status, and what came on stdout and stderr."""
        ran = self._running(called).exec_run(words, environment=environment, demux=True)
        parts: Any = ran.output
        out, err = (part.decode(errors="replace") if part else "" for part in parts)
        return -1 if ran.exit_code is None else int(ran.exit_code), out, err

    def _side(self) -> Stage:
        """One side of a mirror, without a switch."""
        images = {name: self._image(service.image) for name, service in self.platform.services.items()}
        release = {service.name for service in self.platform.of_tier(Tier.RELEASE)}
        built = {name: Build(name, self.platform.services[name].image, images[name]) for name in release}
        return mirror_stage(
            self.platform, release_of(self.platform, built), images, self.place, self._secrets.__getitem__, "",
            "figures", switched=False,
        )  # fmt: skip

    def _image(self, reference: str) -> str:
        try:
            return str(self._client.images.get(reference).id)
        except ImageNotFound:
            raise UnmeasuredError(f"there is no image {reference}; next: make images") from None

    def _labels(self, service: str) -> dict[str, str]:
        return labels_of(self.platform.name, Cloud.BLUE, service, Binding.CANDIDATE, None, colour=Colour.BLUE)


def sources(*modules: str) -> list[File]:
    """Modules of ours under the same path, in packages: a `tests` that the image may have stands back behind them."""
    folders = {str(parent) for module in modules for parent in Path(module).parents} - {"."}
    packages = [File(f"{FIGURES}/{folder}/__init__.py", b"", 0o444) for folder in sorted(folders)]
    return [*(placed(ROOT / module, module) for module in modules), *packages]


def placed(path: Path, where: str) -> File:
    return File(f"{FIGURES}/{where}", path.read_bytes(), 0o444)


@contextmanager
def ground(client: docker.DockerClient) -> Iterator[Ground]:
    """A ground; whatever bears its platform's label is gone afterwards, also after an interrupt."""
    made = Ground(client)
    try:
        yield made
    finally:
        before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
        try:
            made.clear()
        finally:
            for number, action in before.items():
                signal.signal(number, action)
