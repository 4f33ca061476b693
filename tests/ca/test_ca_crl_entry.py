"""The DER of CRL entries: any entry comes back, any other octet is refused, and the lint of many agrees with both."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.crl import entry_of
from ca.crl_entry import Entry, EntryLint, Reason, decode, encode, in_order
from ca.der import header_size, members, signed, value
from ca.keys import rehearsal_key, signature_hash
from support.authorities import NOW, hierarchy

SECONDS = st.datetimes(datetime(1950, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))
ENTRIES = st.builds(
    Entry, st.integers(1, (1 << 159) - 1), SECONDS, st.sampled_from(sorted(Reason)), st.none() | SECONDS
)


def whole(entry: Entry) -> Entry:
    """The entry in whole seconds."""
    invalid = entry.invalidity_date and entry.invalidity_date.replace(microsecond=0)
    return Entry(entry.serial, entry.revoked_at.replace(microsecond=0), entry.reason, invalid)


def built(entries: list[Entry]) -> x509.CertificateRevocationList:
    """The same list by the builder of `cryptography`, under a key of nobody."""
    revoked = []
    for entry in entries:
        builder = x509.RevokedCertificateBuilder(entry.serial, entry.revoked_at.replace(microsecond=0, tzinfo=None))
        if entry.reason is not Reason.UNSPECIFIED:
            builder = builder.add_extension(x509.CRLReason(x509.ReasonFlags[entry.reason.value]), critical=False)
        if entry.invalidity_date is not None:
            builder = builder.add_extension(
                x509.InvalidityDate(entry.invalidity_date.replace(microsecond=0, tzinfo=None)), critical=False
            )
        revoked.append(builder.build())
    authority = hierarchy().issuing
    late = datetime(2200, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateRevocationListBuilder(revoked_certificates=revoked)
        .issuer_name(authority.name)
        .last_update(late)
        .next_update(late + timedelta(days=7))
        .add_extension(authority.authority_key_identifier(), critical=False)
        .add_extension(x509.CRLNumber(1), critical=False)
        .sign(rehearsal_key(authority.key_kind), signature_hash(authority.key_kind))
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(ENTRIES, min_size=1, max_size=8))
def test_every_entry_is_what_another_encoder_makes_of_it_and_comes_back(entries: list[Entry]) -> None:
    crl = built(entries)
    listed = members(members(crl.tbs_certlist_bytes)[5])
    assert listed == [encode(entry) for entry in entries]
    assert [decode(each) for each in listed] == [whole(entry) for entry in entries] == [entry_of(each) for each in crl]


@settings(max_examples=150, deadline=None)
@given(ENTRIES, st.data())
def test_a_changed_octet_is_another_entry_or_none(entry: Entry, data: st.DataObject) -> None:
    der = encode(entry)
    at = data.draw(st.integers(0, len(der) - 1))
    octet = data.draw(st.integers(0, 255).filter(lambda each: each != der[at]))
    spoilt = der[:at] + bytes([octet]) + der[at + 1 :]
    try:
        read = decode(spoilt)
    except ValueError:
        assert EntryLint(datetime(2200, 1, 1, tzinfo=UTC)).look(spoilt) in (("entry_malformed",), ())
    else:
        assert read != whole(entry)
        assert encode(read) == spoilt


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=90))
def test_any_octets_are_an_entry_or_refused(octets: bytes) -> None:
    try:
        assert encode(decode(octets)) == octets
    except ValueError:
        assert EntryLint(NOW).look(octets) == (("entry_malformed",) if octets else ())


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(1, (1 << 159) - 1), st.tuples(SECONDS, st.sampled_from(sorted(Reason)))), SECONDS)
def test_the_lint_takes_what_is_in_order_and_names_what_is_not(
    listed: dict[int, tuple[datetime, Reason]], until: datetime
) -> None:
    entries = in_order([Entry(serial, at, reason) for serial, (at, reason) in listed.items()])
    encoded = [encode(entry) for entry in entries]
    found = EntryLint(until).look(b"".join(encoded))
    late = any(entry.revoked_at.replace(microsecond=0) > until.replace(microsecond=0) for entry in entries)
    assert found == (("revocation_in_future",) if late else ())
    far = EntryLint(datetime(2200, 1, 1, tzinfo=UTC))
    assert far.look(b"".join(encoded)) == ()
    assert far.size == len(entries)
    if encoded:
        assert far.look(encoded[-1]) == ("entry_order",)


def test_a_serial_number_listed_twice_is_out_of_order_across_pieces_and_reasons() -> None:
    one, other = encode(Entry(7 << 80, NOW)), encode(Entry(7 << 80, NOW, Reason.SUPERSEDED))
    lint = EntryLint(NOW)
    assert lint.look(one) == ()
    assert lint.look(other) == ("entry_order",)


@pytest.mark.parametrize("bound", [NOW, datetime(2051, 1, 1, tzinfo=UTC)])
def test_a_length_that_lies_is_found(bound: datetime) -> None:
    der = encode(Entry(7 << 80, NOW, Reason.SUPERSEDED))
    spoilt = der[:1] + bytes([der[1] - 1]) + der[2:]
    assert EntryLint(bound).look(spoilt) == ("entry_malformed",)
    assert EntryLint(bound).look(der + der[:9]) == ("entry_malformed",)
    assert EntryLint(bound).look(der + b"\x30") == ("entry_malformed",)
    assert EntryLint(bound).look(b"") == ()


@pytest.mark.parametrize("serial", [0, -1, 1 << 159])
def test_a_number_that_no_crl_can_hold_is_refused(serial: int) -> None:
    with pytest.raises(ValueError, match="serial number"):
        encode(Entry(serial, NOW))


def test_a_time_before_1950_is_refused() -> None:
    with pytest.raises(ValueError, match="1950"):
        encode(Entry(5, datetime(1949, 12, 31, tzinfo=UTC)))


def test_a_serial_number_that_comes_twice_has_no_order() -> None:
    with pytest.raises(ValueError, match="twice"):
        in_order([Entry(5, NOW), Entry(5, NOW)])


@pytest.mark.parametrize("octets", [b"", b"\x30", b"\x30\x81\x01\x00", b"\x30\x80", b"\x30\x05\x02\x01\x01"])
def test_what_is_no_der_value_is_refused(octets: bytes) -> None:
    with pytest.raises(ValueError, match="DER"):
        members(octets)


def test_a_frame_comes_apart_as_it_was_put_together() -> None:
    parts = [value(0x30, b"x" * 300), value(0x02, b"\x05"), value(0x03, b"\x00" + b"s" * 70_000)]
    assert members(value(0x30, b"".join(parts))) == parts
    assert members(signed(parts[0], parts[1], b"s" * 70_000)) == parts
    assert header_size(parts[2][:8]) == (5, 70_001)
    with pytest.raises(ValueError, match="fill"):
        members(value(0x30, parts[1] + b"\x02\x05"))
    assert built([]).public_bytes(Encoding.DER)
