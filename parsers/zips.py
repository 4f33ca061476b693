"""Zip files as Japan sends them: the names in whatever character set, and what is inside, within limits.

`directory` looks at the list of names only, entry by entry and bounded: it is used where no container is opened, to
tell a workbook from an archive and a plain archive from one under a password. `open_zip` takes members out; it belongs
into the confined child. The numbers are those of PKWARE's APPNOTE.TXT. Trusts no declared size: what comes out is
counted as it comes.
"""

import binascii
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from parsers import charsets

MAGIC = b"PK\x03\x04"
_EMPTY = b"PK\x05\x06"
_END = struct.Struct("<4s4H2IH")
_ENTRY_SIZE = 46
_LONGEST_COMMENT = 65_535
# Entries that are looked at; an archive of forms has some ten.
MOST_ENTRIES = 2_000
_ENCRYPTED, _UTF8 = 0x0001, 0x0800
_UNICODE_PATH = 0x7075
_PIECE = 1 << 18
# Deflate reaches 1:1032, and only over bytes that are all alike; no document comes near half of this.
_HIGHEST_RATIO = 300
_HARMLESS = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the directory."""

    name: bytes
    encrypted: bool

    @property
    def is_folder(self) -> bool:
        """Whether it only names a folder (APPNOTE.TXT 4.3.8)."""
        return self.name.endswith((b"/", b"\\"))


@dataclass(frozen=True, slots=True)
class Unzipped:
    """One member: its path, the parts decoded, and its bytes, or the reason why there are none."""

    path: tuple[str, ...]
    data: bytes = b""
    trouble: str = ""


def is_zip(data: bytes) -> bool:
    """Whether bytes begin as a zip does."""
    return data.startswith((MAGIC, _EMPTY))


def directory(data: bytes) -> tuple[Entry, ...]:
    """The entries that the directory at the end lists, at most MOST_ENTRIES; empty where there is none to be found."""
    end = data.rfind(_EMPTY, max(0, len(data) - _END.size - _LONGEST_COMMENT))
    if end < 0 or end + _END.size > len(data):
        return ()
    size = _END.unpack_from(data, end)[5]
    # Counted back from the end, so that something before the archive moves nothing.
    return tuple(_entries(data, max(0, end - size), end))


def _entries(data: bytes, at: int, end: int) -> Iterator[Entry]:
    for _ in range(MOST_ENTRIES):
        if at + _ENTRY_SIZE > end or data[at : at + 4] != b"PK\x01\x02":
            return
        flags, name, extra, comment = (struct.unpack_from("<H", data, at + place)[0] for place in (8, 28, 30, 32))
        at += _ENTRY_SIZE
        yield Entry(data[at : at + name], bool(flags & _ENCRYPTED))
        at += name + extra + comment


def open_zip(data: bytes, *, most: int, most_bytes: int) -> Iterator[Unzipped]:
    """The files inside, in order; at most `most` and `most_bytes` in all, then one with the trouble `too_large`.

    A member under a password has the trouble `encrypted_archive`, one that cannot be read `damaged`. Never raises.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, zlib.error, struct.error, OSError, ValueError, LookupError, NotImplementedError):
        yield Unzipped((), trouble="damaged")
        return
    left = most_bytes
    for count, info in enumerate(infos):
        path = path_of(info)
        if _is_litter(path):
            continue
        if count >= most:
            yield Unzipped((), trouble="too_large")
            return
        member = _member(archive, info, path, left)
        left -= len(member.data)
        yield member


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: tuple[str, ...], left: int) -> Unzipped:
    if info.flag_bits & _ENCRYPTED:
        return Unzipped(path, trouble="encrypted_archive")
    most = min(left, max(_HARMLESS, info.compress_size * _HIGHEST_RATIO))
    out = bytearray()
    try:
        with archive.open(info) as stream:
            while piece := stream.read(_PIECE):
                out += piece
                if len(out) > most:
                    return Unzipped(path, trouble="too_large")
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        struct.error,
        EOFError,
        OSError,
        ValueError,
        RuntimeError,
        NotImplementedError,
    ):
        # RuntimeError: a password is wanted after all. What was read may be cut or changed: it is not taken.
        return Unzipped(path, trouble="damaged")
    return Unzipped(path, bytes(out))


def path_of(info: zipfile.ZipInfo) -> tuple[str, ...]:
    """The parts of a member's name. Windows writes CP932 and says nothing, macOS UTF-8 and says nothing; what is
    marked as UTF-8, or has its name once more in UTF-8 (field 0x7075), is taken at its word."""
    if info.flag_bits & _UTF8:
        name = info.orig_filename
    else:
        raw = info.orig_filename.encode("cp437", "replace")
        name = _unicode_path(info.extra, raw) or charsets.decode(raw).text
    # Only now: half of a character of CP932 may be a backslash.
    parts = (charsets.clean_line(part) for part in name.replace("\\", "/").split("/"))
    return tuple(part for part in parts if part not in ("", ".", "..")) or ("unnamed",)


def _unicode_path(extra: bytes, raw: bytes) -> str:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        content = extra[at + 4 : at + 4 + length]
        # Valid for the very name it was made for only (APPNOTE.TXT 4.6.9).
        valid = content[:1] == b"\1" and content[1:5] == binascii.crc32(raw).to_bytes(4, "little")
        if kind == _UNICODE_PATH and valid:
            return content[5:].decode("utf-8", "replace")
        at += 4 + length
    return ""


def _is_litter(path: tuple[str, ...]) -> bool:
    """What operating systems leave in archives by themselves."""
    return path[0] == "__MACOSX" or path[-1].lower() in (".ds_store", "thumbs.db", "desktop.ini")
