"""DKIM signatures (RFC 6376): read, held against what SPEC 2.1 asks of one, and verified with a key that is handed in.

Pure: `questions` says which DNS names the edge must ask for, `verify` is given their answers. Our own and not dkimpy's
verification, so that one cut through the header serves both signature and reading; dkimpy is the independent judge in
the tests (docs/decisions/0021-dkim.md).
Promises: never accepts l=, SHA-1, keys under 1024 bits, keys in testing or revoked, an expired or foreign signature, or
one that leaves From, To, Subject, Date, Message-ID or the reading of the body to whoever carries the mail.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from parsers.dkim_message import Field, UnsoundError, Wire, canonical_body, canonical_field, signed_fields

# SPEC 2.1; each stands exactly once in the mail, so that signing it once leaves no room for a second one.
COVERED = ("from", "to", "subject", "date", "message-id")
# What decides how the signed octets of the body are read.
_SHAPE = ("content-type", "content-transfer-encoding", "mime-version")
# More signatures than any chain of servers writes; each costs a verification.
MOST_SIGNATURES = 8
LEAST_BITS = 1024
MOST_BITS = 8192
# How far the clock of a signing server may be ahead of ours.
_AHEAD = timedelta(minutes=10)

_TAG = re.compile(r"[ \t\r\n]*([A-Za-z][A-Za-z0-9_]*)[ \t\r\n]*=[ \t\r\n]*([^;]*?)[ \t\r\n]*")
_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
# RFC 6376 section 3.1: a selector is a sub-domain; underscores are seen in the field.
_SELECTOR = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?)*")
_NUMBER = re.compile(r"[0-9]{1,12}")
_OWN_DIGEST = re.compile(rb"((?:^|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*")


@dataclass(frozen=True, slots=True)
class Signature:
    """One DKIM-Signature field. Names and domains in lower case; times aware, UTC, None where they are not given."""

    field: Field
    algorithm: str
    domain: str
    selector: str
    names: tuple[str, ...]
    relaxed_header: bool
    relaxed_body: bool
    body_hash: bytes
    value: bytes
    identity: str
    limited: bool
    signed_at: datetime | None
    expires_at: datetime | None

    @property
    def written(self) -> str:
        """The value of `b=` as base64 without blanks, whose start a report quotes (RFC 6008)."""
        return base64.b64encode(self.value).decode("ascii")

    @property
    def question(self) -> str:
        """The DNS name under which the key is published (RFC 6376 section 3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"


@dataclass(frozen=True, slots=True)
class Proof:
    """A signature that holds: the field, the DNS record it holds under, and how strong its key is."""

    signature: Signature
    record: str
    bits: int


def _tags(text: str) -> Mapping[str, str]:
    """A tag list (RFC 6376 section 3.2); a tag that stands twice makes it worthless."""
    found: dict[str, str] = {}
    pieces = text.split(";")
    if not pieces[-1].strip(" \t\r\n"):
        pieces.pop()
    for piece in pieces:
        tag = _TAG.fullmatch(piece)
        if tag is None or tag[1] in found:
            raise UnsoundError("dkim_malformed")
        found[tag[1]] = tag[2]
    return MappingProxyType(found)


def _octets(text: str) -> bytes:
    try:
        return base64.b64decode(re.sub(r"[ \t\r\n]+", "", text), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnsoundError("dkim_malformed") from error


def _moment(tags: Mapping[str, str], name: str) -> datetime | None:
    if name not in tags:
        return None
    if not _NUMBER.fullmatch(tags[name]):
        raise UnsoundError("dkim_malformed")
    try:
        return datetime.fromtimestamp(int(tags[name]), UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise UnsoundError("dkim_malformed") from error


def read_signature(field: Field) -> Signature:
    """Read one DKIM-Signature field. Raises UnsoundError(dkim_malformed) for anything but RFC 6376 section 3.5."""
    try:
        tags = _tags(field.body.decode("ascii"))
        header, _, body = tags.get("c", "simple/simple").partition("/")
        canonical = {"simple": False, "relaxed": True}
        domain = tags["d"].lower()
        signature = Signature(
            field=field,
            algorithm=tags["a"].lower(),
            domain=domain,
            selector=tags["s"].lower(),
            names=tuple(name.strip(" \t\r\n").lower() for name in tags["h"].split(":")),
            relaxed_header=canonical[header],
            relaxed_body=canonical[body or "simple"],
            body_hash=_octets(tags["bh"]),
            value=_octets(tags["b"]),
            identity=tags.get("i", f"@{domain}").lower(),
            limited="l" in tags,
            signed_at=_moment(tags, "t"),
            expires_at=_moment(tags, "x"),
        )
    except (KeyError, UnicodeDecodeError) as error:
        raise UnsoundError("dkim_malformed") from error
    sound = (
        tags.get("v") == "1"
        and tags.get("q", "dns/txt").lower() == "dns/txt"
        and _DOMAIN.fullmatch(signature.domain)
        and _SELECTOR.fullmatch(signature.selector)
        and len(signature.question) <= 253
        and "" not in signature.names
        and _within(signature.identity.rpartition("@")[2], signature.domain)
    )
    if not sound:
        raise UnsoundError("dkim_malformed")
    return signature


def _within(domain: str, parent: str) -> bool:
    return domain == parent or domain.endswith(f".{parent}")


def signatures(wire: Wire) -> tuple[Field, ...]:
    """The DKIM-Signature fields that are looked at, from the top."""
    return wire.all("dkim-signature")[:MOST_SIGNATURES]


def questions(wire: Wire, domains: Iterable[str]) -> tuple[str, ...]:
    """The DNS names whose TXT records `verify` needs: only of signatures that could count for these domains."""
    allowed = {domain.lower() for domain in domains}
    found = []
    for field in signatures(wire):
        try:
            signature = read_signature(field)
        except UnsoundError:
            continue
        if signature.domain in allowed:
            found.append(signature.question)
    return tuple(dict.fromkeys(found))


def demand(signature: Signature, wire: Wire, *, domains: Iterable[str], now: datetime) -> None:
    """What SPEC 2.1 asks of a signature, whoever verified it. Raises UnsoundError with the first thing it lacks.

    `domains` are those that may sign for the approver; the comparison is strict: no organisational domain is guessed.
    """
    if signature.domain not in {domain.lower() for domain in domains}:
        raise UnsoundError("dkim_not_aligned")
    if signature.limited:
        raise UnsoundError("dkim_length_tag")
    if signature.algorithm not in ("rsa-sha256", "ed25519-sha256"):
        raise UnsoundError("dkim_algorithm")
    if signature.expires_at is not None and (
        signature.expires_at <= now or (signature.signed_at or signature.expires_at) > signature.expires_at
    ):
        raise UnsoundError("dkim_expired")
    if signature.signed_at is not None and signature.signed_at > now + _AHEAD:
        raise UnsoundError("dkim_from_the_future")
    for name in COVERED:
        count = len(wire.all(name))
        if count != 1:
            raise UnsoundError("field_repeated" if count else "field_missing")
        if name not in signature.names:
            raise UnsoundError("dkim_not_covered")
    for name in _SHAPE:
        if len(wire.all(name)) > 1:
            raise UnsoundError("field_repeated")
    _demand_shape(signature, wire)


_BOUNDARY = re.compile(
    rb"\s*multipart/alternative\s*;[^\"]*?\bboundary\s*=\s*(?:\"([^\"\\\r\n]{1,70})\"|([^\s\";]{1,70}))\s*",
    re.IGNORECASE,
)
_TRIVIAL_ENCODING = re.compile(rb"\s*(?:7bit|8bit|binary)\s*", re.IGNORECASE)


def _demand_shape(signature: Signature, wire: Wire) -> None:
    """How the body is read must be signed too, or follow from the signed body itself.

    Gmail leaves Content-Type out of `h=`. Whoever carries such a mail could name another boundary, one that stands in
    the quoted part, and so show other words. There only the shape that Gmail itself writes is taken: an alternative of
    one plain and one HTML part, whose boundary is the first line of the signed body.
    """
    present = [name for name in _SHAPE if wire.all(name)]
    if all(name in signature.names for name in present):
        return
    kind = wire.all("content-type")
    boundary = _BOUNDARY.fullmatch(kind[0].body) if kind else None
    encoding = wire.all("content-transfer-encoding")
    if boundary is None or (encoding and not _TRIVIAL_ENCODING.fullmatch(encoding[0].body)):
        raise UnsoundError("dkim_shape_not_covered")
    mark = b"--" + (boundary[1] or boundary[2])
    pieces = (b"\r\n" + wire.body).split(b"\r\n" + mark)
    kinds = [re.match(rb"\r\ncontent-type:\s*text/(plain|html)\b", piece, re.IGNORECASE) for piece in pieces[1:-1]]
    alike = pieces[0] == b"" and [found and found[1].lower() for found in kinds] == [b"plain", b"html"]
    if not alike or pieces[-1].strip() != b"--":
        raise UnsoundError("dkim_shape_not_covered")


def verify(wire: Wire, *, domains: Sequence[str], keys: Mapping[str, tuple[str, ...]], now: datetime) -> Proof:
    """The first signature that holds for one of these domains. Raises UnsoundError with the reason the first one that
    could have counted does not, `dkim_missing` where there is none.

    `keys` are the TXT records by DNS name, as they were at receipt: keys rotate, so the record is kept as evidence.
    """
    reasons: list[str] = []
    for field in signatures(wire):
        try:
            signature = read_signature(field)
            demand(signature, wire, domains=domains, now=now)
            return _check(signature, wire, keys)
        except UnsoundError as error:
            # A signature of another domain says nothing about ours: its reason is told only where there is no other.
            reasons.insert(len(reasons) if error.code == "dkim_not_aligned" else 0, error.code)
    raise UnsoundError(reasons[0] if reasons else "dkim_missing")


def _check(signature: Signature, wire: Wire, keys: Mapping[str, tuple[str, ...]]) -> Proof:
    if sha256(canonical_body(wire.body, relaxed=signature.relaxed_body)).digest() != signature.body_hash:
        raise UnsoundError("dkim_body_changed")
    record, key = _key_of(signature, keys.get(signature.question, ()))
    own = signature.field.raw.partition(b":")
    bare = own[0] + b":" + _OWN_DIGEST.sub(rb"\1", own[2].removesuffix(b"\r\n")) + b"\r\n"
    signed = signed_fields(wire, signature.names, relaxed=signature.relaxed_header)
    signed += canonical_field(bare, relaxed=signature.relaxed_header).removesuffix(b"\r\n")
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(signature.value, signed, padding.PKCS1v15(), SHA256())
            return Proof(signature, record, key.key_size)
        # RFC 8463 section 3: Ed25519 signs the SHA-256 digest of what is signed.
        key.verify(signature.value, sha256(signed).digest())
    except InvalidSignature as error:
        raise UnsoundError("dkim_signature_wrong") from error
    return Proof(signature, record, 256)


def _key_of(signature: Signature, records: tuple[str, ...]) -> tuple[str, RSAPublicKey | Ed25519PublicKey]:
    """The one key record of a signature, as RFC 6376 section 3.6.1 has it. Two of them are none."""
    if len(records) != 1:
        raise UnsoundError("dkim_key_ambiguous" if records else "dkim_key_missing")
    try:
        tags = _tags(records[0])
    except UnsoundError as error:
        raise UnsoundError("dkim_key_malformed") from error
    flags = {flag.strip() for flag in tags.get("t", "").lower().split(":")}
    services = {service.strip() for service in tags.get("s", "*").lower().split(":")}
    hashes = {each.strip() for each in tags.get("h", "sha256").lower().split(":")}
    kind = tags.get("k", "rsa").lower()
    if ("v" in tags and (tags["v"] != "DKIM1" or next(iter(tags)) != "v")) or "p" not in tags:
        raise UnsoundError("dkim_key_malformed")
    if not tags["p"].strip():
        raise UnsoundError("dkim_key_revoked")
    if "y" in flags:
        raise UnsoundError("dkim_key_testing")
    if "s" in flags and signature.identity.rpartition("@")[2] != signature.domain:
        raise UnsoundError("dkim_not_aligned")
    if not services & {"*", "email"} or "sha256" not in hashes or kind != signature.algorithm.partition("-")[0]:
        raise UnsoundError("dkim_key_unfit")
    try:
        return records[0], _public_key(kind, _octets(tags["p"]))
    except (ValueError, TypeError) as error:
        # UnsoundError is a ValueError too; a weak key keeps its own code.
        code = error.code if isinstance(error, UnsoundError) and error.code == "dkim_key_weak" else "dkim_key_malformed"
        raise UnsoundError(code) from error


def _public_key(kind: str, data: bytes) -> RSAPublicKey | Ed25519PublicKey:
    if kind == "ed25519":
        return Ed25519PublicKey.from_public_bytes(data)
    key = load_der_public_key(data)
    if not isinstance(key, RSAPublicKey):
        raise UnsoundError("dkim_key_malformed")
    if not LEAST_BITS <= key.key_size <= MOST_BITS:
        raise UnsoundError("dkim_key_weak")
    return key
