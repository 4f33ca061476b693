"""S/MIME by our own reading of CMS; openssl and `cryptography` make signatures it must accept, openssl judges ours."""

import os
import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.keys import KeyKind
from ca.profiles import Role
from parsers import smime, smime_ber, smime_chain, smime_cms
from parsers.authentication import binds
from parsers.dkim_message import UnsoundError, split
from support import authorities
from support.letters_in import STAFF
from support.signed_mails import AT, CODE, NUMBER, answer, cms, detached, entity, oid, opaque, staff, tlv, trust

PART = entity()


def verdict(raw, now=AT, pins=(), trusted=None):
    try:
        return (
            smime.verify(split(raw), address=STAFF, pins=pins, trust=trusted or trust(), now=now)
            .text.split("\n")[0]
            .strip()
        )
    except UnsoundError as error:
        return error.code


def files(folder, who):
    certificate, key = who
    made = authorities.hierarchy()
    (folder / "who.pem").write_bytes(authorities.pem(certificate))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "issuing.pem").write_bytes(made.issuing_pem)
    (folder / "root.pem").write_bytes(made.root_pem)


def of_now(kind=KeyKind.P_256):
    """A certificate and lists of the wall clock's today, since openssl signs at that time."""
    now = datetime.now(UTC).replace(microsecond=0)
    return now, staff(kind=kind, start=now - timedelta(hours=1)), trust(at=now - timedelta(hours=1))


@pytest.mark.parametrize("kind", [KeyKind.P_256, KeyKind.RSA_2048])
@pytest.mark.parametrize(
    "options", [(), ("-stream", "-nodetach"), ("-nodetach",), ("-stream",), ("-keyid",)], ids=" ".join
)
def test_what_openssl_signs_is_accepted(tmp_path, kind, options):
    now, who, trusted = of_now(kind)
    files(tmp_path, who)
    done = subprocess.run(
        ["openssl", "cms", "-sign", "-signer", tmp_path / "who.pem", "-inkey", tmp_path / "key.pem", "-certfile", tmp_path / "issuing.pem", "-md", "sha256", "-binary", *options],
        input=PART, capture_output=True, check=True,
    )  # fmt: skip
    # openssl writes the line ends of this system around a part whose own it leaves alone.
    raw = re.sub(rb"\r?\n", b"\r\n", done.stdout)
    assert verdict(raw, now=now + timedelta(minutes=1), trusted=trusted) == "承認"


@pytest.mark.parametrize("options", [[], [pkcs7.PKCS7Options.DetachedSignature]], ids=["opaque", "detached"])
def test_what_cryptography_signs_is_accepted(options):
    now, (certificate, key), trusted = of_now()
    made = pkcs7.PKCS7SignatureBuilder().set_data(PART).add_signer(certificate, key, hashes.SHA256())
    structure = made.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary, *options])
    raw = detached(PART, structure) if options else opaque(structure=structure)
    assert verdict(raw, now=now + timedelta(minutes=1), trusted=trusted) == "承認"


@pytest.mark.parametrize("ber", [False, True])
def test_openssl_accepts_what_we_accept(tmp_path, ber):
    files(tmp_path, staff())
    structure = cms(PART, ber=ber, inside=True)
    (tmp_path / "signed.der").write_bytes(structure)
    assert verdict(opaque(structure=structure)) == "承認"
    done = authorities.openssl(
        *("cms", "-verify", "-inform", "DER", "-in", tmp_path / "signed.der", "-CAfile", tmp_path / "root.pem"),
        *("-purpose", "smimesign", "-attime", str(int(AT.timestamp())), "-out", tmp_path / "out"),
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out").read_bytes().replace(b"\r\n", b"\n") == PART.replace(b"\r\n", b"\n")


def test_openssl_takes_a_staff_certificate_for_signing_mail_and_for_no_login(tmp_path):
    made = authorities.hierarchy()
    (tmp_path / "leaf.pem").write_bytes(authorities.pem(staff(kind=KeyKind.RSA_3072)[0]))
    (tmp_path / "root.pem").write_bytes(made.root_pem)
    (tmp_path / "issuing.pem").write_bytes(made.issuing_pem)

    def accepted(purpose):
        done = authorities.openssl(
            *("verify", "-x509_strict", "-purpose", purpose, "-attime", str(int(AT.timestamp()))),
            *("-CAfile", tmp_path / "root.pem", "-untrusted", tmp_path / "issuing.pem", tmp_path / "leaf.pem"),
        )
        return done.returncode == 0

    assert [purpose for purpose in ("smimesign", "sslclient", "sslserver", "smimeencrypt") if accepted(purpose)] == [
        "smimesign"
    ]


def test_the_certificate_of_a_root_signs_no_mail():
    """An authority's certificate has no purpose of its own."""
    made = authorities.hierarchy()
    with pytest.raises(UnsoundError, match="smime_purpose"):
        smime_chain.judge(made.issuing.certificate, (), address=STAFF, trust=trust(), now=AT)


def test_a_crl_of_the_right_name_and_the_wrong_key_is_no_crl():
    forged = x509.CertificateRevocationListBuilder().issuer_name(authorities.hierarchy().issuing.name)
    forged = forged.last_update(authorities.NOW).next_update(AT + timedelta(days=1)).sign(staff()[1], hashes.SHA256())
    held = trust(issuing_crl=False)
    assert (
        verdict(detached(), trusted=smime_chain.Trust(held.roots, held.between, (*held.crls, forged)))
        == "smime_revocation_unknown"
    )


def test_a_list_of_only_a_part_of_an_authoritys_certificates_is_no_crl():
    made = authorities.hierarchy()
    point = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)
    part = x509.CertificateRevocationListBuilder().issuer_name(made.issuing.name).last_update(authorities.NOW)
    part = part.next_update(AT + timedelta(days=1)).add_extension(point, critical=True)
    signed = part.sign(authorities._key(Role.ISSUING, KeyKind.P_256)._private, hashes.SHA256())
    held = trust(issuing_crl=False)
    assert (
        verdict(detached(), trusted=smime_chain.Trust(held.roots, held.between, (*held.crls, signed)))
        == "smime_revocation_unknown"
    )


def test_a_pin_may_be_written_with_colons_and_in_capitals():
    pin = smime_chain.fingerprint(staff()[0])
    assert verdict(detached(), pins=(":".join(pin[at : at + 2] for at in range(0, 64, 2)).upper(),)) == "承認"


def test_only_the_signed_words_are_the_signers():
    raw = detached(subject="却下 対象外", fields=[("X-Note", "却下")])
    assert verdict(raw) == "承認"
    preamble = raw.replace(b"This is an S/MIME signed message", "却下 対象外".encode())
    assert verdict(preamble) == "承認"


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        (f"> 受付番号：{NUMBER}\n> 確認コード：{CODE}", True),
        (f"{NUMBER.lower()} ＡＢＣＤ－EFGH-IJKL-MNOP", True),
        (f"{NUMBER}", False),
        (CODE, False),
        (f"{NUMBER}3 {CODE}", False),
        (f"{NUMBER} X{CODE}", False),
        (f"{NUMBER} {CODE[:-1]}", False),
        ("", False),
    ],
)
def test_signed_words_must_name_case_and_code_whole(text, bound):
    assert binds(text, number=NUMBER, code=CODE) is bound
    assert not binds(text, number=NUMBER, code="")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=120))
def test_any_octets_are_ber_or_malformed(data):
    try:
        node = smime_ber.read(data)
    except smime_ber.MalformedError:
        return
    assert data.startswith(node.raw)


# What `cryptography` says of a serial number of zero today; a later release will refuse to load it.
SERIAL = pytest.mark.filterwarnings("ignore:Parsed a serial number")


@cache
def structures():
    """Signed once: an ECDSA signature has another length each time."""
    return cms(PART), cms(PART, ber=True)


@SERIAL
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_one_changed_octet_of_the_structure_is_refused_or_changes_nothing_that_counts(data):
    structure = data.draw(st.sampled_from(structures()))
    place = data.draw(st.integers(0, len(structure) - 1))
    octet = data.draw(st.integers(0, 255))
    changed = structure[:place] + bytes([octet]) + structure[place + 1 :]
    try:
        smime_cms.verify(smime_cms.read_signed(changed), entity("却下 x"))
    except UnsoundError:
        pass
    else:
        raise AssertionError("another body was accepted")
    assert verdict(detached(PART, changed)) == "承認" or verdict(detached(PART, changed)).startswith("smime_")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x80",
        b"\x04\x80\x00\x00",
        b"\x30\x85\x01\x01\x01\x01\x01",
        b"\x1f\x01\x00",
        b"\x30\x80" * 50,
        tlv(0x30),
        tlv(0x30, oid("1.2.840.113549.1.7.2")),
        b"\x30\x03\x04\x05x",
        tlv(2, b""),
        tlv(0x30, *[b"\x05\x00"] * 30_000),
    ],
    ids=range(12),
)
def test_what_is_no_signed_data_is_malformed(data):
    with pytest.raises(UnsoundError, match="smime_malformed"):
        smime_cms.read_signed(data)


@pytest.mark.parametrize(
    "text", ["2.5.29.37", "1.2.840.113549.1.7.2", "2.16.840.1.101.3.4.2.1", "0.9.2342.19200300.100.1.25"]
)
def test_an_identifier_is_read_as_it_was_written(text):
    assert smime_ber.identifier(smime_ber.read(oid(text))) == text


def test_a_plain_mail_has_no_signature_and_its_random_octets_neither():
    assert verdict(answer()) == "smime_missing"
    assert verdict(opaque(structure=os.urandom(64))) in ("smime_malformed", "smime_not_signed")


def test_a_certificate_that_cannot_be_read_is_refused():
    """Not every error of the library is a ValueError: an unknown version has a kind of its own."""
    structure = cms(PART)
    assert b"\xa0\x03\x02\x01\x02" in structure
    assert verdict(detached(PART, structure.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x56", 1))) == (
        "smime_certificate_malformed"
    )


def test_pss_signatures_are_accepted_and_a_wrong_one_is_not():
    certificate, key = staff(kind=KeyKind.RSA_2048)
    signed = smime_cms.read_signed(cms(PART, who=(certificate, key)))
    salt = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH)
    right = key.sign(signed.signer.attributes, salt, hashes.SHA256())
    signer = replace(signed.signer, algorithm="1.2.840.113549.1.1.10", signature=right)
    assert smime_cms.verify(replace(signed, signer=signer), PART)[0] == certificate
    with pytest.raises(UnsoundError, match="smime_signature_wrong"):
        smime_cms.verify(replace(signed, signer=replace(signer, signature=right[::-1])), PART)
