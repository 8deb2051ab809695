"""A platform's folder to a Platform, or every problem of its files at once."""

import os
from collections.abc import Mapping
from pathlib import Path

from otagate.config.check_gate import check_gate
from otagate.config.check_inventory import check_inventory, inventory_text
from otagate.config.check_services import check_services
from otagate.config.compose import ComposeFile
from otagate.config.paths import read_whole, within
from otagate.config.pieces import sound_pieces
from otagate.config.reserved import HINT, refusal
from otagate.config.resolve import platform_of
from otagate.config.settings import SettingsFile
from otagate.config.tree import MOST_BYTES, Broken, Document, Flaw, Settle, compose_text, no_templates, read_tree
from otagate.core.errors import ConfigError, Position, Problem, UsageError
from otagate.core.platform import Platform

COMPOSE = "compose.yaml"
SETTINGS = "otagate.yaml"
INVENTORY = "inventory.yaml"
LOCAL_ENGINE = "unix:///var/run/docker.sock"


def load(folder: Path, environment: Mapping[str, str] = os.environ) -> Platform:
    """The platform in `folder`. ConfigError with every problem, sorted by place; UsageError if there is no folder."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", code="no-platform", hint="otagate init DIR makes a platform")
    compose_document = _document(folder, COMPOSE, compose_text)
    settings_document = _document(folder, SETTINGS, no_templates)
    compose = sound_pieces(ComposeFile, compose_document)
    settings = sound_pieces(SettingsFile, settings_document)
    if not isinstance(compose_document.value, Broken):
        check_services(compose, compose_document, folder)
    if not isinstance(settings_document.value, Broken):
        check_gate(settings, settings_document, compose, compose_document, folder)
        _reserved(settings_document, environment)
    inventory_document = _document(folder, INVENTORY, inventory_text)
    check_inventory(inventory_document, folder)
    problems = [*compose_document.problems, *settings_document.problems, *inventory_document.problems]
    if problems:
        raise ConfigError(sorted(set(problems), key=_place))
    try:
        return platform_of(compose, settings, folder, environment.get("DOCKER_HOST") or LOCAL_ENGINE)
    except Flaw as flaw:  # a config file that went away between check and reading
        raise ConfigError(
            [Problem(Position(_named(folder, COMPOSE), 1, 1), "configs", flaw.message, flaw.hint)]
        ) from None


def _document(folder: Path, name: str, settle: Settle) -> Document:
    label = _named(folder, name)
    try:
        content = read_whole(within(folder, name), MOST_BYTES)
    except Flaw as flaw:
        return Document(
            label, Broken(), {}, {}, [Problem(Position(label, 1, 1), "", f"{name} {flaw.message}", flaw.hint)]
        )
    return read_tree(content, label, settle)


def _reserved(document: Document, environment: Mapping[str, str]) -> None:
    name = document.at(("platform",))
    if isinstance(name, str) and (why := refusal(name, environment)):
        document.complain(("platform",), why, HINT)


def _named(folder: Path, name: str) -> str:
    """The file as a person in this working directory would name it."""
    path = folder / name
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except (OSError, ValueError):  # not below it, or the working directory is gone
        return str(path)


def _place(problem: Problem) -> tuple[str, int, int, str, str]:
    at = problem.at or Position("", 0, 0)
    return at.file, at.line, at.column, problem.path, problem.message
