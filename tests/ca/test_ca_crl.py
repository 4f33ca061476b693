import os
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.crl import Entry, Reason, entry_of, number_of, plan
from ca.der import signed
from ca.der import value as der_value
from ca.errors import CaError, CaErrorKind
from ca.issue import new_serial
from ca.keys import KeyKind, rehearsal_key, signature_algorithm
from ca.lint import lint_crl
from ca.profiles import Role
from support.authorities import NOW, crl_of, hierarchy, signer

WEEK = timedelta(days=7)


def serial() -> int:
    return new_serial(os.urandom)


def test_a_crl_holds_what_was_planned() -> None:
    entries = [
        Entry(serial(), NOW - timedelta(days=3)),
        Entry(serial(), NOW - timedelta(days=2), Reason.KEY_COMPROMISE, NOW - timedelta(days=9)),
        Entry(serial(), NOW, Reason.SUPERSEDED),
    ]
    crl = x509.load_der_x509_crl(crl_of(entries))
    assert [entry_of(entry) for entry in crl] == entries
    assert (crl.last_update_utc, crl.next_update_utc) == (NOW, NOW + WEEK)
    assert number_of(crl) == 1
    assert crl.issuer == hierarchy().issuing.name
    key = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert key == hierarchy().issuing.authority_key_identifier()
    assert crl.is_signature_valid(hierarchy().issuing.public_key)


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.REMOVE_FROM_CRL}))
def test_every_reason_comes_back(reason: Reason) -> None:
    crl = x509.load_der_x509_crl(crl_of([Entry(7 << 70, NOW, reason)]))
    assert [entry_of(entry).reason for entry in crl] == [reason]


def test_an_unspecified_reason_is_left_out() -> None:
    (entry,) = x509.load_der_x509_crl(crl_of([Entry(serial(), NOW)]))
    assert list(entry.extensions) == []


def test_an_empty_crl_is_a_crl() -> None:
    assert list(x509.load_der_x509_crl(crl_of([]))) == []


def test_times_on_a_crl_are_whole_seconds() -> None:
    late = NOW.replace(microsecond=999_999)
    planned = plan(hierarchy().issuing, 3, [Entry(serial(), late)], NOW + timedelta(microseconds=5), late + WEEK)
    (entry,) = x509.load_der_x509_crl(signer().sign_crl(planned))
    assert entry.revocation_date_utc == NOW
    assert (planned.this_update, planned.next_update, planned.size) == (NOW, NOW + WEEK, 1)


def test_a_time_of_another_zone_is_the_same_instant() -> None:
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))
    (entry,) = x509.load_der_x509_crl(crl_of([Entry(serial(), tokyo)]))
    assert entry.revocation_date_utc == NOW


def test_a_future_revocation_is_never_published() -> None:
    with pytest.raises(CaError) as raised:
        plan(hierarchy().issuing, 1, [Entry(serial(), NOW + timedelta(seconds=1))], NOW, NOW + WEEK)
    assert raised.value.kind is CaErrorKind.LINT_FAILED
    assert raised.value.problems == ("revocation_in_future",)


@pytest.mark.parametrize(
    ("number", "next_update"), [(0, NOW + WEEK), (-1, NOW + WEEK), (1 << 159, NOW + WEEK), (1, NOW)]
)
def test_numbers_and_dates_out_of_order_are_refused(number: int, next_update: datetime) -> None:
    with pytest.raises(CaError, match="update_order"):
        plan(hierarchy().issuing, number, [], NOW, next_update)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="without zone"):
        plan(hierarchy().issuing, 1, [], NOW.replace(tzinfo=None), NOW + WEEK)


def test_a_serial_number_listed_twice_is_refused() -> None:
    one = Entry(serial(), NOW)
    with pytest.raises(CaError, match="entry_twice"):
        plan(hierarchy().issuing, 1, [one, one], NOW, NOW + WEEK)


def test_an_invalidity_date_after_the_revocation_is_refused() -> None:
    entry = Entry(serial(), NOW, Reason.KEY_COMPROMISE, NOW + timedelta(seconds=1))
    with pytest.raises(CaError, match="invalidity_after_revocation"):
        plan(hierarchy().issuing, 1, [entry], NOW, NOW + WEEK)


def test_a_plan_shows_nothing_but_its_dates() -> None:
    planned = plan(hierarchy().issuing, 1, [], NOW, NOW + WEEK)
    assert "tbs" not in repr(planned)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.integers(1, (1 << 159) - 1),
        st.tuples(
            st.datetimes(datetime(2000, 1, 1), NOW.replace(tzinfo=None), timezones=st.just(UTC)),
            st.sampled_from(sorted(set(Reason) - {Reason.REMOVE_FROM_CRL})),
        ),
        max_size=20,
    )
)
def test_every_list_of_entries_comes_back_from_the_signed_crl(listed: dict[int, tuple[datetime, Reason]]) -> None:
    entries = [Entry(number, at, reason) for number, (at, reason) in listed.items()]
    read = [entry_of(entry) for entry in x509.load_der_x509_crl(crl_of(entries))]
    assert read == [Entry(entry.serial, entry.revoked_at.replace(microsecond=0), entry.reason) for entry in entries]


def test_a_crl_of_the_root_is_planned_the_same_way() -> None:
    root = hierarchy().root
    planned = plan(root, 2, [Entry(serial(), NOW, Reason.CA_COMPROMISE)], NOW, NOW + timedelta(days=365))
    crl = x509.load_der_x509_crl(signer(Role.ROOT).sign_crl(planned))
    assert crl.is_signature_valid(root.public_key)


# --- CRLs that are wrong in one thing each


def build(**changes: Any) -> x509.CertificateRevocationList:
    issuing = hierarchy().issuing
    plain: dict[str, Any] = {
        "issuer": issuing.name,
        "next_update": NOW + WEEK,
        "extensions": [(issuing.authority_key_identifier(), False), (x509.CRLNumber(1), False)],
        "entries": [],
        "digest": hashes.SHA256(),
        "key": rehearsal_key(issuing.key_kind),
    }
    plain |= changes
    builder = x509.CertificateRevocationListBuilder(
        plain["issuer"], NOW.replace(tzinfo=None), plain["next_update"].replace(tzinfo=None)
    )
    for value, critical in plain["extensions"]:
        builder = builder.add_extension(value, critical)
    for entry in plain["entries"]:
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(plain["key"], plain["digest"])


def revoked(*extensions: tuple[x509.ExtensionType, bool], at: datetime = NOW) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder(serial(), at.replace(tzinfo=None))
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.build()


def reason(flag: x509.ReasonFlags) -> x509.RevokedCertificate:
    return revoked((x509.CRLReason(flag), False))


def key_identifier() -> x509.AuthorityKeyIdentifier:
    return hierarchy().issuing.authority_key_identifier()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (dict, None),
        (lambda: {"issuer": hierarchy().root.name}, "issuer"),
        (lambda: {"digest": hashes.SHA384()}, "signature_algorithm"),
        (lambda: {"next_update": NOW}, "update_order"),
        (lambda: {"extensions": [(key_identifier(), False)]}, "crl_number_missing"),
        (lambda: {"extensions": [(x509.CRLNumber(1), False)]}, "authority_key_identifier_missing"),
        (
            lambda: {"extensions": [(key_identifier(), False), (x509.CRLNumber(0), False)]},
            "crl_number_range",
        ),
        (lambda: {"extensions": [(key_identifier(), True), (x509.CRLNumber(1), False)]}, "extension_critical"),
        (
            lambda: {
                "extensions": [
                    (x509.AuthorityKeyIdentifier(bytes(20), None, None), False),
                    (x509.CRLNumber(1), False),
                ]
            },
            "authority_key_identifier_wrong",
        ),
        (
            lambda: {
                "extensions": [
                    (key_identifier(), False),
                    (x509.CRLNumber(1), False),
                    (x509.IssuerAlternativeName([x509.DNSName("x.example")]), False),
                ]
            },
            "extension_unexpected",
        ),
        (lambda: {"entries": [revoked(at=NOW + timedelta(days=20))]}, "revocation_in_future"),
        (lambda: {"entries": [reason(x509.ReasonFlags.unspecified)]}, "reason"),
        (lambda: {"entries": [reason(x509.ReasonFlags.certificate_hold)]}, None),
        (lambda: {"entries": [reason(x509.ReasonFlags.remove_from_crl)]}, "reason"),
        (
            lambda: {"entries": [revoked((x509.CRLReason(x509.ReasonFlags.superseded), True))]},
            "entry_extension_critical",
        ),
        (
            lambda: {"entries": [revoked((x509.CertificateIssuer([x509.DNSName("x.example")]), False))]},
            "entry_extension_unexpected",
        ),
    ],
)
def test_a_crl_that_breaks_a_rule_is_found(changes: Any, code: str | None) -> None:
    found = lint_crl(build(**changes()), authority=hierarchy().issuing)
    assert found == (() if code is None else (code,))


def test_a_crl_without_next_update_is_found() -> None:
    issuing = hierarchy().issuing
    tbs = plan(issuing, 1, [], NOW, NOW + WEEK).tbs
    stamp = (NOW + WEEK).strftime("%y%m%d%H%M%SZ").encode()
    without = tbs.replace(bytes([0x17, len(stamp)]) + stamp, b"")
    header = 2 if tbs[1] < 0x80 else 2 + (tbs[1] & 0x7F)
    spoilt = signed(der_value(0x30, without[header:]), signature_algorithm(issuing.key_kind), b"no signature")
    assert lint_crl(x509.load_der_x509_crl(spoilt), authority=issuing) == ("next_update_missing",)


def test_an_unreadable_distribution_is_no_aki() -> None:
    strange = x509.UnrecognizedExtension(x509.AuthorityKeyIdentifier.oid, b"\xff")
    found = lint_crl(build(extensions=[(strange, False), (x509.CRLNumber(1), False)]), authority=hierarchy().issuing)
    assert found == ("undecodable",)


def test_an_entry_with_a_broken_extension_is_found() -> None:
    broken = revoked((x509.UnrecognizedExtension(x509.CRLReason.oid, b"\xff"), False))
    assert lint_crl(build(entries=[broken]), authority=hierarchy().issuing) == ("undecodable",)


def test_a_crl_without_number_has_none() -> None:
    assert number_of(build(extensions=[])) is None


def test_an_authority_knows_its_own_signatures() -> None:
    made = hierarchy()
    crl = x509.load_der_x509_crl(made.root_crl)
    assert made.root.has_signed(crl)
    assert not made.issuing.has_signed(crl)
    assert made.root.has_issued(made.issuing.certificate)
    assert not made.issuing.has_issued(made.root.certificate)
    by_rsa = build(key=rehearsal_key(KeyKind.RSA_2048))
    assert not made.issuing.has_signed(by_rsa)


def test_a_frame_that_the_signature_does_not_cover_counts_too() -> None:
    """A BIT STRING with unused bits verifies in `cryptography`; other clients refuse it."""
    issuing = hierarchy().issuing
    crl = next(crl for crl in iter(lambda: x509.load_der_x509_crl(crl_of([])), None) if not crl.signature[-1] & 1)
    der = crl.public_bytes(Encoding.DER)
    at = len(der) - len(crl.signature) - 1
    assert der[at] == 0
    spoilt = x509.load_der_x509_crl(der[:at] + b"\x01" + der[at + 1 :])
    assert spoilt.is_signature_valid(issuing.public_key)
    assert issuing.has_signed(crl)
    assert not issuing.has_signed(spoilt)


def test_a_signature_of_an_unknown_algorithm_verifies_under_no_key() -> None:
    issuing = hierarchy().issuing
    ecdsa, unknown = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d04037f")
    crl = crl_of([])
    assert crl.count(ecdsa) == 2
    assert not issuing.has_signed(x509.load_der_x509_crl(crl.replace(ecdsa, unknown)))
    certificate = issuing.certificate.public_bytes(Encoding.DER)
    assert not hierarchy().root.has_issued(x509.load_der_x509_certificate(certificate.replace(ecdsa, unknown)))
