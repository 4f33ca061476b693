"""A CA made with plain openssl is taken over: it signs on, its CRL goes on, and what is wrong with it is found before."""

import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from ca import register
from ca.checker import check
from ca.hierarchy import ISSUING_ID
from config.settings import load
from daemon.keyring import open_keys
from daemon.store import Store
from support.command_lines import CommandLine, write_config, write_credential
from support.requests import csr

PASSWORD = "import-password-of-the-test"
# openssl dates what it makes by the clock of the world; that lies before this moment by the time it is asked for.
NOW = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)

CNF = """
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[issuing]
basicConstraints = critical,CA:true
keyUsage = critical,digitalSignature,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
[no-authority]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
subjectKeyIdentifier = hash
[ca]
default_ca = here
[here]
database = index.txt
crlnumber = crlnumber
default_md = sha256
default_crl_days = 30
crl_extensions = crl_ext
[crl_ext]
authorityKeyIdentifier = keyid:always
"""


class Former:
    """A CA as somebody made it years ago, in a folder."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        (folder / "ca.cnf").write_text(CNF)
        self.run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "root.key")
        self.run(
            "req",
            "-x509",
            "-new",
            "-key",
            "root.key",
            "-sha256",
            "-days",
            "7000",
            "-subj",
            "/O=Former/CN=Old Root",
            "-config",
            "ca.cnf",
            "-extensions",
            "root",
            "-out",
            "root.pem",
        )
        self.run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "issuing.key")
        self.certify("issuing", "issuing.pem")
        self.run(
            "pkcs8", "-topk8", "-scrypt", "-in", "issuing.key", "-out", "issuing.p8", "-passout", f"pass:{PASSWORD}"
        )
        self.run(
            "pkcs12",
            "-export",
            "-inkey",
            "issuing.key",
            "-in",
            "issuing.pem",
            "-out",
            "issuing.p12",
            "-passout",
            f"pass:{PASSWORD}",
        )
        revoked = f"{NOW - timedelta(days=9):%y%m%d%H%M%SZ}"
        (folder / "index.txt").write_text(
            f"R\t491231000000Z\t{revoked},keyCompromise\t0A1B2C3D4E5F60718293\tunknown\t/CN=Gone\n"
        )
        (folder / "crlnumber").write_text("2F\n")
        self.run(
            "ca",
            "-gencrl",
            "-config",
            "ca.cnf",
            "-keyfile",
            "issuing.key",
            "-cert",
            "issuing.pem",
            "-out",
            "issuing.crl",
        )
        (folder / "index.txt").write_text("")
        (folder / "crlnumber").write_text("05\n")
        self.run("ca", "-gencrl", "-config", "ca.cnf", "-keyfile", "root.key", "-cert", "root.pem", "-out", "root.crl")

    def certify(self, extensions, out, days="3000"):
        self.run(
            "req",
            "-new",
            "-key",
            "issuing.key",
            "-subj",
            "/C=JP/O=Former/CN=Old Issuing",
            "-config",
            "ca.cnf",
            "-out",
            "issuing.csr",
        )
        self.run(
            "x509",
            "-req",
            "-in",
            "issuing.csr",
            "-CA",
            "root.pem",
            "-CAkey",
            "root.key",
            "-CAcreateserial",
            "-days",
            days,
            "-sha256",
            "-extfile",
            "ca.cnf",
            "-extensions",
            extensions,
            "-out",
            out,
        )

    def run(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()


@pytest.fixture(scope="module")
def former(tmp_path_factory):
    return Former(tmp_path_factory.mktemp("former") / "ca")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Another one of the same names."""
    return Former(tmp_path_factory.mktemp("other") / "ca")


@pytest.fixture
def lra(tmp_path, capsys):
    """The command line over a centre that has a configuration and nothing else."""
    config = write_config(tmp_path)
    write_credential(tmp_path, "import-password", PASSWORD)
    return CommandLine(config, lambda: NOW, capsys)


def words(former, *names, key="issuing.p8"):
    files = {"certificate": "issuing.pem", "root": "root.pem", "key": key, "crl": "issuing.crl", "root-crl": "root.crl"}
    chosen = names or tuple(files)
    return [word for name in chosen for word in (f"--{name}", str(former.folder / files[name]))]


@pytest.mark.parametrize("key", ["issuing.p8", "issuing.p12"])
def test_it_signs_on_and_its_revocations_stay_on_the_next_crl(lra, former, key, tmp_path):
    done = lra("ca", "import", *words(former, key=key), "--present", "Keiko Tanaka")
    assert done.code == 0, done.err
    settings = load(lra.config)
    assert open_keys(settings).signer.authority.id == ISSUING_ID
    assert lra("init").code == 0
    assert lra("crl", "--publish").code == 0
    public = settings.data_dir / "public"
    crl = x509.load_der_x509_crl((public / "issuing.crl").read_bytes())
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 0x30
    (entry,) = crl
    assert entry.serial_number == 0x0A1B2C3D4E5F60718293
    assert entry.revocation_date_utc == NOW - timedelta(days=9)
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise

    (tmp_path / "portal.csr").write_bytes(csr())
    made = lra(
        "ca",
        "issue-tls",
        "portal.lra.example",
        "--csr",
        str(tmp_path / "portal.csr"),
        "--out",
        str(tmp_path / "tls.pem"),
    )
    assert made.code == 0, made.err
    (tmp_path / "crls.pem").write_bytes(
        (public / "root.crl.pem").read_bytes() + (public / "issuing.crl.pem").read_bytes()
    )
    for judge in (public / "root.pem", former.folder / "root.pem"):
        former.run(
            "verify",
            "-x509_strict",
            "-attime",
            str(int(NOW.timestamp()) + 60),
            "-purpose",
            "sslserver",
            "-crl_check_all",
            "-CRLfile",
            str(tmp_path / "crls.pem"),
            "-CAfile",
            str(judge),
            "-untrusted",
            str(tmp_path / "tls.pem"),
            str(tmp_path / "tls.pem"),
        )
    store = Store(settings.database)
    try:
        with store.transaction() as tx:
            for authority in register.every_authority(tx):
                assert check(tx, authority=authority, now=NOW) == ()
    finally:
        store.close()


def test_what_differs_from_our_taste_is_told_and_stands_in_the_record(lra, former):
    done = lra("ca", "import", *words(former), "--json")
    assert done.code == 0, done.err
    assert "issuing:key_usage_wrong" in done.document["warnings"]
    record = (lra.config.parent / "centre" / "ceremony").glob("*-import.txt")
    text = next(record).read_text()
    assert "warning issuing:key_usage_wrong" in text
    assert PASSWORD not in text


def test_without_crls_it_is_warned_and_the_roots_may_be_brought_later(lra, former):
    done = lra("ca", "import", *words(former, "certificate", "root", "key"), "--json")
    assert {"no_crl", "no_root_crl"} <= set(done.document["warnings"])
    assert lra("ca", "import", *words(former, "root-crl")).code == 0
    assert (lra.config.parent / "centre" / "public" / "root.crl").exists()
    again = lra("ca", "import", *words(former, "root-crl"))
    assert again.code == 2
    assert "does not grow" in again.err


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("wrong_key", "key_differs"),
        ("not_encrypted", "must come encrypted"),
        ("wrong_password", "does not open"),
        ("foreign_root", "issuing_not_issued_by_root"),
        ("no_authority", "issuing_not_an_authority"),
        ("root_as_issuing", "issuing_is_root"),
        ("foreign_crl", "is not one of issuing-1"),
        ("no_certificate", "holds no certificate"),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_written(lra, former, other, tmp_path, fault, said):
    chosen = dict(zip(words(former)[::2], words(former)[1::2], strict=True))
    if fault in ("wrong_key", "foreign_root", "foreign_crl"):
        name = {"wrong_key": "--key", "foreign_root": "--root", "foreign_crl": "--crl"}[fault]
        file = {"wrong_key": "issuing.p8", "foreign_root": "root.pem", "foreign_crl": "issuing.crl"}[fault]
        chosen[name] = str(other.folder / file)
    if fault == "not_encrypted":
        chosen["--key"] = str(former.folder / "issuing.key")
    if fault == "wrong_password":
        write_credential(tmp_path, "import-password", "another")
    if fault == "no_authority":
        former.certify("no-authority", "leaf.pem")
        chosen["--certificate"] = str(former.folder / "leaf.pem")
    if fault == "root_as_issuing":
        chosen["--certificate"] = str(former.folder / "root.pem")
    if fault == "no_certificate":
        chosen["--certificate"] = str(former.folder / "issuing.p8")
    done = lra("ca", "import", *[word for pair in chosen.items() for word in pair])
    assert done.code == 2
    assert said in done.err
    assert not list((lra.config.parent / "centre").glob("keys/*"))
    assert not (lra.config.parent / "centre" / "public" / "issuing.pem").exists()


def test_an_expired_one_is_refused_and_a_second_is_never_put_over_the_first(lra, former):
    late = CommandLine(lra.config, lambda: NOW + timedelta(days=3001), lra._capsys)
    done = late("ca", "import", *words(former))
    assert (done.code, "issuing_not_valid_now" in done.err) == (2, True)
    assert lra("ca", "import", *words(former)).code == 0
    key = (lra.config.parent / "centre" / "keys" / "issuing.key").read_bytes()
    again = lra("ca", "import", *words(former))
    assert (again.code, "there is a CA already" in again.err) == (2, True)
    assert (lra.config.parent / "centre" / "keys" / "issuing.key").read_bytes() == key
