"""Whose certificate signed: the chain to the configured roots, revocation, purpose and address (RFC 5280, RFC 8550).

Everything is handed in: roots, certificates in between, CRLs, the time. Promises: without a CRL in force for every
certificate of the chain nothing is accepted; a list that does not cover the whole issuer is no list.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from parsers.dkim_message import UnsoundError
from parsers.smime_cms import UNREADABLE

_MOST_STEPS = 4
# The only critical extensions of a CRL that change nothing about which certificates it covers.
_HARMLESS = frozenset({ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.CRL_NUMBER})


@dataclass(frozen=True, slots=True)
class Trust:
    """What a chain is judged by: the roots we believe, certificates that may stand in between, the CRLs at hand."""

    roots: tuple[x509.Certificate, ...] = ()
    between: tuple[x509.Certificate, ...] = ()
    crls: tuple[x509.CertificateRevocationList, ...] = ()


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 over the DER certificate, in lower-case hex without colons."""
    return sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def judge(
    certificate: x509.Certificate, extra: Sequence[x509.Certificate], *, address: str, trust: Trust, now: datetime
) -> list[x509.Certificate]:
    """The chain, leaf first, of a certificate that may sign mail for this address now. Raises UnsoundError."""
    try:
        _demand_valid(certificate, now)
        _demand_purpose(certificate)
        _demand_address(certificate, address)
        chain = _chain(certificate, (*extra, *trust.between), trust.roots, now)
        for subject, issuer in pairwise(chain):
            _demand_unrevoked(subject, issuer, trust.crls, now)
    except UnsoundError:
        raise
    except UNREADABLE as error:
        raise UnsoundError("smime_certificate_malformed") from error
    return chain


def _demand_valid(certificate: x509.Certificate, now: datetime) -> None:
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise UnsoundError("smime_certificate_expired")


def _demand_purpose(certificate: x509.Certificate) -> None:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound as error:
        raise UnsoundError("smime_purpose") from error
    # RFC 8550 section 4.4.2; anyExtendedKeyUsage is not taken: a staff certificate is made for mail.
    if (
        not (usage.digital_signature or usage.content_commitment)
        or ExtendedKeyUsageOID.EMAIL_PROTECTION not in purposes
    ):
        raise UnsoundError("smime_purpose")


def _demand_address(certificate: x509.Certificate, address: str) -> None:
    """RFC 8550 section 3: the address stands in the SubjectAltName; the one in the name is not looked at."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise UnsoundError("smime_other_address") from error
    # An rfc822Name is ASCII (RFC 5280 section 4.2.1.6), as the configured address is: lower case is safe.
    if address.lower() not in {each.lower() for each in names.get_values_for_type(x509.RFC822Name)}:
        raise UnsoundError("smime_other_address")


def _chain(
    certificate: x509.Certificate, between: Iterable[x509.Certificate], roots: Sequence[x509.Certificate], now: datetime
) -> list[x509.Certificate]:
    if not roots:
        raise UnsoundError("smime_no_roots")
    policy = verification.PolicyBuilder().store(verification.Store(list(roots))).time(now).max_chain_depth(_MOST_STEPS)
    # Purpose and address have been looked at; the rules of the web for server names do not apply to people.
    policy = policy.extension_policies(
        ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(), ee_policy=verification.ExtensionPolicy.permit_all()
    )
    try:
        chain = list(policy.build_client_verifier().verify(certificate, list(between)).chain)
    except verification.VerificationError as error:
        raise UnsoundError("smime_untrusted") from error
    if len(chain) < 2:
        # The certificate itself is among the roots: nobody could revoke it.
        raise UnsoundError("smime_untrusted")
    return chain


def _demand_unrevoked(
    subject: x509.Certificate, issuer: x509.Certificate, crls: Iterable[x509.CertificateRevocationList], now: datetime
) -> None:
    in_force = [crl for crl in crls if _covers(crl, issuer, now)]
    if not in_force:
        raise UnsoundError("smime_revocation_unknown")
    if any(crl.get_revoked_certificate_by_serial_number(subject.serial_number) is not None for crl in in_force):
        raise UnsoundError("smime_revoked")


def _covers(crl: x509.CertificateRevocationList, issuer: x509.Certificate, now: datetime) -> bool:
    if crl.issuer.public_bytes() != issuer.subject.public_bytes():
        return False
    if crl.next_update_utc is None or not crl.last_update_utc <= now <= crl.next_update_utc:
        return False
    if any(extension.critical and extension.oid not in _HARMLESS for extension in crl.extensions):
        # A part of the issuer's certificates, or only changes (RFC 5280 sections 5.2.4 and 5.2.5).
        return False
    try:
        # Every other kind of key that a certificate may hold cannot sign; the library says so by TypeError.
        return crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    except UNREADABLE:
        return False
