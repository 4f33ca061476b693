"""The second look: re-reads everything that was issued and published, and holds it against the register.

It asks the bytes, not the code that made them: every certificate is parsed, linted and verified again, the newest CRLs
are compared with the register entry by entry. Pure reading; it repairs nothing (SPEC 3, after Boulder's cert-checker).
Weak: it sees what the register holds. A certificate that was signed and never recorded is seen only as an abandoned
serial number; whether the published files equal the newest CRLs is for whoever publishes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter

from cryptography import x509
from sqlalchemy import Connection

from ca import register
from ca.authority import Authority
from ca.crl_checker import Revoked, check_crls, freed_of, revoked_of
from ca.errors import UNREADABLE
from ca.foreign import foreign_faults
from ca.lint import lint_certificate
from ca.profiles import Profile, Role, load_profiles
from ca.rows import ON_CRL, CertificateRow, CertificateState, CrlRow, serial_text

_SECOND = timedelta(seconds=1)
# How long a revocation may wait for its CRL, and an ended lease for being abandoned: a round of the service and room
# to spare. SPEC 3 wants a CRL published at once.
GRACE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that does not agree. `code` is a machine code, with the lint's own code after a colon where it found
    the fault; `serial` names the certificate, or is empty where the authority or its CRL is meant; `part` the CRL,
    where it is not the full one."""

    code: str
    serial: str = ""
    part: str = ""

    def __str__(self) -> str:
        about = ", ".join(each for each in (self.part, self.serial) if each)
        return f"{self.code} ({about})" if about else self.code


def check(
    conn: Connection,
    *,
    authority: Authority,
    now: datetime,
    profiles: Mapping[str, Profile] | None = None,
    grace: timedelta = GRACE,
    published: Callable[[CrlRow], bytes | None] = attrgetter("der"),
) -> tuple[Fault, ...]:
    """Everything about one authority that is not in order; empty when all is well.

    The authority's own certificate, every certificate of it in the register, the newest CRL of each scope, the sequence
    of CRL numbers. `published` gives the DER of a CRL that the register keeps only the digest of, or None. Costs about
    a millisecond for each certificate. Raises CaError(not_found) for an unknown authority.
    """
    profiles = load_profiles() if profiles is None else profiles
    faults = list(_authority(conn, authority, now, profiles))
    revoked: dict[int, Revoked] = {}
    freed: dict[int, Revoked] = {}
    for row in register.every(conn, authority.id):
        faults += [Fault(code, row.serial) for code in _certificate(row, authority, now, profiles, grace)]
        if row.state in ON_CRL:
            revoked[int(row.serial, 16)] = told = revoked_of(row)
            if row.crl_entry != told.encoded:
                faults.append(Fault("entry_differs", row.serial))
        elif row.unheld_at is not None:
            freed[int(row.serial, 16)] = freed_of(row)
    faults += [Fault(*found) for found in check_crls(conn, authority, now, grace, published, revoked, freed)]
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
    if register.is_imported(conn, authority.id):
        # Made by another program; what it may not be is looked at again, its taste was looked at when it came.
        for code in foreign_faults(authority.certificate, issuer.certificate) if issuer != authority else ():
            yield Fault(f"authority_foreign:{code}")
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
    for code in lint_certificate(
        certificate, profile=profiles[row.profile], authority=authority, partition=row.crl_partition
    ):
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
