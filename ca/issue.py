"""From a request to the bytes that the authority may sign: build, lint, and afterwards compare.

Order of issuance (SPEC 3): `new_serial`, `prepare` (blocking lint) gives a single-use token, the register commits
serial and to-be-signed bytes, takes the token in with the audit line (`ca.claims`, once for all time and all
processes), `Signer.sign_certificate` spends it (once in this process), `compare`, the register commits the
certificate. Nothing here knows the authority's key: `prepare` signs with a throw-away key, so what it returns is worth
nothing to anybody until the signer has put the true signature on the very bytes that were linted.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import NoReturn

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import AuthorityInformationAccessOID

from ca.authority import Authority
from ca.crl_scope import partition_part
from ca.errors import UNREADABLE, CaError, CaErrorKind
from ca.keys import PublicKey, kind_of, rehearsal_key, signature_hash
from ca.lint import lint_certificate
from ca.names import AuthorityName, ServerName, Subject, alternative_name, distinguished_name, problems
from ca.profiles import Profile, Role

__all__ = [
    "Authority",
    "IssuanceRequest",
    "Prepared",
    "Token",
    "compare",
    "examine",
    "new_serial",
    "prepare",
    "prepare_root",
]

# RFC 5280, 4.1.2.2 allows 20 octets and asks for a positive number: 159 bits.
SERIAL_BITS = 159


@dataclass(frozen=True, slots=True)
class IssuanceRequest:
    """What a certificate shall say. `not_before` and `not_after` are aware, whole seconds, both valid: take them from
    `Profile.period`. `subject` is a Subject for a subscriber, a ServerName for a server, an AuthorityName for an
    authority or its responder."""

    subject: Subject | AuthorityName | ServerName
    public_key: PublicKey
    profile: Profile
    not_before: datetime
    not_after: datetime


class Token:
    """The right to one signature. Whoever signs spends it first; it is neither copied nor kept, and a second spender is
    refused, in whatever thread and with whatever signer."""

    __slots__ = ("_lock", "_spent")

    def __init__(self) -> None:
        self._lock = Lock()
        self._spent = False

    def spend(self) -> None:
        """Raises CaError(conflict) where it was spent before. What fails afterwards does not give it back (SPEC 3)."""
        with self._lock:
            if self._spent:
                raise CaError(CaErrorKind.CONFLICT, "this serial number was signed before")
            self._spent = True

    def __repr__(self) -> str:
        return "<Token spent>" if self._spent else "<Token>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("the right to a signature is neither copied nor pickled")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A linted certificate that lacks only its signature. Made by `prepare`; good for one signature (`token`).

    `tbs` is the DER TBSCertificate that the register keeps and the signer signs; `rehearsal` the same under a
    throw-away key, for the eyes of the lint.
    """

    serial: int
    tbs: bytes = field(repr=False)
    request: IssuanceRequest = field(repr=False)
    authority: Authority = field(repr=False)
    rehearsal: bytes = field(repr=False)
    partition: int = 0
    """The partition of the authority's CRL that will list it, should it be revoked; 0 for none."""
    token: Token = field(default_factory=Token, kw_only=True, repr=False, compare=False)

    @property
    def profile(self) -> Profile:
        """The profile it was made by."""
        return self.request.profile


def new_serial(random_bytes: Callable[[int], bytes]) -> int:
    """A serial number: 159 bits from `random_bytes`, positive and at least 2^64.

    RFC 5280 (4.1.2.2) wants it unique, CA/Browser Forum with at least 64 bits from a CSPRNG. The register has the
    last word on uniqueness. Raises ValueError when the source of randomness gives nothing usable.
    """
    for _ in range(64):
        serial = int.from_bytes(random_bytes(20)) >> 1
        # Small numbers are thrown away (2^-95 of all), so that a lint can tell a number that was not drawn here.
        if serial.bit_length() > 64:
            return serial
    raise ValueError("the source of randomness yields no serial number")


def prepare(request: IssuanceRequest, authority: Authority, serial: int, *, partition: int = 0) -> Prepared:
    """Build what the authority shall sign, under a throw-away key, and lint it. Its CRL distribution point is that of
    the `partition` (`crl_scope.partition_of`).

    Raises CaError(subject_invalid) where the data cannot stand in a certificate, CaError(lint_failed) where the
    result breaks its profile. Reserves nothing and touches no key of the authority.
    """
    _refuse_unfit(request)
    if request.profile.role is Role.ROOT:
        raise CaError(CaErrorKind.LINT_FAILED, "a root is not issued by an authority", problems=["role"])
    rehearsal = _rehearse(request, authority.name, authority.authority_key_identifier(), authority, serial, partition)
    return _linted(rehearsal, request, authority, serial, partition)


def prepare_root(request: IssuanceRequest, authority_id: str, crl_url: str, ca_url: str, serial: int) -> Prepared:
    """Like `prepare` for a root, which issues itself.

    The authority of the result holds the rehearsal in place of the certificate that does not exist yet: name, key and
    key identifier are the root's own, only the signature is not. A signer that is given this authority and the root's
    key makes the certificate. Raises as `prepare` does.
    """
    _refuse_unfit(request)
    key_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(request.public_key)
    rehearsal = _rehearse(request, distinguished_name(request.subject), key_identifier, None, serial)
    return _linted(rehearsal, request, Authority(authority_id, rehearsal, crl_url, ca_url), serial)


def examine(prepared: Prepared, authority: Authority) -> None:
    """Look again at what was prepared, as the signer does before it signs: it trusts no caller.

    Raises CaError(mismatch) unless it was prepared for this authority and its bytes are those of the rehearsal, and
    CaError(lint_failed) unless these still pass the lint.
    """
    rehearsal = x509.load_der_x509_certificate(prepared.rehearsal)
    agree = (
        prepared.authority.certificate == authority.certificate
        and rehearsal.tbs_certificate_bytes == prepared.tbs
        and rehearsal.serial_number == prepared.serial
    )
    if not agree:
        raise CaError(CaErrorKind.MISMATCH, "the prepared certificate is not what this authority was asked to sign")
    _raise_for(lint_certificate(rehearsal, profile=prepared.profile, authority=authority, partition=prepared.partition))


def compare(prepared: Prepared, certificate_der: bytes) -> None:
    """Hold the signed certificate against the prepared one, as the last look before it is recorded.

    Raises CaError(mismatch) unless the signed part is the prepared one byte for byte, the bytes are one certificate
    and no more, and the signature verifies under the authority's key.
    """
    try:
        certificate = x509.load_der_x509_certificate(certificate_der)
        same = certificate.tbs_certificate_bytes == prepared.tbs
        whole = certificate.public_bytes(serialization.Encoding.DER) == certificate_der
    except UNREADABLE as error:
        raise CaError(CaErrorKind.MISMATCH, "what was signed is no certificate") from error
    if not (same and whole):
        raise CaError(CaErrorKind.MISMATCH, "the signed certificate is not the prepared one")
    if not prepared.authority.has_issued(certificate):
        raise CaError(CaErrorKind.MISMATCH, "the signed certificate does not verify under the authority")


def _refuse_unfit(request: IssuanceRequest) -> None:
    found = list(problems(request.subject))
    shape = {Role.SUBSCRIBER: Subject, Role.SERVER: ServerName}.get(request.profile.role, AuthorityName)
    if not isinstance(request.subject, shape):
        found.append("subject_for_another_role")
    if found:
        raise CaError(CaErrorKind.SUBJECT_INVALID, "the data cannot stand in a certificate", problems=found)
    # Checked here, not by the lint: the encoder would silently cut what DER cannot hold (RFC 5280, 4.1.2.5.1).
    times = (request.not_before, request.not_after)
    if any(time.tzinfo is None or time.microsecond for time in times) or times[0] > times[1]:
        raise CaError(
            CaErrorKind.LINT_FAILED, "the validity is not two aware whole seconds in order", problems=["validity"]
        )
    if kind_of(request.public_key) is not request.profile.key:
        raise CaError(CaErrorKind.LINT_FAILED, "the key is not of the kind of the profile", problems=["key_kind"])


def _rehearse(
    request: IssuanceRequest,
    issuer: x509.Name,
    issuer_key: x509.AuthorityKeyIdentifier,
    authority: Authority | None,
    serial: int,
    partition: int = 0,
) -> x509.Certificate:
    """The whole certificate, signed by nobody. `authority` is None for a root, which points to no issuer."""
    profile = request.profile
    try:
        builder = (
            x509.CertificateBuilder()
            .subject_name(distinguished_name(request.subject))
            .issuer_name(issuer)
            .public_key(request.public_key)
            .serial_number(serial)
            .not_valid_before(request.not_before)
            .not_valid_after(request.not_after)
        )
    except ValueError as error:
        raise CaError(CaErrorKind.LINT_FAILED, "the serial number or a date cannot be encoded") from error
    builder = (
        builder.add_extension(x509.BasicConstraints(profile.is_authority, profile.path_length), critical=True)
        .add_extension(profile.key_usage_extension(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(request.public_key), critical=False)
        .add_extension(issuer_key, critical=False)
    )
    for extension in _optional_extensions(request, authority, partition):
        builder = builder.add_extension(extension, critical=False)
    kind = kind_of(request.public_key) if authority is None else authority.key_kind
    assert kind is not None  # noqa: S101 — _refuse_unfit has compared it with the profile's kind
    return builder.sign(rehearsal_key(kind), signature_hash(kind))


def _optional_extensions(
    request: IssuanceRequest, authority: Authority | None, partition: int
) -> list[x509.ExtensionType]:
    profile = request.profile
    extensions: list[x509.ExtensionType] = []
    if profile.extended_key_usage:
        extensions.append(x509.ExtendedKeyUsage(profile.extended_key_usage_oids()))
    if profile.policies:
        extensions.append(
            x509.CertificatePolicies([x509.PolicyInformation(oid, None) for oid in profile.policy_oids()])
        )
    if isinstance(request.subject, Subject | ServerName):
        extensions.append(alternative_name(request.subject))
    if profile.role is Role.RESPONDER:
        extensions.append(x509.OCSPNoCheck())
    elif authority is not None:
        address = authority.crl_url_of(partition_part(partition))
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(address)], None, None, None)
        extensions += [x509.CRLDistributionPoints([point]), _information_access(authority)]
    return extensions


def _information_access(authority: Authority) -> x509.AuthorityInformationAccess:
    methods = [(AuthorityInformationAccessOID.CA_ISSUERS, authority.ca_url)]
    if authority.ocsp_url:
        methods.insert(0, (AuthorityInformationAccessOID.OCSP, authority.ocsp_url))
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(method, x509.UniformResourceIdentifier(url)) for method, url in methods]
    )


def _linted(
    rehearsal: x509.Certificate, request: IssuanceRequest, authority: Authority, serial: int, partition: int = 0
) -> Prepared:
    _raise_for(lint_certificate(rehearsal, profile=request.profile, authority=authority, partition=partition))
    der = rehearsal.public_bytes(serialization.Encoding.DER)
    return Prepared(serial, rehearsal.tbs_certificate_bytes, request, authority, der, partition)


def _raise_for(found: tuple[str, ...]) -> None:
    if found:
        raise CaError(CaErrorKind.LINT_FAILED, "the certificate breaks its profile", problems=found)
