"""Where a platform's files are: named, near, or shipped with otagate."""

import os
import re
from pathlib import Path
from typing import Literal

import otagate
from otagate.config.load import SETTINGS
from otagate.config.tree import shown
from otagate.core.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


def shipped(kind: Literal["environments", "playbooks"]) -> Path:
    """The folder that otagate brings along: inside the package in a wheel, beside it in a checkout.

    UsageError if the installation holds neither.
    """
    package = Path(otagate.__file__).resolve().parent
    for folder in (package / kind, package.parent / kind):
        if folder.is_dir():
            return folder
    raise UsageError(f"this installation of otagate lacks its {kind}", code="installation", hint="install otagate anew")


def find_platform(path: str | None, cwd: Path) -> Path:
    """The folder of the platform meant by `path` (a folder, its otagate.yaml, or a shipped platform's name).

    Without `path`: `cwd` or the nearest folder above that holds otagate.yaml, else the only platform under
    `cwd`/environments. UsageError lists what could have been meant.
    """
    if path is not None:
        return _named(path, cwd)
    for folder in (cwd, *cwd.parents):
        if _is_platform(folder):
            return folder
    near = platforms_in(cwd / "environments")
    if len(near) == 1:
        return near[0]
    if near:
        raise UsageError(
            f"several platforms are here: {_names(near)}",
            code="platform",
            hint=f"choose one: -p {_shown(near[0], cwd)}",
        )
    raise UsageError(
        f"no platform is here: neither this folder nor one above holds {SETTINGS}", code="platform", hint=_hint()
    )


def _named(path: str, cwd: Path) -> Path:
    try:
        given = cwd / Path(path).expanduser()
        if given.name == SETTINGS and _is_platform(given.parent):
            return given.parent
        if _is_platform(given):
            return given
        exists = given.exists()
    except (OSError, ValueError, RuntimeError):
        raise UsageError(f"{shown(path)} is not a path", code="platform", hint=_hint()) from None
    if _NAME.fullmatch(path):
        for home in (cwd / "environments", shipped("environments")):
            if _is_platform(home / path):
                return home / path
    if exists:
        raise UsageError(
            f"{shown(path)} holds no {SETTINGS}", code="platform", hint=f"otagate init DIR makes a platform; {_hint()}"
        )
    raise UsageError(f"there is no platform {shown(path)}", code="platform", hint=_hint())


def _is_platform(folder: Path) -> bool:
    """Whatever bears that name makes one; what is wrong with it, reading it says."""
    return os.path.lexists(folder / SETTINGS)


def platforms_in(folder: Path) -> list[Path]:
    """The folders right below `folder` that hold a platform."""
    return sorted(entry.parent for entry in folder.glob(f"*/{SETTINGS}"))


def _names(folders: list[Path]) -> str:
    return ", ".join(folder.name for folder in folders)


def _shown(folder: Path, cwd: Path) -> str:
    return str(folder.relative_to(cwd) if folder.is_relative_to(cwd) else folder)


def _hint() -> str:
    own = _names(platforms_in(shipped("environments")))
    return f"name one with -p PATH; shipped: {own or 'none'}"
