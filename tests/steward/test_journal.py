"""The journal: durable, append-only, and never taken for empty."""

import json
import os
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.promotion import Event, Phase
from otagate.core.traffic import Kind
from otagate.steward import journal
from otagate.steward.book import JOURNAL, MAP, Book
from otagate.steward.journal import Journal, JournalFull, JournalUnreadable
from tests.steward.world import FakeClock, Killed, World


def made(folder: Path, entries: int = 3) -> Path:
    path = folder / JOURNAL
    with closing(Journal.made(path)) as book:
        for number in range(entries):
            book.append(float(number), "seen", "", {"message": f"entry {number}"})
    return path


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal.found(made(tmp_path))) as found:
        yield found


def test_what_was_appended_is_there_in_order(three: Journal) -> None:
    assert [(e.seq, e.kind, e.body["message"]) for e in three.entries()] == [
        (1, "seen", "entry 0"),
        (2, "seen", "entry 1"),
        (3, "seen", "entry 2"),
    ]
    assert [e.seq for e in three.entries(since=2)] == [3]
    assert three.entries("p-1") == ()


def test_it_is_on_the_disk_before_append_returns(tmp_path: Path) -> None:
    path = made(tmp_path)
    with closing(journal._connect(path)) as line:
        assert line.execute("PRAGMA synchronous").fetchone()[0] == 3  # extra
        assert line.execute("PRAGMA journal_mode").fetchone()[0] == "delete"


def test_another_process_reads_what_append_returned(tmp_path: Path) -> None:
    with closing(Journal.made(tmp_path / JOURNAL)) as writer, closing(sqlite3.connect(tmp_path / JOURNAL)) as reader:
        writer.append(1.0, "seen", "", {"message": "here"})
        (body,) = reader.execute("SELECT body FROM entries").fetchone()
    assert json.loads(body) == {"message": "here"}


@pytest.mark.parametrize("statement", ["UPDATE entries SET body = '{}'", "DELETE FROM entries WHERE seq = 2"])
def test_nothing_is_ever_changed_or_removed(tmp_path: Path, statement: str) -> None:
    with closing(sqlite3.connect(made(tmp_path))) as line, pytest.raises(sqlite3.IntegrityError, match="only grows"):
        line.execute(statement)


INSERT = "INSERT INTO entries (at, kind, promotion, body) VALUES (1, '{}', 'p', '{}')"
HOLE = """
DROP TRIGGER never_removed;
DELETE FROM entries WHERE seq = 2;
CREATE TRIGGER never_removed BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
"""


def edit(statements: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with closing(sqlite3.connect(path)) as line:
            line.executescript(statements)
            line.commit()

    return change


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4096])


def garble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:5000] = bytes(904)
    path.write_bytes(content)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.write_bytes(b""), id="emptied"),
        pytest.param(lambda path: path.write_bytes(b"no database at all" * 100), id="overwritten"),
        pytest.param(cut, id="cut short"),
        pytest.param(garble, id="garbled"),
        pytest.param(edit("PRAGMA user_version = 2"), id="of a later schema"),
        pytest.param(edit("PRAGMA application_id = 7"), id="of something else"),
        pytest.param(edit("DROP TRIGGER never_removed"), id="without its guard"),
        pytest.param(edit(HOLE), id="with a hole"),
        pytest.param(edit(INSERT.format("odd", "{}")), id="of odd kind"),
        pytest.param(edit(INSERT.format("lease", '{"epoch": 0}')), id="with an old epoch"),
        pytest.param(edit(INSERT.format("advance", "{}")), id="that does not follow"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_way_to_mend_it(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = made(tmp_path, entries=60)
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(JournalUnreadable) as odd:
        Book.opened(tmp_path, FakeClock())
    assert odd.value.code == "journal-unreadable"
    assert "put the journal back" in odd.value.hint
    assert path.read_bytes() == before, "evidence is left as it was found"


def test_a_copy_is_taken_and_put_back_as_the_docs_say(world: World) -> None:
    steward = world.live()
    page = (Path(__file__).parents[2] / "docs" / "switch.md").read_text()
    take, put = (line for line in page.splitlines() if line.startswith("docker exec") and line.endswith("COPY"))
    program = shlex.split(take)[5].replace("/run/otagate", str(world.volume))
    copy = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    entries = steward.book._journal.entries()
    world.close()
    path = world.volume / JOURNAL
    path.write_bytes(b"spoilt")
    path.with_name(f"{JOURNAL}-journal").write_bytes(b"of the spoilt one")
    assert put == f"docker exec -i STEWARD sh -c '{journal.PUT_BACK}' < COPY"
    back = journal.PUT_BACK.replace("/run/otagate", str(world.volume))
    subprocess.run(["sh", "-c", back], input=copy, check=True)
    with closing(Journal.found(path)) as again:
        assert again.entries() == entries
    assert {file.name for file in world.volume.iterdir()} == {JOURNAL, MAP}


def test_a_copy_from_before_the_last_flip_is_not_believed(world: World) -> None:
    steward = world.live()
    path = world.volume / JOURNAL
    copy = path.read_bytes()
    steward.promote()
    world.close()
    path.write_bytes(copy)
    with pytest.raises(SwitchFault, match="never meant") as odd:
        world.steward().helm.settle()
    assert odd.value.code == "disagreement"
    assert world.switch.entry_now is not None
    assert world.switch.entry_now[0] is Colour.GREEN


def test_one_that_another_user_owns_is_refused_before_an_entry_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write everything, so the kernel's answer to the steward's user is given here."""
    path = made(tmp_path)
    monkeypatch.setattr(os, "access", lambda of, mode: (of, mode) != (path, os.W_OK))
    with pytest.raises(JournalUnreadable, match="not the steward's own") as odd:
        Journal.found(path)
    assert "put the journal back" in odd.value.hint


def test_a_journal_missing_beside_a_map_is_unreadable_not_new(world: World) -> None:
    world.live()
    world.close()
    (world.volume / JOURNAL).unlink()
    with pytest.raises(JournalUnreadable, match="missing beside a map file"):
        world.steward()
    assert not (world.volume / JOURNAL).exists()


def test_a_volume_with_neither_is_new(world: World) -> None:
    assert world.steward().book.account.live is None
    assert (world.volume / JOURNAL).exists()


def test_a_journal_half_made_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "journal.new").write_bytes(b"cut off")
    with closing(Book.opened(tmp_path, FakeClock())) as book:
        assert book.account.seq == 0


def test_a_full_disk_is_said_and_nothing_is_taken_for_written(tmp_path: Path, three: Journal) -> None:
    three._line.execute("PRAGMA max_page_count = 1")

    def fill() -> None:
        for _ in range(100):
            three.append(1.0, "seen", "", {"message": "x" * 500})

    with pytest.raises(JournalFull) as odd:
        fill()
    assert "make room" in odd.value.hint
    with closing(Journal.found(tmp_path / JOURNAL)) as again:
        assert again.entries() == three.entries()


class Late:
    """SQLite's connection on a disk that syncs no folder: the entry is there, and is said to have failed."""

    def __init__(self, line: sqlite3.Connection, *, blind: bool = False) -> None:
        self._line = line
        self._blind = blind

    def execute(self, text: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        if self._blind and not text.startswith("INSERT"):
            raise sqlite3.OperationalError("disk I/O error")
        done = self._line.execute(text, values)
        if text.startswith("INSERT"):
            raise sqlite3.OperationalError("disk I/O error")
        return done

    def close(self) -> None:
        self._line.close()


def ended(_status: int) -> None:
    raise Killed


@pytest.mark.parametrize("blind", [False, True], ids=["seen to be there", "not to be seen"])
def test_where_an_entry_may_be_there_that_is_said_to_have_failed_the_process_ends(
    world: World, monkeypatch: pytest.MonkeyPatch, blind: bool
) -> None:
    """It would write the same once more, and nobody could read the journal again."""
    monkeypatch.setattr(os, "_exit", ended)
    steward = world.live()
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")
    kept = steward.book._journal
    kept._line = Late(kept._line, blind=blind)  # type: ignore[assignment]
    with pytest.raises(Killed):
        steward.book.advance(Phase.PREFLIGHT, Event.OK, "checked")
    world.close()
    assert world.steward().book.current().phase is Phase.DEPLOYING


def test_a_closed_one_takes_no_entry_and_ends_nothing(tmp_path: Path) -> None:
    found = Journal.found(made(tmp_path))
    found.close()
    with pytest.raises(JournalFull, match="closed"):
        found.append(1.0, "seen", "", {})


def test_what_is_read_is_there_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wrote it may have ended between SQLite's commit and the sync of the folder."""
    path = made(tmp_path)
    synced: list[Path] = []
    monkeypatch.setattr(journal, "_sync_folder", synced.append)
    Journal.found(path).close()
    assert synced == [tmp_path]

    def fails(_folder: Path) -> None:
        raise OSError("disk I/O error")

    monkeypatch.setattr(journal, "_sync_folder", fails)
    with pytest.raises(JournalUnreadable):
        Journal.found(path)


def test_an_error_that_is_not_of_space_does_not_send_to_make_room(three: Journal) -> None:
    three._line.execute("PRAGMA query_only = ON")  # as SQLite answers for what may not be written
    with pytest.raises(JournalFull, match="readonly") as odd:
        three.append(1.0, "seen", "", {})
    assert "may be written" in odd.value.hint


def test_a_number_that_json_does_not_know_is_not_written(three: Journal) -> None:
    with pytest.raises(ValueError, match="JSON"):
        three.append(1.0, "watch", "", {"share": float("nan")})
    assert len(three.entries()) == 3


def test_a_sick_disk_is_no_reason_to_put_a_copy_in_the_place_of_a_sound_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
        with pytest.raises(JournalUnreadable, match="may only be read") as only_read:
            Journal.found(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        with pytest.raises(JournalUnreadable, match="Input/output error") as sick:
            Journal.found(path)
    assert {"docker exec" in no.value.hint for no in (only_read, sick)} == {False}
    Journal.found(path).close()
