"""Where the figures lie: nothing is left out, nothing is moved."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from conftest import Web, dose_grid, encoded, uid_of

pytestmark = [pytest.mark.requirement("geometry"), pytest.mark.risk("a part of the patient left out")]

SAMPLES = Path(pydicom.__file__).parent / "data" / "test_files"


def test_the_clinical_grid_has_the_planning_systems_geometry(web: Web, linked: dict[str, bytes]) -> None:
    told = web.summary(linked["dose"])["geometry"]
    assert (told["columns"], told["rows"], told["frames"]) == (194, 129, 98)
    assert told["spacing_mm"] == [2.5, 2.5]
    assert told["origin_mm"] == pytest.approx([-228.6541915, -419.2444776, -122.4407])
    assert told["extent_mm"] == pytest.approx([193 * 2.5, 128 * 2.5, 97 * 3.0])
    assert told["frame_of_reference_uid"] == "2.16.840.1.113662.2.12.0.3057.1241703565.36"


def test_the_clinical_image_and_the_dose_share_one_space(web: Web, linked: dict[str, bytes]) -> None:
    told = web.summary(linked["ct"])["geometry"]
    assert (told["columns"], told["rows"], told["frames"]) == (512, 512, 1)
    assert told["spacing_mm"] == pytest.approx([1.074219, 1.074219])
    dose = pydicom.dcmread(BytesIO(linked["dose"]), specific_tags=["FrameOfReferenceUID"])
    assert told["frame_of_reference_uid"] == dose.FrameOfReferenceUID


@pytest.mark.parametrize("frames", [2, 3, 17])
def test_every_frame_of_a_made_grid_is_counted(web: Web, frames: int) -> None:
    stored = np.ones((frames, 4, 9), dtype="<u2")
    told = web.summary(encoded(dose_grid(stored, "1e-3", spacing=(3.0, 2.5, 2.0))))["geometry"]
    assert (told["frames"], told["rows"], told["columns"]) == (frames, 4, 9)
    assert told["extent_mm"] == pytest.approx([16.0, 7.5, (frames - 1) * 3.0])


def test_a_public_sample_lies_where_it_says(web: Web) -> None:
    read = pydicom.dcmread(SAMPLES / "rtdose.dcm")
    told = web.summary((SAMPLES / "rtdose.dcm").read_bytes())["geometry"]
    offsets = [float(offset) for offset in read.GridFrameOffsetVector]
    assert told["frames"] == len(offsets) == read.NumberOfFrames
    assert told["extent_mm"][2] == pytest.approx(offsets[-1] - offsets[0])
    assert told["origin_mm"] == pytest.approx([float(at) for at in read.ImagePositionPatient])


def test_the_geometry_that_is_kept_is_the_geometry_that_was_sent(web: Web, anew: Callable[..., bytes]) -> None:
    body = anew("dose")
    read = pydicom.dcmread(BytesIO(body))
    web.keep(body)
    kept = web.kept(uid_of(body))["summary"]["geometry"]
    assert (kept["frames"], kept["rows"], kept["columns"]) == read.pixel_array.shape
