"""`ogis-lra init`: configuration, secrets, database and CA; each is made where it is missing, else left alone.

Crash: keys are durable before the register names them; a run that stopped in between makes new ones, since nothing can
have been signed under the old.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection

from ca import register
from ca.errors import CaError
from ca.hierarchy import ISSUING_ID, ROOT_ID, Hierarchy, Names, Urls, establish
from ca.profiles import Role
from ca.signer import COST
from config.settings import Settings

from .audit import Audit
from .blobs import write_durably
from .keyring import AUDIT_KEY, TOKEN_KEY, credentials_of, sealed_key, secret
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
    """The secrets that are ours to invent; mailbox and mail-server passwords are the operator's to write."""
    steps = []
    for name in (settings.ca.passphrase_credential, AUDIT_KEY, TOKEN_KEY):
        target = credentials_of(settings) / name
        if not target.exists():
            write_durably(target, random_bytes(32).hex().encode() + b"\n")
            steps.append(Step(f"secret {name}", made=True))
        else:
            steps.append(Step(f"secret {name}", made=False))
    return steps


def establish_authority(
    settings: Settings,
    *,
    now: datetime,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    cost: int = COST,
) -> list[Step]:
    """Database schema, root and issuing CA (docs/operations.md, ceremony). A CA that is there is left alone."""
    store = Store(settings.database)
    try:
        store.migrate()
        with store.transaction() as tx:
            if _has_authority(tx):
                return [Step("database", made=False), Step("certificate authority", made=False)]
        hierarchy = establish(
            names=Names(settings.ca.organization, settings.ca.root_name, settings.ca.issuing_name),
            urls=Urls(
                root_crl=settings.ca.root_crl_url,
                root_certificate=settings.ca.root_url,
                issuing_crl=settings.ca.crl_url,
                issuing_certificate=settings.ca.issuing_url,
            ),
            now=now,
            passphrase=secret(settings, settings.ca.passphrase_credential).reveal().encode(),
            random_bytes=random_bytes,
            cost=cost,
        )
        write_durably(sealed_key(settings, ROOT_ID), hierarchy.root_key)
        write_durably(sealed_key(settings), hierarchy.issuing_key)
        with store.transaction() as tx:
            register.record_authority(tx, hierarchy.root, Role.ROOT, now=now)
            register.record_authority(tx, hierarchy.issuing, Role.ISSUING, now=now)
            register.store_crl(tx, ROOT_ID, hierarchy.root_crl)
            audit = Audit(bytes.fromhex(secret(settings, AUDIT_KEY).reveal()))
            audit.append(tx, "authority_established", at=now, actor="operator", authority=ISSUING_ID)
        publish(settings, hierarchy)
    finally:
        store.close()
    return [Step("database", made=True), Step("certificate authority", made=True)]


def publish(settings: Settings, hierarchy: Hierarchy) -> None:
    """The files relying parties fetch: certificates as PEM and (for AIA, RFC 5280 §4.2.2.1) as DER, the root's CRL."""
    public = settings.data_dir / "public"
    files = {
        "root.pem": hierarchy.root_pem,
        "issuing.pem": hierarchy.issuing_pem,
        "chain.pem": hierarchy.chain_pem,
        "root.cer": hierarchy.root.certificate.public_bytes(Encoding.DER),
        "issuing.cer": hierarchy.issuing.certificate.public_bytes(Encoding.DER),
        "root.crl": hierarchy.root_crl_pem,
    }
    for name, data in files.items():
        write_durably(public / name, data, mode=0o644)


def _has_authority(tx: Connection) -> bool:
    try:
        register.authority(tx, ISSUING_ID)
    except CaError:
        return False
    return True
