import os
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from ca.crl import number_of
from ca.der import signed
from ca.errors import CaError, CaErrorKind
from ca.hierarchy import Hierarchy, establish
from ca.keys import KeyKind
from ca.signer import FileSigner, open_key
from support.authorities import NAMES, NOW, PASSPHRASE, URLS, hierarchy


def test_root_and_issuing_authority_are_what_their_profiles_say() -> None:
    made = hierarchy()
    root, issuing = made.root.certificate, made.issuing.certificate
    assert root.subject == root.issuer == issuing.issuer
    assert root.subject.rfc4514_string() == "CN=Example Root CA,O=Example LRA Centre,C=JP"
    root.verify_directly_issued_by(root)
    issuing.verify_directly_issued_by(root)
    constraints = issuing.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)
    assert root.not_valid_after_utc == NOW + timedelta(days=7305, seconds=-1)
    assert issuing.not_valid_after_utc == NOW + timedelta(days=3652, seconds=-1)


def test_the_root_publishes_an_empty_crl_from_the_first_day() -> None:
    crl = x509.load_der_x509_crl(hierarchy().root_crl)
    assert (number_of(crl), list(crl)) == (1, [])
    assert crl.last_update_utc == NOW
    assert crl.next_update_utc == NOW + timedelta(days=397)
    assert x509.load_pem_x509_crl(hierarchy().root_crl_pem) == crl


def test_the_pem_files_hold_the_chain_in_order() -> None:
    made = hierarchy()
    assert x509.load_pem_x509_certificates(made.chain_pem) == [made.issuing.certificate, made.root.certificate]
    assert made.chain_pem == made.issuing_pem + made.root_pem


def test_the_sealed_keys_are_those_of_the_certificates() -> None:
    made = hierarchy()
    FileSigner(made.root, open_key(made.root_key, PASSPHRASE))
    FileSigner(made.issuing, open_key(made.issuing_key, PASSPHRASE))


def small(**changes: object) -> Hierarchy:
    plain: dict[str, object] = {
        "names": NAMES,
        "urls": URLS,
        "now": NOW,
        "passphrase": PASSPHRASE,
        "random_bytes": os.urandom,
        "root_key": KeyKind.P_384,
        "issuing_key": KeyKind.P_256,
        "cost": 15,
    }
    return establish(**plain | changes)  # type: ignore[arg-type]


def test_the_root_may_have_a_passphrase_and_a_key_kind_of_its_own() -> None:
    made = small(root_passphrase=b"kept in the safe", root_crl_validity=timedelta(days=90))
    assert open_key(made.root_key, b"kept in the safe").kind is KeyKind.P_384
    assert open_key(made.issuing_key, PASSPHRASE).kind is KeyKind.P_256
    with pytest.raises(CaError):
        open_key(made.root_key, PASSPHRASE)
    assert x509.load_der_x509_crl(made.root_crl).next_update_utc == NOW + timedelta(days=90)


def test_the_keys_never_show_when_printed() -> None:
    assert "key" not in repr(hierarchy()).lower()


def test_names_that_cannot_stand_in_a_certificate_are_refused() -> None:
    with pytest.raises(CaError) as raised:
        small(names=replace(NAMES, root="ルート認証局"))
    assert raised.value.kind is CaErrorKind.SUBJECT_INVALID


@given(st.binary(min_size=1, max_size=70_000))
def test_the_frame_of_a_signed_value_has_the_right_lengths(signature: bytes) -> None:
    der = signed(b"\x30\x00", b"\x30\x00", signature)
    lead = 2 if der[1] < 0x80 else 2 + (der[1] & 0x7F)
    length = der[1] if der[1] < 0x80 else int.from_bytes(der[2:lead])
    assert len(der) == lead + length
    assert der.endswith(b"\x00" + signature)
    # The shortest form, as DER wants it (X.690, 10.1).
    if lead > 2:
        assert length >= 0x80
        assert der[2] != 0
