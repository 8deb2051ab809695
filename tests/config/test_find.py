"""Which platform is meant."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import otagate
from otagate.config.find import find_platform, shipped
from otagate.config.load import load
from otagate.core.errors import ConfigError, UsageError

REPOSITORY = Path(__file__).parents[2]


def made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "otagate.yaml").touch()
    return folder


def test_a_named_folder_is_taken_from_here(tmp_path: Path) -> None:
    folder = made(tmp_path / "clinic")
    assert find_platform("clinic", tmp_path) == folder
    assert find_platform(str(folder), Path("/")) == folder
    assert find_platform("clinic/otagate.yaml", tmp_path) == folder


def test_a_bare_name_is_looked_for_among_the_environments_here(tmp_path: Path) -> None:
    folder = made(tmp_path / "environments" / "clinic")
    assert find_platform("clinic", tmp_path) == folder


def test_a_bare_name_finds_the_shipped_platform(tmp_path: Path) -> None:
    assert find_platform("hello", tmp_path) == REPOSITORY / "environments" / "hello"


def test_a_folder_here_comes_before_the_shipped_platform(tmp_path: Path) -> None:
    folder = made(tmp_path / "hello")
    assert find_platform("hello", tmp_path) == folder


def test_this_folder_is_the_nearest(tmp_path: Path) -> None:
    made(tmp_path / "outer")
    inner = made(tmp_path / "outer" / "inner")
    assert find_platform(None, inner) == inner


def test_a_folder_above_is_found_from_within(tmp_path: Path) -> None:
    folder = made(tmp_path / "clinic")
    (folder / "suites" / "technical").mkdir(parents=True)
    assert find_platform(None, folder / "suites" / "technical") == folder


def test_the_only_platform_under_environments_is_taken(tmp_path: Path) -> None:
    folder = made(tmp_path / "environments" / "clinic")
    (tmp_path / "environments" / "notes").mkdir()
    assert find_platform(None, tmp_path) == folder


def test_of_several_none_is_guessed(tmp_path: Path) -> None:
    made(tmp_path / "environments" / "clinic")
    made(tmp_path / "environments" / "lab")
    with pytest.raises(UsageError) as caught:
        find_platform(None, tmp_path)
    assert "clinic, lab" in caught.value.message
    assert caught.value.hint == "choose one: -p environments/clinic"


def test_nothing_here_says_what_is_shipped(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_platform(None, tmp_path)
    assert "hello" in caught.value.hint


@pytest.mark.parametrize("path", ["nothing", "", "a\0b", "../../..", "x" * 5000, "~nobody-of-that-name/x", "Hello"])
def test_what_is_no_platform_is_a_usage_error_with_a_hint(path: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_platform(path, tmp_path)
    assert "hello" in caught.value.hint


def test_a_folder_without_otagate_yaml_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"holds no otagate\.yaml"):
        find_platform("empty", tmp_path)


def as_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (as_folder, "is not a plain file"),
        (os.mkfifo, "is not a plain file"),
        (lambda path: path.symlink_to(path), "is a link that leads to itself"),
        (lambda path: path.symlink_to("nothing"), "does not exist"),
    ],
)
def test_an_otagate_yaml_that_is_no_file_is_found_and_told_for_what_it_is(
    make: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    make(tmp_path / "otagate.yaml")
    for named in (str(tmp_path), str(tmp_path / "otagate.yaml"), None):
        folder = find_platform(named, tmp_path)
        with pytest.raises(ConfigError) as caught:
            load(folder)
        told = [problem for problem in caught.value.problems if "otagate.yaml" in str(problem.at)]
        assert [message in problem.message for problem in told] == [True]


def test_a_wheel_has_its_platforms_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "site-packages" / "otagate"
    made(inside / "environments" / "hello")
    (tmp_path / "site-packages" / "environments").mkdir()
    monkeypatch.setattr(otagate, "__file__", str(inside / "__init__.py"))
    assert shipped("environments") == inside / "environments"
    assert find_platform("hello", tmp_path) == inside / "environments" / "hello"


def test_a_broken_installation_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otagate, "__file__", str(tmp_path / "otagate" / "__init__.py"))
    with pytest.raises(UsageError, match="lacks its playbooks"):
        shipped("playbooks")


def test_a_checkout_has_both_beside_the_package() -> None:
    assert shipped("environments") == REPOSITORY / "environments"
    assert shipped("playbooks") == REPOSITORY / "playbooks"
