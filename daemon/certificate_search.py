"""Finding certificates: by part of a name, company, mail address or serial number, by state, by their end."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, func, or_, select

from ca import register
from ca.register import CertificateRow, CertificateState
from ca.rows import certificate_rows

from . import schema

EXPIRED = "expired"
STATES = (*(state.value for state in CertificateState), EXPIRED)


def find(
    tx: Connection,
    *,
    text: str = "",
    state: str = "",
    before: datetime | None = None,
    now: datetime,
) -> Iterator[CertificateRow]:
    """The certificates that fit all of it, in the order of reservation; with `before`, living ones by their end.

    Every word of `text` must stand somewhere: in the subject, the mail address, the start or any part of the serial
    number, or in the registered names. `state` is one of STATES; `issued` means good now, `expired` issued and over.
    """
    table, people = register.certificates.c, schema.registrations.c
    query = select(register.certificates)
    if text.strip():
        query = query.outerjoin(schema.registrations, people.id == table.registration_id)
        columns = (table.subject, table.email, people.company_ja, people.name_ja, people.subscriber_id)
        for word in text.split():
            serial = word.replace(":", "").lower()
            query = query.where(
                or_(
                    *(func.lower(column).contains(word.lower(), autoescape=True) for column in columns),
                    table.serial.contains(serial.lstrip("0") or serial, autoescape=True),
                )
            )
    if before is not None:
        query = query.where(table.state == "issued", table.not_after >= now, table.not_after < before)
    if state == EXPIRED:
        query = query.where(table.state == "issued", table.not_after < now)
    elif state:
        query = query.where(table.state == state)
        if state == CertificateState.ISSUED:
            query = query.where(table.not_after >= now)
    order = (table.not_after, table.serial) if before is not None else (table.reserved_at, table.serial)
    return certificate_rows(tx, query.order_by(*order).execution_options(yield_per=500))
