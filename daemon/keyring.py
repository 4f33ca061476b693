"""Opening a centre from its configuration: credentials, keys, doors. The other way in is the demo's, with its own."""

import os
from pathlib import Path

from ca import register
from ca.errors import CaError, CaErrorKind
from ca.hierarchy import ISSUING_ID
from ca.signer import FileSigner, open_key
from config import credentials
from config.credentials import Secret
from config.settings import Settings

from .account import Account
from .centre import Centre, Keys, open_centre
from .letters import check_templates
from .smtp import Route
from .store import Store

AUDIT_KEY = "audit-key"
TOKEN_KEY = "token-key"  # noqa: S105 - the name of a credential, not its value


def credentials_of(settings: Settings) -> Path:
    """The folder the secrets of a centre are in."""
    return credentials.find_directory(
        settings.credentials_dir, environ=os.environ, fallback=settings.data_dir / "credentials"
    )


def secret(settings: Settings, name: str) -> Secret:
    """One secret by name. Raises CredentialError."""
    return credentials.load(name, credentials_of(settings))


def sealed_key(settings: Settings, name: str = "issuing") -> Path:
    """Where a CA key lies, sealed."""
    return settings.data_dir / "keys" / f"{name}.key"


def open_keys(settings: Settings) -> Keys:
    """Open every key the service works with.

    Raises CredentialError, CaError(key_unavailable, not_found) and StoreError.
    """
    store = Store(settings.database)
    try:
        store.check()
        with store.transaction() as tx:
            authority = register.authority(tx, ISSUING_ID)
    finally:
        store.close()
    try:
        blob = sealed_key(settings).read_bytes()
    except OSError as error:
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, f"the issuing key cannot be read: {error.strerror}") from error
    key = open_key(blob, secret(settings, settings.ca.passphrase_credential).reveal().encode())
    return Keys(
        signer=FileSigner(authority, key),
        audit_key=bytes.fromhex(secret(settings, AUDIT_KEY).reveal()),
        token_key=bytes.fromhex(secret(settings, TOKEN_KEY).reveal()),
    )


def account_of(settings: Settings) -> Account:
    """The IMAP account with its password."""
    mailbox = settings.mailbox
    return Account(
        host=mailbox.host,
        port=mailbox.port,
        security=mailbox.security,
        username=mailbox.username,
        password=secret(settings, mailbox.password_credential),
        folder=mailbox.folder,
        ca_file=Path(mailbox.ca_file) if mailbox.ca_file else None,
    )


def route_of(settings: Settings) -> Route:
    """The submission server with its password."""
    smtp = settings.smtp
    return Route(
        host=smtp.host,
        port=smtp.port,
        security=smtp.security,
        username=smtp.username or None,
        password=secret(settings, smtp.password_credential) if smtp.username else None,
        ca_file=Path(smtp.ca_file) if smtp.ca_file else None,
    )


def open_service(settings: Settings) -> Centre:
    """The centre as the service and the commands use it; ValueError when a letter could not be written."""
    check_templates()
    return open_centre(settings, open_keys(settings), account=account_of(settings), route=route_of(settings))
