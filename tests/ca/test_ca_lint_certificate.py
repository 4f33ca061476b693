"""Certificates that are wrong in one thing each; what pkilint misses is among them (field notes, section 6)."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from ca.authority import Authority
from ca.der import signed
from ca.der import value as der_value
from ca.issue import new_serial
from ca.keys import rehearsal_key, signature_algorithm
from ca.lint import lint_certificate
from ca.profiles import Profile
from support.authorities import NOW, URLS, hierarchy, prepared, profile, request


def issuing() -> Authority:
    return hierarchy().issuing


def name(*attributes: tuple[x509.ObjectIdentifier, str, _ASN1Type]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value, kind, _validate=False) for oid, value, kind in attributes])


COUNTRY = (NameOID.COUNTRY_NAME, "JP", _ASN1Type.PrintableString)
ORGANIZATION = (NameOID.ORGANIZATION_NAME, "Aozora Denki Co., Ltd.", _ASN1Type.UTF8String)
COMMON_NAME = (NameOID.COMMON_NAME, "Taro YAMADA", _ASN1Type.UTF8String)
NUMBER = (NameOID.SERIAL_NUMBER, "W000001", _ASN1Type.PrintableString)


def plain_name() -> x509.Name:
    return name(COUNTRY, ORGANIZATION, COMMON_NAME, NUMBER)


@dataclass
class Draft:
    """A certificate as it should be, ready to be spoilt."""

    subject: x509.Name = field(default_factory=plain_name)
    issuer: x509.Name = field(default_factory=lambda: issuing().name)
    serial: int = field(default_factory=lambda: new_serial(os.urandom))
    not_before: datetime = NOW
    not_after: datetime = NOW + timedelta(days=760, seconds=-1)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    extensions: dict[str, tuple[x509.ExtensionType, bool]] = field(default_factory=dict)
    digest: hashes.HashAlgorithm = field(default_factory=hashes.SHA256)
    signing_key: object = None

    def __post_init__(self) -> None:
        chosen = profile()
        self.extensions = {
            "bc": (x509.BasicConstraints(ca=False, path_length=None), True),
            "ku": (chosen.key_usage_extension(), True),
            "ski": (x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False),
            "aki": (issuing().authority_key_identifier(), False),
            "eku": (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
            "policies": (policies(chosen.policies[0]), False),
            "san": (x509.SubjectAlternativeName([x509.RFC822Name("taro@aozora-denki.example")]), False),
            "crldp": (points(URLS.issuing_crl), False),
            "aia": (access(URLS.issuing_certificate), False),
        }

    def spoil(self, which: str, value: x509.ExtensionType, *, critical: bool | None = None) -> None:
        was = self.extensions[which][1]
        self.extensions[which] = (value, was if critical is None else critical)

    def sign(self) -> x509.Certificate:
        builder = x509.CertificateBuilder(
            subject_name=self.subject,
            issuer_name=self.issuer,
            public_key=self.key.public_key(),
            serial_number=self.serial,
            not_valid_before=self.not_before.replace(tzinfo=None),
            not_valid_after=self.not_after.replace(tzinfo=None),
        )
        for value, critical in self.extensions.values():
            builder = builder.add_extension(value, critical)
        key = self.signing_key or rehearsal_key(issuing().key_kind)
        return builder.sign(key, self.digest)


def policies(*oids: str, qualifiers: list[str] | None = None) -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(oid), qualifiers) for oid in oids])


def points(*urls: str, reasons: frozenset[x509.ReasonFlags] | None = None) -> x509.CRLDistributionPoints:
    return x509.CRLDistributionPoints(
        [x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, reasons, None) for url in urls]
    )


def access(*urls: str) -> x509.AuthorityInformationAccess:
    method = AuthorityInformationAccessOID.CA_ISSUERS
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(method, x509.UniformResourceIdentifier(url)) for url in urls]
    )


def found(draft: Draft, *, by: Profile | None = None) -> tuple[str, ...]:
    return lint_certificate(draft.sign(), profile=by or profile(), authority=issuing())


def test_a_certificate_as_it_should_be_passes() -> None:
    assert found(Draft()) == ()


def test_what_the_service_prepares_passes() -> None:
    for kind in ("subscriber-p256", "subscriber-2048"):
        ready = prepared(name=kind)
        certificate = x509.load_der_x509_certificate(ready.rehearsal)
        assert lint_certificate(certificate, profile=profile(kind), authority=issuing()) == ()


def with_name(*attributes: tuple[x509.ObjectIdentifier, str, _ASN1Type]) -> Callable[[Draft], None]:
    def spoil(draft: Draft) -> None:
        draft.subject = name(*attributes)

    return spoil


def as_type(attribute: tuple[x509.ObjectIdentifier, str, _ASN1Type], kind: _ASN1Type) -> Callable[[Draft], None]:
    wanted = [COUNTRY, ORGANIZATION, COMMON_NAME, NUMBER]
    return with_name(*((*one[:2], kind) if one is attribute else one for one in wanted))


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (with_name((NameOID.COUNTRY_NAME, "jp", COUNTRY[2]), ORGANIZATION, COMMON_NAME, NUMBER), "country"),
        (with_name((NameOID.COUNTRY_NAME, "US", COUNTRY[2]), ORGANIZATION, COMMON_NAME, NUMBER), "country"),
        (as_type(COUNTRY, _ASN1Type.UTF8String), "subject_encoding"),
        (as_type(COMMON_NAME, _ASN1Type.BMPString), "subject_encoding"),
        (as_type(COMMON_NAME, _ASN1Type.T61String), "subject_encoding"),
        (as_type(ORGANIZATION, _ASN1Type.PrintableString), "subject_encoding"),
        (as_type(NUMBER, _ASN1Type.UTF8String), "subject_encoding"),
        (with_name(COUNTRY, ORGANIZATION, NUMBER, COMMON_NAME), "subject_shape"),
        (with_name(COUNTRY, ORGANIZATION, COMMON_NAME), "subject_shape"),
        (with_name(), "subject_shape"),
        (
            with_name(COUNTRY, ORGANIZATION, COMMON_NAME, NUMBER, (NameOID.EMAIL_ADDRESS, "a@b", _ASN1Type.IA5String)),
            "subject_shape",
        ),
        (
            with_name(COUNTRY, ORGANIZATION, (NameOID.COMMON_NAME, "Taro  YAMADA", COMMON_NAME[2]), NUMBER),
            "common_name_spaces",
        ),
        (
            with_name(COUNTRY, (NameOID.ORGANIZATION_NAME, "A" * 65, ORGANIZATION[2]), COMMON_NAME, NUMBER),
            "organization_too_long",
        ),
        (
            with_name(COUNTRY, ORGANIZATION, (NameOID.COMMON_NAME, "山田 太郎", COMMON_NAME[2]), NUMBER),
            "common_name_characters",
        ),
    ],
)
def test_a_subject_that_is_not_ours_is_found(spoil: Callable[[Draft], None], code: str) -> None:
    draft = Draft()
    spoil(draft)
    assert found(draft) == (code,)


def test_two_attributes_in_one_rdn_are_found() -> None:
    draft = Draft()
    first, *rest = draft.subject.rdns
    draft.subject = x509.Name([first, rest[0], x509.RelativeDistinguishedName([*rest[1], *rest[2]])])
    assert found(draft) == ("subject_shape",)


@pytest.mark.parametrize(
    ("field_name", "value", "code"),
    [
        ("serial", 5, "serial_too_short"),
        ("serial", (1 << 63) - 1, "serial_too_short"),
        ("not_after", NOW + timedelta(days=760), "validity_too_long"),
        ("not_before", NOW - timedelta(seconds=1), "validity_outside_issuer"),
    ],
)
def test_a_wrong_head_is_found(field_name: str, value: object, code: str) -> None:
    draft = Draft()
    setattr(draft, field_name, value)
    assert code in found(draft)


def test_a_certificate_that_ends_before_it_begins_is_found() -> None:
    draft = Draft(not_before=NOW + timedelta(days=2), not_after=NOW + timedelta(days=2))
    early, late = ((NOW + timedelta(days=days)).strftime("%y%m%d%H%M%SZ").encode() for days in (1, 2))
    both = der_value(0x17, late) * 2
    turned = respelled(draft, both, der_value(0x17, late) + der_value(0x17, early))
    assert codes(turned) == ("validity_order",)


def respelled(draft: Draft, old: bytes, new: bytes) -> x509.Certificate:
    """The certificate with some octets of its signed part replaced, and the lengths around them put right."""
    certificate = draft.sign()
    tbs = certificate.tbs_certificate_bytes
    assert tbs.count(old) == 1
    header = 2 if tbs[1] < 0x80 else 2 + (tbs[1] & 0x7F)
    changed = der_value(0x30, tbs[header:].replace(old, new))
    der = signed(changed, signature_algorithm(issuing().key_kind), b"no signature")
    with warnings.catch_warnings():
        # `cryptography` warns about a serial number below 1, here and below, and hands it over all the same.
        warnings.simplefilter("ignore")
        return x509.load_der_x509_certificate(der)


def codes(certificate: x509.Certificate) -> tuple[str, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lint_certificate(certificate, profile=profile(), authority=issuing())


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        ("020100", "serial_not_positive"),
        ("0201ff", "serial_not_positive"),
        ("02020080", "serial_too_short"),
        ("021500" + "ff" * 20, "serial_too_long"),
    ],
)
def test_a_serial_number_out_of_its_bounds_is_found(octets: str, code: str) -> None:
    draft = Draft(serial=(1 << 150) + 5)
    mark = der_value(0x02, draft.serial.to_bytes(19))
    assert codes(respelled(draft, mark, bytes.fromhex(octets))) == (code,)


def test_a_version_1_certificate_is_found() -> None:
    assert codes(respelled(Draft(), bytes.fromhex("a003020102"), b"")) == ("version",)


def test_another_issuer_is_found() -> None:
    draft = Draft(issuer=hierarchy().root.name)
    assert found(draft) == ("issuer",)


def test_a_signature_of_another_strength_or_algorithm_is_found() -> None:
    assert found(Draft(digest=hashes.SHA384())) == ("signature_algorithm",)
    rsa_key = rehearsal_key(profile("subscriber-2048").key)
    assert found(Draft(signing_key=rsa_key)) == ("signature_algorithm",)


@pytest.mark.parametrize(
    ("which", "name_of_it"),
    [
        ("bc", "basic_constraints"),
        ("ku", "key_usage"),
        ("ski", "subject_key_identifier"),
        ("aki", "authority_key_identifier"),
        ("eku", "extended_key_usage"),
        ("policies", "policies"),
        ("crldp", "crl_distribution_points"),
        ("aia", "authority_information_access"),
    ],
)
def test_each_extension_must_be_there_and_of_the_right_criticality(which: str, name_of_it: str) -> None:
    without = Draft()
    del without.extensions[which]
    assert found(without) == (f"{name_of_it}_missing",)
    turned = Draft()
    value, critical = turned.extensions[which]
    turned.extensions[which] = (value, not critical)
    assert found(turned) == (f"{name_of_it}_critical",)


def test_a_certificate_without_a_mail_address_is_found() -> None:
    draft = Draft()
    del draft.extensions["san"]
    assert found(draft) == ("email_empty", "subject_alternative_name_missing")


def usage(**changes: bool) -> x509.KeyUsage:
    plain = {
        "digital_signature": True,
        "content_commitment": False,
        "key_encipherment": False,
        "data_encipherment": False,
        "key_agreement": False,
        "key_cert_sign": False,
        "crl_sign": False,
        "encipher_only": False,
        "decipher_only": False,
    }
    return x509.KeyUsage(**plain | changes)


@pytest.mark.parametrize(
    ("which", "value", "code"),
    [
        ("bc", x509.BasicConstraints(ca=True, path_length=None), "basic_constraints_wrong"),
        ("ku", usage(key_cert_sign=True), "key_usage_wrong"),
        ("ku", usage(key_encipherment=True), "key_usage_wrong"),
        ("ski", x509.SubjectKeyIdentifier(bytes(20)), "subject_key_identifier_wrong"),
        ("aki", x509.AuthorityKeyIdentifier(bytes(20), None, None), "authority_key_identifier_wrong"),
        ("eku", x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), "extended_key_usage_wrong"),
        (
            "eku",
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]),
            "extended_key_usage_wrong",
        ),
        ("policies", policies("2.5.29.32.0"), "policies_wrong"),
        ("policies", policies("1.3.6.1.4.1.32473.1.1", qualifiers=["http://x.example/"]), "policies_wrong"),
        ("crldp", points("http://elsewhere.example/a.crl"), "crl_distribution_points_wrong"),
        ("crldp", points(URLS.issuing_crl, URLS.root_crl), "crl_distribution_points_wrong"),
        (
            "crldp",
            points(URLS.issuing_crl, reasons=frozenset({x509.ReasonFlags.key_compromise})),
            "crl_distribution_points_wrong",
        ),
        (
            "crldp",
            x509.CRLDistributionPoints(
                [
                    x509.DistributionPoint(
                        None, x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, "x")]), None, None
                    )
                ]
            ),
            "crl_distribution_points_wrong",
        ),
        ("aia", access("http://elsewhere.example/a.cer"), "authority_information_access_wrong"),
        (
            "aia",
            access(URLS.issuing_certificate, URLS.issuing_certificate),
            "authority_information_access_wrong",
        ),
        (
            "san",
            x509.SubjectAlternativeName([x509.RFC822Name("taro@aozora-denki.example"), x509.DNSName("x.example")]),
            "subject_alternative_name_wrong",
        ),
    ],
)
def test_a_wrong_value_of_an_extension_is_found(which: str, value: x509.ExtensionType, code: str) -> None:
    draft = Draft()
    draft.spoil(which, value)
    assert found(draft) == (code,)


def test_an_extension_that_is_not_in_the_profile_is_found() -> None:
    draft = Draft()
    draft.extensions["more"] = (x509.OCSPNoCheck(), False)
    assert found(draft) == ("extension_unexpected",)


def test_a_key_that_is_not_of_the_profile_is_found() -> None:
    assert found(Draft(key=ec.generate_private_key(ec.SECP384R1()))) == ("key_kind",)


def test_an_extension_that_cannot_be_decoded_is_found() -> None:
    draft = Draft()
    draft.extensions["broken"] = (x509.UnrecognizedExtension(x509.InhibitAnyPolicy.oid, b"\xff"), False)
    assert found(draft) == ("undecodable",)


def test_the_certificates_of_the_authorities_pass() -> None:
    made = hierarchy()
    for chosen, certificate, issuer in (
        (profile("root"), made.root.certificate, made.root),
        (profile("issuing"), made.issuing.certificate, made.root),
    ):
        by = replace(chosen, key=issuer.key_kind)
        assert lint_certificate(certificate, profile=by, authority=issuer) == ()


def test_a_certificate_is_judged_by_its_own_profile() -> None:
    certificate = x509.load_der_x509_certificate(prepared().rehearsal)
    found_by = lint_certificate(certificate, profile=profile("subscriber"), authority=issuing())
    assert found_by == ("key_kind", "key_usage_wrong")


def test_the_lint_needs_no_clock() -> None:
    far = request(start=datetime(2035, 1, 1, tzinfo=UTC))
    draft = Draft(not_before=far.not_before, not_after=far.not_before + timedelta(days=1))
    assert found(draft) == ()
