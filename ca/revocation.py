"""What puts a certificate on the CRL and, after a hold, takes it off again. A part of the register (`ca.register`).

The DER of the CRL entry is made here, once, in the transaction of the revocation; CRLs only copy it.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select, update

from ca.crl_entry import FINAL_REASONS, Entry, Reason, encode
from ca.errors import CaError, CaErrorKind
from ca.rows import CertificateState, serial_text
from ca.tables import authorities, certificates, still_reserved


def revoke(
    conn: Connection,
    serial: int | str,
    *,
    at: datetime,
    reason: Reason,
    now: datetime,
    invalidity_date: datetime | None = None,
) -> bool:
    """Revoke an issued or held certificate with the date `at`, and return True; False when it is revoked or abandoned
    already.

    The first revocation stands, with its date and reason. Out of a hold the date of the hold stays: it was not to be
    trusted since then, and an invalidity date after it says nothing more. `at` may not lie in the future of `now`: a
    wished date waits with the daemon's tasks, not here. Raises CaError(conflict) for that, for an unknown serial number
    and for one that is only reserved; ValueError for a reason that is not for good.
    """
    if reason not in FINAL_REASONS:
        raise ValueError("not a reason of a revocation")
    return _list(conn, serial, CertificateState.REVOKED, at=at, reason=reason, now=now, invalidity_date=invalidity_date)


def hold(conn: Connection, serial: int | str, *, now: datetime) -> bool:
    """Hold an issued certificate from now on (certificateHold), and return True; False when it is on the CRL already.

    Raises CaError(conflict) for an unknown serial number and for one that is only reserved.
    """
    return _list(conn, serial, CertificateState.HELD, at=now, reason=Reason.CERTIFICATE_HOLD, now=now)


def unhold(conn: Connection, serial: int | str, *, now: datetime) -> bool:
    """End the hold of a certificate, and return True; False when it is issued and not held.

    The next full CRL lists it no more, delta CRLs say that it was removed. Raises CaError(conflict) for a certificate
    that is unknown, reserved, revoked or abandoned: a revocation is for good.
    """
    key, found = _found(conn, serial)
    if found.state == CertificateState.ISSUED.value:
        return False
    if found.state != CertificateState.HELD.value:
        raise CaError(CaErrorKind.CONFLICT, "only a hold can be taken back")
    values = dict.fromkeys(("revoked_at", "recorded_at", "reason", "invalidity_date", "crl_entry", "listed_until"))
    change = {
        "state": CertificateState.ISSUED.value,
        "unheld_at": now,
        "crl_change": count_change(conn, found.authority_id),
    }
    _change(conn, key, found.state, values | change)
    return True


def abandon_expired(conn: Connection, now: datetime) -> list[str]:
    """Give up every reservation whose lease has ended, and return the serial numbers.

    Nobody can say whether such a certificate was signed before the attempt died, so the serial number goes on the CRL
    from `now` on (SPEC 3). It is final: the case takes a new one.
    """
    query = select(certificates.c.serial).where(
        # The very text of the partial index on leases: the look costs nothing in a large register.
        still_reserved,
        certificates.c.lease_until <= now,
    )
    abandoned = sorted(conn.execute(query).scalars())
    for serial in abandoned:
        _list(conn, serial, CertificateState.ABANDONED, at=now, reason=Reason.UNSPECIFIED, now=now)
    return abandoned


def take_over(conn: Connection, serial: int, *, at: datetime, reason: Reason, now: datetime) -> None:
    """List a serial number as a former CA did. Raises CaError(conflict) for a date in the future."""
    _list(conn, serial, CertificateState.ABANDONED, at=at, reason=reason, now=now)


# From which states a certificate may come into each of these.
_FROM = {
    CertificateState.REVOKED: (CertificateState.ISSUED, CertificateState.HELD),
    CertificateState.HELD: (CertificateState.ISSUED,),
    CertificateState.ABANDONED: (CertificateState.RESERVED,),
}


def _list(
    conn: Connection,
    serial: int | str,
    state: CertificateState,
    *,
    at: datetime,
    reason: Reason,
    now: datetime,
    invalidity_date: datetime | None = None,
) -> bool:
    if at > now:
        raise CaError(CaErrorKind.CONFLICT, "a revocation in the future is not recorded before its time")
    key, found = _found(conn, serial)
    if found.state not in _FROM[state]:
        if found.state == CertificateState.RESERVED.value:
            raise CaError(CaErrorKind.CONFLICT, "there is no issued certificate of this serial number")
        return False
    if found.state == CertificateState.HELD.value:
        at = found.revoked_at
        invalidity_date = None if invalidity_date is None else min(invalidity_date, at)
    values = {
        "state": state.value,
        "revoked_at": at,
        "recorded_at": now,
        "reason": reason.value,
        "invalidity_date": invalidity_date,
        "crl_entry": encode(Entry(int(key, 16), at, reason, invalidity_date)),
        "crl_change": count_change(conn, found.authority_id),
    }
    _change(conn, key, found.state, values)
    return True


class _Found:
    """What is known of a certificate before it changes."""

    def __init__(self, authority_id: str, state: str, revoked_at: datetime) -> None:
        self.authority_id, self.state, self.revoked_at = authority_id, state, revoked_at


def _found(conn: Connection, serial: int | str) -> tuple[str, _Found]:
    key = serial_text(serial)
    columns = certificates.c
    row = conn.execute(select(columns.authority_id, columns.state, columns.revoked_at).where(columns.serial == key))
    found = row.one_or_none()
    if found is None:
        raise CaError(CaErrorKind.CONFLICT, "there is no issued certificate of this serial number")
    return key, _Found(*found)


def _change(conn: Connection, key: str, was: str, values: Mapping[str, object]) -> None:
    changed = conn.execute(
        update(certificates).where(certificates.c.serial == key, certificates.c.state == was).values(**values)
    )
    if changed.rowcount != 1:
        raise CaError(CaErrorKind.CONFLICT, "the certificate has changed meanwhile")


def count_change(conn: Connection, authority_id: str) -> int:
    """The count of this change. Locks the authority's row: who makes a CRL meanwhile waits, or has it on."""
    counted = conn.execute(
        update(authorities)
        .where(authorities.c.id == authority_id)
        .values(crl_change=authorities.c.crl_change + 1)
        .returning(authorities.c.crl_change)
    )
    return int(counted.scalar_one())
