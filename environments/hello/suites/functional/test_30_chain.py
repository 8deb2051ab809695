"""Plan, structures and dose-volume curves of one clinical study, against figures that are not the service's."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pydicom
import pytest
from conftest import Web
from figures import BIN, CURVES, relative_figures
from pydicom import Dataset


@pytest.fixture(scope="module")
def curves(anew: Callable[..., bytes], otagate: Any, regions: dict[int, str]) -> dict[str, dict[str, Any]]:
    """Region's name → the service's figures of its curve."""
    told = Web(otagate.candidate.host("web")).summary(anew("dose"))
    return {regions[curve["roi"]]: curve for curve in told["dose"]["dvhs"]}


def test_every_curve_of_the_dose_is_told(
    curves: dict[str, dict[str, Any]], dose: Dataset, regions: dict[int, str]
) -> None:
    numbers = [int(item.DVHReferencedROISequence[0].ReferencedROINumber) for item in dose.DVHSequence]
    assert sorted(curves) == sorted(regions[number] for number in numbers)
    assert len(curves) == 9
    assert {curve["units"] for curve in curves.values()} == {"GY"}


@pytest.mark.requirement("dose-volume")
@pytest.mark.parametrize("name", CURVES)
def test_a_curve_has_the_planning_systems_figures(curves: dict[str, dict[str, Any]], name: str) -> None:
    """Volume as printed; doses to one bin and half of the last printed digit."""
    told, stated = curves[name], CURVES[name]
    last_digit = 0.5 if stated.volume > 10_000 else 0.05
    assert told["volume"] == pytest.approx(stated.volume, abs=last_digit)
    assert told["volume_units"] == "CM3"
    assert told["mean"] == pytest.approx(stated.mean, abs=BIN + 0.005)
    assert told["maximum"] == pytest.approx(stated.maximum, abs=BIN + 0.005)
    assert told["d95"] == pytest.approx(stated.d95, abs=BIN + 0.005)


@pytest.mark.requirement("dose-volume")
@pytest.mark.parametrize("name", [name for name in CURVES if name != "BODY"])  # BODY: stated from another set of voxels
def test_a_curve_agrees_with_the_percentages_beside_it(
    curves: dict[str, dict[str, Any]], dose: Dataset, regions: dict[int, str], name: str
) -> None:
    mean, maximum = relative_figures(dose, next(number for number, known in regions.items() if known == name))
    assert curves[name]["mean"] == pytest.approx(mean, abs=BIN)
    assert curves[name]["maximum"] == pytest.approx(maximum, abs=2 * BIN)


def test_the_plan_is_told_as_it_was_prescribed(web: Web, linked: dict[str, bytes]) -> None:
    told = web.keep(linked["plan"])["plan"]
    assert told["fractions"] == [7]
    assert [beam["name"] for beam in told["beams"]] == ["3 RAO", "4 AP", "5 LAO", "6 LPO"]
    assert [beam["energy"] for beam in told["beams"]] == [10, 6, 6, 10]
    assert [beam["gantry"] for beam in told["beams"]] == [327, 0, 56, 150]
    assert [beam["control_points"] for beam in told["beams"]] == [92, 94, 103, 95]
    assert [beam["meterset"] for beam in told["beams"]] == [97, 87, 89, 94]
    assert {beam["radiation"] for beam in told["beams"]} == {"PHOTON"}


def test_the_structures_are_those_that_were_drawn(web: Web, linked: dict[str, bytes]) -> None:
    read = pydicom.dcmread(BytesIO(linked["structures"]))
    drawn = {
        int(region.ReferencedROINumber): [int(contour.NumberOfContourPoints) for contour in region.ContourSequence]
        for region in read.ROIContourSequence
        if "ContourSequence" in region
    }
    told = web.keep(linked["structures"])["structures"]["regions"]
    assert len(told) == 10
    for region in told:
        expected = drawn.get(region["number"], [])
        assert (region["contours"], region["points"]) == (len(expected), sum(expected)), region["name"]


def test_the_study_is_told_as_one(web: Web, linked: dict[str, bytes]) -> None:
    told = [web.summary(linked[name]) for name in ("ct", "plan", "structures")]
    assert {one["study_instance_uid"] for one in told} == {"2.16.840.1.113662.2.12.0.3057.1241703565.35"}
    assert [one["modality"] for one in told] == ["CT", "RTPLAN", "RTSTRUCT"]


def test_the_clinical_dose_is_kept_whole(web: Web, linked: dict[str, bytes]) -> None:
    told = web.keep(linked["dose"])
    assert web.content(told["sop_instance_uid"]) == linked["dose"]
