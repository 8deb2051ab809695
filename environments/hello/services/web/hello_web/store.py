"""The service's rows in PostgreSQL. Every call ends within its deadline, or raises StoreDown."""

import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, LiteralString, Protocol

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from hello_web.settings import Settings
from hello_web.summary import Summary

PATIENCE = 3.0  # seconds for a connection


class StoreDown(Exception):
    """The store does not answer, or not in time."""


class Conflict(Exception):
    """Another object is kept under this SOP instance UID already; nothing was changed."""


class Kept(Enum):
    NEW = "new"
    SAME = "same"  # the very same bytes were there already


@dataclass(frozen=True)
class Entry:
    """One object as it is kept. `kept_by` is the build that took it; `came_by` is http or dicom."""

    summary: Summary
    content: bytes
    kept_by: str
    colour: str
    came_by: str

    def line(self) -> dict[str, Any]:
        answer = self.summary.answer
        return {
            "sop_instance_uid": self.summary.sop_instance_uid,
            "modality": self.summary.modality,
            "bytes": answer["bytes"],
            "sha256": self.summary.sha256,
            "kept_by": self.kept_by,
        }


@dataclass(frozen=True)
class Span:
    """What one build kept as one colour since a time."""

    build: str
    colour: str
    since: datetime


class Objects(Protocol):
    """Where objects are kept. All raise StoreDown."""

    def keep(self, entry: Entry) -> Kept: ...
    def holds(self, uid: str) -> bool: ...
    def find(self, uid: str) -> dict[str, Any] | None:
        """summary, kept_by, came_by, kept_bytes: what its content takes in the store (None: not there yet), and
        quarantined."""

    def content(self, uid: str) -> bytes | None: ...
    def recent(self, limit: int) -> list[dict[str, Any]]: ...
    def written(self, span: Span, limit: int) -> tuple[int, list[str]]:
        """How many, and the UIDs of the first `limit`, oldest first."""

    def quarantine(self, span: Span) -> int:
        """Mark them all; answers how many of them are marked now."""


_KEEP = """INSERT INTO objects (sop_instance_uid, sop_class_uid, modality, bytes, sha256, packing, content, summary,
 kept_by, colour, came_by) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
 ON CONFLICT (sop_instance_uid) DO NOTHING RETURNING sop_instance_uid"""
_LINE = ("sop_instance_uid", "modality", "bytes", "sha256", "kept_by")
_RECENT = f"SELECT {', '.join(_LINE)} FROM objects ORDER BY kept_at DESC LIMIT %s"  # noqa: S608 (constants)
_FOUND = ("summary", "kept_by", "came_by", "kept_bytes", "quarantined")
_FIND = """SELECT summary, kept_by, came_by, pg_column_size(content),
 EXISTS (SELECT FROM quarantine WHERE quarantine.sop_instance_uid = objects.sop_instance_uid)
 FROM objects WHERE sop_instance_uid = %s"""
_OF_SPAN = "FROM objects WHERE kept_by = %s AND colour = %s AND kept_at >= %s"
_MARK = f"INSERT INTO quarantine (sop_instance_uid) SELECT sop_instance_uid {_OF_SPAN} ON CONFLICT DO NOTHING"
_MARKED = f"SELECT count(*) {_OF_SPAN} AND sop_instance_uid IN (SELECT sop_instance_uid FROM quarantine)"  # noqa: S608 (constants)
_WRITTEN = f"SELECT sop_instance_uid {_OF_SPAN} ORDER BY kept_at LIMIT %s"
_COUNT = f"SELECT count(*) {_OF_SPAN}"


class Store:
    """`compress` packs content before it is kept; every build reads both packings."""

    def __init__(self, settings: Settings, *, compress: bool) -> None:
        self._compress = compress
        self._pool = ConnectionPool(
            kwargs={
                "host": settings.store_host,
                "port": settings.store_port,
                "dbname": settings.store_name,
                "user": settings.store_user,
                "password": settings.store_password,
                "connect_timeout": 3,
                "tcp_user_timeout": 5000,
                "application_name": settings.identity.implementation,
                "options": "-c statement_timeout=10000 -c lock_timeout=5000",
                "autocommit": True,
            },
            min_size=2,
            max_size=12,
            open=False,
            check=ConnectionPool.check_connection,
            timeout=PATIENCE,
        )

    def open(self) -> None:
        self._pool.open(wait=False)

    def close(self) -> None:
        self._pool.close(timeout=1.0)

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        try:
            with self._pool.connection() as connection:
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
            raise StoreDown(type(error).__name__) from None

    def alive(self) -> bool:
        try:
            with self._connection() as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except StoreDown:
            return False

    def keep(self, entry: Entry) -> Kept:
        """Durable when it returns. Raises StoreDown, Conflict."""
        content = zlib.compress(entry.content, 1) if self._compress else entry.content
        summary = entry.summary
        row = (
            summary.sop_instance_uid,
            summary.sop_class_uid,
            summary.modality,
            len(entry.content),
            summary.sha256,
            "zlib" if self._compress else "plain",
            content,
            json.dumps(summary.answer),
            entry.kept_by,
            entry.colour,
            entry.came_by,
        )
        with self._connection() as connection:
            if connection.execute(_KEEP, row).fetchone() is not None:
                return Kept.NEW
            found = connection.execute("SELECT sha256 FROM objects WHERE sop_instance_uid = %s", row[:1]).fetchone()
        if found is None or found[0] != summary.sha256:
            raise Conflict(summary.sop_instance_uid)
        return Kept.SAME

    def holds(self, uid: str) -> bool:
        with self._connection() as connection:
            query = "SELECT 1 FROM objects WHERE sop_instance_uid = %s"
            return connection.execute(query, (uid,)).fetchone() is not None

    def find(self, uid: str) -> dict[str, Any] | None:
        with self._connection() as connection:
            found = connection.execute(_FIND, (uid,)).fetchone()
        return None if found is None else dict(zip(_FOUND, found, strict=True))

    def content(self, uid: str) -> bytes | None:
        with self._connection() as connection:
            query = "SELECT packing, content FROM objects WHERE sop_instance_uid = %s"
            found = connection.execute(query, (uid,), binary=True).fetchone()
        return None if found is None else _UNPACK[found[0]](found[1])

    def recent(self, limit: int) -> list[dict[str, Any]]:
        """The newest first."""
        with self._connection() as connection:
            return [dict(zip(_LINE, row, strict=True)) for row in connection.execute(_RECENT, (limit,)).fetchall()]

    def written(self, span: Span, limit: int) -> tuple[int, list[str]]:
        of = (span.build, span.colour, span.since)
        with self._connection() as connection:
            return (
                _number(connection, _COUNT, of),
                [uid for (uid,) in connection.execute(_WRITTEN, (*of, limit)).fetchall()],
            )

    def quarantine(self, span: Span) -> int:
        of = (span.build, span.colour, span.since)
        with self._connection() as connection:
            connection.execute(_MARK, of)
            return _number(connection, _MARKED, of)

    def tally(self, build: str, colour: str) -> None:
        """Counts the objects and writes the count as one row."""
        with self._connection() as connection:
            query = "INSERT INTO tallies (objects, build, colour) SELECT count(*), %s, %s FROM objects"
            connection.execute(query, (build, colour))


def _number(connection: psycopg.Connection, query: LiteralString, of: tuple[Any, ...]) -> int:
    found = connection.execute(query, of).fetchone()
    return 0 if found is None else int(found[0])


_UNPACK: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, "zlib": zlib.decompress}
