"""`python -m phantoms synthetic FOLDER SEED` or `python -m phantoms tg119 FOLDER`: studies as DICOM files."""

import sys
from pathlib import Path

from phantoms.frozen import frozen_plan
from phantoms.objects import encode, write
from phantoms.synthetic import synthetic

FROZEN_SEED = 1


def main(arguments: list[str]) -> int:
    """Exit status 2 on a call that is none of the two."""
    match arguments:
        case ["synthetic", folder, seed] if seed.isdigit():
            study = synthetic(int(seed))
        case ["tg119", folder]:
            from phantoms.tg119 import tg119  # its engine takes seconds to load, and is not there for the others

            study = tg119()
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    write(study, Path(folder))
    (Path(folder) / "frozen.dcm").write_bytes(encode(frozen_plan(study, FROZEN_SEED)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
