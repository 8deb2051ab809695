"""The dose is the right one: beside the live build's, and beside that of an engine that shares no code with it.

Gamma alone is no gate: with 3 % too much dose it still passes. So each comparison has the target's mean beside it.
"""

from collections.abc import Callable
from subprocess import SubprocessError
from typing import Any

import numpy as np
import pytest
from acceptance.criteria import gammas, share, worst
from acceptance.volumes import Dose, Mask, Volume, covered, read_dose
from bench import SPACING, STUDIES, Bench, Frozen, held
from conftest import Side
from drawing import drawn

pytest_plugins = ["bench"]
pytestmark = pytest.mark.risk("a wrong dose that looks right")

UNCHANGED = 1e-3  # % of the maximum
MEAN, COVERAGE, ORGAN = 1.0, 1.0, 2.0  # % against the live build; the organ's of the prescription
INDEPENDENT_MEAN, INDEPENDENT_COVERAGE = 2.0, 3.0  # % against the independent engine
PASSING = 95.0  # % of points with gamma of at most 1
ONE_GRID = 1e-3  # mm
DRAWN = ("synthetic-1", "tg119")


def off(evaluated: float, reference: float) -> float:
    """In %."""
    return 100.0 * (evaluated / reference - 1.0)


@pytest.mark.requirement("unchanged")
@pytest.mark.parametrize("name", STUDIES)
def test_no_voxel_of_a_frozen_plan_differs_from_the_live_builds(bench: Bench, name: str) -> None:
    """1e-5 of the maximum. Nothing is measured between two builds of one engine: honest change is 1e-15 (other BLAS
    kernel, other numpy), a real change of version of pyRadPlan moved its dose by 1.2e-6. More is a change of physics,
    and refused as long as no rule can be waived by name.
    """
    one = bench.frozen(name)
    assert one.live.gray.max() > 1.0, "control: there is a dose to compare with"
    held(f"{name}, worst voxel against the live build", apart(one.live, one.candidate), UNCHANGED)


@pytest.mark.requirement("unchanged")
def test_no_voxel_of_the_builds_own_plan_differs_from_the_live_builds_dose_of_it(bench: Bench) -> None:
    """As above, of the dose that the build archived with a plan that it optimised."""
    stored = read_dose(bench.own().dose)
    held("own plan, worst voxel against the live build", apart(bench.own_live(), stored), UNCHANGED)


@pytest.mark.requirement("unchanged")
def test_a_second_plan_on_a_study_has_a_dose_of_its_own(bench: Bench) -> None:
    """The build's own plan, its dose asked for where the build has computed a frozen plan on the same study: as the
    live build's, by the same limit. What an engine keeps must not answer for another plan; that the two plans' doses
    lie more than 10 % of the maximum apart is looked at first.
    """
    live = bench.own_live()
    assert apart(live, bench.frozen("synthetic-1").live) > 10.0, "control: another plan's dose could not be told"
    held("own plan asked for, worst voxel against the live build", apart(live, bench.own_again()), UNCHANGED)


@pytest.mark.requirement("dose")
def test_the_planner_passes_on_the_engines_dose(bench: Bench, candidate: Side) -> None:
    """The clinic asks the planner, never the engine: what comes by it is the dose of that plan, to the last bit."""
    one = bench.frozen("synthetic-1")
    answer = candidate.planner.asked("/forward", {"plan": one.study.plan_uid, "spacing": SPACING})
    passed = read_dose(answer.content)
    assert str(passed.head.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID) == one.study.plan_uid
    held("synthetic-1 by the planner, worst voxel against the engine's", apart(one.candidate, passed), 0.0)


def apart(reference: Dose, evaluated: Dose) -> float:
    """Largest difference in any voxel, in % of the reference's maximum; fails where the grids are not the same, for
    then the same voxel is another place."""
    for axis, wanted, found in zip("zyx", reference.axes, evaluated.axes, strict=True):
        assert wanted.shape == found.shape, f"{found.size} voxels on {axis}, {wanted.size} in the live build's dose"
        held(f"grid on {axis} against the live build's", float(np.abs(found - wanted).max()), ONE_GRID, "mm")
    return worst(reference.gray, evaluated.gray)


@pytest.mark.requirement("dose")
@pytest.mark.parametrize("name", STUDIES)
def test_a_frozen_plan_keeps_its_figures(bench: Bench, metric: Any, name: str) -> None:
    """Also of a declared change of physics: PTV mean and D95 within 1 %, organs' mean within 2 % of the target's
    (a part of AAPM MPPG 5.b's 2 % for calculation against commissioning data, Geurts 2022, where one engine changes).
    """
    one = bench.frozen(name)
    target = one.regions["PTV"]
    live, candidate = one.live.gray, one.candidate.gray
    mean = off(candidate[target].mean(), live[target].mean())
    coverage = off(covered(candidate[target], 95), covered(live[target], 95))
    noted(metric, "live-ptv-mean", mean, "live-ptv-d95", coverage, "live-worst-voxel", worst(live, candidate))
    held(f"{name}, PTV mean against the live build", mean, MEAN)
    held(f"{name}, PTV D95 against the live build", coverage, COVERAGE)
    for organ, mask in one.organs.items():
        difference = 100.0 * (candidate[mask].mean() - live[mask].mean()) / live[target].mean()
        held(f"{name}, {organ} mean against the live build, of the PTV's mean", difference, ORGAN)


@pytest.mark.requirement("dose")
@pytest.mark.parametrize("name", STUDIES)
def test_the_independent_engine_agrees_on_a_frozen_plan(
    bench: Bench, metric: Any, picture: Callable[..., None], name: str
) -> None:
    """From the plan as read back from the archive. Gamma 3 %/2 mm, global, above 10 %: at least 95 % of points (AAPM
    TG-218, Miften 2018) together with PTV mean within 2 % (MPPG 5.b, spot check) and D95 within 3 % (MPPG 5.b,
    heterogeneity and high gradient). The honest engine has 98.9 to 100 %, +0.5 % and +0.2 %.
    """
    one = bench.frozen(name)
    found = gammas(one.reference, one.candidate.gray, one.candidate.axes, 3.0, 2.0)
    undrawn = shown(picture, one, found) if name in DRAWN else ""
    agrees(name, one.reference, one.candidate, one.regions["PTV"], found, metric)
    if undrawn:  # says nothing against the build, and is no whole evidence for it
        pytest.skip(f"inconclusive: {undrawn}")


@pytest.mark.requirement("dose")
def test_the_independent_engine_agrees_on_the_builds_own_plan(bench: Bench) -> None:
    """The plan that the machine gets, by the same limits."""
    stored = read_dose(bench.own().dose)
    reference = bench.own_reference()
    found = gammas(reference, stored.gray, stored.axes, 3.0, 2.0)
    agrees("own plan", reference, stored, bench.frozen("synthetic-1").regions["PTV"], found, None)


def agrees(name: str, reference: Volume, dose: Dose, target: Mask, found: Volume, metric: Any) -> None:
    passing = share(found)
    mean = off(dose.gray[target].mean(), reference[target].mean())
    coverage = off(covered(dose.gray[target], 95), covered(reference[target], 95))
    if metric is not None:
        noted(metric, "independent-ptv-mean", mean, "independent-ptv-d95", coverage,
              "independent-worst-voxel", worst(reference, dose.gray))  # fmt: skip
        metric("independent-gamma", unit="%", direction="higher").add(candidate=passing)
    told = f"(gamma 3 %/2 mm passes at {passing:.2f} %)"
    held(f"{name}, PTV mean against the independent engine {told}", mean, INDEPENDENT_MEAN)
    held(f"{name}, PTV D95 against the independent engine {told}", coverage, INDEPENDENT_COVERAGE)
    held(f"{name}, points beyond gamma 3 %/2 mm against the independent engine", 100.0 - passing, 100.0 - PASSING)


def noted(metric: Any, *named: str | float) -> None:
    """Names and values in turn: how far off, without its sign."""
    for name, value in zip(named[::2], named[1::2], strict=True):
        metric(name, unit="%", direction="lower").add(candidate=abs(value))


def shown(picture: Callable[..., None], one: Frozen, found: Volume) -> str:
    """Puts dose planes and curves into the report; says why where they could not be drawn."""
    name, doses = one.study.name, {"candidate": one.candidate.gray, "live": one.live.gray, "reference": one.reference}
    plane = int(np.argmax(one.regions["PTV"].sum(axis=(1, 2))))
    heights, y, x = one.candidate.axes
    named = {"title": name, "names": np.array(list(one.regions)), "passing": share(found)}
    masks = np.array(list(one.regions.values()))
    flat = {engine: gray[plane] for engine, gray in doses.items()}
    where = {"x": x, "y": y, "z": heights[plane], "gamma": found[plane], "masks": masks[:, plane]}
    try:
        pictures = drawn(planes=named | flat | where, curves=named | doses | {"masks": masks})
    except (SubprocessError, OSError) as error:
        return f"the pictures were not drawn: {error}"
    picture(f"{name}-planes", f"{name}: the dose beside that of both others", pictures["planes"])
    picture(f"{name}-curves", f"{name}: dose-volume curves", pictures["curves"])
    return ""
