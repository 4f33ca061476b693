import copy
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from hypothesis import given, settings
from hypothesis import strategies as st

from ca import signer as signers
from ca.authority import Authority
from ca.crl import plan
from ca.der import signed
from ca.errors import CaError, CaErrorKind
from ca.keys import KeyKind, generate, kind_of
from ca.profiles import Role
from ca.signer import COSTS, CaKey, FileSigner, Signer, make_ca_key, open_key, seal_key
from support.authorities import NOW, PASSPHRASE, hierarchy, prepared, signer


def test_the_signed_certificate_is_what_was_prepared() -> None:
    ready = prepared()
    certificate = x509.load_der_x509_certificate(signer().sign_certificate(ready))
    assert certificate.tbs_certificate_bytes == ready.tbs
    certificate.verify_directly_issued_by(hierarchy().issuing.certificate)


def test_the_same_prepared_certificate_is_never_signed_twice() -> None:
    one, ready = signer(), prepared()
    one.sign_certificate(ready)
    with pytest.raises(CaError) as raised:
        one.sign_certificate(ready)
    assert raised.value.kind is CaErrorKind.CONFLICT


def test_a_copy_of_a_prepared_certificate_is_not_signed_either() -> None:
    one, ready = signer(), prepared()
    one.sign_certificate(ready)
    with pytest.raises(CaError, match="signed before"):
        one.sign_certificate(replace(ready))


def test_a_failed_attempt_spends_the_serial_number(monkeypatch: pytest.MonkeyPatch) -> None:
    one, ready = signer(), prepared()
    with monkeypatch.context() as broken:
        broken.setattr(FileSigner, "_sign", lambda self, tbs: signed(tbs, b"\x30\x00", b"not a signature"))
        with pytest.raises(CaError) as raised:
            one.sign_certificate(ready)
        assert raised.value.kind is CaErrorKind.MISMATCH
    with pytest.raises(CaError, match="signed before"):
        one.sign_certificate(ready)


def test_of_many_threads_one_gets_the_signature() -> None:
    one, ready = signer(), prepared()

    def attempt(_: int) -> bool:
        try:
            one.sign_certificate(ready)
        except CaError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(32))) == 1


def test_what_was_prepared_for_another_authority_is_not_signed() -> None:
    with pytest.raises(CaError) as raised:
        signer(Role.ROOT).sign_certificate(prepared())
    assert raised.value.kind is CaErrorKind.MISMATCH


def test_the_signer_lints_again_and_trusts_no_caller() -> None:
    ready = prepared()
    short = replace(ready.request.profile, validity_days=30)
    with pytest.raises(CaError, match="validity_too_long"):
        signer().sign_certificate(replace(ready, request=replace(ready.request, profile=short)))


def test_a_crl_of_another_authority_is_not_signed() -> None:
    planned = plan(hierarchy().root, 1, [], NOW, NOW + timedelta(days=1))
    with pytest.raises(CaError) as raised:
        signer().sign_crl(planned)
    assert raised.value.kind is CaErrorKind.MISMATCH


def test_a_plan_put_together_from_two_is_not_signed() -> None:
    one, other = (plan(hierarchy().issuing, number, [], NOW, NOW + timedelta(days=1)) for number in (1, 2))
    with pytest.raises(CaError, match="not what this authority"):
        signer().sign_crl(replace(one, tbs=other.tbs))


def test_a_crl_whose_signature_does_not_verify_never_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = plan(hierarchy().issuing, 1, [], NOW, NOW + timedelta(days=1))
    foreign = signer(Role.ROOT)._sign(planned.tbs)
    monkeypatch.setattr(FileSigner, "_sign", lambda self, tbs: foreign)
    with pytest.raises(CaError, match="does not verify"):
        signer().sign_crl(planned)


def test_a_signer_needs_the_key_of_its_certificate() -> None:
    with pytest.raises(CaError) as raised:
        FileSigner(hierarchy().issuing, make_ca_key(KeyKind.P_256))
    assert raised.value.kind is CaErrorKind.KEY_UNAVAILABLE


def test_an_authority_with_a_key_of_a_kind_not_ours_signs_nothing() -> None:
    key = generate_p521()
    certificate = (
        x509.CertificateBuilder(hierarchy().root.name, hierarchy().root.name, key.public_key(), 1 << 70)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, SHA512())
    )
    strange = Authority("strange", certificate, "http://x.example/a.crl", "http://x.example/a.cer")
    with pytest.raises(CaError) as raised:
        FileSigner(strange, make_ca_key(KeyKind.P_256))
    assert raised.value.kind is CaErrorKind.KEY_UNAVAILABLE


def test_a_file_signer_is_a_signer() -> None:
    one: Signer = signer()
    assert one.authority == hierarchy().issuing


@pytest.mark.parametrize("kind", [KeyKind.RSA_3072, KeyKind.P_256, KeyKind.P_384])
def test_every_kind_of_ca_key_signs(kind: KeyKind) -> None:
    made = hierarchy(kind)
    made.issuing.certificate.verify_directly_issued_by(made.root.certificate)
    assert kind_of(made.issuing.certificate.public_key()) is kind
    crl = x509.load_der_x509_crl(made.root_crl)
    assert crl.is_signature_valid(made.root.public_key)


@pytest.mark.parametrize("kind", [KeyKind.P_256, KeyKind.P_384, KeyKind.RSA_2048])
def test_a_sealed_key_opens_with_its_passphrase(kind: KeyKind) -> None:
    key = make_ca_key(kind)
    blob = seal_key(key, PASSPHRASE, os.urandom, cost=15)
    again = open_key(blob, PASSPHRASE)
    assert (again.public_key, again.kind) == (key.public_key, kind)


def test_a_key_is_sealed_at_the_full_cost_by_default() -> None:
    blob = seal_key(make_ca_key(KeyKind.P_256), PASSPHRASE, os.urandom)
    assert blob[: len(signers._MAGIC) + 3] == b"OLRA-CAKEY-1" + bytes([17, 8, 1])
    open_key(blob, PASSPHRASE)


def test_the_sealed_key_holds_nothing_in_clear() -> None:
    key = make_ca_key(KeyKind.P_256)
    clear = key._private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    blob = seal_key(key, PASSPHRASE, os.urandom, cost=15)
    secret = key._private.private_numbers().private_value.to_bytes(32)
    assert secret in clear
    assert secret not in blob
    assert PASSPHRASE not in blob


def test_two_seals_of_one_key_differ() -> None:
    key = make_ca_key(KeyKind.P_256)
    assert seal_key(key, PASSPHRASE, os.urandom, cost=15) != seal_key(key, PASSPHRASE, os.urandom, cost=15)


@pytest.mark.parametrize("passphrase", [b"", PASSPHRASE + b"\n", PASSPHRASE[:-1], b"wrong"])
def test_a_wrong_passphrase_opens_nothing(passphrase: bytes) -> None:
    with pytest.raises(CaError) as raised:
        open_key(hierarchy().issuing_key, passphrase)
    assert raised.value.kind is CaErrorKind.KEY_UNAVAILABLE


def test_an_empty_passphrase_and_a_low_cost_seal_nothing() -> None:
    key = make_ca_key(KeyKind.P_256)
    with pytest.raises(ValueError, match="passphrase"):
        seal_key(key, b"", os.urandom, cost=15)
    for cost in (COSTS.start - 1, COSTS.stop):
        with pytest.raises(ValueError, match="cost"):
            seal_key(key, PASSPHRASE, os.urandom, cost=cost)


@pytest.mark.parametrize(("at", "value"), [(12, 1), (12, 14), (12, 18), (12, 63), (13, 1), (13, 255), (14, 2)])
def test_parameters_out_of_bounds_are_refused_before_any_work(at: int, value: int) -> None:
    blob = bytearray(hierarchy().issuing_key)
    blob[at] = value
    with pytest.raises(CaError, match="out of bounds"):
        open_key(bytes(blob), PASSPHRASE)


@pytest.mark.parametrize("at", [12, 15, 30, 31, 42, 43, 60, -1])
def test_a_changed_octet_anywhere_is_found(at: int) -> None:
    blob = bytearray(hierarchy().issuing_key)
    blob[at] = blob[at] + 1 if at == 12 else blob[at] ^ 1
    with pytest.raises(CaError) as raised:
        open_key(bytes(blob), PASSPHRASE)
    assert raised.value.kind is CaErrorKind.KEY_UNAVAILABLE


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_as_a_sealed_key(blob: bytes) -> None:
    with pytest.raises(CaError) as raised:
        open_key(blob, PASSPHRASE)
    assert raised.value.kind is CaErrorKind.KEY_UNAVAILABLE


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 42))
def test_a_sealed_key_cut_short_is_refused(length: int) -> None:
    with pytest.raises(CaError, match="not a sealed key"):
        open_key(hierarchy().issuing_key[:length], PASSPHRASE)


def _sealed(clear: bytes) -> bytes:
    """Anything, sealed as a key is."""
    header = hierarchy().issuing_key[: signers._HEADER]
    salt, nonce = header[-28:-12], header[-12:]
    return header + AESGCM(signers._derive(PASSPHRASE, salt, header[12])).encrypt(nonce, clear, header)


def test_a_sealed_key_of_a_kind_not_ours_is_refused() -> None:
    for private in (ed25519.Ed25519PrivateKey.generate(), generate_p521()):
        clear = private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with pytest.raises(CaError, match="kind"):
            open_key(_sealed(clear), PASSPHRASE)


def generate_p521() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP521R1())


def test_a_sealed_something_that_is_no_key_is_refused() -> None:
    with pytest.raises(CaError) as raised:
        open_key(_sealed(b"no key"), PASSPHRASE)
    assert raised.value.kind is CaErrorKind.KEY_UNAVAILABLE


def test_keys_and_signers_show_nothing_and_are_not_pickled() -> None:
    key = make_ca_key(KeyKind.P_256)
    assert repr(key) == "<CaKey p-256>"
    assert repr(signer()) == "<FileSigner for issuing-1>"
    for secret in (key, signer()):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(secret)


def test_only_kinds_of_ours_become_ca_keys() -> None:
    with pytest.raises(CaError, match="kind"):
        CaKey(rsa.generate_private_key(65537, 1024))


@pytest.mark.parametrize("kind", [kind for kind in KeyKind if kind is not KeyKind.RSA_4096])
def test_a_generated_key_is_of_its_kind(kind: KeyKind) -> None:
    assert kind_of(generate(kind).public_key()) is kind


def test_keys_of_other_kinds_have_no_kind() -> None:
    assert kind_of(generate_p521().public_key()) is None
    assert kind_of(ed25519.Ed25519PrivateKey.generate().public_key()) is None
    assert kind_of(b"key") is None


def test_the_right_to_a_signature_is_neither_copied_nor_pickled_and_two_signers_share_it() -> None:
    ready = prepared()
    for way in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            way(ready.token)
    assert repr(ready.token) == "<Token>"
    signer().sign_certificate(ready)
    assert repr(ready.token) == "<Token spent>"
    with pytest.raises(CaError) as raised:
        signer().sign_certificate(ready)
    assert raised.value.kind is CaErrorKind.CONFLICT
