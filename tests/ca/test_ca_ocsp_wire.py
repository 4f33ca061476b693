"""OCSP on the wire, held against `cryptography`: what is no request is refused, what is one comes back as it was asked."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.der import value
from ca.ocsp_wire import (
    LONGEST_NONCE,
    MOST_QUESTIONS,
    SHA1,
    SHA256,
    ErrorStatus,
    MalformedRequest,
    error_response,
    question,
    read_request,
    request,
)
from support.authorities import hierarchy

AT = datetime(2026, 7, 1, tzinfo=UTC)
SIZES = {SHA1: 20, SHA256: 32}


@st.composite
def cert_ids(draw):
    oid = draw(st.sampled_from([SHA1, SHA256]))
    name, key = (draw(st.binary(min_size=SIZES[oid], max_size=SIZES[oid])) for _ in range(2))
    return oid, name, key, draw(st.integers(-(1 << 170), 1 << 170))


@settings(max_examples=60, deadline=None)
@given(st.lists(cert_ids(), min_size=1, max_size=9), st.none() | st.binary(min_size=1, max_size=LONGEST_NONCE))
def test_any_list_of_questions_with_any_nonce_is_read_back(asked, nonce):
    query = read_request(request([question(*each) for each in asked], nonce))
    assert query.nonce == nonce
    assert [(each.algorithm, each.name_hash, each.key_hash, each.serial) for each in query.questions] == asked
    assert [each.der for each in query.questions] == [question(*each) for each in asked]


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, (1 << 159) - 1), st.sampled_from(["SHA1", "SHA256"]), st.none() | st.binary(min_size=1, max_size=128)
)
def test_what_another_library_asks_is_understood(serial, digest, nonce):
    names, keys = (bytes([fill]) * getattr(hashes, digest).digest_size for fill in (1, 2))
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(names, keys, serial, getattr(hashes, digest)())
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    query = read_request(builder.build().public_bytes(Encoding.DER))
    (only,) = query.questions
    assert (only.name_hash, only.key_hash, only.serial, query.nonce) == (names, keys, serial, nonce)
    assert only.algorithm == {"SHA1": SHA1, "SHA256": SHA256}[digest]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_octets_are_a_request_or_malformed(octets):
    with suppress(MalformedRequest):
        assert read_request(octets).questions


WHOLE = request([question(SHA1, b"n" * 20, b"k" * 20, 7)] * 2, b"0123456789abcdef")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255), st.booleans())
def test_a_request_with_one_octet_changed_is_still_one_or_malformed(place, octet, cut):
    spoilt = WHOLE[:place] if cut else WHOLE[:place] + bytes([octet]) + WHOLE[place + 1 :]
    try:
        query = read_request(spoilt)
    except MalformedRequest:
        return
    assert 1 <= len(query.questions) <= 2


PLAIN = question(SHA1, b"n" * 20, b"k" * 20, 7)


def with_extension(oid: str, inner: bytes, *, critical: bool = False, times: int = 1) -> bytes:
    flag = b"\x01\x01\xff" if critical else b""
    extension = value(0x30, bytes.fromhex(oid) + flag + value(0x04, inner))
    listed = value(0x30, value(0x30, PLAIN)) + value(0xA2, value(0x30, extension * times))
    return value(0x30, value(0x30, listed))


NONCE = "06092b0601050507300102"
OTHER = "06092b0601050507300104"


@pytest.mark.parametrize("length", [0, 129, 1000])
def test_a_nonce_of_another_length_is_refused(length):
    with pytest.raises(MalformedRequest):
        read_request(with_extension(NONCE, value(0x04, b"x" * length)))


@pytest.mark.parametrize(
    "refused",
    [
        with_extension(NONCE, b"0123456789abcdef"),  # no OCTET STRING within
        with_extension(NONCE, value(0x04, b"x" * 16), times=2),
        with_extension(OTHER, b"\x05\x00", critical=True),
        request([]),
        request([PLAIN] * (MOST_QUESTIONS + 1)),
        value(0x30, value(0x30, value(0xA0, b"\x02\x01\x01") + value(0x30, value(0x30, PLAIN)))),  # a version to come
        WHOLE + b"\x00",
        b"\x30\x80" + WHOLE[2:] + b"\x00\x00",  # BER
        value(0x30, value(0x30, value(0x30, value(0x30, PLAIN.replace(b"\x02\x01\x07", b"\x02\x02\x00\x07"))))),
    ],
)
def test_what_cannot_be_taken_is_refused(refused):
    with pytest.raises(MalformedRequest):
        read_request(refused)


def test_what_need_not_be_understood_is_passed_over():
    assert read_request(with_extension(OTHER, b"\x05\x00")).nonce is None
    name = value(0xA1, value(0xA4, hierarchy().issuing.name.public_bytes()))
    named = value(0x30, value(0x30, value(0xA0, b"\x02\x01\x00") + name + value(0x30, value(0x30, PLAIN))))
    assert read_request(named).questions[0].serial == 7
    signature = value(0xA0, value(0x30, b"\x05\x00"))
    assert read_request(value(0x30, value(0x30, value(0x30, value(0x30, PLAIN))) + signature)).questions[0].serial == 7


def test_a_request_of_more_than_it_may_be_is_not_looked_at():
    with pytest.raises(MalformedRequest, match="too large"):
        read_request(b"\x30" * 70_000)


@pytest.mark.parametrize("status", list(ErrorStatus))
def test_an_error_is_read_as_that_error(status):
    assert ocsp.load_der_ocsp_response(error_response(status)).response_status.value == status
