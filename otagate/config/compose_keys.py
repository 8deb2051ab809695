"""The keys of the Compose Specification that are refused by name: the dangerous, and those otagate answers for."""

from otagate.config.base import Refusal

_GONE = "delete the line"
_NETWORKS = Refusal("networks are otagate's: each colour and each mirror has its own", f"{_GONE}; use service names")
_DOORS = Refusal(
    "ports are opened by the switch alone", "declare a listener in otagate.yaml; services reach each other by name"
)
_HOST = "it would hand the host to the container"
_NAMESPACE = Refusal("it would share the host's namespace with the container", _GONE)
_LIMITS = Refusal("limits have one place here", "write mem_limit and cpus")
_DEPLOY = Refusal("placement and replicas are otagate's", "write mem_limit, cpus and restart instead")
_IMAGE = Refusal(
    "a release is made of images that exist, known by digest", "build the image first and name it in image"
)
_LABELS = Refusal("labels are otagate's: it removes only what bears them", _GONE)
_NAME = Refusal("otagate names containers, for both colours and each mirror", f"{_GONE}; use the service's name")
_FILES = Refusal("a service stands whole in this file", "write its keys out here")
_LOGS = Refusal("the suites read the engine's own logs", _GONE)
_UNKNOWN_TO_DRIFT = Refusal("drift does not compare it, so it is not taken", _GONE)

DANGEROUS = {
    "privileged": Refusal(_HOST, "delete the line, even if it is false"),
    "devices": Refusal("it would give the container the host's devices", _GONE),
    "device_cgroup_rules": Refusal("it would give the container the host's devices", _GONE),
    "gpus": Refusal("it would give the container the host's devices", _GONE),
    "cap_add": Refusal("added capabilities widen what a container may do to its host", "write cap_drop: [ALL]"),
    "network_mode": _NAMESPACE,
    "pid": _NAMESPACE,
    "ipc": _NAMESPACE,
    "uts": _NAMESPACE,
    "userns_mode": _NAMESPACE,
    "cgroup": _NAMESPACE,
    "cgroup_parent": _NAMESPACE,
    "sysctls": Refusal("it would change the kernel's settings", _GONE),
    "runtime": Refusal("it would choose the program that isolates the container", _GONE),
    "credential_spec": Refusal("it would hand the host's credentials to the container", _GONE),
    "use_api_socket": Refusal("the engine's socket is root on its host", _GONE),
    "provider": Refusal("it would run a program on this machine", _GONE),
    "volumes_from": Refusal("it would take over another container's mounts", "name each volume under volumes"),
    "group_add": Refusal("it would give the container groups of the host", 'write user: "UID:GID"'),
    "oom_kill_disable": Refusal("it would let a container starve its host", _GONE),
    "oom_score_adj": Refusal("it would let a container starve its host", _GONE),
}

SERVICE = DANGEROUS | {
    "build": _IMAGE,
    "pull_policy": _IMAGE,
    "platform": _IMAGE,
    "networks": _NETWORKS,
    "links": _NETWORKS,
    "external_links": _NETWORKS,
    "dns": _NETWORKS,
    "dns_opt": _NETWORKS,
    "dns_search": _NETWORKS,
    "extra_hosts": _NETWORKS,
    "mac_address": _NETWORKS,
    "domainname": _NETWORKS,
    "ports": _DOORS,
    "expose": _DOORS,
    "extends": _FILES,
    "env_file": Refusal("the environment stands in this file", "write environment, and secrets for what is secret"),
    "container_name": _NAME,
    "hostname": _NAME,
    "labels": _LABELS,
    "label_file": _LABELS,
    "annotations": _LABELS,
    "deploy": _DEPLOY,
    "scale": _DEPLOY,
    "profiles": Refusal("production has one shape", "delete the line, or the service"),
    "logging": _LOGS,
    "attach": _LOGS,
    "develop": Refusal("it is for editing, not for production", _GONE),
    "post_start": Refusal("what runs beside a service is a hook", "write x-otagate: hooks"),
    "pre_stop": Refusal("what runs beside a service is a hook", "write x-otagate: hooks"),
    "memory": _LIMITS,
    "mem_reservation": _LIMITS,
    "memswap_limit": _LIMITS,
    "cpu_count": _LIMITS,
    "cpu_percent": _LIMITS,
    "cpu_shares": _LIMITS,
    "cpu_period": _LIMITS,
    "cpu_quota": _LIMITS,
    "cpuset": _LIMITS,
    "pids_limit": _UNKNOWN_TO_DRIFT,
    "ulimits": _UNKNOWN_TO_DRIFT,
    "shm_size": _UNKNOWN_TO_DRIFT,
    "working_dir": _UNKNOWN_TO_DRIFT,
    "init": _UNKNOWN_TO_DRIFT,
    "stdin_open": _UNKNOWN_TO_DRIFT,
    "tty": _UNKNOWN_TO_DRIFT,
    "isolation": _UNKNOWN_TO_DRIFT,
    "storage_opt": _UNKNOWN_TO_DRIFT,
    "blkio_config": _UNKNOWN_TO_DRIFT,
}

TOP = {
    "version": Refusal("Compose itself no longer reads it", _GONE),
    "name": Refusal("the platform's name stands in otagate.yaml", "write platform: NAME there"),
    "networks": _NETWORKS,
    "include": _FILES,
    "models": _UNKNOWN_TO_DRIFT,
}

MOUNT = {
    "bind": Refusal("paths of the host are not mounted", "use a named volume, configs or secrets"),
    "tmpfs": Refusal("a tmpfs is not a volume", "write the service's own key tmpfs: [/path]"),
    "volume": _UNKNOWN_TO_DRIFT,
    "image": _UNKNOWN_TO_DRIFT,
    "consistency": _UNKNOWN_TO_DRIFT,
}

HEALTHCHECK = {
    "disable": Refusal("a service whose health is unknown cannot be judged", "delete healthcheck, or write a test"),
    "start_interval": Refusal("older engines do not know it", "write interval"),
}

CONFIG = {
    "content": Refusal("a config is a file of the platform's folder", "write file: ./path"),
    "environment": Refusal("a config is a file of the platform's folder", "write file: ./path"),
    "external": Refusal("a config is a file of the platform's folder", "write file: ./path"),
    "uid": _UNKNOWN_TO_DRIFT,
    "gid": _UNKNOWN_TO_DRIFT,
}

VOLUME = {
    key: Refusal("volumes are otagate's: one in production, a copy in each mirror", "write just the name: {}")
    for key in ("driver", "driver_opts", "external", "labels", "name")
}
