"""The second look: re-reads everything that was issued and published, and holds it against the register.

It asks the bytes, not the code that made them: every certificate is parsed, linted and verified again, the newest CRL
is compared with the register entry by entry. Pure reading; it repairs nothing (SPEC 3, after Boulder's cert-checker).
Weak: it sees what the register holds. A certificate that was signed and never recorded is seen only as an abandoned
serial number; whether the published file equals the newest CRL is for whoever publishes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from cryptography import x509
from sqlalchemy import Connection

from ca import register
from ca.authority import Authority
from ca.crl import Entry, Reason, entry_of, number_of
from ca.errors import UNREADABLE
from ca.lint import lint_certificate, lint_crl
from ca.profiles import Profile, Role, load_profiles
from ca.rows import CertificateRow, CertificateState, CrlRow, serial_text

_SECOND = timedelta(seconds=1)
# How long a revocation may wait for its CRL, and an ended lease for being abandoned: a round of the service and room
# to spare. SPEC 3 wants a CRL published at once.
GRACE = timedelta(minutes=10)

_ON_CRL = (CertificateState.REVOKED, CertificateState.ABANDONED)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that does not agree. `code` is a machine code, with the lint's own code after a colon where it found
    the fault; `serial` names the certificate, or is empty where the authority or its CRL is meant."""

    code: str
    serial: str = ""

    def __str__(self) -> str:
        return f"{self.code} ({self.serial})" if self.serial else self.code


def check(
    conn: Connection,
    *,
    authority: Authority,
    now: datetime,
    profiles: Mapping[str, Profile] | None = None,
    grace: timedelta = GRACE,
) -> tuple[Fault, ...]:
    """Everything about one authority that is not in order; empty when all is well.

    The authority's own certificate, every certificate of it in the register, the newest full CRL, the sequence of CRL
    numbers. Costs about a millisecond for each certificate. Raises CaError(not_found) for an unknown authority.
    """
    profiles = load_profiles() if profiles is None else profiles
    faults = list(_authority(conn, authority, now, profiles))
    listable: dict[int, CertificateRow] = {}
    for row in register.every(conn, authority.id):
        faults += [Fault(code, row.serial) for code in _certificate(row, authority, now, profiles, grace)]
        if row.state in _ON_CRL:
            listable[int(row.serial, 16)] = row
    faults += _crls(conn, authority, now, listable, grace)
    return tuple(faults)


def _authority(
    conn: Connection, authority: Authority, now: datetime, profiles: Mapping[str, Profile]
) -> Iterator[Fault]:
    if register.authority(conn, authority.id) != authority:
        yield Fault("authority_differs")
    if not authority.not_before <= now < authority.not_after + _SECOND:
        yield Fault("authority_not_valid")
    issuer = next((one for one in register.every_authority(conn) if one.name == authority.certificate.issuer), None)
    if issuer is None:
        yield Fault("authority_issuer_unknown")
        return
    role = Role.ROOT if issuer.name == authority.name else Role.ISSUING
    # The kind of its key was chosen when the authority was established; the rest is the profile's.
    profile = replace(profiles[role.value], key=authority.key_kind)
    for code in lint_certificate(authority.certificate, profile=profile, authority=issuer):
        yield Fault(f"authority_lint:{code}")
    if not issuer.has_issued(authority.certificate):
        yield Fault("authority_signature")


def _certificate(
    row: CertificateRow, authority: Authority, now: datetime, profiles: Mapping[str, Profile], grace: timedelta
) -> Iterator[str]:
    if row.state is CertificateState.RESERVED and row.lease_until + grace < now:
        yield "lease_overdue"
    if row.claimed_at is not None and not row.reserved_at <= row.claimed_at < row.lease_until:
        yield "claim_outside_lease"
    if row.der is None:
        return
    try:
        certificate = x509.load_der_x509_certificate(row.der)
        differences = list(_differences(row, certificate))
    except UNREADABLE:
        yield "undecodable"
        return
    yield from differences
    if not authority.has_issued(certificate):
        yield "signature"
    if row.profile not in profiles:
        yield "profile_unknown"
        return
    for code in lint_certificate(certificate, profile=profiles[row.profile], authority=authority):
        yield f"lint:{code}"


def _differences(row: CertificateRow, certificate: x509.Certificate) -> Iterator[str]:
    """Where certificate and row tell different stories."""
    told = {
        "serial": (serial_text(certificate.serial_number), row.serial),
        "subject": (certificate.subject.rfc4514_string(), row.subject),
        "email": (_mail_addresses(certificate), [row.email] if row.email else []),
        "not_before": (certificate.not_valid_before_utc, row.not_before),
        "not_after": (certificate.not_valid_after_utc, row.not_after),
        "tbs": (certificate.tbs_certificate_bytes, row.tbs),
    }
    for name, (in_certificate, in_register) in told.items():
        if in_certificate != in_register:
            yield f"{name}_differs"


def _mail_addresses(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.RFC822Name)


def _crls(
    conn: Connection, authority: Authority, now: datetime, listable: Mapping[int, CertificateRow], grace: timedelta
) -> Iterator[Fault]:
    history = register.crl_history(conn, authority.id)
    for (number, this_update), (next_number, next_this_update) in pairwise(history):
        if next_number <= number or next_this_update < this_update:
            yield Fault("crl_sequence")
    newest = register.latest_crl(conn, authority.id)
    if newest is None:
        yield Fault("crl_none")
        return
    if not newest.this_update <= now < newest.next_update:
        yield Fault("crl_not_fresh")
    try:
        crl = x509.load_der_x509_crl(newest.der)
        entries = {entry.serial: entry for entry in map(entry_of, crl)}
        told = (number_of(crl), crl.last_update_utc, crl.next_update_utc)
    except UNREADABLE:
        yield Fault("crl_undecodable")
        return
    if told != (newest.number, newest.this_update, newest.next_update):
        yield Fault("crl_differs")
    if not authority.has_signed(crl):
        yield Fault("crl_signature")
    for code in lint_crl(crl, authority=authority):
        yield Fault(f"crl_lint:{code}")
    yield from _entries(entries, listable, newest, now, grace)


def _entries(
    entries: Mapping[int, Entry],
    listable: Mapping[int, CertificateRow],
    newest: CrlRow,
    now: datetime,
    grace: timedelta,
) -> Iterator[Fault]:
    """Every revoked row is on the CRL with its date and reason, and nothing else is on it."""
    for serial in entries.keys() - listable.keys():
        # Not by `serial_text`: what stands on a spoilt CRL need not be a serial number.
        yield Fault("crl_lists_unrevoked", f"{serial:x}")
    for serial, row in listable.items():
        wanted = _entry(row)
        if serial in entries:
            if entries[serial] != wanted:
                yield Fault("crl_entry_differs", row.serial)
        elif wanted.revoked_at <= newest.this_update:
            # Gone for good only after its time on the CRL past expiry (RFC 5280, 3.3; see register.store_crl).
            if row.listed_until is None or row.listed_until > newest.this_update:
                yield Fault("crl_lacks_revoked", row.serial)
        elif wanted.revoked_at + grace < now:
            yield Fault("crl_behind", row.serial)


def _entry(row: CertificateRow) -> Entry:
    """What a CRL says of this row: whole seconds. The table's CHECK gives every revoked row date and reason."""
    assert row.revoked_at is not None  # noqa: S101
    invalidity = None if row.invalidity_date is None else row.invalidity_date.replace(microsecond=0)
    return Entry(
        int(row.serial, 16), row.revoked_at.replace(microsecond=0), row.reason or Reason.UNSPECIFIED, invalidity
    )
