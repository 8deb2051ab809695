"""`reference-dose PLAN.dcm CT_FOLDER STRUCTURES.dcm OUT.npz [LIKE.dcm]`: the dose of that plan, in Gy, as an array.

On the lattice of the RT Dose object LIKE, or of the CT. What was computed once for the same objects by the same image
is used again (REFERENCE_CACHE, a folder).

`reference-dose -`: many calls, each a JSON list of arguments on a line of the input; answers `done` or why not, a line
each. The engine is loaded once.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np
from pydicom import dcmread

from reference_dose.inputs import Lattice, Volume, fields_of, lattice_of, patient_of, read_slices

CONTENT = Path("/opt/reference/content.sha256")  # of everything that computes in this image


def main(arguments: list[str]) -> int:
    """Exit status 2 on a wrong call, 1 if the input cannot be computed on."""
    if arguments == ["-"]:
        for line in sys.stdin:
            print(_called(json.loads(line)) or "done", flush=True)
        return 0
    if not 4 <= len(arguments) <= 5:
        print(__doc__, file=sys.stderr)
        return 2
    why_not = _called(arguments)
    if why_not:
        print(why_not, file=sys.stderr)
    return 1 if why_not else 0


def _called(arguments: list[str]) -> str:
    """Why it could not be computed; nothing if it could."""
    try:
        plan, slices, structures, out, *like = (Path(argument) for argument in arguments)
        dose, lattice = reference_dose(plan, slices, structures, like[0] if like else None)
    except Exception as error:  # damaged bytes make the library raise anything at all
        return f"cannot compute: {type(error).__name__}: {error}"
    np.savez_compressed(out, dose=dose, origin=lattice.origin, spacing=lattice.spacing)
    return ""


def reference_dose(plan: Path, slices: Path, structures: Path, like: Path | None) -> tuple[Volume, Lattice]:
    """Gy over all fractions [z, y, x], and where. Raises Unfit, or what reading raises."""
    lattice = lattice_of(dcmread(like, stop_before_pixels=True)) if like else None
    kept = _kept(plan, slices, structures, lattice)
    patient = patient_of(read_slices(slices), dcmread(structures))
    lattice = lattice or patient.lattice
    if kept and kept.is_file():
        with np.load(kept) as found:
            return found["dose"], lattice
    fields, fractions = fields_of(dcmread(plan))

    from reference_dose.calibration import output  # the engine takes seconds to load: not for what is kept
    from reference_dose.compute import dose_per_mu

    dose = dose_per_mu(patient, fields, lattice, output()) * fractions
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}.npz")
        np.savez_compressed(part, dose=dose)
        part.replace(kept)
    return dose, lattice


def _kept(plan: Path, slices: Path, structures: Path, lattice: Lattice | None) -> Path | None:
    """Where the dose of these very objects by this very image is, or would be, kept; nowhere if not asked to."""
    folder = os.environ.get("REFERENCE_CACHE")
    if not folder or not CONTENT.is_file():
        return None
    digest = hashlib.sha256(CONTENT.read_bytes())
    for file in (plan, *sorted(slices.glob("*.dcm")), structures):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    digest.update(repr(lattice).encode())
    return Path(folder) / f"{digest.hexdigest()}.npz"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
