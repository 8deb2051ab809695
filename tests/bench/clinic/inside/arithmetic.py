"""`python -m tests.bench.clinic.inside.arithmetic dose OUT JSON` computes the frozen plan's dose and a plan of its own
by the engine's library in this very process; `… compare REFERENCE OTHER…` says how far the others' doses are from it.

Runs in the engine's image; doses stay there as 64-bit numbers, because an RT Dose object holds 32 bits of each.
"""

import json
import sys
from datetime import datetime
from typing import Any

import numpy as np
from dose_engine.engine import Engine
from dose_engine.grid import Floats
from dose_engine.identity import arithmetic, identity
from dose_engine.influence import influence
from dose_engine.kernel import Kernel
from dose_engine.patient import Patient, prepare
from dose_engine.plan import read_plan
from dose_engine.request import parse_plan_request
from dose_engine.scan import read_scan
from dose_engine.structures import read_structures
from dose_engine.traits import Traits
from phantoms.frozen import frozen_plan
from phantoms.objects import ct_slices, encode, structure_set
from phantoms.synthetic import synthetic

from tests.environments.treatment_platform.shelf import Shelf

SEED = 1
SPACING = 5.0  # mm


def dose(out: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Writes both doses to `out`; what the process computes with, what its health check would say, iterations."""
    study, told = synthetic(SEED), arithmetic()
    shelf = Shelf.of(study)
    engine = Engine(shelf, identity({}), told, Traits(), lambda: datetime.now().astimezone())
    asked = {**wanted, "study": study.uid("study"), "structure_set": study.uid("structures")}
    answer = engine.plan(parse_plan_request(json.dumps(asked).encode()))
    drawn = read_structures(encode(structure_set(study)))
    patient = prepare(read_scan([encode(one) for one in ct_slices(study)]), drawn, SPACING)
    forward = gray(patient, encode(frozen_plan(study, SEED)))
    np.savez(out, forward=forward, optimised=gray(patient, shelf.objects[answer["plan"]]))
    return {
        "kernels": list(told.kernels),
        "threads": told.threads,
        "libraries": dict(told.libraries),
        "well": told.proven,
        "iterations": answer["optimiser"]["iterations"],
    }


def gray(patient: Patient, encoded: bytes) -> Floats:
    """Gy to each voxel of the body by a plan as written."""
    plan = read_plan(encoded)
    doses: Floats = influence(patient.phantom, plan.beams, Kernel()) @ (plan.fluence * plan.fractions)
    return doses


def compare(reference: str, others: list[str]) -> list[dict[str, float]]:
    """Largest difference in any voxel for each, as a share of the reference's maximum."""
    with np.load(reference) as found:
        first = {name: found[name] for name in ("forward", "optimised")}
    told = []
    for other in others:
        with np.load(other) as found:
            told.append({name: float(np.abs(found[name] - one).max() / one.max()) for name, one in first.items()})
    return told


def main(words: list[str]) -> int:
    """Prints what came out; exit status 2 on a call that is none of the two."""
    match words:
        case ["dose", out, wanted]:
            print(json.dumps(dose(out, json.loads(wanted))))
        case ["compare", reference, *others]:
            print(json.dumps(compare(reference, others)))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
