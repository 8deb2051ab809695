"""Suites written by a test, and the run they are given."""

from collections.abc import Mapping
from pathlib import Path

from otagate.core.cloud import Cloud
from otagate.ports import SuiteRun

IMAGE = "hello/suite:1.0"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Relative path → text; answers the folder."""
    for path, text in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder


def suite_run(folder: Path, output: Path) -> SuiteRun:
    return SuiteRun(
        platform="t-suite",
        run="run-1",
        suite="technical",
        image=IMAGE,
        cloud=Cloud.BLUE,
        networks=(),
        environment={},
        secrets={},
        folder=str(folder),
        deadline=30.0,
        output=str(output),
    )
