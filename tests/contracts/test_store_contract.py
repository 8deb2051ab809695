"""What every Store keeps to: the one in memory and the real one alike."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from otagate.adapters.store import SqlStore, sqlite_url
from otagate.core.errors import StoreFault, UsageError
from otagate.core.judge import Decision, Verdict
from otagate.core.promotion import Phase
from otagate.core.record import PromotionRecord
from otagate.core.traffic import Kind
from otagate.ports import Store
from tests.fakes.store import FakeStore
from tests.samples import promotion, stored

Make = Callable[[], Store]


@pytest.fixture(params=["fake", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return FakeStore() if request.param == "fake" else SqlStore(sqlite_url(str(tmp_path)))


def test_a_run_comes_back_as_it_was_saved(store: Store) -> None:
    run = stored()
    store.save_run(run)
    back = store.run("hello", run.header.run)
    # A NaN equals nothing, itself included; half a surrogate pair is all that may be lost.
    assert repr(back).replace("\\udc80", "?") == repr(run).replace("\\udc80", "?")
    assert math.isnan(back.record.metrics["memory"].candidate[0])
    assert back.record.suites["functional"].pictures == run.record.suites["functional"].pictures


def test_the_newest_run_is_the_last_recorded_one_whatever_the_clock_said(store: Store) -> None:
    first, second = stored("b"), stored("a")
    store.save_run(first)
    store.save_run(replace(second, header=replace(second.header, started=first.header.started - 3600)))
    assert store.runs("hello") == ("a", "b")
    assert store.run("hello", "").header.run == "a"


def test_a_unique_beginning_names_a_run_and_an_ambiguous_one_is_refused(store: Store) -> None:
    for name in ("2025-a", "2025-b", "2025"):
        store.save_run(stored(name))
    assert store.run("hello", "2025-a").header.run == "2025-a"
    assert store.run("hello", "2025").header.run == "2025"
    with pytest.raises(UsageError) as caught:
        store.run("hello", "202")
    assert caught.value.code == "ambiguous-run"


@pytest.mark.parametrize("asked", ["", "nothing", "%", "_"])
def test_an_unknown_run_is_the_callers_error_and_says_what_to_do(store: Store, asked: str) -> None:
    store.save_run(stored("one", platform="other"))
    with pytest.raises(UsageError) as caught:
        store.run("hello", asked)
    assert caught.value.code == "no-run"
    assert "otagate test" in caught.value.hint
    assert store.runs("hello") == ()


def test_the_same_run_twice_is_one_run(store: Store) -> None:
    store.save_run(stored("one"))
    store.save_run(stored("one"))
    assert store.runs("hello") == ("one",)


def test_a_recorded_run_is_never_replaced(store: Store) -> None:
    store.save_run(stored("one"))
    with pytest.raises(StoreFault) as caught:
        store.save_run(replace(stored("one"), ended=0.0))
    assert caught.value.code == "run-exists"
    assert store.run("hello", "one").ended == stored().ended


def test_platforms_do_not_see_each_others_runs(store: Store) -> None:
    store.save_run(stored("one"))
    store.save_run(stored("one", platform="clinic"))
    store.save_run(stored("two", platform="clinic"))
    assert (store.runs("hello"), store.runs("clinic")) == (("one",), ("two", "one"))


def test_a_promotion_may_be_told_again_as_it_goes_on(store: Store) -> None:
    store.save_promotion("hello", PromotionRecord(promotion(Phase.WATCHING, run="one")))
    store.save_promotion("hello", PromotionRecord(promotion(Phase.ROLLED_BACK, run="one"), figures={"failed": 0}))
    (kept,) = store.promotions_of("hello", "one")
    assert (kept.view.phase, dict(kept.figures)) == (Phase.ROLLED_BACK, {"failed": 0})


def test_a_run_that_was_never_promoted_has_no_promotion(store: Store) -> None:
    store.save_promotion("hello", PromotionRecord(promotion(run="one")))
    assert store.promotions_of("hello", "two") == ()
    assert store.promotions_of("clinic", "one") == ()


def test_a_rollback_that_left_a_runs_release_stands_after_its_promotion(store: Store) -> None:
    made = promotion(Phase.PROMOTED, run="one")
    back = replace(made, intent=replace(made.intent, promotion="r-1", kind=Kind.ROLLBACK))
    for view in (made, back, replace(made, reason="told again")):
        store.save_promotion("hello", PromotionRecord(view))
    told = (replace(made, reason="told again"), back)
    assert store.promotions_of("hello", "one") == tuple(PromotionRecord(view) for view in told)


def test_the_newest_conclusive_run_of_a_release_is_told(store: Store) -> None:
    first = stored("one")
    store.save_run(first)
    assert store.latest("hello", first.header.release) == ("one", Decision.REFUSE)
    later = replace(first, header=replace(first.header, run="two"), verdict=Verdict(Decision.INCONCLUSIVE))
    store.save_run(later)
    assert store.latest("hello", first.header.release) == ("one", Decision.REFUSE)
    store.save_run(replace(later, header=replace(later.header, run="three"), verdict=Verdict(Decision.APPROVE)))
    assert store.latest("hello", first.header.release) == ("three", Decision.APPROVE)
    assert store.latest("hello", "another") is None
    assert store.latest("clinic", first.header.release) is None
