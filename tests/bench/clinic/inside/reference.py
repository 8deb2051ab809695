"""`python -m tests.bench.clinic.inside.reference TIMES`: the independent engine's dose of the frozen plan, computed
anew and found as the image's making kept it.

Runs in the suite's image; answers one line of JSON: seconds of each turn, and the largest resident memory in MiB.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

FROZEN = Path("/data/synthetic-1")
DEADLINE = 120.0  # seconds of one turn
SPACING = "5"  # mm


def turn(cache: str) -> float:
    """Seconds of one call; "" for no cache: then nothing that was kept is looked for."""
    with tempfile.TemporaryDirectory() as folder:
        files = [str(FROZEN / name) for name in ("frozen.dcm", "ct", "structures.dcm")]
        environment = {**os.environ, "REFERENCE_CACHE": cache}
        begun = time.perf_counter()
        words = ["reference-dose", *files, f"{folder}/dose.npz", SPACING]
        subprocess.run(words, env=environment, check=True, timeout=DEADLINE, stdout=sys.stderr)
        return time.perf_counter() - begun


def main(times: int) -> int:
    """Fails unless what should be found was: who finds nothing computes, and puts it into the cache."""
    computed = [turn("") for _ in range(times)]
    memory = getrusage(RUSAGE_CHILDREN).ru_maxrss / 1024
    with tempfile.TemporaryDirectory() as cache:
        kept = [turn(cache) for _ in range(times)]
        assert not list(Path(cache).iterdir()), "the image holds no dose of its frozen plan"
    print(json.dumps({"computed": computed, "kept": kept, "memory": memory}))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
