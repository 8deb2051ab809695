"""The map file: whole and durable, or as it was."""

import os
from pathlib import Path

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.steward.map_file import MapFile


@pytest.fixture
def file(tmp_path: Path) -> MapFile:
    return MapFile(tmp_path / "active.map")


def test_it_reads_what_it_wrote(file: MapFile) -> None:
    assert not file.exists()
    file.write(Colour.GREEN, 7)
    assert file.read() == (Colour.GREEN, 7)
    assert file.path.read_text() == "active green\nepoch 7\n"


@pytest.mark.parametrize("content", [None, b"", b"activ", b"active blue\n", b"active red\nepoch 1\n", b"\xff\xfe"])
def test_anything_else_is_refused_and_says_what_to_do(file: MapFile, content: bytes | None) -> None:
    if content is not None:
        file.path.write_bytes(content)
    with pytest.raises(SwitchFault) as odd:
        file.read()
    assert odd.value.code == "map-unreadable"
    assert "otagate recover" in odd.value.hint


def test_the_disk_has_it_before_it_takes_the_name_and_the_folder_after(
    file: MapFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = []
    fsync, rename = os.fsync, os.rename

    def noted_fsync(handle: int) -> None:
        order.append(f"fsync {Path(os.readlink(f'/proc/self/fd/{handle}')).name}")
        fsync(handle)

    def noted_rename(old: Path, new: Path) -> None:
        order.append(f"rename {old.name} {new.name}")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "rename", noted_rename)
    file.write(Colour.BLUE, 1)
    assert order == ["fsync active.new", "rename active.new active.map", f"fsync {file.path.parent.name}"]


@pytest.mark.parametrize("call", ["fsync", "rename", "write"])
def test_a_write_that_fails_leaves_the_old_one(file: MapFile, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    file.write(Colour.BLUE, 1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(SwitchFault, match="No space left"):
        file.write(Colour.GREEN, 2)
    monkeypatch.undo()
    assert file.read() == (Colour.BLUE, 1)


def test_a_write_in_pieces_is_whole(file: MapFile, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, content: write(handle, bytes(content)[:3]))
    file.write(Colour.GREEN, 12345)
    assert file.read() == (Colour.GREEN, 12345)


def test_removed_is_gone_and_again_is_no_fault(file: MapFile) -> None:
    file.write(Colour.BLUE, 1)
    file.remove()
    file.remove()
    assert not file.exists()
