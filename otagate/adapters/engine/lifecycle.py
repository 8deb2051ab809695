"""What may be asked of single containers: their health, their log, and a mirror's to start again."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import docker
from docker.errors import NotFound

from otagate.adapters.engine.connection import Engines, asking
from otagate.core.cloud import LABEL_BINDING, LABEL_ONCE, LABEL_PLATFORM, LABEL_SERVICE, Binding
from otagate.core.errors import EngineFault, UsageError
from otagate.ports import Progress, Tell

_POLL = 0.1
_LOG_LINES = 20


def wait_healthy(engines: Engines, names: Sequence[str], deadline: float, tell: Tell) -> None:
    """Until all are healthy; EngineFault names the guilty one with the end of its log."""
    until = time.monotonic() + deadline
    waiting = dict.fromkeys(names, -1)  # container → how often it had been restarted when we first looked
    while waiting:
        for name in tuple(waiting):
            url, client, seen = engines.find(name)
            with asking(url):
                state = _state(seen, waiting[name])
                waiting[name] = seen["RestartCount"] if waiting[name] < 0 else waiting[name]
                if state == "ended" or (state != "up" and time.monotonic() > until):
                    raise _guilty(client, name, seen, state, deadline)
            if state == "up":
                del waiting[name]
                tell(Progress("healthy", _service(seen), "healthy", len(names) - len(waiting), len(names)))
        if waiting:
            time.sleep(_POLL)


def _state(seen: Mapping[str, Any], restarts: int) -> str:
    """up, ended, or in which way it is not up yet."""
    state = seen["State"]
    if state["Status"] in ("exited", "dead", "removing") or 0 <= restarts < seen["RestartCount"]:
        return "ended"
    health = str((state.get("Health") or {}).get("Status", "none"))
    if state["Status"] == "running" and health in ("healthy", "none"):
        return "up"
    return health if state["Status"] == "running" else str(state["Status"])


def _guilty(
    client: docker.DockerClient, name: str, seen: Mapping[str, Any], state: str, deadline: float
) -> EngineFault:
    code = int(seen["State"]["ExitCode"])
    what = f"ended ({ending(code)})" if state == "ended" else f"is {state} after {deadline:g} s"
    log = tail(client, name, _LOG_LINES)
    return EngineFault(
        f"{_service(seen)} (container {name}) {what}" + (f"\nlast lines of its log:\n{log}" if log else ""),
        code="unhealthy",
        hint=f"docker logs {name}",
        at=name,
    )


def ending(code: int) -> str:
    """An exit code in words."""
    return f"killed by signal {code - 128}" if code > 128 else f"exit {code}"


def tail(client: docker.DockerClient, name: str, lines: int) -> str:
    """The last lines of a container's log; empty if the container is gone."""
    try:
        text = client.api.logs(name, stdout=True, stderr=True, stream=False, tail=lines)
    except NotFound:
        return ""
    return bytes(text).decode(errors="replace").rstrip("\n")


def log_tail(engines: Engines, name: str, lines: int) -> str:
    url, client, _ = engines.find(name)
    with asking(url):
        return tail(client, name, lines)


def collect(engines: Engines, platform: str, name: str, lines: int) -> str:
    """The log of a one-off container that has ended, which then is removed; UsageError for any other."""
    url, client, seen = engines.find(name)
    labels = seen["Config"]["Labels"] or {}
    ours = LABEL_ONCE in labels and platform in ("", labels.get(LABEL_PLATFORM))
    if not ours or seen["State"]["Running"]:
        raise UsageError(f"container {name} is no one-off that has ended: it is left alone", code="not-once")
    with asking(url):
        text = tail(client, name, lines)
        client.api.remove_container(seen["Id"], force=True, v=True)
    return text


def restart(engines: Engines, platform: str, name: str, deadline: float) -> None:
    """Ask a mirror's container to stop, and start it again; UsageError for any other."""
    url, client, seen = _of_a_mirror(engines, platform, name)
    grace = min(seen["Config"].get("StopTimeout") or 10, deadline)
    with asking(url):
        client.api.restart(name, timeout=int(grace))
    _running(engines, name, deadline)


def kill(engines: Engines, platform: str, name: str, deadline: float) -> None:
    """SIGKILL a mirror's container, and start it again; UsageError for any other."""
    url, client, seen = _of_a_mirror(engines, platform, name)
    until = time.monotonic() + deadline
    with asking(url):
        if seen["State"]["Running"]:
            client.api.kill(name, "SIGKILL")
        while client.api.inspect_container(name)["State"]["Running"]:
            if time.monotonic() > until:
                raise EngineFault(f"container {name} still runs {deadline:g} s after SIGKILL", at=name)
            time.sleep(_POLL)
        client.api.start(name)
    _running(engines, name, max(1.0, until - time.monotonic()))


def _of_a_mirror(engines: Engines, platform: str, name: str) -> tuple[str, docker.DockerClient, dict[str, Any]]:
    url, client, seen = engines.find(name)
    labels = seen["Config"]["Labels"] or {}
    if labels.get(LABEL_BINDING) not in (Binding.CANDIDATE, Binding.BASELINE):
        raise UsageError(f"container {name} is not a mirror's: it is left alone", code="not-a-mirror")
    if platform and labels.get(LABEL_PLATFORM) != platform:
        raise UsageError(f"container {name} is not of platform {platform}: it is left alone", code="not-a-mirror")
    return url, client, seen


def _running(engines: Engines, name: str, deadline: float) -> None:
    until = time.monotonic() + deadline
    while True:
        url, client, seen = engines.find(name)
        if seen["State"]["Status"] == "running":
            return
        if time.monotonic() > until or seen["State"]["Status"] in ("exited", "dead"):
            with asking(url):
                raise _guilty(client, name, seen, _state(seen, -1), deadline)
        time.sleep(_POLL)


def _service(seen: Mapping[str, Any]) -> str:
    return str((seen["Config"]["Labels"] or {}).get(LABEL_SERVICE) or seen["Name"].lstrip("/"))
