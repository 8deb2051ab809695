"""The chain for one structure set: the engine computes, the plan goes to the machine. Once, however many ask.

A plan that is computed and could not be sent is owed: asking again sends it, and computes nothing.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping
from itertools import pairwise
from threading import Lock
from typing import Any

from planner.archive import Archive
from planner.engine import Answer, Engine
from planner.machine import Machine
from planner.trouble import Trouble
from planner.written import Written

REMEMBERED = 1000


class Courses:
    """What became of each structure set that this process planned."""

    def __init__(
        self, archive: Archive, engine: Engine, machine: Machine, usual: Mapping[str, Any], written: Written
    ) -> None:
        self._archive = archive
        self._engine = engine
        self._machine = machine
        self._usual = usual
        self.written = written
        self._done: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._owed: dict[str, Answer] = {}
        self._turns: dict[str, Lock] = {}
        self._lock = Lock()

    def find(self, structure_set: str) -> dict[str, Any] | None:
        """What became of it, if it was planned here."""
        with self._lock:
            return self._done.get(structure_set)

    def run(self, study: str, structure_set: str, more: Mapping[str, Any]) -> dict[str, Any]:
        """The plan of a structure set: the one that is there, or a new one if `more` says how it must be.

        Raises Trouble; what failed may be tried again.
        """
        with self._lock:
            turn = self._turns.setdefault(structure_set, Lock())
        with turn:
            known = self.find(structure_set)
            if known is not None and not more:
                return known
            if more:
                self._owed.pop(structure_set, None)
            made = self._chain(structure_set, {**self._usual, **more, "study": study, "structure_set": structure_set})
            with self._lock:
                self._done[structure_set] = made
                while len(self._done) > REMEMBERED:
                    self._turns.pop(self._done.popitem(last=False)[0], None)
            return made

    def _chain(self, structure_set: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        hops = [("begin", time.perf_counter())]
        answer = self._owed.get(structure_set) or self._engine.ask("/plans", wanted)
        if not answer.body.get("plan"):
            raise Trouble("engine", "the engine's answer names no plan", 502)
        self._owed[structure_set] = answer
        hops.append(("engine", time.perf_counter()))
        plan = self._archive.fetch(str(wanted["study"]), str(answer.body["plan"]))
        hops.append(("fetch", time.perf_counter()))
        try:
            taken = self._machine.send(plan)
        except Trouble as trouble:
            if trouble.lasting:  # this plan will never be taken: whoever asks again gets another
                del self._owed[structure_set]
            raise
        self.written.note(str(answer.body["plan"]))
        del self._owed[structure_set]
        hops.append(("linac", time.perf_counter()))
        seconds = {name: round(at - before, 4) for (_, before), (name, at) in pairwise(hops)}
        kept = ("study", "structure_set", "plan", "dose", "optimiser", "figures", "goals", "scan")
        return {
            "engine": answer.build,
            "engine_colour": answer.colour,
            **{name: answer.body[name] for name in kept if name in answer.body},
            "linac": {"sha256": taken},
            "timings": {**seconds, "all": round(hops[-1][1] - hops[0][1], 4)},
            "engine_timings": answer.body.get("timings", {}),
        }
