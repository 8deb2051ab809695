"""What will be done, as plain data with each step's cause; its text serves `--dry-run`, the record and the tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from otagate.core.cloud import LABEL_SPEC
from otagate.core.container import Stage
from otagate.core.mirror import ObservedCloud, ObservedContainer


class Action(StrEnum):
    CREATE = "create"
    REPLACE = "replace"
    START = "start"
    KEEP = "keep"
    RUN = "run"
    TURN = "turn"
    REMOVE = "remove"


@dataclass(frozen=True)
class Step:
    action: Action
    subject: str
    cause: str


@dataclass(frozen=True)
class Plan:
    """Steps in the order in which they will happen."""

    title: str
    steps: tuple[Step, ...]

    def text(self) -> str:
        width = max((len(step.subject) for step in self.steps), default=0)
        lines = [f"  {step.action:<8} {step.subject:<{width}}  {step.cause}".rstrip() for step in self.steps]
        return "\n".join([self.title, *lines])


def steps_of(stages: Sequence[Stage], observed: Sequence[ObservedCloud]) -> tuple[Step, ...]:
    """What raising `stages` would do to the containers that are there now."""
    there = {c.name: c for cloud in observed for c in cloud.containers}
    left = unapplied(stages, observed)
    return tuple(
        Step(
            _action(container.labels, stage, there.get(container.name)),
            container.name,
            f"changed; not applied ({stage.cause})" if container.name in left else stage.cause,
        )
        for stage in stages
        for container in stage.containers
    )


def unapplied(stages: Sequence[Stage], observed: Sequence[ObservedCloud]) -> tuple[str, ...]:
    """The containers that stand as they once were defined, and that raising `stages` leaves as they are."""
    there = {c.name: c for cloud in observed for c in cloud.containers}
    kept = (container for stage in stages if not stage.replace for container in stage.containers)
    return tuple(
        c.name for c in kept if c.name in there and there[c.name].labels.get(LABEL_SPEC) != c.labels[LABEL_SPEC]
    )


def _action(labels: Mapping[str, str], stage: Stage, there: ObservedContainer | None) -> Action:
    if there is None:
        return Action.CREATE
    if stage.replace and there.labels.get(LABEL_SPEC) != labels.get(LABEL_SPEC):
        return Action.REPLACE
    return Action.KEEP if there.running else Action.START
