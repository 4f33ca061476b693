"""A small authority for tests: real, on P-256 keys, made once per process. Nothing here takes noticeable time."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from ca import register
from ca.bundle import make_key
from ca.crl import Entry, plan
from ca.hierarchy import Hierarchy, Names, Urls, establish
from ca.issue import Authority, IssuanceRequest, Prepared, new_serial, prepare
from ca.keys import KeyKind, PrivateKey
from ca.names import Subject
from ca.profiles import Profile, Role, load_profiles
from ca.signer import CaKey, FileSigner, open_key

NOW = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)
PASSPHRASE = b"a passphrase of the tests, and of nothing else"
NAMES = Names(organization="Example LRA Centre", root="Example Root CA", issuing="Example Client CA 1")
URLS = Urls(
    root_crl="http://pki.lra.example/root.crl",
    root_certificate="http://pki.lra.example/root.cer",
    issuing_crl="http://pki.lra.example/issuing.crl",
    issuing_certificate="http://pki.lra.example/issuing.cer",
)
P256 = "subscriber-p256"


def hierarchy(kind: KeyKind = KeyKind.P_256) -> Hierarchy:
    """Root and issuing authority, both with keys of one kind, sealed under PASSPHRASE at the lowest cost."""
    return _established(kind)


@cache
def _established(kind: KeyKind) -> Hierarchy:
    return establish(
        names=NAMES,
        urls=URLS,
        now=NOW,
        passphrase=PASSPHRASE,
        random_bytes=os.urandom,
        root_key=kind,
        issuing_key=kind,
        cost=15,
    )


@cache
def _key(role: Role, kind: KeyKind) -> CaKey:
    made = hierarchy(kind)
    return open_key(made.root_key if role is Role.ROOT else made.issuing_key, PASSPHRASE)


def signer(role: Role = Role.ISSUING, kind: KeyKind = KeyKind.P_256) -> FileSigner:
    """A fresh signer, which has signed nothing yet."""
    made = hierarchy(kind)
    return FileSigner(made.root if role is Role.ROOT else made.issuing, _key(role, kind))


def profile(name: str = P256) -> Profile:
    return load_profiles()[name]


def subject(**changes: str) -> Subject:
    plain = Subject("Aozora Denki Co., Ltd.", "Taro YAMADA", "W000001", "taro@aozora-denki.example")
    return replace(plain, **changes)


def request(
    who: Subject | None = None, *, name: str = P256, start: datetime = NOW, key: PrivateKey | None = None
) -> IssuanceRequest:
    chosen = profile(name)
    key = make_key(chosen) if key is None else key
    return IssuanceRequest(who or subject(), key.public_key(), chosen, *chosen.period(start))


def prepared(
    who: Subject | None = None, *, name: str = P256, start: datetime = NOW, key: PrivateKey | None = None
) -> Prepared:
    return prepare(request(who, name=name, start=start, key=key), hierarchy().issuing, new_serial(os.urandom))


def engine() -> Engine:
    """An empty register in memory, with foreign keys in force and both authorities entered."""
    made = create_engine("sqlite://", poolclass=StaticPool)
    event.listen(made, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"))
    with made.begin() as conn:
        register.metadata.create_all(conn)
        register.record_authority(conn, hierarchy().root, Role.ROOT, now=NOW)
        register.record_authority(conn, hierarchy().issuing, Role.ISSUING, now=NOW)
        register.store_crl(conn, hierarchy().root.id, hierarchy().root_crl)
    return made


def issue_one(
    conn: Connection,
    *,
    case_id: int,
    registration_id: int = 1,
    who: Subject | None = None,
    at: datetime = NOW,
    key: PrivateKey | None = None,
) -> str:
    """Reserve, sign and record one certificate; returns its serial number as the register writes it."""
    ready = prepared(who, start=at, key=key)
    reserve_one(conn, ready, case_id=case_id, registration_id=registration_id, at=at)
    register.record_issued(conn, ready.serial, signer().sign_certificate(ready), now=at)
    return register.serial_text(ready.serial)


def reserve_one(
    conn: Connection, ready: Prepared, *, case_id: int, registration_id: int = 1, at: datetime = NOW
) -> None:
    register.reserve(
        conn,
        ready,
        authority=ready.authority,
        registration_id=registration_id,
        case_id=case_id,
        now=at,
        lease_until=at + timedelta(minutes=5),
    )


def publish(conn: Connection, at: datetime, *, days: int = 7) -> register.CrlRow:
    """Make and store the issuing authority's next full CRL."""
    authority = hierarchy().issuing
    number = register.next_crl_number(conn, authority.id)
    entries = register.revoked_for_crl(conn, authority.id, at)
    der = signer().sign_crl(plan(authority, number, entries, at, at + timedelta(days=days)))
    return register.store_crl(conn, authority.id, der)


def crl_of(entries: Sequence[Entry], *, authority: Authority | None = None, at: datetime = NOW) -> bytes:
    """A signed CRL of the issuing authority, number 1, good for a week."""
    planned = plan(authority or hierarchy().issuing, 1, entries, at, at + timedelta(days=7))
    return signer().sign_crl(planned)


def certificate(conn: Connection, serial: str) -> x509.Certificate:
    row = register.find(conn, serial)
    assert row is not None
    assert row.der is not None
    return x509.load_der_x509_certificate(row.der)


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


def openssl(*arguments: str | Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    """Run the openssl command line tool: the judge that shares no code with us."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True, timeout=60, check=False)
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    )
