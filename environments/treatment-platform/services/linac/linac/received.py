"""The plans that the machine has, and what makes it refuse another."""

import json
import os
from dataclasses import asdict, fields
from pathlib import Path
from threading import Lock

from linac.checks import Received, Refused


class Plans:
    """By SOP instance UID. A plan is taken once; a study belongs to one patient for good.

    They are kept in `folder`, a line for each time that one came: a machine that was switched off and on has them yet.
    """

    def __init__(self, folder: Path) -> None:
        """Raises OSError or ValueError if what is kept there cannot be read: then nobody knows what was taken."""
        self._plans: dict[str, Received] = {}
        self._times: dict[str, int] = {}
        self._whose: dict[str, str] = {}
        self._refused: list[dict[str, str]] = []
        self._lock = Lock()
        self._kept = folder / "plans.jsonl"
        self._kept.touch()
        self._whole = 0  # bytes of the file that are whole lines; what was cut off behind them was not acknowledged
        for line in self._kept.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                self._note(_read(line))
                self._whole += len(line)

    def take(self, plan: Received) -> bool:
        """False if this very plan was there already, which is counted all the same. Raises Refused, and OSError if it
        cannot be kept."""
        with self._lock:
            known = self._plans.get(plan.uid)
            if known is not None and known.sha256 != plan.sha256:
                raise Refused("changed", "another plan came under the UID of one that is here")
            for shared in (plan.study, plan.frame):
                if self._whose.get(shared, plan.patient) != plan.patient:
                    raise Refused("patient", "the plan's study or frame of reference is another patient's")
            self._keep(json.dumps(asdict(plan)).encode() + b"\n")
            self._note(plan)
            return known is None

    def _keep(self, line: bytes) -> None:
        with self._kept.open("r+b") as file:
            file.truncate(self._whole)
            file.seek(self._whole)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._whole += len(line)

    def _note(self, plan: Received) -> None:
        self._plans.setdefault(plan.uid, plan)
        self._times[plan.uid] = self._times.get(plan.uid, 0) + 1
        self._whose[plan.study] = self._whose[plan.frame] = plan.patient

    def refuse(self, code: str, uid: str) -> None:
        """Notes a refusal; the last thousand are kept."""
        with self._lock:
            self._refused = [*self._refused[-999:], {"uid": uid, "code": code}]

    def find(self, uid: str) -> Received | None:
        with self._lock:
            return self._plans.get(uid)

    def times(self, uid: str) -> int:
        """How often the plan came."""
        with self._lock:
            return self._times.get(uid, 0)

    def all(self) -> list[Received]:
        with self._lock:
            return list(self._plans.values())

    def refused(self) -> list[dict[str, str]]:
        with self._lock:
            return list(self._refused)


def _read(line: bytes) -> Received:
    raw = json.loads(line)
    if not isinstance(raw, dict) or set(raw) != {field.name for field in fields(Received)}:
        raise ValueError("what is kept is no plan")
    return Received(**raw | {name: tuple(raw[name]) for name in ("metersets", "software")})
