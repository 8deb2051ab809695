"""Starts the service: HTTP and DICOM in one process, until SIGTERM."""

import os
import signal
import sys

if __name__ == "__main__":
    # Before the heavy imports, because the first process of a container ignores a signal that it does not take.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

import logging
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import uvicorn
import yaml
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from planner.archive import Archive
from planner.courses import Courses
from planner.dicom import DicomServer
from planner.engine import Engine
from planner.machine import Machine
from planner.settings import DICOM_PORT, HTTP_PORT, Settings, read_settings
from planner.web import Web
from planner.worker import Worker
from planner.written import Written

FINISH = 10.0  # seconds that open requests and associations get after SIGTERM
KEEP_ALIVE = 300  # seconds; longer than any proxy's, so that the proxy is the one that closes


def quiet() -> None:
    """Our own lines only: libraries quote what they read, and what they read is about patients."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in ("pydicom", "pynetdicom", "httpx", "httpcore", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")


def assemble(settings: Settings) -> ASGIApp:
    """All parts, put together; nothing is started."""
    archive = Archive(settings.archive, settings.credentials)
    engine = Engine(settings.engine)
    machine = Machine(settings.linac, settings.machine, settings.title, settings.identity.implementation)
    written = Written(settings.identity, lambda: datetime.now().astimezone())
    courses = Courses(archive, engine, machine, settings.protocol.plan, written)
    worker = Worker(archive, courses)
    dicom = DicomServer(settings, archive, worker.arrived)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        worker.start()
        dicom.start(("0.0.0.0", DICOM_PORT))
        try:
            yield
        finally:
            await run_in_threadpool(dicom.close, FINISH)
            await run_in_threadpool(worker.close)
            engine.close()
            archive.close()
            logging.getLogger("planner").info("ended in order")

    return Web(settings.identity, courses, engine, worker, lambda: dicom.listening).app(lifespan)


def main() -> int:
    """Exit status 2 if it cannot start."""
    quiet()
    log = logging.getLogger("planner")
    try:
        settings = read_settings(os.environ)
    except (KeyError, OSError, ValueError, yaml.YAMLError) as error:
        log.error("cannot start: %s: %s", type(error).__name__, error)
        return 2
    log.info("build %s as %s", settings.identity.build, settings.identity.colour)
    uvicorn.run(
        assemble(settings),
        host="0.0.0.0",
        port=HTTP_PORT,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=int(FINISH),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
