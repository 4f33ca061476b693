"""Raw mails and documents on disk, named by their SHA-256 digest.

Promises: when `put` returns, the bytes survive a power cut: written beside, fsynced, renamed, directory fsynced.
A crash in between leaves a `.part` file that nothing refers to, never a half file under a digest's name.
Weak: not encrypted before stage 3 (each raw mail gets its own data key there).
"""

import hashlib
import os
from pathlib import Path


class BlobMissing(Exception):
    """No bytes are stored under that digest, or they do not match it."""


class Blobs:
    """The blob folder of one centre."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, data: bytes) -> str:
        """Store bytes durably; returns their digest in hex. Storing the same bytes again changes nothing."""
        digest = hashlib.sha256(data).hexdigest()
        target = self._path(digest)
        # A damaged blob is healed by the same bytes coming again.
        if not target.exists() or target.read_bytes() != data:
            write_durably(target, data)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes of a digest. Raises BlobMissing when they are gone or damaged."""
        try:
            data = self._path(digest).read_bytes()
        except OSError as error:
            raise BlobMissing(f"blob {digest} cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise BlobMissing(f"blob {digest} is damaged: its bytes have another digest")
        return data

    def _path(self, digest: str) -> Path:
        return self.folder / digest[:2] / digest


def write_durably(target: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace a file atomically: a reader, or a restart after a crash, sees the old bytes or the new ones."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.rename(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename or an unlink in this folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
