"""S/MIME signatures on a mail (RFC 8551): which octets are signed, by whom, and the words that stand in them.

Both kinds are read: multipart/signed, whose first part is taken octet for octet, and application/pkcs7-mime with the
content inside. Only the signed octets are the signer's word: Subject, To and every other outer field are the carrier's,
and nothing is read from them but the token (SPEC 2.1, docs/decisions/0022-smime.md).
"""

import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from parsers import smime_chain, smime_cms
from parsers.dkim_message import Field, UnsoundError, Wire, split
from parsers.headers import first_token, read_parameter
from parsers.parts import collect, parse
from parsers.smime_chain import Trust

# A reply is answered within the term of its request; a signature older than this was kept by somebody.
OLDEST = timedelta(days=31)
_AHEAD = timedelta(minutes=10)
_SIGNATURE_TYPES = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature"})
_OPAQUE_TYPES = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})


@dataclass(frozen=True, slots=True)
class Proof:
    """A signature that holds: the words signed, the certificate, its chain, and when the signer says it was."""

    text: str
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class Envelope:
    """The signed octets and the CMS structure that signs them; `content` None: they are inside."""

    content: bytes | None
    structure: bytes


def _header(fields: Iterable[Field], name: str) -> str:
    """The one field of that name as text; empty where it is missing, refused where it stands twice."""
    found = [field for field in fields if field.name == name]
    if len(found) > 1:
        raise UnsoundError("field_repeated")
    return re.sub(r"[\r\n]", "", found[0].body.decode("utf-8", "replace")).strip() if found else ""


def _parameter(text: str, name: str) -> str:
    found = read_parameter(text, name)
    return found.text if found else ""


def envelope(wire: Wire) -> Envelope:
    """Find signature and signed octets at the top of the mail. Raises UnsoundError(smime_missing) for any other mail:
    a signed part inside something else leaves open who wrote the rest."""
    kind = _header(wire.fields, "content-type")
    if first_token(kind) in _OPAQUE_TYPES and _parameter(kind, "smime-type").lower() in ("signed-data", ""):
        return Envelope(None, _decoded(wire))
    if first_token(kind) != "multipart/signed" or _parameter(kind, "protocol").lower() not in _SIGNATURE_TYPES:
        raise UnsoundError("smime_missing")
    content, signature = _two_parts(wire.body, _parameter(kind, "boundary"))
    part = split(signature)
    if first_token(_header(part.fields, "content-type")) not in _SIGNATURE_TYPES:
        raise UnsoundError("smime_malformed")
    return Envelope(content, _decoded(part))


def _two_parts(body: bytes, boundary: str) -> tuple[bytes, bytes]:
    """RFC 1847 section 2.1: exactly two parts; the line end before a delimiter belongs to the delimiter."""
    if not boundary or len(boundary) > 70 or not boundary.isascii():
        raise UnsoundError("smime_malformed")
    delimiter = rb"\r\n--" + re.escape(boundary.encode("ascii")) + rb"(--)?[ \t]*(?=\r\n|\Z)"
    marks = list(re.finditer(delimiter, b"\r\n" + body))
    if [mark[1] for mark in marks] != [None, None, b"--"]:
        raise UnsoundError("smime_malformed")
    whole = b"\r\n" + body
    first, second, last = marks
    return whole[first.end() + 2 : second.start()], whole[second.end() + 2 : last.start()]


def _decoded(part: Wire) -> bytes:
    encoding = _header(part.fields, "content-transfer-encoding").lower()
    if encoding in ("binary", "8bit", "7bit", ""):
        return part.body
    if encoding != "base64":
        raise UnsoundError("smime_malformed")
    try:
        return binascii.a2b_base64(re.sub(rb"[ \t\r\n]+", b"", part.body), strict_mode=True)
    except binascii.Error as error:
        raise UnsoundError("smime_malformed") from error


def verify(wire: Wire, *, address: str, pins: Iterable[str] = (), trust: Trust, now: datetime) -> Proof:
    """The proof that this address signed the words of the mail. Raises UnsoundError with the first thing that is wrong.

    `pins`: fingerprints (`smime_chain.fingerprint`), one of which the certificate must have; empty pins nothing.
    """
    found = envelope(wire)
    signed = smime_cms.read_signed(found.structure)
    # A detached signature that also brings a content of its own: which of the two is meant?
    if (signed.content is None) is (found.content is None):
        raise UnsoundError("smime_malformed")
    content = signed.content if found.content is None else found.content
    if content is None:  # excluded by the comparison above; the type checker cannot know
        raise UnsoundError("smime_malformed")
    certificate, signed_at = smime_cms.verify(signed, content)
    allowed = {pin.replace(":", "").lower() for pin in pins}
    if allowed and smime_chain.fingerprint(certificate) not in allowed:
        raise UnsoundError("smime_not_pinned")
    chain = smime_chain.judge(certificate, signed.certificates, address=address, trust=trust, now=now)
    if signed_at is None:
        raise UnsoundError("smime_time_missing")
    if not max(certificate.not_valid_before_utc, now - OLDEST) <= signed_at <= now + _AHEAD:
        raise UnsoundError("smime_time_wrong")
    return Proof(_words(content), certificate, tuple(chain), signed_at)


def _words(content: bytes) -> str:
    """The text of the signed part. Its own header fields say how it is encoded, and nothing about who sent it, so the
    part is taken apart without being opened as a mail."""
    message = parse(content)
    return "" if message is None else collect(message, content).text
