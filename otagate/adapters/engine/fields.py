"""From what an engine says of a container to the flat fields that drift compares. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from otagate.core.canonical import digest_of_bytes
from otagate.core.cloud import LABEL_BINDING, LABEL_COLOUR, LABEL_PLATFORM, Binding, Cloud, Colour

_OPEN = {"OTAGATE_BUILD"}  # not hashed: it is compared with the build's digest itself
_COLOUR = "OTAGATE_COLOUR"
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
# Said better by a field of its own, or different for every container.
_APART_IN_CONFIG = {"Env", "Labels", "Image", "Hostname", "ExposedPorts", "Volumes"}
_APART_IN_HOST = {
    *("Binds", "Mounts", "Tmpfs", "PortBindings", "NetworkMode", "NanoCpus", "RestartPolicy"),
    *("ContainerIDFile", "ConsoleSize"),
}
_CONFIG_NAMES = {
    "Cmd": "command",
    "Entrypoint": "entrypoint",
    "User": "user",
    "WorkingDir": "working_dir",
    "Healthcheck": "healthcheck",
    "StopSignal": "stop.signal",
    "StopTimeout": "stop.timeout",
}
_HOST_NAMES = {
    "Memory": "limit.memory",
    "MemorySwap": "limit.swap",
    "PidsLimit": "limit.pids",
    "CapAdd": "capabilities.add",
    "CapDrop": "capabilities.drop",
    "SecurityOpt": "security",
    "ReadonlyRootfs": "read_only",
    "Privileged": "privileged",
}


def fields_of(seen: Mapping[str, Any], internal: Mapping[str, bool]) -> dict[str, str]:
    """Everything of one container that must not differ; `internal` maps network name to whether it is internal."""
    labels = seen["Config"].get("Labels") or {}
    host = seen["HostConfig"]
    restart = host.get("RestartPolicy") or {}
    retries = restart.get("MaximumRetryCount") or 0
    found = {
        **_config(seen["Config"], labels),
        **_rest("host", host, _HOST_NAMES, _APART_IN_HOST),
        **dict(_mounts(seen, labels)),
        **dict(_networks(seen, labels, internal)),
        "restart": (restart.get("Name") or "no") + (f":{retries}" if retries else ""),
    }
    if host.get("NanoCpus"):
        found["limit.cpus"] = f"{host['NanoCpus'] / 1e9:g}"
    if seen["Config"].get("Hostname") != seen["Id"][:12]:
        found["hostname"] = seen["Config"].get("Hostname", "")
    for port, bound in (host.get("PortBindings") or {}).items():
        found[f"port.{port}"] = ", ".join(sorted(b.get("HostIp") or "every address" for b in bound or ()))
    return found


def fields_of_image(config: Mapping[str, Any]) -> dict[str, str]:
    """What an image sets by itself, under the same keys."""
    return {**_config(config, {}), **{f"mount.{path}": "anonymous rw" for path in config.get("Volumes") or ()}}


def _config(config: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, str]:
    return {**_rest("config", config, _CONFIG_NAMES, _APART_IN_CONFIG), **dict(_environment(config, labels))}


def _environment(config: Mapping[str, Any], labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for entry in config.get("Env") or ():
        name, _, value = entry.partition("=")
        if name == _COLOUR:
            yield f"env.{name}", "its own" if value == labels.get(LABEL_COLOUR) else value
        else:
            yield f"env.{name}", value if name in _OPEN else digest_of_bytes(value.encode())


def _mounts(seen: Mapping[str, Any], labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for mount in seen.get("Mounts") or ():
        # Content is compared, never a path of the host.
        source = _volume(mount.get("Name", ""), labels) if mount["Type"] == "volume" else mount["Type"]
        yield f"mount.{mount['Destination']}", f"{source} {'rw' if mount['RW'] else 'ro'}"
    for path, options in (seen["HostConfig"].get("Tmpfs") or {}).items():
        yield f"tmpfs.{path}", options or "default"


def _volume(name: str, labels: Mapping[str, str]) -> str:
    if _ANONYMOUS.fullmatch(name):
        return "anonymous"
    platform, colour, binding = (labels.get(k, "") for k in (LABEL_PLATFORM, LABEL_COLOUR, LABEL_BINDING))
    for prefix in (f"{platform}-{colour}-{binding}-", f"{platform}-{colour}-", f"{platform}-"):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def _networks(
    seen: Mapping[str, Any], labels: Mapping[str, str], internal: Mapping[str, bool]
) -> Iterator[tuple[str, str]]:
    roles: dict[str, dict[str, str]] = {}
    own = {seen["Id"][:12], seen["Name"].lstrip("/")}
    for name, endpoint in (seen["NetworkSettings"].get("Networks") or {}).items():
        aliases = sorted(set(endpoint.get("Aliases") or ()) - own)
        roles.setdefault(_role(name, labels), {})[name] = " ".join(aliases) or "no alias"
    for role, joined in roles.items():
        yield f"network.{role}", ", ".join(sorted(set(joined.values())))
        flags = {"true" if internal.get(name, False) else "false" for name in joined}
        yield f"network.{role}.internal", ", ".join(sorted(flags))


def _role(name: str, labels: Mapping[str, str]) -> str:
    """What a network is to a container. A mirror's is its own side's alone: production's keeps its name, and shows."""
    platform, colour, binding = (labels.get(k, "") for k in (LABEL_PLATFORM, LABEL_COLOUR, LABEL_BINDING))
    if binding in (Binding.CANDIDATE, Binding.BASELINE):
        return "colour" if name == f"{platform}-{colour}-{binding}" else name.removeprefix(f"{platform}-")
    colours = (colour,) if colour else tuple(Colour)
    if name in {f"{platform}-{c}" for c in colours}:
        return "colour"
    return "shared" if name == f"{platform}-{Cloud.SHARED}" else name.removeprefix(f"{platform}-")


def _rest(kind: str, values: Mapping[str, Any], names: Mapping[str, str], apart: set[str]) -> dict[str, str]:
    """Every other setting that is not empty, so that one nobody thought of is compared as well."""
    return {
        names.get(key, f"{kind}.{key}"): value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        for key, value in values.items()
        if key not in apart and value not in (None, "", 0, False, [], {})
    }
