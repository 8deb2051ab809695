"""Suites in containers of their own: a child pytest that is believed only where its whole account adds up.

The container can write nowhere but to its /tmp; what it needs lies in small volumes that are filled before its start
(an engine puts nothing into a read-only root).
"""

import contextlib
import importlib.resources
import secrets
import select
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.types import LogConfig

from otagate.adapters.suite_talk import Talk
from otagate.adapters.suite_tree import archive, read_tree, tree_digest
from otagate.core import cloud
from otagate.core.errors import SuiteFault
from otagate.core.ledger import Balance
from otagate.core.suite import SuiteReport
from otagate.ports import Answer, SuiteResult, SuiteRun, Tell

_FILES, _SECRETS = "/suite", "/run/secrets"
_UNPRIVILEGED = "65534:65534"
_SEND_SECONDS = 20.0
# What the image may have set, and what could change which cases run or what an assert means.
_QUIET = {
    "PYTEST_ADDOPTS": "",
    "PYTEST_PLUGINS": "",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTHONOPTIMIZE": "",
    "PYTHONSAFEPATH": "",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OTAGATE_STREAM": "1",
}


def arguments(root: str, suite: str) -> list[str]:
    """What pytest is given for `suite` under `root`: no configuration file, no cache, no plugin but ours."""
    return [
        "-p", "otagate_plugin", "-p", "no:cacheprovider", "-c", "/dev/null", f"--rootdir={root}",
        f"--confcutdir={root}", "--strict-markers", "--color=no", "-rN", f"{root}/{suite}",
    ]  # fmt: skip


def suite_files(suite: str, tree: Mapping[str, bytes]) -> dict[str, bytes]:
    """Everything that goes under the root, plugin included."""
    package = importlib.resources.files("otagate").joinpath("pytest_plugin").iterdir()
    plugin = {f"otagate_plugin/{file.name}": file.read_bytes() for file in package if file.name.endswith(".py")}
    placed = {(path[3:] if path.startswith("../") else f"{suite}/{path}"): data for path, data in tree.items()}
    return {**plugin, **placed}


def quiet(environment: Mapping[str, str]) -> dict[str, str]:
    """The suite's environment with what could bend the count silenced."""
    return {**environment, **_QUIET}


class PytestSuites:
    """ports.Suites over Docker's API. `engine` gives the client of a cloud."""

    def __init__(self, engine: Callable[[cloud.Cloud], docker.DockerClient]) -> None:
        self._engine = engine

    def digest(self, folder: str) -> str:
        return tree_digest(read_tree(folder))

    def run(self, run: SuiteRun, answer: Answer, tell: Tell) -> SuiteResult:
        tree = read_tree(run.folder)
        begun = time.monotonic()
        with _Place(self._engine(run.cloud), run) as place:
            child = place.start(suite_files(run.suite, tree))
            balance = Talk(run, secrets.token_hex(16), arguments(_FILES, run.suite), answer, tell).hold(child)
        return result(run, tree, balance, time.monotonic() - begun, place.debts)


def result(
    run: SuiteRun, tree: Mapping[str, bytes], balance: Balance, seconds: float, debts: Sequence[str] = ()
) -> SuiteResult:
    """The balance as the port gives it; `debts` (what could not be tidied up) are flaws too."""
    report = SuiteReport(
        name=run.suite,
        tree_digest=tree_digest(tree),
        collected=balance.collected,
        cases=balance.cases,
        exit_status=balance.status,
        ended=balance.ended,
        flaws=(*balance.flaws, *debts),
        seconds=seconds,
        runner=balance.runner,
        pictures=balance.pictures,
    )
    return SuiteResult(report, balance.metrics, balance.contents)


class _Place:
    """What a suite needs in the engine: made, filled, started; and removed again whatever happens.

    `debts` says what could not be removed.
    """

    def __init__(self, client: docker.DockerClient, run: SuiteRun) -> None:
        self._client, self._run = client, run
        self._name = f"{run.platform}-{run.cloud}-candidate-suite-{run.suite}"
        self._labels = {
            cloud.LABEL_PLATFORM: run.platform,
            cloud.LABEL_RUN: run.run,
            cloud.LABEL_SERVICE: "suite",
            cloud.LABEL_CLOUD: run.cloud.value,
            cloud.LABEL_BINDING: cloud.Binding.CANDIDATE.value,
        }
        if run.cloud is not cloud.Cloud.SHARED:
            self._labels[cloud.LABEL_COLOUR] = run.cloud.value
        self._undo = contextlib.ExitStack()
        self.debts: list[str] = []

    def __enter__(self) -> "_Place":
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def start(self, files: Mapping[str, bytes]) -> "_Child":
        """SuiteFault if the engine will not."""
        run = self._run
        try:
            self._clear()
            container = self._make()
            container.put_archive(_FILES, archive(files))
            if run.secrets:
                container.put_archive(_SECRETS, archive(run.secrets))
            for network in run.networks[1:]:
                self._client.networks.get(network).connect(container)
            child = _Child(self._client, container)
            self._undo.callback(child.close)
            container.start()
        except ImageNotFound as error:
            raise SuiteFault(f"suite {run.suite}: no image {run.image}", hint="build it, then test again") from error
        except (DockerException, OSError) as error:
            raise SuiteFault(f"suite {run.suite} could not be started: {error}", hint="otagate doctor") from error
        return child

    def _clear(self) -> None:
        """What a run that was killed left under the same name goes first, if it is a suite's."""
        with contextlib.suppress(NotFound):
            left = self._client.containers.get(self._name)
            if left.labels.get(cloud.LABEL_SERVICE) != "suite":
                raise SuiteFault(f"{self._name} exists and is no suite's container", hint="remove it or rename it")
            left.remove(force=True, v=True)
        for part in ("files", "secrets"):
            with contextlib.suppress(NotFound):
                self._client.volumes.get(f"{self._name}-{part}").remove(force=True)

    def _make(self) -> Container:
        run = self._run
        targets = {"files": _FILES, "secrets": _SECRETS} if run.secrets else {"files": _FILES}
        for part in targets:
            volume = self._client.volumes.create(f"{self._name}-{part}", labels=self._labels)
            self._undo.callback(self._tidy, f"{self._name}-{part}", partial(volume.remove, force=True))
        container = self._client.containers.create(
            run.image,
            name=self._name,
            entrypoint=["python3", "-m", "pytest"],
            command=arguments(_FILES, run.suite),
            working_dir=_FILES,
            environment=quiet({"HOME": "/tmp", "TMPDIR": "/tmp", **run.environment}),  # noqa: S108
            labels=self._labels,
            volumes={f"{self._name}-{part}": {"bind": target, "mode": "rw"} for part, target in targets.items()},
            user=_UNPRIVILEGED,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            read_only=True,
            tmpfs={"/tmp": "rw,nosuid,nodev,size=512m,mode=1777"},  # noqa: S108
            stdin_open=True,
            log_config=LogConfig(type=LogConfig.types.NONE),  # all of it is read here; a flood must not fill the disk
            network=run.networks[0] if run.networks else None,
            network_mode=None if run.networks else "none",
        )
        self._undo.callback(self._tidy, self._name, partial(container.remove, force=True, v=True))
        return container

    def _tidy(self, what: str, remove: Callable[[], None]) -> None:
        try:
            remove()
        except NotFound:
            return
        except (DockerException, OSError) as error:
            self.debts.append(f"{what} could not be removed: {error}")


class _Child:
    """A container's three streams over one attached socket; a suite_talk.Child. Attached before the start."""

    def __init__(self, client: docker.DockerClient, container: Container) -> None:
        self._container = container
        wanted = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        self._attached: Any = client.api.attach_socket(str(container.id), params=wanted)
        self._socket: Any = getattr(self._attached, "_sock", self._attached)
        self._socket.settimeout(_SEND_SECONDS)
        self._frames = bytearray()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()
            self._attached.close()

    def receive(self, seconds: float) -> list[tuple[int, bytes]] | None:
        pending = getattr(self._socket, "pending", None)  # a TLS socket may hold what select does not see
        if not (pending and pending()) and not select.select([self._socket], [], [], max(0.0, seconds))[0]:
            return []
        try:
            data = self._socket.recv(1 << 16)
        except TimeoutError:
            return []
        except OSError:
            return None
        if not data:
            return None
        self._frames += data
        return list(self._whole_frames())

    def _whole_frames(self) -> Iterator[tuple[int, bytes]]:
        """Docker's frames: stream, three zeros, length (4 bytes, big endian), content."""
        while len(self._frames) >= 8:
            length = int.from_bytes(self._frames[4:8], "big")
            if len(self._frames) < 8 + length:
                return
            yield self._frames[0], bytes(self._frames[8 : 8 + length])
            del self._frames[: 8 + length]

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def wait(self, seconds: float) -> int | None:
        try:
            return int(self._container.wait(timeout=seconds)["StatusCode"])
        except (DockerException, OSError):
            return None

    def kill(self) -> None:
        self.close()  # first: an engine whose reader has stopped reading waits for it before it lets a container go
        with contextlib.suppress(DockerException, OSError):  # the removal that follows says what is left
            self._container.kill()
