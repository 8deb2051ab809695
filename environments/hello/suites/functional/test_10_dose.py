"""The dose that is told is the dose that is in the file and that the planning system calculated."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from conftest import Dicom, Web, dose_grid, encoded, uid_of
from figures import CURVES, LEGEND, PRESCRIBED, curves_png, png, relative_figures
from pydicom import Dataset

pytestmark = [pytest.mark.requirement("dose"), pytest.mark.risk("a wrong dose that looks right")]

EXACT = 1e-9  # relative: the same arithmetic on the same integers
SAMPLES = Path(pydicom.__file__).parent / "data" / "test_files"


def test_the_maximum_is_what_the_planning_system_calculated(
    web: Web, linked: dict[str, bytes], dose: Dataset, regions: dict[int, str], picture: Callable[..., None]
) -> None:
    """The body's maximum in % of the prescription, written by the planning system beside its curve."""
    body = next(number for number, name in regions.items() if name == "BODY")
    told = web.summary(linked["dose"])["dose"]
    assert told["units"] == "GY"
    assert told["maximum"] == pytest.approx(relative_figures(dose, body)[1], rel=1e-5)
    assert told["maximum"] == pytest.approx(14.68, abs=0.005)
    grid = dose.pixel_array
    hottest = grid[np.unravel_index(grid.argmax(), grid.shape)[0]]
    grey = png((hottest * (255 / hottest.max())).astype(np.uint8))
    picture("dose-slice", "Dose in the slice of the maximum; white is the maximum", grey)
    title = f"Dose-volume curves: share of the volume over 0 to 15 Gy; {LEGEND}"
    picture("dose-volume", title, curves_png(dose, regions))


def test_the_maximum_is_what_the_file_holds(web: Web, anew: Callable[..., bytes]) -> None:
    body = anew("dose")
    read = pydicom.dcmread(BytesIO(body))
    expected = int(read.pixel_array.max()) * float(read.DoseGridScaling)
    assert web.summary(body)["dose"]["maximum"] == pytest.approx(expected, rel=EXACT)


@pytest.mark.parametrize("kind", ["<u2", "<u4"])
@pytest.mark.parametrize("explicit", [False, True])
def test_the_maximum_of_a_made_grid_is_the_one_put_there(web: Web, kind: str, explicit: bool) -> None:
    stored = np.random.default_rng(20260711).integers(0, 30_000, (5, 6, 7)).astype(kind)
    stored[2, 3, 4] = 54_321
    told = web.summary(encoded(dose_grid(stored, "2.5e-4"), explicit=explicit))
    assert told["dose"]["maximum"] == pytest.approx(13.58025, rel=EXACT)


def test_a_public_sample_has_the_maximum_that_its_pixels_say(web: Web) -> None:
    read = pydicom.dcmread(SAMPLES / "rtdose.dcm")
    expected = int(read.pixel_array.max()) * float(read.DoseGridScaling)
    told = web.summary((SAMPLES / "rtdose.dcm").read_bytes())
    assert told["dose"]["maximum"] == pytest.approx(expected, rel=EXACT)


def test_the_dose_kept_after_c_store_is_the_dose_sent(
    web: Web, dicom: Dicom, anew: Callable[..., bytes], tmp_path: Path
) -> None:
    body = anew("dose")
    read = pydicom.dcmread(BytesIO(body))
    assert dicom.store(body, tmp_path) == 0x0000
    kept = web.kept(uid_of(body))["summary"]["dose"]
    assert kept["maximum"] == pytest.approx(int(read.pixel_array.max()) * float(read.DoseGridScaling), rel=EXACT)


def test_the_target_gets_no_more_than_the_maximum_of_the_grid(web: Web, anew: Callable[..., bytes]) -> None:
    told = web.summary(anew("dose", DoseGridScaling="1.4e-5"))["dose"]
    hottest = max(stated.maximum for stated in CURVES.values())
    assert PRESCRIBED < told["maximum"] <= hottest + 0.01
