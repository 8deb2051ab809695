"""Raise the containers of one stage through the engine's API, in parallel threads, within a deadline.

`part: look` answers which networks and volumes are missing; `part: containers` raises the containers. Both read the
specification from a file, because it may hold secrets: none of it stands in arguments, environment or results.
"""

import base64
import io
import json
import os
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import Any

import docker
import requests
from ansible.plugins.action import ActionBase
from docker.errors import APIError, DockerException, NotFound

CALL_TIMEOUT = 20  # seconds for one call of the engine's API
POLL = 0.1
SETTLE = 0.3  # seconds that a container without a health check must stay up
LOG_LINES = 20
LABEL_PLATFORM = "otagate.platform"
LABEL_BINDING = "otagate.binding"
LABEL_SPEC = "otagate.spec"


class StageFault(Exception):
    """What broke, the container it broke at and the end of that container's log."""

    def __init__(self, message: str, guilty: str = "", log: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.guilty = guilty
        self.log = log


class GivenUpError(Exception):
    """Another container of the same side failed first: this one has nothing of its own to say."""


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible carries no types
    _requires_connection = False
    _VALID_ARGS = frozenset({"part", "specification", "until"})

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Answer Ansible's result: `changed_names`, or `failed` with `msg`, `guilty` and `log`."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            result.update(self._part())
        except StageFault as fault:
            result.update(failed=True, msg=fault.message, guilty=fault.guilty, log=list(fault.log))
        except (DockerException, requests.RequestException) as fault:
            result.update(failed=True, msg=f"the engine does not answer: {fault}", guilty="", log=[], engine_fault=True)
        return result

    def _part(self) -> dict[str, Any]:
        args = self._task.args
        path = Path(args["specification"])
        stage = json.loads(path.read_bytes())
        api = connect(stage["engine"])
        try:
            if args["part"] == "look":
                return look(api, stage)
            if not self._task.check_mode:
                path.unlink()  # it may hold secrets, and nobody reads it again
            return Raising(api, stage, float(args["until"]), bool(self._task.check_mode)).run()
        finally:
            api.close()


def connect(url: str) -> docker.APIClient:
    """The engine at `url`; a `tcp://` one with the environment's TLS settings."""
    settings = dict(os.environ) if url.startswith("tcp://") else {}
    settings["DOCKER_HOST"] = url
    return docker.from_env(timeout=CALL_TIMEOUT, environment=settings, use_ssh_client=url.startswith("ssh://")).api


def look(api: docker.APIClient, stage: Mapping[str, Any]) -> dict[str, Any]:
    """What of the stage's networks and volumes is missing, and when its time is up."""
    networks = networks_by_name(api)
    volumes = {volume["Name"]: volume for volume in api.volumes()["Volumes"] or ()}
    for wanted in stage["networks"]:
        found = the_network(networks, wanted["name"], stage)
        if found is not None and bool(found["Internal"]) != wanted["internal"]:
            raise StageFault(f"network {wanted['name']} exists, but internal is {found['Internal']}: remove it first")
    for wanted in stage["volumes"]:
        if wanted["name"] in volumes:
            own("volume", wanted["name"], volumes[wanted["name"]].get("Labels"), stage)
    return {
        "engine": stage["engine"],
        "networks": [n for n in stage["networks"] if n["name"] not in networks],
        "volumes": [v for v in stage["volumes"] if v["name"] not in volumes],
        "until": time.time() + stage["deadline"],
    }


def networks_by_name(api: docker.APIClient) -> dict[str, list[dict[str, Any]]]:
    """All networks; an engine lets several bear one name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for network in api.networks():
        found.setdefault(network["Name"], []).append(network)
    return found


def the_network(
    networks: Mapping[str, list[dict[str, Any]]], name: str, stage: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The one network of that exact name, or None; StageFault if there are several, or it is not this platform's."""
    found = networks.get(name, [])
    if len(found) > 1:
        ids = ", ".join(network["Id"][:12] for network in found)
        raise StageFault(f"network {name} is ambiguous: {len(found)} bear this name ({ids}); remove all but one")
    if not found:
        return None
    own("network", name, found[0].get("Labels"), stage)
    return found[0]


def own(kind: str, name: str, labels: Mapping[str, str] | None, stage: Mapping[str, Any]) -> None:
    """StageFault if an object of that name exists and is not this platform's: it is never adopted nor replaced."""
    if (labels or {}).get(LABEL_PLATFORM) != stage["platform"]:
        raise StageFault(f"{kind} {name} exists and is not of platform {stage['platform']}: it is left alone", name)


class Raising:
    """One stage on its way up. Each container has a thread; the first fault of a side stops that side.

    A stage that raises a mirror holds a candidate and a baseline. Whether a sick candidate is its build's own doing
    shows only beside a baseline that got well, so the one does not stop the other.
    """

    def __init__(self, api: docker.APIClient, stage: Mapping[str, Any], until: float, check: bool) -> None:
        self.api = api
        self.stage = stage
        self.until = until
        self.check = check
        self.networks: dict[str, str] = {}
        self.present: dict[str, dict[str, Any]] = {}
        self.ready = {wanted["name"]: threading.Event() for wanted in stage["containers"]}
        self.sides = {wanted["name"]: wanted["labels"].get(LABEL_BINDING, "") for wanted in stage["containers"]}
        self.faults: list[tuple[str, StageFault]] = []
        self.guard = threading.Lock()

    def run(self) -> dict[str, Any]:
        wanted = self.stage["containers"]
        self._order(wanted)
        self._look(wanted)
        with ThreadPoolExecutor(max(1, len(wanted))) as threads:
            changed = [name for name in threads.map(self._one, wanted) if name]
        if self.faults:
            raise self.faults[0][1]
        return {"changed": bool(changed), "changed_names": changed, "stage": self.stage["name"]}

    def _order(self, wanted: list[dict[str, Any]]) -> None:
        graph = {c["name"]: c["after"] for c in wanted}
        unknown = sorted({before for after in graph.values() for before in after} - graph.keys())
        if unknown:
            raise StageFault(f"a container waits for {', '.join(unknown)}, which is not of stage {self.stage['name']}")
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as circle:
            raise StageFault(f"containers wait for each other: {' → '.join(circle.args[1])}") from circle

    def _look(self, wanted: list[dict[str, Any]]) -> None:
        for container in self.api.containers(all=True):
            for name in (path.lstrip("/") for path in container["Names"]):
                if name in self.ready:
                    own("container", name, container["Labels"], self.stage)
                    self.present[name] = container
        if self.stage["anew"] and (name := min(self.present, default="")):
            raise StageFault(f"container {name} stands already: another made it, and it is left alone", name)
        if self.check:
            return
        networks = networks_by_name(self.api)
        for name in sorted({a["network"] for c in wanted for a in c["networks"]}):
            network = the_network(networks, name, self.stage)
            if network is None:
                raise StageFault(f"network {name} does not exist")
            self.networks[name] = network["Id"]
        volumes = {volume["Name"] for volume in self.api.volumes()["Volumes"] or ()}
        missing = sorted({m["volume"] for c in wanted for m in c["mounts"]} - volumes)
        if missing:  # the engine would make them by itself, without our labels
            raise StageFault(f"volume {', '.join(missing)} does not exist")

    def _one(self, wanted: dict[str, Any]) -> str:
        """Raise one container; answers its name if that changed anything, else an empty string."""
        name = wanted["name"]
        try:
            with self._blame(name):
                changed = self._converge(wanted)
        except StageFault as fault:
            with self.guard:
                self.faults.append((self.sides[name], fault))
            return ""
        except GivenUpError:
            return ""
        self.ready[name].set()
        return name if changed else ""

    @contextmanager
    def _blame(self, name: str) -> Iterator[None]:
        try:
            yield
        except APIError as fault:
            raise StageFault(f"container {name}: {fault.explanation or fault}", name, self._log(name)) from fault
        except (DockerException, requests.RequestException) as fault:
            raise StageFault(f"container {name}: the engine does not answer: {fault}", name) from fault

    def _converge(self, wanted: dict[str, Any]) -> bool:
        name = wanted["name"]
        present = self.present.get(name)
        if present is not None and not self._outdated(present, wanted):
            running = present["State"] in ("running", "paused", "restarting")
            if not self.check:
                self._await(wanted)
                if not running:
                    self.api.start(present["Id"])
                self._healthy(name, present["Id"], 0.0 if running else SETTLE)
            return not running
        if self.check:
            return True
        if present is not None:
            self._clear(present, wanted)
        container = create(self.api, wanted, self.networks)
        put_files(self.api, container, wanted["files"], [mount["target"] for mount in wanted["mounts"]])
        self._await(wanted)
        self.api.start(container)
        self._healthy(name, container, float("inf") if self.stage["once"] else SETTLE)
        return True

    def _outdated(self, present: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
        if self.stage["once"] or present["State"] in ("created", "dead", "removing"):
            return True  # never began, so its files may be missing; or beyond repair
        outdated = present["Labels"].get(LABEL_SPEC) != wanted["labels"][LABEL_SPEC]
        return bool(self.stage["replace"] and outdated)

    def _clear(self, present: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        """Production is asked to stop; a mirror has nothing to finish."""
        self._check_time(wanted["name"])
        with suppress(NotFound):
            if present["State"] == "running" and present["Labels"].get(LABEL_BINDING) == "production":
                grace = min(wanted["stop_grace"], max(0.0, self.until - time.time()))
                self.api.stop(present["Id"], timeout=int(grace))
            # Where nothing is replaced only what never began is removed: of what has begun since the engine refuses it.
            self.api.remove_container(present["Id"], force=bool(self.stage["replace"]))

    def _await(self, wanted: Mapping[str, Any]) -> None:
        for before in wanted["after"]:
            while not self.ready[before].wait(POLL):
                self._check_time(wanted["name"], f"waits for {before}")
        self._check_time(wanted["name"])

    def _healthy(self, name: str, container: str, settle: float) -> None:
        began = time.time()
        restarts = None
        while True:
            seen = self.api.inspect_container(container)
            state = seen["State"]
            restarts = seen["RestartCount"] if restarts is None else restarts
            if self.stage["once"] and state["Status"] == "exited" and state["ExitCode"] == 0:
                return
            if not state["Running"] or seen["RestartCount"] > restarts:
                raise StageFault(f"container {name} {ending(state)}", name, self._log(name))
            health = (state.get("Health") or {}).get("Status", "none")
            if health == "healthy" or (health == "none" and time.time() - began >= settle and not state["Paused"]):
                return
            self._check_time(name, f"is {'paused' if state['Paused'] else health}{last_check(state)}")
            time.sleep(POLL)

    def _check_time(self, name: str, doing: str = "is not up") -> None:
        if any(side == self.sides[name] for side, _ in self.faults):
            raise GivenUpError
        if time.time() >= self.until:
            within = f"{self.stage['deadline']:g} s"
            raise StageFault(f"container {name} {doing} after {within}", name, self._log(name))

    def _log(self, name: str) -> tuple[str, ...]:
        try:
            text = self.api.logs(name, stdout=True, stderr=True, stream=False, tail=LOG_LINES)
        except (DockerException, requests.RequestException):
            return ()
        return tuple(text.decode(errors="replace").splitlines())


def ending(state: Mapping[str, Any]) -> str:
    """How a container ended, in words."""
    if state.get("OOMKilled"):
        return "ended (out of memory)"
    code = int(state["ExitCode"])
    return f"ended (killed by signal {code - 128})" if code > 128 else f"ended (exit {code})"


def last_check(state: Mapping[str, Any]) -> str:
    """What the newest health check answered, in brackets, if there was one."""
    log = (state.get("Health") or {}).get("Log") or ()
    answer = str(log[-1].get("Output", "")).strip() if log else ""
    return f" ({answer[-200:]})" if answer else ""


def create(api: docker.APIClient, wanted: Mapping[str, Any], networks: Mapping[str, str]) -> str:
    """Make the container, with all its networks, and answer its id."""
    first, *others = wanted["networks"] or [{"network": "none", "aliases": []}]
    # By name here, as every version of the engine understands it; that the name is one network's alone was seen to.
    home = first["network"]
    endpoints = {home: api.create_endpoint_config(aliases=first["aliases"])} if home != "none" else {}
    made = api.create_container(
        image=wanted["image"],
        name=wanted["name"],
        command=wanted["command"],
        entrypoint=wanted["entrypoint"],
        environment=wanted["environment"],
        labels=wanted["labels"],
        user=wanted["user"] or None,
        stop_signal=wanted["stop_signal"] or None,
        stop_timeout=max(0, round(wanted["stop_grace"])),
        healthcheck=healthcheck(wanted["healthcheck"]),
        ports=[port["container_port"] for port in wanted["ports"]],
        host_config=host_config(api, wanted, home),
        networking_config=api.create_networking_config(endpoints),  # type: ignore[arg-type]  # by network, as documented
    )
    for other in others:
        api.connect_container_to_network(made["Id"], networks[other["network"]], aliases=other["aliases"])
    return str(made["Id"])


def host_config(api: docker.APIClient, wanted: Mapping[str, Any], network: str) -> dict[str, Any]:
    policy, _, retries = wanted["restart"].partition(":")
    return api.create_host_config(
        network_mode=network,
        binds=[f"{m['volume']}:{m['target']}:{'ro' if m['read_only'] else 'rw'}" for m in wanted["mounts"]],
        port_bindings={p["container_port"]: (p["host"], p["host_port"] or None) for p in wanted["ports"]},
        tmpfs=dict(entry.partition(":")[::2] for entry in wanted["tmpfs"]),
        read_only=wanted["read_only"],
        cap_drop=wanted["cap_drop"],
        security_opt=["no-new-privileges:true"] if wanted["no_new_privileges"] else None,
        mem_limit=wanted["memory"],
        memswap_limit=wanted["memory"],
        nano_cpus=round(wanted["cpus"] * 1e9) if wanted["cpus"] else None,
        restart_policy={"Name": policy, "MaximumRetryCount": int(retries or 0)},
    )


def healthcheck(wanted: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if wanted is None:
        return None
    nanoseconds = {key: round(wanted[key] * 1e9) for key in ("interval", "timeout", "start_period")}
    return {"test": wanted["test"], "retries": wanted["retries"], **nanoseconds}


def put_files(api: docker.APIClient, container: str, files: list[dict[str, Any]], volumes: list[str]) -> None:
    """Write configs and secrets into a container that has not begun. What belongs into one of its `volumes` is put
    there by that folder's name: a read-only root takes nothing else."""
    for base in ["/", *volumes]:
        chosen = [file for file in files if _volume_of(file["path"], volumes) == base]
        if chosen:
            api.put_archive(container, base, packed(api, container, chosen, base))


def _volume_of(path: str, volumes: list[str]) -> str:
    inside = [volume for volume in volumes if path.startswith(f"{volume.rstrip('/')}/")]
    return max(inside, key=len, default="/")


def packed(api: docker.APIClient, container: str, files: list[dict[str, Any]], base: str) -> bytes:
    """A tar of files, with the folders that are missing, relative to `base`."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for folder in missing_folders(api, container, files):
            entry = tarfile.TarInfo(str(PurePosixPath(folder).relative_to(base)))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for file in files:
            content = base64.b64decode(file["content"])
            entry = tarfile.TarInfo(str(PurePosixPath(file["path"]).relative_to(base)))
            entry.size, entry.mode = len(content), file["mode"]
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def missing_folders(api: docker.APIClient, container: str, files: list[dict[str, Any]]) -> list[str]:
    """Folders that the image lacks. Without an entry of its own the engine makes them writable for everyone."""
    folders = {str(parent) for file in files for parent in PurePosixPath(file["path"]).parents} - {"/"}
    return [folder for folder in sorted(folders) if not exists(api, container, folder)]


def exists(api: docker.APIClient, container: str, path: str) -> bool:
    url = f"{api.base_url}/v{api.api_version}/containers/{container}/archive"
    answer = api.head(url, params={"path": path}, timeout=CALL_TIMEOUT)
    if answer.status_code == requests.codes.not_found:
        return False
    answer.raise_for_status()
    return True
