"""The steward's journal: SQLite, append-only, durable before `append` returns. Raises SwitchFault.

One file tells the whole story (rollback journal, not WAL: a torn WAL would be taken for a shorter story in silence).
"""

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otagate.core.errors import SwitchFault

SCHEMA = 1
DURABLE = "EXTRA"  # FULL, and the folder as well
_APPLICATION = 0x07A6A7E1  # marks the file as ours
_TABLES = f"""
BEGIN IMMEDIATE;
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    promotion TEXT NOT NULL,
    body TEXT NOT NULL CHECK (json_valid(body))
);
CREATE INDEX by_promotion ON entries (promotion, seq);
CREATE TRIGGER never_changed BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
CREATE TRIGGER never_removed BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
PRAGMA user_version = {SCHEMA};
PRAGMA application_id = {_APPLICATION};
COMMIT;
"""
PUT_BACK = (  # by the steward's user, who may not write another's file; an old rollback would spoil the copy
    "cd /run/otagate && cat > copied && sync copied && rm -f journal.sqlite3-journal && mv copied journal.sqlite3"
)
REPAIR = (
    "the switch goes on serving what its map file says; put the journal back from a copy (docs/switch.md, the "
    f"journal's copy): docker exec -i STEWARD sh -c '{PUT_BACK}' < COPY, and ask again; nothing is taken for new or "
    "empty in its place"
)
_ROOM = "make room on the disk of the steward's volume; it goes on by itself"
_DISK = "see whether the disk of the steward's volume is sound, may be written and has room; it goes on by itself then"
log = logging.getLogger(__name__)


class JournalUnreadable(SwitchFault):
    """The journal is there and cannot be trusted, or should be there and is not."""

    default_code = "journal-unreadable"

    def __init__(self, what: str, hint: str = REPAIR) -> None:
        super().__init__(f"the steward's journal cannot be read: {what}", hint=hint)


class JournalFull(SwitchFault):
    """An entry could not be made durable; what it would have announced must not be done."""

    default_code = "journal-write"


@dataclass(frozen=True)
class Entry:
    """`at` in seconds since the epoch; `promotion` "" where it belongs to none."""

    seq: int
    at: float
    kind: str
    promotion: str
    body: Mapping[str, Any]


class Journal:
    """An open journal. One at a time: the caller holds the volume's lock."""

    def __init__(self, line: sqlite3.Connection) -> None:
        self._line = line
        self._lock = threading.Lock()
        self._last = 0  # entry

    @classmethod
    def found(cls, path: Path) -> "Journal":
        """An existing journal, checked whole. Raises JournalUnreadable."""
        if not path.is_file() or path.stat().st_size == 0:
            raise JournalUnreadable(f"{path.name} is missing or empty")
        try:
            if os.statvfs(path).f_flag & os.ST_RDONLY:
                raise JournalUnreadable(f"the disk under {path.name} may only be read", hint=_DISK)
            _sync_folder(path.parent)  # whoever wrote the last entry may have ended before it was there for good
        except OSError as error:
            raise JournalUnreadable(str(error), hint=_DISK) from error
        if not os.access(path, os.W_OK):  # SQLite would open it, and refuse each entry
            raise JournalUnreadable(f"{path.name} is not the steward's own, and takes no entry")
        try:
            line = _connect(path)
        except sqlite3.Error as error:
            raise JournalUnreadable(str(error)) from error
        try:
            return cls(line)._whole()
        except JournalUnreadable:
            line.close()
            raise

    def _whole(self) -> "Journal":
        try:
            _check(self._line)
        except sqlite3.Error as error:
            raise JournalUnreadable(str(error)) from error
        for wanted, entry in enumerate(self.entries(), start=1):
            if entry.seq != wanted:
                raise JournalUnreadable(f"entry {wanted} is missing")
            self._last = wanted
        return self

    @classmethod
    def made(cls, path: Path) -> "Journal":
        """A new journal, whole under its name or not there at all. Raises JournalFull."""
        unborn = path.with_suffix(".new")
        try:
            unborn.unlink(missing_ok=True)
            line = _connect(unborn)
            line.executescript(_TABLES)
            line.close()
            os.rename(unborn, path)
            _sync_folder(path.parent)
        except (OSError, sqlite3.Error) as error:
            raise JournalFull(f"no journal can be made: {error}", hint="is the steward's volume full?") from error
        return cls.found(path)

    def append(self, at: float, kind: str, promotion: str, body: Mapping[str, Any]) -> Entry:
        """Durable when it returns. Raises JournalFull; then nothing was written. Where that is not so, or cannot be
        seen, the process ends: nobody here knows any more what the journal says, and the next one reads it."""
        text = json.dumps(body, sort_keys=True, allow_nan=False)
        with self._lock:
            try:
                self._line.execute(
                    "INSERT INTO entries (at, kind, promotion, body) VALUES (?, ?, ?, ?)", (at, kind, promotion, text)
                )
            except sqlite3.Error as error:
                if self._grew():  # SQLite syncs the folder after its commit, and that may fail
                    log.critical("the journal's entry %d may be there or not: %s", self._last + 1, error)
                    os._exit(1)
                what = f"the steward's journal cannot be written: {error}"
                full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
                raise JournalFull(what, hint=_ROOM if full else _DISK) from error
            self._last += 1
        return Entry(self._last, at, kind, promotion, body)

    def _grew(self) -> bool:
        """Also where that cannot be seen; a closed one did not."""
        try:
            return bool(self._line.execute("SELECT 1 FROM entries WHERE seq > ?", (self._last,)).fetchone())
        except sqlite3.ProgrammingError:
            return False
        except sqlite3.Error:
            return True

    def entries(self, promotion: str | None = None, since: int = 0) -> tuple[Entry, ...]:
        """In order; all, or one promotion's, after entry `since`. Raises JournalUnreadable."""
        where, values = ("promotion = ? AND ", (promotion, since)) if promotion is not None else ("", (since,))
        try:
            with self._lock:
                rows = self._line.execute(
                    f"SELECT seq, at, kind, promotion, body FROM entries WHERE {where}seq > ? ORDER BY seq",  # noqa: S608 - fixed words
                    values,
                ).fetchall()
            return tuple(Entry(seq, at, kind, name, json.loads(body)) for seq, at, kind, name, body in rows)
        except (sqlite3.Error, ValueError) as error:
            raise JournalUnreadable(str(error)) from error

    def close(self) -> None:
        with self._lock:
            self._line.close()


def _connect(path: Path) -> sqlite3.Connection:
    line = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        line.execute("PRAGMA journal_mode = DELETE")
        line.execute(f"PRAGMA synchronous = {DURABLE}")
    except sqlite3.Error:
        line.close()
        raise
    return line


def _check(line: sqlite3.Connection) -> None:
    if line.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
        raise sqlite3.DatabaseError("it is not a steward's journal")
    found = line.execute("PRAGMA user_version").fetchone()[0]
    if found != SCHEMA:
        raise sqlite3.DatabaseError(f"it has schema {found}; this steward reads schema {SCHEMA}")
    verdict = line.execute("PRAGMA integrity_check").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    triggers = {row[0] for row in line.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    if not {"never_changed", "never_removed"} <= triggers:
        raise sqlite3.DatabaseError("it lost what keeps it append-only")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
