"""The commands under `ogis-lra ca`, as an operator types them at a ceremony."""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from sqlalchemy import text

from ca.hierarchy import ISSUING_ID, ROOT_ID
from config.settings import load
from daemon import ceremony, root_key
from daemon.keyring import open_keys, open_root_key, sealed_key
from daemon.store import Store
from support.authorities import openssl
from support.centres import START
from support.command_lines import CommandLine, write_config, write_credential
from support.requests import csr
from support.tokens import PIN, SoftHsm, module

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A centre just established, with keys on P-256, sealed cheaply."""
    folder = tmp_path_factory.mktemp("established")
    settings = load(configured(folder))
    ceremony.make_secrets(settings)
    ceremony.establish_authority(settings, now=START, cost=15, people=("田中 恵子", "Witness One"))
    return folder


def configured(folder):
    config = write_config(folder)
    config.write_text(config.read_text().replace("[ca]\n", '[ca]\nkey = "p-256"\n'))
    return config


@pytest.fixture
def lra(template, tmp_path, capsys):
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return CommandLine(configured(tmp_path), lambda: START, capsys)


def centre_of(lra):
    return lra.config.parent / "centre"


def records(lra):
    return sorted((centre_of(lra) / "ceremony").iterdir())


def query(lra, statement):
    store = Store(load(lra.config).database)
    try:
        with store.transaction() as tx:
            return tx.execute(text(statement)).all()
    finally:
        store.close()


def test_the_record_names_people_and_figures_that_openssl_finds_too_and_no_secret(lra):
    (record,) = records(lra)
    told = record.read_text()
    public = centre_of(lra) / "public"
    for name in ("root", "issuing"):
        said = openssl("x509", "-in", public / f"{name}.pem", "-noout", "-fingerprint", "-sha256", "-serial").stdout
        fingerprint = re.search(r"Fingerprint=(.*)", said)[1].replace(":", "").lower()
        assert fingerprint in told.replace(" ", "")
        assert re.search(r"serial=0*(.*)", said)[1].lower() in told
    assert "田中 恵子" in told
    assert "Witness One" in told
    for path in (*public.iterdir(), *(centre_of(lra) / "keys").iterdir()):
        if path.suffix != ".pem" or "crl" not in path.name:
            assert hashlib.sha256(path.read_bytes()).hexdigest() in told, path.name
    for path in (centre_of(lra) / "credentials").iterdir():
        assert path.read_text().strip() not in told
    ((detail,),) = query(lra, "SELECT detail FROM events WHERE kind = 'ceremony_recorded'")
    assert hashlib.sha256(record.read_bytes()).hexdigest() in str(detail)


def test_the_roots_key_goes_to_the_safe_and_comes_back_for_the_rollover(lra, tmp_path):
    safe, credentials = tmp_path / "safe.key", centre_of(lra) / "credentials"
    done = lra("ca", "export", "--root-key", str(safe), "--remove", "--json")
    assert (done.code, done.document["removed"]) == (0, True)
    settings = load(lra.config)
    assert not sealed_key(settings, ROOT_ID).exists()
    # Passphrase and key lie in different safes; the service does without both.
    passphrase = (credentials / "root-passphrase").read_text().strip()
    (credentials / "root-passphrase").unlink()
    assert open_keys(settings, clock=lra.clock).signer.authority.id == ISSUING_ID
    assert lra("init").code == 0
    assert not (credentials / "root-passphrase").exists()
    refused = lra("ca", "rollover")
    assert (refused.code, "bring it back" in refused.err) == (2, True)

    write_credential(tmp_path, "root-passphrase", passphrase)
    assert lra("ca", "import", "--root-key", str(safe)).code == 0
    rolled = lra("ca", "rollover", "--present", "Keiko", "--json")
    assert (rolled.code, rolled.document["id"]) == (0, "issuing-2")
    public = centre_of(lra) / "public"
    judged = openssl(
        "verify",
        "-x509_strict",
        "-attime",
        str(int(START.timestamp())),
        "-CAfile",
        public / "root.pem",
        public / "issuing-2.pem",
    )
    assert judged.returncode == 0, judged.stderr
    assert [path.name.rpartition("Z-")[2] for path in records(lra)] == ["export.txt", "init.txt", "rollover.txt"]


def test_an_exported_key_is_sealed_under_the_roots_passphrase_alone(lra, tmp_path):
    safe = tmp_path / "safe.key"
    assert lra("ca", "export", "--root-key", str(safe)).code == 0
    assert safe.stat().st_mode & 0o777 == 0o600
    write_credential(tmp_path, "root-passphrase", "another one")
    refused = lra("ca", "import", "--root-key", str(safe))
    assert (refused.code, "does not open" in refused.err) == (2, True)
    again = lra("ca", "export", "--root-key", str(safe))
    assert again.code == 2
    assert sealed_key(load(lra.config), ROOT_ID).exists()


def test_what_does_not_read_back_is_not_removed(lra, tmp_path, monkeypatch):
    monkeypatch.setattr(root_key, "_from_disk", lambda path: path.read_bytes()[:-1] + b"?")
    done = lra("ca", "export", "--root-key", str(tmp_path / "bad.key"), "--remove")
    assert done.code == 2
    open_root_key(load(lra.config))


def test_another_cas_key_is_not_taken_for_the_roots(lra):
    credentials = centre_of(lra) / "credentials"
    (credentials / "root-passphrase").write_text((credentials / "ca-passphrase").read_text())
    refused = lra("ca", "import", "--root-key", str(centre_of(lra) / "keys" / "issuing.key"))
    assert (refused.code, "another CA" in refused.err) == (2, True)


def test_show_lists_every_authority_with_state_key_and_last_crl(lra):
    assert lra("crl", "--publish").code == 0
    assert lra("ca", "rollover", "--from", f"{START.year + 1}-01-01").code == 0
    shown = lra("ca", "show", "--json")
    assert shown.code == 0
    told = {each["id"]: each for each in shown.document["authorities"]}
    assert {name: each["state"] for name, each in told.items()} == {
        "root": "root",
        "issuing-1": "current",
        "issuing-2": "coming",
    }
    assert (told["issuing-1"]["key_place"], told["issuing-1"]["crl_number"]) == ("file issuing.key", 1)
    assert told["issuing-2"]["crl_number"] is None
    text_ = lra("ca", "show").out
    assert all(f"{name} (" in text_ for name in told)


def test_a_web_server_gets_a_certificate_for_its_own_key_and_every_approver_is_told(lra, tmp_path):
    (tmp_path / "portal.csr").write_bytes(csr())
    out, public = tmp_path / "portal.pem", centre_of(lra) / "public"
    done = lra(
        "ca",
        "issue-tls",
        "portal.lra.example",
        "www.lra.example",
        "--csr",
        str(tmp_path / "portal.csr"),
        "--out",
        str(out),
        "--json",
    )
    assert done.code == 0, done.err
    for host in ("portal.lra.example", "www.lra.example"):
        judged = openssl(
            "verify",
            "-x509_strict",
            "-purpose",
            "sslserver",
            "-verify_hostname",
            host,
            "-attime",
            str(int(START.timestamp())),
            "-CAfile",
            public / "root.pem",
            "-untrusted",
            out,
            out,
        )
        assert judged.returncode == 0, judged.stderr
    certificate = x509.load_pem_x509_certificates(out.read_bytes())[0]
    assert certificate.public_key() == x509.load_pem_x509_csr(csr()).public_key()
    assert "somebody" not in certificate.subject.rfc4514_string()
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    letters = query(lra, "SELECT recipient FROM letters WHERE key LIKE 'staff:own-issued:%'")
    assert len(letters) == len(load(lra.config).approvers)
    assert lra("crl", "--publish").code == 0
    assert lra("verify").code == 0
    assert lra("certs").code == 0
    revoked = lra("ca", "revoke", done.document["serial"], "--reason", "superseded")
    assert revoked.code == 0, revoked.err
    crl = x509.load_der_x509_crl((public / "issuing.crl").read_bytes())
    assert [entry.serial_number for entry in crl] == [certificate.serial_number]
    assert lra("ca", "revoke", done.document["serial"], "--reason", "superseded").code == 2


@pytest.mark.parametrize(
    ("hosts", "request_", "said"),
    [
        (["portal"], csr(), "host_malformed"),
        (["*.lra.example"], csr(), "common_name_characters"),
        (["portal.lra.example"], csr(ec.SECP384R1), "key of the request must be p-256"),
        (["portal.lra.example"], b"no request", "holds no certificate request"),
    ],
)
def test_a_request_that_is_wrong_costs_no_serial_number(lra, tmp_path, hosts, request_, said):
    (tmp_path / "portal.csr").write_bytes(request_)
    done = lra("ca", "issue-tls", *hosts, "--csr", str(tmp_path / "portal.csr"), "--out", str(tmp_path / "out.pem"))
    assert done.code == 2
    assert said in done.err
    assert query(lra, "SELECT serial FROM certificates") == []


def test_staff_get_a_certificate_that_signs_mail_for_their_listed_address_only(lra, tmp_path):
    approver = load(lra.config).approvers[0]
    out = tmp_path / "tanaka.p12"
    done = lra("ca", "issue-staff", approver.address.upper(), "--name", "Keiko TANAKA", "--out", str(out), "--json")
    assert done.code == 0, done.err
    password = (tmp_path / "tanaka.p12.password").read_text().strip()
    assert password not in done.out + done.err
    assert (tmp_path / "tanaka.p12.password").stat().st_mode & 0o777 == 0o600
    _, certificate, chain = pkcs12.load_key_and_certificates(out.read_bytes(), password.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.RFC822Name) == [approver.address]
    (tmp_path / "leaf.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (tmp_path / "chain.pem").write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in chain))
    judged = openssl(
        "verify",
        "-x509_strict",
        "-purpose",
        "smimesign",
        "-attime",
        str(int(START.timestamp())),
        "-CAfile",
        centre_of(lra) / "public" / "root.pem",
        "-untrusted",
        tmp_path / "chain.pem",
        tmp_path / "leaf.pem",
    )
    assert judged.returncode == 0, judged.stderr
    stranger = lra("ca", "issue-staff", "stranger@lra.example", "--name", "S", "--out", str(tmp_path / "s.p12"))
    assert (stranger.code, "no approver" in stranger.err) == (2, True)


def test_a_centre_whose_issuing_key_is_in_a_token_is_established_checked_rolled_over_and_verified(tmp_path, capsys):
    hsm = SoftHsm.start(tmp_path / "hsm")
    hsm.new_token("centre")
    config = write_config(tmp_path)
    lines = f'key = "p-256"\nkey_store = "pkcs11"\npkcs11_module = "{module()}"\npkcs11_token = "centre"\n'
    config.write_text(config.read_text().replace("[ca]\n", f"[ca]\n{lines}"))
    write_credential(tmp_path, "pkcs11-pin", PIN)
    lra = CommandLine(config, lambda: START, capsys)
    assert lra("init", "--present", "Keiko").code == 0
    assert not (centre_of(lra) / "keys" / "issuing.key").exists()
    assert lra("ca", "rollover").code == 0
    shown = lra("ca", "show", "--json").document["authorities"]
    assert [each["key_place"] for each in shown] == [
        "file root.key",
        "token centre, key issuing-2",
        "token centre, key issuing-1",
    ]
    assert lra("crl", "--publish").code == 0
    (tmp_path / "portal.csr").write_bytes(csr())
    done = lra(
        "ca",
        "issue-tls",
        "portal.lra.example",
        "--csr",
        str(tmp_path / "portal.csr"),
        "--out",
        str(tmp_path / "out.pem"),
    )
    assert done.code == 0, done.err
    assert lra("verify").code == 0
    checked = {each["check"]: each for each in lra("check", "--json").document}
    assert checked["certificate authority"]["in_order"], checked["certificate authority"]
    assert checked["credential pkcs11-pin"]["in_order"]
    hsm.pull_out()
    checked = {each["check"]: each for each in lra("check", "--json").document}
    assert not checked["certificate authority"]["in_order"]
    assert PIN not in "".join(path.read_text(errors="replace") for path in centre_of(lra).rglob("*.txt"))


def test_a_service_that_crashes_leaves_no_core_dump():
    code = "import resource; from daemon.service import keep_out_of_dumps; keep_out_of_dumps(); print(resource.getrlimit(resource.RLIMIT_CORE))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == b"(0, 0)"
