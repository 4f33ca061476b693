"""What the authority says about revoked certificates: the plan of a CRL, linted before anything is signed.

Full CRLs, version 2 (RFC 5280, section 5). The whole list is built once, under a throw-away key; the signer then
signs exactly these bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from cryptography import x509

from ca.authority import Authority
from ca.errors import CaError, CaErrorKind
from ca.keys import rehearsal_key, signature_hash
from ca.lint import lint_crl


class Reason(StrEnum):
    """Why a certificate was revoked: the words of RFC 5280, 5.3.1, without hold and removeFromCRL."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key_compromise"
    CA_COMPROMISE = "ca_compromise"
    AFFILIATION_CHANGED = "affiliation_changed"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessation_of_operation"
    PRIVILEGE_WITHDRAWN = "privilege_withdrawn"


@dataclass(frozen=True, slots=True)
class Entry:
    """One revoked certificate. Times are aware; a CRL holds whole seconds, fractions are dropped.

    `invalidity_date` is when the key is thought to have gone astray; it may precede the revocation, which itself is
    never back-dated (RFC 5280, 5.3.2).
    """

    serial: int
    revoked_at: datetime
    reason: Reason = Reason.UNSPECIFIED
    invalidity_date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A linted CRL that lacks only its signature. Made by `plan`."""

    authority: Authority = field(repr=False)
    number: int
    this_update: datetime
    next_update: datetime
    size: int
    tbs: bytes = field(repr=False)
    rehearsal: x509.CertificateRevocationList = field(repr=False)


def plan(
    authority: Authority, number: int, entries: Iterable[Entry], this_update: datetime, next_update: datetime
) -> Plan:
    """Build and lint the CRL `number` of the authority.

    Raises CaError(lint_failed) with the codes of `lint_crl`, `revocation_in_future` foremost: relying parties take a
    certificate for revoked as soon as it is listed, whatever the date says. Fractions of seconds are dropped.
    """
    this_update, next_update = _second(this_update), _second(next_update)
    if next_update <= this_update or not 1 <= number < 1 << 159:
        raise CaError(CaErrorKind.LINT_FAILED, "the CRL's dates or number are out of order", problems=["update_order"])
    listed = list(entries)
    if any(_second(entry.revoked_at) > this_update for entry in listed):
        raise CaError(
            CaErrorKind.LINT_FAILED, "a revocation lies in the future of the CRL", problems=["revocation_in_future"]
        )
    kind = authority.key_kind
    # The list goes to the constructor: `add_revoked_certificate` copies the whole list for each entry, which makes a
    # CRL of 100,000 entries take 15 s instead of 2.
    rehearsal = (
        x509.CertificateRevocationListBuilder(revoked_certificates=[_revoked(entry) for entry in listed])
        .issuer_name(authority.name)
        .last_update(this_update)
        .next_update(next_update)
        .add_extension(authority.authority_key_identifier(), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
        .sign(rehearsal_key(kind), signature_hash(kind))
    )
    found = lint_crl(rehearsal, authority=authority)
    if found:
        raise CaError(CaErrorKind.LINT_FAILED, "the CRL breaks its rules", problems=found)
    return Plan(authority, number, this_update, next_update, len(listed), rehearsal.tbs_certlist_bytes, rehearsal)


def number_of(crl: x509.CertificateRevocationList) -> int | None:
    """The CRLNumber (RFC 5280, 5.2.3), or None where there is none."""
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return None


def entry_of(revoked: x509.RevokedCertificate) -> Entry:
    """Read an entry of a CRL back. Raises ValueError for a reason that we never give."""
    reason, invalid = Reason.UNSPECIFIED, None
    for extension in revoked.extensions:
        if isinstance(extension.value, x509.CRLReason):
            reason = Reason(extension.value.reason.name)
        elif isinstance(extension.value, x509.InvalidityDate):
            invalid = extension.value.invalidity_date_utc
    return Entry(revoked.serial_number, revoked.revocation_date_utc, reason, invalid)


def _revoked(entry: Entry) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder(entry.serial, _second(entry.revoked_at).replace(tzinfo=None))
    # RFC 5280, 5.3.1: the reason is left out rather than given as unspecified.
    if entry.reason is not Reason.UNSPECIFIED:
        builder = builder.add_extension(x509.CRLReason(x509.ReasonFlags[entry.reason.value]), critical=False)
    if entry.invalidity_date is not None:
        builder = builder.add_extension(x509.InvalidityDate(_second(entry.invalidity_date)), critical=False)
    return builder.build()


def _second(time: datetime) -> datetime:
    """The time in UTC without its fraction. Raises ValueError for a naive time: nobody can say when that is."""
    if time.tzinfo is None:
        raise ValueError("a time without zone")
    return time.astimezone(UTC).replace(microsecond=0)
