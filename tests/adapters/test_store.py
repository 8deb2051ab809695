"""The store on real files: durability settings, schema steps, and what each sickness of disk or file turns into."""

import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event

from otagate.adapters import store as adapter
from otagate.adapters.migrations.tables import HEAD, metadata
from otagate.adapters.store import SqlStore, sqlite_url
from otagate.core.errors import Alarm, Exit, StoreFault, UsageError
from otagate.core.judge import contradiction
from otagate.core.promotion import Phase
from otagate.core.record import PromotionRecord
from tests.samples import POLICY, promotion, stored


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "otagate.sqlite"


def at(file: Path) -> SqlStore:
    return SqlStore(sqlite_url(str(file.parent)))


def rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(file)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def change(file: Path, statement: str, *values: str) -> None:
    connection = sqlite3.connect(file)
    try:
        connection.execute(statement, values)
        connection.commit()
    finally:
        connection.close()


def test_results_and_updates_can_be_asked_for_in_sql(file: Path) -> None:
    at(file).save_run(stored("one"))
    at(file).save_promotion("hello", PromotionRecord(promotion(Phase.WATCHING)))
    at(file).save_promotion("hello", PromotionRecord(promotion(Phase.ROLLED_BACK)))
    assert rows(file, "SELECT platform, run, decision, by FROM runs") == [("hello", "one", "refuse", "ada")]
    assert rows(file, "SELECT outcome, count(*) FROM cases GROUP BY outcome ORDER BY outcome") == [
        ("crashed", 1),
        ("failed", 1),
        ("passed", 5),
    ]
    assert rows(file, "SELECT rule FROM findings WHERE mark = 'fail' AND NOT trial") == [
        ("dose",),
        ("crash",),
        ("drift",),
    ]
    assert rows(file, "SELECT side, count(*) FROM samples WHERE metric = 'summary-latency' GROUP BY side") == [
        ("baseline", 40),
        ("candidate", 40),
    ]
    assert rows(file, "SELECT value FROM samples WHERE metric = 'memory'") == [(None,)]
    assert rows(file, "SELECT side, service, reference FROM builds ORDER BY side") == [
        ("baseline", "web", "hello/web:1.0"),
        ("candidate", "web", "hello/web:1.2"),
    ]
    assert rows(file, "SELECT kind, colour, phase, reason FROM promotions") == [
        ("promote", "green", "rolled-back", "errors above the limit")
    ]


def test_the_file_is_its_owners_alone_and_every_commit_is_on_the_disk(file: Path) -> None:
    store = at(file)
    store.save_run(stored())
    assert file.stat().st_mode & 0o777 == 0o600
    with store._connection(writes=False) as connection:
        told = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
        assert told == ["wal", 2]  # 2 is FULL
        assert {path.stat().st_mode & 0o777 for path in file.parent.iterdir()} == {0o600}


def test_the_steps_of_the_schema_lead_to_the_tables_that_the_store_uses(file: Path) -> None:
    at(file).runs("hello")
    engine = create_engine(sqlite_url(str(file.parent)))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == HEAD
    engine.dispose()
    assert ScriptDirectory(str(Path(adapter.__file__).parent / "migrations")).get_current_head() == HEAD


def test_a_step_that_breaks_leaves_no_half_schema(file: Path) -> None:
    change(file, "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    change(file, "CREATE TABLE promotions (odd TEXT)")
    with pytest.raises(StoreFault):
        at(file).runs("hello")
    assert sorted(rows(file, "SELECT name FROM sqlite_master WHERE type = 'table'")) == [
        ("alembic_version",),
        ("promotions",),
    ]


def test_a_run_that_cannot_be_saved_whole_is_not_saved_at_all(file: Path) -> None:
    store = at(file)
    store.save_run(stored("one"))
    change(file, "DROP TABLE findings")
    with pytest.raises(StoreFault, match="no such table"):
        store.save_run(stored("two"))
    assert store.runs("hello") == ("one",)
    assert rows(file, "SELECT count(*) FROM cases") == [(7,)]


def fault_of(store: SqlStore) -> StoreFault:
    with pytest.raises(StoreFault) as caught:
        store.save_run(stored("new"))
    assert caught.value.exit is Exit.FAULT
    assert caught.value.hint
    return caught.value


def test_a_full_disk_is_a_fault_and_what_was_saved_stays(file: Path) -> None:
    store = at(file)
    store.save_run(stored("one"))
    pages = rows(file, "PRAGMA page_count")[0][0]
    event.listen(store._engine, "connect", lambda c, _: c.execute(f"PRAGMA max_page_count = {pages}").close())
    fault = fault_of(store)
    assert (fault.code, "disk is full" in fault.message, "df -h" in fault.hint) == ("store-full", True, True)
    assert at(file).runs("hello") == ("one",)


def test_a_disk_that_refuses_to_write_is_a_fault_and_what_was_saved_stays(file: Path) -> None:
    at(file).save_run(stored("one"))
    told = in_a_child("resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))", f"save({str(file.parent)!r})")
    assert told.startswith("store-disk 4 look at the disk")
    assert at(file).runs("hello") == ("one",)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user could reach (pytest's own cannot be)."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("there", [True, False], ids=["with a store in it", "empty"])
def test_a_read_only_folder_is_a_fault(open_folder: Path, *, there: bool) -> None:
    if there:
        at(open_folder / "otagate.sqlite").runs("hello")
        (open_folder / "otagate.sqlite").chmod(0o444)
    open_folder.chmod(0o555)
    # Root may write anywhere, so the child becomes somebody else first.
    told = in_a_child("if os.geteuid() == 0: os.setegid(65534), os.seteuid(65534)", f"save({str(open_folder)!r})")
    open_folder.chmod(0o755)
    assert told.startswith("store-unreachable 4 look at the folder's owner")


def in_a_child(*lines: str) -> str:
    """What a process of its own says: its limits and its user would hold for the whole test run otherwise."""
    script = """
import os, resource, tempfile
from otagate.adapters.store import SqlStore, sqlite_url
from otagate.core.errors import StoreFault
from tests.samples import stored

def save(home):
    try:
        SqlStore(sqlite_url(home)).save_run(stored("new"))
    except StoreFault as fault:
        print(fault.code, fault.exit.value, fault.hint)

# Once where all is well, so that every module has been imported by the time the child is held short.
with tempfile.TemporaryDirectory() as well:
    save(well)
"""
    done = subprocess.run(
        # -B: a limit on the size of files would leave half a byte code file behind, for everyone
        [sys.executable, "-B", "-c", script + "\n".join(lines)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_store_that_the_database_will_not_change_is_a_fault(file: Path) -> None:
    store = at(file)
    store.runs("hello")
    event.listen(store._engine, "connect", lambda c, _: c.execute("PRAGMA query_only = ON").close())
    assert fault_of(store).code == "store-read-only"


def test_a_store_that_another_holds_is_a_fault_after_the_deadline(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "_WAIT", 0.2)
    store = at(file)
    store.runs("hello")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert fault_of(store).code == "store-busy"
        assert store.runs("hello") == ()  # readers are not kept waiting
    finally:
        other.close()
    store.save_run(stored())


def test_a_file_that_is_no_database_is_a_fault_and_is_left_alone(file: Path) -> None:
    file.write_bytes(b"not a database" * 1000)
    assert fault_of(at(file)).code == "store-corrupt"
    assert file.read_bytes() == b"not a database" * 1000


def test_a_damaged_database_is_a_fault(file: Path) -> None:
    for name in range(20):
        at(file).save_run(stored(str(name)))
    content = bytearray(file.read_bytes())
    content[8192:] = b"\xa5" * (len(content) - 8192)
    file.write_bytes(content)
    with pytest.raises(StoreFault) as caught:
        at(file).runs("hello")
    assert caught.value.code == "store-corrupt"


@pytest.mark.parametrize("body", ["", "{", '{"body": {}}', '{"body": null}', "[]", '{"other": 1}'])
def test_a_record_that_is_not_whole_is_a_fault(file: Path, body: str) -> None:
    store = at(file)
    store.save_run(stored())
    change(file, "UPDATE runs SET body = ?", body)
    with pytest.raises(StoreFault) as caught:
        store.run("hello", "")
    assert caught.value.code == "store-corrupt"


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ('UPDATE runs SET body = replace(body, \'"by": "ada"\', ?)', '"by": "eve"'),
        ("UPDATE runs SET digest = ?", ""),
        ("UPDATE runs SET decision = ?", "inconclusive"),
        ("UPDATE runs SET ended = ended + ?", "1"),
        ("UPDATE runs SET policy_digest = ?", "sha256:0"),
    ],
)
def test_a_row_that_was_changed_is_an_alarm_for_whoever_asks(file: Path, statement: str, value: str) -> None:
    store = at(file)
    store.save_run(stored("one"))
    kept = rows(file, "SELECT * FROM runs")
    change(file, statement, value)
    assert rows(file, "SELECT * FROM runs") != kept
    for ask in (lambda: store.run("hello", "one"), lambda: store.latest("hello", stored().header.release)):
        with pytest.raises(Alarm) as caught:
            ask()
        assert caught.value.code == "record-altered"


def test_runs_of_before_their_digest_was_kept_can_still_be_read(file: Path) -> None:
    at(file).save_run(stored("one"))
    change(file, "ALTER TABLE runs DROP COLUMN digest")
    change(file, "UPDATE alembic_version SET version_num = '0001'")
    assert at(file).run("hello", "one").header.run == "one"


def test_a_stored_verdict_is_still_what_its_record_comes_to(file: Path) -> None:
    at(file).save_run(stored("one"))
    back = at(file).run("hello", "one")
    assert contradiction(POLICY, back.record, back.verdict) == ""


def test_a_newer_schema_is_a_fault_and_is_left_alone(file: Path) -> None:
    at(file).save_run(stored())
    change(file, "UPDATE alembic_version SET version_num = '9999'")
    before = file.read_bytes()
    fault = fault_of(at(file))
    assert (fault.code, "9999" in fault.message) == ("store-newer", True)
    assert file.read_bytes() == before


def test_somebody_elses_database_is_a_fault_and_is_left_alone(file: Path) -> None:
    change(file, "CREATE TABLE patients (name TEXT)")
    before = rows(file, "SELECT name FROM sqlite_master")
    assert fault_of(at(file)).code == "store-foreign"
    assert rows(file, "SELECT name FROM sqlite_master") == before


def test_a_home_that_is_a_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    assert fault_of(SqlStore(sqlite_url(str(tmp_path / "home")))).code == "store-unreachable"


def test_a_folder_in_the_place_of_the_file_is_a_fault(file: Path) -> None:
    file.mkdir()
    assert fault_of(at(file)).code == "store-unreachable"


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite", "://x"])
def test_a_url_that_cannot_be_read_is_the_callers_error(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        SqlStore(url).runs("hello")
    assert caught.value.code == "store-url"


@pytest.mark.parametrize("url", ["oracle+oracledb://u:geheim@127.0.0.1/x", "nodialect://u:geheim@127.0.0.1/x"])
def test_a_database_without_its_driver_is_a_fault_that_hides_the_password(url: str) -> None:
    fault = fault_of(SqlStore(url))
    assert "geheim" not in fault.message + fault.hint


def test_a_database_that_does_not_answer_is_a_fault_that_hides_the_password() -> None:
    fault = fault_of(SqlStore("postgresql+psycopg://u:geheim@127.0.0.1:1/otagate"))
    assert "geheim" not in fault.message
    assert "127.0.0.1" in fault.message


def test_processes_that_open_a_new_store_at_once_all_find_it_whole(tmp_path: Path) -> None:
    script = """
import sys
from dataclasses import replace
from otagate.adapters.store import SqlStore, sqlite_url
from tests.samples import stored
store = SqlStore(sqlite_url(sys.argv[1]))
for turn in range(3):
    store.save_run(stored(f"{sys.argv[2]}-{turn}"))
"""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "home"), str(child)],
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )
        for child in range(4)
    ]
    assert [(child.communicate(timeout=90)[1], child.returncode) for child in children] == [("", 0)] * 4
    store = SqlStore(sqlite_url(str(tmp_path / "home")))
    assert sorted(store.runs("hello")) == sorted(f"{child}-{turn}" for child in range(4) for turn in range(3))


def test_importing_the_store_imports_no_database_library() -> None:
    script = (
        "import sys; import otagate.adapters.store, otagate.adapters.vault; "
        "print([m for m in ('sqlalchemy', 'alembic', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_times_that_are_no_numbers_do_not_lose_the_run(file: Path) -> None:
    run = stored()
    suite = run.record.suites["technical"]
    cases = (replace(suite.cases[0], started=float("nan"), ended=float("inf")), *suite.cases[1:])
    record = replace(run.record, suites={"technical": replace(suite, cases=cases)})
    at(file).save_run(replace(run, record=record))
    assert at(file).run("hello", "").record.suites["technical"].cases[0].ended == float("inf")
