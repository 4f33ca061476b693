"""The right to sign a reserved serial number, taken in by the register: once for all time, whoever asks.

Like `register` it works through the connection it is given; the caller commits it together with the audit line.
"""

from datetime import datetime

from sqlalchemy import Connection, update

from ca.errors import CaError, CaErrorKind
from ca.issue import Prepared
from ca.rows import CertificateState, serial_text
from ca.tables import certificates


def claim(conn: Connection, prepared: Prepared, *, now: datetime) -> None:
    """Take in the token of a reservation: whoever's transaction commits this may sign, once, and nobody ever again.

    This is what stops an issuer that slept after `reserve`: its lease ended meanwhile. Raises CaError(conflict) unless
    exactly this was reserved, under a lease that reaches beyond `now`, and was not claimed before.
    """
    changed = conn.execute(
        update(certificates)
        .where(
            certificates.c.serial == serial_text(prepared.serial),
            certificates.c.tbs == prepared.tbs,
            certificates.c.state == CertificateState.RESERVED.value,
            certificates.c.lease_until > now,
            certificates.c.claimed_at.is_(None),
        )
        .values(claimed_at=now)
    )
    if changed.rowcount != 1:
        raise CaError(CaErrorKind.CONFLICT, "the serial number is not ours to sign any more")
