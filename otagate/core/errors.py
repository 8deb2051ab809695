"""What may break, and with which exit status. A refusal is a value (see `judge`); only breakage is raised.

OtagateError ─┬─ UsageError          2  the caller asked for something that cannot be
              ├─ ConfigError         2  the platform's files, every problem at once
              ├─ Refused             1  a preflight condition said no, nothing was touched
              ├─ Busy                7  another holds the lease
              ├─ Fault ─┬─ EngineFault      4  a container engine
              │         ├─ ProvisionFault   4  Ansible
              │         ├─ SwitchFault      4  the switch or its steward
              │         ├─ SuiteFault       4  the suite container could not be run at all
              │         ├─ ProbeFault       4  an address that should answer
              │         └─ StoreFault       4  the local record
              ├─ Alarm               8  evidence or production is not what it should be
              └─ Interrupted       130  after the way out was taken, or saying what is left
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """The exit statuses of every command; `docs/exit-codes.md` is tested against this."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    INCONCLUSIVE = 3
    FAULT = 4
    UNDONE = 5
    STRANDED = 6
    BUSY = 7
    ALARM = 8
    BUG = 70
    INTERRUPTED = 130


@dataclass(frozen=True)
class Position:
    """A place in a file: line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a platform's files: where, what, what was expected, what to do."""

    at: Position | None
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.at}: " if self.at else ""
        path = f"{self.path}: " if self.path else ""
        return f"{where}{path}{self.message}"


class OtagateError(Exception):
    """Root: `message` says what, `code` is stable for programs, `hint` is what to type or do next."""

    exit: ClassVar[Exit] = Exit.BUG
    default_code: ClassVar[str] = "bug"

    def __init__(self, message: str, *, code: str = "", hint: str = "", at: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.at = at


class UsageError(OtagateError):
    exit = Exit.USAGE
    default_code = "usage"


class ConfigError(OtagateError):
    exit = Exit.USAGE
    default_code = "config"

    def __init__(self, problems: Sequence[Problem], *, hint: str = "") -> None:
        super().__init__(
            f"{len(problems)} problem(s) in the platform's files", hint=hint or "otagate check shows them all"
        )
        self.problems = tuple(problems)


class Refused(OtagateError):
    exit = Exit.REFUSED
    default_code = "refused"


class Busy(OtagateError):
    exit = Exit.BUSY
    default_code = "busy"


class Fault(OtagateError):
    exit = Exit.FAULT
    default_code = "fault"


class EngineFault(Fault):
    default_code = "engine"


class ProvisionFault(Fault):
    default_code = "provision"


class SwitchFault(Fault):
    default_code = "switch"


class SuiteFault(Fault):
    default_code = "suite"


class ProbeFault(Fault):
    """Code NO_ANSWER: nobody took the connection, or said anything in time."""

    default_code = "probe"


NO_ANSWER = "no-answer"


class StoreFault(Fault):
    default_code = "store"


class Alarm(OtagateError):
    exit = Exit.ALARM
    default_code = "alarm"


class Interrupted(OtagateError):
    exit = Exit.INTERRUPTED
    default_code = "interrupted"
