"""What a suite's digest covers, and which folders are no suite."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from otagate.adapters.suite_tree import archive, read_tree, tree_digest
from otagate.core.errors import UsageError
from tests.suite_folders import write


def digest(folder: Path) -> str:
    return tree_digest(read_tree(str(folder)))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write(tmp_path / "suites" / "technical", {"test_a.py": "", "lib/data.txt": "1"})


def test_the_digest_follows_names_and_contents_and_nothing_else(tree: Path) -> None:
    before = digest(tree)
    write(tree, {"__pycache__/test_a.cpython-311.pyc": "x", "lib/.pytest_cache/v": "x", "old.pyc": "x"})
    os.utime(tree / "test_a.py", (1, 1))
    assert digest(tree) == before

    seen = {before}
    for files in ({"test_a.py": "#"}, {"lib/data.txt": "2"}, {"lib/more.txt": ""}, {"../conftest.py": ""}):
        write(tree, files)
        seen.add(digest(tree))
    (tree / "lib/more.txt").rename(tree / "lib/less.txt")
    seen.add(digest(tree))
    assert len(seen) == 6


@pytest.mark.parametrize("files", [{}, {"README.md": ""}, {"tests.py": ""}, {"__pycache__/test_a.py": ""}], ids=str)
def test_a_folder_without_a_test_file_is_refused(files: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        digest(write(tmp_path, files))

    assert error.value.code == "empty-suite"


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no suite folder"):
        digest(tmp_path / "nowhere")


def test_a_link_in_a_suite_is_refused(tree: Path) -> None:
    (tree / "link.py").symlink_to("/etc/hostname")

    with pytest.raises(UsageError, match="no plain file"):
        digest(tree)


def test_an_archive_holds_the_files_readable_by_all_and_nothing_of_this_machine() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive({"a/b/c.py": b"1", "d": b""}))) as tar:
        entries = {entry.name: entry for entry in tar.getmembers()}

    assert list(entries) == ["a", "a/b", "a/b/c.py", "d"]
    assert {entry.mode for entry in entries.values() if entry.isdir()} == {0o555}
    assert {entry.mode for entry in entries.values() if entry.isfile()} == {0o444}
    assert {(e.uid, e.gid, e.uname, e.mtime) for e in entries.values()} == {(0, 0, "", 0)}
