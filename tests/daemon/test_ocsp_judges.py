"""Independent judges over HTTP on loopback: OpenSSL, GnuTLS, pkilint, curl. They live in the world's time, so we do too."""

import base64
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ca import register
from ca.crl import Reason
from daemon import ceremony, responders, upkeep
from support.authorities import openssl
from support.processes import die_with_parent, free_ports
from support.responding import asking, hold, rows_of, served, with_responder
from support.throwaway_tls import write_server_tls


@pytest.fixture
def world(stage, tmp_path):
    """A responder on loopback; files: chain.pem, issuing.pem, and a certificate for each standing."""
    centre = replace(stage.centre, clock=lambda: datetime.now(UTC))
    centre = with_responder(centre)
    centre = replace(centre, random_bytes=stage.centre.random_bytes)
    responders.look_after(centre)
    upkeep.publish_crl(centre)
    with centre.store.transaction() as tx:
        ceremony.publish(centre.settings, ceremony.public_files(tx))
    good, revoked, on_hold, gone = (hold(centre, number=number) for number in range(1, 5))
    at = centre.clock() - timedelta(minutes=1)
    with centre.store.transaction() as tx:
        register.revoke(tx, revoked, at=at, reason=Reason.KEY_COMPROMISE, now=centre.clock())
        for name, serial in (("good", good), ("revoked", revoked), ("other", on_hold), ("gone", gone)):
            certificate = x509.load_der_x509_certificate(register.find(tx, serial).der)
            (tmp_path / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    for name in ("chain", "issuing"):
        (tmp_path / f"{name}.pem").write_bytes((centre.public / f"{name}.pem").read_bytes())
    with served(centre) as server:
        yield centre, f"http://127.0.0.1:{server.port}", tmp_path, good


def ask(url, folder, *arguments):
    done = openssl(
        "ocsp", "-issuer", folder / "issuing.pem", "-url", f"{url}/ocsp", "-CAfile", folder / "chain.pem", *arguments
    )
    assert done.returncode == 0, done.stderr
    assert "Response verify OK" in done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("nonce", ["-nonce", "-no_nonce"])
@pytest.mark.parametrize("digest", ["-sha1", "-sha256"])
def test_openssl_is_told_good_revoked_and_unknown(world, digest, nonce):
    _, url, folder, _ = world
    serials = ["-serial", "0x1234567890"]
    said = ask(url, folder, nonce, digest, "-cert", folder / "good.pem", digest, "-cert", folder / "revoked.pem")
    assert f"{folder / 'good.pem'}: good" in said
    assert f"{folder / 'revoked.pem'}: revoked" in said
    assert "Reason: keyCompromise" in said
    assert "WARNING" not in said
    assert ": unknown" in ask(url, folder, nonce, digest, *serials)
    alone = ask(url, folder, nonce, digest, "-cert", folder / "good.pem")
    assert ": good" in alone
    assert "WARNING" not in alone


def test_openssl_finds_the_responders_certificate_strictly_in_order(world, tmp_path):
    centre, _, folder, _ = world
    (row,) = rows_of(centre)
    (folder / "responder.pem").write_bytes(x509.load_der_x509_certificate(row.der).public_bytes(Encoding.PEM))
    done = openssl(
        "verify", "-x509_strict", "-purpose", "ocsphelper", "-CAfile", folder / "chain.pem", folder / "responder.pem"
    )
    assert done.returncode == 0, done.stderr


def test_gnutls_is_told_the_same(world):
    _, url, folder, _ = world
    for name, said in (("good", "good"), ("revoked", "revoked")):
        done = subprocess.run(
            [
                *("ocsptool", f"--ask={url}/ocsp", "--load-cert", folder / f"{name}.pem"),
                *("--load-issuer", folder / "issuing.pem", "--load-trust", folder / "chain.pem", "--nonce"),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert f"Certificate Status: {said}" in done.stdout, done.stdout + done.stderr
        assert "Verifying OCSP Response: Success" in done.stdout


def test_pkilint_has_nothing_to_say_above_a_notice(world):
    centre, _, folder, _ = world
    with centre.store.transaction() as tx:
        serials = [row.serial for row in register.every(tx)]
    for number, serial in enumerate([*serials[:3], 0x1234]):
        path = folder / f"{number}.ocsp"
        path.write_bytes(centre.responder.answer(asking(centre, serial, nonce=b"n" * 32 if number else None)).body)
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pkilint.bin.lint_ocsp_response", "lint", "-s", "NOTICE", path],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr


def test_pkilint_has_nothing_to_say_about_the_responders_certificate(world):
    centre, _, folder, _ = world
    (row,) = rows_of(centre)
    path = folder / "responder.der"
    path.write_bytes(row.der)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pkilint.bin.lint_pkix_cert", "lint", "-s", "NOTICE", path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr


def test_curl_gets_by_path_what_it_posts_and_the_published_files(world):
    centre, url, folder, good = world
    der = asking(centre, good)

    def curl(*arguments):
        done = subprocess.run(
            ["curl", "-sS", "--fail", "-D", folder / "head", *arguments], capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout, (folder / "head").read_text().lower()

    (folder / "request").write_bytes(der)
    by_post, _ = curl(
        "--data-binary", f"@{folder / 'request'}", "-H", "Content-Type: application/ocsp-request", f"{url}/ocsp"
    )
    by_get, head = curl(f"{url}/ocsp/{quote(base64.b64encode(der).decode(), safe='')}")
    assert by_get == by_post
    assert "content-type: application/ocsp-response" in head
    assert "cache-control: max-age=300" in head
    tag = next(line.partition(": ")[2].strip() for line in head.splitlines() if line.startswith("etag"))
    assert (
        "304" in curl("-H", f"If-None-Match: {tag}", f"{url}/ocsp/{quote(base64.b64encode(der).decode(), safe='')}")[1]
    )
    crl, head = curl(f"{url}/issuing.crl")
    assert x509.load_der_x509_crl(crl).issuer == centre.signer.authority.name
    assert "content-type: application/pkix-crl" in head


NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log info;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    ssl_session_cache off; ssl_session_tickets off;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key;
        ssl_verify_client on; ssl_client_certificate {folder}/chain.pem; ssl_verify_depth 2;
        ssl_ocsp leaf; ssl_ocsp_responder {url}/ocsp; ssl_ocsp_cache off;
        location / {{ return 200 "LOGIN-OK"; }}
    }}
}}
"""


def test_nginx_asks_us_and_lets_nobody_in_from_the_moment_of_the_revocation(world):
    """No CRL, no reload: the very next connection is refused."""
    centre, url, folder, _ = world
    key = ec.generate_private_key(ec.SECP256R1())
    serial = hold(centre, number=9, key=key)
    with centre.store.transaction() as tx:
        certificate = x509.load_der_x509_certificate(register.find(tx, serial).der)
    clear = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "client.pem").write_bytes(certificate.public_bytes(Encoding.PEM) + clear)
    write_server_tls(folder, "edi.example")
    port = free_ports(1)[0]
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, url=url))

    def login(*retries):
        done = subprocess.run(
            [
                *("curl", "-sS", *retries, "--cacert", folder / "ca.pem", "--cert", folder / "client.pem"),
                f"https://127.0.0.1:{port}/",
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout

    command = ["/usr/sbin/nginx", "-c", folder / "nginx.conf", "-e", folder / "error.log"]
    with subprocess.Popen(command, preexec_fn=die_with_parent) as nginx:  # noqa: PLW1509 - prctl(2) alone
        try:
            assert login("--retry", "20", "--retry-connrefused", "--retry-delay", "1") == "LOGIN-OK"
            with centre.store.transaction() as tx:
                register.revoke(tx, serial, at=centre.clock(), reason=Reason.KEY_COMPROMISE, now=centre.clock())
            refused = login()
            assert "400" in refused
            assert "LOGIN-OK" not in refused
        finally:
            nginx.terminate()
    assert "revoked" in (folder / "error.log").read_text()
