"""What each sample build of the hello platform must come to. `docs/builds.md` is tested against this table."""

from dataclasses import dataclass

from otagate.core.errors import Exit
from otagate.core.judge import Decision
from otagate.core.promotion import Phase


@dataclass(frozen=True)
class Expectation:
    """`rule` and `reason` are of the one rule that must refuse; `promotion` is how its promotion must end."""

    image: str
    does: str
    decision: Decision
    exit: Exit
    rule: str = ""
    reason: str = ""
    promotion: Phase | None = None
    promotion_exit: Exit | None = None


HELLO = (
    Expectation(
        "hello/web:1.1", "the same answers, less work", Decision.APPROVE, Exit.DONE, "", "", Phase.PROMOTED, Exit.DONE
    ),
    Expectation("hello/web:1.2", "dose maximum wrong by 3 %", Decision.REFUSE, Exit.REFUSED, "dose", "case-failed"),
    Expectation("hello/web:1.3", "three times slower", Decision.REFUSE, Exit.REFUSED, "latency", "ratio-exceeded"),
    Expectation("hello/web:1.4", "drops the last frame", Decision.REFUSE, Exit.REFUSED, "geometry", "case-failed"),
    Expectation("hello/web:1.5", "logs a patient's name", Decision.REFUSE, Exit.REFUSED, "privacy", "case-failed"),
    Expectation("hello/web:1.6", "dies on a truncated file", Decision.REFUSE, Exit.REFUSED, "crash", "crashed"),
    Expectation(
        "hello/web:1.7", "goes bad under load", Decision.APPROVE, Exit.DONE, "", "", Phase.ROLLED_BACK, Exit.UNDONE
    ),
)
