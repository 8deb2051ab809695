"""The books of a suite's run: a sound account balances, and no place in it can be changed without a flaw."""

import copy
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otagate.core.canonical import digest_of_bytes
from otagate.core.ledger import FLAWS, Ask, Balance, Ledger, Step
from otagate.core.metric import Metric
from otagate.core.picture import PICTURES, Picture
from otagate.core.policy import Direction
from otagate.core.suite import Case, Outcome
from tests.core.lines import ARGS, TOKEN, A, B, Messages, line, lines, sound
from tests.pngs import png


def settle(said: Sequence[bytes], status: int | None = 1, *, cut: str = "", last: str = "") -> Balance:
    ledger = Ledger(TOKEN, ARGS)
    for one in said:
        ledger.take(one)
    return ledger.settle(status, now=50.0, cut=cut, said=last)


def test_a_sound_account_balances() -> None:
    assert settle(lines(sound())) == Balance(
        collected=(A, B),
        cases=(
            Case(A, Outcome.PASSED, 10.0, 11.0, ("dose",), ("r1",)),
            Case(B, Outcome.FAILED, 11.0, 12.0, message="no", detail="a\nb"),
        ),
        flaws=(),
        metrics={"latency": Metric("latency", "ms", Direction.LOWER, (1.5,), (2.0,))},
        pictures=(Picture("dose", "Dose", A, digest_of_bytes(png()), 2, 1, len(png())),),
        contents={digest_of_bytes(png()): png()},
        status=1,
        ended=True,
        runner="pytest 9.0, Python 3.13.5",
    )


def test_steps_and_asks_come_out_as_they_go_in() -> None:
    ledger = Ledger(TOKEN, ARGS)

    out = [ledger.take(one) for one in lines(sound())]

    assert [o for o in out if o] == [
        Step(None, 0, 2),
        Ask(1, "restart", {"service": "web", "deadline": 30}),
        Step(Case(A, Outcome.PASSED, 10.0, 11.0, ("dose",), ("r1",)), 1, 2),
        Step(Case(B, Outcome.FAILED, 11.0, 12.0, message="no", detail="a\nb"), 2, 2),
    ]


def without(kind: str, which: int = 0) -> Callable[[Messages], Messages]:
    def change(messages: Messages) -> Messages:
        place = [i for i, message in enumerate(messages) if message["kind"] == kind][which]
        return messages[:place] + messages[place + 1 :]

    return change


def twice(kind: str, which: int = 0) -> Callable[[Messages], Messages]:
    def change(messages: Messages) -> Messages:
        place = [i for i, message in enumerate(messages) if message["kind"] == kind][which]
        return messages[: place + 1] + messages[place:]

    return change


def put(place: int, name: str, value: Any) -> Callable[[Messages], Messages]:
    def change(messages: Messages) -> Messages:
        messages[place][name] = value
        return messages

    return change


CHANGES: list[tuple[Callable[[Messages], Messages], str]] = [
    (without("session"), "before the session began"),
    (without("collected"), "never collected"),
    (without("start"), "without having been started"),
    (without("case"), "started while|1 collected case"),
    (without("case", 1), f"1 collected case\\(s\\) were never reported, {B} first"),
    (without("end"), "no end marker: the run ended with 1 in the middle"),
    (twice("session"), "the session began twice"),
    (twice("collected"), "collected twice"),
    (twice("start"), "started while"),
    (twice("case"), "reported twice"),
    (twice("case", 1), "reported twice"),
    (twice("ask"), "asks are out of order"),
    (twice("end"), "after the end marker"),
    (lambda m: [*m[:-2], m[-1], m[-2]], "after the end marker"),
    (lambda m: [m[0], m[2], m[1], *m[3:]], "started but was never collected"),
    (put(0, "args", ["-k", "good"]), "other arguments"),
    (put(0, "plugins", ["xdist 3.6"]), "plugins that nobody asked for were loaded: xdist 3.6"),
    (put(0, "optimized", 1), "assert statements were left out"),
    (put(1, "dropped", [B]), "found and then left out"),
    (put(2, "at", 9.0), "without having been started, or out of time"),
    (put(6, "ended", 9.0), "without having been started, or out of time"),
    (put(6, "id", "technical/test_z.py::test_z"), "reported but never collected"),
    (put(6, "outcome", "failed"), "the end marker counts 1 failed, 1 passed, 2 failed came"),
    (put(8, "outcome", "passed"), "the end marker counts|but 0 case"),
    (put(9, "collected", 3), "the end marker counts 3 collected cases, 2 came"),
    (put(9, "counts", {"passed": 2}), "the end marker counts 2 passed, 1 failed, 1 passed came"),
    (put(9, "status", 0), "pytest ended with 1 but told 0"),
    (put(9, "meddling", ["conftest.py implements pytest_pyfunc_call"]), "may have been meddled with: conftest.py"),
    (put(4, "content", "no base64!"), "picture dose is refused: it cannot be decoded"),
    (put(4, "size", 3 << 20), "picture dose is refused: its 3,145,728 bytes are more than"),
    (put(4, "name", "../dose"), "picture ../dose is refused: its name"),
    (twice("picture"), "picture dose is refused: there is one of that name already"),
    (lambda m: [*m[:2], m[4], *m[2:4], *m[5:]], "picture dose is refused: it came while no case ran"),
    (
        lambda m: [*m[:1], {"kind": "broken", "where": "a.py", "message": "E", "detail": ""}, *m[1:]],
        "a.py broke before",
    ),
    (lambda m: [*m[:4], {**m[3], "unit": "s"}, *m[4:]], "metric latency came in two units"),
    (lambda m: [*m[:4], {**m[3], "direction": "higher"}, *m[4:]], "metric latency came in two units"),
]


@pytest.mark.parametrize(("change", "flaw"), CHANGES, ids=lambda value: value if isinstance(value, str) else "")
def test_no_place_can_be_changed_without_a_flaw(change: Callable[[Messages], Messages], flaw: str) -> None:
    balance = settle(lines(change(copy.deepcopy(sound()))))

    assert any(re.search(flaw, one) for one in balance.flaws), balance.flaws
    assert len(balance.cases) == len(balance.collected)


@pytest.mark.parametrize("place", range(len(sound())))
def test_a_line_that_is_lost_moved_or_forged_is_a_flaw(place: int) -> None:
    said = lines(sound())
    forged = line(sound()[place], place, token="other")

    for changed in (
        said[:place] + said[place + 1 :],
        said[: place + 1] + said[place:],
        [*said[:place], forged, *said[place:]],
        [*said[:place], said[place][:-1], *said[place + 1 :]],
        [*said[:place], b"", *said[place:]],
        said[place:] + said[:place] if place else said[::-1],
    ):
        assert settle(changed).flaws


@pytest.mark.parametrize("status", [None, -9, -1, 0, 2, 3, 4, 5, 6, 137, 255])
def test_only_the_exit_status_that_fits_the_counts_is_believed(status: int | None) -> None:
    assert settle(lines(sound()), status).flaws
    told = sound()
    told[-1]["status"] = status if status is not None else 1
    assert settle(lines(told), status).flaws


def test_status_0_needs_all_passed_and_status_5_is_never_enough() -> None:
    passed = sound()
    passed[8]["outcome"] = "xfailed"
    passed[9].update(counts={"passed": 1, "xfailed": 1}, status=0)
    assert settle(lines(passed), 0).flaws == ()

    empty = [sound()[0], {"kind": "collected", "cases": [], "dropped": []}]
    empty.append({"kind": "end", "collected": 0, "counts": {}, "status": 5, "meddling": []})
    assert "no case was collected" in settle(lines(empty), 5).flaws


def test_nothing_at_all_is_a_flaw_that_says_what_the_child_said() -> None:
    assert settle([], 4, last="unknown option").flaws == (
        "pytest ended with 4 before its session began: unknown option",
    )


def test_what_the_parent_cut_off_is_named_first_and_the_case_that_ran_keeps_its_start() -> None:
    balance = settle(lines(sound()[:3]), None, cut="deadline of 3 s passed")

    assert balance.flaws == (
        "deadline of 3 s passed",
        f"2 collected case(s) were never reported, {A} first",
    )
    first, second = balance.cases
    assert (first.outcome, first.started, first.ended) == (Outcome.MISSING, 10.0, 50.0)
    assert (first.requirements, first.risks) == (("dose",), ("r1",))
    assert (second.outcome, second.started, second.ended) == (Outcome.MISSING, 0.0, 0.0)


def test_a_sample_that_is_not_finite_is_kept_as_it_is() -> None:
    told = sound()
    told[3].update(candidate="nan", baseline="-inf")

    metric = settle(lines(told)).metrics["latency"]

    assert math.isnan(metric.candidate[0])
    assert metric.baseline == (-math.inf,)


def test_floods_are_cut_with_a_flaw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otagate.core.ledger.SAMPLES", 500)
    ledger = Ledger(TOKEN, ARGS)
    for number, message in enumerate([*sound()[:3], *[sound()[3]] * (505)]):
        ledger.take(line(message, number))
    for number in range(PICTURES + 2):
        ledger.take(line({**sound()[4], "name": f"dose-{number}"}, 508 + number))

    balance = ledger.settle(0, now=0.0)

    assert len(balance.metrics["latency"].candidate) == 500
    assert len(balance.pictures) == PICTURES
    refused = f"picture dose-{PICTURES} is refused: a run keeps {PICTURES} pictures"
    assert {"more than 500 samples", refused} < set(balance.flaws)


def test_only_the_first_flaws_are_listed_and_the_rest_counted() -> None:
    flaws = settle([line(sound()[0], 10 * n) for n in range(100)]).flaws

    assert len(flaws) == FLAWS + 1
    assert re.fullmatch(r"and \d+ more of this kind", flaws[-1])


def test_hostile_names_are_spelled_out_everywhere() -> None:
    nasty = "a\x1b[2J\u202e\r\n::error::"
    told = sound()
    told[0]["plugins"] = [nasty]
    for place in (2, 6):
        told[place]["id"] = nasty
    told[1]["cases"][0].update(id=nasty, requirements=[nasty], risks=[nasty])
    told[1]["dropped"] = [nasty]
    told[3].update(metric=nasty, unit=nasty)
    told[4]["title"] = nasty
    told[8].update(message=nasty, detail=nasty)
    told[9].update(meddling=[nasty], counts={nasty: 1})

    balance = settle(lines(told))

    shown = [*balance.collected, *balance.flaws, *balance.metrics, balance.pictures[0].title]
    shown += [part for case in balance.cases for part in (case.id, case.message, *case.requirements, *case.risks)]
    shown += [metric.unit for metric in balance.metrics.values()]
    assert all(text.isprintable() for text in shown), shown
    assert [case.outcome for case in balance.cases] == [Outcome.PASSED, Outcome.FAILED]


@given(st.lists(st.sampled_from(lines(sound())) | st.binary(max_size=40), max_size=14), st.sampled_from([0, 1, None]))
def test_no_account_but_the_sound_one_balances(said: list[bytes], status: int | None) -> None:
    balance = settle(said, status)

    assert balance.flaws or (said == lines(sound()) and status == 1)
    assert len(balance.cases) == len(balance.collected)
