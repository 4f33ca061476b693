"""Keys in a token: born there, never out of it, and what they sign is what a key in memory would sign."""

import hashlib
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pkcs11
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from ca.crl import Entry, Reason, plan
from ca.errors import CaError, CaErrorKind
from ca.hierarchy import Place, certify
from ca.issue import new_serial, prepare
from ca.keys import KeyKind
from ca.names import AuthorityName
from ca.profiles import Role
from ca.signer import FileSigner, seal_key
from ca.token import Token
from support.authorities import NOW, URLS, hierarchy, openssl, pem, request, signer
from support.tokens import PIN, SoftHsm, module

KINDS = (KeyKind.RSA_3072, KeyKind.P_384, KeyKind.P_256)


@pytest.fixture(scope="module")
def hsm(tmp_path_factory):
    return SoftHsm.start(tmp_path_factory.mktemp("hsm"))


@pytest.fixture(scope="module")
def token(hsm):
    made = hsm.new_token("ca")
    for kind in KINDS:
        made.make_key(f"key-{kind.value}", kind)
    yield made
    made.close()


def authority(key, start=NOW):
    place = Place("issuing-2", URLS.issuing_crl, URLS.issuing_certificate)
    name = AuthorityName("Example LRA Centre", f"Example Client CA {key.kind}")
    return certify(signer(Role.ROOT), key, name, place, start=start, random_bytes=os.urandom)


@pytest.mark.parametrize("kind", KINDS)
def test_certificate_and_crl_signed_in_the_token_pass_openssl(token, kind, tmp_path):
    key = token.find_key(f"key-{kind.value}")
    assert key.kind is kind
    issuing = authority(key)
    signs = FileSigner(issuing, key)
    ready = prepare(request(), issuing, new_serial(os.urandom))
    certificate = x509.load_der_x509_certificate(signs.sign_certificate(ready))
    entry = Entry(new_serial(os.urandom), NOW, Reason.KEY_COMPROMISE)
    crl = signs.sign_crl(plan(issuing, 1, (entry,), NOW, NOW + timedelta(days=7)))
    for name, data in {
        "leaf": pem(certificate),
        "issuing": pem(issuing.certificate),
        "root": pem(hierarchy().root.certificate),
        "crls": x509.load_der_x509_crl(crl).public_bytes(serialization.Encoding.PEM) + hierarchy().root_crl_pem,
    }.items():
        (tmp_path / name).write_bytes(data)
    judged = openssl(
        *("verify", "-x509_strict", "-purpose", "sslclient", "-attime", str(int(NOW.timestamp()) + 60)),
        *("-crl_check_all", "-CRLfile", tmp_path / "crls"),
        *("-CAfile", tmp_path / "root", "-untrusted", tmp_path / "issuing", tmp_path / "leaf"),
    )
    assert judged.returncode == 0, judged.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_digest_is_signed_as_the_whole_would_be(token, kind):
    private = token.find_key(f"key-{kind.value}")
    issuing = authority(private)
    data = os.urandom(100_000)
    algorithm = hashes.SHA384() if kind is KeyKind.P_384 else hashes.SHA256()
    digest = hashlib.new(algorithm.name, data).digest()
    signature = FileSigner(issuing, private).sign_draft(DraftOf(issuing, digest))
    assert issuing.has_signed_digest(digest, signature)


class DraftOf:
    """What `sign_draft` looks at of a draft."""

    def __init__(self, authority, digest):
        self.authority, self.digest = authority, digest


@pytest.mark.parametrize("kind", KINDS)
def test_the_private_half_does_not_leave_the_token(token, kind):
    label = f"key-{kind.value}"
    key = token.find_key(label)
    with pytest.raises(CaError, match="not taken out"):
        seal_key(key, b"passphrase", os.urandom, cost=15)
    secret = pkcs11.Attribute.PRIVATE_EXPONENT if kind is KeyKind.RSA_3072 else pkcs11.Attribute.VALUE

    def look(session):
        found = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=label)
        flags = {name: found[getattr(pkcs11.Attribute, name)] for name in ("SENSITIVE", "EXTRACTABLE", "LOCAL")}
        with pytest.raises(pkcs11.exceptions.AttributeSensitive):
            found[secret]
        return flags

    assert token.use(look) == {"SENSITIVE": True, "EXTRACTABLE": False, "LOCAL": True}


def test_a_key_that_can_be_taken_out_is_refused(token):
    def careless(session):
        parameters = {pkcs11.Attribute.EC_PARAMS: bytes.fromhex("06082a8648ce3d030107")}
        domain = session.create_domain_parameters(pkcs11.KeyType.EC, parameters, local=True)
        domain.generate_keypair(label="careless", store=True, private_template={pkcs11.Attribute.EXTRACTABLE: True})

    token.use(careless)
    with pytest.raises(CaError, match="can be taken out"):
        token.find_key("careless")


def test_threads_share_a_key(token):
    key = token.find_key("key-p-256")
    issuing = authority(key)
    signs = FileSigner(issuing, key)
    ready = [prepare(request(), issuing, new_serial(os.urandom)) for _ in range(16)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(signs.sign_certificate, ready))
    assert all(issuing.has_issued(x509.load_der_x509_certificate(der)) for der in made)


def test_a_token_that_was_pulled_out_is_told_and_found_again(token, hsm):
    key = token.find_key("key-p-384")
    issuing = authority(key)
    signs = FileSigner(issuing, key)
    ready = prepare(request(), issuing, new_serial(os.urandom))
    hsm.pull_out()
    try:
        with pytest.raises(CaError) as raised:
            signs.check()
        assert raised.value.kind is CaErrorKind.KEY_UNAVAILABLE
        with pytest.raises(CaError) as raised:
            signs.sign_certificate(ready)
        assert raised.value.kind is CaErrorKind.KEY_UNAVAILABLE
    finally:
        hsm.plug_in()
    signs.check()
    again = prepare(request(), issuing, new_serial(os.urandom))
    assert issuing.has_issued(x509.load_der_x509_certificate(signs.sign_certificate(again)))


def test_a_wrong_pin_is_offered_once(hsm, token, monkeypatch):
    token.close()
    wrong = hsm.token("ca", pin="not-the-pin")
    with pytest.raises(CaError, match="refuses the PIN") as first:
        wrong.find_key("key-p-256")
    assert "not-the-pin" not in str(first.value)
    monkeypatch.setattr(pkcs11, "lib", None)
    with pytest.raises(CaError, match="not offered again"):
        wrong.find_key("key-p-256")


def test_a_label_is_never_given_to_two_keys(token):
    with pytest.raises(CaError, match="already"):
        token.make_key("key-p-256", KeyKind.P_256)


@pytest.mark.parametrize(
    ("path", "label", "said"),
    [(None, "no such token", "0 tokens"), ("/nonexistent/module.so", "ca", "cannot be loaded")],
)
def test_what_is_not_there_is_named(token, path, label, said):
    # Who looks for a token anew starts the module anew, which ends the sessions of others.
    token.close()
    with pytest.raises(CaError, match=said) as raised:
        Token(path or module(), label, PIN).find_key("key")
    assert raised.value.kind is CaErrorKind.KEY_UNAVAILABLE


def test_a_key_that_is_not_there_is_named(token):
    with pytest.raises(CaError, match="no such key"):
        token.find_key("no such key")


def test_neither_token_nor_key_shows_the_pin_or_is_pickled(token):
    key = token.find_key("key-p-256")
    assert PIN not in repr(token) + repr(key)
    for each in (token, key):
        with pytest.raises(TypeError):
            pickle.dumps(each)


def test_only_pkcs1_is_signed_with_an_rsa_key(token):
    private = token.find_key("key-rsa-3072")._private
    with pytest.raises(Exception, match=r"v1\.5"):
        private.sign(b"x", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    assert replace(authority(token.find_key("key-rsa-3072")), id="x").key_kind is KeyKind.RSA_3072
