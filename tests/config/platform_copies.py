"""Copies of the small platform for tests to spoil."""

import shutil
from pathlib import Path

from otagate.config.load import load
from otagate.core.errors import ConfigError, Problem

SMALL = Path(__file__).parent / "platforms" / "small"


def small_in(folder: Path, **files: str | bytes) -> Path:
    """A copy of the small platform in `folder`; `files` replaces whole files by their stem (compose=…)."""
    copy = folder / "small"
    shutil.copytree(SMALL, copy)
    for stem, content in files.items():
        (copy / f"{stem}.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    return copy


def original(stem: str) -> str:
    return (SMALL / f"{stem}.yaml").read_text()


def problems_of(folder: Path) -> tuple[Problem, ...]:
    """What load() finds wrong; nothing if it loads."""
    try:
        load(folder, {})
    except ConfigError as error:
        return error.problems
    return ()
