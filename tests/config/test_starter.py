"""`otagate init`: a platform that loads, and nothing overwritten."""

import os
import shutil
from pathlib import Path

import pytest

import otagate
from otagate.config.load import load
from otagate.config.starter import init, platform_name
from otagate.core.errors import Fault, UsageError
from tests.config.platform_copies import SMALL, original


def test_a_new_platform_loads_under_its_folders_name(tmp_path: Path) -> None:
    files = init(tmp_path / "My Clinic")
    platform = load(tmp_path / "My Clinic")
    assert platform.name == "my-clinic"
    assert set(platform.services) == {"web", "store"}
    assert {path.name for path in files} >= {"compose.yaml", "otagate.yaml", "inventory.yaml"}
    assert all(path.is_file() for path in files)


def test_only_the_name_differs_from_the_starter(tmp_path: Path) -> None:
    init(tmp_path / "clinic")
    starter = Path(otagate.__file__).parents[1] / "environments" / "hello"
    for file in ("compose.yaml", "inventory.yaml"):
        assert (tmp_path / "clinic" / file).read_text() == (starter / file).read_text()
    mine, theirs = ((folder / "otagate.yaml").read_text().split("\n") for folder in (tmp_path / "clinic", starter))
    assert [pair for pair in zip(mine, theirs, strict=True) if pair[0] != pair[1]] == [
        ("platform: clinic", "platform: hello")
    ]


def test_a_platform_that_is_not_shipped_is_none_to_begin_with(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="brings no platform 'clinic'") as raised:
        init(tmp_path / "mine", "clinic")
    assert "hello" in raised.value.hint
    assert not (tmp_path / "mine").exists()


def test_data_and_byte_code_stay_behind_with_their_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "otagate"
    starter = package / "environments" / "hello"
    shutil.copytree(SMALL, starter)
    for file in ("services/suite/linked/.fetched.json", "services/suite/linked/ct.0.dcm", "data/linked/ct.0.dcm"):
        (starter / file).parent.mkdir(parents=True, exist_ok=True)
        (starter / file).write_bytes(b"")
    (starter / "suites" / "cases.pyc").write_bytes(b"")
    monkeypatch.setattr(otagate, "__file__", str(package / "__init__.py"))
    files = init(tmp_path / "clinic")
    assert not [path for path in files if path.suffix in (".pyc", ".dcm")]
    left = {path.name for path in (tmp_path / "clinic").rglob("*")}
    assert "suites" in left, "control"
    assert not left & {"data", "linked"}


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "clinic").mkdir()
    init(tmp_path / "clinic")
    assert load(tmp_path / "clinic").name == "clinic"


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    init(tmp_path / "a" / "b" / "clinic")
    assert load(tmp_path / "a" / "b" / "clinic").name == "clinic"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "clinic").mkdir()
    (tmp_path / "clinic" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        init(tmp_path / "clinic")
    assert [path.name for path in (tmp_path / "clinic").iterdir()] == ["notes.txt"]


def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "clinic").write_text("mine")
    with pytest.raises(UsageError, match="is not a folder"):
        init(tmp_path / "clinic")
    assert (tmp_path / "clinic").read_text() == "mine"


def test_a_dangling_link_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "clinic").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError):
        init(tmp_path / "clinic")
    assert not (tmp_path / "elsewhere").exists()


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("otagate.config.starter.os.rename", full)
    with pytest.raises(Fault, match="No space left on device") as caught:
        init(tmp_path / "clinic")
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_installation_gives_a_platform_that_can_be_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "otagate"
    starter = package / "environments" / "hello"
    shutil.copytree(SMALL, starter)
    for path in (*starter.rglob("*"), starter):
        path.chmod(path.stat().st_mode & ~0o222)
    monkeypatch.setattr(otagate, "__file__", str(package / "__init__.py"))
    files = init(tmp_path / "clinic")
    assert all(path.stat().st_mode & 0o200 for path in (*files, tmp_path / "clinic", tmp_path / "clinic" / "suites"))


def test_it_works_from_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "otagate"
    starter = package / "environments" / "hello"
    starter.parent.mkdir(parents=True)
    starter.symlink_to(SMALL)
    monkeypatch.setattr(otagate, "__file__", str(package / "__init__.py"))
    init(tmp_path / "clinic")
    renamed = original("otagate").replace("platform: small", "platform: clinic")
    assert (tmp_path / "clinic" / "otagate.yaml").read_text() == renamed


@pytest.mark.parametrize("folder", ["demo-clinic", "T clinic"])
def test_a_name_that_make_clean_would_remove_is_refused_before_anything_is_written(folder: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="make clean removes") as caught:
        init(tmp_path / folder, environment={})
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_demo_and_tests_may_use_their_own_names(tmp_path: Path) -> None:
    permitted = {"OTAGATE_RESERVED_NAMES": "1"}
    init(tmp_path / "t-clinic", environment=permitted)
    assert load(tmp_path / "t-clinic", permitted).name == "t-clinic"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("clinic", "clinic"),
        ("Clinic_2", "clinic-2"),
        ("2nd clinic", "nd-clinic"),
        ("x" * 60, "x" * 31),
        ("a" * 30 + "-b", "a" * 30),
        ("Radiologie Süd", "radiologie-s-d"),
    ],
)
def test_a_folders_name_becomes_a_platforms_name(folder: str, name: str) -> None:
    assert platform_name(folder) == name


@pytest.mark.parametrize("folder", ["", "123", "---", "放射線"])
def test_a_name_without_letters_is_refused(folder: str) -> None:
    with pytest.raises(UsageError) as caught:
        platform_name(folder)
    assert caught.value.hint
