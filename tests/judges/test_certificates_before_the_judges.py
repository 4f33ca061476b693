"""Programs that share no code with us judge what we issue: every profile, every kind of file, the longest names.

pkilint, the openssl command, GnuTLS' certtool, NSS' certutil and pk12util, Java's keytool.
"""

import subprocess
from itertools import product

import pytest
from pkilint.bin import lint_pkix_cert, lint_pkix_signer_signee_cert_chain

from ca.bundle import BundleKind
from ca.keys import KeyKind
from judges.conftest import LONG, PLAIN, SUBSCRIBERS

KINDS = (KeyKind.RSA_3072, KeyKind.P_256)
JAPANESE = "WEBEC-20261201-0001 髙橋 花子"


def run(*command, passes=None):
    """The output of a tool; it must be content."""
    environment = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"} | (passes or {})
    done = subprocess.run(
        [str(each) for each in command],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def issued(worlds):
    """One certificate of each profile and subject under each hierarchy."""
    return {
        (kind, name, who): worlds[kind].issue(name, who)
        for kind, name, who in product(KINDS, SUBSCRIBERS, (PLAIN, LONG))
        # An RSA key takes long and says nothing new under the second authority or name.
        if name.endswith("p256") or (kind is KeyKind.RSA_3072) == (who is LONG)
    }


@pytest.fixture(scope="module")
def files(worlds, issued):
    """A PKCS#12 file of each kind of key, kind of file and kind of name."""
    found = []
    for (kind, name, who), one in issued.items():
        if who is LONG or name != "staff_smime":
            for bundle, friendly in ((BundleKind.MODERN, JAPANESE), (BundleKind.LEGACY, "WEBEC-20261201-0001")):
                path, password = worlds[kind].pack(one, bundle, friendly)
                found.append((path, password, one, friendly, bundle))
    return found


def test_every_profile_and_key_of_ours_is_before_the_judges(issued):
    assert {name for _, name, _ in issued} == set(SUBSCRIBERS)
    assert {len(who.common_name) for _, _, who in issued} >= {64}
    assert all(len(who.organization) == 64 for _, _, who in issued if who is LONG)


# Its command line does not close the files that it opens.
_untidy = pytest.mark.filterwarnings("ignore::ResourceWarning")


@_untidy
def test_pkilint_finds_nothing_above_a_notice(worlds, issued, capsys):
    def judge(tool, *files):
        code = tool.main(["lint", "-s", "WARNING", *map(str, files)])
        assert code == 0, capsys.readouterr().out

    for world in worlds.values():
        judge(lint_pkix_cert, world.root)
        judge(lint_pkix_cert, world.issuing)
        judge(lint_pkix_signer_signee_cert_chain, world.root, world.issuing)
    for (kind, _, _), one in issued.items():
        leaf = worlds[kind].write("leaf.pem", one.pem)
        judge(lint_pkix_cert, leaf)
        judge(lint_pkix_signer_signee_cert_chain, worlds[kind].issuing, leaf)


@_untidy
def test_pkilint_does_find_what_is_wrong(worlds, issued, capsys):
    """The judge is awake: a certificate that does not belong to its issuer is refused."""
    one = issued[KeyKind.P_256, "subscriber-p256", PLAIN]
    leaf = worlds[KeyKind.P_256].write("leaf.pem", one.pem)
    assert lint_pkix_signer_signee_cert_chain.main(
        ["lint", "-s", "WARNING", str(worlds[KeyKind.RSA_3072].issuing), str(leaf)]
    )
    assert capsys.readouterr().out


def test_openssl_verifies_every_certificate_strictly(worlds, issued):
    for kind, world in worlds.items():
        crl = world.write("crls.pem", world.crl())
        for purpose in ("sslclient", "smimesign"):
            leaves = [
                world.write(f"{number}-{purpose}.pem", one.pem)
                for number, ((of, name, _), one) in enumerate(issued.items())
                if of is kind and (name == "staff_smime") == (purpose == "smimesign")
            ]
            said = run(
                *("openssl", "verify", "-x509_strict", "-crl_check_all", "-purpose", purpose),
                *("-CAfile", world.root, "-untrusted", world.issuing, "-CRLfile", crl, *leaves),
            )
            assert said.count(": OK") == len(leaves)


def test_gnutls_verifies_every_certificate(worlds, issued):
    for (kind, _, _), one in issued.items():
        chain = worlds[kind].write("chain.pem", one.pem + worlds[kind].made.issuing_pem + worlds[kind].made.root_pem)
        said = run("certtool", "--verify", "--load-ca-certificate", worlds[kind].root, "--infile", chain)
        assert "Chain verification output: Verified. The certificate is trusted." in said


def test_openssl_and_gnutls_open_every_file(files):
    for path, password, one, _, _ in files:
        said = run("openssl", "pkcs12", "-in", path, "-passin", "env:PW", "-nodes", passes={"PW": password})
        assert one.pem.decode() in said
        assert said.count("BEGIN CERTIFICATE") == 3
        said = run("certtool", "--p12-info", "--inder", "--infile", path, "--password", password)
        assert said.count("BEGIN CERTIFICATE") == 3
        assert "BEGIN" in said.partition("PRIVATE KEY")[0]


def trusting(worlds, folder):
    """A database of NSS that trusts both roots."""
    folder.mkdir()
    database = f"sql:{folder}"
    run("certutil", "-N", "-d", database, "--empty-password")
    for kind, world in worlds.items():
        run("certutil", "-A", "-d", database, "-n", f"root {kind}", "-t", "CT,C,", "-i", world.root)
        run("certutil", "-A", "-d", database, "-n", f"issuing {kind}", "-t", ",,", "-i", world.issuing)
    return database


def test_nss_takes_every_file_in(worlds, files, tmp_path):
    database = trusting(worlds, tmp_path / "nss")
    for number, (path, password, _, _, _) in enumerate(files):
        secret = tmp_path / f"{number}.password"
        secret.write_text(password)
        assert "SUCCESSFUL" in run("pk12util", "-i", path, "-d", database, "-w", secret, "-K", "")
    listed = run("certutil", "-L", "-d", database)
    assert JAPANESE in listed


def test_nss_finds_every_certificate_good_for_its_purpose(worlds, issued, tmp_path):
    database = trusting(worlds, tmp_path / "nss")
    for (kind, name, _), one in issued.items():
        nick = f"{one.certificate.serial_number:x}"
        leaf = worlds[kind].write("leaf.pem", one.pem)
        run("certutil", "-A", "-d", database, "-n", nick, "-t", ",,", "-i", leaf)
        purpose, other = ("S", "C") if name == "staff_smime" else ("C", "S")
        check = ("certutil", "-V", "-e", "-d", database, "-n", nick, "-u")
        assert "certificate is valid" in run(*check, purpose)
        refused = subprocess.run([*check, other], capture_output=True, text=True, timeout=60, check=False)
        assert refused.returncode != 0


def test_java_opens_both_kinds_of_file_with_both_kinds_of_key(files):
    """One start of Java for each pair: nothing in a JRE opens several files at once."""
    chosen = {}
    for path, password, one, friendly, bundle in files:
        chosen[bundle, type(one.key).__name__] = (path, password, one, friendly)
    assert len(chosen) == 4
    for path, password, one, friendly in chosen.values():
        said = run(
            *("keytool", "-J-XX:TieredStopAtLevel=1", "-list", "-v", "-storetype", "PKCS12", "-keystore", path),
            "-storepass:env",
            "PW",
            passes={"PW": password},
        )
        assert f"Alias name: {friendly.lower()}" in said
        assert "Entry type: PrivateKeyEntry" in said
        assert "Certificate chain length: 3" in said
        assert f"Serial number: {one.certificate.serial_number:x}" in said
