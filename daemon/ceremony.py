"""`ogis-lra init`: configuration, secrets, database and CA, each made where it is missing and else left alone.

Crash: keys are durable before the register names them, and the register is committed before anything is published. A
run that stopped before that commit makes new keys, since nothing can have been signed under the old; one that stopped
after it is finished by the next: it publishes.
Refuses to make a second CA over a first: when keys were published and the register does not know them, or when a
secret is missing that the sealed keys need, something was lost that must come back from the backup.
"""

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection

from ca import crl, register
from ca.errors import UNREADABLE, CaError, CaErrorKind
from ca.hierarchy import ISSUING_ID, ROOT_CRL_VALIDITY, ROOT_ID, Names, Urls, establish
from ca.keys import KeyKind
from ca.profiles import Role
from ca.signer import COST, FileSigner
from config.credentials import CredentialError
from config.settings import Settings

from . import authorities
from .audit import Audit
from .blobs import write_durably
from .ceremony_record import write_record
from .key_places import key_in_token, note_in_token, wanted_in_token
from .keyring import (
    AUDIT_KEY,
    FORM_CODE_KEY,
    TOKEN_KEY,
    credentials_of,
    key_bytes,
    open_root_key,
    root_passphrase,
    sealed_key,
    secret,
)
from .store import Store


@dataclass(frozen=True, slots=True)
class Step:
    """One thing `init` made or found."""

    what: str
    made: bool


def write_configuration(path: Path) -> Step:
    """The documented example as a starting point; an existing file is never touched."""
    if path.exists():
        return Step(f"configuration {path}", made=False)
    text = resources.files("config").joinpath("example.toml").read_bytes()
    write_durably(path, text, mode=0o644)
    return Step(f"configuration {path}", made=True)


def make_secrets(settings: Settings, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> list[Step]:
    """The secrets that are ours to invent; mailbox and mail-server passwords are the operator's to write.

    Raises CredentialError when the passphrase or the audit key is missing although the CA is there: a new one would
    open nothing of the old. A lost token key only voids open requests, so a new one is made; likewise the key of codes,
    which older centres never had: under a new one the codes printed before count for nothing, and the print is read.
    """
    folder = credentials_of(settings)
    root = settings.ca.root_passphrase_credential
    names = [settings.ca.passphrase_credential, AUDIT_KEY, TOKEN_KEY, FORM_CODE_KEY]
    if not _published(settings) or (folder / root).exists():
        # Afterwards it lies offline with the root's key, and is not missed here.
        names.insert(1, root)
    missing = [name for name in names if not (folder / name).exists()]
    lost = [name for name in missing if name not in (TOKEN_KEY, FORM_CODE_KEY)]
    if lost and _published(settings):
        raise CredentialError(
            f"credential {lost[0]}: {folder / lost[0]} is missing although the CA was established with it; "
            "restore it from the backup"
        )
    for name in missing:
        write_durably(folder / name, random_bytes(32).hex().encode() + b"\n")
    return [Step(f"secret {name}", made=name in missing) for name in names]


def establish_authority(
    settings: Settings,
    *,
    now: datetime,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    cost: int = COST,
    people: Sequence[str] = (),
) -> list[Step]:
    """Database schema, root and issuing CA (docs/operations.md), and the files relying parties fetch.

    `people` are those who carry the ceremony out; their names stand in its record. A CA that is there is left alone,
    but for the root's CRL, which is renewed in time. Raises CaError(subject_invalid) for names that cannot stand in a
    certificate, CaError(not_found) when a CA was published that this database does not know.
    """
    store = Store(settings.database)
    try:
        store.migrate()
        with store.transaction() as tx:
            made = not _has_authority(tx)
        if made:
            if _published(settings):
                raise CaError(
                    CaErrorKind.NOT_FOUND,
                    "a CA was established here that this database does not know; restore the database from the backup, "
                    "or name an empty data_dir for a new CA",
                )
            _establish(settings, store, now=now, random_bytes=random_bytes, cost=cost)
        signed = renew_root_crl(settings, store, now=now)
        steps = [
            Step("database", made=made),
            Step("certificate authority", made=made),
            Step("CRL of the root", made=made or signed),
            publish_all(settings, store),
        ]
        # Also where the run that made the CA was stopped before it could be recorded.
        if not any((settings.data_dir / "ceremony").glob("*.txt")):
            record = write_record(settings, store, "init", now=now, people=people)
            steps.append(Step(f"ceremony record {record}", made=True))
        return steps
    finally:
        store.close()


def publish_all(settings: Settings, store: Store) -> Step:
    """Publish whatever of the register's certificates and the root's CRL is not published."""
    with store.transaction() as tx:
        files = public_files(tx)
    return publish(settings, files)


def renew_root_crl(settings: Settings, store: Store, *, now: datetime) -> bool:
    """Sign the root's next CRL when half the life of the last one is over and the root key is here; whether it did.

    The key usually is not: it lies offline and is brought back for this, once a year (docs/operations.md). A root CRL
    that ran out makes relying parties that check the whole chain refuse everybody. The caller publishes.
    """
    path = sealed_key(settings, ROOT_ID)
    with store.transaction() as tx:
        newest = register.latest_crl(tx, ROOT_ID)
        if newest is not None and now < newest.this_update + (newest.next_update - newest.this_update) / 2:
            return False
        if not path.exists():
            return False
        root = register.authority(tx, ROOT_ID)
        key = open_root_key(settings)
        number = register.next_crl_number(tx, ROOT_ID)
        entries = register.revoked_for_crl(tx, ROOT_ID, now)
        plan = crl.plan(root, number, entries, now, now + ROOT_CRL_VALIDITY)
        register.store_crl(tx, ROOT_ID, FileSigner(root, key).sign_crl(plan))
        audit = Audit(key_bytes(settings, AUDIT_KEY))
        audit.append(
            tx, "crl_published", at=now, actor="operator", authority=ROOT_ID, number=number, entries=len(entries)
        )
    return True


def _establish(
    settings: Settings, store: Store, *, now: datetime, random_bytes: Callable[[int], bytes], cost: int
) -> None:
    key = None
    if settings.ca.key_store == "pkcs11":
        key = key_in_token(settings, ISSUING_ID, secret(settings, settings.ca.pin_credential).reveal())
    hierarchy = establish(
        names=Names(settings.ca.organization, settings.ca.root_name, settings.ca.issuing_name),
        urls=Urls(
            root_crl=settings.ca.root_crl_url,
            root_certificate=settings.ca.root_url,
            issuing_crl=settings.ca.crl_url,
            issuing_certificate=settings.ca.issuing_url,
            ocsp=settings.ocsp.url,
        ),
        now=now,
        passphrase=secret(settings, settings.ca.passphrase_credential).reveal().encode(),
        root_passphrase=root_passphrase(settings),
        root_key=KeyKind(settings.ca.key),
        issuing_key=KeyKind(settings.ca.key),
        random_bytes=random_bytes,
        cost=cost,
        token_key=key,
    )
    audit = Audit(key_bytes(settings, AUDIT_KEY))
    write_durably(sealed_key(settings, ROOT_ID), hierarchy.root_key)
    if key is None:
        write_durably(sealed_key(settings), hierarchy.issuing_key)
    else:
        note_in_token(settings, ISSUING_ID, wanted_in_token(settings, ISSUING_ID))
    with store.transaction() as tx:
        register.record_authority(tx, hierarchy.root, Role.ROOT, now=now)
        register.record_authority(tx, hierarchy.issuing, Role.ISSUING, now=now)
        register.store_crl(tx, ROOT_ID, hierarchy.root_crl)
        audit.append(tx, "authority_established", at=now, actor="operator", authority=ISSUING_ID)


def public_files(tx: Connection) -> dict[str, bytes]:
    """What relying parties fetch, by file name: certificates as PEM and (for AIA, RFC 5280 §4.2.2.1) as DER, the root's
    CRL. An issuing CA's own CRL changes all the time and is `upkeep.publish_crl`'s. Raises CaError(not_found)."""
    root = register.authority(tx, ROOT_ID).certificate
    issuing = authorities.issuing(tx)
    if not issuing:
        raise CaError(CaErrorKind.NOT_FOUND, "no such authority in the register")
    root_pem = root.public_bytes(Encoding.PEM)
    files = {"root.pem": root_pem, "root.cer": root.public_bytes(Encoding.DER)}
    chain = b""
    for each in issuing:
        stem = authorities.public_stem(each.id)
        pem = each.certificate.public_bytes(Encoding.PEM)
        chain += pem
        files |= {f"{stem}.pem": pem, f"{stem}.cer": each.certificate.public_bytes(Encoding.DER)}
        if len(issuing) > 1:
            files[f"chain-{each.id}.pem"] = pem + root_pem
    # Every issuing authority, the newest first, then the root: what nginx takes as `ssl_client_certificate`. While one
    # retires, certificates of both are about.
    files["chain.pem"] = chain + root_pem
    newest = register.latest_crl(tx, ROOT_ID)
    if newest is not None and newest.der is not None:
        # A damaged one is the checker's to report; it is not published over one that may be good.
        with suppress(*UNREADABLE):
            files["root.crl.pem"] = x509.load_der_x509_crl(newest.der).public_bytes(Encoding.PEM)
            files["root.crl"] = newest.der
    return files


def publish(settings: Settings, files: dict[str, bytes]) -> Step:
    """Write the published files that are missing or not what the register holds."""
    public = settings.data_dir / "public"
    stale = [name for name, data in files.items() if not _holds(public / name, data)]
    for name in stale:
        write_durably(public / name, files[name], mode=0o644)
    return Step("published certificates", made=bool(stale))


def _holds(path: Path, data: bytes) -> bool:
    return path.exists() and path.read_bytes() == data


def _published(settings: Settings) -> bool:
    """Whether a CA of this data directory was ever shown to the world."""
    return (settings.data_dir / "public" / "issuing.pem").exists()


def _has_authority(tx: Connection) -> bool:
    try:
        register.authority(tx, ISSUING_ID)
    except CaError as error:
        # A damaged row is no reason to make a new CA over it.
        if error.kind is CaErrorKind.NOT_FOUND:
            return False
        raise
    return True
