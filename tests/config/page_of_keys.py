"""docs/platform-files.md from the models: `python -m tests.config.page_of_keys` writes it anew."""

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from otagate.config.compose import ComposeFile
from otagate.config.compose_keys import DANGEROUS, SERVICE, TOP
from otagate.config.settings import SettingsFile

PAGE = Path(__file__).parents[2] / "docs" / "platform-files.md"

INTRODUCTION = """# The files of a platform

<!-- The tables are made from otagate/config by `python -m tests.config.page_of_keys`; a test holds them together. -->

A platform is a folder: `compose.yaml` (what runs), `otagate.yaml` (how it is judged and turned), `inventory.yaml`
(the hosts behind the clouds), its suites and whatever files they name. `otagate init DIR` makes one that runs: the
shipped `hello` platform under the new folder's name. Its images stay `hello/…`; put your own in their place one by
one. `otagate check` reports every problem of all files at once, each as `file:line:column: key: what`, and what to
write instead. Annotated examples with every key: `otagate/config/reference.yaml` and `reference-compose.yaml`.

## Values

- Durations: a number with its unit, `200ms`, `60s`, `3m`, `4h`, `7d`, also `1h30m`. Sizes: `512m`, `2g` (powers of
  1024). Shares: `2%`.
- Names: `a-z` first, then `a-z`, `0-9` and `-`, at most 31 characters. Services and volumes leave to otagate:
  `switch`, `holder`, `steward`, `suite`, and what begins with `blue-`, `green-`, `shared-`, `candidate-`, `baseline-`
  or `suite-`; services also what begins with `switch-` or `holder-` or ends with `-build`. A platform's name does not
  begin with `demo-` or `t-`: those are the demo's and the tests' own (they set `OTAGATE_RESERVED_NAMES=1`), and
  `make clean` removes such platforms with all their data.
- YAML is read strictly: duplicate keys, tags, merge keys and words that YAML readers disagree on (`yes`, `no`, `on`,
  `0755`, `12:30`, `2026-01-01`, `.nan`) are refused; put such text in quotes. Aliases work, up to 100. A file has at
  most 256 KiB and 20 levels.
- Nothing is filled in: `${NAME}` and `{{ … }}` are refused. In `compose.yaml` a dollar sign is written `$$`.
- Paths stay inside the platform's folder, also through links. Only a secret's `file` may lie elsewhere. A secret's file
  or variable is handed to the containers that name it: read that section of a platform that others wrote.
- Impact: `K0` a wrong treatment may go unseen, `K1` treatment stands still, `K2` today's fraction is in danger, `K3`
  next sessions are late, `K4` administrative.
"""

REFUSED = """
## Refused by name

A key of Compose that is not in the tables is refused, with its reason and what to write instead.

- Because they would open the host to a container: {dangerous}; the engine's socket and any path of the host under
  `volumes`; any `security_opt` but `no-new-privileges:true`.
- Because otagate answers for them, or cannot compare them: {others}.
- At the top: {top}.

Further rules: a release-tier service has no `volumes` (both colours would share them) and alone may have `hooks`; a
`read_only` service has neither `configs` nor `secrets` (they are put into the container before it starts); what a
service waits for with `service_healthy` declares a `healthcheck`; a state-tier service waits for no release-tier one.
"""

INVENTORY = """
## inventory.yaml

A plain Ansible inventory with the hosts `blue`, `green` and `shared`. Ansible fills in templates and runs what some
variables name, on this machine; so only these are taken: `ansible_connection` (`local` or `ssh`), `ansible_host`,
`ansible_port`, `ansible_user`, `ansible_ssh_private_key_file`, `ansible_python_interpreter` (`/usr/bin/python3` or
`"{{ ansible_playbook_python }}"`), and nothing beside it: no `group_vars`, `host_vars` or `ansible.cfg`.
"""


def page() -> str:
    """The whole page."""
    others = [key for key in SERVICE if key not in DANGEROUS]
    refused = REFUSED.format(dangerous=_listed(DANGEROUS), others=_listed(others), top=_listed(TOP))
    parts = [INTRODUCTION, *_tables("compose.yaml", ComposeFile), refused, *_tables("otagate.yaml", SettingsFile)]
    return "\n".join([*parts, INVENTORY]).rstrip() + "\n"


def paths(model: type[BaseModel]) -> set[tuple[str, ...]]:
    """Every key of a file as a path; `NAME` stands for a name of the user's."""
    return {(*where, key) for where, part in _models(model, ()) for key, _ in _fields(part)}


def _listed(keys: Any) -> str:
    return ", ".join(f"`{key}`" for key in keys)


def _tables(file: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"\n## {file}"
    for where, part in _models(model, ()):
        title = ".".join(where) or "the file"
        if "kind" in part.model_fields:
            title += f" of kind {get_args(part.model_fields['kind'].annotation)[0]}"
        yield f"\n**{title}**: {(part.__doc__ or '').strip()}\n\n| key | | meaning |\n|---|---|---|"
        for key, info in _fields(part):
            yield f"| `{key}` | {'required' if info.is_required() else ''} | {info.description} |"


def _fields(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    return [(info.alias or name, info) for name, info in model.model_fields.items()]


def _models(kind: Any, where: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], type[BaseModel]]]:
    """The models inside `kind` with the place where each stands."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _models(get_args(kind)[0], where)
    elif origin in (Union, types.UnionType):
        for member in get_args(kind):
            yield from _models(member, where)
    elif origin is dict:
        yield from _models(get_args(kind)[1], (*where, "NAME"))
    elif origin is list:
        yield from _models(get_args(kind)[0], where)
    elif origin is not Literal and isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind.model_fields:
            yield where, kind
        for key, info in _fields(kind):
            yield from _models(info.annotation, (*where, key))


if __name__ == "__main__":
    PAGE.write_text(page())
