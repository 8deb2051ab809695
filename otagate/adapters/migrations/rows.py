"""Runs and promotions as rows of the store's tables, and whole as JSON: the body alone is read back."""

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from otagate.core.build import Build
from otagate.core.canonical import digest_of_bytes
from otagate.core.errors import Alarm, StoreFault
from otagate.core.judge import Finding
from otagate.core.metric import Metric
from otagate.core.record import PromotionRecord
from otagate.core.suite import Case
from otagate.core.traffic import PromotionView
from otagate.ports import StoredRun

# Imported where it is used: see store.py.
if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T", StoredRun, PromotionRecord)


def dumped(value: StoredRun | PromotionRecord) -> str:
    """JSON for the body, in which NaN and infinity stand as words."""
    # Half a surrogate pair, as a log in a strange encoding may hold, has no bytes: "?" in its place keeps the run.
    content = _adapter(type(value)).dump_python({"body": value}, mode="json")
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")


def loaded(kind: type[T], name: str, body: str | None) -> T:
    """What `dumped` made `body` of; StoreFault, which names it, if it is not whole."""
    from pydantic import ValidationError

    try:
        value: T = _adapter(kind).validate_json(body or "")["body"]
    except ValidationError as error:
        raise StoreFault(
            f"the record of {name} cannot be read: {error.error_count()} of its parts are not as they should be",
            code="store-corrupt",
            hint="restore the store from a backup, or run the gate again",
        ) from error
    return value


def _adapter(kind: type) -> "TypeAdapter[Any]":
    from pydantic import ConfigDict, TypeAdapter

    # Under a dict, because pydantic takes no configuration for a bare dataclass.
    config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="constants")
    return TypeAdapter(dict[str, kind], config=config)  # type: ignore[valid-type]


def run_row(run: StoredRun) -> dict[str, Any]:
    header = run.header
    return {
        "decision": run.verdict.decision.value,
        "release": column(header.release),
        "baseline_release": column(header.baseline_release),
        "policy_digest": column(header.policy_digest),
        "started": header.started,
        "ended": run.ended,
        "expires": run.expires,
        "by": column(header.by),
    }


def checked_run(row: Mapping[str, Any]) -> StoredRun:
    """The run of a row of `runs`. Alarm if body, digest and the other columns do not belong together."""
    name = str(row["run"])
    run = loaded(StoredRun, f"run {name}", row["body"])
    if digest_of_bytes(row["body"].encode()) != row["digest"]:
        raise _altered(name, "its digest is that of another")
    told = run_row(run) | {"platform": column(run.header.platform), "run": column(run.header.run)}
    if wrong := [key for key, value in told.items() if row[key] != value]:
        raise _altered(name, f"its row says otherwise of {', '.join(wrong)}")
    return run


def _altered(run: str, why: str) -> Alarm:
    return Alarm(
        f"the record of run {run} is not what was recorded: {why}",
        code="record-altered",
        hint="find out who changed the store; restore it from a backup, or run the gate again",
    )


def part_rows(run: StoredRun) -> dict[str, list[dict[str, Any]]]:
    """A run's builds, cases, samples and findings, by table."""
    record = run.record
    sides = {"candidate": run.header.builds, "baseline": run.header.baseline}
    cases = [(name, case) for name, report in record.suites.items() for case in report.cases]
    return {
        "builds": [_build_row(side, build) for side, builds in sides.items() for build in builds],
        "cases": [_case_row(suite, case) for suite, case in cases],
        "samples": [row for metric in record.metrics.values() for row in _sample_rows(metric)],
        "findings": [_finding_row(finding) for finding in run.verdict.findings],
    }


def _build_row(side: str, build: Build) -> dict[str, Any]:
    return {
        "side": side,
        "service": column(build.service),
        "reference": column(build.reference),
        "digest": column(build.digest),
        "registry_digest": column(build.registry_digest),
    }


def _case_row(suite: str, case: Case) -> dict[str, Any]:
    return {
        "suite": column(suite),
        "case": column(case.id),
        "outcome": case.outcome.value,
        "message": column(case.message),
        "started": _finite(case.started),
        "ended": _finite(case.ended),
    }


def _sample_rows(metric: Metric) -> list[dict[str, Any]]:
    of_metric = {"metric": column(metric.name), "unit": column(metric.unit), "direction": metric.direction.value}
    return [
        of_metric | {"side": side, "place": place, "value": _finite(value)}
        for side, samples in (("candidate", metric.candidate), ("baseline", metric.baseline))
        for place, value in enumerate(samples)
    ]


def _finding_row(finding: Finding) -> dict[str, Any]:
    return {
        "rule": column(finding.rule),
        "mark": finding.mark.value,
        "reason": finding.reason.value,
        "impact": finding.impact.value,
        "message": column(finding.message),
        "unit": column(finding.unit),
        "measured": _finite(finding.measured),
        "limit": _finite(finding.limit),
        "trial": finding.trial,
    }


def promotion_row(view: PromotionView) -> dict[str, Any]:
    intent = view.intent
    return {
        "kind": intent.kind.value,
        "run": column(intent.run),
        "release": column(intent.release),
        "colour": intent.to.value,
        "by": column(intent.by),
        "phase": view.phase.value,
        "reason": column(view.reason),
        "started": view.started,
        "changed": view.changed,
    }


def column(value: str) -> str:
    """Fit for any database's text: no NUL, no half surrogate pair."""
    return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
