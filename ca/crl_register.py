"""The CRLs of the register, and what the next one is made of. A part of the register (`ca.register`).

Which CRL knows of which revocation is told by a count, not by the clock: each revocation, hold and end of a hold counts
up its authority's `crl_change` and keeps the value; a CRL keeps how far it reaches. So a question such as "was anything
revoked since the newest CRL?" reads one row of an index, whatever was revoked before.
"""

import io
from collections.abc import Collection, Iterator
from dataclasses import fields, replace
from datetime import datetime, timedelta
from itertools import chain, pairwise

from cryptography import x509
from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    LargeBinary,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from ca.authority import Authority
from ca.crl import digest_of, number_of
from ca.crl_entry import Entry, Reason, apart, decode
from ca.crl_scope import FULL, CrlKind, Scope
from ca.errors import UNREADABLE, CaError, CaErrorKind
from ca.revocation import count_change
from ca.rows import CertificateState, CrlRow, crl_row, serial_text
from ca.tables import authorities, certificates, crls

_SECOND = timedelta(seconds=1)
_PIECE = 4_000
# The list is read in ranges of the first three digits of the serial number, which are as good as random.
_FIRST = 16**3
_KEPT_WHOLE = 3
"""So many of the newest CRLs of a scope keep their DER; of older ones the digest says what they were."""


def entries_for_crl(
    conn: Connection, authority_id: str, this_update: datetime, *, partition: int = 0
) -> Iterator[bytes]:
    """The DER of what a CRL of `this_update` lists, in pieces, in the order of the serial numbers: everything revoked,
    held or abandoned by then (in a partition, where one is named).

    An expired certificate stays until it has been on a CRL issued after its expiry, and that CRL's nextUpdate has
    passed. RFC 5280 (3.3) asks for one *regularly scheduled* CRL after expiry; a CRL published at once for another
    revocation may not be one, but before its nextUpdate a regular one must come.
    """
    listed = select(certificates.c.crl_entry).where(*_listed(authority_id, this_update, partition))
    listed = listed.order_by(certificates.c.serial)
    if conn.dialect.name == "sqlite":
        yield from _joined(conn, authority_id, listed)
        return
    # The rows are taken past SQLAlchemy, which would make an object of each.
    cursor = conn.execute(listed).cursor
    while cursor is not None and (rows := cursor.fetchmany(_PIECE)):
        yield b"".join(chain.from_iterable(rows))


def _joined(conn: Connection, authority_id: str, listed: Select[tuple[bytes]]) -> Iterator[bytes]:
    """As a list of rows, but put together by SQLite, in ranges of serial numbers: one row comes for thousands, and no
    other thread waits meanwhile. Text and blob are the same octets to it as long as nobody asks for characters."""
    most = conn.execute(select(authorities.c.crl_change).where(authorities.c.id == authority_id)).scalar_one()
    ranges = min(1 + most // _PIECE, _FIRST)
    bounds = ["", *(f"{_FIRST * number // ranges:03x}" for number in range(1, ranges)), "g"]
    serial = certificates.c.serial
    entry = listed.where(serial >= bindparam("first"), serial < bindparam("end")).subquery().c.crl_entry
    put_together = select(cast(func.group_concat(cast(entry, Text), ""), LargeBinary))
    for first, end in pairwise(bounds):
        joined = conn.execute(put_together, {"first": first, "end": end}).scalar_one()
        if joined:
            yield joined


def revoked_for_crl(conn: Connection, authority_id: str, this_update: datetime) -> list[Entry]:
    """As `entries_for_crl`, read: for a few."""
    return [decode(each) for piece in entries_for_crl(conn, authority_id, this_update) for each in apart(piece)]


def changed_for_delta(conn: Connection, authority_id: str, this_update: datetime, base: CrlRow) -> list[Entry]:
    """What a delta CRL of `this_update` says beyond its base: who came on the list since then, and whose hold ended
    (removeFromCRL, RFC 5280, 5.2.4), in the order of the serial numbers."""
    columns = certificates.c
    since = (columns.authority_id == authority_id, columns.crl_change > base.change)
    listed = conn.execute(select(columns.crl_entry).where(*_listed(authority_id, this_update), *since)).scalars()
    freed = conn.execute(
        select(columns.serial, columns.unheld_at).where(*since, columns.state == CertificateState.ISSUED.value)
    )
    removed = [Entry(int(serial, 16), unheld_at, Reason.REMOVE_FROM_CRL) for serial, unheld_at in freed]
    return sorted([*map(decode, listed), *removed], key=lambda entry: serial_text(entry.serial))


def added_since(
    conn: Connection, authority_id: str, this_update: datetime, former: CrlRow
) -> list[tuple[str, bytes]] | None:
    """What came on the full list since a former CRL, serial numbers and entries in their order, when that is all that
    happened to it; None where an entry left or changed, or where it may have."""
    columns = certificates.c
    left = select(columns.serial).where(
        columns.authority_id == authority_id,
        columns.listed_until.is_not(None),
        columns.listed_until > former.this_update,
        columns.listed_until <= this_update,
    )
    changed = (columns.authority_id == authority_id, columns.crl_change > former.change)
    # A certificate that was ever held may have been on the list before.
    held = select(columns.serial).where(
        *changed, or_(columns.state == CertificateState.ISSUED.value, columns.unheld_at.is_not(None))
    )
    if any(conn.execute(query.limit(1)).first() for query in (left, held)):
        return None
    query = select(columns.serial, columns.crl_entry).where(*_listed(authority_id, this_update), *changed)
    return [(serial, entry) for serial, entry in conn.execute(query.order_by(columns.serial))]


def entry_before(conn: Connection, authority_id: str, this_update: datetime, serial: str) -> bytes | None:
    """The entry that stands right before a serial number on the full list; None where it is the first."""
    query = select(certificates.c.crl_entry).where(*_listed(authority_id, this_update), certificates.c.serial < serial)
    return conn.execute(query.order_by(certificates.c.serial.desc()).limit(1)).scalar_one_or_none()


def _listed(authority_id: str, this_update: datetime, partition: int = 0) -> tuple[ColumnElement[bool], ...]:
    columns = certificates.c
    conditions: tuple[ColumnElement[bool], ...] = (
        columns.authority_id == authority_id,
        columns.crl_entry.is_not(None),
        # A CRL knows whole seconds: what was revoked within its second belongs on it, what came later does not.
        columns.revoked_at < _end_of(this_update),
        or_(columns.listed_until.is_(None), columns.listed_until > this_update),
    )
    # The second condition is what the partial index is for.
    return (*conditions, columns.crl_partition == partition, columns.crl_partition > 0) if partition else conditions


def _end_of(this_update: datetime) -> datetime:
    return this_update.replace(microsecond=0) + _SECOND


def waits_for_crl(conn: Connection, newest: CrlRow, now: datetime) -> bool:
    """Whether something happened that the newest CRL of a scope does not know yet and the next would say."""
    return conn.execute(_unknown_to(newest, now).limit(1)).first() is not None


def waiting_since(conn: Connection, newest: CrlRow, now: datetime) -> datetime | None:
    """When the oldest change was recorded that the newest CRL of a scope does not know; None where it knows all."""
    columns = certificates.c
    found = conn.execute(_unknown_to(newest, now).with_only_columns(columns.recorded_at, columns.unheld_at))
    moments = [recorded_at or unheld_at for recorded_at, unheld_at in found]
    return min(moments, default=None)


def _unknown_to(newest: CrlRow, now: datetime) -> Select[tuple[str]]:
    columns = certificates.c
    query = select(columns.serial).where(
        columns.authority_id == newest.authority_id,
        columns.crl_change > newest.change,
        or_(columns.revoked_at.is_(None), columns.revoked_at < _end_of(now)),
    )
    return query.where(columns.crl_partition == newest.partition) if newest.partition else query


def partitions_in_use(conn: Connection, authority_id: str) -> int:
    """The highest partition that a certificate of the authority names; 0 where there are none."""
    columns = certificates.c
    query = select(func.max(columns.crl_partition)).where(
        columns.authority_id == authority_id, columns.crl_partition > 0
    )
    return conn.execute(query).scalar_one() or 0


def next_crl_number(conn: Connection, authority_id: str) -> int:
    """The next CRL number, taken for good if the transaction commits. All CRLs of an authority share the sequence
    (RFC 5280, 5.2.3). Locks the authority's row, so CRLs of one authority are made one after the other.

    Raises CaError(not_found).
    """
    number = conn.execute(
        update(authorities)
        .where(authorities.c.id == authority_id)
        .values(crl_number=authorities.c.crl_number + 1)
        .returning(authorities.c.crl_number)
    ).scalar_one_or_none()
    if number is None:
        raise CaError(CaErrorKind.NOT_FOUND, "no such authority in the register")
    return int(number)


def store_crl(conn: Connection, issuer: Authority, der: bytes, scope: Scope = FULL) -> CrlRow:
    """Enter a signed CRL; number, dates and entries are read from its bytes.

    Marks the expired certificates that are on a full one with its nextUpdate (`listed_until`), after which they may
    leave. Raises CaError(mismatch) for a CRL that the authority did not sign, CaError(conflict) for a number that does
    not grow.
    """
    try:
        crl = x509.load_der_x509_crl(der)
        number = number_of(crl)
        next_update = crl.next_update_utc
    except UNREADABLE as error:
        raise CaError(CaErrorKind.MISMATCH, "not a CRL") from error
    if number is None or next_update is None or not issuer.has_signed(crl):
        raise CaError(CaErrorKind.MISMATCH, "not a CRL of this authority")
    row = CrlRow(
        authority_id=issuer.id,
        number=number,
        kind=scope.kind,
        this_update=crl.last_update_utc,
        next_update=next_update,
        der=der,
        size=len(crl),
        octets=len(der),
        digest=digest_of(io.BytesIO(der), issuer.key_kind),
        partition=scope.partition,
        base_number=scope.base or None,
    )
    return record_crl(conn, row, listed={serial_text(entry.serial_number) for entry in crl})


def record_crl(conn: Connection, row: CrlRow, *, listed: Collection[str] | None = None) -> CrlRow:
    """Enter a CRL that was made of `entries_for_crl`, or that lists these serial numbers; returns it with its `change`.

    Of the CRLs of its scope the newest few keep their DER. Raises CaError(conflict) for a number that does not grow.
    """
    newest = latest_crl(conn, row.authority_id, kind=None)
    beside = row.kind is CrlKind.DELTA and newest is not None and newest.kind is CrlKind.FULL
    if newest is not None and row.number < newest.number + (not beside):
        raise CaError(CaErrorKind.CONFLICT, "the CRL number does not grow")
    former = latest_crl(conn, row.authority_id, kind=row.kind, partition=row.partition)
    row = replace(row, change=_reach(conn, row, former))
    values = {column.name: getattr(row, column.name) for column in fields(row)}
    insert_row(conn, insert(crls).values(values | {"kind": row.kind.value}), "a CRL of this number is in the register")
    # The first CRL of a root is made before the register exists, so the count may have to follow.
    conn.execute(
        update(authorities)
        .where(authorities.c.id == row.authority_id, authorities.c.crl_number < row.number)
        .values(crl_number=row.number)
    )
    scope = (crls.c.authority_id == row.authority_id, crls.c.kind == row.kind.value, crls.c.partition == row.partition)
    kept = select(crls.c.number).where(*scope).order_by(crls.c.number.desc()).limit(1).offset(_KEPT_WHOLE - 1)
    oldest = conn.execute(kept).scalar_one_or_none()
    if oldest is not None:
        conn.execute(update(crls).where(*scope, crls.c.number < oldest, crls.c.der.is_not(None)).values(der=None))
    if row.kind is CrlKind.FULL:
        _mark_expired(conn, row, listed)
    return row


def _reach(conn: Connection, row: CrlRow, former: CrlRow | None) -> int:
    """Up to which change this CRL knows everything. A revocation that the clock, put back since, has in its future is
    not on it: it is counted anew, and so found by the next when its time has come."""
    columns = certificates.c
    reach = conn.execute(select(authorities.c.crl_change).where(authorities.c.id == row.authority_id)).scalar_one()
    late = select(columns.serial).where(
        columns.authority_id == row.authority_id,
        columns.crl_change > (0 if former is None else former.change),
        columns.revoked_at >= _end_of(row.this_update),
    )
    for serial in conn.execute(late.order_by(columns.crl_change)).scalars().all():
        count = count_change(conn, row.authority_id)
        conn.execute(update(certificates).where(columns.serial == serial).values(crl_change=count))
    return int(reach)


def latest_crl(
    conn: Connection, authority_id: str, *, kind: CrlKind | None = CrlKind.FULL, partition: int | None = None
) -> CrlRow | None:
    """The CRL of the highest number, of one kind (and partition) or (None) of all; None before the first."""
    query = select(crls).where(crls.c.authority_id == authority_id)
    if kind is not None:
        query = query.where(crls.c.kind == kind.value)
    if partition is not None:
        query = query.where(crls.c.partition == partition)
    # A delta CRL has the number of a full one: it was made after it.
    query = query.order_by(crls.c.number.desc(), crls.c.id.desc())
    row = conn.execute(query.limit(1)).mappings().one_or_none()
    return None if row is None else crl_row(row)


def newest_crls(conn: Connection, authority_id: str) -> list[CrlRow]:
    """The newest CRL of each scope, the full one first, then the delta, then the partitions."""
    newest = select(func.max(crls.c.id)).where(crls.c.authority_id == authority_id)
    query = select(crls).where(crls.c.id.in_(newest.group_by(crls.c.kind, crls.c.partition)))
    kinds = list(CrlKind)
    found = [crl_row(row) for row in conn.execute(query).mappings()]
    return sorted(found, key=lambda row: (kinds.index(row.kind), row.partition))


def crl_of_number(conn: Connection, authority_id: str, number: int) -> CrlRow | None:
    """The full CRL of a number; None where there is none."""
    query = select(crls).where(
        crls.c.authority_id == authority_id, crls.c.number == number, crls.c.kind == CrlKind.FULL.value
    )
    row = conn.execute(query).mappings().one_or_none()
    return None if row is None else crl_row(row)


def base_of_delta(conn: Connection, full: CrlRow) -> CrlRow | None:
    """The full CRL that a delta CRL made with `full` begins at: the oldest one that readers may still hold and that has
    more than half of its life before it, else the one right before; None where `full` is the first.

    A base that stays for a while is what makes delta CRLs of use: who holds it reads the changes and nothing else.
    """
    before = select(crls).where(
        crls.c.authority_id == full.authority_id, crls.c.kind == CrlKind.FULL.value, crls.c.number < full.number
    )
    half = (full.next_update - full.this_update) / 2
    young = before.where(crls.c.this_update > full.this_update - half).order_by(crls.c.number)
    for query in (young, before.order_by(crls.c.number.desc())):
        row = conn.execute(query.limit(1)).mappings().one_or_none()
        if row is not None:
            return crl_row(row)
    return None


def crl_history(conn: Connection, authority_id: str) -> list[tuple[int, datetime]]:
    """Number and thisUpdate of every CRL of an authority, in the order of storing; those of one making once."""
    query = select(crls.c.number, crls.c.this_update).where(crls.c.authority_id == authority_id).order_by(crls.c.id)
    return list(dict.fromkeys((number, this_update) for number, this_update in conn.execute(query)))


def _mark_expired(conn: Connection, row: CrlRow, listed: Collection[str] | None) -> None:
    columns = certificates.c
    waiting = and_(
        columns.authority_id == row.authority_id,
        columns.crl_entry.is_not(None),
        columns.listed_until.is_(None),
        columns.not_after < row.this_update,
    )
    if listed is None:
        reached = and_(waiting, columns.crl_change <= row.change)
        conn.execute(update(certificates).where(reached).values(listed_until=row.next_update))
        return
    there = sorted(set(conn.execute(select(columns.serial).where(waiting)).scalars()) & set(listed))
    for start in range(0, len(there), 500):  # SQLite takes a limited number of parameters
        conn.execute(
            update(certificates)
            .where(columns.serial.in_(there[start : start + 500]))
            .values(listed_until=row.next_update)
        )


def insert_row(conn: Connection, statement: Insert, sentence: str) -> None:
    """Run an INSERT; the database decides about uniqueness, not a question asked before. Raises CaError(conflict)."""
    try:
        conn.execute(statement)
    except IntegrityError as error:
        raise CaError(CaErrorKind.CONFLICT, sentence) from error
