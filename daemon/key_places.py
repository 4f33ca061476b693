"""Where the key of each issuing authority lies: sealed in a file of `data_dir/keys`, or in a token.

For a key in a token a small file stands there instead, `issuing-2.pkcs11`, with the labels of token and key: after the
configuration has moved on to another token, or from files to a token, the former authority's key is still found. It
holds no secret; the PIN is a credential.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ca.errors import CaError, CaErrorKind
from ca.hierarchy import ISSUING_ID
from ca.keys import KeyKind
from ca.signer import COST, CaKey, make_ca_key, seal_key
from ca.token import Lock, Token
from config.settings import Settings

from .durable import write_durably


@dataclass(frozen=True, slots=True)
class InToken:
    """A key in a token, by the labels of both."""

    token: str
    key: str


def stem(authority_id: str) -> str:
    """What the file of an authority's key is called, without suffix."""
    return "issuing" if authority_id == ISSUING_ID else authority_id


def place_in_token(settings: Settings, authority_id: str) -> InToken | None:
    """Where in a token the key is; None where it lies in a file. Raises CaError(key_unavailable) for a damaged note."""
    path = _note(settings, authority_id)
    if not path.exists():
        return None
    try:
        told = json.loads(path.read_bytes())
        return InToken(str(told["token"]), str(told["key"]))
    except (ValueError, KeyError, TypeError) as error:
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, f"{path} does not name a key in a token") from error


def described(settings: Settings, authority_id: str) -> str:
    """Where the key lies, in words for the operator."""
    found = place_in_token(settings, authority_id)
    if found is not None:
        return f"token {found.token}, key {found.key}"
    path = settings.data_dir / "keys" / f"{stem(authority_id)}.key"
    return f"file {path.name}" if path.exists() else "not here"


def open_token(settings: Settings, label: str, pin: str, lock: Lock | None = None) -> Token:
    """A token by its label, through the configured module. Raises CaError(key_unavailable)."""
    if not settings.ca.pkcs11_module:
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, "a key is in a token, and ca.pkcs11_module names no library")
    return Token(settings.ca.pkcs11_module, label, pin, lock)


def wanted_in_token(settings: Settings, authority_id: str) -> InToken:
    """Where the configuration wants the key of a new authority."""
    return InToken(settings.ca.pkcs11_token, settings.ca.pkcs11_key or authority_id)


def key_in_token(settings: Settings, authority_id: str, pin: str) -> CaKey:
    """The key of a new authority: the one of that label, or one made there now. Raises CaError(key_unavailable)."""
    wanted = wanted_in_token(settings, authority_id)
    token = open_token(settings, wanted.token, pin)
    if token.has_key(wanted.key):
        return token.find_key(wanted.key)
    return token.make_key(wanted.key, KeyKind(settings.ca.key))


def note_in_token(settings: Settings, authority_id: str, place: InToken) -> None:
    """Remember durably where in a token the key is."""
    text = json.dumps({"token": place.token, "key": place.key}, ensure_ascii=False)
    write_durably(_note(settings, authority_id), text.encode() + b"\n")


def keep(
    settings: Settings,
    authority_id: str,
    key: CaKey,
    passphrase: bytes,
    random_bytes: Callable[[int], bytes],
    *,
    cost: int = COST,
) -> None:
    """Seal a key into its file, durably."""
    sealed = seal_key(key, passphrase, random_bytes, cost=cost)
    write_durably(settings.data_dir / "keys" / f"{stem(authority_id)}.key", sealed)


def new_file_key(settings: Settings) -> CaKey:
    """A key of the configured kind, in memory."""
    return make_ca_key(KeyKind(settings.ca.key))


def _note(settings: Settings, authority_id: str) -> Path:
    return settings.data_dir / "keys" / f"{stem(authority_id)}.pkcs11"
