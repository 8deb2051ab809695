"""`python -m otagate.steward serve` is the container's process; `session` is what each command line talks through."""

import os
import sys
from pathlib import Path

VOLUME = Path("/run/otagate")


def main(arguments: list[str]) -> int:
    """Answers the exit status; what is wrong goes to stderr, the container's log."""
    if arguments == ["session"]:
        from otagate.steward.session import relay

        return relay(str(VOLUME / "steward.sock"))
    if arguments == ["serve"]:
        from otagate.steward.run import serve

        return serve(VOLUME, os.environ)
    sys.stderr.write("usage: python -m otagate.steward serve|session\n")
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
