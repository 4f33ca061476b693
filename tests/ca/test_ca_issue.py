import os
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ca import issue
from ca.errors import CaError, CaErrorKind
from ca.issue import compare, examine, new_serial, prepare
from ca.names import AuthorityName
from support.authorities import NOW, hierarchy, prepared, profile, request, signer, subject


def refused(kind: CaErrorKind, **changes: object) -> tuple[str, ...]:
    with pytest.raises(CaError) as raised:
        prepare(replace(request(), **changes), hierarchy().issuing, new_serial(os.urandom))
    assert raised.value.kind is kind
    return raised.value.problems


@given(st.binary(min_size=20, max_size=20).filter(lambda octets: octets[:12] != bytes(12)))
def test_a_serial_number_is_positive_and_has_at_most_159_bits(octets: bytes) -> None:
    serial = new_serial(lambda count: octets[:count])
    assert 1 << 64 <= serial < 1 << 159


def test_the_serial_number_is_what_the_source_of_randomness_gave() -> None:
    octets = bytes(range(200, 220))
    assert new_serial(lambda count: octets[:count]) == int.from_bytes(octets) >> 1


def test_a_small_serial_number_is_drawn_again() -> None:
    draws = iter([bytes(20), bytes(12) + b"\xff" * 8, b"\xff" * 20])
    assert new_serial(lambda count: next(draws)) == (1 << 159) - 1


def test_a_dead_source_of_randomness_yields_no_serial_number() -> None:
    with pytest.raises(ValueError, match="randomness"):
        new_serial(bytes)


def test_a_prepared_certificate_says_what_was_asked() -> None:
    asked = request()
    serial = new_serial(os.urandom)
    ready = prepare(asked, hierarchy().issuing, serial)
    certificate = x509.load_der_x509_certificate(ready.rehearsal)
    assert certificate.tbs_certificate_bytes == ready.tbs
    assert certificate.serial_number == serial == ready.serial
    assert certificate.public_key() == asked.public_key
    assert certificate.not_valid_before_utc == asked.not_before
    assert certificate.not_valid_after_utc == asked.not_after
    assert ready.profile is asked.profile
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.RFC822Name) == ["taro@aozora-denki.example"]


def test_a_prepared_certificate_is_worth_nothing_before_it_is_signed() -> None:
    rehearsal = x509.load_der_x509_certificate(prepared().rehearsal)
    with pytest.raises(InvalidSignature):
        rehearsal.verify_directly_issued_by(hierarchy().issuing.certificate)


def test_what_is_prepared_shows_no_personal_data_when_printed() -> None:
    shown = repr(prepared())
    assert "Taro" not in shown
    assert "aozora" not in shown


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("common_name", "A" * 65, "common_name_too_long"),
        ("organization", "A" * 65, "organization_too_long"),
        ("common_name", "Taro\x07", "common_name_characters"),
        ("common_name", "山田 太郎", "common_name_characters"),
        ("email", "太郎@aozora-denki.example", "email_characters"),
        ("common_name", "", "common_name_empty"),
    ],
)
def test_wrong_subject_data_are_refused_before_anything_is_built(field: str, value: str, problem: str) -> None:
    who = subject(**{field: value})
    assert refused(CaErrorKind.SUBJECT_INVALID, subject=who) == (problem,)


def test_a_refusal_never_repeats_the_data() -> None:
    with pytest.raises(CaError) as raised:
        prepare(request(subject(common_name="Himitsu" * 20)), hierarchy().issuing, new_serial(os.urandom))
    assert "Himitsu" not in str(raised.value)
    assert str(raised.value).endswith("common_name_too_long")


def test_an_authority_is_not_named_like_a_subscriber_nor_the_other_way_round() -> None:
    name = AuthorityName("Example", "Example CA")
    assert refused(CaErrorKind.SUBJECT_INVALID, subject=name) == ("subject_for_another_role",)
    issuing = replace(profile("issuing"), key=profile().key)
    assert refused(CaErrorKind.SUBJECT_INVALID, profile=issuing) == ("subject_for_another_role",)


def test_a_root_is_not_issued_by_an_authority() -> None:
    root = replace(profile("root"), key=profile().key)
    name = AuthorityName("Example", "Example CA")
    assert refused(CaErrorKind.LINT_FAILED, profile=root, subject=name) == ("role",)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"not_before": NOW.replace(tzinfo=None)}, "validity"),
        ({"not_before": NOW.replace(microsecond=1)}, "validity"),
        ({"not_after": NOW - timedelta(seconds=1)}, "validity"),
        ({"not_after": NOW + timedelta(days=760)}, "validity_too_long"),
        ({"not_before": NOW - timedelta(seconds=1)}, "validity_outside_issuer"),
    ],
)
def test_a_request_that_breaks_its_profile_is_refused(changes: dict[str, object], problem: str) -> None:
    assert problem in refused(CaErrorKind.LINT_FAILED, **changes)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 1024),
    ],
    ids=["p-384", "p-521", "ed25519", "rsa-1024"],
)
def test_a_key_of_another_kind_than_the_profiles_is_refused(key: ec.EllipticCurvePrivateKey) -> None:
    assert refused(CaErrorKind.LINT_FAILED, public_key=key.public_key()) == ("key_kind",)


def test_a_subscriber_never_gets_a_certificate_for_the_issuers_key() -> None:
    assert refused(CaErrorKind.LINT_FAILED, public_key=hierarchy().issuing.public_key) == ("key_is_issuers",)


def test_a_weak_rsa_exponent_is_refused() -> None:
    weak = rsa.generate_private_key(3, 2048).public_key()
    problems = refused(CaErrorKind.LINT_FAILED, profile=profile("subscriber-2048"), public_key=weak)
    assert problems == ("key_exponent",)


def test_a_certificate_never_outlives_its_issuer() -> None:
    start = hierarchy().issuing.not_after - timedelta(days=700)
    chosen = profile()
    not_before, not_after = chosen.period(start)
    problems = refused(CaErrorKind.LINT_FAILED, not_before=not_before, not_after=not_after)
    assert problems == ("validity_outside_issuer",)


@pytest.mark.parametrize("serial", [0, -1, 1 << 160])
def test_a_serial_number_that_der_cannot_hold_is_refused(serial: int) -> None:
    with pytest.raises(CaError) as raised:
        prepare(request(), hierarchy().issuing, serial)
    assert raised.value.kind is CaErrorKind.LINT_FAILED


def test_a_serial_number_that_was_not_drawn_is_refused() -> None:
    with pytest.raises(CaError, match="serial_too_short"):
        prepare(request(), hierarchy().issuing, 5)


def test_the_signed_certificate_is_the_prepared_one() -> None:
    ready = prepared()
    compare(ready, signer().sign_certificate(ready))


def test_another_certificate_is_not_the_prepared_one() -> None:
    ready, other = prepared(), prepared()
    with pytest.raises(CaError) as raised:
        compare(ready, signer().sign_certificate(other))
    assert raised.value.kind is CaErrorKind.MISMATCH


def test_the_rehearsal_is_no_certificate() -> None:
    ready = prepared()
    with pytest.raises(CaError) as raised:
        compare(ready, ready.rehearsal)
    assert raised.value.kind is CaErrorKind.MISMATCH


def test_bytes_behind_the_certificate_are_refused() -> None:
    ready = prepared()
    with pytest.raises(CaError):
        compare(ready, signer().sign_certificate(ready) + b"\x00")


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60, deadline=None)
@given(st.data())
def test_any_changed_octet_is_a_mismatch(data: st.DataObject) -> None:
    ready, der = _signed()
    at = data.draw(st.integers(0, len(der) - 1))
    flip = data.draw(st.integers(1, 255))
    changed = der[:at] + bytes([der[at] ^ flip]) + der[at + 1 :]
    with pytest.raises(CaError) as raised:
        compare(ready, changed)
    assert raised.value.kind is CaErrorKind.MISMATCH


@given(st.binary())
def test_any_bytes_are_a_mismatch(der: bytes) -> None:
    with pytest.raises(CaError) as raised:
        compare(_signed()[0], der)
    assert raised.value.kind is CaErrorKind.MISMATCH


@cache
def _signed() -> tuple[issue.Prepared, bytes]:
    ready = prepared()
    return ready, signer().sign_certificate(ready)


def test_what_was_prepared_for_one_authority_is_not_signed_by_another() -> None:
    with pytest.raises(CaError) as raised:
        examine(prepared(), hierarchy().root)
    assert raised.value.kind is CaErrorKind.MISMATCH


@pytest.mark.parametrize("part", ["tbs", "rehearsal", "serial"])
def test_a_prepared_certificate_put_together_from_two_is_found_out(part: str) -> None:
    one, other = prepared(), prepared()
    mixed = replace(one, **{part: getattr(other, part)})
    with pytest.raises(CaError) as raised:
        examine(mixed, hierarchy().issuing)
    assert raised.value.kind is CaErrorKind.MISMATCH


def test_the_ocsp_address_stands_in_front_of_the_issuers_certificate() -> None:
    authority = replace(hierarchy().issuing, ocsp_url="http://ocsp.lra.example/")
    ready = prepare(request(), authority, new_serial(os.urandom))
    access = x509.load_der_x509_certificate(ready.rehearsal).extensions.get_extension_for_class(
        x509.AuthorityInformationAccess
    )
    assert [entry.access_location.value for entry in access.value] == [
        "http://ocsp.lra.example/",
        "http://pki.lra.example/issuing.cer",
    ]


def test_addresses_that_need_tls_are_refused() -> None:
    authority = replace(hierarchy().issuing, crl_url="https://pki.lra.example/issuing.crl")
    with pytest.raises(CaError, match="crl_distribution_points_wrong"):
        prepare(request(), authority, new_serial(os.urandom))
