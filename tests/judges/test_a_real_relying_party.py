"""nginx asks for our certificates and reads our CRL: curl and a headless Chromium get in with an issued file, and are
refused after the revocation.

Chromium chooses a certificate by itself only where a policy says so; the policy is put into a mount namespace of its
own, so nothing is left on the machine. That takes root, which the tests run as where they are judged.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from ca.bundle import BundleKind
from ca.keys import KeyKind
from judges.conftest import Issued, World
from support.throwaway_tls import write_server_tls

CONFIGURATION = """
daemon off; master_process on; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log info;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    # A resumed session is not looked up in the CRL again (measured): no cache, no tickets.
    ssl_session_cache off; ssl_session_tickets off;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key;
        ssl_verify_client on; ssl_client_certificate {folder}/chain.pem; ssl_verify_depth 2; ssl_crl {folder}/crl.pem;
        location / {{ default_type text/html; return 200 "LOGIN-OK $ssl_client_serial"; }}
    }}
}}
"""
CHROMIUM = (
    *("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
LONGEST = 60


class RelyingParty:
    """nginx on a port of loopback."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        write_server_tls(folder, "edi.example")
        (folder / "chain.pem").write_bytes(world.made.issuing_pem + world.made.root_pem)
        self.publish()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        configuration = folder / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(folder=folder, port=self.port))
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-c", configuration, "-e", folder / "error.log"])
        self._wait_for(lambda: socket.create_connection(("127.0.0.1", self.port), 1).close())

    def publish(self, *revoked: Issued) -> None:
        part = self.folder / "crl.part"
        part.write_bytes(self.world.crl(*(each.certificate for each in revoked)))
        part.replace(self.folder / "crl.pem")

    def reload(self) -> None:
        """Workers of before serve no new connection once the new one listens: its start is in the log."""
        log = self.folder / "error.log"
        before = log.read_text().count("start worker process ")
        self.process.send_signal(signal.SIGHUP)
        self._wait_for(lambda: _must(log.read_text().count("start worker process ") > before))
        gone = "exited with code 0"
        self._wait_for(lambda: _must(log.read_text().count(gone) >= before))

    def _wait_for(self, attempt) -> None:
        deadline = time.monotonic() + LONGEST
        while True:
            try:
                return attempt()
            except OSError:
                assert self.process.poll() is None, (self.folder / "error.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(LONGEST)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/"


def _must(condition: bool) -> None:
    if not condition:
        raise OSError("not yet")


@pytest.fixture
def party(worlds, tmp_path):
    opened = RelyingParty(worlds[KeyKind.P_256], tmp_path)
    yield opened
    opened.close()


def shown(issued) -> str:
    """The serial number as nginx writes it: whole octets, none of them a leading zero."""
    digits = f"{issued.certificate.serial_number:X}"
    return digits.rjust(len(digits) + len(digits) % 2, "0")


def curl(party: RelyingParty, path: Path, password: str) -> str:
    """What curl shows of the page; empty for no certificate."""
    # The password stands in a file of ours, not on the command line.
    options = party.folder / "curlrc"
    options.write_text(f'cert = "{path}:{password}"\ncert-type = "P12"\n')
    done = subprocess.run(
        ["curl", "-sS", "-K", options, "--cacert", party.folder / "ca.pem", party.url],
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    return done.stdout


def test_curl_gets_in_with_either_kind_of_file_and_is_refused_after_the_revocation(party):
    world = party.world
    one, other = (world.issue("subscriber-p256") for _ in range(2))
    first = world.pack(one, BundleKind.MODERN, "WEBEC-20261201-0001")
    second = world.pack(other, BundleKind.LEGACY, "WEBEC-20261201-0002")
    for issued, (path, password) in ((one, first), (other, second)):
        assert curl(party, path, password) == f"LOGIN-OK {shown(issued)}"
    party.publish(other)
    party.reload()
    assert curl(party, *first).startswith("LOGIN-OK")
    refused = curl(party, *second)
    assert "400" in refused
    assert "LOGIN-OK" not in refused
    assert "certificate revoked" in (party.folder / "error.log").read_text()


def _can_have_a_namespace() -> bool:
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _can_have_a_namespace(), reason="a policy of our own for Chromium takes root")
def test_chromium_gets_in_with_an_issued_file_and_is_refused_after_the_revocation(party):
    world = party.world
    issued = world.issue("subscriber-p256")
    path, password = world.pack(issued, BundleKind.MODERN, "WEBEC-20261201-0001 髙橋 花子")
    home = party.folder / "home"
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    secret = party.folder / "password"
    secret.write_text(password)
    nss = ("-d", f"sql:{database}")
    for command in (
        ("certutil", "-N", *nss, "--empty-password"),
        ("certutil", "-A", *nss, "-n", "server", "-t", "C,,", "-i", party.folder / "ca.pem"),
        ("pk12util", "-i", path, *nss, "-w", secret, "-K", ""),
    ):
        subprocess.run(command, check=True, capture_output=True, timeout=LONGEST)
    filters = {"pattern": party.url.rstrip("/"), "filter": {"ISSUER": {"CN": "Example Client CA 1"}}}
    policy = party.folder / "policy.json"
    policy.write_text(json.dumps({"AutoSelectCertificateForUrls": [json.dumps(filters)]}))

    def browse() -> str:
        profile = party.folder / "profile"
        shutil.rmtree(profile, ignore_errors=True)
        place = "/etc/chromium/policies/managed"
        script = f'mount -t tmpfs none /etc/chromium && mkdir -p {place} && cp "$0" {place}/edi.json && exec "$@"'
        done = subprocess.run(
            [
                "unshare",
                "-m",
                "sh",
                "-c",
                script,
                policy,
                *CHROMIUM,
                f"--user-data-dir={profile}",
                "--dump-dom",
                party.url,
            ],
            capture_output=True,
            text=True,
            timeout=LONGEST,
            env={"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
            check=False,
        )
        return done.stdout

    assert f"LOGIN-OK {shown(issued)}" in browse()
    party.publish(issued)
    party.reload()
    seen = browse()
    assert "400 Bad Request" in seen
    assert "LOGIN-OK" not in seen
