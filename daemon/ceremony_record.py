"""The record of a ceremony: what was made, in figures that can be compared, on one page that people sign on paper.

No secret stands in it. It is written to `data_dir/ceremony` and never replaced; its digest stands in the audit log, so
that the paper in the safe and the log of the machine vouch for each other (docs/ceremony.md).
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib import metadata
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Connection

from ca import register
from ca.hierarchy import ROOT_ID
from config.settings import Settings

from . import authorities, key_places
from .audit import Audit
from .blobs import write_durably
from .keyring import AUDIT_KEY, key_bytes, sealed_key
from .planning import JST
from .store import Store

_LINE = "_" * 44


def write_record(
    settings: Settings, store: Store, what: str, *, now: datetime, people: Sequence[str], remarks: Sequence[str] = ()
) -> Path:
    """Write the record of a ceremony, enter its digest in the audit log. Raises OSError, CaError, CredentialError."""
    with store.transaction() as tx:
        text = "\n".join(_lines(tx, settings, what, now, people, remarks)).encode() + b"\n"
        path = _free(settings.data_dir / "ceremony" / f"{now:%Y%m%dT%H%M%SZ}-{what}.txt")
        write_durably(path, text, mode=0o644)
        Audit(key_bytes(settings, AUDIT_KEY)).append(
            tx, "ceremony_recorded", at=now, actor="operator", what=what, sha256=hashlib.sha256(text).hexdigest()
        )
    return path


def _free(path: Path) -> Path:
    """A name that is not taken: two ceremonies of one second leave two records."""
    candidate, number = path, 2
    while candidate.exists():
        candidate, number = path.with_stem(f"{path.stem}-{number}"), number + 1
    return candidate


def _lines(
    tx: Connection, settings: Settings, what: str, now: datetime, people: Sequence[str], remarks: Sequence[str]
) -> Iterator[str]:
    yield "認証局の鍵セレモニー記録 / Record of a key ceremony"
    yield ""
    yield f"作業 / action          {what}"
    yield f"日時 / time            {now:%Y-%m-%d %H:%M:%S} UTC  ({now.astimezone(JST):%Y-%m-%d %H:%M:%S} JST)"
    yield f"プログラム / program   ogis-lra {metadata.version('ogis-lra')}"
    yield f"センター / centre      {settings.centre.name} <{settings.centre.address}>"
    yield from (f"備考 / remark          {each}" for each in remarks)
    root = register.authority(tx, ROOT_ID)
    yield from _authority("ルート認証局 / root", root.certificate, _root_place(settings))
    for each, standing in authorities.standings(tx, now):
        where = key_places.described(settings, each.id)
        yield from _authority(f"発行認証局 / issuing CA {each.id} ({standing.value})", each.certificate, where)
    newest = register.latest_crl(tx, ROOT_ID)
    if newest is not None:
        yield ""
        yield "ルートの CRL / CRL of the root"
        next_update = f"{newest.next_update:%Y-%m-%d}"
        yield f"  number               {newest.number}, {newest.size} entries, next update {next_update}"
    yield ""
    yield "公開ファイルと封印された鍵のハッシュ値 / SHA-256 of public files and sealed keys (sha256sum)"
    for folder in ("public", "keys"):
        for path in sorted((settings.data_dir / folder).glob("*")):
            if path.suffix in (".pem", ".cer", ".crl", ".key", ".pkcs11") and not path.name.startswith("ocsp-"):
                yield f"  {hashlib.sha256(path.read_bytes()).hexdigest()}  {folder}/{path.name}"
    yield ""
    yield "立会者 / present (name, signature, date)"
    for name in [*people, *([""] * max(0, 3 - len(people)))]:
        yield ""
        yield f"  {name:<24}{_LINE}"


def _root_place(settings: Settings) -> str:
    path = sealed_key(settings, ROOT_ID)
    return f"file {path.name}, on this host" if path.exists() else "not on this host"


def _authority(title: str, certificate: x509.Certificate, where: str) -> Iterator[str]:
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    yield ""
    yield title
    yield f"  subject              {certificate.subject.rfc4514_string()}"
    yield f"  issuer               {certificate.issuer.rfc4514_string()}"
    yield f"  serial number        {register.serial_text(certificate.serial_number)}"
    yield f"  valid                {certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S} to "
    yield f"                       {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC"
    yield f"  key                  {_kind(certificate)}; {where}"
    yield f"  SHA-256 certificate  {_spaced(certificate.fingerprint(hashes.SHA256()).hex())}"
    yield f"  SHA-256 public key   {_spaced(hashlib.sha256(key).hexdigest())}"


def _kind(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    return f"{type(key).__name__.strip('_').removesuffix('PublicKey')} {getattr(key, 'key_size', '')}".strip()


def _spaced(digest: str) -> str:
    """In groups, as people read it to each other."""
    return " ".join(digest[at : at + 4] for at in range(0, len(digest), 4))
