"""The newest value of each gauge (`metrics`), one row a name, so that any process may show it."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select

from . import metrics, schema
from .store import every

_gauges = schema.gauges


def note(tx: Connection, values: Mapping[str, float], *, now: datetime) -> None:
    """Replace the values of these gauges. Raises KeyError for one that `metrics` does not know."""
    metrics.render(values)
    tx.execute(delete(_gauges).where(_gauges.c.name.in_(list(values))))
    for name, value in values.items():
        tx.execute(insert(_gauges).values(name=name, value=value, at=now))


def values(tx: Connection) -> dict[str, float]:
    """Every gauge that was measured, by name."""
    known = metrics.GAUGES
    return {row["name"]: row["value"] for row in every(tx, select(_gauges)) if row["name"] in known}


def moment(measured: Mapping[str, float], name: str) -> datetime | None:
    """A gauge that holds a Unix time, as an instant; None where it was never measured."""
    return datetime.fromtimestamp(measured[name], UTC) if name in measured else None
