"""The wheel: it carries what a checkout has beside the package, and nothing that was fetched or made on a machine."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLATFORMS = sorted(path.parent.name for path in (ROOT / "environments").glob("*/otagate.yaml"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this very tree."""
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as packed:
        return set(packed.namelist())


def committed(folder: str) -> set[str]:
    """Files of a folder as git knows them, or would take them."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", folder]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60).stdout
    return {name for name in listed.splitlines() if (ROOT / name).is_file()}


def test_the_wheel_carries_the_playbooks(names: set[str]) -> None:
    wanted = {f"otagate/{name}" for name in committed("playbooks")}
    assert wanted
    assert wanted <= names


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_wheel_carries_each_platform_whole(names: set[str], platform: str) -> None:
    wanted = {f"otagate/{name}" for name in committed(f"environments/{platform}")}
    assert f"otagate/environments/{platform}/compose.yaml" in wanted
    assert wanted <= names


def test_at_least_one_platform_ships() -> None:
    assert "hello" in PLATFORMS


def test_the_wheel_carries_every_file_of_the_package(names: set[str]) -> None:
    wanted = committed("otagate")
    assert "otagate/__main__.py" in wanted
    assert wanted <= names


def strangers(names: set[str]) -> set[str]:
    """What git neither knows nor would take: data, caches, bytecode, keys."""
    sources = committed("otagate") | committed("playbooks") | committed("environments")
    known = {name if name.startswith("otagate/") else f"otagate/{name}" for name in sources}
    return {name for name in names if ".dist-info/" not in name} - known


def test_the_wheel_carries_nothing_fetched_or_made_here(names: set[str]) -> None:
    assert strangers(names) == set()


def test_a_fetched_file_would_be_noticed(names: set[str]) -> None:
    """The control of the test above."""
    fetched = "otagate/environments/hello/data/linked/ct.0.dcm"
    assert strangers(names | {fetched}) == {fetched}


def test_installed_and_compiled_it_makes_the_same_images_and_suites(wheel: Path, tmp_path: Path) -> None:
    """An installer leaves bytecode beside each source, those of images and plug-in too."""
    where = str(tmp_path)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--compile", "--target", where, str(wheel)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert list((tmp_path / "otagate" / "images" / "holder").glob("__pycache__/*.pyc"))
    told = (
        "import otagate, otagate.adapters.images as images, otagate.adapters.pytest_child as child\n"
        "print(otagate.__file__.startswith(%r), images.source_digest(), *images._files('holder'),"
        " *images._files('switch'), *child.suite_files('s', {}))"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", told % where],
            env={**os.environ, "PYTHONPATH": folder},
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout.split()
        for folder in (where, str(ROOT))
    ]
    assert [words.pop(0) for words in said] == ["True", "False"]
    assert said[0] == said[1]
    assert "holder.py" in said[0]


def test_the_command_is_declared(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        (entry,) = [name for name in packed.namelist() if name.endswith(".dist-info/entry_points.txt")]
        declared = packed.read(entry).decode()
    assert "otagate = otagate.__main__:main" in declared
    assert "otagate = otagate.pytest_plugin" in declared


def test_the_installed_wheel_speaks_for_itself(wheel: Path, tmp_path: Path) -> None:
    """Unpacked away from the checkout, with only the libraries in common, the command finds its own platforms."""
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True, timeout=120, capture_output=True)
    start = (
        f"import sys; sys.path.insert(0, {str(target)!r}); import otagate.__main__ as it; "
        f"assert it.__file__.startswith({str(target)!r}); it.main()"
    )
    made = tmp_path / "mine"
    for words in (["init", str(made)], ["check", "-p", str(made)]):
        command = [sys.executable, "-c", start, *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (made / "otagate.yaml").is_file()
