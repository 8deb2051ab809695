"""The data that everything is proven on: the same each time, and symmetric in nothing."""

from pathlib import Path

import numpy as np
import pytest
from dose_engine.plan import read_plan
from dose_engine.scan import read_scan
from dose_engine.structures import belongs, read_structures
from phantoms.__main__ import main
from phantoms.frozen import frozen_plan
from phantoms.objects import ct_slices, encode
from phantoms.study import Study
from phantoms.synthetic import synthetic

from tests.environments.treatment_platform.shelf import Shelf


def test_a_seed_gives_the_same_study_byte_by_byte(study: Study, shelf: Shelf) -> None:
    assert Shelf.of(synthetic(7)).objects == shelf.objects
    assert encode(frozen_plan(study, 1)) == encode(frozen_plan(synthetic(7), 1))


def test_another_seed_gives_another_patient_and_other_uids(study: Study) -> None:
    other = synthetic(8)
    assert other.patient != study.patient
    assert {other.uid(part) for part in ("study", "ct", "frame")}.isdisjoint(
        {study.uid(part) for part in ("study", "ct", "frame")}
    )
    assert (other.structure("PTV").mask != study.structure("PTV").mask).any()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("seed", [1, 7, 12, 23])
def test_no_axis_is_a_symmetry(axis: int, seed: int) -> None:
    made = synthetic(seed)
    for structure in made.structures:
        turned = np.flip(structure.mask, axis)
        assert (turned != structure.mask).sum() > 0.05 * structure.mask.sum(), structure.name
    target = made.structure("PTV").mask
    assert (np.flip(target, axis) & ~target).sum() > 0.3 * target.sum()


@pytest.mark.parametrize("seed", range(6))
def test_the_structures_lie_in_the_body_and_apart_from_the_target(seed: int) -> None:
    made = synthetic(seed)
    body, target = made.structure("BODY").mask, made.structure("PTV").mask
    for structure in made.structures[1:]:
        assert structure.mask.sum() > 100
        assert not (structure.mask & ~body).any()
    for name in ("CORD", "KIDNEY"):
        assert not (made.structure(name).mask & target).any()


def test_water_lung_and_bone_are_all_met(study: Study) -> None:
    within = study.hounsfield[study.structure("BODY").mask]
    for kind in (-700.0, 0.0, 700.0):
        assert (np.abs(within - kind) < 20).sum() > 300


def test_what_is_written_is_what_the_engine_reads(study: Study, shelf: Shelf) -> None:
    scan = read_scan([encode(one) for one in ct_slices(study)])
    structures = read_structures(shelf.objects[study.uid("structures")])
    belongs(structures, scan)
    assert (scan.hounsfield == study.hounsfield).all()
    assert (scan.grid.origin, scan.grid.spacing, scan.grid.shape) == (
        study.origin,
        study.spacing,
        study.hounsfield.shape,
    )
    for structure in study.structures:
        assert (structures.mask(structure.name, scan.grid) == structure.mask).all()
        assert structures.regions[structure.name].kind == structure.kind


@pytest.mark.parametrize(("seed", "told"), [(1, False), (2, False), (3, True)])
def test_a_study_tells_rows_from_columns(seed: int, told: bool) -> None:
    """Who swaps the two computes on another grid, which the suite compares with the scan's and the live build's. Where
    voxels are cubes it is the same grid, and nobody would notice.
    """
    slices = ct_slices(synthetic(seed))
    right = read_scan([encode(one) for one in slices]).grid.spaced(5.0)
    for one in slices:
        one.PixelSpacing = list(one.PixelSpacing)[::-1]
    assert (read_scan([encode(one) for one in slices]).grid.spaced(5.0) != right) is told


def test_a_frozen_plan_is_one_that_the_engine_reads(study: Study) -> None:
    plan = read_plan(encode(frozen_plan(study, 1)))
    assert [beam.gantry for beam in plan.beams] == [10.0, 95.0, 230.0]
    assert plan.structure_set == study.uid("structures")
    assert plan.fluence.min() > 0
    points = study.points("PTV")
    for beam in plan.beams:
        x, y = beam.seen(points)
        assert beam.columns.min() - 5 < x.min()
        assert x.max() < beam.columns.max() + 5
        assert beam.rows.min() - 5 < y.min()
        assert y.max() < beam.rows.max() + 5


def test_the_command_writes_a_study_as_files(tmp_path: Path) -> None:
    assert main(["synthetic", str(tmp_path), "3"]) == 0
    assert len(list((tmp_path / "ct").glob("*.dcm"))) == 32
    assert (tmp_path / "structures.dcm").is_file()
    assert read_plan((tmp_path / "frozen.dcm").read_bytes()).fractions == 25


@pytest.mark.parametrize("arguments", [[], ["synthetic"], ["synthetic", "folder", "-1"], ["other", "folder"]])
def test_a_command_that_is_none_is_answered_with_its_use(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "python -m phantoms" in capsys.readouterr().err
