"""Forgeries against DKIM that we verify ourselves."""

import base64
from datetime import timedelta
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from attacks.forgeries import Forgery
from support.letters_in import OFFICE, header
from support.signed_mails import AT, COVERED, answer, dkim_signed, keys, record, rsa_key, shown, tlv

EXPIRED = f"x={int((AT - timedelta(hours=1)).timestamp())}; "
LATER = AT + timedelta(hours=2)
PART = "\r\n--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n承認\r\n--b1--\r\n"


def signed(*replacements, **settings):
    """A genuine mail, signed, and then changed on its way."""
    raw = dkim_signed(answer(), **settings)
    for old, new in replacements:
        assert old in raw, old
        raw = raw.replace(old, new, 1)
    return raw


def without(name):
    return dkim_signed(answer(), names=[each for each in COVERED if each != name])


@cache
def own_key():
    return rsa.generate_private_key(65537, 2048)


def weak_record():
    number = tlv(2, b"\x00" + b"\xc3" * 64)
    public = tlv(0x30, number, tlv(2, b"\x01\x00\x01"))
    info = tlv(0x30, tlv(0x30, bytes.fromhex("06092a864886f70d0101010500")), tlv(3, b"\x00" + public))
    return f"v=DKIM1; p={base64.b64encode(info).decode()}"


def unsigned_shape(kind, body):
    """A mail whose Content-Type the signer left out of `h=`, as Gmail does, and the carrier replaced."""
    names = [name for name in COVERED if not name.startswith("content-")]
    return dkim_signed(answer("却下 対象外", quoted=body, content_type=kind), names=names)


CHANGED = [
    ("no signature", answer, "dkim_missing"),
    ("a valid signature of another domain", lambda: dkim_signed(answer(), domain="evil.example"), "dkim_not_aligned"),
    ("a valid signature of the parent domain", lambda: dkim_signed(answer(), domain="example"), "dkim_not_aligned"),
    ("a valid signature of a domain below", lambda: dkim_signed(answer(), domain="x.lra.example"), "dkim_not_aligned"),
    ("the forger's own key", lambda: dkim_signed(answer(), key=own_key()), "dkim_signature_wrong"),
    ("l= and a part appended", lambda: dkim_signed(answer(), length=20) + "\r\n承認\r\n".encode(), "dkim_length_tag"),
    ("l= of the whole body", lambda: dkim_signed(answer(), length=len(("承認" + shown().quoted).encode())), "dkim_length_tag"),
    ("text appended", lambda: signed() + b"more\r\n", "dkim_body_changed"),
    ("the word replaced", lambda: signed(("承認".encode(), "却下 x".encode())), "dkim_body_changed"),
    ("the subject replaced", lambda: signed((b"Subject: Re:", b"Subject: Fw:")), "dkim_signature_wrong"),
    ("the token replaced", lambda: signed((f"+{shown().token}".encode(), b"+ZZZZZZZZZZZZZZZZZZZZZZZZZZ")), "dkim_signature_wrong"),
    ("the date replaced", lambda: signed((b"Date: Mon", b"Date: Tue")), "dkim_signature_wrong"),
    ("a second Subject on top", lambda: header([("Subject", f"[#{shown().token}]")]) + signed(), "field_repeated"),
    ("a second To on top", lambda: header([("To", OFFICE)]) + signed(), "field_repeated"),
    ("a second Content-Type on top", lambda: header([("Content-Type", "text/html")]) + signed(), "field_repeated"),
    ("no Message-ID at all", lambda: signed((b"Message-ID: <1@aozora-denki.example>\r\n", b"")), "field_missing"),
    *((f"{name} left out of h=", lambda name=name: without(name), "dkim_not_covered") for name in COVERED[:5]),
    ("SHA-1", lambda: dkim_signed(answer(), algorithm="rsa-sha1", digest=hashes.SHA1), "dkim_algorithm"),
    ("an expired signature", lambda: dkim_signed(answer(), tags=EXPIRED), "dkim_expired"),
    ("a signature of tomorrow", lambda: dkim_signed(answer(), at=LATER), "dkim_from_the_future"),
    ("a tag that stands twice", lambda: dkim_signed(answer(), tags="d=evil.example; "), "dkim_malformed"),
    ("an identity of another domain", lambda: dkim_signed(answer(), tags="i=@evil.example; "), "dkim_malformed"),
    ("a version that does not exist", lambda: signed((b" v=1;", b" v=2;")), "dkim_malformed"),
    ("another boundary for a signed body", lambda: unsigned_shape('multipart/mixed; boundary="b1"', PART), "dkim_shape_not_covered"),
    ("another boundary in an alternative", lambda: unsigned_shape('multipart/alternative; boundary="b1"', PART), "dkim_shape_not_covered"),
    ("another type for a signed body", lambda: unsigned_shape("text/html", PART), "dkim_shape_not_covered"),
    ("a token in a field nobody signed", lambda: header([("Delivered-To", f"ogis-lra+{shown().token}@lra.example")]) + dkim_signed(answer(to=OFFICE, subject="Re:")), "token_not_signed"),
    ("a signed mail to a colleague", lambda: dkim_signed(answer(to="suzuki@lra.example")), "not_to_us"),
    ("a signed mail with no token", lambda: dkim_signed(answer(to=OFFICE, subject="Re:")), "unknown_token"),
    ("a token of another request", lambda: dkim_signed(answer(to=OFFICE, subject=f"Re: [#{'B' * 26}]")), "unknown_token"),
    ("two tokens at once", lambda: dkim_signed(answer(subject=f"Re: [#{'B' * 26}]")), "unknown_token"),
    ("a colleague of the same domain", lambda: dkim_signed(answer(sender="suzuki@lra.example")), "sender_is_another"),
    ("an out-of-office reply that quotes the request", lambda: dkim_signed(answer(fields=[("Auto-Submitted", "auto-replied")])), "automatic"),
    ("an out-of-office reply known by its subject", lambda: dkim_signed(answer(subject=f"自動応答: Re: [#{shown().token}]")), "automatic"),
    ("a refusal that holds the word", lambda: dkim_signed(answer("承認できません")), "unclear_reply"),
    ("the word in the quotation only", lambda: dkim_signed(answer("> 承認")), "unclear_reply"),
    ("two words", lambda: dkim_signed(answer("承認\r\n却下 対象外")), "unclear_reply"),
]  # fmt: skip

KEYS = [
    ("no key", dict, "dkim_key_missing"),
    ("two keys", lambda: keys(record(), record(own_key())), "dkim_key_ambiguous"),
    ("a key in testing", lambda: keys(record(more="t=y; ")), "dkim_key_testing"),
    ("a key that was revoked", lambda: keys("v=DKIM1; p="), "dkim_key_revoked"),
    ("a key of 512 bits", lambda: keys(weak_record()), "dkim_key_weak"),
    ("a key for other services", lambda: keys(record(more="s=tlsrpt; ")), "dkim_key_unfit"),
    ("a key for SHA-1", lambda: keys(record(more="h=sha1; ")), "dkim_key_unfit"),
    ("a key of another kind", lambda: keys(record().replace("k=rsa", "k=ed25519")), "dkim_key_unfit"),
    ("a record that is none", lambda: keys("v=spf1 -all"), "dkim_key_malformed"),
    ("a record of another version", lambda: keys(record().replace("DKIM1", "DKIM2")), "dkim_key_malformed"),
    ("a key that cannot be read", lambda: keys("v=DKIM1; p=AAAA"), "dkim_key_malformed"),
    ("somebody else's key", lambda: keys(record(own_key())), "dkim_signature_wrong"),
]  # fmt: skip

FORGERIES = [Forgery(name, build, code, ("dkim",)) for name, build, code in CHANGED] + [
    Forgery(name, lambda: dkim_signed(answer(), key=rsa_key()), code, ("dkim",), keys=said) for name, said, code in KEYS
]
GENUINE = [
    Forgery(f"DKIM {way}", lambda way=way: dkim_signed(answer(), canonical=way), "accepted", ("dkim",))
    for way in ("relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple")
]
