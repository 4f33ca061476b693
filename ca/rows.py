"""The rows of the register as values, and how a serial number is written in them."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, Select

from ca.crl_entry import Reason
from ca.crl_scope import CrlKind, Scope


class CertificateState(StrEnum):
    """Where a serial number stands. `issued` says nothing about expiry; the dates do."""

    RESERVED = "reserved"
    ISSUED = "issued"
    REVOKED = "revoked"
    ABANDONED = "abandoned"
    HELD = "held"
    """On the CRL for the time being; it may come back."""


ON_CRL = (CertificateState.REVOKED, CertificateState.ABANDONED, CertificateState.HELD)
"""The states in which a serial number stands on the CRL."""


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """One certificate of the register; the columns are explained in `ca.tables`. `subject` is the DN by RFC 4514.

    `registration_id` and `case_id` are None for a certificate of the authority itself.
    """

    serial: str
    authority_id: str
    registration_id: int | None
    case_id: int | None
    profile: str
    state: CertificateState
    subject: str = field(repr=False)
    email: str = field(repr=False)
    not_before: datetime
    not_after: datetime
    tbs: bytes = field(repr=False)
    der: bytes | None = field(repr=False)
    reserved_at: datetime
    lease_until: datetime
    claimed_at: datetime | None
    issued_at: datetime | None
    revoked_at: datetime | None
    recorded_at: datetime | None
    reason: Reason | None
    invalidity_date: datetime | None
    listed_until: datetime | None
    crl_entry: bytes | None = field(repr=False)
    crl_change: int | None
    crl_partition: int
    unheld_at: datetime | None


@dataclass(frozen=True, slots=True)
class CrlRow:
    """One CRL of the register; the columns are explained in `ca.tables`."""

    authority_id: str
    number: int
    kind: CrlKind
    this_update: datetime
    next_update: datetime
    der: bytes | None = field(repr=False)
    size: int
    octets: int
    digest: str
    partition: int = 0
    base_number: int | None = None
    change: int = 0

    @property
    def scope(self) -> Scope:
        """What it speaks about."""
        return Scope(self.kind, self.partition, self.base_number or 0)


def serial_text(serial: int | str) -> str:
    """A serial number as the register writes it: lower-case hexadecimal without leading zeros.

    Text may come with colons, blanks, capitals and leading zeros, as tools print it. Raises ValueError for text that
    is no hexadecimal number, and for what is no serial number (RFC 5280, 4.1.2.2: positive, at most 20 octets).
    """
    if isinstance(serial, str):
        digits = serial.replace(":", "").replace(" ", "")
        if not digits.isascii() or not digits.isalnum():
            raise ValueError("not a serial number")
        serial = int(digits, 16)
    if not 0 < serial < 1 << 160:
        raise ValueError("not a serial number")
    return f"{serial:x}"


def certificate_rows(conn: Connection, query: Select[Any]) -> Iterator[CertificateRow]:
    """The rows of a query on the table of certificates."""
    for row in conn.execute(query).mappings():
        reason = None if row["reason"] is None else Reason(row["reason"])
        yield CertificateRow(**dict(row) | {"state": CertificateState(row["state"]), "reason": reason})


def crl_row(row: RowMapping) -> CrlRow:
    """One row of the table of CRLs."""
    columns = {column.name: row[column.name] for column in fields(CrlRow)}
    return CrlRow(**columns | {"kind": CrlKind(row["kind"])})
