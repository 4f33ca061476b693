"""The openssl command line as judge: it shares no code with us."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection

from ca import register
from ca.crl import Entry, Reason, plan
from ca.issue import new_serial, prepare
from ca.keys import KeyKind
from ca.profiles import Role
from support.authorities import (
    NOW,
    certificate,
    hierarchy,
    issue_one,
    openssl,
    pem,
    prepared,
    publish,
    request,
    signer,
    subject,
)

HOUR = timedelta(hours=1)


def crl_pem(der: bytes) -> bytes:
    return x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)


def verify(
    folder: Path, leaf: x509.Certificate, crls: list[bytes], *options: str, at: datetime, kind: KeyKind = KeyKind.P_256
) -> str:
    """What `openssl verify` says: OK, or its error lines."""
    made = hierarchy(kind)
    files = {
        "root.pem": made.root_pem,
        "issuing.pem": made.issuing_pem,
        "leaf.pem": pem(leaf),
        "crls.pem": b"".join(map(crl_pem, crls)),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    done = openssl(
        *("verify", "-x509_strict", "-purpose", "sslclient", "-attime", str(int(at.timestamp())), *options),
        *("-CAfile", folder / "root.pem", "-untrusted", folder / "issuing.pem", "-CRLfile", folder / "crls.pem"),
        folder / "leaf.pem",
    )
    if done.returncode == 0:
        assert done.stdout.endswith("leaf.pem: OK\n")
        return "OK"
    return done.stderr


def test_a_living_certificate_is_accepted_and_a_revoked_one_refused(conn: Connection, tmp_path: Path) -> None:
    living, revoked = issue_one(conn, case_id=1), issue_one(conn, case_id=2)
    register.revoke(conn, revoked, at=NOW + HOUR, reason=Reason.SUPERSEDED, now=NOW + HOUR)
    issuing_crl = publish(conn, NOW + HOUR).der
    both = [issuing_crl, hierarchy().root_crl]
    at = NOW + 2 * HOUR
    for options, crls in ((["-crl_check"], [issuing_crl]), (["-crl_check", "-crl_check_all"], both)):
        assert verify(tmp_path, certificate(conn, living), crls, *options, at=at) == "OK"
        assert "error 23 at 0 depth lookup: certificate revoked" in verify(
            tmp_path, certificate(conn, revoked), crls, *options, at=at
        )


def test_without_the_roots_crl_everybody_is_refused(conn: Connection, tmp_path: Path) -> None:
    """Why the root's CRL is made together with the root (field notes, section 7)."""
    living = certificate(conn, issue_one(conn, case_id=1))
    crls = [publish(conn, NOW).der]
    assert "error 3" in verify(tmp_path, living, crls, "-crl_check", "-crl_check_all", at=NOW + HOUR)


@pytest.mark.parametrize(
    ("at", "verdict"),
    [
        (timedelta(0), "OK"),
        # OpenSSL counts the very second of notAfter as over already, where RFC 5280 (4.1.2.5) counts it in.
        (timedelta(days=760) - timedelta(seconds=2), "OK"),
        (timedelta(days=760), "error 10"),
        (timedelta(seconds=-1), "error 9"),
    ],
)
def test_a_certificate_is_good_from_its_first_to_its_last_second(
    conn: Connection, tmp_path: Path, at: timedelta, verdict: str
) -> None:
    leaf = certificate(conn, issue_one(conn, case_id=1))
    assert verdict in verify(tmp_path, leaf, [hierarchy().root_crl], at=NOW + at)


def test_a_crl_past_its_next_update_refuses_everybody(conn: Connection, tmp_path: Path) -> None:
    leaf = certificate(conn, issue_one(conn, case_id=1))
    crls = [publish(conn, NOW, days=7).der]
    assert verify(tmp_path, leaf, crls, "-crl_check", at=NOW + timedelta(days=6)) == "OK"
    assert "error 12" in verify(tmp_path, leaf, crls, "-crl_check", at=NOW + timedelta(days=8))


def test_a_subscriber_certificate_is_no_server_and_no_authority(conn: Connection, tmp_path: Path) -> None:
    leaf = certificate(conn, issue_one(conn, case_id=1))
    crls = [hierarchy().root_crl]
    for purpose in ("sslserver", "smimesign"):
        assert "error 26" in verify(tmp_path, leaf, crls, "-purpose", purpose, at=NOW + HOUR)


@pytest.mark.parametrize("kind", [KeyKind.RSA_3072, KeyKind.P_256, KeyKind.P_384])
@pytest.mark.parametrize("name", ["subscriber-2048", "subscriber-p256"])
def test_every_kind_of_key_verifies_strictly(tmp_path: Path, kind: KeyKind, name: str) -> None:
    made = hierarchy(kind)
    one = signer(kind=kind)
    leaf = x509.load_der_x509_certificate(
        one.sign_certificate(prepare(request(name=name), made.issuing, new_serial(os.urandom)))
    )
    reasons = sorted(set(Reason) - {Reason.REMOVE_FROM_CRL})
    entries = [Entry(new_serial(os.urandom), NOW, reason, NOW) for reason in reasons]
    crl = one.sign_crl(plan(made.issuing, 1, entries, NOW, NOW + timedelta(days=7)))
    crls = [crl, made.root_crl]
    assert verify(tmp_path, leaf, crls, "-crl_check", "-crl_check_all", at=NOW + HOUR, kind=kind) == "OK"
    for name_of_it, der, issuer in (("a.crl", crl, made.issuing_pem), ("r.crl", made.root_crl, made.root_pem)):
        (tmp_path / name_of_it).write_bytes(der)
        (tmp_path / "issuer.pem").write_bytes(issuer)
        path = tmp_path / name_of_it
        done = openssl("crl", "-in", path, "-inform", "DER", "-CAfile", tmp_path / "issuer.pem", "-noout", "-verify")
        assert done.returncode == 0
        assert "verify OK" in done.stderr


def test_openssl_reads_what_we_meant(tmp_path: Path) -> None:
    ready = prepared(subject(organization="A&B Co., Ltd."))
    (tmp_path / "leaf.cer").write_bytes(signer().sign_certificate(ready))
    text = openssl("x509", "-in", tmp_path / "leaf.cer", "-inform", "DER", "-noout", "-text").stdout
    for line in (
        "Version: 3 (0x2)",
        'Subject: C = JP, O = "A&B Co., Ltd.", CN = Taro YAMADA, serialNumber = W000001',
        "Not Before: Jul  1 03:00:00 2026 GMT",
        "Not After : Jul 30 02:59:59 2028 GMT",
        "X509v3 Basic Constraints: critical\n                CA:FALSE",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n",
        "email:taro@aozora-denki.example",
        "URI:http://pki.lra.example/issuing.crl",
        "CA Issuers - URI:http://pki.lra.example/issuing.cer",
        "Policy: 1.3.6.1.4.1.32473.1.1",
    ):
        assert line in text, line


def test_openssl_reads_the_crl_as_version_2_with_our_reasons(tmp_path: Path) -> None:
    entries = [Entry(0xABCDEF << 80, NOW, Reason.AFFILIATION_CHANGED), Entry(0xFEDCBA << 80, NOW)]
    root = hierarchy().root
    crl = signer(Role.ROOT).sign_crl(plan(root, 5, entries, NOW, NOW + timedelta(days=30)))
    (tmp_path / "a.crl").write_bytes(crl)
    text = openssl("crl", "-in", tmp_path / "a.crl", "-inform", "DER", "-noout", "-text").stdout
    assert "Version 2 (0x1)" in text
    assert "X509v3 CRL Number: \n                5" in text
    assert text.count("Serial Number:") == 2
    assert text.count("X509v3 CRL Reason Code") == 1
    assert "Affiliation Changed" in text
