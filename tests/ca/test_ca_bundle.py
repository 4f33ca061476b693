import os
import re
from math import log2
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from hypothesis import given
from hypothesis import strategies as st

from ca.bundle import (
    ALPHABET,
    DIGITS,
    LOOKALIKE_PAIRS,
    LOWER,
    UPPER,
    BundleKind,
    _draw,
    make_key,
    make_password,
    open_again,
    pack,
)
from ca.errors import CaError, CaErrorKind
from ca.keys import PrivateKey
from support.authorities import hierarchy, openssl, prepared, profile, signer

_SHAPE = re.compile(rf"[{ALPHABET}]{{5}}(-[{ALPHABET}]{{5}}){{4}}")


def issued(name: str = "subscriber-p256") -> tuple[PrivateKey, x509.Certificate]:
    key = make_key(profile(name))
    return key, x509.load_der_x509_certificate(signer().sign_certificate(prepared(name=name, key=key)))


def chain() -> list[x509.Certificate]:
    return [hierarchy().issuing.certificate, hierarchy().root.certificate]


def packed(kind: BundleKind = BundleKind.MODERN, password: str = "secret-of-the-test") -> bytes:
    key, certificate = issued()
    return pack(key, certificate, chain(), password=password, friendly_name="WEBEC-20260701-0001", kind=kind)


def test_a_password_has_five_groups_of_five_and_every_class_of_signs() -> None:
    for _ in range(200):
        password = make_password(os.urandom)
        assert _SHAPE.fullmatch(password)
        assert all(set(password) & set(signs) for signs in (UPPER, LOWER, DIGITS, "-"))
        assert not any(pair in password for pair in LOOKALIKE_PAIRS)


def test_no_sign_of_a_password_looks_like_another() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET) == 35
    for group in ("0OoQD", "1lIi|", "2Zz", "5Ss", "6Gb", "8B", "9gq", "cC", "kK", "pP", "uU", "vVwW", "xX", "yY"):
        assert len(set(group) & set(ALPHABET)) <= 1, group


def test_a_password_has_at_least_128_bits_of_entropy() -> None:
    """Counts every possible password: by its last sign within the group and the classes met so far."""
    classes = {sign: index for index, signs in enumerate((UPPER, LOWER, DIGITS)) for sign in signs}
    counts = {("", 0): 1}
    for place in range(25):
        following: dict[tuple[str, int], int] = {}
        for (last, met), count in counts.items():
            for sign in ALPHABET:
                if place % 5 and last + sign in LOOKALIKE_PAIRS:
                    continue
                state = (sign, met | 1 << classes[sign])
                following[state] = following.get(state, 0) + count
        counts = following
    entropy = log2(sum(count for (_, met), count in counts.items() if met == 0b111))
    assert entropy >= 128
    assert round(entropy, 2) == 128.18


def test_every_sign_is_equally_likely() -> None:
    drawn = _draw(lambda count: bytes(range(count)), 245)  # each octet once
    assert {sign: drawn.count(sign) for sign in ALPHABET} == dict.fromkeys(ALPHABET, 7)


def test_octets_of_the_incomplete_run_are_thrown_away() -> None:
    good = bytes(ALPHABET.index(sign) for sign in "Hd3fK" * 5)
    draws = iter([bytes([245, 250, 255] * 8 + [255]), good, good])
    assert make_password(lambda count: next(draws)) == "-".join(["Hd3fK"] * 5)


@pytest.mark.parametrize("octet", [b"\x00", b"\xff"])
def test_a_dead_source_of_randomness_yields_no_password(octet: bytes) -> None:
    with pytest.raises(ValueError, match="randomness"):
        make_password(lambda count: octet * count)


@pytest.mark.parametrize("kind", list(BundleKind))
@pytest.mark.parametrize("name", ["subscriber-p256", "subscriber-2048"])
def test_a_bundle_opens_with_its_password_and_holds_everything(kind: BundleKind, name: str) -> None:
    key, certificate = issued(name)
    password = make_password(os.urandom)
    data = pack(key, certificate, chain(), password=password, friendly_name="WEBEC-20260701-0001", kind=kind)
    assert open_again(data, password) == certificate
    held = pkcs12.load_pkcs12(data, password.encode())
    assert held.cert is not None
    assert held.cert.friendly_name == b"WEBEC-20260701-0001"
    assert [one.certificate for one in held.additional_certs] == chain()


@pytest.mark.parametrize(
    ("kind", "cipher", "mac"),
    [
        (BundleKind.MODERN, "AES-256-CBC, Iteration 2048, PRF hmacWithSHA256", "MAC: sha256, Iteration 2048"),
        (BundleKind.LEGACY, "pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 2048", "MAC: sha1, Iteration 2048"),
    ],
)
def test_openssl_opens_both_kinds_and_finds_the_ciphers_meant(
    tmp_path: Path, kind: BundleKind, cipher: str, mac: str
) -> None:
    password = make_password(os.urandom)
    path = tmp_path / "one.p12"
    path.write_bytes(packed(kind, password))
    done = openssl("pkcs12", "-in", path, "-passin", f"pass:{password}", "-info", "-noenc")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("BEGIN CERTIFICATE") == 3
    assert done.stdout.count("BEGIN PRIVATE KEY") == 1
    assert "friendlyName: WEBEC-20260701-0001" in done.stdout
    assert done.stderr.count(cipher) == 2
    assert mac in done.stderr
    assert "RC2" not in done.stderr
    wrong = openssl("pkcs12", "-in", path, "-passin", "pass:wrong", "-info", "-noenc")
    assert wrong.returncode != 0


def test_a_key_of_another_certificate_is_not_packed() -> None:
    _, certificate = issued()
    with pytest.raises(CaError) as raised:
        pack(make_key(profile()), certificate, chain(), password="x", friendly_name="x", kind=BundleKind.MODERN)
    assert raised.value.kind is CaErrorKind.MISMATCH


@pytest.mark.parametrize(
    ("password", "friendly_name", "problem"),
    [
        ("", "x", "password_not_ascii"),
        ("ひみつ", "x", "password_not_ascii"),
        ("x", "", "friendly_name_unfit"),
        ("x", "𠮷野家", "friendly_name_unfit"),
        ("x", "a\x00b", "friendly_name_unfit"),
    ],
)
def test_passwords_and_names_that_some_clients_cannot_read_are_refused(
    password: str, friendly_name: str, problem: str
) -> None:
    key, certificate = issued()
    with pytest.raises(CaError) as raised:
        pack(key, certificate, chain(), password=password, friendly_name=friendly_name, kind=BundleKind.MODERN)
    assert raised.value.kind is CaErrorKind.SUBJECT_INVALID
    assert raised.value.problems == (problem,)
    assert "ひみつ" not in str(raised.value)


@pytest.mark.parametrize("password", ["", "wrong", "SECRET-OF-THE-TEST", "ひみつ"])
def test_a_wrong_password_opens_nothing(password: str) -> None:
    with pytest.raises(CaError) as raised:
        open_again(packed(), password)
    assert raised.value.kind is CaErrorKind.MISMATCH


@given(st.binary())
def test_any_bytes_are_refused_as_a_bundle(data: bytes) -> None:
    with pytest.raises(CaError) as raised:
        open_again(data, "secret-of-the-test")
    assert raised.value.kind is CaErrorKind.MISMATCH


def test_a_bundle_without_key_or_with_a_strange_one_is_refused() -> None:
    key, certificate = issued()
    locked = BestAvailableEncryption(b"x")
    for data in (
        pkcs12.serialize_key_and_certificates(b"x", None, certificate, None, locked),
        pkcs12.serialize_key_and_certificates(b"x", key, None, None, locked),
    ):
        with pytest.raises(CaError, match="lacks"):
            open_again(data, "x")


def test_a_bundle_whose_key_is_not_its_certificates_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """No tool here writes such a file, so the reader is made to have met one."""
    _, certificate = issued()
    mixed = pkcs12.PKCS12KeyAndCertificates(make_key(profile()), pkcs12.PKCS12Certificate(certificate, None), [])
    monkeypatch.setattr(pkcs12, "load_pkcs12", lambda data, password: mixed)
    with pytest.raises(CaError, match="not its certificate's"):
        open_again(b"", "x")


def test_a_key_is_of_the_profiles_kind() -> None:
    key = make_key(profile("subscriber"))
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 3072
    assert key.private_bytes(Encoding.DER, format=PrivateFormat.PKCS8, encryption_algorithm=NoEncryption())
