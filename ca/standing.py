"""What the world is told of a serial number, read from the register for OCSP.

Trusts: the transaction it is given; reading is enough. Promises: `good` is told of a certificate that stands as issued
in the register at that moment, and of nothing else: a reservation, an abandoned serial number, a state that this
module has never heard of are never good.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from cryptography import x509
from sqlalchemy import Connection, bindparam, select

from ca.ocsp_wire import GOOD, UNKNOWN, Told
from ca.rows import CertificateState, serial_text
from ca.tables import certificates

# RFC 5280, 5.3.1.
REASON_NUMBERS: Mapping[str, int] = {
    x509.ReasonFlags.unspecified.name: 0,
    x509.ReasonFlags.key_compromise.name: 1,
    x509.ReasonFlags.ca_compromise.name: 2,
    x509.ReasonFlags.affiliation_changed.name: 3,
    x509.ReasonFlags.superseded.name: 4,
    x509.ReasonFlags.cessation_of_operation.name: 5,
    x509.ReasonFlags.certificate_hold.name: 6,
    x509.ReasonFlags.privilege_withdrawn.name: 9,
    x509.ReasonFlags.aa_compromise.name: 10,
}

_STANDING = select(
    certificates.c.serial,
    certificates.c.authority_id,
    certificates.c.state,
    certificates.c.revoked_at,
    certificates.c.reason,
)
_SEVERAL = _STANDING.where(certificates.c.serial.in_(bindparam("serials", expanding=True)))
# Nearly every request asks about one; a statement without a list costs half.
_ONE = _STANDING.where(certificates.c.serial == bindparam("one"))


def standing(conn: Connection, asked: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Told]:
    """What to tell of each (authority id, serial number); a number of another authority is unknown, as is one that is
    no serial number at all (RFC 5280, 4.1.2.2)."""
    wanted = list(asked)
    texts = sorted({serial_text(serial) for _, serial in wanted if 0 < serial < 1 << 160})
    rows: Sequence[Any] = ()
    if len(texts) == 1:
        rows = conn.execute(_ONE, {"one": texts[0]}).all()
    elif texts:
        rows = conn.execute(_SEVERAL, {"serials": texts}).all()
    known = {
        (authority_id, int(serial, 16)): _told(state, revoked_at, reason)
        for serial, authority_id, state, revoked_at, reason in rows
    }
    return {each: known.get(each, UNKNOWN) for each in wanted}


def _told(state: str, revoked_at: datetime | None, reason: str | None) -> Told:
    if revoked_at is not None:
        return Told(known=True, revoked_at=revoked_at, reason=REASON_NUMBERS.get(reason or "", 0))
    return GOOD if state == CertificateState.ISSUED.value else UNKNOWN
