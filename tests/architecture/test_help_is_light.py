"""`--help` waits for nothing that only a command needs: each command imports its own flow when it is called."""

import subprocess
import sys

LOADED = "import sys, otagate.cli.app; print(*sorted(name for name in sys.modules if name.startswith('otagate.')))"


def test_the_command_surface_loads_no_more_of_the_core_than_its_errors() -> None:
    ran = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=60, check=True)
    core = {name for name in ran.stdout.split() if name.startswith("otagate.core.")}
    assert core == {"otagate.core.errors"}
