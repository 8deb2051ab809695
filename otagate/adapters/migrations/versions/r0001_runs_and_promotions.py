"""Runs with their builds, cases, metrics, findings and pictures; promotions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("release", sa.Text, nullable=False),
        sa.Column("baseline_release", sa.Text, nullable=False),
        sa.Column("policy_digest", sa.Text, nullable=False),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("ended", sa.Double, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("platform", "run"),
    )
    op.create_table("builds", *_of_run(), *_texts("service", "side", "reference", "digest", "registry_digest"))
    op.create_table(
        "cases",
        *_of_run(),
        *_texts("suite", "case", "outcome", "message"),
        sa.Column("started", sa.Double),
        sa.Column("ended", sa.Double),
    )
    op.create_table(
        "samples",
        *_of_run(),
        *_texts("metric", "unit", "direction", "side"),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("value", sa.Double),
    )
    op.create_table(
        "findings",
        *_of_run(),
        *_texts("rule", "mark", "reason", "impact", "message", "unit"),
        sa.Column("measured", sa.Double),
        sa.Column("limit", sa.Double),
        sa.Column("trial", sa.Boolean, nullable=False),
    )
    op.create_table(
        "promotions",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        *_texts("platform", "promotion", "kind", "run", "release", "colour", "by", "phase", "reason"),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("changed", sa.Double, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("platform", "promotion"),
    )


def _of_run() -> tuple[sa.Column[int], ...]:
    return (sa.Column("run_seq", sa.Integer, sa.ForeignKey("runs.seq"), nullable=False, index=True),)


def _texts(*names: str) -> tuple[sa.Column[str], ...]:
    return tuple(sa.Column(name, sa.Text, nullable=False) for name in names)
