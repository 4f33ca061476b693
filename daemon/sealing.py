"""Bytes of any length under a key of their own, a piece at a time: AES-256-GCM as a stream.

The STREAM construction (Hoang and others, 2015): each piece is sealed under a nonce of its number and
a mark on the last, so that no piece can be left out, repeated, moved or cut off unnoticed. A key seals one content only
(`blob_keys`), so a nonce that is a plain number is used for one plaintext only. Memory: two
pieces, whatever the length.
"""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PIECE = 1024 * 1024
"""Octets of plain bytes in one sealed piece: most mails are one."""

_TAG = 16


class SealBroken(Exception):
    """The sealed bytes are not what was sealed, or the key is another."""


def pieces(chunks: Iterable[bytes]) -> Iterator[tuple[bytes | bytearray, bool]]:
    """Cut chunks of any size into pieces of PIECE octets; True marks the last, which alone may be shorter or empty."""
    rest: bytes | bytearray = b""
    for chunk in chunks:
        if not rest and len(chunk) <= PIECE:
            rest = chunk  # the usual mail comes as one chunk, which nothing but the cipher copies
            continue
        view = memoryview(chunk)
        while view:
            if len(rest) == PIECE:
                yield rest, False
                rest = bytearray()
            taken = min(len(view), PIECE - len(rest))
            rest = bytearray(rest) if isinstance(rest, bytes) else rest
            rest += view[:taken]
            view = view[taken:]
    yield rest, True


def seal(key: bytes, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The sealed pieces of these bytes, in order."""
    cipher = AESGCM(key)
    for number, (piece, last) in enumerate(pieces(chunks)):
        yield cipher.encrypt(_nonce(number, last=last), piece, None)


def unseal(key: bytes, file: BinaryIO) -> Iterator[bytes]:
    """The plain pieces of a sealed file. Raises SealBroken, at the latest after the last piece, for any change."""
    cipher, number = AESGCM(key), 0
    sealed = file.read(PIECE + _TAG)
    while True:
        following = file.read(PIECE + _TAG)
        try:
            yield cipher.decrypt(_nonce(number, last=not following), sealed, None)
        except (InvalidTag, ValueError):
            raise SealBroken(f"piece {number} is not what was sealed") from None
        if not following:
            return
        sealed, number = following, number + 1


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
