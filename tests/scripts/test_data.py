"""Public data: only the bytes that images.yaml names, only the files it asks for."""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from otagate.core.errors import Fault
from scripts.data import ensure_data, fetch, is_complete, take, write
from scripts.platforms import Data
from scripts.progress import Line


def wanted(into: Path, *patterns: str, sha256: str = "0" * 64) -> Data:
    return Data("some-package", "1.0", sha256, patterns, into)


@pytest.fixture
def sdist(tmp_path: Path) -> Path:
    """An sdist with two files, a link that leads out, and a path that climbs out."""
    path = tmp_path / "some-package-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (
            ("data/a.dcm", b"A"),
            ("data/b.dcm", b"B"),
            ("../../evil.dcm", b"E"),
            ("other/a.dcm", b"?"),
        ):
            entry = tarfile.TarInfo(f"some-package-1.0/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("some-package-1.0/data/link.dcm")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return path


def test_what_the_patterns_name_is_taken(sdist: Path, tmp_path: Path) -> None:
    assert take(sdist, wanted(tmp_path, "data/*.dcm")) == {"a.dcm": b"A", "b.dcm": b"B"}


def test_a_wheel_is_read_as_well(tmp_path: Path) -> None:
    wheel = tmp_path / "some_package-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("some_package/data/a.dcm", b"A")
    assert take(wheel, wanted(tmp_path, "some_package/data/a.dcm")) == {"a.dcm": b"A"}


def test_a_path_that_climbs_out_lands_inside(sdist: Path, tmp_path: Path) -> None:
    into = tmp_path / "into"
    asked = wanted(into, "../../evil.dcm")
    write(take(sdist, asked), asked)
    assert sorted(path.name for path in tmp_path.rglob("evil.dcm")) == ["evil.dcm"]
    assert (into / "evil.dcm").read_bytes() == b"E"


@pytest.mark.parametrize("pattern", ["data/link.dcm", "data/c.dcm", "some-package-1.0/data/a.dcm"])
def test_a_pattern_that_names_no_file_is_an_error(sdist: Path, tmp_path: Path, pattern: str) -> None:
    with pytest.raises(Fault, match="has no"):
        take(sdist, wanted(tmp_path, "data/a.dcm", pattern))


def test_two_different_files_of_one_name_are_an_error(sdist: Path, tmp_path: Path) -> None:
    with pytest.raises(Fault, match="has two files"):
        take(sdist, wanted(tmp_path, "*/a.dcm"))


def test_files_once_written_are_complete_until_one_changes(tmp_path: Path) -> None:
    asked = wanted(tmp_path / "into", "a", "b")
    assert not is_complete(asked)
    write({"a": b"A", "b": b"B"}, asked)
    assert is_complete(asked)
    (asked.into / "b").write_bytes(b"b")
    assert not is_complete(asked)


def test_another_source_is_not_complete(tmp_path: Path) -> None:
    asked = wanted(tmp_path / "into", "a")
    write({"a": b"A"}, asked)
    assert not is_complete(wanted(tmp_path / "into", "a", sha256="1" * 64))
    assert not is_complete(wanted(tmp_path / "into", "a", "b"))


def test_a_record_that_cannot_be_read_is_no_record(tmp_path: Path) -> None:
    asked = wanted(tmp_path / "into", "a")
    write({"a": b"A"}, asked)
    (asked.into / ".fetched.json").write_text("{")
    assert not is_complete(asked)


def test_a_kept_distribution_is_used_and_a_spoilt_one_is_not(sdist: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(sdist.read_bytes()).hexdigest()
    asked = wanted(tmp_path / "into", "data/*.dcm", sha256=digest)
    kept = tmp_path / "downloads" / digest
    kept.mkdir(parents=True)
    (kept / sdist.name).write_bytes(sdist.read_bytes())
    assert fetch(asked, tmp_path / "downloads", Line("x")) == kept / sdist.name
    assert ensure_data(asked, tmp_path / "downloads")
    assert not ensure_data(asked, tmp_path / "downloads")


def test_what_the_index_does_not_have_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(Fault, match="could not be fetched") as raised:
        fetch(wanted(tmp_path / "into", "a"), tmp_path / "downloads", Line("x"))
    assert "make setup" in raised.value.hint
    assert not list((tmp_path / "downloads").glob("*/*"))
