"""The folder of sealed keys, for those that the service makes by itself: the keys of OCSP responders.

Trusts: the passphrase (a systemd credential), the folder to be the service user's alone.
Promises: a key is on the disk, sealed, before anything it belongs to is recorded; it is never there in clear.
Weak: a key that was replaced is unlinked, not overwritten: sealed as it is, it is worth what the passphrase is worth.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ca.errors import CaError, CaErrorKind
from ca.signer import COST, CaKey, open_key, seal_key
from config.credentials import Secret

from .blobs import write_durably

SUFFIX = ".key"


@dataclass(frozen=True, slots=True)
class Cabinet:
    """Sealed keys by name. `cost` is that of `ca.signer.seal_key`."""

    folder: Path
    passphrase: Secret = field(repr=False)
    cost: int = COST

    def keep(self, name: str, key: CaKey, random_bytes: Callable[[int], bytes]) -> None:
        """Seal a key and write it; it is durable when this returns. Raises OSError."""
        sealed = seal_key(key, self.passphrase.reveal().encode(), random_bytes, cost=self.cost)
        write_durably(self.folder / f"{name}{SUFFIX}", sealed)

    def take(self, name: str) -> CaKey:
        """Open a key. Raises CaError(key_unavailable) where it is missing, damaged or sealed otherwise."""
        try:
            blob = (self.folder / f"{name}{SUFFIX}").read_bytes()
        except OSError as error:
            raise CaError(CaErrorKind.KEY_UNAVAILABLE, f"a key cannot be read: {error.strerror}") from error
        return open_key(blob, self.passphrase.reveal().encode())

    def clear(self, prefix: str, *, but: str) -> None:
        """Remove every key whose name begins so, except one."""
        for path in self.folder.glob(f"{prefix}*{SUFFIX}"):
            if path.name != f"{but}{SUFFIX}":
                path.unlink(missing_ok=True)
