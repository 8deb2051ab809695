"""What wiring puts together: the story's page, a run's page from the store's record and the files of its folder."""

from pathlib import Path

import pytest

from otagate import wiring
from otagate.adapters.store import SqlStore, sqlite_url
from otagate.adapters.vault import FolderVault
from otagate.demo.expected import HELLO
from otagate.demo.story import Ending
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
