"""The process that carries ansible-runner, so that Ansible has an environment of its own and one root to kill.

Called with the private folder and the inventory. Writes one JSON line per event to standard output. Standard input is
held open by otagate: when it ends, otagate is dead, and nothing may go on.
"""

import json
import os
import select
import shutil
import sys
from typing import Any

import ansible_runner

from otagate.adapters.ansible.sweep import MARK, sweep

_ASK = 1  # seconds between two looks at whether otagate is still there


def main(folder: str, inventory: str) -> int:
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever else prints must not stand among the events

    def told(event: dict[str, Any]) -> bool:
        data = event.get("event_data", {})
        kept = {key: data[key] for key in ("task", "task_action", "host", "res") if key in data}
        lines.write(json.dumps({"event": event.get("event"), "stdout": event.get("stdout", ""), **kept}) + "\n")
        return False  # no copy in a file

    def orphaned() -> bool:
        if select.select([0], [], [], 0)[0] and not os.read(0, 1):
            sweep(os.getpid(), os.environ[MARK])
            shutil.rmtree(folder, ignore_errors=True)
            os._exit(1)
        return False

    run = ansible_runner.run(
        private_data_dir=folder,
        playbook="site.yml",
        inventory=inventory,
        ident="run",
        event_handler=told,
        cancel_callback=orphaned,
        settings={"pexpect_timeout": _ASK},
        quiet=True,
    )
    lines.write(json.dumps({"event": "end", "status": run.status, "rc": run.rc}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
