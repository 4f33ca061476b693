"""When approvers are away and who stands in for them (不在): rows of `leaves`, days in Japan, both ends included."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, select, update

from . import schema
from .centre import Centre
from .planning import JST
from .store import added, every

_leaves = schema.leaves


@dataclass(frozen=True, slots=True)
class Leave:
    """One time away; `deputy` is an address or empty."""

    approver: str
    first_day: date
    last_day: date
    deputy: str


def away(tx: Connection, now: datetime) -> dict[str, str]:
    """Everybody who is away today: address in lower case → address of the stand-in, empty where none was named."""
    today = now.astimezone(JST).date().isoformat()
    query = select(_leaves).where(
        _leaves.c.ended_at.is_(None), _leaves.c.first_day <= today, _leaves.c.last_day >= today
    )
    return {row["approver"].lower(): row["deputy"] for row in every(tx, query.order_by(_leaves.c.id))}


def planned(tx: Connection, now: datetime) -> list[Leave]:
    """Every leave that lasts or is to come, the earliest first."""
    today = now.astimezone(JST).date().isoformat()
    query = select(_leaves).where(_leaves.c.ended_at.is_(None), _leaves.c.last_day >= today)
    return [
        Leave(
            row["approver"],
            date.fromisoformat(row["first_day"]),
            date.fromisoformat(row["last_day"]),
            row["deputy"],
        )
        for row in every(tx, query.order_by(_leaves.c.first_day, _leaves.c.id))
    ]


def record(tx: Connection, centre: Centre, leave: Leave, *, now: datetime, mail_id: int | None = None) -> None:
    """Enter a leave. Raises ValueError where it ends before it begins."""
    if leave.last_day < leave.first_day:
        raise ValueError("a leave ends before it begins")
    added(
        tx,
        _leaves,
        approver=leave.approver,
        first_day=leave.first_day.isoformat(),
        last_day=leave.last_day.isoformat(),
        deputy=leave.deputy,
        mail_id=mail_id,
        recorded_at=now,
    )
    centre.audit.append(
        tx,
        "leave_recorded",
        at=now,
        actor=leave.approver,
        first_day=leave.first_day.isoformat(),
        last_day=leave.last_day.isoformat(),
        deputy=leave.deputy,
    )


def end(tx: Connection, centre: Centre, approver: str, *, now: datetime) -> int:
    """End every leave of an approver that lasts or is to come; returns how many there were."""
    today = now.astimezone(JST).date().isoformat()
    ended = tx.execute(
        update(_leaves)
        .where(_leaves.c.approver == approver, _leaves.c.ended_at.is_(None), _leaves.c.last_day >= today)
        .values(ended_at=now)
    ).rowcount
    if ended:
        centre.audit.append(tx, "leave_ended", at=now, actor=approver, leaves=ended)
    return int(ended)
