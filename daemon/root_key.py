"""The root's key leaves the host and comes back: written out sealed, read again, and only then removed.

Trusts: the medium it is written to for as long as it takes to read it back; the people who carry medium and passphrase
to be different ones (docs/ceremony.md).
Promises: the key is never in clear outside this process; it is not removed before the very file that was written has
been read from the disk, opened, and found to be the root's.
Weak: unlinking does not wipe a disk; what remains is sealed under the root's own passphrase, which leaves the host too.
"""

import contextlib
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from ca import register
from ca.errors import CaError, CaErrorKind
from ca.hierarchy import ROOT_ID
from ca.signer import COST, open_key, seal_key
from config.settings import Settings

from .audit import Audit
from .durable import sync_folder, write_durably
from .keyring import AUDIT_KEY, credentials_of, key_bytes, open_root_key, sealed_key, secret
from .store import Store


def export(
    settings: Settings,
    store: Store,
    out: Path,
    *,
    remove: bool,
    now: datetime,
    random_bytes: Callable[[int], bytes],
    cost: int = COST,
) -> bool:
    """Write the root's key to `out`, sealed under the root's own passphrase; whether that passphrase was made now.

    Raises CaError(key_unavailable) where the key is not here, CaError(mismatch) where what was written does not read
    back; FileExistsError for a file that is there: it may be the other copy.
    """
    if out.exists():
        raise FileExistsError(17, "is there already; a copy of the root's key is not overwritten", str(out))
    name = settings.ca.root_passphrase_credential
    passphrase_file = credentials_of(settings) / name
    made = not passphrase_file.exists()
    key = open_root_key(settings)
    if made:
        write_durably(passphrase_file, random_bytes(32).hex().encode() + b"\n")
    passphrase = secret(settings, name).reveal().encode()
    write_durably(out, seal_key(key, passphrase, random_bytes, cost=cost))
    with store.transaction() as tx:
        root = register.authority(tx, ROOT_ID)
        if open_key(_from_disk(out), passphrase).public_key != root.public_key:
            raise CaError(CaErrorKind.MISMATCH, f"what was written to {out} is not the root's key")
        Audit(key_bytes(settings, AUDIT_KEY)).append(tx, "root_key_exported", at=now, actor="operator", removed=remove)
    if remove:
        path = sealed_key(settings, ROOT_ID)
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
    return made


def bring_back(settings: Settings, store: Store, source: bytes, *, now: datetime) -> None:
    """Put an exported root key in its place again. Raises CaError: key_unavailable where it does not open under the
    root's passphrase, mismatch where it is another key."""
    passphrase = secret(settings, settings.ca.root_passphrase_credential).reveal().encode()
    with store.transaction() as tx:
        root = register.authority(tx, ROOT_ID)
        if open_key(source, passphrase).public_key != root.public_key:
            raise CaError(CaErrorKind.MISMATCH, "this is the key of another CA, not of the root in the register")
        Audit(key_bytes(settings, AUDIT_KEY)).append(tx, "root_key_brought_back", at=now, actor="operator")
    write_durably(sealed_key(settings, ROOT_ID), source)


def _from_disk(path: Path) -> bytes:
    """The file as the medium holds it, as far as the system can be asked to forget what it keeps in memory."""
    descriptor = os.open(path, os.O_RDONLY)
    with os.fdopen(descriptor, "rb") as file:
        with contextlib.suppress(OSError):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        return file.read()
