"""Alembic runs this with the connection that `daemon.store` hands over; there is no offline mode."""

from typing import Any, Literal

from alembic import context

from ca.tables import Instant
from daemon.schema import metadata


def _render(kind: str, thing: Any, _: object) -> str | Literal[False]:  # noqa: ANN401 - Alembic hands over anything
    """A migration is frozen text: it names the column type of that day, not a class that may change."""
    return f"sa.String(length={thing.impl.length})" if kind == "type" and isinstance(thing, Instant) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_item=_render,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
