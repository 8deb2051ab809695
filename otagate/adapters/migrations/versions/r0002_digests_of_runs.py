"""The digest of each run's body beside it. Of runs that are there already it vouches for what is found, no more."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("digest", sa.Text, nullable=False, server_default=""))
    runs = sa.table("runs", *(sa.column(name) for name in ("seq", "body", "digest")))
    connection = op.get_bind()
    for seq, body in connection.execute(sa.select(runs.c.seq, runs.c.body)).all():
        digest = "sha256:" + hashlib.sha256(str(body).encode()).hexdigest()
        connection.execute(runs.update().where(runs.c.seq == seq).values(digest=digest))
