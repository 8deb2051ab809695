"""Alembic's way in: runs the steps on the connection, and inside the transaction, that the store holds."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
