"""SignedData of CMS (RFC 5652 section 5): read, and its one signature verified with the certificate inside.

Who that certificate belongs to and whether it counts is `parsers.smime`'s business. Promises: one signer, digest and
signature of the SHA-2 family, the signed attributes held against content and certificate; anything else is refused.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from parsers import smime_ber as ber
from parsers.dkim_message import UnsoundError
from parsers.smime_ber import MalformedError, Node

_DATA, _SIGNED_DATA = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2"
_CONTENT_TYPE, _MESSAGE_DIGEST, _SIGNING_TIME = (f"1.2.840.113549.1.9.{number}" for number in (3, 4, 5))
_HASHES: Mapping[str, type[HashAlgorithm]] = MappingProxyType(
    {
        "2.16.840.1.101.3.4.2.1": SHA256,
        "2.16.840.1.101.3.4.2.2": SHA384,
        "2.16.840.1.101.3.4.2.3": SHA512,
    }
)
# rsaEncryption is what CMS writes for PKCS#1 v1.5 whatever the hash (RFC 3370 section 3.2).
_RSA: Mapping[str, type[HashAlgorithm] | None] = MappingProxyType(
    {
        "1.2.840.113549.1.1.1": None,
        "1.2.840.113549.1.1.11": SHA256,
        "1.2.840.113549.1.1.12": SHA384,
        "1.2.840.113549.1.1.13": SHA512,
    }
)
_PSS = "1.2.840.113549.1.1.10"
_ECDSA: Mapping[str, type[HashAlgorithm]] = MappingProxyType(
    {
        "1.2.840.10045.4.3.2": SHA256,
        "1.2.840.10045.4.3.3": SHA384,
        "1.2.840.10045.4.3.4": SHA512,
    }
)
UNREADABLE: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""All that `cryptography` raises for a certificate that is none, while it is loaded or, since much is decoded late,
looked at."""
_MOST_CERTIFICATES = 10
_LEAST_RSA_BITS = 2048

# X.690 tags of the context: [0] and [1], constructed.
_CONTEXT_0, _CONTEXT_1, _KEY_IDENTIFIER = 0xA0, 0xA1, 0x80


@dataclass(frozen=True, slots=True)
class Signer:
    """What the one SignerInfo says: whose certificate, which algorithms, the signed attributes, the signature."""

    issuer: bytes
    serial: int
    key_identifier: bytes
    digest: type[HashAlgorithm]
    algorithm: str
    attributes: bytes
    values: Mapping[str, Node]
    signature: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """One SignedData: the content where it is inside (None: detached), the certificates, the one signer."""

    content: bytes | None
    certificates: tuple[x509.Certificate, ...]
    signer: Signer


def read_signed(data: bytes) -> Signed:
    """Read ContentInfo with SignedData, BER or DER. Raises UnsoundError(smime_malformed, or what it lacks)."""
    try:
        return _read(data)
    except UnsoundError:
        raise
    except (ValueError, IndexError) as error:
        # MalformedError, or too few or too many members where they are taken apart.
        raise UnsoundError("smime_malformed") from error


def _read(data: bytes) -> Signed:
    kind, wrapped = ber.members(ber.read(data), ber.SEQUENCE)
    if ber.identifier(kind) != _SIGNED_DATA:
        raise UnsoundError("smime_not_signed")
    (body,) = ber.members(wrapped, _CONTEXT_0)
    _, _, encapsulated, *rest = ber.members(body, ber.SEQUENCE)
    inner = ber.members(encapsulated, ber.SEQUENCE)
    if ber.identifier(inner[0]) != _DATA or len(inner) > 2:
        raise UnsoundError("smime_not_signed")
    content = ber.octets(ber.members(inner[1], _CONTEXT_0)[0]) if len(inner) == 2 else None
    certificates: list[x509.Certificate] = []
    for node in rest[:-1]:
        if node.tag == _CONTEXT_0:
            certificates += _certificates(node.members)
        elif node.tag != _CONTEXT_1:
            raise MalformedError("an unknown part of SignedData")
    signers = ber.members(rest[-1], ber.SET)
    if len(signers) != 1:
        raise UnsoundError("smime_several_signers" if signers else "smime_not_signed")
    return Signed(content, tuple(certificates), _signer(signers[0]))


def _certificates(nodes: tuple[Node, ...]) -> list[x509.Certificate]:
    if len(nodes) > _MOST_CERTIFICATES:
        raise MalformedError("too many certificates")
    try:
        # Other kinds (attribute certificates) bear a context tag and say nothing to us.
        return [x509.load_der_x509_certificate(node.raw) for node in nodes if node.tag == ber.SEQUENCE]
    except UNREADABLE as error:
        raise UnsoundError("smime_certificate_malformed") from error


def _signer(node: Node) -> Signer:
    fields = list(ber.members(node, ber.SEQUENCE))
    version, sid, digest, *rest = fields
    ber.integer(version)
    issuer, serial, key_identifier = b"", -1, b""
    if sid.number == _KEY_IDENTIFIER:
        key_identifier = ber.octets(sid, _KEY_IDENTIFIER)
    else:
        name, number = ber.members(sid, ber.SEQUENCE)
        issuer, serial = name.raw, ber.integer(number)
    if not rest or rest[0].tag != _CONTEXT_0:
        # Without them the signature says nothing about type and time (RFC 8551 section 2.5 wants them).
        raise UnsoundError("smime_attributes_missing")
    algorithm, signature, *unsigned = rest[1:]
    if [each.tag for each in unsigned] not in ([], [_CONTEXT_1]):
        raise MalformedError("an unknown part of SignerInfo")
    return Signer(
        issuer,
        serial,
        key_identifier,
        _digest(digest),
        ber.identifier(ber.members(algorithm, ber.SEQUENCE)[0]),
        _attribute_octets(rest[0]),
        _attributes(rest[0].members),
        ber.octets(signature),
    )


def _digest(node: Node) -> type[HashAlgorithm]:
    found = _HASHES.get(ber.identifier(ber.members(node, ber.SEQUENCE)[0]))
    if found is None:
        raise UnsoundError("smime_algorithm")
    return found


def _attribute_octets(node: Node) -> bytes:
    """The signed attributes as they are hashed: DER, under the tag of a SET (RFC 5652 section 5.4)."""
    if node.raw[1] == 0x80:
        # The members are DER already or the digest will not fit; only the frame is made anew.
        content = b"".join(member.raw for member in node.members)
        octets = len(content).to_bytes((len(content).bit_length() + 7) // 8 or 1)
        length = bytes([len(content)]) if len(content) < 0x80 else bytes([0x80 | len(octets)]) + octets
        return bytes([ber.SET]) + length + content
    return bytes([ber.SET]) + node.raw[1:]


def _attributes(nodes: tuple[Node, ...]) -> Mapping[str, Node]:
    """Each attribute's one value by its identifier; one that stands twice or has several values is refused."""
    found: dict[str, Node] = {}
    for node in nodes:
        kind, values = ber.members(node, ber.SEQUENCE)
        name, held = ber.identifier(kind), ber.members(values, ber.SET)
        if name in found or (len(held) != 1 and name in (_CONTENT_TYPE, _MESSAGE_DIGEST, _SIGNING_TIME)):
            raise UnsoundError("smime_attributes_wrong")
        if held:
            found[name] = held[0]
    return MappingProxyType(found)


def verify(signed: Signed, content: bytes) -> tuple[x509.Certificate, datetime | None]:
    """The certificate whose key signed this content, and the time the signer gives. Raises UnsoundError.

    `content` are the octets that were signed: the part as it came, or what was inside.
    """
    signer = signed.signer
    certificate = _certificate_of(signed)
    try:
        right = (
            ber.identifier(signer.values[_CONTENT_TYPE]) == _DATA,
            hmac.compare_digest(
                hashlib.new(signer.digest().name, content).digest(), ber.octets(signer.values[_MESSAGE_DIGEST])
            ),
        )
    except (KeyError, MalformedError) as error:
        raise UnsoundError("smime_attributes_wrong") from error
    if not right[0]:
        raise UnsoundError("smime_attributes_wrong")
    if not right[1]:
        raise UnsoundError("smime_body_changed")
    try:
        _check(signer, certificate)
    except InvalidSignature as error:
        raise UnsoundError("smime_signature_wrong") from error
    return certificate, _signing_time(signer)


def _certificate_of(signed: Signed) -> x509.Certificate:
    try:
        found = next((each for each in signed.certificates if _is_of(signed.signer, each)), None)
    except UNREADABLE as error:
        # The library reads the fields of a certificate when they are asked for.
        raise UnsoundError("smime_certificate_malformed") from error
    if found is None:
        raise UnsoundError("smime_certificate_missing")
    return found


def _is_of(signer: Signer, certificate: x509.Certificate) -> bool:
    if not signer.key_identifier:
        return certificate.serial_number == signer.serial and certificate.issuer.public_bytes() == signer.issuer
    try:
        known = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return False
    return known == signer.key_identifier


def _check(signer: Signer, certificate: x509.Certificate) -> None:
    """InvalidSignature where it does not fit; UnsoundError where key or algorithm are not good enough."""
    try:
        key = certificate.public_key()
    except UNREADABLE as error:
        raise UnsoundError("smime_algorithm") from error
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA_BITS:
        if signer.algorithm in _RSA and _RSA[signer.algorithm] in (None, signer.digest):
            key.verify(signer.signature, signer.attributes, padding.PKCS1v15(), signer.digest())
            return
        if signer.algorithm == _PSS:
            # RFC 8702 and every mail program in the field use one hash throughout; its salt may be of any length.
            scheme = padding.PSS(padding.MGF1(signer.digest()), padding.PSS.AUTO)
            key.verify(signer.signature, signer.attributes, scheme, signer.digest())
            return
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in ("secp256r1", "secp384r1", "secp521r1"):
        hashed = _ECDSA.get(signer.algorithm)
        if hashed is signer.digest:
            key.verify(signer.signature, signer.attributes, ec.ECDSA(hashed()))
            return
    raise UnsoundError("smime_algorithm")


def _signing_time(signer: Signer) -> datetime | None:
    node = signer.values.get(_SIGNING_TIME)
    if node is None:
        return None
    form = {ber.UTC_TIME: "%y%m%d%H%M%SZ", ber.GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}.get(node.tag, "")
    try:
        # strptime's pivot (69) differs from that of RFC 5280 (50) only for years before 1970.
        return datetime.strptime(node.content.decode("ascii"), form).replace(tzinfo=UTC)
    except ValueError as error:
        raise UnsoundError("smime_attributes_wrong") from error
