"""otagate/base:13, the Debian 13 that all our images start from: taken from a registry, else made here.

Both ways add ca-certificates and the authorities this machine trusts beyond Debian's own.
"""

import hashlib
import io
import json
import os
import queue
import shutil
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
import requests
from docker.errors import DockerException

from otagate.adapters.engine.build import follow_build, image_id
from otagate.core.errors import EngineFault
from scripts.builds import LABEL_INPUTS, label_of
from scripts.progress import Line

TAG = "otagate/base:13"
CODENAME = "trixie"
RECIPE = "1"  # raise it when the way of making changes
AUTHORITIES = Path("/usr/local/share/ca-certificates")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
REGISTRY_SILENCE = 10  # seconds a registry may say nothing
REGISTRY_TOTAL = 180
MAKING = 900  # seconds mmdebstrap may take
EPOCH = 1754697600  # the day Debian 13 came out: one time for every file, so that equal packages give equal bytes
CREATED = "2025-08-09T00:00:00Z"


@dataclass(frozen=True)
class Sources:
    """Where Debian's packages come from: the archive and its security archive."""

    archive: str = "http://deb.debian.org/debian"
    security: str = "http://deb.debian.org/debian-security"

    def text(self) -> str:
        """All three suites: with the first alone an image would lack the security updates."""
        signed = f"deb [signed-by={KEYRING}]"
        return (
            f"{signed} {self.archive} {CODENAME} main\n"
            f"{signed} {self.archive} {CODENAME}-updates main\n"
            f"{signed} {self.security} {CODENAME}-security main\n"
        )


def authorities(folder: Path = AUTHORITIES) -> list[Path]:
    """The certificate authorities this machine trusts beyond Debian's, sorted."""
    return sorted(path for path in folder.rglob("*.crt") if path.is_file())


def inputs(trusted: Iterable[Path]) -> str:
    """Digest of what the base image is made from, apart from Debian's packages themselves."""
    total = hashlib.sha256(f"{RECIPE} {CODENAME}\n".encode())
    for path in trusted:
        total.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return f"sha256:{total.hexdigest()}"


def sources_of(targets: str) -> Sources:
    """This machine's own Debian mirrors, out of apt's list of `URI RELEASE` lines; Debian's public ones otherwise."""
    archive = security = ""
    for line in targets.splitlines():
        uri, _, release = line.strip().partition(" ")
        name, _, part = release.partition("-")
        if name not in ("bookworm", "trixie") or not uri.startswith(("http://", "https://")):
            continue
        if part == "security":
            security = security or uri.rstrip("/")
        elif not part:
            archive = archive or uri.rstrip("/")
    public = Sources()
    return Sources(archive or public.archive, security or public.security)


def ensure_base(client: docker.DockerClient, wanted: str) -> bool:
    """Has otagate/base:13 stand in the engine, `wanted` taken if it can be had; true if it was made now.

    Raises EngineFault if the image can be neither taken nor made.
    """
    trusted = authorities()
    digest = inputs(trusted)
    with Line(TAG) as line:
        if label_of(client, TAG, LABEL_INPUTS) == digest:
            line.unchanged()
            return False
        why = _take(client, wanted, trusted, digest, line)
        if why:
            line.doing(f"{wanted} cannot be taken: making it")
            _make(client, trusted, digest, line)
        line.done(f"made from Debian's packages ({wanted}: {why})" if why else f"taken from {wanted}")
        return True


# -- taken -----------------------------------------------------------------------------------------------------------


def _take(
    client: docker.DockerClient,
    wanted: str,
    trusted: Sequence[Path],
    digest: str,
    line: Line,
) -> str:
    """Empty when it worked, else why not."""
    why = _pull(client, wanted, line)
    if why and not image_id(client, wanted):
        return why
    try:
        follow_build(
            client.api.build(
                fileobj=_layer_context(wanted, trusted),
                custom_context=True,
                tag=TAG,
                labels={LABEL_INPUTS: digest},
                rm=True,
                forcerm=True,
                decode=True,
                timeout=MAKING,
            ),
            TAG,
            line.doing,
        )
    except EngineFault as fault:
        return fault.message.splitlines()[0]
    return ""


def _pull(client: docker.DockerClient, wanted: str, line: Line) -> str:
    """Asks the engine to pull; a registry that does not answer soon is none. Empty when the image is there.

    The SDK waits for a pull without end, so it runs beside us; one given up ends with the engine's own patience.
    """
    line.doing(f"asking for {wanted}")
    events: queue.SimpleQueue[Mapping[str, object]] = queue.SimpleQueue()
    threading.Thread(target=_follow_pull, args=(client, wanted, events.put), daemon=True).start()
    deadline = time.monotonic() + REGISTRY_TOTAL
    while time.monotonic() < deadline:
        try:
            event = events.get(timeout=REGISTRY_SILENCE)
        except queue.Empty:
            return f"no word from its registry within {REGISTRY_SILENCE} s"
        if "end" in event:
            return str(event["end"])
        if "error" in event:
            return _short(event["error"])
        line.doing(f"{event.get('status', '')} {event.get('progress', '')}")
    return f"not here after {REGISTRY_TOTAL} s"


def _follow_pull(client: docker.DockerClient, wanted: str, tell: Callable[[Mapping[str, object]], None]) -> None:
    repository, _, tag = wanted.rpartition(":")
    try:
        for event in client.api.pull(repository, tag, stream=True, decode=True):
            tell(event)
    except (DockerException, requests.RequestException) as error:
        tell({"error": getattr(error, "explanation", None) or error})
    else:
        tell({"end": ""})


def _short(error: object) -> str:
    """What an engine's chain of reasons ends in."""
    return str(error).strip().rpartition(": ")[2]


def _layer_context(wanted: str, trusted: Sequence[Path]) -> io.BytesIO:
    """A build context that puts authorities and ca-certificates on `wanted`, and refuses one that is not Debian 13."""
    dockerfile = (
        f"FROM {wanted}\n"
        "COPY authorities /usr/local/share/ca-certificates\n"
        'RUN . /etc/os-release && [ "$ID $VERSION_ID" = "debian 13" ] \\\n'
        " && apt-get update && apt-get upgrade -y \\\n"
        " && apt-get install -y --no-install-recommends ca-certificates && update-ca-certificates \\\n"
        " && rm -rf /var/lib/apt/lists/* /var/log/*\n"
    )
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        _put(archive, "Dockerfile", dockerfile.encode())
        folder = tarfile.TarInfo("authorities")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        for path in trusted:
            _put(archive, f"authorities/{path.name}", path.read_bytes())
    packed.seek(0)
    return packed


def _put(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


# -- made ------------------------------------------------------------------------------------------------------------


def _make(client: docker.DockerClient, trusted: Sequence[Path], digest: str, line: Line) -> None:
    _have_mmdebstrap(line)
    with tempfile.TemporaryDirectory(prefix="otagate-base-") as scratch:
        root = Path(scratch) / "root.tar"
        _run(debootstrap_command(root, trusted), "mmdebstrap", line, stdin=own_sources().text())
        line.doing("loading it into the engine")
        load_root(client, root, digest)


def _have_mmdebstrap(line: Line) -> None:
    """Raises EngineFault unless mmdebstrap and Debian's keys are there, after installing them if that may be done."""
    if shutil.which("mmdebstrap") and Path(KEYRING).exists():
        return
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "mmdebstrap", "debian-archive-keyring"]
    if not shutil.which("apt-get"):
        raise EngineFault(
            "there is no Debian 13 image to be had, and no apt-get here to make one with",
            code="engine.base",
            hint="make setup OTAGATE_BASE_IMAGE=REGISTRY/debian:13-slim, naming a registry that answers",
        )
    if os.geteuid() != 0:
        raise EngineFault(
            "there is no Debian 13 image to be had; to make one, mmdebstrap is missing",
            code="engine.base",
            hint=f"sudo {' '.join(install)} uidmap, then: make setup",
        )
    _run(["apt-get", "update", "-q"], "apt-get update", line)
    _run(install, "apt-get install mmdebstrap", line)


def own_sources() -> Sources:
    """The mirrors this machine's own apt uses."""
    if not shutil.which("apt-get"):
        return Sources()
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"]
    answer = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)
    return sources_of(answer.stdout)


def debootstrap_command(root: Path, trusted: Sequence[Path]) -> list[str]:
    """mmdebstrap's arguments: no documentation, authorities in place before ca-certificates is, nothing that varies."""
    without = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "locale", "doc", "info")]
    kept = "--dpkgopt=path-include=/usr/share/doc/*/copyright"
    # Essential packages are in by then; ca-certificates comes after and takes these up by itself.
    early = [f'--essential-hook=mkdir -p "$1"{AUTHORITIES}']
    if trusted:
        early.append(f"--essential-hook=copy-in {' '.join(str(path) for path in trusted)} {AUTHORITIES}")
        early.append(f'--essential-hook=chmod 0644 "$1"{AUTHORITIES}/*.crt')
    varying = "/var/lib/apt/lists /var/cache/apt /var/log /var/cache/ldconfig/aux-cache"
    late = [
        "--customize-hook=for it in " + varying + '; do find "$1$it" -type f -delete; done',
        '--customize-hook=rm -f "$1/etc/resolv.conf" "$1/etc/hostname"; : >"$1/etc/machine-id"',
    ]
    return [
        "mmdebstrap",
        "--variant=minbase",
        "--include=ca-certificates",
        '--aptopt=APT::Install-Recommends "false"',
        *without,
        kept,
        *early,
        *late,
        CODENAME,
        str(root),
        "-",
    ]


def _run(command: Sequence[str], name: str, line: Line, stdin: str = "") -> None:
    """Runs it with its last line shown. Raises EngineFault with the end of its output, or when MAKING has passed."""
    settings = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    said: list[str] = []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=settings
    ) as process:
        alarm = threading.Timer(MAKING, process.terminate)
        alarm.daemon = True
        alarm.start()
        if process.stdin is None or process.stdout is None:
            raise EngineFault(f"{name} was started without pipes", code="engine.base")
        process.stdin.write(stdin)
        process.stdin.close()
        for text in process.stdout:
            said.append(text.rstrip())
            line.doing(text)
        code = process.wait()
        alarm.cancel()
    if code:
        raise EngineFault(
            f"{name} ended with {code}\n" + "\n".join(f"    {text}" for text in said[-15:]),
            code="engine.base",
            hint="look at the network and /etc/apt/sources.list*, then: make setup",
        )


def load_root(client: docker.DockerClient, root: Path, digest: str, tag: str = TAG) -> str:
    """Loads a root file system with a fixed configuration, so that the image's ID depends on its bytes alone."""
    with root.open("rb") as stream:
        layer = hashlib.file_digest(stream, "sha256").hexdigest()
    config = image_config(layer, digest)
    identity = hashlib.sha256(config).hexdigest()
    manifest = [{"Config": f"{identity}.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    packed = root.with_suffix(".image")
    with tarfile.open(packed, "w") as archive:
        _put(archive, f"{identity}.json", config)
        archive.add(root, arcname="layer.tar")
        _put(archive, "manifest.json", json.dumps(manifest).encode())
    with packed.open("rb") as stream:
        client.images.load(stream)
    return f"sha256:{identity}"


def image_config(layer: str, digest: str) -> bytes:
    """The image's configuration as the engine stores it."""
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    facts = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "created": CREATED,
        "config": {"Env": [path, "LANG=C.UTF-8"], "Cmd": ["bash"], "Labels": {LABEL_INPUTS: digest}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
        "history": [{"created": CREATED, "created_by": "mmdebstrap"}],
    }
    return json.dumps(facts, sort_keys=True).encode()
