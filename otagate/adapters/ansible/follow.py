"""From Ansible's and the engine's events to one line of progress per container, and to what changed or broke."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from otagate.adapters.ansible.specification import subject
from otagate.core.container import Container, Stage
from otagate.ports import Progress, Tell

OUR_ACTION = "otagate_stage"


@dataclass(frozen=True)
class Breakage:
    """What the first failed task said. `engine` is True if the engine did not answer at all."""

    task: str
    message: str
    guilty: str
    log: tuple[str, ...]
    engine: bool


@dataclass
class Follow:
    """Fed with every event, in order. `current` is the index of the stage under way, -1 before the first."""

    platform: str
    stages: Sequence[Stage]
    tell: Tell
    current: int = -1
    finished: int = 0
    changed: list[str] = field(default_factory=list)
    broken: Breakage | None = None
    output: dict[int, list[str]] = field(default_factory=dict)
    ended: Mapping[str, Any] | None = None
    _up: set[str] = field(default_factory=set)

    def of_ansible(self, event: Mapping[str, Any]) -> None:
        kind, res = event["event"], event.get("res", {})
        if kind == "playbook_on_play_start":
            self.current += 1
        if event.get("stdout"):
            self.output.setdefault(max(self.current, 0), []).append(event["stdout"])
        if kind in ("runner_on_failed", "runner_item_on_failed", "runner_on_unreachable") and self.broken is None:
            self.broken = _breakage(event)
        elif kind == "runner_item_on_ok" and res.get("changed"):
            self._created(event)
        elif kind == "runner_on_ok" and event.get("task_action") == OUR_ACTION and "changed_names" in res:
            self._raised(res["changed_names"])
        elif kind == "end":
            self.ended = event

    def of_engine(self, event: Mapping[str, Any]) -> None:
        container = self._containers().get(event.get("Actor", {}).get("Attributes", {}).get("name", ""))
        if container is None:
            return
        word = _WORDS.get(event["Action"])
        if event["Action"] == "start" and container.healthcheck is None:
            word = "running"
        if word in ("healthy", "running"):
            self._up.add(container.name)
        if word:
            self._say(container, word)

    def _created(self, event: Mapping[str, Any]) -> None:
        name = event["res"].get("item", {}).get("name", "")
        self.changed.append(name)
        self.tell(Progress(self._stage().name, name.removeprefix(f"{self.platform}-"), f"{_kind(event)} created"))

    def _raised(self, changed: Sequence[str]) -> None:
        self.changed += changed
        self.finished += 1
        for container in self._stage().containers:
            if container.name not in self._up:
                self._up.add(container.name)
                self._say(container, "healthy" if container.name in changed else "unchanged")

    def _say(self, container: Container, word: str) -> None:
        names = self._containers()
        done = len(self._up & names.keys())
        self.tell(Progress(self._stage().name, subject(self.platform, container), word, done, len(names)))

    def _stage(self) -> Stage:
        return self.stages[min(max(self.current, 0), len(self.stages) - 1)]

    def _containers(self) -> dict[str, Container]:
        return {container.name: container for container in self._stage().containers}


_WORDS = {
    "create": "created",
    "start": "started",
    "health_status: healthy": "healthy",
    "health_status: unhealthy": "unhealthy",
    "die": "ended",
}


def _kind(event: Mapping[str, Any]) -> str:
    return "volume" if "volume" in event.get("task_action", "") else "network"


def _breakage(event: Mapping[str, Any]) -> Breakage:
    res = event.get("res", {})
    return Breakage(
        task=event.get("task", ""),
        message=str(res.get("msg", "")).strip() or "failed without a message",
        guilty=res.get("guilty", ""),
        log=tuple(res.get("log", ())),
        engine=bool(res.get("engine_fault")),
    )
