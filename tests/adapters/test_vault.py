"""Run folders on a real file system: modes, wholeness, and what a sick disk turns into."""

import subprocess
import sys
from pathlib import Path

import pytest

from otagate.adapters.vault import FolderVault
from otagate.core.errors import StoreFault


def test_folders_and_files_are_their_owners_alone(tmp_path: Path) -> None:
    path = Path(FolderVault(str(tmp_path / "deep" / "home")).write("r1", "report.html", b"whole"))
    assert path.read_bytes() == b"whole"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [folder.stat().st_mode & 0o777 for folder in path.parents[:3]] == [0o700] * 3


def test_writing_again_replaces_the_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    vault = FolderVault(str(tmp_path))
    vault.write("r1", "report.html", b"one")
    path = Path(vault.write("r1", "report.html", b"two"))
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one_and_a_hint(tmp_path: Path) -> None:
    path = FolderVault(str(tmp_path)).write("r1", "report.html", b"old")
    # A real limit on the size of files, in a process of its own: it would hold for the whole test run.
    child = f"""
import resource
from otagate.adapters.vault import FolderVault
from otagate.core.errors import StoreFault
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    FolderVault({str(tmp_path)!r}).write("r1", "report.html", b"x" * 100_000)
except StoreFault as fault:
    print(fault.code, fault.exit.value, fault.hint)
"""
    done = subprocess.run([sys.executable, "-B", "-c", child], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("vault 4 look at the folder")
    assert Path(path).read_bytes() == b"old"
    assert list(Path(path).parent.iterdir()) == [Path(path)]


def test_a_home_that_cannot_be_a_folder_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(StoreFault, match="cannot be written"):
        FolderVault(str(tmp_path / "home")).folder("r1")
