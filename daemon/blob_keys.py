"""The data keys of blobs: one random key a blob, in a folder of their own, so that one blob can be forgotten alone.

Does: keeps 16 tables, one for the first digit of a digest, each a file of records of 128 octets. Adding keys is one
append and one fsync a table; forgetting one overwrites it in place. A record names its digest, its key and a check of
both.
Trusts: the folder is copied by no backup but the one described in docs/decisions/0017-one-key-a-blob.md.
Promises: a key that was added is there after a power cut; one that was forgotten is not, nor can it be read from the
table. A record begins at a multiple of 128 octets and so never lies across two sectors of a disk: an overwriting that a
crash interrupts leaves the old record or the new one, or (on a disk that tears sectors) one whose check fails and whose
key therefore opens nothing. An append that was interrupted leaves a last record that is too short: it is cut off by
the next append; nothing was sealed under its key, because sealed bytes get their name only after the fsync.
Processes exclude each other by flock(2) on the table.
Weak: a file system that writes every change elsewhere (btrfs, ZFS, the flash under an SSD) keeps the overwritten octets
somewhere below until it reuses them.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .durable import sync_folder

_RECORD = 128
_DIGEST = 32
_KEY = 32
_FORGOTTEN = bytes(_KEY)
_EMPTY = bytes(_RECORD - _DIGEST)


class KeyForgotten(Exception):
    """The blob was erased: its key was overwritten."""


class KeyTable:
    """One locked table, as `BlobKeys.open` gives it; `fsync`ed after each change."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def find(self, digest: str) -> bytes | None:
        """The key of a blob, None where there never was one. Raises KeyForgotten.

        Where a blob was stored anew the newest record counts.
        """
        name, found, forgotten = bytes.fromhex(digest), None, False
        for _, record in self._records(name):
            body = record[_DIGEST:]
            if body == _EMPTY:
                found, forgotten = None, True
            elif body[_KEY : 2 * _KEY] == _check(name, body[:_KEY]):
                found, forgotten = body[:_KEY], False
        if forgotten:
            raise KeyForgotten(digest)
        return found

    def add(self, keys: Mapping[str, bytes]) -> None:
        """Note the keys of blobs, by digest; they are on the disk when this returns."""
        named = [(bytes.fromhex(digest), key) for digest, key in keys.items()]
        self._append(b"".join((name + key + _check(name, key)).ljust(_RECORD, b"\0") for name, key in named))

    def forget(self, digest: str) -> None:
        """Overwrite every key this blob ever had; what is left says that it was erased, also where it had none."""
        name, found = bytes.fromhex(digest), False
        for offset, record in list(self._records(name)):
            found = True
            if record[_DIGEST:] != _EMPTY:
                os.pwrite(self._descriptor, _EMPTY, offset + _DIGEST)
        if not found:
            self._append(name.ljust(_RECORD, b"\0"))
        # Always: an earlier try may have overwritten and stopped before this line.
        os.fsync(self._descriptor)

    def _append(self, records: bytes) -> None:
        size = os.fstat(self._descriptor).st_size
        end = size - size % _RECORD
        try:
            if size != end:
                os.ftruncate(self._descriptor, end)
            written = 0
            while written < len(records):
                # A full disk takes a part of it; the rest is refused with the error that says why.
                written += os.pwrite(self._descriptor, records[written:], end + written)
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, end)
            raise

    def _records(self, name: bytes) -> Iterator[tuple[int, bytes]]:
        size = os.fstat(self._descriptor).st_size
        table = os.pread(self._descriptor, size - size % _RECORD, 0)
        offset = table.find(name)
        while offset >= 0:
            if offset % _RECORD == 0:
                yield offset, table[offset : offset + _RECORD]
            offset = table.find(name, offset + 1)


class BlobKeys:
    """The key folder of one centre."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def open(self, digest: str) -> Iterator[KeyTable]:
        """The table this digest (or its first digit) belongs to, nobody else's while the block lasts."""
        path = self.folder / digest[:1]
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            descriptor = self._make(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield KeyTable(descriptor)
        finally:
            os.close(descriptor)

    def _make(self, path: Path) -> int:
        """An empty table, durable before anything is written into it. Another process may have been faster."""
        fresh = not self.folder.exists()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        sync_folder(self.folder)
        if fresh:
            sync_folder(self.folder.parent)
        return descriptor


def _check(name: bytes, key: bytes) -> bytes:
    return hashlib.sha256(name + key).digest()
