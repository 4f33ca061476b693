"""Alembic runs this with the connection that `daemon.store` hands over; there is no offline mode."""

from alembic import context

from daemon.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
