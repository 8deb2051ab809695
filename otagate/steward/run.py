"""The container's process: from its environment to a steward that serves, ended at once by SIGTERM."""

import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from otagate.core.errors import OtagateError
from otagate.steward.serve import Office, Server, topology_of

log = logging.getLogger(__name__)


def serve(volume: Path, environment: Mapping[str, str]) -> int:
    """Answers the exit status; its engine starts it again, and it goes on where the journal says."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, _end)
    try:
        topology = topology_of(environment.get("OTAGATE_TOPOLOGY", ""))
        server = Server(Office(volume, topology, environment.get("OTAGATE_SOURCE", "")), volume)
    except OtagateError as error:
        log.error("%s", error.message)
        return 1
    log.info("steward of %s", topology.platform)
    server.run()
    return 0


def _end(_signal: int, _frame: FrameType | None) -> None:
    """As process 1 it would ignore SIGTERM. Nothing needs a farewell: sudden death is what the journal is made for."""
    os._exit(0)
