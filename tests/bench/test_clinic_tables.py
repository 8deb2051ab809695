"""The tables of the clinic's figures: what was seen stands in them, and nothing stands for what was not."""

from typing import Any

import pytest

from tests.bench.clinic import tables
from tests.bench.clinic.ground import CLINIC
from tests.bench.clinic.parts import OTHERS, PARTS, tags, usual_plan

SOUND: dict[str, Any] = {
    "ended_at": None,
    "forward_worst": 0.0,
    "forward_ms": [{"build": 30.0, "live": 20.0}, {"build": 31.0, "live": 21.0}, {"build": 90.0, "live": 22.0}],
    "plan_s": [{"build": 2.0, "live": 1.9}],
    "iterations": [{"build": 139, "live": 191}],
    "objective": [{"build": 169.52, "live": 169.62}],
    "target_mean": {"build": 50.8, "live": 50.8},
    "structures_missing": False,
    "own_refused": "",
    "own_worst": 0.0,
    "tiring": {"patients": 21, "failed_before": 0, "requests": 50, "failed": 0, "healthz": 200},
}


def row(**changed: Any) -> list[str]:
    """The cells of one build's row."""
    return [cell.strip() for cell in tables.builds({"1.1": {**SOUND, **changed}})[-1].strip("|").split("|")]


def test_a_sound_build_has_its_numbers_and_nothing_otherwise() -> None:
    assert row() == [
        "1.1", "0", "0", "31.0 (30.0–90.0)", "21.0 (20.0–22.0)", "2.0 (2.0–2.0)", "1.9 (1.9–1.9)", "139 (191)",
        "169.52 (169.62)", "",
    ]  # fmt: skip


def test_a_build_that_ended_has_what_was_seen_before_and_no_more() -> None:
    cells = tables.builds({"1.5": {"ended_at": 2, "exit": 139, "forward_worst": 0.0}})[-1].strip("|").split("|")
    told = "**the process ends at request 2** (exit 139)"
    assert [cell.strip() for cell in cells] == ["1.5", "0", *[""] * 7, told]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"own_worst": 3.0}, "its own words: PTV mean 50.80 Gy (live 50.80)"),
        ({"structures_missing": True}, "**its plan refers to a structure set that is not in the archive**"),
        (
            {"tiring": {**SOUND["tiring"], "failed": 10}},
            "**0 of 21 patients' first requests fail, then 10 of 50 requests; `/healthz` answers 200**",
        ),
    ],
)
def test_control_each_fault_is_told(changed: dict[str, Any], words: str) -> None:
    assert row(**changed)[-1] == words


def test_a_dose_that_was_refused_is_no_difference_of_none() -> None:
    assert row(own_worst=None, own_refused="not-found")[2] == "cannot be asked for: `not-found`"


@pytest.mark.parametrize("lacking", sorted(set(SOUND) - {"target_mean"}))
def test_a_figure_that_was_not_taken_is_an_error(lacking: str) -> None:
    with pytest.raises(KeyError, match=lacking):
        tables.builds({"1.1": {name: value for name, value in SOUND.items() if name != lacking}})


def test_plans_of_one_build_that_differ_are_told_from_least_to_most() -> None:
    pairs: list[dict[str, float]] = [{"build": 9, "live": 191}, {"build": 12, "live": 191}, {"build": 10, "live": 191}]
    assert tables.both(pairs, "d") == "9–12 (191)"


@pytest.mark.parametrize(("part", "told"), [(0.0, "0"), (6.0e-16, "6.0e-16"), (0.042, "4.2 %"), (0.001, "0.1 %")])
def test_a_difference_is_told_as_a_reader_sees_it(part: float, told: str) -> None:
    assert tables.share(part) == told


def test_the_chain_has_every_hop_with_its_spread() -> None:
    hops = [dict.fromkeys(tables.HOPS, value) for value in (0.01, 0.02, 0.5)]
    lines = tables.chain(hops)
    assert len(lines) == 2 + len(tables.HOPS)
    assert lines[2].endswith("| 0.020 (0.010–0.500) |")
    assert "| **all** | **0.020 (0.010–0.500)** |" in lines
    with pytest.raises(KeyError, match="machine"):
        tables.chain([{name: 1.0 for name in tables.HOPS if name != "machine"}])


def test_a_service_without_a_reading_is_an_error() -> None:
    reference = {"computed": [5.0], "kept": [0.6], "memory": 420.0}
    assert tables.services({"vna": [0.3]}, {"vna": 18.0}, {"vna": 43.0}, reference)[2:] == [
        "| vna | 0.3 (0.3–0.3) | 18 | 43 |",
        "| reference, one plan | 5.0 (5.0–5.0); 0.6 (0.6–0.6) if computed before | | 420 at most resident |",
    ]
    with pytest.raises(KeyError):
        tables.services({"vna": [0.3]}, {}, {"vna": 43.0}, reference)


@pytest.mark.parametrize("name", ["total_inactive_file", "inactive_file"])
def test_memory_is_what_docker_stats_shows(name: str) -> None:
    stats = {"memory_stats": {"usage": 30 * 2**20, "stats": {name: 10 * 2**20}}}
    assert tables.mebibytes(stats) == 20.0
    with pytest.raises(KeyError):
        tables.mebibytes({"memory_stats": {"usage": 1, "stats": {}}})


def test_the_page_has_a_place_for_every_part() -> None:
    text = (CLINIC / "docs" / "figures.md").read_text()
    assert [name for name in PARTS if f"<!-- {name}: begin -->" not in text] == []


def test_every_declared_build_is_measured_and_the_usual_plan_is_the_planners() -> None:
    assert [*tags()] == [f"1.{number}" for number in range(8)]
    assert usual_plan()["gantry"] == [0, 72, 144, 216, 288]


def test_the_first_other_way_is_the_first_way_again() -> None:
    assert next(iter(OTHERS)) == "again"
