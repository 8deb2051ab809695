"""inventory.yaml: plain hosts behind the clouds. Ansible fills in templates there, so all but one are refused."""

import difflib
from pathlib import Path
from typing import Any

from otagate.config.base import Matches
from otagate.config.tree import Broken, Document, no_templates, shown
from otagate.config.tree import Path as Place
from otagate.core.cloud import Cloud

INTERPRETER = "{{ ansible_playbook_python }}"

# What a host may say of itself. Others could make Ansible run a program of the inventory's choice on this machine.
_VARIABLES = {
    "ansible_connection": Matches("local|ssh", "local or ssh"),
    "ansible_host": Matches(r"[A-Za-z0-9][A-Za-z0-9.:-]*", "a host's name or address"),
    "ansible_port": Matches(r"\d{1,5}", "a port"),
    "ansible_user": Matches(r"[A-Za-z_][A-Za-z0-9_.-]*", "a user's name"),
    "ansible_ssh_private_key_file": Matches(r"[A-Za-z0-9_./~-]+", "a file's path"),
    "ansible_python_interpreter": Matches(
        r"/usr/(?:local/)?bin/python3(?:\.\d+)?|\{\{ ansible_playbook_python \}\}",
        f'/usr/bin/python3 or "{INTERPRETER}"',
    ),
}
_GROUP = ("hosts", "vars", "children")
_BESIDE = ("group_vars", "host_vars", "ansible.cfg")


def inventory_text(text: str) -> str:
    """Text of inventory.yaml: the one template that names Ansible's own Python, and no other."""
    return text if text == INTERPRETER else no_templates(text)


def check_inventory(document: Document, folder: Path) -> None:
    """Report what is wrong with the inventory, and what lies beside it that Ansible would read too."""
    for name in _BESIDE:
        if (folder / name).exists() or (folder / name).is_symlink():
            document.complain(
                (), f"{name} beside it would be read by Ansible too", f"delete {name}; use inventory.yaml"
            )
    if isinstance(document.value, Broken):
        return
    hosts: set[str] = set()
    if not isinstance(document.value, dict):
        document.complain((), "must be a mapping", "write all: {hosts: {blue: , green: , shared: }}")
        return
    for name in document.value:
        _group(document, (name,), hosts)
    for cloud in Cloud:
        if cloud.value not in hosts:
            document.complain((), f"the host {cloud.value} is missing", f"add {cloud.value}: under hosts")


def _group(document: Document, place: Place, hosts: set[str]) -> None:
    for key, value in _mapping(document, place).items():
        here = (*place, key)
        if key not in _GROUP:
            near = difflib.get_close_matches(key[:64], _GROUP, n=1)
            hint = f"did you mean {near[0]}?" if near else "a group holds hosts, vars and children"
            document.complain(here, f"the key {shown(key)} is unknown", hint, key=True)
        elif key == "vars":
            _variables(document, here)
        elif key == "hosts":
            hosts.update(value if isinstance(value, dict) else ())
            for host in _mapping(document, here):
                _variables(document, (*here, host))
        else:
            for child in _mapping(document, here):
                _group(document, (*here, child), hosts)


def _variables(document: Document, place: Place) -> None:
    for name, value in _mapping(document, place).items():
        here = (*place, name)
        if name not in _VARIABLES:
            hint = f"known here: {', '.join(_VARIABLES)}"
            document.complain(here, f"the variable {shown(name)} is refused", hint, key=True)
        elif not isinstance(value, Broken) and not _sound(name, value):
            words = _VARIABLES[name].words
            document.complain(here, f"{shown(value)} is not {words}", f"write {words}")


def _sound(name: str, value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and _VARIABLES[name].fits(str(value))


def _mapping(document: Document, place: Place) -> dict[str, Any]:
    value = document.at(place)
    if isinstance(value, dict):
        return value
    if value is not None and not isinstance(value, Broken):
        document.complain(place, "must be a mapping", "write key: value lines below it")
    return {}
