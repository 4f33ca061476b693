"""Forgeries against S/MIME."""

from dataclasses import replace
from datetime import timedelta

from attacks.forgeries import Forgery
from ca.crl import Entry
from ca.keys import KeyKind
from support.authorities import NOW
from support.letters_in import OFFICE, multipart, text_part
from support.signed_mails import (
    AT,
    DATA,
    answer,
    cms,
    detached,
    dkim_signed,
    entity,
    oid,
    opaque,
    shown,
    staff,
    strangers,
    tlv,
    trust,
)

SMIME = ("smime",)
HOUR = timedelta(hours=1)
ENVELOPED = oid("1.2.840.113549.1.7.3")


def by(who=None, **settings):
    """A detached signature of somebody, or in some other way."""
    return detached(entity(), cms(entity(), who=who, **settings))


def changed(raw, old, new):
    assert old in raw
    return raw.replace(old, new, 1)


def bit_flipped():
    structure = bytearray(cms(entity()))
    structure[-1] ^= 1
    return detached(entity(), bytes(structure))


def three_parts():
    body = multipart(entity(), text_part("承認"), text_part("x"), boundary="sig")
    return (
        answer(quoted="", content_type='multipart/signed; protocol="application/pkcs7-signature"; boundary="sig"')[:-6]
        + body
    )


def wrapped():
    """A signed part inside something else, under words of the carrier."""
    inner = detached().partition(b"\r\n\r\n")[2]
    kind = b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary="sig"\r\n\r\n'
    body = multipart(text_part("承認"), kind + inner, boundary="m")
    return answer("", quoted="", content_type='multipart/mixed; boundary="m"').rstrip() + b"\r\n\r\n" + body


def by_stranger():
    made = strangers()
    held = (staff(stranger=True)[0], made.issuing.certificate, made.root.certificate)
    return by(staff(stranger=True), certificates=held)


def own_root():
    """The signer's certificate itself among the roots: no chain, and nobody who could have revoked it."""
    return replace(trust(), roots=(staff()[0],))


def revoked():
    return trust(Entry(staff()[0].serial_number, NOW), at=NOW)


def old_request():
    return shown().quoted.replace(shown().code, "QRST-UVWX-YZ23-4567")


FORGERIES = [
    Forgery("no signature", answer, "smime_missing", SMIME),
    Forgery("DKIM where S/MIME is asked for", lambda: dkim_signed(answer()), "smime_missing", SMIME),
    Forgery("the signed part changed", lambda: detached(entity("却下 x"), cms(entity())), "smime_body_changed", SMIME),
    Forgery("a line added to the signed part", lambda: changed(detached(), b"\r\n--sig\r\nContent-Type: app", b"\r\n\r\n--sig\r\nContent-Type: app"), "smime_body_changed", SMIME),
    Forgery("the signature changed", bit_flipped, "smime_signature_wrong", SMIME),
    Forgery("a subscriber's certificate, for logins only", lambda: by(staff(profile="subscriber-p256")), "smime_purpose", SMIME),
    Forgery("a colleague's certificate", lambda: by(staff("suzuki@lra.example")), "smime_other_address", SMIME),
    Forgery("a certificate of a look-alike address", lambda: by(staff("tanaka@1ra.example")), "smime_other_address", SMIME),
    Forgery("a revoked certificate", by, "smime_revoked", SMIME, trust=revoked),
    Forgery("an expired certificate", lambda: by(staff(until=NOW + HOUR / 2)), "smime_certificate_expired", SMIME),
    Forgery("a certificate that is not valid yet", lambda: by(staff(start=AT + HOUR)), "smime_certificate_expired", SMIME),
    Forgery("no CRL of its issuer", by, "smime_revocation_unknown", SMIME, trust=lambda: trust(issuing_crl=False)),
    Forgery("a CRL that has passed its term", by, "smime_revocation_unknown", SMIME, trust=lambda: trust(at=NOW - timedelta(days=8))),
    Forgery("no roots configured", by, "smime_no_roots", SMIME, trust=lambda: trust(roots=False)),
    Forgery("a CA of the forger's that bears our names", by_stranger, "smime_untrusted", SMIME),
    Forgery("a certificate that is its own root", by, "smime_untrusted", SMIME, trust=own_root),
    Forgery("another certificate than the pinned one", by, "smime_not_pinned", SMIME, pins=("00" * 32,)),
    Forgery("SHA-1", lambda: by(digest="sha1"), "smime_algorithm", SMIME),
    Forgery("no signed attributes", lambda: by(attributes=False), "smime_attributes_missing", SMIME),
    Forgery("attributes of another kind of content", lambda: by(content_type=ENVELOPED), "smime_attributes_wrong", SMIME),
    Forgery("two signers", lambda: by(signers=2), "smime_several_signers", SMIME),
    Forgery("no signer", lambda: by(signers=0), "smime_not_signed", SMIME),
    Forgery("no certificate", lambda: by(certificates=()), "smime_certificate_missing", SMIME),
    Forgery("another content inside a detached signature", lambda: detached(entity(), cms(entity("却下 x"), inside=True)), "smime_malformed", SMIME),
    Forgery("opaque without a content", lambda: opaque(structure=cms(entity())), "smime_malformed", SMIME),
    Forgery("data that is not signed", lambda: opaque(structure=cms(entity(), inside=True, outer=ENVELOPED)), "smime_not_signed", SMIME),
    Forgery("bare data", lambda: opaque(structure=tlv(0x30, DATA, tlv(0xA0, tlv(4, entity())))), "smime_not_signed", SMIME),
    Forgery("a signature cut short", lambda: opaque(structure=cms(entity(), inside=True)[:-9]), "smime_malformed", SMIME),
    Forgery("BER cut short", lambda: opaque(structure=cms(entity(), inside=True, ber=True)[:-2]), "smime_malformed", SMIME),
    Forgery("something behind the structure", lambda: opaque(structure=cms(entity(), inside=True) + b"\x30\x00"), "smime_malformed", SMIME),
    Forgery("nothing at all", lambda: opaque(structure=b""), "smime_malformed", SMIME),
    Forgery("a third part beside the signed one", three_parts, "smime_malformed", SMIME),
    Forgery("a signed part below unsigned words", wrapped, "smime_missing", SMIME),
    Forgery("two Content-Type fields", lambda: detached(fields=[("Content-Type", "text/plain")]), "field_repeated", SMIME),
    Forgery("no signing time", lambda: by(at=None), "smime_time_missing", SMIME),
    Forgery("a signing time in the future", lambda: by(at=AT + HOUR), "smime_time_wrong", SMIME),
    Forgery("a signing time before the certificate", lambda: by(at=NOW - HOUR), "smime_time_wrong", SMIME),
    Forgery("an old answer about another case", lambda: detached(entity(quoted=shown().quoted.replace(shown().number, "WEBEC-20260601-0001"))), "signature_not_bound", SMIME),
    Forgery("an old answer about an earlier version", lambda: detached(entity(quoted=old_request())), "signature_not_bound", SMIME),
    Forgery("an opaque answer about an earlier version", lambda: opaque(entity(quoted=old_request())), "signature_not_bound", SMIME),
    Forgery("a signed mail that names no case", lambda: detached(entity(quoted="")), "signature_not_bound", SMIME),
    Forgery("the subject changed to another request's", lambda: detached(to=OFFICE, subject=f"Re: [#{'B' * 26}]"), "unknown_token", SMIME),
    Forgery("an unsigned From of somebody else", lambda: detached(sender="x@evil.example"), "sender_is_another", SMIME),
    Forgery("a signed refusal", lambda: detached(entity("承認できません")), "unclear_reply", SMIME),
    Forgery("a signed forward that only quotes", lambda: detached(entity("> 承認")), "unclear_reply", SMIME),
    Forgery("a signed mail inside a signed mail", lambda: opaque(b"Content-Type: application/pkcs7-mime; smime-type=signed-data\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA"), "signature_not_bound", SMIME),
]  # fmt: skip
GENUINE = [
    Forgery("detached", detached, "accepted", SMIME),
    Forgery("opaque", opaque, "accepted", SMIME),
    Forgery("detached BER", lambda: detached(entity(), cms(entity(), ber=True)), "accepted", SMIME),
    Forgery("opaque BER", lambda: opaque(structure=cms(entity(), inside=True, ber=True)), "accepted", SMIME),
    Forgery("SHA-512", lambda: by(digest="sha512"), "accepted", SMIME),
    Forgery("RSA", lambda: by(staff(kind=KeyKind.RSA_2048)), "accepted", SMIME),
    # The subject is not signed, and nothing is read from it but the token, which the address holds here too.
    Forgery("a changed subject", lambda: detached(subject="something else"), "accepted", SMIME),
    Forgery("whichever way holds", detached, "accepted", ("login", "dkim", "smime")),
]
