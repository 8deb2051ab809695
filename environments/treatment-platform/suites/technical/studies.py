"""Small studies of this suite's own: a seed's study with every second slice, under UIDs that nobody has seen."""

from itertools import count
from pathlib import Path

from conftest import Phantom, phantom
from phantoms.frozen import frozen_plan
from phantoms.objects import encode, write
from phantoms.synthetic import synthetic

# One patient for all of them: a build that tires after twenty patients must pass, so no suite may send it twenty.
PATIENT = "OTA-TECHNICAL"
SEED = 2
COARSE = {"gantry": [0, 100], "pixel": 15, "spacing": 5}  # a plan of half a second on a quiet machine

_number = count(1)


def fresh(folder: Path, nonce: str, patient: str = PATIENT) -> Phantom:
    """CT, structures and a frozen plan in a new folder; all UIDs derive from the run's nonce and a running number."""
    study = synthetic(SEED).thinned(2, f"technical-{nonce}-{next(_number)}", patient)
    place = folder / study.name
    write(study, place)
    (place / "frozen.dcm").write_bytes(encode(frozen_plan(study, SEED)))
    return phantom(place)
