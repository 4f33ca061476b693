"""What a certificate and a CRL of ours must be, read from the finished bytes.

It judges what was built without asking how it was built, and by our profiles rather than by the RFC alone: pkilint
passes a lower-case `jp`, a BMPString, doubled spaces and the serial number 5 (field notes, section 6). Whatever it
finds stops the signature. Weak: it looks at one certificate, never at the register; the checker does that.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID, NameOID

from ca.authority import Authority
from ca.crl_scope import FULL, CrlKind, Scope, partition_part
from ca.errors import UNREADABLE
from ca.keys import RSA_EXPONENT, kind_of, signature_hash
from ca.names import COUNTRY, AuthorityName, ServerName, Subject, distinguished_name, problems
from ca.profiles import Profile, Role

# At least 64 bits from a CSPRNG (CA/Browser Forum, S/MIME BR 7.1.2.3); ours have 159, so a serial number below
# 2^64 was not made by us. Above 159 bits it would take more than 20 octets or be negative (RFC 5280, 4.1.2.2).
_SERIAL_BITS = range(64, 160)

_AUTHORITY_SHAPE = [NameOID.COUNTRY_NAME, NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME]
_SUBSCRIBER_SHAPE = [*_AUTHORITY_SHAPE, NameOID.SERIAL_NUMBER]

_Expected = tuple[bool, Callable[[x509.ExtensionType], bool]]


def lint_certificate(
    certificate: x509.Certificate, *, profile: Profile, authority: Authority, partition: int = 0
) -> tuple[str, ...]:
    """Every breach of the profile, as codes; empty for a certificate that may be signed.

    `authority` is the issuer (for a root: the root itself); `partition` the part of its CRL that would list the
    certificate. The signature is not verified: a rehearsal has none worth verifying. A certificate that cannot be
    decoded yields `undecodable`.
    """
    try:
        return (
            *_head(certificate, authority),
            *_subject(certificate, profile),
            *_validity(certificate, profile, authority),
            *_key(certificate, profile, authority),
            *_extensions(certificate, profile, authority, partition),
        )
    except UNREADABLE:
        return ("undecodable",)


def _head(certificate: x509.Certificate, authority: Authority) -> Iterator[str]:
    if certificate.version is not x509.Version.v3:
        yield "version"
    bits = certificate.serial_number.bit_length()
    if certificate.serial_number <= 0:
        yield "serial_not_positive"
    elif bits < _SERIAL_BITS.start:
        yield "serial_too_short"
    elif bits >= _SERIAL_BITS.stop:
        yield "serial_too_long"
    if certificate.issuer.public_bytes() != authority.name.public_bytes():
        yield "issuer"
    if not _signature_fits(certificate, authority):
        yield "signature_algorithm"


def _signature_fits(signed: x509.Certificate | x509.CertificateRevocationList, authority: Authority) -> bool:
    wanted = signature_hash(authority.key_kind)
    is_rsa = isinstance(authority.public_key, rsa.RSAPublicKey)
    # Both registries name the algorithm after its key: sha256WithRSAEncryption, ecdsa-with-SHA256.
    named_rsa = signed.signature_algorithm_oid.dotted_string.startswith("1.2.840.113549.1.1.")
    found = signed.signature_hash_algorithm
    return found is not None and found.name == wanted.name and named_rsa == is_rsa


def _subject(certificate: x509.Certificate, profile: Profile) -> Iterator[str]:
    attributes = list(certificate.subject)
    shape = _SUBSCRIBER_SHAPE if profile.role is Role.SUBSCRIBER else _AUTHORITY_SHAPE
    if [attribute.oid for attribute in attributes] != shape or len(certificate.subject.rdns) != len(shape):
        yield "subject_shape"
        return
    country, organization, common_name, *rest = (str(attribute.value) for attribute in attributes)
    if country != COUNTRY:
        yield "country"
    subject: Subject | AuthorityName | ServerName
    if profile.role is Role.SERVER:
        subject = ServerName(organization, _host_names(certificate))
        if subject.common_name != common_name:
            yield "common_name_not_host"
            return
    elif rest:
        subject = Subject(organization, common_name, rest[0], _mail_address(certificate))
    else:
        subject = AuthorityName(organization, common_name)
    found = problems(subject)
    yield from found
    # Encoded again, the same words must give the same bytes: that shows a BMPString, a T61String, a UTF8String where
    # a PrintableString belongs (RFC 5280, 4.1.2.4 and appendix A.1). Names compare equal without regard to the type.
    if found or country != COUNTRY:
        return
    if certificate.subject.public_bytes() != distinguished_name(subject).public_bytes():
        yield "subject_encoding"


def _host_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(names.get_values_for_type(x509.DNSName))


def _mail_address(certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    return next(iter(names.get_values_for_type(x509.RFC822Name)), "")


def _validity(certificate: x509.Certificate, profile: Profile, authority: Authority) -> Iterator[str]:
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if last < first:
        yield "validity_order"
    # Both ends are valid (RFC 5280, 4.1.2.5), so a validity of n days ends one second short of n days.
    if last - first + timedelta(seconds=1) > profile.validity:
        yield "validity_too_long"
    if first < authority.not_before or last > authority.not_after:
        yield "validity_outside_issuer"


def _key(certificate: x509.Certificate, profile: Profile, authority: Authority) -> Iterator[str]:
    key = certificate.public_key()
    if kind_of(key) is not profile.key:
        yield "key_kind"
    if isinstance(key, rsa.RSAPublicKey) and key.public_numbers().e != RSA_EXPONENT:
        yield "key_exponent"
    if profile.role is not Role.ROOT and key == authority.public_key:
        yield "key_is_issuers"


def _extensions(certificate: x509.Certificate, profile: Profile, authority: Authority, partition: int) -> Iterator[str]:
    """Each extension of the profile is there, with its value and criticality, and no other is."""
    expected = _expected(certificate, profile, authority, partition)
    found = {extension.oid: extension for extension in certificate.extensions}
    for oid, (critical, fits) in expected.items():
        name = _NAMES[oid]
        if oid not in found:
            yield f"{name}_missing"
            continue
        if found[oid].critical is not critical:
            yield f"{name}_critical"
        if not fits(found[oid].value):
            yield f"{name}_wrong"
    if found.keys() - expected.keys():
        yield "extension_unexpected"


_NAMES = {
    ExtensionOID.BASIC_CONSTRAINTS: "basic_constraints",
    ExtensionOID.KEY_USAGE: "key_usage",
    ExtensionOID.EXTENDED_KEY_USAGE: "extended_key_usage",
    ExtensionOID.SUBJECT_KEY_IDENTIFIER: "subject_key_identifier",
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER: "authority_key_identifier",
    ExtensionOID.CERTIFICATE_POLICIES: "policies",
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME: "subject_alternative_name",
    ExtensionOID.CRL_DISTRIBUTION_POINTS: "crl_distribution_points",
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS: "authority_information_access",
    ExtensionOID.OCSP_NO_CHECK: "ocsp_no_check",
}


def _expected(
    certificate: x509.Certificate, profile: Profile, authority: Authority, partition: int
) -> dict[x509.ObjectIdentifier, _Expected]:
    """For each extension of the profile: whether it is critical, and the judge of its value (RFC 5280, 4.2.1)."""
    key_identifier = x509.SubjectKeyIdentifier.from_public_key(certificate.public_key())
    constraints = x509.BasicConstraints(ca=profile.is_authority, path_length=profile.path_length)
    expected: dict[x509.ObjectIdentifier, _Expected] = {
        ExtensionOID.BASIC_CONSTRAINTS: (True, constraints.__eq__),
        ExtensionOID.KEY_USAGE: (True, profile.key_usage_extension().__eq__),
        ExtensionOID.SUBJECT_KEY_IDENTIFIER: (False, key_identifier.__eq__),
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER: (False, authority.authority_key_identifier().__eq__),
    }
    if profile.extended_key_usage:
        wanted = x509.ExtendedKeyUsage(profile.extended_key_usage_oids())
        expected[ExtensionOID.EXTENDED_KEY_USAGE] = (False, wanted.__eq__)
    if profile.policies:
        expected[ExtensionOID.CERTIFICATE_POLICIES] = (False, lambda value: _policies_fit(value, profile))
    if profile.role is Role.SUBSCRIBER:
        expected[ExtensionOID.SUBJECT_ALTERNATIVE_NAME] = (False, _is_one_mail_address)
    if profile.role is Role.SERVER:
        expected[ExtensionOID.SUBJECT_ALTERNATIVE_NAME] = (False, _is_host_names)
    if profile.role is Role.RESPONDER:
        # Of its revocation nobody asks, so it must not say where one could (RFC 6960, 4.2.2.2.1).
        expected[ExtensionOID.OCSP_NO_CHECK] = (False, x509.OCSPNoCheck().__eq__)
    elif profile.role is not Role.ROOT:
        point = authority.crl_url_of(partition_part(partition))
        expected[ExtensionOID.CRL_DISTRIBUTION_POINTS] = (False, lambda value: _points_fit(value, point))
        expected[ExtensionOID.AUTHORITY_INFORMATION_ACCESS] = (False, lambda value: _access_fits(value, authority))
    return expected


def _policies_fit(value: x509.ExtensionType, profile: Profile) -> bool:
    return isinstance(value, x509.CertificatePolicies) and [
        (policy.policy_identifier, policy.policy_qualifiers) for policy in value
    ] == [(oid, None) for oid in profile.policy_oids()]


def _is_host_names(value: x509.ExtensionType) -> bool:
    return isinstance(value, x509.SubjectAlternativeName) and {type(name) for name in value} == {x509.DNSName}


def _is_one_mail_address(value: x509.ExtensionType) -> bool:
    return isinstance(value, x509.SubjectAlternativeName) and [type(name) for name in value] == [x509.RFC822Name]


def _points_fit(value: x509.ExtensionType, address: str) -> bool:
    """One point with one address, for all reasons, the CRL issued by the authority itself (RFC 5280, 4.2.1.13)."""
    if not isinstance(value, x509.CRLDistributionPoints) or len(list(value)) != 1:
        return False
    point = value[0]
    names = [] if point.full_name is None else list(point.full_name)
    return (
        names == [x509.UniformResourceIdentifier(address)]
        and address.startswith("http://")
        and point.reasons is None
        and point.crl_issuer is None
    )


def _access_fits(value: x509.ExtensionType, authority: Authority) -> bool:
    if not isinstance(value, x509.AuthorityInformationAccess):
        return False
    wanted = {AuthorityInformationAccessOID.CA_ISSUERS: authority.ca_url}
    if authority.ocsp_url:
        wanted[AuthorityInformationAccessOID.OCSP] = authority.ocsp_url
    found = {entry.access_method: entry.access_location.value for entry in value}
    return len(list(value)) == len(found) and found == wanted and authority.ca_url.startswith("http://")


# RFC 5280, 5.3.1: unspecified is expressed by leaving the reason out; removeFromCRL belongs to delta CRLs.
_REASONS_NEVER = frozenset({x509.ReasonFlags.unspecified})
_REASONS_OF_DELTAS = frozenset({x509.ReasonFlags.remove_from_crl})
_ENTRY_EXTENSIONS = frozenset({x509.CRLReason.oid, x509.InvalidityDate.oid})


def lint_crl(crl: x509.CertificateRevocationList, *, authority: Authority, scope: Scope = FULL) -> tuple[str, ...]:
    """Every breach of RFC 5280 section 5 and of our own rules for a CRL of that scope, as codes, each once.

    Like `lint_certificate` it does not verify the signature. Reads every entry: about 10 microseconds each. Whether a
    full CRL points to delta CRLs is for its maker to choose; where it does, it must do it rightly.
    """
    try:
        found = [*_crl_head(crl, authority, scope), *_crl_entries(crl, scope)]
    except UNREADABLE:
        return ("undecodable",)
    return tuple(dict.fromkeys(found))


def _crl_head(crl: x509.CertificateRevocationList, authority: Authority, scope: Scope) -> Iterator[str]:
    if crl.issuer.public_bytes() != authority.name.public_bytes():
        yield "issuer"
    if not _signature_fits(crl, authority):
        yield "signature_algorithm"
    # RFC 5280, 5.1.2.5: nextUpdate is a must. OpenSSL refuses everybody once it has passed.
    if crl.next_update_utc is None:
        yield "next_update_missing"
    elif crl.next_update_utc <= crl.last_update_utc:
        yield "update_order"
    yield from _crl_extensions(crl, authority, scope)


def _crl_extensions(crl: x509.CertificateRevocationList, authority: Authority, scope: Scope) -> Iterator[str]:
    found = {extension.oid: extension for extension in crl.extensions}
    expected = _crl_expected(authority, scope)
    for oid, (name, critical, value) in expected.items():
        if oid not in found:
            if oid != ExtensionOID.FRESHEST_CRL or scope.fresh:
                yield f"{name}_missing"
            continue
        if found[oid].critical is not critical:
            yield "extension_critical"
        if value is not None and found[oid].value != value:
            yield f"{name}_wrong"
    if found.keys() - expected.keys():
        yield "extension_unexpected"
    number = found.get(ExtensionOID.CRL_NUMBER)
    # RFC 5280, 5.2.3: at most 20 octets.
    if number is not None and isinstance(number.value, x509.CRLNumber):
        if not 1 <= number.value.crl_number < 1 << 159:
            yield "crl_number_range"
        # 5.2.4: a delta CRL is newer than its base.
        elif scope.base >= number.value.crl_number:
            yield "delta_indicator_range"


def _crl_expected(
    authority: Authority, scope: Scope
) -> dict[x509.ObjectIdentifier, tuple[str, bool, x509.ExtensionType | None]]:
    """The extensions of a scope: name, whether critical, and the value where there is but one."""
    expected: dict[x509.ObjectIdentifier, tuple[str, bool, x509.ExtensionType | None]] = {
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER: (
            "authority_key_identifier",
            False,
            authority.authority_key_identifier(),
        ),
        ExtensionOID.CRL_NUMBER: ("crl_number", False, None),
    }
    if scope.kind is CrlKind.DELTA:
        value: x509.ExtensionType = x509.DeltaCRLIndicator(scope.base)
        expected[ExtensionOID.DELTA_CRL_INDICATOR] = ("delta_indicator", True, value)
    elif scope.kind is CrlKind.PARTITION:
        value = authority.partition_extension(scope.part)
        expected[ExtensionOID.ISSUING_DISTRIBUTION_POINT] = ("issuing_distribution_point", True, value)
    else:
        # 5.2.6: never in a delta CRL; in a partitioned one it would promise deltas of that partition.
        expected[ExtensionOID.FRESHEST_CRL] = ("freshest_crl", False, authority.freshest_extension())
    return expected


def _crl_entries(crl: x509.CertificateRevocationList, scope: Scope) -> Iterator[str]:
    never = _REASONS_NEVER if scope.kind is CrlKind.DELTA else _REASONS_NEVER | _REASONS_OF_DELTAS
    seen: set[int] = set()
    this_update = crl.last_update_utc
    for entry in crl:
        if entry.serial_number in seen:
            yield "entry_twice"
        seen.add(entry.serial_number)
        # OpenSSL and GnuTLS refuse such a certificate at once, NSS only from its date on: it must never be published.
        if entry.revocation_date_utc > this_update:
            yield "revocation_in_future"
        for extension in entry.extensions:
            if extension.oid not in _ENTRY_EXTENSIONS:
                yield "entry_extension_unexpected"
            if extension.critical:
                yield "entry_extension_critical"
            value = extension.value
            if isinstance(value, x509.CRLReason) and value.reason in never:
                yield "reason"
            if isinstance(value, x509.InvalidityDate) and value.invalidity_date_utc > entry.revocation_date_utc:
                yield "invalidity_after_revocation"
