"""The published files of a CRL: whether they hold what the register recorded, and the PEM beside the DER."""

import binascii
import struct
from collections.abc import Iterator
from pathlib import Path

from ca.authority import Authority
from ca.crl import digest_of
from ca.register import CrlRow

from .durable import replaced

_LINE = 64
# 48 octets make one line of PEM.
_PIECE = 48 << 14
_BEGIN, _END = b"-----BEGIN X509 CRL-----\n", b"-----END X509 CRL-----\n"

Seen = tuple[int, int, int]


def holds(path: Path, row: CrlRow, authority: Authority) -> bool:
    """Whether a file holds this CRL, octet for octet, by length and digest."""
    try:
        with path.open("rb") as file:
            return path.stat().st_size == row.octets and digest_of(file, authority.key_kind) == row.digest
    except (OSError, ValueError):
        return False


def stat_of(path: Path) -> Seen:
    """What changes when a file is replaced or written to; zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def pem_holds(der: Path, pem: Path) -> bool:
    """Whether a PEM file is the one of that DER file."""
    try:
        with pem.open("rb") as file:
            return all(file.read(len(piece)) == piece for piece in _encoded(der)) and not file.read(1)
    except OSError:
        return False


def write_pem(der: Path, pem: Path) -> None:
    """Write the PEM of a DER file beside it, durably."""
    with replaced(pem, mode=0o644) as file:
        for piece in _encoded(der):
            file.write(piece)


def _encoded(der: Path) -> Iterator[bytes]:
    yield _BEGIN
    with der.open("rb") as file:
        while piece := file.read(_PIECE):
            text = binascii.b2a_base64(piece, newline=False)
            # Cut into lines by one call, not by one a line: a list of a million entries has 1.6 million of them.
            whole, rest = divmod(len(text), _LINE)
            lines = struct.unpack(f"{_LINE}s" * whole + (f"{rest}s" if rest else ""), text)
            yield b"\n".join(lines) + b"\n"
    yield _END
