"""A passive build does nothing on its own; asked to be active it does, so the silence was its own."""

import time

import pytest
from conftest import Rows, Web

QUIET = 1.2  # seconds: longer than the period of what an active build writes
SETTLED = 3.0  # seconds without a row: what earlier cases sent has become rows by then
PATIENCE = 12.0
COUNT = "SELECT (SELECT count(*) FROM tallies) + (SELECT count(*) FROM objects)"


def _grows_within(rows: Rows, seconds: float) -> bool:
    before, until = rows.one(COUNT), time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.25)
        if rows.one(COUNT) != before:
            return True
    return False


def _falls_silent(rows: Rows) -> bool:
    """Whether nothing is written any more; what was asked for before may become rows a little later."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if not _grows_within(rows, SETTLED):
            return True
    return False


@pytest.mark.requirement("passive")
@pytest.mark.risk("two colours work on the same patients")
def test_a_passive_build_writes_nothing(web: Web, rows: Rows) -> None:
    assert web.get("/healthz").json()["active"] is False
    assert _falls_silent(rows), "it wrote while passive"
    try:
        assert web.post("/hooks/activate").status_code == 200
        assert _grows_within(rows, 5.0), "control: active, it writes"
    finally:
        answer = web.post("/hooks/passive")
    assert (answer.status_code, answer.json()["active"]) == (200, False)
    assert not _grows_within(rows, QUIET), "it wrote after it said that it is passive"
