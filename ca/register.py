"""The register: every serial number and what became of it, the authorities, the CRLs.

Does: reads and writes its three tables through the connection it is given.
Trusts: the caller's transaction. It never opens, commits or rolls back one, so that serial number, case and letters
commit together; after a CaError the caller rolls back.
Promises: each change is one UPDATE that names the state it leaves, and touches one row or raises. What was issued is
never lost, what was revoked never comes back; the database keeps that promise too (`ca.tables`).
Weak: it believes the clock it is handed; a clock far ahead abandons reservations too early, which costs serial
numbers but never issues twice.
"""

from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, Insert, RowMapping, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from ca.authority import Authority
from ca.crl import Entry, Reason, number_of
from ca.errors import UNREADABLE, CaError, CaErrorKind
from ca.issue import Prepared
from ca.names import Subject
from ca.profiles import Role
from ca.rows import CertificateRow, CertificateState, CrlKind, CrlRow, certificate_rows, crl_row, serial_text
from ca.tables import Instant, authorities, certificates, crls, guards, metadata, still_reserved

__all__ = [
    "CertificateRow",
    "CertificateState",
    "CrlKind",
    "CrlRow",
    "Instant",
    "abandon_expired",
    "authorities",
    "authority",
    "certificates",
    "crl_history",
    "crls",
    "ever_issued",
    "every",
    "every_authority",
    "expiring",
    "find",
    "guards",
    "latest_crl",
    "live",
    "metadata",
    "next_crl_number",
    "record_authority",
    "record_issued",
    "reserve",
    "revoke",
    "revoked_for_crl",
    "serial_text",
    "store_crl",
]

_SECOND = timedelta(seconds=1)


# --- authorities


def record_authority(conn: Connection, authority: Authority, role: Role, *, now: datetime) -> None:
    """Enter an authority. Raises CaError(conflict) when its id is taken."""
    row = {
        "id": authority.id,
        "role": role.value,
        "certificate": authority.certificate.public_bytes(Encoding.DER),
        "crl_url": authority.crl_url,
        "ca_url": authority.ca_url,
        "ocsp_url": authority.ocsp_url,
        "recorded_at": now,
    }
    _insert(conn, insert(authorities).values(row), "an authority of this id is in the register")


def authority(conn: Connection, authority_id: str) -> Authority:
    """An authority of the register. Raises CaError: not_found, mismatch for a damaged row."""
    row = conn.execute(select(authorities).where(authorities.c.id == authority_id)).mappings().one_or_none()
    if row is None:
        raise CaError(CaErrorKind.NOT_FOUND, "no such authority in the register")
    return _authority(row)


def every_authority(conn: Connection) -> list[Authority]:
    """Every authority of the register, the root among them, by id."""
    return [_authority(row) for row in conn.execute(select(authorities).order_by(authorities.c.id)).mappings()]


# --- certificates


def reserve(
    conn: Connection,
    prepared: Prepared,
    *,
    authority: Authority,
    registration_id: int | None,
    case_id: int | None,
    now: datetime,
    lease_until: datetime,
) -> None:
    """Enter serial number and to-be-signed bytes before anything is signed (SPEC 3).

    The lease is the time within which the certificate must be recorded; afterwards `abandon_expired` takes the serial
    number. `registration_id` and `case_id` are None for the certificate of a responder, which belongs to the authority.
    Raises CaError(conflict) when the serial number is known, or the case has a certificate that is reserved
    or issued; CaError(mismatch) when it was prepared for another authority; ValueError for a lease that is over.
    """
    if lease_until <= now:
        raise ValueError("the lease is over before it begins")
    if prepared.authority.id != authority.id:
        raise CaError(CaErrorKind.MISMATCH, "prepared for another authority")
    rehearsal = x509.load_der_x509_certificate(prepared.rehearsal)
    subject = prepared.request.subject
    row = {
        "serial": serial_text(prepared.serial),
        "authority_id": authority.id,
        "registration_id": registration_id,
        "case_id": case_id,
        "profile": prepared.profile.name,
        "state": CertificateState.RESERVED.value,
        "subject": rehearsal.subject.rfc4514_string(),
        "email": subject.email if isinstance(subject, Subject) else "",
        "not_before": prepared.request.not_before,
        "not_after": prepared.request.not_after,
        "tbs": prepared.tbs,
        "reserved_at": now,
        "lease_until": lease_until,
    }
    _insert(conn, insert(certificates).values(row), "the serial number is taken, or the case has a certificate")


def record_issued(conn: Connection, serial: int | str, der: bytes, *, now: datetime) -> None:
    """Enter the signed certificate of a reservation whose lease still runs.

    Raises CaError(mismatch) unless the signed part is what was reserved, CaError(conflict) unless exactly one row is
    reserved under a lease that reaches beyond `now`: then the certificate must not be used, it is another's to judge.
    """
    key = serial_text(serial)
    reserved = conn.execute(select(certificates.c.tbs).where(certificates.c.serial == key)).scalar_one_or_none()
    if reserved is not None and not _has_tbs(der, reserved):
        raise CaError(CaErrorKind.MISMATCH, "the certificate is not the one that was reserved")
    changed = conn.execute(
        update(certificates)
        .where(
            certificates.c.serial == key,
            certificates.c.state == CertificateState.RESERVED.value,
            certificates.c.lease_until > now,
        )
        .values(state=CertificateState.ISSUED.value, der=der, issued_at=now)
    )
    if changed.rowcount != 1:
        raise CaError(CaErrorKind.CONFLICT, "the serial number is not reserved any more")


def abandon_expired(conn: Connection, now: datetime) -> list[str]:
    """Give up every reservation whose lease has ended, and return the serial numbers.

    Nobody can say whether such a certificate was signed before the attempt died, so the serial number goes on the CRL
    from `now` on (SPEC 3). It is final: the case takes a new one.
    """
    # `still_reserved` is the very text of the partial index on leases: the look costs nothing in a large register.
    abandoned = conn.execute(
        update(certificates)
        .where(still_reserved, certificates.c.lease_until <= now)
        .values(
            state=CertificateState.ABANDONED.value, revoked_at=now, recorded_at=now, reason=Reason.UNSPECIFIED.value
        )
        .returning(certificates.c.serial)
    )
    return sorted(abandoned.scalars())


def revoke(
    conn: Connection,
    serial: int | str,
    *,
    at: datetime,
    reason: Reason,
    now: datetime,
    invalidity_date: datetime | None = None,
) -> bool:
    """Revoke an issued certificate with the date `at`, and return True; False when it is revoked or abandoned already.

    The first revocation stands, with its date and reason. `at` may not lie in the future of `now`: a wished date
    waits with the daemon's tasks, not here. Raises CaError(conflict) for that, for an unknown serial number and for
    one that is only reserved.
    """
    if at > now:
        raise CaError(CaErrorKind.CONFLICT, "a revocation in the future is not recorded before its time")
    key = serial_text(serial)
    changed = conn.execute(
        update(certificates)
        .where(certificates.c.serial == key, certificates.c.state == CertificateState.ISSUED.value)
        .values(
            state=CertificateState.REVOKED.value,
            revoked_at=at,
            recorded_at=now,
            reason=reason.value,
            invalidity_date=invalidity_date,
        )
    )
    if changed.rowcount == 1:
        return True
    row = find(conn, key)
    if row is None or row.state not in (CertificateState.REVOKED, CertificateState.ABANDONED):
        raise CaError(CaErrorKind.CONFLICT, "there is no issued certificate of this serial number")
    return False


def find(conn: Connection, serial: int | str) -> CertificateRow | None:
    """One certificate by serial number; None for an unknown one."""
    rows = list(certificate_rows(conn, select(certificates).where(certificates.c.serial == serial_text(serial))))
    return rows[0] if rows else None


def live(conn: Connection, registration_id: int, at: datetime) -> list[CertificateRow]:
    """The certificates of a registration that are neither revoked nor expired at `at`, fetched or not, the one that
    expires first in front. One that is not valid yet is among them: a cancellation must reach it too."""
    query = select(certificates).where(
        certificates.c.registration_id == registration_id,
        certificates.c.state == CertificateState.ISSUED.value,
        # Certificates know whole seconds, the last of which is valid to its end (RFC 5280, 4.1.2.5).
        certificates.c.not_after > at - _SECOND,
    )
    return list(certificate_rows(conn, query.order_by(certificates.c.not_after, certificates.c.serial)))


def expiring(conn: Connection, before: datetime, *, after: datetime | None = None) -> list[CertificateRow]:
    """The issued certificates that end before `before` (and, where given, not before `after`), first to end first.

    Without `after` those are among them that ended long ago: a renewal missed in an outage is still found.
    """
    query = select(certificates).where(
        certificates.c.state == CertificateState.ISSUED.value, certificates.c.not_after < before
    )
    if after is not None:
        query = query.where(certificates.c.not_after >= after)
    return list(certificate_rows(conn, query.order_by(certificates.c.not_after, certificates.c.serial)))


def ever_issued(conn: Connection, registration_id: int) -> bool:
    """Whether a certificate was ever issued for the registration, whatever became of it."""
    query = select(certificates.c.serial).where(
        certificates.c.registration_id == registration_id, certificates.c.issued_at.is_not(None)
    )
    return conn.execute(query.limit(1)).first() is not None


def every(conn: Connection, authority_id: str | None = None) -> Iterator[CertificateRow]:
    """Every certificate (of one authority), in the order of reservation; rows are fetched as they are asked for."""
    query = select(certificates).order_by(certificates.c.reserved_at, certificates.c.serial)
    if authority_id is not None:
        query = query.where(certificates.c.authority_id == authority_id)
    return certificate_rows(conn, query.execution_options(yield_per=500))


# --- CRLs


def revoked_for_crl(conn: Connection, authority_id: str, this_update: datetime) -> list[Entry]:
    """What a full CRL of `this_update` lists: everything revoked or abandoned by then, in the order of serial numbers.

    An expired certificate stays until it has been on a CRL issued after its expiry, and that CRL's nextUpdate has
    passed. RFC 5280 (3.3) asks for one *regularly scheduled* CRL after expiry; a CRL published at once for another
    revocation may not be one, but before its nextUpdate a regular one must come.
    """
    columns = (certificates.c.revoked_at, certificates.c.reason, certificates.c.invalidity_date)
    query = (
        select(certificates.c.serial, *columns)
        .where(
            certificates.c.authority_id == authority_id,
            certificates.c.state.in_([CertificateState.REVOKED.value, CertificateState.ABANDONED.value]),
            # A CRL knows whole seconds: what was revoked within its second belongs on it, what came later does not.
            certificates.c.revoked_at < this_update.replace(microsecond=0) + _SECOND,
            or_(certificates.c.listed_until.is_(None), certificates.c.listed_until > this_update),
        )
        .order_by(certificates.c.serial)
    )
    return [
        Entry(int(serial, 16), revoked_at, Reason(reason), invalidity_date)
        for serial, revoked_at, reason, invalidity_date in conn.execute(query)
    ]


def next_crl_number(conn: Connection, authority_id: str) -> int:
    """The next CRL number, taken for good if the transaction commits. Full and delta CRLs share the sequence
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


def store_crl(conn: Connection, authority_id: str, der: bytes, *, kind: CrlKind = CrlKind.FULL) -> CrlRow:
    """Enter a signed CRL; number, dates and entries are read from its bytes.

    Marks the expired certificates that are on it with its nextUpdate (`listed_until`), after which they may leave
    (see `revoked_for_crl`). Raises CaError(mismatch) for a CRL that the authority did not sign, CaError(conflict) for
    a number that does not grow, CaError(not_found) for an unknown authority.
    """
    issuer = authority(conn, authority_id)
    try:
        crl = x509.load_der_x509_crl(der)
        number = number_of(crl)
        next_update = crl.next_update_utc
    except UNREADABLE as error:
        raise CaError(CaErrorKind.MISMATCH, "not a CRL") from error
    if number is None or next_update is None or not issuer.has_signed(crl):
        raise CaError(CaErrorKind.MISMATCH, "not a CRL of this authority")
    newest = latest_crl(conn, authority_id, kind=None)
    if newest is not None and newest.number >= number:
        raise CaError(CaErrorKind.CONFLICT, "the CRL number does not grow")
    row = CrlRow(authority_id, number, kind, crl.last_update_utc, next_update, der)
    values = {column.name: getattr(row, column.name) for column in fields(row)}
    _insert(conn, insert(crls).values(values | {"kind": kind.value}), "a CRL of this number is in the register")
    # The first CRL of a root is made before the register exists, so the count may have to follow.
    conn.execute(
        update(authorities)
        .where(authorities.c.id == authority_id, authorities.c.crl_number < number)
        .values(crl_number=number)
    )
    if kind is CrlKind.FULL:
        _mark_expired(conn, row, crl)
    return row


def latest_crl(conn: Connection, authority_id: str, *, kind: CrlKind | None = CrlKind.FULL) -> CrlRow | None:
    """The CRL of the highest number, of one kind or (None) of all; None before the first."""
    query = select(crls).where(crls.c.authority_id == authority_id)
    if kind is not None:
        query = query.where(crls.c.kind == kind.value)
    row = conn.execute(query.order_by(crls.c.number.desc()).limit(1)).mappings().one_or_none()
    return None if row is None else crl_row(row)


def crl_history(conn: Connection, authority_id: str) -> list[tuple[int, datetime]]:
    """Number and thisUpdate of every CRL of an authority, in the order of storing."""
    query = select(crls.c.number, crls.c.this_update).where(crls.c.authority_id == authority_id).order_by(crls.c.id)
    return [(number, this_update) for number, this_update in conn.execute(query)]


def _mark_expired(conn: Connection, row: CrlRow, crl: x509.CertificateRevocationList) -> None:
    waiting = conn.execute(
        select(certificates.c.serial).where(
            certificates.c.authority_id == row.authority_id,
            certificates.c.state.in_([CertificateState.REVOKED.value, CertificateState.ABANDONED.value]),
            certificates.c.not_after < row.this_update,
            certificates.c.listed_until.is_(None),
        )
    ).scalars()
    waiting_serials = set(waiting)
    if not waiting_serials:
        return
    listed = sorted(waiting_serials & {serial_text(entry.serial_number) for entry in crl})
    for start in range(0, len(listed), 500):  # SQLite takes a limited number of parameters
        conn.execute(
            update(certificates)
            .where(certificates.c.serial.in_(listed[start : start + 500]))
            .values(listed_until=row.next_update)
        )


def _authority(row: RowMapping) -> Authority:
    try:
        certificate = x509.load_der_x509_certificate(row["certificate"])
    except UNREADABLE as error:
        raise CaError(CaErrorKind.MISMATCH, "an authority's certificate in the register is damaged") from error
    return Authority(row["id"], certificate, row["crl_url"], row["ca_url"], row["ocsp_url"])


def _has_tbs(der: bytes, tbs: bytes) -> bool:
    try:
        return x509.load_der_x509_certificate(der).tbs_certificate_bytes == tbs
    except UNREADABLE:
        return False


def _insert(conn: Connection, statement: Insert, sentence: str) -> None:
    """Run an INSERT; the database decides about uniqueness, not a question asked before."""
    try:
        conn.execute(statement)
    except IntegrityError as error:
        raise CaError(CaErrorKind.CONFLICT, sentence) from error
