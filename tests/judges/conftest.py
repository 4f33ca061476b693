"""What the judges judge: two hierarchies of today, certificates of every profile, files of every kind.

The tools look at the machine's clock, so these begin at the machine's hour.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.bundle import BundleKind, make_key, make_password, pack
from ca.crl import Entry, Reason, plan
from ca.hierarchy import Hierarchy, Names, Urls, establish
from ca.issue import IssuanceRequest, new_serial, prepare
from ca.keys import KeyKind, PrivateKey
from ca.names import Subject
from ca.profiles import Role, load_profiles
from ca.signer import FileSigner, open_key

PASSPHRASE = b"a passphrase of the judges, and of nobody else"
URLS = Urls(
    root_crl="http://pki.lra.example/root.crl",
    root_certificate="http://pki.lra.example/root.cer",
    issuing_crl="http://pki.lra.example/issuing.crl",
    issuing_certificate="http://pki.lra.example/issuing.cer",
)
LONGEST_NAME = "Aozora Denki Kogyo Seisakusho International Trading & Service 64"
PLAIN = Subject("Aozora Denki Co., Ltd.", "Taro YAMADA", "W000001", "taro@aozora-denki.example")
LONG = Subject(LONGEST_NAME, LONGEST_NAME.replace("&", "-"), "W999999", f"{'l' * 64}@aozora-denki.example")


@dataclass(frozen=True)
class Issued:
    key: PrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


class World:
    """One hierarchy whose CA keys are of one kind, and files of it in a folder."""

    def __init__(self, kind: KeyKind, folder: Path) -> None:
        self.kind, self.folder, self._numbers = kind, folder, count(1)
        self.start = datetime.now(UTC) - timedelta(minutes=5)
        self.made: Hierarchy = establish(
            names=Names(organization="Example LRA Centre", root="Example Root CA", issuing="Example Client CA 1"),
            urls=URLS,
            now=self.start,
            passphrase=PASSPHRASE,
            random_bytes=os.urandom,
            root_key=kind,
            issuing_key=kind,
            cost=15,
        )
        self.signer = FileSigner(self.made.issuing, open_key(self.made.issuing_key, PASSPHRASE))
        self.chain = [self.made.issuing.certificate, self.made.root.certificate]
        self.root = self.write("root.pem", self.made.root_pem)
        self.issuing = self.write("issuing.pem", self.made.issuing_pem)

    def write(self, name: str, content: bytes) -> Path:
        path = self.folder / f"{self.kind.value}-{name}"
        path.write_bytes(content)
        return path

    def issue(self, profile_name: str, who: Subject = PLAIN) -> Issued:
        profile = load_profiles()[profile_name]
        key = make_key(profile)
        request = IssuanceRequest(who, key.public_key(), profile, *profile.period(self.start))
        ready = prepare(request, self.made.issuing, new_serial(os.urandom))
        return Issued(key, x509.load_der_x509_certificate(self.signer.sign_certificate(ready)))

    def pack(self, issued: Issued, kind: BundleKind, friendly_name: str) -> tuple[Path, str]:
        password = make_password(os.urandom)
        data = pack(
            issued.key, issued.certificate, self.chain, password=password, friendly_name=friendly_name, kind=kind
        )
        return self.write(f"{next(self._numbers)}.p12", data), password

    def crl(self, *revoked: x509.Certificate) -> bytes:
        """The newest CRL of the issuing authority, then the root's, as relying parties load them (PEM)."""
        entries = [Entry(each.serial_number, self.start, Reason.KEY_COMPROMISE) for each in revoked]
        now = datetime.now(UTC).replace(microsecond=0)
        der = self.signer.sign_crl(plan(self.made.issuing, next(self._numbers), entries, now, now + timedelta(days=7)))
        return b"".join(x509.load_der_x509_crl(each).public_bytes(Encoding.PEM) for each in (der, self.made.root_crl))


SUBSCRIBERS = tuple(name for name, each in load_profiles().items() if each.role is Role.SUBSCRIBER)


@pytest.fixture(scope="session")
def worlds(tmp_path_factory):
    """By the kind of the CA's keys: the default, and elliptic curves."""
    folder = tmp_path_factory.mktemp("judges")
    return {kind: World(kind, folder) for kind in (KeyKind.RSA_3072, KeyKind.P_256)}
