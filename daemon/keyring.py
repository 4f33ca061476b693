"""Opening a centre from its configuration: credentials, keys, doors. The other way in is the demo's, with its own."""

import difflib
import os
import socket
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca.errors import CaError, CaErrorKind
from ca.hierarchy import ROOT_ID
from ca.profiles import Role, load_profiles
from ca.signer import CaKey, FileSigner, open_key
from ca.token import Token
from config import credentials
from config.credentials import CredentialError, Secret
from config.settings import Settings, SettingsError

from . import authorities, key_places
from .account import Account
from .centre import Centre, Keys, open_centre, wall_clock
from .letters import check_templates
from .oauth import ClientCredentials, RefreshToken, Tokens
from .smtp import Route
from .store import Store

AUDIT_KEY = "audit-key"
TOKEN_KEY = "token-key"  # noqa: S105 - the name of a credential, not its value

FORM_CODE_KEY = "form-code-key"
_CODE_KEY_OCTETS = 32  # the seed of an Ed25519 key (RFC 8032 section 5.1.5)

_SHORTEST_KEY = 16
"""Octets. `init` makes keys of 32; RFC 2104 section 3 wants at least the strength of the hash or a good half of it."""


def credentials_of(settings: Settings) -> Path:
    """The folder the secrets of a centre are in."""
    return credentials.find_directory(
        settings.credentials_dir, environ=os.environ, fallback=settings.data_dir / "credentials"
    )


def secret(settings: Settings, name: str) -> Secret:
    """One secret by name. Raises CredentialError."""
    return credentials.load(name, credentials_of(settings))


def key_bytes(settings: Settings, name: str) -> bytes:
    """A key of ours, written in hexadecimal by `init`. Raises CredentialError, which never quotes it."""
    try:
        key = bytes.fromhex(secret(settings, name).reveal())
    except ValueError:
        raise CredentialError(f"credential {name}: is not the hexadecimal key that `ogis-lra init` wrote") from None
    if len(key) < _SHORTEST_KEY:
        raise CredentialError(f"credential {name}: is too short for a key")
    return key


def form_code_key(settings: Settings) -> bytes | None:
    """The centre's key for the codes on filled forms; None where it has none. Raises CredentialError where there is one
    of no use."""
    if not (credentials_of(settings) / FORM_CODE_KEY).exists():
        return None
    key = key_bytes(settings, FORM_CODE_KEY)
    if len(key) != _CODE_KEY_OCTETS:
        raise CredentialError(f"credential {FORM_CODE_KEY}: must be {_CODE_KEY_OCTETS} octets in hexadecimal")
    return key


def public_half(key: bytes) -> bytes:
    """What readers get of a key for codes: enough to check a signature, nothing to make one with."""
    return Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def form_code_public(settings: Settings) -> bytes:
    """What readers get of that key; empty where there is none. Raises CredentialError."""
    key = form_code_key(settings)
    return public_half(key) if key else b""


def sealed_key(settings: Settings, name: str = "issuing") -> Path:
    """Where a CA key lies, sealed."""
    return settings.data_dir / "keys" / f"{name}.key"


def root_passphrase(settings: Settings) -> bytes:
    """What the root's key is sealed under: a passphrase of its own, in older centres that of the other keys.

    Raises CredentialError.
    """
    own = settings.ca.root_passphrase_credential
    name = own if (credentials_of(settings) / own).exists() else settings.ca.passphrase_credential
    return secret(settings, name).reveal().encode()


def open_root_key(settings: Settings) -> CaKey:
    """The root's key, where it is here. Raises CredentialError, CaError(key_unavailable)."""
    try:
        blob = sealed_key(settings, ROOT_ID).read_bytes()
    except OSError as error:
        raise CaError(
            CaErrorKind.KEY_UNAVAILABLE,
            "the root's key is not here; bring it back from where it is kept: `ogis-lra ca import --root-key FILE`",
        ) from error
    passphrases = [root_passphrase(settings)]
    if not (credentials_of(settings) / settings.ca.root_passphrase_credential).exists():
        return open_key(blob, passphrases[0])
    try:
        return open_key(blob, passphrases[0])
    except CaError:
        # Sealed before the root had a passphrase of its own.
        return open_key(blob, secret(settings, settings.ca.passphrase_credential).reveal().encode())


def open_ca_key(settings: Settings, authority_id: str, tokens: dict[str, Token] | None = None) -> CaKey:
    """The key of an issuing authority, from its sealed file or its token, which is kept in `tokens` by its label.

    Raises CredentialError, CaError(key_unavailable).
    """
    in_token = key_places.place_in_token(settings, authority_id)
    if in_token is not None:
        pin = secret(settings, settings.ca.pin_credential).reveal()
        tokens = {} if tokens is None else tokens
        if in_token.token not in tokens:
            # Those of one module in one process work one after the other: see `ca.token`.
            lock = next((each.lock for each in tokens.values()), None)
            tokens[in_token.token] = key_places.open_token(settings, in_token.token, pin, lock)
        return tokens[in_token.token].find_key(in_token.key)
    try:
        blob = sealed_key(settings, key_places.stem(authority_id)).read_bytes()
    except OSError as error:
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, f"the issuing key cannot be read: {error.strerror}") from error
    return open_key(blob, secret(settings, settings.ca.passphrase_credential).reveal().encode())


def activated_sockets() -> list[socket.socket]:
    """The listening sockets that systemd opened for this process (sd_listen_fds(3)); none where it is not for us."""
    try:
        ours = int(os.environ.get("LISTEN_PID", "")) == os.getpid()
        count = int(os.environ.get("LISTEN_FDS", ""))
    except ValueError:
        return []
    if not ours:
        return []
    # SD_LISTEN_FDS_START is 3. A child of ours must inherit none of them.
    found = [socket.socket(fileno=number) for number in range(3, 3 + count)]
    for each in found:
        each.set_inheritable(False)
    return found


def open_keys(settings: Settings, *, clock: Callable[[], datetime] = wall_clock) -> Keys:
    """Open every key the service works with: of each issuing authority that is not retired.

    Raises CredentialError, CaError(key_unavailable, not_found) and StoreError.
    """
    store = Store(settings.database)
    try:
        store.check()
        with store.transaction() as tx:
            serving = authorities.serving(tx, clock())
    finally:
        store.close()
    tokens: dict[str, Token] = {}
    return Keys(
        signers=tuple(FileSigner(each, open_ca_key(settings, each.id, tokens)) for each in serving),
        audit_key=key_bytes(settings, AUDIT_KEY),
        token_key=key_bytes(settings, TOKEN_KEY),
        form_code_public=form_code_public(settings),
        passphrase=secret(settings, settings.ca.passphrase_credential),
    )


def door_credentials(settings: Settings) -> list[str]:
    """The names of the credentials that the two logins need."""
    mailbox, smtp, oauth = settings.mailbox, settings.smtp, settings.oauth
    names = [mailbox.password_credential] if mailbox.login == "password" else []
    if smtp.username and smtp.login == "password":
        names.append(smtp.password_credential)
    if settings.logs_in_by_token:
        names.append(oauth.secret_credential)
        if oauth.grant == "refresh_token":
            names.append(oauth.refresh_token_credential)
    return list(dict.fromkeys(names))


def tokens_of(settings: Settings, *, clock: Callable[[], datetime] = wall_clock) -> Tokens | None:
    """Where the tokens of both logins come from; None where none is by token. Raises CredentialError."""
    oauth = settings.oauth
    if not settings.logs_in_by_token:
        return None
    client_secret = secret(settings, oauth.secret_credential)
    ca_file = Path(oauth.ca_file) if oauth.ca_file else None
    grant: ClientCredentials | RefreshToken
    if oauth.grant == "client_credentials":
        grant = ClientCredentials(oauth.authority, oauth.client_id, client_secret, oauth.scope, ca_file)
    else:
        refresh_token = secret(settings, oauth.refresh_token_credential)
        grant = RefreshToken(oauth.token_url, oauth.client_id, client_secret, refresh_token, oauth.scope, ca_file)
    return Tokens(grant, settings.data_dir / "oauth" / "token.json", clock)


def account_of(settings: Settings) -> Account:
    """The IMAP account with its password or tokens. Raises CredentialError, SettingsError."""
    mailbox = settings.mailbox
    by_password = mailbox.login == "password"
    password = secret(settings, mailbox.password_credential) if by_password else None
    try:
        return Account(
            host=mailbox.host,
            port=mailbox.port,
            security=mailbox.security,
            username=mailbox.username,
            password=password,
            folder=mailbox.folder,
            login=mailbox.login,
            tokens=None if by_password else tokens_of(settings),
            ca_file=Path(mailbox.ca_file) if mailbox.ca_file else None,
        )
    except ValueError as error:
        raise SettingsError(f"mailbox.security: {error}") from error


def route_of(settings: Settings) -> Route:
    """The submission server with its password or tokens. Raises CredentialError, SettingsError."""
    smtp = settings.smtp
    by_password = smtp.login == "password"
    password = secret(settings, smtp.password_credential) if smtp.username and by_password else None
    try:
        return Route(
            host=smtp.host,
            port=smtp.port,
            security=smtp.security,
            username=smtp.username or None,
            password=password,
            login=smtp.login,
            tokens=None if by_password else tokens_of(settings),
            ca_file=Path(smtp.ca_file) if smtp.ca_file else None,
        )
    except ValueError as error:
        raise SettingsError(f"smtp.security: {error}") from error


def check_profile(settings: Settings) -> None:
    """Raise SettingsError unless `ca.profile` names a profile for subscribers and `ocsp.profile` one for responders.

    `config` cannot know them: they belong to `ca`.
    """
    responders = sorted(name for name, each in load_profiles().items() if each.role is Role.RESPONDER)
    if settings.ocsp.profile not in responders:
        raise SettingsError(
            f"ocsp.profile: there is no responder's profile {settings.ocsp.profile!r}; known: {', '.join(responders)}"
        )
    # A certificate that approvers sign mail with is no login to the service.
    known = sorted(name for name, each in load_profiles().items() if "client_auth" in each.extended_key_usage)
    if settings.ca.profile not in known:
        near = difflib.get_close_matches(settings.ca.profile, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
        raise SettingsError(f"ca.profile: there is no subscriber profile {settings.ca.profile!r}{hint}")


def open_service(settings: Settings, *, clock: Callable[[], datetime] = wall_clock) -> Centre:
    """The centre as the service and the commands use it.

    Raises SettingsError, CredentialError, CaError, StoreError; ValueError when a letter could not be written.
    """
    check_templates()
    check_profile(settings)
    account, route = account_of(settings), route_of(settings)
    return open_centre(settings, open_keys(settings, clock=clock), account=account, route=route, clock=clock)
