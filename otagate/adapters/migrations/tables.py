"""The store's tables as the newest step of `migrations/` leaves them; a test holds the two together."""

import sqlalchemy as sa

HEAD = "0002"
metadata = sa.MetaData()


def _texts(*names: str) -> tuple[sa.Column[str], ...]:
    return tuple(sa.Column(name, sa.Text, nullable=False) for name in names)


def _of_run() -> tuple[sa.Column[int], ...]:
    return (sa.Column("run_seq", sa.Integer, sa.ForeignKey("runs.seq"), nullable=False, index=True),)


# What was judged. `seq` is the order of recording: the newest run is the last one recorded, whatever clocks said.
# Times in seconds since the epoch; `body` is the whole StoredRun as JSON and alone is read back; `digest` is the
# body's and shows that one of both was changed alone. It is no signature: whoever writes the store can write both.
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    *_texts("platform", "run", "decision", "release", "baseline_release", "policy_digest"),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("ended", sa.Double, nullable=False),
    sa.Column("expires", sa.Double, nullable=False),
    *_texts("by", "body", "digest"),
    sa.UniqueConstraint("platform", "run"),
)

# `side` is candidate or baseline.
builds = sa.Table("builds", metadata, *_of_run(), *_texts("service", "side", "reference", "digest", "registry_digest"))

cases = sa.Table(
    "cases",
    metadata,
    *_of_run(),
    *_texts("suite", "case", "outcome", "message"),
    sa.Column("started", sa.Double),
    sa.Column("ended", sa.Double),
)

# One row per sample; a value that is not finite is NULL here (the body keeps it).
samples = sa.Table(
    "samples",
    metadata,
    *_of_run(),
    *_texts("metric", "unit", "direction", "side"),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("value", sa.Double),
)

findings = sa.Table(
    "findings",
    metadata,
    *_of_run(),
    *_texts("rule", "mark", "reason", "impact", "message", "unit"),
    sa.Column("measured", sa.Double),
    sa.Column("limit", sa.Double),
    sa.Column("trial", sa.Boolean, nullable=False),
)

# What was changed in production, by whom, and how it ended: one row per promotion, as last told by the steward.
promotions = sa.Table(
    "promotions",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    *_texts("platform", "promotion", "kind", "run", "release", "colour", "by", "phase", "reason"),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("changed", sa.Double, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.UniqueConstraint("platform", "promotion"),
)
