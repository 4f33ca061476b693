"""The CRLs' part of the second look (`ca.checker`): each newest one, parsed by a reader that did not make it, against
the register.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from itertools import pairwise

from cryptography import x509
from sqlalchemy import Connection

from ca import register
from ca.authority import Authority
from ca.crl import CrlKind, digest_of, entry_of, number_of
from ca.crl_entry import Entry, Reason, encode
from ca.crl_scope import partition_part
from ca.errors import UNREADABLE
from ca.lint import lint_crl
from ca.rows import CertificateRow, CrlRow

Found = tuple[str, str, str]
"""Code, serial number, part: as in `checker.Fault`."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """What the columns of a row say that a CRL must say of it; `change`, `partition`, `listed_until` as in the row."""

    serial: str
    encoded: bytes
    revoked_at: datetime
    listed_until: datetime | None
    change: int
    partition: int


def revoked_of(row: CertificateRow) -> Revoked:
    """What a CRL must say of a row that is revoked, held or abandoned; the table's CHECK gives every such row its
    date."""
    assert row.revoked_at is not None  # noqa: S101
    entry = Entry(int(row.serial, 16), row.revoked_at, row.reason or Reason.UNSPECIFIED, row.invalidity_date)
    whole = row.revoked_at.replace(microsecond=0)
    return Revoked(row.serial, encode(entry), whole, row.listed_until, row.crl_change or 0, row.crl_partition)


def freed_of(row: CertificateRow) -> Revoked:
    """What a delta CRL must say of a row whose hold has ended."""
    assert row.unheld_at is not None  # noqa: S101
    entry = Entry(int(row.serial, 16), row.unheld_at, Reason.REMOVE_FROM_CRL)
    whole = row.unheld_at.replace(microsecond=0)
    return Revoked(row.serial, encode(entry), whole, None, row.crl_change or 0, row.crl_partition)


def check_crls(
    conn: Connection,
    authority: Authority,
    now: datetime,
    grace: timedelta,
    published: Callable[[CrlRow], bytes | None],
    revoked: Mapping[int, Revoked],
    freed: Mapping[int, Revoked],
) -> Iterator[Found]:
    """What is wrong with the sequence of CRLs and with the newest of each scope."""
    for (number, this_update), (next_number, next_this_update) in pairwise(register.crl_history(conn, authority.id)):
        if next_number <= number or next_this_update < this_update:
            yield "crl_sequence", "", ""
    newest = {(row.kind, row.partition): row for row in register.newest_crls(conn, authority.id)}
    full = newest.get((CrlKind.FULL, 0))
    if full is None:
        yield "crl_none", "", ""
        return
    fresh = False
    for row in newest.values():
        if row.kind is not CrlKind.DELTA:
            crl = yield from _read(row, authority, now, published)
            fresh |= row is full and crl is not None and _points_to_delta(crl)
            wanted = {key: one for key, one in revoked.items() if row.partition in (0, one.partition)}
            yield from _entries(crl, wanted, freed, row, now, grace)
    yield from _partitions(conn, authority, newest)
    # A full CRL that points to delta CRLs and is not the first has one made with it.
    if fresh and len(register.crl_history(conn, authority.id)) > 1:
        delta = newest.get((CrlKind.DELTA, 0))
        if delta is not None and delta.number == full.number:
            yield from _delta(conn, authority, now, delta, published, revoked, freed)
        elif register.base_of_delta(conn, full) is not None:
            yield "crl_none", "", "delta"


def _points_to_delta(crl: x509.CertificateRevocationList) -> bool:
    try:
        return any(isinstance(extension.value, x509.FreshestCRL) for extension in crl.extensions)
    except UNREADABLE:
        return False


def _partitions(
    conn: Connection, authority: Authority, newest: Mapping[tuple[CrlKind, int], CrlRow]
) -> Iterator[Found]:
    for partition in range(1, register.partitions_in_use(conn, authority.id) + 1):
        if (CrlKind.PARTITION, partition) not in newest:
            yield "crl_none", "", partition_part(partition)


def _read(
    row: CrlRow, authority: Authority, now: datetime, published: Callable[[CrlRow], bytes | None]
) -> Generator[Found, None, x509.CertificateRevocationList | None]:
    """The CRL of a row, or None where it cannot be read; what is wrong with it apart from its entries."""
    part = row.scope.part
    if not row.this_update <= now < row.next_update:
        yield "crl_not_fresh", "", part
    der = row.der if row.der is not None else published(row)
    if der is None:
        yield "crl_missing", "", part
        return None
    try:
        crl = x509.load_der_x509_crl(der)
        told = (number_of(crl), crl.last_update_utc, crl.next_update_utc, len(crl), len(der))
        digest = digest_of(BytesIO(der), authority.key_kind)
    except UNREADABLE:
        yield "crl_undecodable", "", part
        return None
    if told != (row.number, row.this_update, row.next_update, row.size, row.octets) or digest != row.digest:
        yield "crl_differs", "", part
    if not authority.has_signed(crl):
        yield "crl_signature", "", part
    for code in lint_crl(crl, authority=authority, scope=row.scope):
        yield f"crl_lint:{code}", "", part
    return crl


def _listed(crl: x509.CertificateRevocationList) -> dict[int, bytes] | None:
    """Every entry, read and written again; None where one cannot be read."""
    try:
        return {entry.serial: encode(entry) for entry in map(entry_of, crl)}
    except UNREADABLE:
        return None


def _entries(
    crl: x509.CertificateRevocationList | None,
    wanted: Mapping[int, Revoked],
    freed: Mapping[int, Revoked],
    row: CrlRow,
    now: datetime,
    grace: timedelta,
) -> Iterator[Found]:
    """Every revoked row is on the CRL with its date and reason, and nothing else is on it."""
    part = row.scope.part
    if crl is None:
        return
    entries = _listed(crl)
    if entries is None:
        yield "crl_undecodable", "", part
        return
    for serial in entries.keys() - wanted.keys():
        # Not by `serial_text`: what stands on a spoilt CRL need not be a serial number.
        ended = freed.get(serial)
        if ended is None or ended.change <= row.change:
            yield "crl_lists_unrevoked", f"{serial:x}", part
        elif ended.revoked_at + grace < now:
            # A hold that ended since: the next CRL takes it off.
            yield "crl_behind", ended.serial, part
    for serial, one in wanted.items():
        if serial in entries:
            if entries[serial] != one.encoded and one.change <= row.change:
                yield "crl_entry_differs", one.serial, part
        elif one.revoked_at <= row.this_update and one.change <= row.change:
            # Gone for good only after its time on the CRL past expiry (RFC 5280, 3.3; see register.store_crl).
            if one.listed_until is None or one.listed_until > row.this_update:
                yield "crl_lacks_revoked", one.serial, part
        elif one.revoked_at + grace < now:
            yield "crl_behind", one.serial, part


def _delta(
    conn: Connection,
    authority: Authority,
    now: datetime,
    row: CrlRow,
    published: Callable[[CrlRow], bytes | None],
    revoked: Mapping[int, Revoked],
    freed: Mapping[int, Revoked],
) -> Iterator[Found]:
    """A delta CRL says what happened since its base, and nothing else."""
    crl = yield from _read(row, authority, now, published)
    base = register.crl_of_number(conn, authority.id, row.base_number or 0)
    if base is None:
        yield "crl_base_unknown", "", "delta"
    if crl is None or base is None:
        return
    entries = _listed(crl)
    if entries is None:
        yield "crl_undecodable", "", "delta"
        return
    known = range(base.change + 1, row.change + 1)
    wanted = {key: one for key, one in {**freed, **revoked}.items() if one.change in known}
    for serial in entries.keys() - wanted.keys():
        if not any(serial in rows and rows[serial].change > row.change for rows in (revoked, freed)):
            yield "crl_lists_unrevoked", f"{serial:x}", "delta"
    for serial, one in wanted.items():
        if serial not in entries:
            if one.listed_until is None or one.listed_until > row.this_update:
                yield "crl_lacks_revoked", one.serial, "delta"
        elif entries[serial] != one.encoded:
            yield "crl_entry_differs", one.serial, "delta"
