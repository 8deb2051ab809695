"""`reference-dose PLAN.dcm CT_FOLDER STRUCTURES.dcm OUT.npz [LIKE]`: the dose of that plan, in Gy, as an array.

On the lattice of the RT Dose object LIKE.dcm, of the CT, or of cubic voxels of LIKE mm that fit, centred, between the
CT's outermost centres. What was computed once for the same objects by the same image is used again: from the folder
REFERENCE_CACHE, or from what the image computed when it was made.

`reference-dose -`: many calls, each a JSON list of arguments on a line of the input; answers `done` or why not, a line
each. The engine is loaded once, while the first calls come.
"""

import hashlib
import json
import os
import re
import sys
from importlib import import_module
from pathlib import Path
from threading import Thread

import numpy as np
from pydicom import dcmread

from reference_dose.inputs import Lattice, Volume, fields_of, lattice_of, patient_of, read_slices

CONTENT = Path("/opt/reference/content.sha256")  # of everything that computes in this image
MADE = Path("/opt/reference/made")  # what was computed when it was made
PREAMBLE, MARK, GROUP = 128, b"DICM", b"\x02\x00\x00\x00UL\x04\x00"  # then the length of the head
SYNTAX = re.compile(b"\x02\x00\x10\x00UI..([0-9.]+)", re.DOTALL)


def main(arguments: list[str]) -> int:
    """Exit status 2 on a wrong call, 1 if the input cannot be computed on."""
    if arguments == ["-"]:
        Thread(target=import_module, args=("reference_dose.compute",), daemon=True).start()  # it takes seconds
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
    lattice = _wanted(slices, structures, like)
    name = _name(plan, slices, structures, lattice)
    cache = os.environ.get("REFERENCE_CACHE", "")
    for folder in (Path(cache), MADE) if name and cache else ():
        if (folder / name).is_file():
            with np.load(folder / name) as found:
                return found["dose"], lattice
    patient = patient_of(read_slices(slices), dcmread(structures))
    fields, fractions = fields_of(dcmread(plan))

    from reference_dose.calibration import output  # the engine takes seconds to load: not for what is kept
    from reference_dose.compute import dose_per_mu

    dose = dose_per_mu(patient, fields, lattice, output()) * fractions
    if name and cache:
        part = Path(cache, f"{name}.{os.getpid()}")
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez_compressed(file, dose=dose)
        part.replace(Path(cache, name))
    return dose, lattice


def _wanted(slices: Path, structures: Path, like: Path | None) -> Lattice:
    if like and like.is_file():
        return lattice_of(dcmread(like, stop_before_pixels=True))
    whole = patient_of(read_slices(slices), dcmread(structures)).lattice
    return whole.spaced(float(str(like))) if like else whole


def _name(plan: Path, slices: Path, structures: Path, lattice: Lattice) -> str:
    """Of the dose of these very objects by this very image on this lattice, to a nanometre; none outside the image."""
    if not CONTENT.is_file():
        return ""
    digest = hashlib.sha256(CONTENT.read_bytes())
    for file in (plan, *sorted(slices.glob("*.dcm")), structures):
        digest.update(hashlib.sha256(_data_set(file.read_bytes())).digest())
    places = [round(value, 6) + 0.0 for value in (*lattice.origin, *lattice.spacing)]
    digest.update(repr((places, lattice.shape)).encode())
    return f"{digest.hexdigest()}.npz"


def _data_set(file: bytes) -> bytes:
    """Without the head that says which program wrote the file last: an archive writes its own. All of it if unclear."""
    begin = PREAMBLE + len(MARK)
    if file[PREAMBLE:begin] != MARK or file[begin : begin + 8] != GROUP:
        return file
    head = begin + 12 + int.from_bytes(file[begin + 8 : begin + 12], "little")
    syntax = SYNTAX.findall(file[begin:head])
    return b"".join(syntax) + file[head:]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
