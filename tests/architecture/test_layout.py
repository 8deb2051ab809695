"""The layout holds: small modules with names that say something, tests beside them, imports in one direction."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 400
EMPTY_WORDS = ("util", "helper", "manager", "handler", "common", "misc")
CONTRACTS = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True, no_logo=True))"


def modules(root: Path) -> Iterator[Path]:
    """Every module of the project under `root`."""
    for folder in ("otagate", "playbooks", "scripts", "environments", "tests"):
        yield from sorted((root / folder).rglob("*.py"))


def too_long(root: Path) -> list[str]:
    counted = {path: len(path.read_text().splitlines()) for path in modules(root)}
    return [f"{path.relative_to(root)}: {lines}" for path, lines in counted.items() if lines > LONGEST]


def badly_named(root: Path) -> list[str]:
    """Modules and folders whose name only says that something is in them."""
    named = {part for path in modules(root) for part in path.relative_to(root).with_suffix("").parts}
    return sorted(
        part for part in named if set(part.lower().split("_")) & {f"{w}{s}" for w in EMPTY_WORDS for s in ("", "s")}
    )


def untested(root: Path) -> list[str]:
    """Modules of the core and the flows that do something and have no test file of their name."""
    return [
        f"{folder}/{path.stem}"
        for folder in ("core", "flows")
        for path in sorted((root / "otagate" / folder).glob("*.py"))
        if decides(path) and not (root / "tests" / folder / f"test_{path.stem}.py").is_file()
    ]


def decides(path: Path) -> bool:
    """Whether a module holds any function besides the shapes of its data and what those say of themselves."""
    return any(isinstance(node, ast.FunctionDef) for node in ast.parse(path.read_text()).body)


def broken_contracts(root: Path) -> str:
    """What import-linter says, or nothing if all contracts are kept."""
    ran = subprocess.run(
        [sys.executable, "-c", CONTRACTS], cwd=root, capture_output=True, text=True, timeout=120, check=False
    )
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr


def test_no_module_is_longer_than_four_hundred_lines() -> None:
    assert too_long(ROOT) == []


def test_no_module_is_named_after_nothing() -> None:
    assert badly_named(ROOT) == []


def test_every_module_that_decides_has_its_test() -> None:
    assert untested(ROOT) == []


def test_all_import_contracts_are_kept() -> None:
    assert broken_contracts(ROOT) == ""


def test_the_modules_are_found_at_all() -> None:
    found = {path.relative_to(ROOT).parts[0] for path in modules(ROOT)}
    assert found == {"otagate", "playbooks", "scripts", "environments", "tests"}


# The controls: each alarm goes off for a planted fault.


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("core", "flows"):
        (tmp_path / "otagate" / folder).mkdir(parents=True)
        (tmp_path / "tests" / folder).mkdir(parents=True)
    return tmp_path


def test_a_long_module_is_noticed(tree: Path) -> None:
    (tree / "otagate" / "long.py").write_text("x = 1\n" * (LONGEST + 1))
    (tree / "otagate" / "short.py").write_text("x = 1\n" * LONGEST)
    assert too_long(tree) == ["otagate/long.py: 401"]


@pytest.mark.parametrize("name", ["utils", "helper", "test_util", "lease_manager", "event_handlers"])
def test_an_empty_name_is_noticed(name: str, tree: Path) -> None:
    (tree / "otagate" / f"{name}.py").touch()
    assert badly_named(tree) == [name]


def test_an_empty_name_of_a_folder_is_noticed(tree: Path) -> None:
    (tree / "otagate" / "common").mkdir()
    (tree / "otagate" / "common" / "flip.py").touch()
    assert badly_named(tree) == ["common"]


def test_a_module_without_its_test_is_noticed(tree: Path) -> None:
    for name in ("tested", "untested"):
        (tree / "otagate" / "flows" / f"{name}.py").write_text("def decide() -> None: ...\n")
    (tree / "otagate" / "core" / "shapes.py").write_text("class Shape:\n    def area(self) -> float: ...\n")
    (tree / "tests" / "flows" / "test_tested.py").touch()
    assert untested(tree) == ["flows/untested"]


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("core/plan.py", "import pathlib"),
        ("core/plan.py", "import time"),
        ("core/plan.py", "import otagate.ports"),
        ("flows/gate.py", "import otagate.adapters"),
        ("flows/gate.py", "import otagate.config.load"),
        ("config/load.py", "import rich"),
        ("config/load.py", "import testcontainers"),
    ],
)
def test_an_import_against_the_grain_is_noticed(module: str, line: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "otagate", tmp_path / "otagate", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    spoilt = tmp_path / "otagate" / module
    spoilt.write_text(f"{spoilt.read_text()}\n{line}\n")
    assert f"otagate.{module.removesuffix('.py').replace('/', '.')}" in broken_contracts(tmp_path)
