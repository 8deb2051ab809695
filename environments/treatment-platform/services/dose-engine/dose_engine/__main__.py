"""Starts the service, until SIGTERM."""

import os
import signal
import sys

if __name__ == "__main__":
    # Before the heavy imports, because the first process of a container ignores a signal that it does not take.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

import logging
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from dose_engine.archive import DicomWeb
from dose_engine.engine import Engine
from dose_engine.identity import arithmetic, identity
from dose_engine.traits import Traits, read_traits
from dose_engine.web import Web

PORT = 8080
FINISH = 10  # seconds that open requests get after SIGTERM
KEEP_ALIVE = 300  # seconds; longer than any proxy's, so that the proxy is the one that closes


def quiet() -> None:
    """Our own lines only: libraries quote what they read, and what they read is about patients."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in ("pydicom", "httpx", "httpcore", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")


def assemble(environ: Mapping[str, str], traits: Traits) -> ASGIApp:
    """Raises KeyError or OSError when something needed is not there."""
    secret = Path(environ.get("VNA_PASSWORD_FILE", "/run/secrets/vna-password")).read_text().rstrip("\n")
    archive = DicomWeb(environ["VNA_URL"], (environ.get("VNA_USER", "clinic"), secret))
    told, itself = arithmetic(), identity(environ)
    engine = Engine(archive, itself, told, traits, lambda: datetime.now().astimezone())

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        yield
        archive.close()

    return Web(engine, itself, told).app(traits, lifespan)


def main() -> int:
    """Exit status 2 if it cannot start."""
    quiet()
    log = logging.getLogger("dose-engine")
    try:
        app = assemble(os.environ, read_traits(Path(os.environ.get("TRAITS_FILE", "/opt/engine/traits.json"))))
    except (KeyError, OSError, ValueError) as error:
        log.error("cannot start: %s: %s", type(error).__name__, error)
        return 2
    uvicorn.run(
        app,
        host="0.0.0.0",
        port=PORT,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=FINISH,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
