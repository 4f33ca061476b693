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
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, RowMapping, insert, select, update

from ca import crl_register
from ca.authority import Authority
from ca.crl_entry import Reason
from ca.crl_register import (
    added_since,
    base_of_delta,
    changed_for_delta,
    crl_history,
    crl_of_number,
    entries_for_crl,
    entry_before,
    insert_row,
    latest_crl,
    newest_crls,
    next_crl_number,
    partitions_in_use,
    record_crl,
    revoked_for_crl,
    waiting_since,
    waits_for_crl,
)
from ca.crl_scope import FULL, CrlKind, Scope
from ca.errors import UNREADABLE, CaError, CaErrorKind
from ca.issue import Prepared
from ca.names import Subject
from ca.profiles import Role
from ca.revocation import abandon_expired, hold, revoke, take_over, unhold
from ca.rows import ON_CRL, CertificateRow, CertificateState, CrlRow, certificate_rows, serial_text
from ca.tables import Instant, authorities, certificates, crls, guards, metadata

__all__ = [
    "ON_CRL",
    "CertificateRow",
    "CertificateState",
    "CrlKind",
    "CrlRow",
    "Instant",
    "abandon_expired",
    "added_since",
    "authorities",
    "authority",
    "base_of_delta",
    "certificates",
    "changed_for_delta",
    "crl_history",
    "crl_of_number",
    "crls",
    "entries_for_crl",
    "entry_before",
    "ever_issued",
    "every",
    "every_authority",
    "expiring",
    "find",
    "guards",
    "hold",
    "is_imported",
    "latest_crl",
    "live",
    "metadata",
    "newest_crls",
    "next_crl_number",
    "partitions_in_use",
    "record_authority",
    "record_crl",
    "record_issued",
    "record_taken_over",
    "reserve",
    "revoke",
    "revoked_for_crl",
    "serial_text",
    "store_crl",
    "unhold",
    "waiting_since",
    "waits_for_crl",
]

_SECOND = timedelta(seconds=1)


# --- authorities


def record_authority(
    conn: Connection, authority: Authority, role: Role, *, now: datetime, imported: bool = False, crl_number: int = 0
) -> None:
    """Enter an authority. `imported`: another CA made it; `crl_number`: the last that was given out.

    Raises CaError(conflict) when its id is taken.
    """
    row = {
        "id": authority.id,
        "role": role.value,
        "certificate": authority.certificate.public_bytes(Encoding.DER),
        "crl_url": authority.crl_url,
        "ca_url": authority.ca_url,
        "ocsp_url": authority.ocsp_url,
        "recorded_at": now,
        "origin": "imported" if imported else "made",
        "crl_number": crl_number,
    }
    insert_row(conn, insert(authorities).values(row), "an authority of this id is in the register")


def authority(conn: Connection, authority_id: str) -> Authority:
    """An authority of the register. Raises CaError: not_found, mismatch for a damaged row."""
    row = conn.execute(select(authorities).where(authorities.c.id == authority_id)).mappings().one_or_none()
    if row is None:
        raise CaError(CaErrorKind.NOT_FOUND, "no such authority in the register")
    return _authority(row)


def every_authority(conn: Connection) -> list[Authority]:
    """Every authority of the register, the root among them, by id."""
    return [_authority(row) for row in conn.execute(select(authorities).order_by(authorities.c.id)).mappings()]


def is_imported(conn: Connection, authority_id: str) -> bool:
    """Whether an authority was taken over from a former CA."""
    origin = conn.execute(select(authorities.c.origin).where(authorities.c.id == authority_id)).scalar_one_or_none()
    return origin == "imported"


def record_taken_over(
    conn: Connection, authority: Authority, serial: int, *, at: datetime, reason: Reason, now: datetime
) -> bool:
    """Enter a serial number that a former CA revoked, so that it stays on the CRL; False for one that is known.

    Its certificate is not known, nor when it expires: it stands as abandoned, until the authority itself ends.
    """
    if find(conn, serial) is not None:
        return False
    row = {
        "serial": serial_text(serial),
        "authority_id": authority.id,
        "profile": "imported",
        "state": CertificateState.RESERVED.value,
        "subject": "",
        "email": "",
        "not_before": authority.not_before,
        "not_after": authority.not_after,
        "tbs": b"",
        "reserved_at": now,
        "lease_until": now,
    }
    insert_row(conn, insert(certificates).values(row), "the serial number is in the register")
    take_over(conn, serial, at=at, reason=reason, now=now)
    return True


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
        "crl_partition": prepared.partition,
    }
    insert_row(conn, insert(certificates).values(row), "the serial number is taken, or the case has a certificate")


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


def find(conn: Connection, serial: int | str) -> CertificateRow | None:
    """One certificate by serial number; None for an unknown one."""
    rows = list(certificate_rows(conn, select(certificates).where(certificates.c.serial == serial_text(serial))))
    return rows[0] if rows else None


def live(conn: Connection, registration_id: int, at: datetime) -> list[CertificateRow]:
    """The certificates of a registration that are neither revoked nor expired at `at`, fetched or not, the one that
    expires first in front. One that is not valid yet is among them, and one that is held: a cancellation must reach
    them too."""
    query = select(certificates).where(
        certificates.c.registration_id == registration_id,
        certificates.c.state.in_([CertificateState.ISSUED.value, CertificateState.HELD.value]),
        # Certificates know whole seconds, the last of which is valid to its end (RFC 5280, 4.1.2.5).
        certificates.c.not_after > at - _SECOND,
    )
    return list(certificate_rows(conn, query.order_by(certificates.c.not_after, certificates.c.serial)))


def expiring(conn: Connection, before: datetime, *, after: datetime | None = None) -> list[CertificateRow]:
    """The issued certificates that end before `before` (and, where given, not before `after`), first to end first.

    Without `after` those are among them that ended long ago: a renewal missed in an outage is still found. A held
    certificate is not: nobody renews what is not to be trusted.
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


def store_crl(conn: Connection, authority_id: str, der: bytes, *, scope: Scope = FULL) -> CrlRow:
    """Enter a signed CRL of the authority; number, dates and entries are read from its bytes.

    Marks the expired certificates that are on a full one with its nextUpdate (`listed_until`), after which they may
    leave. Raises CaError(mismatch) for a CRL that the authority did not sign, CaError(conflict) for a number that does
    not grow, CaError(not_found) for an unknown authority.
    """
    return crl_register.store_crl(conn, authority(conn, authority_id), der, scope)


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
