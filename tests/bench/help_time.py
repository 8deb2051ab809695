"""How long `otagate --help` takes beside the smallest typer program: ratio of medians, interleaved runs.

Run: .venv/bin/python tests/bench/help_time.py [RUNS]
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

BARE = """
import typer

app = typer.Typer()


@app.command()
def greet(name: str) -> None:
    print(name)


app()
"""
LIMIT = 1.3


def seconds(command: Sequence[str]) -> float:
    """Wall time of one run, in seconds; raises CalledProcessError if it fails."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
    return time.perf_counter() - started


def spread(samples: Sequence[float]) -> str:
    """Median with quartiles, in milliseconds."""
    low, middle, high = statistics.quantiles(samples, n=4)
    return f"median {middle * 1000:.0f} ms (quartiles {low * 1000:.0f} to {high * 1000:.0f})"


def main() -> int:
    """Prints both medians with their spread and the ratio against its limit."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    ours = [str(Path(sys.executable).with_name("otagate")), "--help"]
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "bare.py"
        program.write_text(BARE)
        bare = [sys.executable, str(program), "--help"]
        pairs = [(seconds(ours), seconds(bare)) for _ in range(runs + 1)][1:]  # the first warms the caches
    mine, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    ratio = statistics.median(mine) / statistics.median(theirs)
    print(f"otagate --help   {spread(mine)}")
    print(f"bare typer       {spread(theirs)}")
    print(f"ratio of medians {ratio:.2f} over {runs} interleaved runs (limit {LIMIT})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
