"""What a client asks for, checked before anything is fetched."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dose_engine.refusal import Refusal

_UID = re.compile(r"(?=.{1,64}$)[0-9]+(\.[0-9]+)+")
MOST_BEAMS = 16
FIGURES = ("mean", "min", "max", "d98", "d95", "d50", "d2")


@dataclass(frozen=True)
class Aim:
    """One objective of the optimiser, by the structure's name."""

    roi: str
    kind: Literal["over", "under"]
    dose: float
    weight: float


@dataclass(frozen=True)
class Goal:
    """A bound on a dose-volume figure that the finished plan is held against; it does not steer the optimiser."""

    roi: str
    figure: str
    bound: Mapping[str, float]


@dataclass(frozen=True)
class PlanRequest:
    """Doses in Gy, angles in degrees, `pixel` (of the modulator) and `spacing` (of the dose grid) in mm."""

    study: str
    structure_set: str
    target: str
    dose: float
    fractions: int
    gantry: tuple[float, ...]
    pixel: float
    spacing: float
    label: str
    aims: tuple[Aim, ...] = ()
    goals: tuple[Goal, ...] = field(default=())


@dataclass(frozen=True)
class ForwardRequest:
    """Dose of an archived plan on a grid of `spacing` mm; kept in the archive, or only answered."""

    plan: str
    spacing: float
    store: bool


def parse_plan_request(body: bytes) -> PlanRequest:
    """Raises Refusal `bad-request` that names the field."""
    raw = _object(body, "study structure_set prescription gantry pixel spacing label objectives goals")
    wanted = _fields(raw.get("prescription"), "prescription", "roi dose fractions")
    gantry = raw.get("gantry", [0, 72, 144, 216, 288])
    if not isinstance(gantry, list) or not 1 <= len(gantry) <= MOST_BEAMS:
        raise _bad("gantry", f"a list of 1 to {MOST_BEAMS} angles")
    return PlanRequest(
        study=_uid(raw, "study"),
        structure_set=_uid(raw, "structure_set"),
        target=_name(wanted, "roi"),
        dose=_number(wanted, "dose", 0.1, 200.0),
        fractions=_whole(wanted, "fractions"),
        gantry=tuple(round(_number({"gantry": angle}, "gantry", 0.0, 359.999), 3) for angle in gantry),
        pixel=round(_number(raw, "pixel", 2.5, 20.0, 10.0), 3),
        spacing=_number(raw, "spacing", 2.0, 10.0, 5.0),
        label=_name(raw, "label", "PLAN")[:16],
        aims=tuple(_aim(one) for one in _list(raw, "objectives")),
        goals=tuple(_goal(one) for one in _list(raw, "goals")),
    )


def parse_forward_request(body: bytes) -> ForwardRequest:
    """Raises Refusal `bad-request` that names the field."""
    raw = _object(body, "plan spacing store")
    store = raw.get("store", False)
    if not isinstance(store, bool):
        raise _bad("store", "true or false")
    return ForwardRequest(_uid(raw, "plan"), _number(raw, "spacing", 2.0, 10.0, 5.0), store)


def _aim(raw: object) -> Aim:
    one = _fields(raw, "objectives", "roi kind dose weight")
    kind = one.get("kind")
    if kind not in ("over", "under"):
        raise _bad("objectives", "each of kind over or under")
    weight = _number(one, "weight", 1e-6, 1e6, 100.0)
    return Aim(_name(one, "roi"), kind, _number(one, "dose", 0.0, 200.0), weight)


def _goal(raw: object) -> Goal:
    one = _fields(raw, "goals", "roi figure at_least at_most")
    bound: dict[str, float] = {side: _number(one, side, 0.0, 400.0) for side in ("at_least", "at_most") if side in one}
    if one.get("figure") not in FIGURES or not bound:
        raise _bad("goals", f"each with a figure of {', '.join(FIGURES)} and at_least or at_most")
    return Goal(_name(one, "roi"), str(one["figure"]), bound)


def _object(body: bytes, known: str) -> dict[str, Any]:
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal("bad-request", "the body must be JSON", http=400) from None
    return _fields(raw, "the body", known)


def _fields(raw: object, name: str, known: str) -> dict[str, Any]:
    if not isinstance(raw, dict) or not set(raw) <= set(known.split()):
        raise _bad(name, f"an object with no other fields than {known}")
    return raw


def _list(raw: Mapping[str, Any], name: str) -> list[object]:
    found = raw.get(name, [])
    if not isinstance(found, list) or len(found) > 100:
        raise _bad(name, "a list")
    return found


def _uid(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not _UID.fullmatch(value):
        raise _bad(name, "a DICOM UID")
    return value


def _name(raw: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = raw.get(name, default)
    if not isinstance(value, str) or not 1 <= len(value) <= 64 or not value.isprintable() or "\\" in value:
        raise _bad(name, "a short text")
    return value


def _number(raw: Mapping[str, Any], name: str, least: float, most: float, default: float | None = None) -> float:
    value = raw.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _bad(name, "a number")
    if not least <= value <= most:
        raise _bad(name, f"from {least:g} to {most:g}")
    return float(value)


def _whole(raw: Mapping[str, Any], name: str) -> int:
    value = _number(raw, name, 1, 100)
    if value != int(value):
        raise _bad(name, "a whole number")
    return int(value)


def _bad(name: str, must: str) -> Refusal:
    return Refusal("bad-request", f"{name} must be {must}", http=400)
