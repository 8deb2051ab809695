"""Starts the service: HTTP and DICOM in one process, until SIGTERM."""

import os
import signal
import sys

if __name__ == "__main__":
    # Before the heavy imports, because the first process of a container ignores a signal that it does not take; and
    # again after the orderly end (the server raises the signal anew): no thread of a hostile peer may hold that up.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

import logging
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from hello_web.behind import Behind
from hello_web.dicom import DicomServer
from hello_web.intake import Intake
from hello_web.settings import HTTP_PORT, Settings, read_settings
from hello_web.store import Objects, Store
from hello_web.tally import Tally
from hello_web.traits import Traits, read_traits
from hello_web.web import Web

FINISH = 3.0  # seconds that open requests and associations get after SIGTERM
KEEP_ALIVE = 300  # seconds; longer than any proxy's, so that the proxy is the one that closes


def quiet() -> None:
    """Our own lines only: libraries quote what they read, and what they read is about patients."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in ("pydicom", "pynetdicom", "psycopg", "psycopg.pool", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")


def assemble(settings: Settings, traits: Traits) -> ASGIApp:
    store = Store(settings, compress=traits.compress_kept)
    behind = Behind(store, traits.write_behind) if traits.write_behind else None
    objects: Objects = behind or store
    intake = Intake(objects, settings.identity, traits)
    tally = Tally(store, settings.identity)
    dicom = DicomServer(settings, intake)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        store.open()
        tally.start()
        dicom.start()
        try:
            yield
        finally:
            await run_in_threadpool(dicom.close, FINISH)
            await run_in_threadpool(tally.close)
            if behind is not None:
                await run_in_threadpool(behind.close)
            await run_in_threadpool(store.close)
            logging.getLogger("hello").info("ended in order")

    def well() -> bool:
        return dicom.listening and store.alive()

    return Web(settings.identity, objects, intake, tally, well).app(traits, lifespan)


def main() -> int:
    quiet()
    log = logging.getLogger("hello")
    try:
        traits = read_traits(Path(os.environ.get("TRAITS_FILE", "/opt/hello/traits.json")))
        settings = read_settings(os.environ)
    except (KeyError, OSError, ValueError) as error:
        log.error("cannot start: %s: %s", type(error).__name__, error)
        return 2
    log.info("build %s as %s", settings.identity.build, settings.identity.colour)
    uvicorn.run(
        assemble(settings, traits),
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
