"""What every Vault keeps to."""

from pathlib import Path

import pytest

from otagate.adapters.vault import FolderVault
from otagate.core.errors import StoreFault, UsageError
from otagate.ports import Vault
from tests.fakes.vault import FakeVault


@pytest.fixture(params=["fake", "folder"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Vault:
    return FakeVault() if request.param == "fake" else FolderVault(str(tmp_path / "home"))


def test_a_file_lies_in_the_folder_of_its_run(vault: Vault) -> None:
    assert vault.write("r1", "report.html", b"x") == f"{vault.folder('r1')}/report.html"
    assert vault.folder("r1") == vault.folder("r1") != vault.folder("r2")


def test_what_was_written_is_read_and_what_was_not_is_a_fault(vault: Vault) -> None:
    vault.write("r1", "dose.png", b"one")
    vault.write("r1", "dose.png", b"two")
    assert vault.read("r1", "dose.png") == b"two"
    for run, name in (("r1", "other.png"), ("r2", "dose.png")):
        with pytest.raises(StoreFault, match="cannot be read"):
            vault.read(run, name)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc/passwd", ".hidden", "a\0b"])
def test_no_name_leads_out_of_the_folder(vault: Vault, name: str) -> None:
    with pytest.raises(UsageError):
        vault.folder(name)
    with pytest.raises(UsageError):
        vault.write("r1", name, b"x")
    with pytest.raises(UsageError):
        vault.read("r1", name)
