"""Parts of an engine for tests: requests, identities, a frozen plan."""

import json
from datetime import UTC, datetime
from typing import Any

from dose_engine.engine import Engine
from dose_engine.identity import Arithmetic, Identity
from dose_engine.request import ForwardRequest, PlanRequest, parse_plan_request
from dose_engine.traits import Traits
from phantoms.frozen import frozen_plan
from phantoms.objects import encode
from phantoms.study import Study

from tests.environments.treatment_platform.shelf import Shelf

IDENTITY = Identity("sha256:" + "ab" * 32, "green")
ARITHMETIC = Arithmetic("x86_64", {"numpy": "2"}, ("Haswell",), 1)
NOON = datetime(2026, 1, 6, 12, 0, tzinfo=UTC)
COARSE = 10.0  # mm


def engine(shelf: Shelf, traits: Traits | None = None) -> Engine:
    return Engine(shelf, IDENTITY, ARITHMETIC, traits or Traits(), lambda: NOON)


def asked(made: Study, **more: Any) -> dict[str, Any]:
    return {
        "study": made.uid("study"),
        "structure_set": made.uid("structures"),
        "prescription": {"roi": "PTV", "dose": 50, "fractions": 25},
        "gantry": [0, 120, 240],
        "pixel": 20,
        "spacing": COARSE,
        **more,
    }


def plan_request(made: Study, **more: Any) -> PlanRequest:
    return parse_plan_request(json.dumps(asked(made, **more)).encode())


def frozen(study: Study, shelf: Shelf) -> ForwardRequest:
    """A coarse frozen plan, put on the shelf, and the request for its dose."""
    made = frozen_plan(study, 1, pixel=20.0)
    shelf.store([encode(made)])
    return ForwardRequest(str(made.SOPInstanceUID), COARSE, store=False)
