"""The clinic's builds, arithmetic, chain and services, measured on its own images; writes the figures of
environments/treatment-platform/docs/figures.md.

Run: .venv/bin/python -m tests.bench.clinic_figures [builds] [reproducibility] [chain] [services] [--short]; without
words: all. --short measures a little of everything, and writes nothing.
"""

import signal
import sys
from contextlib import closing

import docker
from docker.errors import DockerException

from tests.bench.clinic.ground import CLINIC, PATIENCE, UnmeasuredError
from tests.bench.clinic.parts import PARTS, SHORT, Extent
from tests.bench.marks import write_figures

PAGE = CLINIC / "docs" / "figures.md"


def main(words: list[str]) -> int:
    """Exit status 0 if every figure was taken, 1 if one was not, 2 on a wrong call, 130 if interrupted."""
    short = "--short" in words
    chosen = [word for word in words if word != "--short"]
    if not set(chosen) <= set(PARTS):
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was raised must go
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup asks to outlive the terminal
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        with closing(docker.from_env(timeout=PATIENCE)) as client:
            for name in chosen or list(PARTS):
                lines = PARTS[name](client, SHORT if short else Extent())
                print(f"== {name}\n" + "\n".join(lines), flush=True)
                if not short:
                    write_figures(PAGE, name, lines)
    except (UnmeasuredError, DockerException) as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: what was raised is removed", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
