"""The suite's own reading of doses and contours, against studies whose voxels are known."""

from io import BytesIO

import numpy as np
import pytest
from acceptance.volumes import covered, middle, read_dose, region
from phantoms.objects import structure_set
from phantoms.study import Study
from pydicom import dcmread

from tests.environments.treatment_platform.objects import engine, frozen
from tests.environments.treatment_platform.shelf import Shelf


@pytest.mark.parametrize("name", ["BODY", "PTV", "CORD", "KIDNEY"])
def test_contours_give_the_voxels_back_that_they_were_drawn_around(study: Study, name: str) -> None:
    x, y, z = study.axes()
    assert (region(structure_set(study), name, (z, y, x)) == study.structure(name).mask).all()


def test_beyond_the_outermost_contour_there_is_nothing(study: Study) -> None:
    x, y, _ = study.axes()
    far = np.array([900.0, 905.0])
    assert not region(structure_set(study), "BODY", (far, y, x)).any()


def test_a_structure_without_contours_is_no_empty_structure(study: Study) -> None:
    structures = structure_set(study)
    structures.ROIContourSequence[1].ContourSequence = []
    x, y, z = study.axes()
    with pytest.raises(ValueError, match="no contour"):
        region(structures, "PTV", (z, y, x))
    with pytest.raises(KeyError):
        region(structures, "LIVER", (z, y, x))


def test_a_dose_is_read_as_it_was_written(study: Study, shelf: Shelf) -> None:
    encoded, _ = engine(shelf).forward(frozen(study, shelf))
    dose, read = read_dose(encoded), dcmread(BytesIO(encoded))
    assert dose.gray == pytest.approx(read.pixel_array * float(read.DoseGridScaling))
    assert [axis[0] for axis in dose.axes][::-1] == pytest.approx(list(read.ImagePositionPatient))
    assert dose.gray.shape == tuple(axis.size for axis in dose.axes)
    assert dose.voxel == pytest.approx(1.0)
    assert "PixelData" not in dose.head


def test_a_dose_in_other_units_or_tilted_is_not_read(study: Study, shelf: Shelf) -> None:
    encoded, _ = engine(shelf).forward(frozen(study, shelf))
    for keyword, value in (("DoseUnits", "RELATIVE"), ("ImageOrientationPatient", [0, 1, 0, 1, 0, 0])):
        read, out = dcmread(BytesIO(encoded)), BytesIO()
        setattr(read, keyword, value)
        read.save_as(out)
        with pytest.raises(ValueError, match="not axial, or not in Gy"):
            read_dose(out.getvalue())


def test_the_middle_of_a_dose_moves_with_it_and_tells_a_mirrored_one(study: Study, shelf: Shelf) -> None:
    encoded, _ = engine(shelf).forward(frozen(study, shelf))
    dose = read_dose(encoded)
    before = middle(dose)
    dose.gray[:] = np.flip(dose.gray, 2)
    after = middle(dose)
    assert after[:2] == pytest.approx(before[:2])
    assert abs(after[2] - before[2]) > 10
    assert (after[2] + before[2]) / 2 == pytest.approx(float(dose.axes[2].mean()))


def test_what_most_voxels_get_is_less_than_what_few_get() -> None:
    doses = np.arange(101.0)
    assert (covered(doses, 95), covered(doses, 2)) == (5.0, 98.0)
