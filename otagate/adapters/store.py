"""The store of what was judged and promoted, on SQLAlchemy Core: SQLite by default, any other database by its URL."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otagate.adapters.migrations.rows import (
    checked_run,
    column,
    dumped,
    loaded,
    part_rows,
    promotion_row,
    run_row,
)
from otagate.core.canonical import digest_of_bytes
from otagate.core.errors import Fault, StoreFault, UsageError
from otagate.core.judge import Decision
from otagate.core.record import PromotionRecord
from otagate.core.text import printable
from otagate.ports import StoredRun

# SQLAlchemy, Alembic and pydantic cost most of a second: they are imported where first needed, so that a command
# that asks the store nothing starts at once.
if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL

_WAIT = 10  # seconds for another writer, or for a database elsewhere to answer
_WRITES = {"otagate_writes": True}


def sqlite_url(home: str) -> str:
    """The default store's URL, in the folder of otagate's records."""
    return f"sqlite:///{home}/otagate.sqlite"


class SqlStore:
    """ports.Store. Opened, and brought to the newest schema, at the first call; UsageError if the URL is none."""

    def __init__(self, url: str) -> None:
        self._given = url

    def save_run(self, run: StoredRun) -> None:
        """Record a run once; again with the same content changes nothing, with another is a StoreFault."""
        from otagate.adapters.migrations import tables

        header, body = run.header, dumped(run)
        bodied = {"body": body, "digest": digest_of_bytes(body.encode())}
        with self._connection(writes=True) as connection:
            row = {"platform": column(header.platform), "run": column(header.run)}
            known = connection.scalar(tables.runs.select().filter_by(**row).with_only_columns(tables.runs.c.body))
            if known == body:
                return
            if known is not None:
                raise StoreFault(
                    f"run {header.run} is recorded already, with another content",
                    code="run-exists",
                    hint=f"otagate verdict {header.run} shows what is recorded",
                )
            insert = tables.runs.insert().values(row | run_row(run) | bodied)
            of_run = {"run_seq": connection.scalar(insert.returning(tables.runs.c.seq))}
            for table, rows in part_rows(run).items():
                if rows:
                    connection.execute(tables.metadata.tables[table].insert(), [of_run | part for part in rows])

    def run(self, platform: str, run: str) -> StoredRun:
        """By id or unique beginning; "" means the newest. Alarm over a record that is not what was recorded."""
        known = self.runs(platform)
        if run in known:
            return self._load(platform, run)
        matching = [name for name in known if name.startswith(run)]
        if not matching:
            what = f"no run {run} of platform {platform}" if run else f"no run of platform {platform} yet"
            raise UsageError(what, code="no-run", hint="otagate test SERVICE=IMAGE makes one")
        if run and len(matching) > 1:
            raise UsageError(
                f"{len(matching)} runs of platform {platform} begin with {run}: {', '.join(matching[:5])}",
                code="ambiguous-run",
                hint="type more of its id",
            )
        return self._load(platform, matching[0])

    def runs(self, platform: str) -> tuple[str, ...]:
        """Ids, the last recorded first."""
        from otagate.adapters.migrations.tables import runs

        with self._connection(writes=False) as connection:
            of_platform = runs.select().where(runs.c.platform == column(platform)).order_by(runs.c.seq.desc())
            return tuple(connection.scalars(of_platform.with_only_columns(runs.c.run)))

    def latest(self, platform: str, release: str) -> tuple[str, Decision] | None:
        """The newest run of a release that was conclusive, as its checked record has it. Alarm like `run`."""
        from otagate.adapters.migrations.tables import runs

        of_release = runs.select().where(runs.c.platform == column(platform), runs.c.release == column(release))
        newest_first = of_release.order_by(runs.c.seq.desc()).with_only_columns(runs.c.run)
        with self._connection(writes=False) as connection:
            names = tuple(connection.scalars(newest_first))
        for name in names:
            if (decision := self._load(platform, name).verdict.decision) is not Decision.INCONCLUSIVE:
                return name, decision
        return None

    def save_promotion(self, platform: str, record: PromotionRecord) -> None:
        """Record a promotion as last told; a later telling takes its place."""
        from otagate.adapters.migrations.tables import promotions

        key = {"platform": column(platform), "promotion": column(record.view.intent.promotion)}
        values = promotion_row(record.view) | {"body": dumped(record)}
        with self._connection(writes=True) as connection:
            if not connection.execute(promotions.update().filter_by(**key).values(values)).rowcount:
                connection.execute(promotions.insert().values(key | values))

    def promotions_of(self, platform: str, run: str) -> tuple[PromotionRecord, ...]:
        """The promotions of a run's release and the rollbacks that left it, oldest first."""
        from otagate.adapters.migrations.tables import promotions as table

        of_run = table.select().where(table.c.platform == column(platform), table.c.run == column(run))
        with self._connection(writes=False) as connection:
            bodies = connection.scalars(of_run.order_by(table.c.seq).with_only_columns(table.c.body)).all()
        return tuple(loaded(PromotionRecord, f"a promotion of run {run}", body) for body in bodies)

    def _load(self, platform: str, run: str) -> StoredRun:
        from otagate.adapters.migrations.tables import runs

        with self._connection(writes=False) as connection:
            one = runs.select().where(runs.c.platform == column(platform), runs.c.run == run)
            return checked_run(connection.execute(one).one()._asdict())

    @contextmanager
    def _connection(self, *, writes: bool) -> Iterator["Connection"]:
        """One transaction, whole or not at all; the library's errors become ours."""
        with (
            _translating(self._name),
            self._engine.execution_options(**_WRITES if writes else {}).begin() as connection,
        ):
            yield connection

    @cached_property
    def _url(self) -> "URL":
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            return make_url(self._given)
        except ArgumentError:
            hint = "for example sqlite:////var/lib/otagate/otagate.sqlite or postgresql+psycopg://user@host/otagate"
            raise UsageError("the store's URL cannot be read", code="store-url", hint=hint) from None

    @cached_property
    def _name(self) -> str:
        """As people may read it: a path, or a URL without its password."""
        file = self._url.database if self._url.get_backend_name() == "sqlite" else None
        return file or self._url.render_as_string(hide_password=True)

    @cached_property
    def _engine(self) -> "Engine":
        with _translating(self._name):
            engine = _engine(self._url)
            _bring_up_to_date(engine, self._name)
        return engine


def _engine(url: "URL") -> "Engine":
    from sqlalchemy import NullPool, create_engine, event

    if url.get_backend_name() != "sqlite":
        return create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": _WAIT})
    if url.database:
        _make_file(Path(url.database))
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": _WAIT})
    event.listen(engine, "connect", _settle)
    event.listen(engine, "begin", _begin)
    return engine


def _make_file(path: Path) -> None:
    """Readable by its owner alone from the first byte on; SQLite gives its side files the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _settle(connection: Any, record: object) -> None:  # noqa: ARG001 - SQLAlchemy's signature
    connection.isolation_level = None  # otherwise the driver commits before each change of a table
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: "Connection") -> None:
    # A writer takes its lock at the start: taken later, between reading and writing, it could only fail.
    writes = connection.get_execution_options().get("otagate_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _bring_up_to_date(engine: "Engine", name: str) -> None:
    """Run the steps that are missing; StoreFault over a schema that is newer than this otagate, or not otagate's."""
    from otagate.adapters.migrations.tables import HEAD

    with engine.begin() as connection:
        if _version(connection, name) == HEAD:
            return
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    with engine.execution_options(**_WRITES).begin() as connection:
        version = _version(connection, name)  # once more, under the lock: another process may have been faster
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        known = {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}
        if version is not None and version not in known:
            raise StoreFault(
                f"{name} has schema {version}, which this otagate does not know: a newer one made it",
                code="store-newer",
                hint="use the newer otagate, or another OTAGATE_HOME",
            )
        command.upgrade(config, "head")


def _version(connection: "Connection", name: str) -> str | None:
    """The schema's step; None for an empty database."""
    from sqlalchemy import inspect, text

    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        version = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return None if version is None else str(version)
    if tables:
        raise StoreFault(
            f"{name} holds tables that are not otagate's ({', '.join(sorted(tables)[:3])})",
            code="store-foreign",
            hint="give the store a database of its own",
        )
    return None


# What SQLite's own result codes mean to whoever waits for the command: code, what is wrong, what to do.
_CODES: Mapping[int, tuple[str, str, str]] = {
    5: ("store-busy", "is held by another process", "try again; otagate status shows who is at work"),
    8: ("store-read-only", "cannot be written", "give it, and its folder, to this user, or set OTAGATE_HOME elsewhere"),
    10: ("store-disk", "cannot be read or written on this disk", "look at the disk, then run the command again"),
    11: ("store-corrupt", "is damaged", "keep the file, restore it from a backup, or move it aside to begin anew"),
    13: ("store-full", "cannot grow: the disk is full", "free some space (df -h shows where), then run it again"),
    14: ("store-unreachable", "cannot be opened", "look at the folder's owner and mode, or set OTAGATE_HOME elsewhere"),
    26: (
        "store-corrupt",
        "is not a database",
        "keep the file, restore it from a backup, or move it aside to begin anew",
    ),
}


@contextmanager
def _translating(name: str) -> Iterator[None]:
    """Every error of SQLAlchemy, its drivers, Alembic and the file system becomes a StoreFault."""
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    try:
        yield
    except DBAPIError as error:
        raise _fault(name, error.orig) from error
    except SQLAlchemyError as error:
        raise StoreFault(
            f"the store {name}: {printable(str(error), 300)}", hint="otagate doctor looks at it"
        ) from error
    except ImportError as error:
        raise StoreFault(
            f"the store {name} needs a driver that is not installed: {error}", hint="install its driver beside otagate"
        ) from error
    except OSError as error:
        raise StoreFault(
            f"the store {name} cannot be opened: {error.strerror or error}",
            code="store-unreachable",
            hint="look at the folder's owner, mode and free space, or set OTAGATE_HOME elsewhere",
        ) from error


def _fault(name: str, error: object) -> Fault:
    number = getattr(error, "sqlite_errorcode", None)
    if number is not None and (number & 0xFF) in _CODES:
        code, what, hint = _CODES[number & 0xFF]
        return StoreFault(f"the store {name} {what} ({error})", code=code, hint=hint)
    return StoreFault(
        f"the store {name}: {printable(str(error), 300)}", hint="is the database up and its schema whole?"
    )
