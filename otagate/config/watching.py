"""`watch:` of otagate.yaml: how long to look on after a flip, and what means back."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from otagate.config.base import Matches, Strict
from otagate.config.tree import shown
from otagate.config.units import Duration, Positive, Share, between, flaw

_MOST = 1e15


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_MOST <= value <= _MOST:
        raise flaw(f"{shown(value)} is not a number", "write a number such as 0, 3 or 0.5")
    return float(value)


Number = Annotated[float, BeforeValidator(_number), WithJsonSchema({"type": "number"})]
AnswerLimit = Annotated[
    Duration, AfterValidator(between(0.1, 55.0, "from 100ms to 55s; answers above are not told apart"))
]
InvariantName = Annotated[
    str, Matches(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", "an invariant's name: a letter, then letters, digits, _, . and -")
]


class SlowEntry(Strict):
    """When the answers of an HTTP listener are too slow. Each request is timed by the switch."""

    share: Annotated[Share, AfterValidator(between(0.001, 0.95, "from 0.1% to 95%"))] = Field(
        default=0.25, description="evidence that more than this share of answers is slower means back, default `25%`"
    )
    limit: AnswerLimit | None = Field(
        default=None, description="slower than this, `100ms` to `55s`, is slow; with `times` too, the less of both"
    )
    times: Annotated[Number, AfterValidator(between(1, 100, "from 1 to 100"))] | None = Field(
        default=None,
        description="slower than so many times what nine in ten of the old colour's answers kept before the flip, and "
        "than 50 ms; default 1.5 where there is no `limit`",
    )


class InvariantEntry(Strict):
    """What must hold in the service while it is live, by the name under which its `invariants` hook answers it."""

    service: str = Field(description="a release-tier service with the `invariants` hook")
    is_true: bool | None = Field(default=None, alias="is", description="`true` or `false`; this, or a bound")
    least: Number | None = Field(default=None, description="a number that is at least this")
    most: Number | None = Field(default=None, description="a number that is at most this")


class Watch(Strict):
    """The time after the flip in which the steward goes back by itself."""

    lasts: Annotated[Duration, AfterValidator(between(1, 86400, "from 1s to 24h"))] = Field(
        default=60.0, description="how long, default `60s`"
    )
    every: Annotated[Duration, AfterValidator(between(0.05, 60, "from 50ms to 60s"))] = Field(
        default=0.2, description="between two looks, default `200ms`"
    )
    window: Duration = Field(default=3.0, description="the stretch over which errors are counted, default `3s`")
    error_share: Annotated[Share, AfterValidator(between(0, 0.99, "from 0% to 99%"))] = Field(
        default=0.02, description="more than this share of answers being errors means back, default `2%`"
    )
    minimum: Positive = Field(default=20, description="answers in the window before the share counts, default 20")
    blind: Positive = Field(default=15, description="looks in a row without an answer that mean back, default 15")
    unhealthy: Positive = Field(
        default=3,
        description="looks in a row at an ill colour or a broken invariant that mean back, default 3",
    )
    cut: Positive = Field(
        default=3,
        description="dicom and tcp listeners: so many sessions refused or broken off mean back, if they are more than "
        "`error_share`; default 3",
    )
    queue: Positive = Field(
        default=50,
        description="more than so many requests in progress for a whole window, growing or none answered, mean back, "
        "default 50",
    )
    slow: SlowEntry = Field(default_factory=SlowEntry, description="when answers are too slow")
    invariants: dict[InvariantName, InvariantEntry] = Field(
        default_factory=dict, description="what must hold in a service, by name; one that cannot be read is blind"
    )
