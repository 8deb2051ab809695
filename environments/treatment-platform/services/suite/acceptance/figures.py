"""`python -m acceptance.figures [STUDY…]`: the tables of docs/figures.md, from both engines in one process.

Run where pyRadPlan, pymedphys and the sources of dose-engine and reference are importable; it takes minutes.
"""

import sys
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from dose_engine.beam import Beam
from dose_engine.influence import Phantom, influence, spread
from dose_engine.kernel import Kernel
from dose_engine.patient import Patient, prepare
from dose_engine.plan import FLUENCE_PER_MU, Plan, read_plan
from dose_engine.scan import read_scan
from dose_engine.structures import read_structures
from phantoms.frozen import frozen_plan
from phantoms.objects import ct_slices, encode, structure_set
from phantoms.study import Study
from phantoms.synthetic import synthetic
from phantoms.tg119 import tg119
from reference_dose.calibration import calibrate
from reference_dose.compute import dose_per_mu
from reference_dose.inputs import Lattice, fields_of, patient_of

from acceptance.criteria import Deviation, Mask, Volume, deviation

SPACING = 5.0
SEED = 1


@dataclass(frozen=True, eq=False)
class Case:
    """A study with a frozen plan, ready for both engines."""

    name: str
    study: Study
    patient: Patient
    plan: Plan
    masks: Mapping[str, Mask]

    @property
    def axes(self) -> tuple[Volume, Volume, Volume]:
        """Of the dose grid, as z, y, x."""
        x, y, z = self.patient.phantom.dose_grid.axes()
        return z, y, x

    def dose(self, kernel: Kernel, beams: Iterable[Beam], phantom: Phantom) -> Volume:
        """By the clinic's engine."""
        matrix = influence(phantom, list(beams), kernel)
        return spread(matrix @ (self.plan.fluence * self.plan.fractions), phantom)


def case(study: Study) -> Case:
    """Raises Refusal if the study is not fit."""
    structures = read_structures(encode(structure_set(study)))
    patient = prepare(read_scan([encode(one) for one in ct_slices(study)]), structures, SPACING)
    masks = {}
    for name in structures.regions:
        mask = np.zeros(patient.phantom.dose_grid.shape, dtype=np.bool_)
        mask[patient.phantom.body] = patient.rows(name)
        masks[name] = mask
    return Case(study.name, study, patient, read_plan(encode(frozen_plan(study, SEED))), masks)


def independent(one: Case, output: float) -> Volume:
    """By the reference engine, from the plan as written."""
    fields, fractions = fields_of(frozen_plan(one.study, SEED))
    grid = one.patient.phantom.dose_grid
    patient = patient_of(ct_slices(one.study), structure_set(one.study))
    return dose_per_mu(patient, fields, Lattice(grid.origin, grid.spacing, grid.shape), output) * fractions


def variants(one: Case) -> dict[str, Volume]:
    """The honest engine's dose, the sample builds' and that of further planted faults."""
    kernel, beams, phantom = Kernel(), one.plan.beams, one.patient.phantom
    honest = one.dose(kernel, beams, phantom)
    shifted = [
        replace(beam, isocentre=(beam.isocentre[0] + 1.0, beam.isocentre[1], beam.isocentre[2])) for beam in beams
    ]
    water = replace(phantom, density=np.where(phantom.density > 0, 1.0, 0.0))
    return {
        "1.0 live": honest,
        "1.2 output +3 %": honest * 1.03,
        "1.3 mirrored": honest[:, :, ::-1],
        "output +2 %": honest * 1.02,
        "output +5 %": honest * 1.05,
        "penumbra × 1.5": one.dose(replace(kernel, narrow=1.5 * kernel.narrow), beams, phantom),
        "no scatter": one.dose(replace(kernel, scatter=0.0, scatter_per_mm=0.0), beams, phantom),
        "isocentre 1 mm": one.dose(kernel, shifted, phantom),
        "no heterogeneity": one.dose(kernel, beams, water),
    }


def row(name: str, off: Deviation) -> str:
    """One line of a table."""
    organs = " / ".join(f"{value:+.2f}" for value in off.organ_mean.values())
    return (
        f"| {name} | {off.gamma_3_2:.2f} | {off.gamma_2_2:.2f} | {off.gamma_2_2_local:.2f} | {off.target_mean:+.2f} |"
        f" {off.target_d95:+.2f} | {organs} | {off.worst_voxel:.2g} |"
    )


def table(title: str, one: Case, reference: Volume, doses: Mapping[str, Volume]) -> str:
    """Every dose against one reference."""
    organs = {name: mask for name, mask in one.masks.items() if name not in ("BODY", "PTV")}
    lines = [
        f"### {title}\n",
        f"| build | γ 3/2 % | γ 2/2 % | γ 2/2 local % | PTV mean | D95 | {' / '.join(organs)} mean | worst voxel |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, dose in doses.items():
        lines.append(row(name, deviation(reference, dose, one.axes, one.masks["PTV"], organs)))
    return "\n".join(lines) + "\n"


STUDIES = {"synthetic-1": lambda: synthetic(1), "synthetic-2": lambda: synthetic(2), "tg-119": tg119}


def main(names: list[str]) -> int:
    """Prints the tables as Markdown; exit status 2 for a study that there is not."""
    if not set(names) <= set(STUDIES):
        print(__doc__, file=sys.stderr)
        return 2
    warnings.simplefilter("ignore")
    output = calibrate()
    print(f"Fluence of one monitor unit: reference {output:.6f}, engine {FLUENCE_PER_MU:.6f}\n")
    for name in names or STUDIES:
        one = case(STUDIES[name]())
        doses = variants(one)
        reference = independent(one, output)
        print(table(f"{one.name}, against the independent engine", one, reference, doses), flush=True)
        print(table(f"{one.name}, against the live build", one, doses["1.0 live"], doses), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
