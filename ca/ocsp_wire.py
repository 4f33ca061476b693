"""OCSP on the wire: the request read, the answer put together (RFC 6960 section 4, RFC 9654 for the nonce).

Our own DER because `cryptography` reads exactly one question to a request and builds through objects that cost more
than an RSA signature's tenth; the tests hold both against `cryptography`, OpenSSL and GnuTLS. What is echoed (the
CertID) goes back octet for octet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from functools import lru_cache

from ca.der import members, signature_part, value

LARGEST_REQUEST = 1 << 16
"""Octets. A request of one question has about 80, one of MOST_QUESTIONS with SHA-256 about 28,000."""
MOST_QUESTIONS = 256
LONGEST_NONCE = 128
"""Octets, from 1 on (RFC 9654, 2.1)."""

_SEQUENCE, _INTEGER, _OCTETS, _OID, _BOOLEAN, _ENUMERATED, _TIME = 0x30, 0x02, 0x04, 0x06, 0x01, 0x0A, 0x18
_TAG_0, _TAG_1, _TAG_2 = 0xA0, 0xA1, 0xA2
_TRUE = b"\x01\x01\xff"

# Object identifiers as complete DER values.
_NONCE = bytes.fromhex("06092b0601050507300102")
_BASIC = bytes.fromhex("06092b0601050507300101")
SHA1 = bytes.fromhex("06052b0e03021a")
SHA256 = bytes.fromhex("0609608648016503040201")
_NULL = b"\x05\x00"
_DIGEST_SIZES = {SHA1: 20, SHA256: 32}


class ErrorStatus(IntEnum):
    """An answer that is none (RFC 6960, 4.2.1); it is not signed."""

    MALFORMED_REQUEST = 1
    INTERNAL_ERROR = 2
    TRY_LATER = 3


class MalformedRequest(ValueError):
    """What came is no OCSP request, or one that we must refuse."""


@dataclass(frozen=True, slots=True)
class CertId:
    """Which certificate is asked about: digests of the issuer's name and key, and the serial number.

    `algorithm` is the OID of the digest, `der` the whole CertID as it came. `serial` may be any integer.
    """

    algorithm: bytes
    name_hash: bytes
    key_hash: bytes
    serial: int
    der: bytes


@dataclass(frozen=True, slots=True)
class Query:
    """A request as it was read: at least one question, and the nonce that the answer must repeat."""

    questions: tuple[CertId, ...]
    nonce: bytes | None = None


def read_request(der: bytes) -> Query:
    """Read a request. Raises MalformedRequest for everything that is not strict DER of RFC 6960 section 4.1, for more
    than MOST_QUESTIONS, a nonce that is not 1 to 128 octets long (RFC 9654, 2.1), and a critical extension that is
    not the nonce: who sends one wants it understood.

    A signature on the request is not looked at: everybody may ask.
    """
    if len(der) > LARGEST_REQUEST:
        raise MalformedRequest("too large")
    try:
        return _read(der)
    except ValueError as error:
        raise MalformedRequest("not an OCSP request") from error


def _read(der: bytes) -> Query:
    request = _inside(der, _SEQUENCE)
    if not 1 <= len(request) <= 2:
        raise ValueError("an OCSPRequest has one or two parts")
    if len(request) == 2:
        _only(request[1], _TAG_0, _SEQUENCE)
    parts = _inside(request[0], _SEQUENCE)
    # DEFAULT v1 is not encoded in DER, but old clients write it: it says the same.
    if parts and parts[0][0] == _TAG_0 and _only(parts.pop(0), _TAG_0, _INTEGER) != b"\x02\x01\x00":
        raise ValueError("an unknown version")
    if parts and parts[0][0] == _TAG_1:
        parts.pop(0)
    if not 1 <= len(parts) <= 2:
        raise ValueError("a TBSRequest has a list and perhaps extensions")
    questions = _inside(parts[0], _SEQUENCE)
    if not 1 <= len(questions) <= MOST_QUESTIONS:
        raise ValueError("no question, or too many")
    nonce = None
    if len(parts) == 2:
        nonce = _extensions(_only(parts[1], _TAG_2, _SEQUENCE))
    return Query(tuple(map(_question, questions)), nonce)


def _question(der: bytes) -> CertId:
    parts = _inside(der, _SEQUENCE)
    if not 1 <= len(parts) <= 2:
        raise ValueError("a Request has one or two parts")
    if len(parts) == 2 and _extensions(_only(parts[1], _TAG_0, _SEQUENCE)) is not None:
        raise ValueError("a nonce belongs to the whole request")
    algorithm, name_hash, key_hash, serial = _four(_inside(parts[0], _SEQUENCE))
    oid, *parameters = _inside(algorithm, _SEQUENCE)
    if oid[0] != _OID or len(parameters) > 1:
        raise ValueError("not an AlgorithmIdentifier")
    return CertId(oid, _content(name_hash, _OCTETS), _content(key_hash, _OCTETS), _integer(serial), parts[0])


def _four(parts: list[bytes]) -> tuple[bytes, bytes, bytes, bytes]:
    first, second, third, fourth = parts
    return first, second, third, fourth


def _extensions(der: bytes) -> bytes | None:
    """The nonce among them, where there is one."""
    found: dict[bytes, bytes] = {}
    for extension in _inside(der, _SEQUENCE):
        parts = _inside(extension, _SEQUENCE)
        critical = len(parts) == 3 and parts.pop(1) == _TRUE
        oid, inner = parts
        if oid[0] != _OID or oid in found or (critical and oid != _NONCE):
            raise ValueError("an extension that cannot be taken")
        found[oid] = _content(inner, _OCTETS)
    if _NONCE not in found:
        return None
    nonce = _content(found[_NONCE], _OCTETS)
    if not 1 <= len(nonce) <= LONGEST_NONCE:
        raise ValueError("a nonce of 1 to 128 octets")
    return nonce


def _inside(der: bytes, tag: int) -> list[bytes]:
    if der[:1] != bytes([tag]):
        raise ValueError("another kind of value")
    return members(der)


def _only(der: bytes, outer: int, inner: int) -> bytes:
    """The one value inside an explicit tag."""
    (only,) = _inside(der, outer)
    if only[0] != inner:
        raise ValueError("another kind of value")
    return only


def _content(der: bytes, tag: int) -> bytes:
    content = der[2:] if len(der) >= 2 and der[1] < 0x80 else der[2 + (der[1] & 0x7F) :] if len(der) >= 2 else b""
    if der != value(tag, content):
        raise ValueError("another kind of value")
    return content


def _integer(der: bytes) -> int:
    content = _content(der, _INTEGER)
    # X.690, 8.3.2: no superfluous first octet.
    if not content or (len(content) > 1 and (content[0], content[1] >> 7) in ((0, 0), (0xFF, 1))):
        raise ValueError("not an integer of DER")
    return int.from_bytes(content, signed=True)


# --- what goes out


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says of a certificate. `revoked_at` with `reason` (RFC 5280, 5.3.1; 0 where none is given) means
    revoked; else it is good, or unknown where `known` is False."""

    known: bool
    revoked_at: datetime | None = None
    reason: int = 0


UNKNOWN = Told(known=False)
GOOD = Told(known=True)


def question(algorithm: bytes, name_hash: bytes, key_hash: bytes, serial: int) -> bytes:
    """A CertID in DER, as a client writes it; `algorithm` is SHA1 or SHA256."""
    octets = (serial if serial >= 0 else serial + 1).bit_length() // 8 + 1  # X.690, 8.3.2: the fewest that hold it
    number = value(_INTEGER, serial.to_bytes(octets, signed=True))
    identifier = value(_SEQUENCE, algorithm + _NULL)
    return value(_SEQUENCE, identifier + value(_OCTETS, name_hash) + value(_OCTETS, key_hash) + number)


def request(questions: Sequence[bytes], nonce: bytes | None = None) -> bytes:
    """A request for these CertIDs in DER, unsigned."""
    listed = value(_SEQUENCE, b"".join(value(_SEQUENCE, each) for each in questions))
    return value(_SEQUENCE, value(_SEQUENCE, listed + _nonce_extensions(nonce, _TAG_2)))


def response_data(
    responder_key_hash: bytes,
    produced_at: datetime,
    answers: Sequence[tuple[bytes, Told]],
    this_update: datetime,
    next_update: datetime,
    nonce: bytes | None,
) -> bytes:
    """The ResponseData that is signed (RFC 6960, 4.2.1); each answer is a CertID as it was asked and what is told.

    The responder is named by the SHA-1 of its key, which RFC 6960 fixes whatever else is hashed how.
    """
    dates = _time(this_update) + value(_TAG_0, _time(next_update))
    listed = b"".join(value(_SEQUENCE, cert_id + _status(told) + dates) for cert_id, told in answers)
    return value(
        _SEQUENCE,
        value(_TAG_2, value(_OCTETS, responder_key_hash))
        + _time(produced_at)
        + value(_SEQUENCE, listed)
        + _nonce_extensions(nonce, _TAG_1),
    )


def response(tbs: bytes, algorithm: bytes, signature: bytes, certificate: bytes) -> bytes:
    """The whole answer: signed data, signature and the certificate it is verified with, wrapped as successful."""
    certificates = value(_TAG_0, value(_SEQUENCE, certificate))
    basic = value(_SEQUENCE, tbs + signature_part(algorithm, signature) + certificates)
    wrapped = value(_SEQUENCE, _BASIC + value(_OCTETS, basic))
    return value(_SEQUENCE, value(_ENUMERATED, b"\x00") + value(_TAG_0, wrapped))


def error_response(status: ErrorStatus) -> bytes:
    """The answer that only says why there is none."""
    return value(_SEQUENCE, value(_ENUMERATED, bytes([status])))


def _status(told: Told) -> bytes:
    if told.revoked_at is not None:
        # As on a CRL, `unspecified` is expressed by leaving the reason out (RFC 5280, 5.3.1).
        reason = value(_TAG_0, value(_ENUMERATED, bytes([told.reason]))) if told.reason else b""
        return value(_TAG_1, _time(told.revoked_at) + reason)
    return b"\x80\x00" if told.known else b"\x82\x00"


@lru_cache(maxsize=64)
def _time(time: datetime) -> bytes:
    """GeneralizedTime in UTC with seconds and no fraction (RFC 5280, 4.1.2.5.2)."""
    return value(_TIME, f"{time.astimezone(UTC):%Y%m%d%H%M%S}Z".encode())


def _nonce_extensions(nonce: bytes | None, tag: int) -> bytes:
    if nonce is None:
        return b""
    extension = value(_SEQUENCE, _NONCE + value(_OCTETS, value(_OCTETS, nonce)))
    return value(tag, value(_SEQUENCE, extension))
