"""What wiring puts together: the story's page, a run's page from the store's record and the files of its folder."""

from dataclasses import replace
from pathlib import Path

import pytest

from otagate import wiring
from otagate.adapters.store import SqlStore, sqlite_url
from otagate.adapters.vault import FolderVault
from otagate.core.errors import UsageError
from otagate.core.platform import SecretKind, SecretSource
from otagate.demo.expected import HELLO
from otagate.demo.story import Ending
from tests.core.platforms import platform
from tests.pngs import png
from tests.samples import PIXEL, stored


@pytest.mark.parametrize(
    ("lies_there", "shown"), [(PIXEL, True), (png(91), False), (b"<script>alert(1)</script>", False), (None, False)]
)
def test_a_picture_is_shown_only_while_its_file_is_what_was_recorded(
    tmp_path: Path, lies_there: bytes | None, shown: bool
) -> None:
    run, vault = stored(), FolderVault(str(tmp_path))
    SqlStore(sqlite_url(str(tmp_path))).save_run(run)
    (picture,) = run.record.suites["functional"].pictures
    if lies_there is not None:
        path = Path(vault.write(run.header.run, picture.file, lies_there))
        assert path.name == f"{picture.digest.removeprefix('sha256:')}.png"
        assert path.stat().st_mode & 0o777 == 0o600

    build = HELLO[1]
    ending = Ending((), (), 60.0, (), {build.image: run.header.run}, {}, {build.image: ""}, {})
    story = Path(wiring.write_story(tmp_path, "hello", ending, HELLO))
    page = (tmp_path / "runs" / run.header.run / "report.html").read_text()

    assert f'href="runs/{run.header.run}/report.html"' in story.read_text()
    assert ("data:image/png;base64," in story.read_text()) is shown
    assert ("data:image/png;base64," in page) is shown
    assert ("Not shown: the run’s folder does not hold" in page) is not shown


def test_a_secret_whose_file_is_not_there_is_told_by_check(tmp_path: Path) -> None:
    source = SecretSource(SecretKind.FILE, "keys/store")
    checked = replace(platform(), folder=str(tmp_path), secrets={"store-key": source})
    for folder in ("keys", "keys/store"):  # nothing there, then no file in it, then a folder in its place
        with pytest.raises(UsageError, match="the file of secret store-key") as caught:
            wiring.look_at_secret_files(checked)
        assert "keys/store" not in caught.value.message
        (tmp_path / folder).mkdir()
    with pytest.raises(UsageError):
        wiring.look_at_secret_files(checked)
    (tmp_path / "keys" / "store").rmdir()
    (tmp_path / "keys" / "store").write_bytes(b"secret")
    wiring.look_at_secret_files(checked)
