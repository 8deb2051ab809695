"""What the service does beyond figures: keeping later, working on its own, logging, ending."""

import logging
import os
import time
from collections.abc import Callable

import pytest
from hello_web import tally as tallying
from hello_web.behind import Behind
from hello_web.intake import Intake
from hello_web.limits import Truncated
from hello_web.store import Conflict, Kept
from hello_web.tally import Tally
from hello_web.traits import Traits

from tests.environments.hello.objects import IDENTITY, Memory, dose, entry, file_of


def eventually(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + 5
    while not true() and time.monotonic() < until:
        time.sleep(0.005)
    return true()


class TestBehind:
    def test_it_acknowledges_and_reads_back_before_anything_is_written(self) -> None:
        inner = Memory()
        behind = Behind(inner, 60)
        assert behind.keep(entry("1", b"whole")) is Kept.NEW
        assert inner.entries == {}
        assert behind.content("1") == b"whole"
        assert behind.holds("1")
        assert [line["sop_instance_uid"] for line in behind.recent(5)] == ["1"]

    def test_an_orderly_end_writes_what_waits(self) -> None:
        inner = Memory()
        behind = Behind(inner, 60)
        behind.keep(entry("1"))
        behind.close()
        assert set(inner.entries) == {"1"}

    def test_it_writes_by_itself_after_the_delay_also_when_the_store_was_away(self) -> None:
        inner = Memory()
        inner.down = True
        behind = Behind(inner, 0.01)
        with behind._lock:
            behind._waiting["1"] = entry("1")
        time.sleep(0.05)
        inner.down = False
        assert eventually(lambda: "1" in inner.entries)
        behind.close()

    def test_the_same_object_is_the_same_and_another_a_conflict(self) -> None:
        behind = Behind(Memory(), 60)
        behind.keep(entry("1", sha256="a"))
        assert behind.keep(entry("1", sha256="a")) is Kept.SAME
        with pytest.raises(Conflict):
            behind.keep(entry("1", sha256="b"))


class TestTally:
    @pytest.fixture(autouse=True)
    def _often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tallying, "PERIOD", 0.01)

    def test_it_is_silent_until_it_is_activated_and_after_it_is_passive(self) -> None:
        store = Memory()
        tally = Tally(store, IDENTITY)
        tally.start()
        time.sleep(0.1)
        assert store.tallies == []
        tally.activate()
        assert eventually(lambda: len(store.tallies) > 3)
        tally.passive()
        written = len(store.tallies)
        time.sleep(0.1)
        assert len(store.tallies) == written
        assert set(store.tallies) == {(IDENTITY.build, IDENTITY.colour)}
        tally.close()

    def test_a_store_that_is_away_does_not_end_it(self) -> None:
        store = Memory()
        store.down = True
        tally = Tally(store, IDENTITY)
        tally.start()
        tally.activate()
        time.sleep(0.05)
        store.down = False
        assert eventually(lambda: len(store.tallies) > 0)
        tally.close()


class TestIntake:
    def test_what_is_kept_bears_the_build_that_took_it(self) -> None:
        store, body = Memory(), file_of(dose())
        Intake(store, IDENTITY, Traits()).keep(body, "dicom")
        kept = store.entries["1.2.3"]
        assert (kept.kept_by, kept.colour, kept.came_by, kept.content) == (IDENTITY.build, "green", "dicom", body)

    @pytest.mark.parametrize("traits", [Traits(), Traits(log_patient=True)])
    def test_the_log_names_objects_and_only_a_leaking_build_persons(
        self, traits: Traits, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        Intake(Memory(), IDENTITY, traits).keep(file_of(dose()), "http")
        assert "sop=1.2.3" in caplog.text
        assert ("Secret" in caplog.text) is traits.log_patient

    def test_a_truncated_file_is_refused_and_only_a_crashing_build_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ended: list[bool] = []
        monkeypatch.setattr(os, "abort", lambda: ended.append(True))
        cut = file_of(dose())[:-5]
        with pytest.raises(Truncated):
            Intake(Memory(), IDENTITY, Traits()).summarise(cut)
        assert ended == []
        with pytest.raises(Truncated):
            Intake(Memory(), IDENTITY, Traits(abort_on_truncated=True)).summarise(cut)
        assert ended == [True]
