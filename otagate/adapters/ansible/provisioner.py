"""The Provisioner port: one run of ansible-runner for all stages, followed live, stopped for good at its deadline."""

import json
import os
import queue
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import docker
import requests
from docker.errors import DockerException

import otagate
from otagate.adapters.ansible.follow import Follow
from otagate.adapters.ansible.specification import specification
from otagate.adapters.ansible.sweep import MARK, sweep
from otagate.core.cloud import LABEL_PLATFORM, Cloud
from otagate.core.container import Stage
from otagate.core.errors import ProvisionFault
from otagate.core.redaction import Redactor
from otagate.ports import Tell

LOCAL_ENGINE = "unix:///var/run/docker.sock"
GRACE = 3.0  # seconds after a stage's deadline in which the playbook may still say itself what was late
_START = 30.0  # seconds that Ansible may take to begin
_PASSED_ON = ("HOME", "LANG", "SSH_AUTH_SOCK", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONFIG")
_HANG_UP = 2.0  # seconds for a closed stream to be noticed
_SHOWN = 10  # lines of Ansible's output in a message
_EVENTS = ("create", "start", "die", "health_status")
_HINT = "mend the cause and run the same command again: what is up already is kept"


class AnsibleProvisioner:
    """`engines` maps cloud to engine URL (missing: the environment's, else the local socket). `inventory` is a
    platform's own; without one the clouds' hosts are this machine. `playbooks` defaults to those that came along."""

    def __init__(
        self,
        engines: Mapping[str, str],
        *,
        inventory: str = "",
        playbooks: Path | None = None,
        grace: float = GRACE,
    ) -> None:
        self._engines = engines
        self._inventory = inventory
        self._playbooks = playbooks
        self._grace = grace

    def apply(self, platform: str, stages: Sequence[Stage], folder: str, tell: Tell) -> tuple[str, ...]:
        """Raise the stages in order; answers the names of what changed.

        Raises ProvisionFault with the guilty task and container; nothing of the run goes on afterwards.
        """
        if not stages:
            return ()
        playbooks = self._playbooks or find_playbooks()
        follow = Follow(platform, stages, tell)
        redact = Redactor(file.content for s in stages for c in s.containers for file in c.files if file.secret)
        with _disk(), _private_folder() as private, _terminable():
            self._write(private, playbooks, platform, stages)
            try:
                late = self._run(private, playbooks, platform, follow)
            except BaseException:
                with suppress(OSError):  # what ended the run is what counts
                    _keep_output(private, Path(folder), follow, redact)
                raise
            text = _keep_output(private, Path(folder), follow, redact)
        _judge(follow, late, text, redact)
        return tuple(follow.changed)

    def _engine(self, cloud: Cloud) -> str:
        return self._engines.get(cloud) or os.environ.get("DOCKER_HOST") or LOCAL_ENGINE

    def _write(self, private: Path, playbooks: Path, platform: str, stages: Sequence[Stage]) -> None:
        plays = []
        for number, stage in enumerate(stages):
            path = private / f"stage-{number}.json"
            _write_private(path, specification(platform, self._engine(stage.cloud), stage))
            plays.append(
                {
                    "import_playbook": str(playbooks / "stage.yml"),
                    "vars": {"otagate_cloud": stage.cloud.value, "otagate_specification": str(path)},
                }
            )
        for folder in ("project", "tmp"):
            (private / folder).mkdir(mode=0o700)
        _write_private(private / "project" / "site.yml", json.dumps(plays).encode())
        hosts = {cloud.value: _LOCAL for cloud in Cloud}
        _write_private(private / "inventory.yml", json.dumps({"all": {"hosts": hosts}}).encode())

    def _run(self, private: Path, playbooks: Path, platform: str, follow: Follow) -> str:
        """Follow one run to its end; answers what was late, empty if nothing was."""
        mark = secrets.token_hex(16)
        environment = _environment(private, playbooks, mark)
        if shutil.which("ansible-playbook", path=environment["PATH"]) is None:
            raise ProvisionFault(
                "the program ansible-playbook is missing",
                code="no-ansible",
                hint="install otagate with its dependencies into one environment (make setup), then otagate doctor",
            )
        inbox: queue.SimpleQueue[_Letter] = queue.SimpleQueue()
        urls = sorted({self._engine(stage.cloud) for stage in follow.stages})
        with _engine_events(urls, platform, inbox), _guard(private, self._inventory, environment, mark, inbox):
            return self._until_the_end(inbox, follow)

    def _until_the_end(self, inbox: "queue.SimpleQueue[_Letter]", follow: Follow) -> str:
        stages = follow.stages
        limit = time.monotonic() + _START + stages[0].deadline + self._grace
        while True:
            try:
                letter = inbox.get(timeout=max(0.0, limit - time.monotonic()))
            except queue.Empty:
                return f"stage {stages[max(follow.current, 0)].name}"
            if letter.event is None:
                return ""
            before = follow.current
            (follow.of_engine if letter.of_engine else follow.of_ansible)(letter.event)
            if follow.current != before:
                limit = time.monotonic() + stages[follow.current].deadline + self._grace


@dataclass(frozen=True)
class _Letter:
    """An event on its way to the one thread that tells; None: the run is over."""

    event: Mapping[str, Any] | None
    of_engine: bool = False


_LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


def find_playbooks() -> Path:
    """The folder of the playbooks: inside the package in a wheel, beside it in a checkout."""
    package = Path(otagate.__file__).parent
    for folder in (package / "playbooks", package.parent / "playbooks"):
        if (folder / "stage.yml").is_file():
            return folder
    raise ProvisionFault(
        f"the playbooks are missing beside {package}", code="no-playbooks", hint="install otagate again"
    )


def _environment(private: Path, playbooks: Path, mark: str) -> dict[str, str]:
    """Only what Ansible needs: secrets may stand in the environment of otagate."""
    own = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return own | {
        "PATH": _search_path(),
        "PYTHONPATH": str(Path(otagate.__file__).parent.parent),
        "PYTHONUNBUFFERED": "1",
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(playbooks / "ansible.cfg"),
        "TMPDIR": str(private / "tmp"),
        "ANSIBLE_HOME": str(private / "home"),
        # Of what else is installed on the machine nothing counts: our environment brings its collections.
        "ANSIBLE_COLLECTIONS_PATH": str(private / "home"),
        "ANSIBLE_LOCAL_TEMP": str(private / "tmp"),
        "ANSIBLE_REMOTE_TEMP": str(private / "tmp"),
        "ANSIBLE_NOCOLOR": "1",
        MARK: mark,
    }


def _search_path() -> str:
    return f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


@contextmanager
def _guard(
    private: Path, inventory: str, environment: Mapping[str, str], mark: str, inbox: "queue.SimpleQueue[_Letter]"
) -> Iterator[None]:
    """The run beside us. However the block ends, nothing of the run is left."""
    child = _begin(private, inventory or str(private / "inventory.yml"), environment)
    reader = threading.Thread(target=_read, args=(child.stdout, inbox), daemon=True)
    reader.start()
    try:
        yield
    finally:
        with _undisturbed():
            left = sweep(child.pid, mark)
            child.wait()
            reader.join(timeout=5.0)
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
        if left:
            raise ProvisionFault(
                f"processes {', '.join(map(str, left))} of Ansible would not die", code="not-stopped", hint="kill them"
            )


def _begin(private: Path, inventory: str, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    with (private / "stderr").open("wb") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "otagate.adapters.ansible.guard", str(private), inventory],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(environment),
            cwd=private,
            start_new_session=True,  # the terminal's Ctrl-C comes to us alone
        )


def _read(stdout: IO[bytes], inbox: "queue.SimpleQueue[_Letter]") -> None:
    for line in stdout:
        with suppress(ValueError):  # cut off by a kill
            inbox.put(_Letter(json.loads(line)))
    inbox.put(_Letter(None))


@contextmanager
def _engine_events(urls: Sequence[str], platform: str, inbox: "queue.SimpleQueue[_Letter]") -> Iterator[None]:
    """Container events of the platform, for live progress; that an engine is dead is the playbook's to report."""
    filters = {"type": "container", "event": list(_EVENTS), "label": f"{LABEL_PLATFORM}={platform}"}
    with ExitStack() as open_streams:
        for url in urls:
            with suppress(DockerException, requests.RequestException, OSError):
                open_streams.enter_context(_forwarded(url, filters, inbox))
        yield


@contextmanager
def _forwarded(url: str, filters: Mapping[str, Any], inbox: "queue.SimpleQueue[_Letter]") -> Iterator[None]:
    if url.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as knock:  # the library would leave its own socket open
            knock.connect(url.removeprefix("unix://"))
    settings = dict(os.environ) if url.startswith("tcp://") else {}  # TLS settings concern TCP alone
    settings["DOCKER_HOST"] = url
    client = docker.from_env(timeout=10, environment=settings, use_ssh_client=url.startswith("ssh://"))
    stream: Any = client.events(decode=True, filters=dict(filters))

    def forward() -> None:
        with suppress(Exception):  # closed under our hands: only progress is lost
            for event in stream:
                inbox.put(_Letter(event, of_engine=True))

    thread = threading.Thread(target=forward, daemon=True)
    thread.start()
    try:
        yield
    finally:
        with suppress(Exception):  # not every transport can be closed while a thread reads
            stream.close()
        thread.join(_HANG_UP)
        stream._response.close()
        client.close()


def _keep_output(private: Path, folder: Path, follow: Follow, redact: Redactor) -> str:
    """Write each stage's output, without secrets; answers all of it."""
    texts = {number: "\n".join(lines) for number, lines in follow.output.items()}
    if not texts:
        raw = [private / "artifacts" / "run" / "stdout", private / "stderr"]
        texts = {0: "\n".join(path.read_text(errors="replace") for path in raw if path.is_file())}
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number, text in texts.items():
        name = re.sub(r"[^a-z0-9]+", "-", follow.stages[min(number, len(follow.stages) - 1)].name.lower()).strip("-")
        _write_private(folder / f"ansible-{name}.log", (redact(text) + "\n").encode())
    return "\n".join(texts.values())


def _judge(follow: Follow, late: str, text: str, redact: Redactor) -> None:
    """ProvisionFault unless every stage said that it is up and Ansible ended well."""
    broken = follow.broken
    if broken is not None:
        log = f"\nlast lines of its log:\n{redact(chr(10).join(broken.log))}" if broken.log else ""
        raise ProvisionFault(
            f"{broken.task}: {redact(broken.message)}{log}",
            code="engine" if broken.engine else "provision",
            hint="otagate doctor" if broken.engine else _HINT,
            at=broken.guilty,
        )
    if late:
        raise ProvisionFault(f"{late} was not up at its deadline and was stopped", code="late", hint=_HINT)
    rc = follow.ended["rc"] if follow.ended else None
    if rc == 127:
        raise ProvisionFault("ansible-playbook could not be run (127)", code="no-ansible", hint="otagate doctor")
    if rc != 0 or follow.finished != len(follow.stages):
        said = redact("\n".join(text.splitlines()[-_SHOWN:]))
        raise ProvisionFault(
            f"Ansible ended ({rc}) with {follow.finished} of {len(follow.stages)} stages up\nits last lines:\n{said}",
            hint="does the inventory name the hosts blue, green and shared? otagate check",
        )


def _write_private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise  # whoever was told is gone
    except OSError as fault:
        raise ProvisionFault(
            f"Ansible's files could not be written: {fault}", code="disk", hint="df -h shows which disk is full"
        ) from fault


@contextmanager
def _private_folder() -> Iterator[Path]:
    folder = tempfile.mkdtemp(prefix="otagate-ansible-")
    try:
        yield Path(folder)
    finally:
        with _undisturbed():
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the block like Ctrl-C, unless the program has its own mind about it."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def interrupted(number: int, frame: object) -> None:  # noqa: ARG001
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals wait until the block is done: cleaning up is not to be interrupted."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
