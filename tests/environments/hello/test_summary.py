"""The figures, and what becomes of files that do not deserve any."""

import json
from typing import Any

import numpy as np
import pytest
from hello_web.limits import Unreadable
from hello_web.summary import RT_STRUCTURES, summarise
from hello_web.traits import Traits
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from tests.environments.hello.objects import EXPLICIT, IMPLICIT, curve, dose, file_of, identified, plan

PLAIN = Traits()


def told(dataset: Dataset, traits: Traits = PLAIN, syntax: str = EXPLICIT) -> dict[str, Any]:
    return summarise(file_of(dataset, syntax), traits).answer


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("kind", ["u1", "<u2", "<u4", "<i4"])
def test_the_maximum_is_the_largest_voxel_times_the_scaling(syntax: str, kind: str) -> None:
    stored = np.ones((2, 3, 4), dtype=kind)
    stored[1, 2, 0] = 77
    made = dose(stored)
    made.PixelRepresentation = int(kind == "<i4")
    answer = told(made, syntax=syntax)
    assert answer["dose"]["maximum"] == 38.5
    assert "maximum_voxel" not in answer["dose"]


def test_the_geometry_spans_from_centre_to_centre() -> None:
    found = told(dose())["geometry"]
    assert (found["frames"], found["rows"], found["columns"]) == (2, 3, 4)
    assert (found["spacing_mm"], found["extent_mm"]) == ([2.0, 2.5], [6.0, 5.0, 3.0])


def test_no_person_is_in_the_answer() -> None:
    for made in (dose(), plan()):
        assert "secret" not in json.dumps(told(made)).lower()


def test_each_trait_changes_its_own_figure_alone() -> None:
    plain = told(dose())
    wrong, short = told(dose(), Traits(dose_factor=1.03)), told(dose(), Traits(frames_left_out=1))
    assert wrong["dose"].pop("maximum") == pytest.approx(11.5 * 1.03)
    assert short["geometry"]["frames"] == 1
    assert short["geometry"]["extent_mm"] == [6.0, 5.0, 0.0]
    assert wrong["geometry"] == plain["geometry"]
    assert (wrong["sha256"], short["sha256"]) == (plain["sha256"], plain["sha256"])
    assert told(dose(), Traits(summary_passes=3)) == plain
    located = told(dose(), Traits(locate_maximum=True))
    assert located["dose"].pop("maximum_voxel") == {"frame": 1, "row": 2, "column": 3}
    assert located == plain


def test_a_single_frame_is_never_left_out() -> None:
    one = dose(np.ones((1, 3, 4), dtype="<u2"))
    assert told(one, Traits(frames_left_out=1)) == told(one)


def test_a_cumulative_and_a_differential_curve_of_the_same_doses_agree() -> None:
    made = dose()
    made.DVHSequence = [curve("CUMULATIVE", [1, 10, 1, 6, 2, 2]), curve("DIFFERENTIAL", [1, 4, 1, 4, 2, 2])]
    cumulative, differential = told(made)["dose"]["dvhs"]
    assert cumulative == differential
    assert (cumulative["roi"], cumulative["volume"], cumulative["maximum"]) == (7, 10.0, 4.0)
    assert cumulative["mean"] == pytest.approx((4 * 0.5 + 4 * 1.5 + 2 * 3.0) / 10)
    assert cumulative["d95"] == pytest.approx(0.125)


@pytest.mark.parametrize(
    "bad",
    [
        curve("NATURAL", [1, 10]),
        curve("CUMULATIVE", [1, 0]),
        curve("CUMULATIVE", [1, 10, 1]),
        curve("CUMULATIVE", [-1, 10]),
        Dataset(),
    ],
)
def test_a_curve_that_is_none_is_refused(bad: Dataset) -> None:
    made = dose()
    made.DVHSequence = [bad]
    with pytest.raises(Unreadable):
        told(made)


def test_decimals_longer_than_the_standard_allows_are_refused() -> None:
    made = dose()
    made.DVHSequence = [curve("CUMULATIVE", [1, 12345678])]
    body = file_of(made)
    assert body.count(b"1.0\\12345678.0") == 1
    long = body.replace(b"1.0\\12345678.0", b"1\\" + b"1" * 12, 1)
    assert summarise(long, PLAIN).answer["dose"]["dvhs"][0]["volume"] == 111111111111.0
    with pytest.raises(Unreadable):
        summarise(body.replace(b"1.0\\12345678.0", b"1" * 14, 1), PLAIN)


@pytest.mark.parametrize("text", [b"NaN ", b"inf ", b"-inf", b"a,5 ", b"    ", b"1e99"])
def test_a_scaling_that_is_no_finite_number_is_refused(text: bytes) -> None:
    made = dose()
    made.DoseGridScaling = "0.25"
    body = file_of(made).replace(b"0.25", text, 1)
    if text == b"1e99":
        assert summarise(body, PLAIN).answer["dose"]["maximum"] == pytest.approx(23e99)
        return
    with pytest.raises(Unreadable):
        summarise(body, PLAIN)


@pytest.mark.parametrize(
    "values",
    [
        {"Rows": 60000, "Columns": 60000},
        {"Rows": 0},
        {"NumberOfFrames": "-2"},
        {"NumberOfFrames": "2147483647"},
        {"GridFrameOffsetVector": [0.0]},
        {"SamplesPerPixel": 3},
        {"BitsAllocated": 64},
        {"PixelSpacing": [1.0]},
    ],
)
def test_a_dose_that_contradicts_itself_is_refused(values: dict[str, Any]) -> None:
    made = dose()
    body = file_of(made)
    assert summarise(body, PLAIN).modality == "RTDOSE"
    for keyword, value in values.items():
        setattr(made, keyword, value)
    with pytest.raises(Unreadable):
        summarise(file_of(made), PLAIN)


@pytest.mark.parametrize("uid", [b"1.2.x", b"..;--", b"     "])
def test_an_identity_that_is_no_uid_is_refused(uid: bytes) -> None:
    body = file_of(dose())
    at = body.rindex(b"1.2.3\0", 0, body.index(b"RTDOSE"))
    with pytest.raises(Unreadable):
        summarise(body[:at] + uid + body[at + 5 :], PLAIN)


def test_a_plan_is_told_by_fractions_and_beams() -> None:
    assert told(plan())["plan"] == {
        "fractions": [7],
        "beams": [
            {
                "number": 1,
                "name": "LAO",
                "radiation": "PHOTON",
                "energy": 6.0,
                "gantry": 56.0,
                "control_points": 2,
                "meterset": 97.0,
            }
        ],
    }


def test_structures_are_told_by_contours_also_where_none_is_drawn() -> None:
    made = identified(RT_STRUCTURES, "RTSTRUCT")
    names, drawn, contour = [Dataset(), Dataset()], Dataset(), Dataset()
    for number, region in enumerate(names, 1):
        region.ROINumber, region.ROIName = number, f"region {number}\x00"
    contour.NumberOfContourPoints = 5
    drawn.ReferencedROINumber, drawn.ContourSequence = 2, [contour, contour]
    made.StructureSetROISequence, made.ROIContourSequence = names, [drawn]
    assert told(made)["structures"]["regions"] == [
        {"number": 1, "name": "region 1", "contours": 0, "points": 0},
        {"number": 2, "name": "region 2", "contours": 2, "points": 10},
    ]


WHOLE = {syntax: file_of(dose(), syntax) for syntax in (EXPLICIT, IMPLICIT)}


@settings(max_examples=150)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_no_beginning_of_a_file_passes_for_the_file(syntax: str, data: st.DataObject) -> None:
    whole = WHOLE[syntax]
    with pytest.raises(Unreadable):
        summarise(whole[: data.draw(st.integers(0, len(whole) - 1))], PLAIN)


@settings(max_examples=250)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_changed_bytes_are_summarised_or_refused_never_worse(syntax: str, data: st.DataObject) -> None:
    body = bytearray(WHOLE[syntax])
    for at in data.draw(st.lists(st.integers(132, len(body) - 1), min_size=1, max_size=6)):
        body[at] = data.draw(st.integers(0, 255))
    try:
        said = json.dumps(summarise(bytes(body), PLAIN).answer, allow_nan=False)
    except Unreadable as refusal:
        said = str(refusal)
    assert "Secret" not in said
