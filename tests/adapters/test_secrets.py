"""Secrets as files: who may read them, two makers at once, and what cannot be kept."""

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from otagate.adapters.secrets import KeptSecrets
from otagate.core.cloud import Binding
from otagate.core.errors import ConfigError, StoreFault, UsageError


def test_a_secret_is_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    made = KeptSecrets(str(tmp_path / "home"), {}).of("hello", Binding.CANDIDATE, "store-password")

    path = tmp_path / "home/platforms/hello/secrets/candidate/store-password"
    assert path.read_bytes() == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path], "no scratch file stays"


def test_another_program_finds_the_same_secret(tmp_path: Path) -> None:
    places = ("hello", Binding.BASELINE, "store-password")

    assert KeptSecrets(str(tmp_path), {}).of(*places) == KeptSecrets(str(tmp_path), {}).of(*places)


def test_makers_at_the_same_time_agree(tmp_path: Path) -> None:
    found: list[bytes] = []
    start = threading.Barrier(8)

    def make() -> None:
        start.wait(10)
        found.append(KeptSecrets(str(tmp_path), {}).of("hello", Binding.PRODUCTION, "store-password"))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(found) == 8
    assert len(set(found)) == 1


def test_production_takes_what_the_platform_names_and_a_mirror_never_does(tmp_path: Path) -> None:
    keeper = KeptSecrets(str(tmp_path), {"store-password": lambda: b"production's own"})

    assert keeper.of("hello", Binding.PRODUCTION, "store-password") == b"production's own"
    for mirror in (Binding.CANDIDATE, Binding.BASELINE):
        assert keeper.of("hello", mirror, "store-password") != b"production's own"
    assert not (tmp_path / "platforms/hello/secrets/production").exists()


def test_what_cannot_be_read_outside_is_told_as_it_is(tmp_path: Path) -> None:
    def unreadable() -> bytes:
        raise ConfigError(())

    with pytest.raises(ConfigError):
        KeptSecrets(str(tmp_path), {"store-password": unreadable}).of("hello", Binding.PRODUCTION, "store-password")


def test_forgetting_removes_files_and_folders(tmp_path: Path) -> None:
    keeper = KeptSecrets(str(tmp_path), {})
    keeper.of("hello", Binding.PRODUCTION, "store-password")
    keeper.forget("hello")

    assert list((tmp_path / "platforms/hello").iterdir()) == []


def test_an_emptied_secret_is_a_fault_not_an_empty_password(tmp_path: Path) -> None:
    keeper = KeptSecrets(str(tmp_path), {})
    keeper.of("hello", Binding.PRODUCTION, "store-password")
    (tmp_path / "platforms/hello/secrets/production/store-password").write_bytes(b"")

    with pytest.raises(StoreFault, match="is empty"):
        keeper.of("hello", Binding.PRODUCTION, "store-password")


def test_a_home_that_cannot_be_written_is_a_fault_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "platforms").write_text("a file where a folder should be")

    with pytest.raises(StoreFault, match="cannot be kept") as error:
        KeptSecrets(str(tmp_path), {}).of("hello", Binding.PRODUCTION, "store-password")
    assert "OTAGATE_HOME" in error.value.hint


def test_what_was_made_is_read_on_a_full_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = KeptSecrets(str(tmp_path), {})
    made = keeper.of("hello", Binding.PRODUCTION, "store-password")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for call in ("open", "mkdir", "link"):
        monkeypatch.setattr(os, call, full)
    assert keeper.of("hello", Binding.PRODUCTION, "store-password") == made


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".hidden", "a\0b"])
def test_no_name_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    keeper = KeptSecrets(str(tmp_path), {})

    with pytest.raises(UsageError):
        keeper.of("hello", Binding.PRODUCTION, name)
    with pytest.raises(UsageError):
        keeper.of(name, Binding.PRODUCTION, "store-password")
    with pytest.raises(UsageError):
        keeper.forget(name)
