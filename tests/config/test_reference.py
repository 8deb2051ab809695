"""The reference files, the schema and the page speak of the same keys, and the reference loads."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from otagate.config import schema
from otagate.config.compose import ComposeFile
from otagate.config.load import load
from otagate.config.settings import SettingsFile
from tests.config.page_of_keys import PAGE, page, paths
from tests.config.platform_copies import small_in

CONFIG = Path(schema.__file__).parent
FILES = [("reference.yaml", SettingsFile), ("reference-compose.yaml", ComposeFile)]


def used(value: Any, model_paths: set[tuple[str, ...]], where: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """The paths of keys in a file, with NAME for the user's own names."""
    if isinstance(value, list):
        return set().union(*(used(item, model_paths, where) for item in value))
    if not isinstance(value, dict):
        return set()
    found: set[tuple[str, ...]] = set()
    for key, part in value.items():
        here = (*where, key) if (*where, key) in model_paths else (*where, "NAME")
        found |= {here} | used(part, model_paths, here)
    return found


def test_the_reference_loads(tmp_path: Path) -> None:
    settings = (CONFIG / "reference.yaml").read_text()
    folder = small_in(tmp_path, otagate=settings, compose=(CONFIG / "reference-compose.yaml").read_text())
    assert load(folder).name == "reference"


@pytest.mark.parametrize(("file", "model"), FILES, ids=[file for file, _ in FILES])
def test_the_reference_has_every_key(file: str, model: type[BaseModel]) -> None:
    known = paths(model)
    assert known - used(yaml.safe_load((CONFIG / file).read_text()), known) == set()


@pytest.mark.parametrize(("file", "model"), FILES, ids=[file for file, _ in FILES])
def test_the_reference_explains_every_key_where_it_first_stands(file: str, model: type[BaseModel]) -> None:
    text = (CONFIG / file).read_text()
    for key in {path[-1] for path in paths(model)}:
        lines = [line for line in text.splitlines() if line.strip().removeprefix("- ").startswith(f"{key}:")]
        assert any("#" in line for line in lines) or key in ("volumes", "secrets", "configs", "services"), key


def test_the_schema_knows_every_key() -> None:
    made = schema.json_schema()
    known = set(made["properties"]).union(*(part.get("properties", {}) for part in made["$defs"].values()))
    assert known == {path[-1] for path in paths(SettingsFile)}


def test_the_schema_is_closed_described_and_plain_json() -> None:
    made = schema.json_schema()
    assert json.loads(json.dumps(made)) == made
    for part in [made, *made["$defs"].values()]:
        assert part["additionalProperties"] is False
        assert all(key.get("description") for key in part["properties"].values())


def test_the_schema_gives_no_default_in_the_programs_units() -> None:
    watch = schema.json_schema()["$defs"]["Watch"]["properties"]
    assert "default" not in watch["lasts"]
    assert watch["minimum"]["default"] == 20


def test_the_page_is_the_one_that_the_models_give() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tests.config.page_of_keys"


@pytest.mark.parametrize("model", [ComposeFile, SettingsFile])
def test_the_page_names_every_key(model: type[BaseModel]) -> None:
    text = PAGE.read_text()
    assert [path for path in paths(model) if f"| `{path[-1]}` |" not in text] == []
