"""Raw mails and documents on disk, named by their SHA-256 digest, each sealed under a key of its own.

Does: seals bytes under a fresh random key (`sealing`), writes them under the digest of the plain bytes, keeps the key
apart (`blob_keys`), so that one mail can be forgotten for good while backups keep what lay on the disk.
Promises: when `put` returns, bytes and key survive a power cut. When `erase` returns, nobody opens these bytes again.
Weak: the blobs of a data folder older than this stay plain; erasing one of those unlinks the file and no more.

The order of `put` and what a crash leaves behind:
  1. sealed bytes into a `.part` file, fsync    before: nothing. After: a file that nothing refers to, under a key that
                                                was never written, swept away after a day (`sweep`)
  2. key into the table, fsync                  after: a key without a blob; `get` says missing, the next `put` adds
                                                another key, which counts
  3. rename to the digest, fsync of the folder  after: the blob is there; before the folder is synced it may be, or not
The order of `erase`: the key is overwritten first, then the file is unlinked; a crash in between leaves sealed bytes
that nothing opens. Between two runs nothing depends on the order: each may be repeated.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from .blob_keys import BlobKeys, KeyForgotten, KeyTable
from .durable import sync_folder, write_durably
from .sealing import PIECE, SealBroken, seal, unseal

__all__ = ["BlobErased", "BlobMissing", "Blobs", "Stored", "sync_folder", "write_durably"]

_SUFFIX = ".sealed"
_KEY_OCTETS = 32
_PART_LIFE = timedelta(days=1)
"""A `.part` file older than this belongs to no process that still writes it."""


class BlobMissing(Exception):
    """No bytes are stored under that digest, or they are damaged."""


class BlobErased(BlobMissing):
    """The bytes of that digest were erased on purpose: their key is gone for good."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What `Blobs.put_stream` stored: the digest in hex and the number of octets."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class _Part:
    """Sealed bytes in a file without a name of its own yet, and the key they were sealed under."""

    key: bytes
    path: Path
    file: FileIO


class Blobs:
    """The blob folder of one centre and the folder of its keys, side by side."""

    def __init__(self, folder: Path, random_bytes: Callable[[int], bytes], keys: Path | None = None) -> None:
        self.folder = folder
        self.keys = BlobKeys(keys or folder.with_name("blob-keys"))
        self._random_bytes = random_bytes

    def put(self, data: bytes, *, anew: bool = False) -> str:
        """Store bytes durably; returns their digest in hex. Storing the same bytes again changes nothing.

        Bytes that were erased stay erased and are not stored, unless `anew` says that they came again by another way
        and are wanted.
        """
        return self.put_many((data,), anew=anew)[0].digest

    def put_many(self, blobs: Sequence[bytes], *, anew: bool = False) -> list[Stored]:
        """As `put`, for several blobs: durable together when this returns, at fewer waits for the disk."""
        stored = [Stored(hashlib.sha256(data).hexdigest(), len(data)) for data in blobs]
        by_digest = {each.digest: data for each, data in zip(stored, blobs, strict=True)}
        parts: dict[str, _Part] = {}
        try:
            for digest in self._unsettled(by_digest, anew=anew):
                key = self._random_bytes(_KEY_OCTETS)
                parts[digest] = self._write_part(key, seal(key, (by_digest[digest],)))
            self._settle(parts, anew=anew)
        finally:
            _take_away(parts.values())
        return stored

    def put_stream(self, chunks: Iterable[bytes], *, anew: bool = False) -> Stored:
        """As `put`, for bytes that come in chunks and need never lie in memory together."""
        hashed, size = hashlib.sha256(), 0
        key = self._random_bytes(_KEY_OCTETS)

        def counted() -> Iterator[bytes]:
            nonlocal size
            for chunk in chunks:
                hashed.update(chunk)
                size += len(chunk)
                yield chunk

        part = self._write_part(key, seal(key, counted()))
        try:
            self._settle({hashed.hexdigest(): part}, anew=anew)
        finally:
            _take_away((part,))
        return Stored(hashed.hexdigest(), size)

    def get(self, digest: str) -> bytes:
        """The bytes of a digest. Raises BlobErased, BlobMissing when they are gone or damaged."""
        return b"".join(self.stream(digest))

    def stream(self, digest: str) -> Iterator[bytes]:
        """The bytes of a digest in pieces. Raises as `get`; for damage at the latest after the last piece."""
        with self.keys.open(digest) as table:
            try:
                key = table.find(digest)
            except KeyForgotten:
                raise BlobErased(f"blob {digest} was erased") from None
            file = self._open(digest, sealed=key is not None)
        with file:
            yield from _checked(digest, file, key)

    def erase(self, digest: str) -> None:
        """Forget these bytes for good; repeating it, or erasing what is not there, changes nothing more."""
        with self.keys.open(digest) as table:
            table.forget(digest)
            for path in (self._path(digest), self._plain(digest)):
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()
                    sync_folder(path.parent)

    def erased(self, digest: str) -> bool:
        """Whether these bytes were erased."""
        with self.keys.open(digest) as table:
            try:
                table.find(digest)
            except KeyForgotten:
                return True
        return False

    def sweep(self, now: datetime) -> int:
        """Unlink what a crash left half written; returns how many files."""
        swept = 0
        for part in self.folder.glob(".*.part"):
            with contextlib.suppress(FileNotFoundError):
                if datetime.fromtimestamp(part.stat().st_mtime, now.tzinfo) < now - _PART_LIFE:
                    part.unlink()
                    swept += 1
        return swept

    def _is_settled(self, table: KeyTable, digest: str, *, anew: bool) -> bool:
        """Whether nothing is to be stored: it is there whole, or it was erased. Damage is healed by storing again."""
        try:
            key = table.find(digest)
        except KeyForgotten:
            return not anew
        try:
            with self._open(digest, sealed=key is not None) as file:
                for _ in _checked(digest, file, key):
                    pass
        except BlobMissing:
            return False
        return True

    def _settle(self, parts: Mapping[str, _Part], *, anew: bool) -> None:
        """Give written parts their names, by digest; durable on return (the order: see the head of the module)."""
        for part in parts.values():
            os.fsync(part.file.fileno())
        for table_name in sorted({digest[:1] for digest in parts}):
            with self.keys.open(table_name) as table:
                wanted = {
                    digest: part
                    for digest, part in parts.items()
                    if digest[:1] == table_name and not self._is_settled(table, digest, anew=anew)
                }
                if not wanted:
                    continue
                table.add({digest: part.key for digest, part in wanted.items()})
                folder = self.folder / table_name
                if not folder.exists():
                    folder.mkdir(parents=True, exist_ok=True)
                    sync_folder(self.folder)
                for digest, part in wanted.items():
                    part.path.rename(self._path(digest))
                sync_folder(folder)

    def _unsettled(self, digests: Iterable[str], *, anew: bool) -> list[str]:
        """Those that are to be stored, each table looked at once."""
        found: list[str] = []
        by_table: dict[str, list[str]] = {}
        for digest in digests:
            by_table.setdefault(digest[:1], []).append(digest)
        for name, members in by_table.items():
            with self.keys.open(name) as table:
                found += [digest for digest in members if not self._is_settled(table, digest, anew=anew)]
        return found

    def _write_part(self, key: bytes, sealed: Iterable[bytes]) -> _Part:
        path = self.folder / f".{self._random_bytes(16).hex()}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            descriptor = os.open(path, flags, 0o600)
        except FileNotFoundError:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, flags, 0o600)
        part = _Part(key, path, os.fdopen(descriptor, "wb", buffering=0))
        try:
            for piece in sealed:
                view = memoryview(piece)
                while view:
                    view = view[part.file.write(view) :]
            # The disk may begin now; `_settle` waits for it, and then finds the files of a batch written side by side.
            os.posix_fadvise(part.file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        except BaseException:
            _take_away([part])
            raise
        return part

    def _open(self, digest: str, *, sealed: bool) -> BinaryIO:
        try:
            return (self._path(digest) if sealed else self._plain(digest)).open("rb")
        except OSError as error:
            raise BlobMissing(f"blob {digest} cannot be read: {error.strerror}") from error

    def _path(self, digest: str) -> Path:
        return self.folder / digest[:1] / f"{digest}{_SUFFIX}"

    def _plain(self, digest: str) -> Path:
        """Where a data folder of stage 1 or 2 has its plain bytes."""
        return self.folder / digest[:2] / digest


def _take_away(parts: Collection[_Part]) -> None:
    """After the rename there is none; after an error it must not fill a disk that may be full."""
    for part in parts:
        part.file.close()
    for part in parts:
        part.path.unlink(missing_ok=True)


def _checked(digest: str, file: BinaryIO, key: bytes | None) -> Iterator[bytes]:
    """The plain bytes of an opened blob. Raises BlobMissing for damage."""
    if key is not None:
        # The tag of each piece proves it, and the key's record names the digest: no second hashing.
        try:
            yield from unseal(key, file)
        except SealBroken:
            raise BlobMissing(f"blob {digest} is damaged: it is not what was sealed") from None
        return
    hashed = hashlib.sha256()
    while piece := file.read(PIECE):
        hashed.update(piece)
        yield piece
    if hashed.hexdigest() != digest:
        raise BlobMissing(f"blob {digest} is damaged: its bytes have another digest")
