"""DKIM by our own verification; dkimpy, which shares no code with it, is the judge of what it accepts."""

import contextlib
import re
from datetime import UTC, datetime

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers import dkim
from parsers.dkim_message import UnsoundError, canonical_body, split
from support.signed_mails import AT, COVERED, DOMAIN, KEY_NAME, SELECTOR, answer, dkim_signed, keys, record, rsa_key

WAYS = ["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"]
# The form of a field is what a signature covers: folded, with blanks, in both cases, twice.
FIELDS = [("X-Folded", "one\r\n  two\t three  "), ("x-Twice", "a"), ("X-TWICE", " b "), ("X-Empty", "")]
BODIES = [
    "承認\r\n",
    "",
    "\r\n\r\n\r\n",
    "a  b\t \r\n \r\n\r\n",
    "no line end",
    "  leading\r\n.\r\n",
    "\tx \t y\r\n\r\nz  \r\n",
]


def ours(raw, said=None, now=AT):
    """`holds`, or why not."""
    try:
        return dkim.verify(split(raw), domains=[DOMAIN], keys=said or keys(), now=now).signature.domain == DOMAIN
    except UnsoundError as error:
        return error.code


def theirs(raw, said=None):
    records = {f"{name}.".encode(): texts[0].encode() for name, texts in (said or keys()).items()}
    return dkimpy.verify(raw, dnsfunc=lambda name, timeout=5: records.get(name, b""))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("body", BODIES)
def test_what_holds_for_us_holds_for_dkimpy(way, body):
    names = (*COVERED, "x-folded", "x-twice", "x-twice", "x-twice", "x-empty", "x-absent")
    raw = dkim_signed(answer(body, quoted="", fields=FIELDS), canonical=way, names=names)
    assert ours(raw) is True
    assert theirs(raw)


@pytest.mark.parametrize("way", WAYS)
def test_what_dkimpy_signs_holds_for_us(way):
    """At the time of the wall clock, which dkimpy writes into its signatures."""
    pem = rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    header, body = (each.encode() for each in way.split("/"))
    raw = answer(fields=FIELDS)
    signature = dkimpy.sign(
        raw,
        SELECTOR.encode(),
        DOMAIN.encode(),
        pem,
        canonicalize=(header, body),
        include_headers=[name.encode() for name in (*COVERED, "from", "x-folded", "x-twice")],
    )
    assert ours(signature + raw, now=datetime.now(UTC)) is True


def test_ed25519_holds_and_is_as_good():
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    raw = dkim_signed(answer(), key=key)
    assert ours(raw, keys(record(key))) is True
    assert ours(raw, keys(record(Ed25519PrivateKey.from_private_bytes(b"x" * 32)))) == "dkim_signature_wrong"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_one_changed_octet_never_holds_unless_it_is_nothing_but_blanks_or_case(data):
    """Relaxed signatures allow changes of blanks and of the case of names; dkimpy says which of them it means."""
    raw = dkim_signed(answer(), canonical=data.draw(st.sampled_from(WAYS)))
    place = data.draw(st.integers(0, len(raw) - 1))
    octet = data.draw(st.integers(0, 255).filter(lambda each: each != raw[place]))
    changed = raw[:place] + bytes([octet]) + raw[place + 1 :]
    if ours(changed) is True:
        assert theirs(changed)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="vadshbcltixq=;: \t\r\n1/@.relaxdsimp+AZ", max_size=120))
def test_any_text_is_a_signature_or_malformed(text):
    raw = b"DKIM-Signature:" + re.sub(r"[\r\n]", "", text).encode() + b"\r\n\r\n"
    with contextlib.suppress(UnsoundError):
        assert dkim.read_signature(split(raw).fields[0]).domain in text.lower()


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_octets_are_a_message_or_unsound_and_nothing_is_lost(raw):
    try:
        wire = split(raw)
    except UnsoundError:
        return
    whole = raw if b"\r\n" in raw else raw.replace(b"\n", b"\r\n")
    together = b"".join(field.raw for field in wire.fields)
    assert whole.removesuffix(b"\r\n") in (
        together.removesuffix(b"\r\n"),
        (together + b"\r\n" + wire.body).removesuffix(b"\r\n"),
    )


@pytest.mark.parametrize(
    "field", ["", "v=1", "v=1; a=rsa-sha256; d=x; s=y; h=from; bh=*; b=A", "a=b; a=c", "=", "v=1;;"]
)
def test_a_field_that_is_no_signature_is_malformed(field):
    with pytest.raises(UnsoundError, match="dkim_malformed"):
        dkim.read_signature(split(f"DKIM-Signature: {field}\r\n\r\n".encode()).fields[0])


def test_only_what_could_count_is_asked_for():
    raw = dkim_signed(dkim_signed(answer(), domain="evil.example"))
    assert dkim.questions(split(raw), [DOMAIN]) == (KEY_NAME,)
    assert dkim.questions(split(b"DKIM-Signature: x\r\n" + answer()), [DOMAIN]) == ()


def test_a_good_signature_beside_others_holds_and_its_reason_is_told_first():
    raw = dkim_signed(dkim_signed(answer()), domain="list.example")
    assert ours(raw) is True
    assert ours(dkim_signed(dkim_signed(answer(), length=3), domain="list.example")) == "dkim_length_tag"


def test_more_signatures_than_any_chain_writes_are_not_looked_at():
    raw = dkim_signed(answer())
    for _ in range(dkim.MOST_SIGNATURES):
        raw = b"DKIM-Signature: v=1\r\n" + raw
    assert ours(raw) == "dkim_malformed"


def test_gmails_own_shape_is_taken_although_its_content_type_is_not_signed():
    names = [name for name in COVERED if not name.startswith("content-")]
    parts = "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n承認\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>承認\r\n\r\n--b--"
    settings = {"quoted": "", "content_type": 'multipart/alternative; boundary="b"'}
    assert ours(dkim_signed(answer(parts, **settings), names=names)) is True
    for other in (
        "preamble\r\n" + parts,
        parts.replace("text/html", "text/plain"),
        parts.removesuffix("--"),
        parts + "\r\nx",
    ):
        assert ours(dkim_signed(answer(other, **settings), names=names)) == "dkim_shape_not_covered"


def test_a_mail_stored_with_this_systems_line_ends_is_read_with_its_own():
    raw = dkim_signed(answer())
    assert ours(raw.replace(b"\r\n", b"\n")) is True


def test_an_empty_body_has_one_canonical_form_each():
    assert canonical_body(b"", relaxed=True) == b""
    assert canonical_body(b"", relaxed=False) == b"\r\n"
    assert canonical_body(b"\r\n\r\n", relaxed=True) == b""
