"""A PKCS#12 file is opened by another program before anybody gets it, and what is wrong with it stops the issuance."""

import os
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

from ca import bundle
from ca.bundle import BundleKind, make_key, make_password, pack
from ca.errors import CaError, CaErrorKind
from ca.keys import KeyKind, generate
from daemon import checklist, opening
from support.authorities import hierarchy, prepared, profile, signer

PASSWORD = make_password(os.urandom)


def made(name="subscriber-p256", kind=BundleKind.MODERN):
    key = make_key(profile(name))
    certificate = x509.load_der_x509_certificate(signer().sign_certificate(prepared(name=name, key=key)))
    chain = [hierarchy().issuing.certificate]
    data = pack(key, certificate, chain, password=PASSWORD, friendly_name="WEBEC-20261201-0001", kind=kind)
    return key, certificate, chain, data


def refused(*arguments):
    with pytest.raises(CaError) as raised:
        opening.open_again(*arguments)
    assert raised.value.kind is CaErrorKind.MISMATCH
    return str(raised.value)


@pytest.mark.parametrize("kind", list(BundleKind))
@pytest.mark.parametrize("name", ["subscriber-p256", "subscriber-2048"])
def test_both_kinds_of_file_and_key_are_opened(name, kind):
    _, certificate, chain, data = made(name, kind)
    opening.open_again(data, PASSWORD, certificate, chain)


def test_what_is_not_what_it_should_be_is_refused():
    key, certificate, chain, data = made()
    assert "does not open" in refused(data, PASSWORD + "x", certificate, chain)
    assert "does not open" in refused(data[:-20], PASSWORD, certificate, chain)
    assert "does not open" in refused(b"", PASSWORD, certificate, chain)
    _, another, _, _ = made()
    assert "other certificates" in refused(data, PASSWORD, another, chain)
    assert "other certificates" in refused(data, PASSWORD, certificate, [])
    assert "other certificates" in refused(data, PASSWORD, certificate, [hierarchy().root.certificate])
    encryption = bundle._encryption(BundleKind.MODERN, PASSWORD)
    without = pkcs12.serialize_key_and_certificates(b"x", None, certificate, chain, encryption)
    assert "no key" in refused(without, PASSWORD, certificate, chain)
    foreign = made()[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    text = foreign + certificate.public_bytes(Encoding.PEM) + chain[0].public_bytes(Encoding.PEM)
    with pytest.raises(CaError, match="key is not its certificate's"):
        bundle.check_opened(text, certificate, chain)
    other = generate(KeyKind.RSA_2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(CaError, match="key is not its certificate's"):
        bundle.check_opened(text.replace(foreign, other), certificate, chain)
    with pytest.raises(CaError, match="no key"):
        bundle.check_opened(text + foreign, certificate, chain)
    assert key.public_key() == certificate.public_key()


def test_the_password_stands_in_no_argument_and_no_environment(monkeypatch):
    _, certificate, chain, data = made()
    seen = {}
    run = subprocess.run

    def look(command, **options):
        seen.update(command=command, options=options)
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", look)
    opening.open_again(data, PASSWORD, certificate, chain)
    assert PASSWORD not in repr(seen["command"])
    assert PASSWORD not in repr(seen["options"]["env"])
    assert "PATH" not in seen["options"]["env"]
    assert seen["options"]["timeout"] == opening._SECONDS


def test_a_tool_that_does_not_come_to_an_end_is_ended(monkeypatch, tmp_path):
    _, certificate, chain, data = made()
    stuck = tmp_path / "stuck"
    stuck.write_text("#!/bin/sh\nexec sleep 600\n")
    stuck.chmod(0o700)
    monkeypatch.setattr(opening, "command", lambda: (str(stuck),))
    monkeypatch.setattr(opening, "_SECONDS", 0.2)
    assert "within" in refused(data, PASSWORD, certificate, chain)


def test_the_tool_is_held_to_its_limits():
    program = opening.command()
    limits = program[: program.index("--")]
    shown = subprocess.run([*limits, "--", "/bin/sh", "-c", "ulimit -a"], capture_output=True, text=True, check=True)
    lines = {line.partition("(")[0].strip(): line.split()[-1] for line in shown.stdout.splitlines()}
    assert {"0"} == {value for name, value in lines.items() if name.startswith(("file", "coredump"))}, lines


def test_a_machine_without_the_tool_is_told_so_and_issues_nothing(monkeypatch, stage):
    monkeypatch.setattr(opening, "_PATH", "/nowhere")
    with pytest.raises(opening.OpenerMissing, match="install the packages util-linux and openssl"):
        opening.command()
    verdicts = {each.name: each for each in checklist.verdicts(stage.centre.settings, stage.clock)}
    assert not verdicts["file opener"].in_order
    assert "install" in verdicts["file opener"].next_step
