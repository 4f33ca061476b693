"""Which certificates a revocation reaches, at the moment it is looked at (SPEC 1.3.7)."""

from datetime import datetime

from sqlalchemy import Connection, select

from ca import register
from ca.register import CertificateRow

from . import cases, schema
from .cases import TaskRow
from .planning import TaskKind
from .store import every


def covered(tx: Connection, task: TaskRow, now: datetime) -> list[CertificateRow]:
    """The live certificates a revocation means: all of the registration, or the named ones and their renewals."""
    return [] if task.registration_id is None else reached(tx, task.registration_id, task.serials, now)


def reached(tx: Connection, registration_id: int, serials: tuple[str, ...], now: datetime) -> list[CertificateRow]:
    """As `covered`, for a revocation that is no task yet."""
    rows = register.live(tx, registration_id, now)
    if not serials:
        return rows
    named = set(serials)
    while more := _renewals_of(tx, named) - named:
        named |= more
    return [row for row in rows if row.serial in named]


def doomed(tx: Connection, now: datetime) -> set[str]:
    """The serials that a scheduled revocation will reach."""
    return {
        row.serial
        for task in cases.pending_tasks(tx)
        if task.kind is TaskKind.REVOKE and task.due_at is not None
        for row in covered(tx, task, now)
    }


def _renewals_of(tx: Connection, serials: set[str]) -> set[str]:
    table = schema.cases
    rows = every(tx, select(table.c.id).where(table.c.renews_serial.in_(serials)))
    certificates = register.certificates
    found = every(tx, select(certificates.c.serial).where(certificates.c.case_id.in_([row["id"] for row in rows])))
    return {row["serial"] for row in found}
