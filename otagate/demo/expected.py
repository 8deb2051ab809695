"""What each sample build must come to. The platforms' pages of sample builds are tested against these tables."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from otagate.core.errors import Exit
from otagate.core.judge import Decision
from otagate.core.promotion import Phase

Failed = Collection[tuple[str, str]]  # rule and reason of each finding that refused


@dataclass(frozen=True)
class Expectation:
    """`rule` and `reason` are of the rule that the build is made for, `also` the other rules that rightly fail with it;
    `promotion` is how its promotion must end, and `words` what the reason that it gives must hold."""

    image: str
    does: str
    decision: Decision
    exit: Exit
    rule: str = ""
    reason: str = ""
    also: tuple[str, ...] = ()
    promotion: Phase | None = None
    promotion_exit: Exit | None = None
    words: str = ""

    @property
    def rules(self) -> frozenset[str]:
        """All that must fail, and no other may."""
        return frozenset({self.rule, *self.also} - {""})

    @property
    def must(self) -> str:
        """In words."""
        failed = [(self.rule, self.reason), *((rule, "") for rule in self.also)] if self.rule else []
        return f"{self.came(self.decision, failed)} (exit {int(self.exit)})"

    def came(self, decision: str, failed: Failed) -> str:
        """A verdict in words: by the rule that the build is made for, where that failed, and with the others."""
        ordered = sorted(dict.fromkeys(failed), key=lambda f: (f[0] != self.rule, f[0]))
        if not ordered:
            return decision
        (rule, reason), *others = ordered
        names = list(dict.fromkeys(name for name, _ in others if name != rule))
        return f"{decision} by {rule} ({reason})" + (f" with {', '.join(names)}" if names else "")

    def ended_otherwise(self, phase: str, exit_: int, reason: str) -> bool:
        """Whether the promotion ended otherwise than it must, or for another reason."""
        return (phase, exit_) != (self.promotion, self.promotion_exit) or self.words not in reason

    def departure(self, decision: str, exit_: int, failed: Failed) -> str:
        """What went otherwise than it must, in words; empty if nothing did."""
        if (decision, exit_) != (self.decision, int(self.exit)):
            return f"it is {decision} (exit {exit_})"
        if self.rule and (self.rule, self.reason) not in failed:
            return f"{self.rule} did not fail by {self.reason}"
        came = {rule for rule, _ in failed}
        if missed := sorted(self.rules - came):
            return f"{', '.join(missed)} did not fail"
        if more := sorted(came - self.rules):
            return f"{', '.join(more)} failed too"
        return ""


def _live(image: str, does: str) -> Expectation:
    return Expectation(image, does, Decision.APPROVE, Exit.DONE, promotion=Phase.PROMOTED, promotion_exit=Exit.DONE)


def _brought_back(image: str, does: str) -> Expectation:
    """By the errors that it answers with, and by nothing else that a watch goes back for."""
    return replace(_live(image, does), promotion=Phase.ROLLED_BACK, promotion_exit=Exit.UNDONE, words=" errors in ")


def _refused(image: str, does: str, rule: str, reason: str, *also: str) -> Expectation:
    return Expectation(image, does, Decision.REFUSE, Exit.REFUSED, rule, reason, also)


HELLO = (
    _live("hello/web:1.1", "the same answers, less work"),
    _refused("hello/web:1.2", "dose maximum wrong by 3 %", "dose", "case-failed"),
    _refused("hello/web:1.3", "three times slower", "latency", "ratio-exceeded"),
    _refused("hello/web:1.4", "drops the last frame", "geometry", "case-failed"),
    _refused("hello/web:1.5", "logs a patient's name", "privacy", "case-failed"),
    _refused("hello/web:1.6", "dies on a truncated file", "crash", "crashed"),
    _brought_back("hello/web:1.7", "goes bad under load"),
)

ENGINE = "treatment-platform/dose-engine"
TREATMENT = (
    _live(f"{ENGINE}:1.1", "converges in fewer iterations"),
    _refused(f"{ENGINE}:1.2", "dose 3 % too high", "dose", "case-failed", "unchanged"),
    _refused(f"{ENGINE}:1.3", "dose left for right", "geometry", "case-failed", "dose", "functional", "unchanged"),
    _refused(f"{ENGINE}:1.4", "three times slower", "latency", "ratio-exceeded", "chain"),
    _refused(f"{ENGINE}:1.5", "ends at its second request", "crash", "crashed"),
    _refused(f"{ENGINE}:1.6", "plan on other structures", "references", "case-failed", "machine", "unchanged"),
    _brought_back(f"{ENGINE}:1.7", "goes bad after twenty patients"),
)
