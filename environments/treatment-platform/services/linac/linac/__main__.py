"""Starts the stand-in, until SIGTERM."""

import json
import logging
import os
import signal
import sys
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from linac.checks import Machine
from linac.dicom import DicomServer
from linac.received import Plans

HTTP_PORT, DICOM_PORT = 8080, 11112

log = logging.getLogger("linac")


def parse_config(text: str) -> tuple[Machine, tuple[str, ...]]:
    """The machine, and the AE titles that may send to it. Raises ValueError unless all are named."""
    raw = yaml.safe_load(text)
    if not isinstance(raw, dict) or set(raw) != {"machine", "patients", "callers"}:
        raise ValueError("the configuration must name machine, patients and callers")
    for name in ("patients", "callers"):
        listed = raw[name]
        if not isinstance(listed, list) or not listed or not all(isinstance(one, str) and one for one in listed):
            raise ValueError(f"{name} must be a list of texts")
    if not isinstance(raw["machine"], str) or not raw["machine"]:
        raise ValueError("machine must be a name")
    return Machine(raw["machine"], tuple(raw["patients"])), tuple(raw["callers"])


def application(plans: Plans, dicom: DicomServer, address: tuple[str, int]) -> Starlette:
    """What the stand-in tells about itself: only for tests and demo, a machine has no such door."""

    async def health(_: Request) -> Response:
        return _json({"healthy": dicom.listening}, 200 if dicom.listening else 503)

    async def listed(_: Request) -> Response:
        came = [plan.answer | {"times": plans.times(plan.uid)} for plan in plans.all()]
        return _json({"plans": came, "refused": plans.refused()})

    async def one(request: Request) -> Response:
        found = plans.find(request.path_params["uid"])
        return _json({"plan": found.answer} if found else {"error": {"code": "not-found"}}, 200 if found else 404)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        dicom.start(address)
        yield
        dicom.close()

    routes = [Route("/healthz", health), Route("/plans", listed), Route("/plans/{uid}", one)]
    return Starlette(routes=routes, lifespan=lifespan)


def _json(body: Mapping[str, object], code: int = 200) -> Response:
    return Response(json.dumps(body), code, media_type="application/json")


def main() -> int:
    """Exit status 2 if it cannot start."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # the first process of a container ignores it otherwise
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in ("pydicom", "pynetdicom", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    try:
        machine, callers = parse_config(Path(os.environ.get("LINAC_CONFIG", "/etc/linac/linac.yaml")).read_text())
        plans = Plans(Path(os.environ.get("LINAC_PLANS", "/var/lib/linac")))
    except (OSError, ValueError, yaml.YAMLError) as error:
        log.error("cannot start: %s: %s", type(error).__name__, error)
        return 2
    dicom = DicomServer(os.environ.get("AE_TITLE", "LINAC"), callers, machine, plans)
    app = application(plans, dicom, ("0.0.0.0", DICOM_PORT))
    uvicorn.run(app, host="0.0.0.0", port=HTTP_PORT, access_log=False, log_config=None, server_header=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
