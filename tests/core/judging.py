"""Reads `tests/cases/judge/*.yaml`: a policy and a record in few words, what is changed in them, and what must follow.

Each file is a mapping of case name → case. A case may start from another (`from`) and then `set` or `drop` values by
path (steps joined by `/`); `missing: true` says that evidence is lacking, so that approve would be a false pass.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from otagate.core.policy import AnyRule, CasesRule, CrashRule, DriftRule, MetricRule, Policy
from otagate.core.record import Record

FOLDER = Path(__file__).parents[1] / "cases" / "judge"
_KINDS: Mapping[str, type[AnyRule]] = {
    "cases": CasesRule,
    "metric": MetricRule,
    "crash": CrashRule,
    "drift": DriftRule,
}


@dataclass(frozen=True)
class JudgeCase:
    name: str
    policy: Policy
    record: Record
    verdict: str
    findings: Mapping[str, str]  # rule → "mark reason", optionally followed by words that its message holds
    only: bool  # no finding but these and passes
    missing: bool


def read_cases() -> Iterator[JudgeCase]:
    raw: dict[str, dict[str, Any]] = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        for name, body in yaml.safe_load(path.read_text()).items():
            assert name not in raw, f"{name} stands twice"
            raw[name] = body
    for name, body in raw.items():
        yield _case(name, body, _content(raw, name))


def _case(name: str, body: dict[str, Any], content: dict[str, Any]) -> JudgeCase:
    return JudgeCase(
        name,
        policy_of(content["policy"]),
        record_of(content["record"]),
        body["verdict"],
        {rule: str(text) for rule, text in body.get("findings", {}).items()},
        body.get("only", True),
        body.get("missing", False),
    )


def _content(raw: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    body = raw[name]
    content: dict[str, Any] = deepcopy({k: body[k] for k in ("policy", "record") if k in body})
    if "from" in body:
        content = _content(raw, body["from"]) | content
    for path, value in body.get("set", {}).items():
        parent, last = _parent(content, path)
        parent[last] = deepcopy(value)
    for path in body.get("drop", []):
        parent, last = _parent(content, path)
        del parent[last]
    return content


def _parent(content: Any, path: str) -> tuple[Any, Any]:
    *steps, last = [int(step) if step.isdecimal() else step for step in path.split("/")]
    for step in steps:
        content = content[step]
    return content, last


def policy_of(rules: dict[str, dict[str, Any]]) -> Policy:
    built = []
    for name, fields in rules.items():
        kind = _KINDS[fields["kind"]]
        values = {k: v for k, v in fields.items() if k != "kind"}
        built.append(TypeAdapter(kind).validate_python({"name": name, **values}))
    return Policy(tuple(built))


def record_of(body: dict[str, Any]) -> Record:
    suites = {name: _suite(name, suite) for name, suite in body.get("suites", {}).items()}
    metrics = {name: {"name": name, **metric} for name, metric in body.get("metrics", {}).items()}
    return TypeAdapter(Record).validate_python(
        {
            "suites": suites,
            "metrics": metrics,
            "crashes": body.get("crashes"),
            "comparison": body.get("comparison"),
            "faults": body.get("faults", []),
            "migration": _migration(body) if "migration" in body else None,
        }
    )


def _migration(body: dict[str, Any]) -> dict[str, Any]:
    """The live release's suites are like the candidate's, unless the case says otherwise."""
    given = body["migration"]
    suites = {name: _suite(name, suite) for name, suite in given.get("suites", body.get("suites", {})).items()}
    move = {"service": "web", "came": "1", "to": "2", "build": "sha256:" + "2" * 64}
    moved: dict[str, Any] = {"moves": [move], "crashes": []} | given | {"suites": suites}
    return moved


def _suite(name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Cases are `{id: outcome}` or `{id: [outcome, requirement, …]}`; the rest is what an honest parent would say."""
    told = {case: [said] if isinstance(said, str) else said for case, said in body["cases"].items()}
    bad = any(said[0] in ("failed", "error", "crashed") for said in told.values())
    cases = [
        {"id": case, "outcome": said[0], "requirements": said[1:], "started": 100.0 + at, "ended": 101.0 + at}
        for at, (case, said) in enumerate(told.items())
    ]
    honest = {
        "name": name,
        "tree_digest": "sha256:" + "5" * 64,
        "collected": list(told),
        "exit_status": 1 if bad else 0,
        "ended": True,
    }
    twice = [case for case in cases if case["id"] in body.get("twice", [])]
    given = {key: value for key, value in body.items() if key not in ("cases", "twice")}
    return honest | given | {"cases": cases + twice}
