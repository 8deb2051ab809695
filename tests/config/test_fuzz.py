"""Whatever stands in the files: a Platform or a ConfigError, never anything else, and never for long."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.config.platform_copies import SMALL, original, problems_of

STEMS = ("compose", "otagate", "inventory")
QUICK = settings(
    max_examples=40, deadline=5000, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)

# fmt: off
KEYS = st.sampled_from([
    "services", "web", "image", "x-otagate", "tier", "impact", "volumes", "store-data", "secrets", "configs", "file",
    "platform", "listeners", "policy", "rules", "kind", "suite", "requirements", "minimum", "watch", "lasts", "mirror",
    "allowed", "suites", "hosts", "vars", "all", "children", "0", "true", "~", "<<", "",
])
PIECES = st.lists(st.sampled_from([
    "\n", "  ", "    ", "- ", ": ", "? ", "&a ", "*a", "!!str ", "!x ", "{", "}", "[", "]", ",", '"', "'", "|", ">-",
    "%YAML 1.1\n", "%TAG ! x:\n", "---", "...", "#", "<<", "\\x", '"\\U', "\t", "\0", "\r", "\x85", "\ud800", "é", "💥",
    "=", "services", "web", "image", "0x", "1_0", "1:30", ".inf", "2026-01-01", "yes", "${X}", "$$", "{{", "9" * 20,
]), max_size=40)
# fmt: on
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | KEYS
VALUES = st.recursive(SCALARS, lambda c: st.lists(c, max_size=4) | st.dictionaries(KEYS, c, max_size=6), max_leaves=25)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as scratch:
        copy = Path(scratch) / "small"
        shutil.copytree(SMALL, copy)
        yield copy


def outcome(folder: Path, stem: str, content: bytes) -> None:
    for other in STEMS:
        (folder / f"{other}.yaml").write_text(original(other))
    (folder / f"{stem}.yaml").write_bytes(content)
    for problem in problems_of(folder):
        assert problem.at
        assert problem.hint
        assert str(problem).isprintable()
        assert problem.hint.isprintable()


@QUICK
@given(stem=st.sampled_from(STEMS), content=st.binary(max_size=300))
def test_any_bytes(folder: Path, stem: str, content: bytes) -> None:
    outcome(folder, stem, content)


@QUICK
@given(stem=st.sampled_from(STEMS), pieces=PIECES)
def test_any_pieces_of_yaml(folder: Path, stem: str, pieces: list[str]) -> None:
    outcome(folder, stem, "".join(pieces).encode("utf-8", "surrogatepass"))


@QUICK
@given(stem=st.sampled_from(STEMS), value=VALUES)
def test_any_structure(folder: Path, stem: str, value: object) -> None:
    outcome(folder, stem, yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass"))


@QUICK
@given(stem=st.sampled_from(STEMS), at=st.floats(0, 1), length=st.integers(0, 30), pieces=PIECES)
def test_any_damage_to_a_sound_file(folder: Path, stem: str, at: float, length: int, pieces: list[str]) -> None:
    text = original(stem)
    start = int(at * len(text))
    spoilt = text[:start] + "".join(pieces[:3]) + text[start + length :]
    outcome(folder, stem, spoilt.encode("utf-8", "surrogatepass"))


@QUICK
@given(stem=st.sampled_from(STEMS), data=st.data(), value=VALUES)
def test_any_value_in_any_place_of_a_sound_file(folder: Path, stem: str, data: st.DataObject, value: object) -> None:
    tree = yaml.safe_load(original(stem))
    part = tree
    while True:
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(part[key], dict | list) or not part[key] or data.draw(st.booleans()):
            part[key] = value
            break
        part = part[key]
    outcome(folder, stem, yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass"))
