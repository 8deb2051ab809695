"""`otagate init`: a new platform that runs, made from a shipped one."""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from otagate.config.find import platforms_in, shipped
from otagate.config.load import SETTINGS, load
from otagate.config.paths import reason
from otagate.config.reserved import HINT, refusal
from otagate.config.tree import no_templates, read_tree, shown
from otagate.core.errors import Fault, UsageError

STARTER = "hello"
# What was fetched goes by whole folders: an image that needs one is then not built, rather than built without its data.
_LEFT_OUT = ("__pycache__", ".pytest_cache", "data", "linked", "*.pyc")


def init(target: Path, like: str = STARTER, environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Put a new platform into `target` (made if missing) and answer its files; its images stay those of the shipped
    platform `like`.

    UsageError if there is something already, its name makes no platform's name or a reserved one, or no such platform
    is shipped; Fault if it cannot be written. Nothing is overwritten, and after a failure nothing stands there half.
    """
    target, original = target.absolute(), _original(like)
    name = platform_name(target.resolve().name)
    if why := refusal(name, environment):
        raise UsageError(f"{name} cannot be the platform's name: {why}", code="init", hint=HINT)
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise UsageError(f"{shown(str(target))} is not a folder", code="init", hint="name a new folder")
    try:
        if target.is_dir() and any(target.iterdir()):
            hint = "name a new folder; nothing is overwritten"
            raise UsageError(f"{shown(str(target))} is not empty", code="init", hint=hint)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=target.parent) as scratch:
            made = Path(scratch) / name
            _copy(original, made)
            _rename(made / SETTINGS, name)
            load(made, environment)
            os.rename(made, target)  # over an empty folder too; a full one makes it fail
    except OSError as error:
        message = f"{shown(str(target))} cannot be written: {reason(error)}"
        raise Fault(message, code="init", hint="make room, or name a folder you may write to") from None
    return sorted(path for path in target.rglob("*") if path.is_file())


def _original(like: str) -> Path:
    home = shipped("environments")
    known = [folder.name for folder in platforms_in(home)]
    if like not in known:
        message = f"otagate brings no platform {shown(like)}"
        raise UsageError(message, code="init", hint=f"one of: {', '.join(known)}")
    return home / like


def platform_name(folder: str) -> str:
    """The platform's name that a folder's name gives; UsageError if there is no letter in it."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.lower())
    name = re.sub(r"^[^a-z]+", "", name)[:31].strip("-")
    if not name:
        raise UsageError(
            f"{shown(folder)} makes no platform's name", code="init", hint="name a folder that starts with a-z"
        )
    return name


def _copy(source: Path, to: Path) -> None:
    shutil.copytree(source, to, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    for path in (to, *to.rglob("*")):  # an installation may be read-only; the new platform is its owner's
        path.chmod(path.stat().st_mode | 0o200)


def _rename(settings: Path, name: str) -> None:
    """Write `name` in place of the starter's, at the very place where it stands; the comments stay."""
    text = settings.read_text("utf-8")
    document = read_tree(text.encode(), SETTINGS, no_templates)
    at = document.position(("platform",))
    lines = text.split("\n")
    line = lines[at.line - 1]
    lines[at.line - 1] = line[: at.column - 1] + line[at.column - 1 :].replace(str(document.at(("platform",))), name, 1)
    settings.write_text("\n".join(lines), "utf-8")
