"""What must always be so in a service that is live, as the platform names it, and whether an answer says that it is.

Absence of an answer is none: a name that is missing, null, of another kind than declared or not a number says nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Invariant:
    """`name` in the answer of `service`'s `invariants` hook, and what holds: the word `is_true` wants, or a number from
    `least` to `most` (None: no such bound)."""

    name: str
    service: str
    is_true: bool | None = None
    least: float | None = None
    most: float | None = None

    @property
    def words(self) -> str:
        """The bound, for people."""
        if self.is_true is not None:
            return "true" if self.is_true else "false"
        bounds = (("at least", self.least), ("at most", self.most))
        return " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)


def holds(invariant: Invariant, answer: Any) -> bool | None:
    """Whether it holds by the hook's answer; None where the answer does not say."""
    value = answer.get(invariant.name) if isinstance(answer, Mapping) else None
    if invariant.is_true is not None:
        return value is invariant.is_true if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -math.inf < value < math.inf:
        return None
    if invariant.least is None and invariant.most is None:
        return None
    return (invariant.least is None or value >= invariant.least) and (invariant.most is None or value <= invariant.most)
