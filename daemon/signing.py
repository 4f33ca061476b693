"""The one order in which a certificate is signed (SPEC 3), whoever it is for: a subscriber, the centre itself.

Serial number and to-be-signed bytes committed with their audit line → the right to the signature claimed with its audit
line → signed once → compared. Recording is its caller's transaction, together with whatever belongs to the certificate.
Crash and sleep: see `issuance`. Every transaction reads the clock when it has the database to itself.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from ca import claims, issue, register
from ca.issue import Prepared
from ca.signer import Signer

from .centre import Centre


def certify(
    centre: Centre,
    signer: Signer,
    prepared: Prepared,
    *,
    actor: str,
    registration_id: int | None = None,
    case_id: int | None = None,
    still_wanted: Callable[[Connection], None] = lambda _: None,
    **detail: object,
) -> bytes:
    """The DER certificate, of which the register knows the serial number and nothing more yet.

    `still_wanted` looks once more, in the transaction that reserves, and raises where the certificate is nobody's to
    make any more; `detail` stands in the audit line of the reservation. Raises CaError; nothing but a reserved serial
    number is left behind.
    """
    serial = register.serial_text(prepared.serial)
    with centre.store.transaction() as tx:
        now = centre.clock()
        still_wanted(tx)
        register.reserve(
            tx,
            prepared,
            authority=prepared.authority,
            registration_id=registration_id,
            case_id=case_id,
            now=now,
            lease_until=now + timedelta(minutes=centre.settings.policy.lease_minutes),
        )
        centre.audit.append(tx, "serial_reserved", at=now, actor=actor, case_id=case_id, serial=serial, **detail)
    # From this commit on the serial number counts as signed.
    with centre.store.transaction() as tx:
        now = centre.clock()
        claims.claim(tx, prepared, now=now)
        centre.audit.append(tx, "signature_claimed", at=now, actor=actor, case_id=case_id, serial=serial)
    der = signer.sign_certificate(prepared)
    issue.compare(prepared, der)
    return der


def record(
    tx: Connection,
    centre: Centre,
    prepared: Prepared,
    der: bytes,
    *,
    actor: str,
    now: datetime,
    case_id: int | None = None,
    **detail: object,
) -> None:
    """Enter what was signed, with its audit line. Raises CaError(conflict) where its lease was taken over."""
    serial = register.serial_text(prepared.serial)
    register.record_issued(tx, serial, der, now=now)
    centre.audit.append(tx, "certificate_issued", at=now, actor=actor, case_id=case_id, serial=serial, **detail)
