"""`ogis-lra init`: configuration, secrets, database and CA, each made where it is missing and else left alone.

Crash: keys are durable before the register names them, and the register is committed before anything is published. A
run that stopped before that commit makes new keys, since nothing can have been signed under the old; one that stopped
after it is finished by the next: it publishes.
Refuses to make a second CA over a first: when keys were published and the register does not know them, or when a
secret is missing that the sealed keys need, something was lost that must come back from the backup.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection

from ca import crl, register
from ca.errors import CaError, CaErrorKind
from ca.hierarchy import ISSUING_ID, ROOT_CRL_VALIDITY, ROOT_ID, Names, Urls, establish
from ca.profiles import Role
from ca.signer import COST, FileSigner, open_key
from config.credentials import CredentialError
from config.settings import Settings

from .audit import Audit
from .blobs import write_durably
from .keyring import AUDIT_KEY, FORM_CODE_KEY, TOKEN_KEY, credentials_of, key_bytes, sealed_key, secret
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
    names = (settings.ca.passphrase_credential, AUDIT_KEY, TOKEN_KEY, FORM_CODE_KEY)
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
) -> list[Step]:
    """Database schema, root and issuing CA (docs/operations.md), and the files relying parties fetch.

    A CA that is there is left alone, but for the root's CRL, which is renewed in time. Raises
    CaError(subject_invalid) for names that cannot stand in a certificate, CaError(not_found) when a CA was published
    that this database does not know.
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
        with store.transaction() as tx:
            files = public_files(tx)
    finally:
        store.close()
    return [
        Step("database", made=made),
        Step("certificate authority", made=made),
        Step("CRL of the root", made=made or signed),
        publish(settings, files),
    ]


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
        key = open_key(path.read_bytes(), secret(settings, settings.ca.passphrase_credential).reveal().encode())
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
        random_bytes=random_bytes,
        cost=cost,
    )
    audit = Audit(key_bytes(settings, AUDIT_KEY))
    write_durably(sealed_key(settings, ROOT_ID), hierarchy.root_key)
    write_durably(sealed_key(settings), hierarchy.issuing_key)
    with store.transaction() as tx:
        register.record_authority(tx, hierarchy.root, Role.ROOT, now=now)
        register.record_authority(tx, hierarchy.issuing, Role.ISSUING, now=now)
        register.store_crl(tx, ROOT_ID, hierarchy.root_crl)
        audit.append(tx, "authority_established", at=now, actor="operator", authority=ISSUING_ID)


def public_files(tx: Connection) -> dict[str, bytes]:
    """What relying parties fetch, by file name: certificates as PEM and (for AIA, RFC 5280 §4.2.2.1) as DER, the root's
    CRL. The issuing CA's own CRL changes all the time and is `publication`'s. Raises CaError(not_found)."""
    root, issuing = (register.authority(tx, name).certificate for name in (ROOT_ID, ISSUING_ID))
    root_pem, issuing_pem = (each.public_bytes(Encoding.PEM) for each in (root, issuing))
    files = {
        "root.pem": root_pem,
        "issuing.pem": issuing_pem,
        # Issuing authority, then root: what nginx takes as `ssl_client_certificate`.
        "chain.pem": issuing_pem + root_pem,
        "root.cer": root.public_bytes(Encoding.DER),
        "issuing.cer": issuing.public_bytes(Encoding.DER),
    }
    newest = register.latest_crl(tx, ROOT_ID)
    if newest is not None and newest.der is not None:
        # DER at the address in the certificates (RFC 5280, 4.2.1.13), PEM for nginx.
        files["root.crl"] = newest.der
        files["root.crl.pem"] = x509.load_der_x509_crl(newest.der).public_bytes(Encoding.PEM)
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
