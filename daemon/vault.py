"""Secrets that must be forgotten: sealed under a key of their own that lives outside database and backup.

The database keeps the ciphertext, this folder keeps one random key a secret. Destroying the key is the erasure: rows,
write-ahead log, old database pages and backups may keep the ciphertext for ever and it opens nothing.
Trusts: the folder is not part of any backup (docs/operations.md). Weak: an unlinked file's blocks are not overwritten;
whoever holds the raw disk may find them.
"""

from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .blobs import sync_folder, write_durably


class VaultError(Exception):
    """The secret can't be opened: its key is gone (it was erased) or the ciphertext was changed."""


class Vault:
    """The key folder of one centre."""

    def __init__(self, folder: Path, random_bytes: Callable[[int], bytes]) -> None:
        self.folder = folder
        self.random_bytes = random_bytes

    def seal(self, secret: bytes) -> tuple[str, bytes]:
        """Encrypt under a fresh key; returns the key's name and the ciphertext. The key is durable on return."""
        name = self.random_bytes(16).hex()
        key, nonce = self.random_bytes(32), self.random_bytes(12)
        write_durably(self.folder / name, key)
        return name, nonce + AESGCM(key).encrypt(nonce, secret, name.encode())

    def open(self, name: str, sealed: bytes) -> bytes:
        """The secret. Raises VaultError when its key was destroyed or the ciphertext is not the one sealed."""
        try:
            key = (self.folder / name).read_bytes()
            return AESGCM(key).decrypt(sealed[:12], sealed[12:], name.encode())
        except (OSError, InvalidTag, ValueError) as error:
            raise VaultError("a sealed letter cannot be opened any more") from error

    def destroy(self, name: str) -> None:
        """Forget the key, and with it the secret; a key that is gone already is no error."""
        (self.folder / name).unlink(missing_ok=True)
        if self.folder.exists():
            sync_folder(self.folder)

    def names(self) -> frozenset[str]:
        """The names of all keys there are, for the sweep of keys that no letter refers to."""
        if not self.folder.exists():
            return frozenset()
        return frozenset(path.name for path in self.folder.iterdir() if not path.name.startswith("."))
