"""What a command came to, and the one boundary that prints it: text for people, one envelope for programs."""

import json
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from otagate.cli.options import Output
from otagate.core.errors import ConfigError, Exit, OtagateError

if TYPE_CHECKING:  # what a plan is made of would make every --help wait
    from otagate.core.plan import Plan

SCHEMA = "otagate/1"


@dataclass(frozen=True)
class Result:
    """`text` goes to stdout for people, `data` into the envelope; `next` is what to type now."""

    exit: Exit
    data: Mapping[str, Any]
    text: str
    findings: Sequence[Mapping[str, Any]] = ()
    next: str = ""
    errors: Sequence[Mapping[str, str]] = field(default=())


def envelope(command: str, result: Result) -> str:
    """The versioned JSON of every command, one document on stdout."""
    body = {
        "schema": SCHEMA,
        "command": command,
        "exit": int(result.exit),
        "data": result.data,
        "findings": list(result.findings),
        "errors": list(result.errors),
    }
    return json.dumps(body, indent=2, sort_keys=False, ensure_ascii=False)


def kept(keep: Callable[[], object], word: str = "kept") -> tuple[Mapping[str, str], ...]:
    """Carry out what keeps or draws a result; where it fails, an error to tell beside the real ending, which stands:
    "not `word`: …"."""
    try:
        keep()
    except OtagateError as error:
        return ({"code": error.code, "message": f"not {word}: {error.message}", "hint": error.hint, "at": error.at},)
    return ()


def planned(plan: "Plan") -> Result:
    """What `--dry-run` answers: the plan, each step with its cause."""
    steps = [{"action": s.action.value, "subject": s.subject, "cause": s.cause} for s in plan.steps]
    return Result(Exit.DONE, {"plan": {"title": plan.title, "steps": steps}}, plan.text() + "\nnothing was changed")


def run(command: str, output: Output, body: Callable[[], Result]) -> int:
    """Carry out a command and print what it came to; answers the exit status. Nothing escapes as a traceback."""
    try:
        result = body()
    except OtagateError as error:
        result = of_error(error)
    except KeyboardInterrupt:
        result = _failure(Exit.INTERRUPTED, "interrupted", "interrupted", "otagate status")
    except (Exception, SystemExit):  # a library that would end the program has no say in how a command ended
        result = of_bug()
    show(command, output, result)
    return int(result.exit)


def show(command: str, output: Output, result: Result) -> None:
    if output is Output.JSON:
        sys.stdout.write(envelope(command, result) + "\n")
    else:
        if result.text:
            sys.stdout.write(result.text.rstrip("\n") + "\n")
        sys.stdout.flush()
        for error in result.errors:
            where = f"{error['at']}: " if error["at"] else ""
            sys.stderr.write(f"{' '.join(['otagate', *command.split()])}: {where}{error['message']}\n")
            if error["hint"]:
                sys.stderr.write(f"  → {error['hint']}\n")
        if result.next:
            sys.stderr.write(f"next: {result.next}\n")
    sys.stdout.flush()


def of_error(error: OtagateError) -> Result:
    if isinstance(error, ConfigError):
        problems = tuple(
            {"code": error.code, "message": _located(p.path, p.message), "hint": p.hint, "at": str(p.at or "")}
            for p in error.problems
        )
        return Result(error.exit, {}, "", errors=problems)
    return Result(
        error.exit,
        {},
        "",
        errors=({"code": error.code, "message": error.message, "hint": error.hint, "at": error.at},),
    )


def _located(path: str, message: str) -> str:
    return f"{path}: {message}" if path else message


def _failure(exit_status: Exit, code: str, message: str, hint: str) -> Result:
    return Result(exit_status, {}, "", errors=({"code": code, "message": message, "hint": hint, "at": ""},))


def of_bug() -> Result:
    """An unexpected exception: the traceback goes to a file that the message names, never to the user."""
    from otagate.wiring import keep_traceback

    kind, value = sys.exc_info()[:2]
    path = keep_traceback(traceback.format_exc())
    name = kind.__name__ if kind else "error"
    return _failure(
        Exit.BUG,
        "bug",
        f"this is a bug in otagate: {name}: {value}",
        f"what was under way may be unfinished: otagate status, then otagate recover. Details: {path}",
    )
