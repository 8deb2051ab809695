"""Run folders on a real file system: modes, wholeness, and what a sick disk turns into."""

import os
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


def test_a_run_folder_that_is_a_link_is_refused_and_what_it_leads_to_is_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (elsewhere / "kept.txt").write_text("somebody's")
    elsewhere.chmod(0o755)
    vault = FolderVault(str(tmp_path / "home"))
    vault.folder("r0")
    (tmp_path / "home" / "runs" / "r1").symlink_to(elsewhere)
    for ask in (
        lambda: vault.folder("r1"),
        lambda: vault.write("r1", "report.html", b"x"),
        lambda: vault.read("r1", "kept.txt"),
    ):
        with pytest.raises(StoreFault, match="runs/r1 is a symbolic link"):
            ask()
    assert elsewhere.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in elsewhere.iterdir()] == ["kept.txt"]


def test_a_folder_of_runs_that_is_a_link_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "runs").symlink_to(elsewhere)
    with pytest.raises(StoreFault, match="runs is a symbolic link"):
        FolderVault(str(tmp_path / "home")).write("r1", "report.html", b"x")
    assert list(elsewhere.iterdir()) == []


def test_a_file_that_is_a_link_is_replaced_and_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("somebody's")
    vault = FolderVault(str(tmp_path / "home"))
    link = Path(vault.folder("r1")) / "report.html"
    link.symlink_to(outside)
    with pytest.raises(StoreFault, match="symbolic link"):
        vault.read("r1", "report.html")
    vault.write("r1", "report.html", b"whole")
    assert (link.is_symlink(), link.read_bytes(), outside.read_text()) == (False, b"whole", "somebody's")


def test_a_pipe_in_a_files_place_is_no_file(tmp_path: Path) -> None:
    vault = FolderVault(str(tmp_path / "home"))
    os.mkfifo(Path(vault.folder("r1")) / "report.html")
    with pytest.raises(StoreFault, match="it is no file"):
        vault.read("r1", "report.html")


def test_a_home_that_is_a_link_is_the_users_choice(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "disk")
    FolderVault(str(tmp_path / "home")).write("r1", "report.html", b"x")
    assert (tmp_path / "disk" / "runs" / "r1" / "report.html").read_bytes() == b"x"
