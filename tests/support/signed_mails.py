"""Mails as approvers' programs sign them, and as forgers would like to: DKIM and S/MIME, octet by octet.

Written here and not taken from a library, because libraries sign at the time of the wall clock and mend what the tests
break. dkimpy, openssl and `cryptography` are asked in the tests whether these mails are what they claim to be.
"""

import base64
import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca.bundle import make_key
from ca.hierarchy import Hierarchy, establish
from ca.issue import IssuanceRequest, new_serial, prepare
from ca.keys import KeyKind
from ca.signer import FileSigner, open_key
from parsers.smime_chain import Trust
from support import authorities
from support.letters_in import OFFICE, STAFF, TOKEN, letter

AT = authorities.NOW + timedelta(hours=1)
"""The moment of receipt in all these tests."""
DOMAIN, SELECTOR = "lra.example", "s2026"
KEY_NAME = f"{SELECTOR}._domainkey.{DOMAIN}"
NUMBER, CODE = "WEBEC-20260701-0012", "ABCD-EFGH-IJKL-MNOP"
COVERED = ("from", "to", "subject", "date", "message-id", "mime-version", "content-type", "content-transfer-encoding")


@dataclass(frozen=True, slots=True)
class Shown:
    """What the answered request showed: its token, the case number, the confirmation code; and when it is answered."""

    token: str = TOKEN
    number: str = NUMBER
    code: str = CODE
    at: datetime = AT

    @property
    def address(self) -> str:
        """Where an answer goes."""
        local, _, domain = OFFICE.partition("@")
        return f"{local}+{self.token}@{domain}"

    @property
    def quoted(self) -> str:
        """The request below the words of a reply, as far as a signature must cover it."""
        return f"\r\n\r\n> 受付番号：{self.number}\r\n> 確認コード：{self.code}\r\n"


_USUAL = Shown()
QUOTED = _USUAL.quoted
_shown: ContextVar[Shown] = ContextVar("shown", default=_USUAL)


def shown() -> Shown:
    """The request that mails answer which are built now."""
    return _shown.get()


@contextlib.contextmanager
def showing(request: Shown) -> Iterator[None]:
    """Within, every mail answers this request: the tables of forgeries are built for a case of a real centre so."""
    token = _shown.set(request)
    try:
        yield
    finally:
        _shown.reset(token)


def answer(words: str = "承認", *, quoted: str | None = None, **settings: object) -> bytes:
    """An unsigned reply of the approver to his request."""
    return letter(words + (shown().quoted if quoted is None else quoted), **(_addressed() | settings))


def _addressed() -> dict[str, object]:
    return {"sender": f"Tanaka <{STAFF}>", "to": shown().address, "subject": f"Re: [#{shown().token}]"}


# --- DKIM -----------------------------------------------------------------------------------------------------------


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def record(key: rsa.RSAPrivateKey | Ed25519PrivateKey | None = None, more: str = "") -> str:
    """The TXT record of a key."""
    public = (key or rsa_key()).public_key()
    if isinstance(public, rsa.RSAPublicKey):
        kind, data = "rsa", public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        kind, data = "ed25519", public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return f"v=DKIM1; k={kind}; {more}p={base64.b64encode(data).decode()}"


def keys(*records: str, name: str = KEY_NAME) -> Mapping[str, tuple[str, ...]]:
    """What the name servers say."""
    return {name: records or (record(),)}


def dkim_signed(
    raw: bytes,
    *,
    names: Sequence[str] = COVERED,
    domain: str = DOMAIN,
    key: rsa.RSAPrivateKey | Ed25519PrivateKey | None = None,
    canonical: str = "relaxed/relaxed",
    tags: str = "",
    algorithm: str | None = None,
    digest: type[hashes.HashAlgorithm] = hashes.SHA256,
    length: int | None = None,
    at: datetime | None = None,
) -> bytes:
    """The mail with a DKIM-Signature on top, as a signing server adds it (RFC 6376 section 5)."""
    key, at = key or rsa_key(), at or shown().at - timedelta(minutes=1)
    algorithm = algorithm or ("rsa-sha256" if isinstance(key, rsa.RSAPrivateKey) else "ed25519-sha256")
    head, _, body = raw.partition(b"\r\n\r\n")
    head_way, body_way = canonical.split("/")
    hashed = _body(body, body_way)
    if length is not None:
        hashed, tags = hashed[:length], f"l={length}; {tags}"
    sha = hashlib.new(digest.name)
    sha.update(hashed)
    value = (
        f" v=1; a={algorithm}; c={canonical}; d={domain}; s={SELECTOR}; t={int(at.timestamp())};\r\n\t{tags}"
        f"h={':'.join(names)};\r\n\tbh={base64.b64encode(sha.digest()).decode()};\r\n\tb="
    )
    fields = [b"".join(found) for found in re.findall(rb"([^\r\n]+)((?:\r\n[ \t][^\r\n]*)*)", head)]
    signed = b""
    for name in names:
        at_bottom = next(
            (place for place in reversed(range(len(fields))) if fields[place].lower().startswith(name.encode() + b":")),
            None,
        )
        if at_bottom is not None:
            signed += _field(fields.pop(at_bottom), head_way) + b"\r\n"
    signed += _field(b"DKIM-Signature:" + value.encode(), head_way)
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(signed, padding.PKCS1v15(), digest())
    else:
        signature = key.sign(hashlib.sha256(signed).digest())
    return b"DKIM-Signature:" + value.encode() + base64.b64encode(signature) + b"\r\n" + raw


def _field(field: bytes, way: str) -> bytes:
    if way == "simple":
        return field
    name, _, value = field.partition(b":")
    return name.lower().strip() + b":" + re.sub(rb" +", b" ", value.replace(b"\r\n", b"").replace(b"\t", b" ")).strip()


def _body(body: bytes, way: str) -> bytes:
    lines = body.split(b"\r\n")
    if way == "relaxed":
        lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        return b"" if way == "relaxed" else b"\r\n"
    return b"".join(line + b"\r\n" for line in lines)


def reported(raw: bytes, *, authserv_id: str = "mx.lra.example", **properties: str) -> bytes:
    """The mail as our server delivers it after it has verified the DKIM signature."""
    said = " ".join(f"header.{name}={value}" for name, value in ({"d": DOMAIN} | properties).items())
    trace = (
        f"Authentication-Results: {authserv_id}; dkim=pass {said}\r\n"
        f"Received: from out.lra.example (192.0.2.9) by {authserv_id} with ESMTPS; Wed, 01 Jul 2026 13:00:00 +0900\r\n"
    )
    return trace.encode() + raw


# --- S/MIME ---------------------------------------------------------------------------------------------------------

StaffKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@cache
def staff(
    address: str = STAFF,
    *,
    profile: str = "staff_smime",
    kind: KeyKind = KeyKind.P_256,
    start: datetime = authorities.NOW,
    until: datetime | None = None,
    stranger: bool = False,
) -> tuple[x509.Certificate, StaffKey]:
    """A certificate of our CA for one of the staff, and its key; or of a `stranger`'s CA that bears the same names."""
    chosen = replace(authorities.profile(profile), key=kind)
    key = make_key(chosen)
    who = authorities.subject(email=address, organization="Example LRA Centre", common_name="Keiko TANAKA")
    first, last = chosen.period(start)
    wanted = IssuanceRequest(who, key.public_key(), chosen, first, until or last)
    made = strangers() if stranger else authorities.hierarchy()
    signer = FileSigner(made.issuing, open_key(made.issuing_key, authorities.PASSPHRASE))
    der = signer.sign_certificate(prepare(wanted, made.issuing, new_serial(os.urandom)))
    return x509.load_der_x509_certificate(der), key


@cache
def strangers() -> Hierarchy:
    """A second CA whose names are those of ours, letter for letter."""
    return establish(
        names=authorities.NAMES,
        urls=authorities.URLS,
        now=authorities.NOW,
        passphrase=authorities.PASSPHRASE,
        random_bytes=os.urandom,
        root_key=KeyKind.P_256,
        issuing_key=KeyKind.P_256,
        cost=15,
    )


def trust(*revoked: object, at: datetime = authorities.NOW, roots: bool = True, issuing_crl: bool = True) -> Trust:
    """Our root, and the CRLs of both authorities; `revoked` are entries of the issuing one's."""
    made = authorities.hierarchy()
    crls = [made.root_crl, *([authorities.crl_of(revoked, at=at)] if issuing_crl else [])]
    return Trust(
        (made.root.certificate,) if roots else (),
        (made.issuing.certificate,),
        tuple(map(x509.load_der_x509_crl, crls)),
    )


def tlv(tag: int, *parts: bytes) -> bytes:
    """One DER value."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def open_ended(tag: int, *parts: bytes) -> bytes:
    """One BER value of indefinite length."""
    return bytes([tag, 0x80]) + b"".join(parts) + b"\x00\x00"


def oid(text: str) -> bytes:
    first, second, *rest = map(int, text.split("."))
    out = bytearray()
    for number in (40 * first + second, *rest):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        out += bytes(reversed(groups))
    return tlv(6, bytes(out))


DATA, SIGNED_DATA = oid("1.2.840.113549.1.7.1"), oid("1.2.840.113549.1.7.2")
HASHES = {"sha1": "1.3.14.3.2.26", "sha256": "2.16.840.1.101.3.4.2.1", "sha512": "2.16.840.1.101.3.4.2.3"}
ECDSA = {"sha1": "1.2.840.10045.4.1", "sha256": "1.2.840.10045.4.3.2", "sha512": "1.2.840.10045.4.3.4"}


def attribute(name: str, value: bytes) -> bytes:
    return tlv(0x30, oid(f"1.2.840.113549.1.9.{name}"), tlv(0x31, value))


def cms(
    content: bytes,
    *,
    who: tuple[x509.Certificate, StaffKey] | None = None,
    inside: bool = False,
    ber: bool = False,
    digest: str = "sha256",
    at: datetime | Literal["now"] | None = "now",
    content_type: bytes = DATA,
    attributes: bool = True,
    certificates: Sequence[x509.Certificate] | None = None,
    signers: int = 1,
    outer: bytes = SIGNED_DATA,
) -> bytes:
    """ContentInfo with SignedData over `content` (RFC 5652), DER, or BER in the way streaming programs write it."""
    certificate, key = who or staff()
    hashed = hashlib.new(digest, content).digest()
    parts = [attribute("3", content_type), attribute("4", tlv(4, hashed))]
    if at == "now":
        at = shown().at - timedelta(minutes=1)
    if at is not None:
        parts.append(attribute("5", tlv(0x17, at.strftime("%y%m%d%H%M%SZ").encode())))
    signed = tlv(0x31, *sorted(parts)) if attributes else content
    scheme = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha512": hashes.SHA512}[digest]()
    if isinstance(key, rsa.RSAPrivateKey):
        algorithm, signature = "1.2.840.113549.1.1.1", key.sign(signed, padding.PKCS1v15(), scheme)
    else:
        algorithm, signature = ECDSA[digest], key.sign(signed, ec.ECDSA(scheme))
    serial = certificate.serial_number
    number = tlv(2, serial.to_bytes(serial.bit_length() // 8 + 1))
    hash_name = tlv(0x30, oid(HASHES[digest]))
    signer = tlv(
        0x30,
        tlv(2, b"\x01"),
        tlv(0x30, certificate.issuer.public_bytes(), number),
        hash_name,
        b"\xa0" + signed[1:] if attributes else b"",
        tlv(0x30, oid(algorithm)),
        tlv(4, signature),
    )
    wrap = open_ended if ber else tlv
    half = len(content) // 2
    octets = open_ended(0x24, tlv(4, content[:half]), tlv(4, content[half:])) if ber else tlv(4, content)
    held = certificates if certificates is not None else (certificate, authorities.hierarchy().issuing.certificate)
    body = wrap(
        0x30,
        tlv(2, b"\x01"),
        tlv(0x31, hash_name),
        wrap(0x30, DATA, wrap(0xA0, octets)) if inside else wrap(0x30, DATA),
        wrap(0xA0, *(each.public_bytes(Encoding.DER) for each in held)) if held else b"",
        tlv(0x31, *([signer] * signers)),
    )
    return wrap(0x30, outer, wrap(0xA0, body))


def entity(words: str = "承認", *, quoted: str | None = None, head: str = "") -> bytes:
    """The MIME part that is signed."""
    text = base64.encodebytes((words + (shown().quoted if quoted is None else quoted)).encode()).replace(b"\n", b"\r\n")
    kind = head or "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"
    return kind.encode() + b"\r\n" + text


def lines_of(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def detached(part: bytes | None = None, structure: bytes | None = None, **settings: object) -> bytes:
    """multipart/signed, as most programs send it."""
    part = entity() if part is None else part
    structure = cms(part) if structure is None else structure
    body = (
        b"This is an S/MIME signed message\r\n\r\n--sig\r\n"
        + part
        + b'\r\n--sig\r\nContent-Type: application/pkcs7-signature; name="smime.p7s"\r\n'
        + b"Content-Transfer-Encoding: base64\r\n\r\n"
        + lines_of(structure)
        + b"\r\n--sig--\r\n"
    )
    kind = 'multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="sig"'
    return _carried(body, kind, "7bit", **settings)


def opaque(part: bytes | None = None, structure: bytes | None = None, **settings: object) -> bytes:
    """application/pkcs7-mime, as Outlook sends it where it is told to."""
    structure = cms(entity() if part is None else part, inside=True) if structure is None else structure
    kind = 'application/pkcs7-mime; smime-type=signed-data; name="smime.p7m"'
    return _carried(lines_of(structure), kind, "base64", **settings)


def _carried(body: bytes, kind: str, encoding: str, **settings: object) -> bytes:
    return letter(body, **(_addressed() | {"content_type": kind, "encoding": encoding} | settings))
