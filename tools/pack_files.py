"""Containers as senders make them: zips with names of Windows and macOS, zips under a password, winmail.dat.

For test mails. A member is (name, bytes). The winmail.dat writer follows [MS-OXTNEF] and shares nothing with our
reader.
"""

import binascii
import io
import struct
import zipfile
import zlib
from collections.abc import Sequence

Member = tuple[str, bytes]


def zipped(members: Sequence[Member], *, names: str = "cp932", encrypted: bool = False) -> bytes:
    """A zip; `names` is the character set of its names, `utf-8-flagged` marks them as the standard asks."""
    out, listing = bytearray(), bytearray()
    for name, data in members:
        flags = (0x0001 if encrypted else 0) | (0x0800 if names == "utf-8-flagged" else 0)
        raw = name.encode("utf-8" if names.startswith("utf-8") else names)
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = packer.compress(data) + packer.flush()
        if encrypted:
            # Twelve octets of header and bytes that nobody can read: what a stranger sees of ZipCrypto.
            packed = bytes(byte ^ 0x5A for byte in (b"\0" * 12 + packed))
        fixed = struct.pack(
            "<HHHHHIIIHH", 20, flags, 8, 0, 0x58C1, binascii.crc32(data), len(packed), len(data), len(raw), 0
        )
        listing += b"PK\x01\x02" + struct.pack("<H", 20) + fixed + struct.pack("<HHHII", 0, 0, 0, 0, len(out)) + raw
        out += b"PK\x03\x04" + fixed + raw + packed
    start = len(out)
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(listing), start, 0)
    return bytes(out + listing) + b"PK\x05\x06" + end


def bomb(megabytes: int, *, copies: int = 1) -> bytes:
    """A zip of zeros, a thousandth of what comes out of it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for copy in range(copies):
            with archive.open(f"{copy}.pdf", "w") as member:
                for _ in range(megabytes):
                    member.write(bytes(1 << 20))
    return out.getvalue()


# --- winmail.dat -----------------------------------------------------------------------------------------------------

_LONG, _STRING8, _UNICODE, _BINARY, _OBJECT = 0x0003, 0x001E, 0x001F, 0x0102, 0x000D


def winmail(members: Sequence[Member], *, subject: str = "", unicode_names: bool = True, within: bytes = b"") -> bytes:
    """A TNEF stream as Exchange writes it; `within` is a stream of an attached mail, put last."""
    out = struct.pack("<IH", 0x223E9F78, 1)
    out += _attribute(1, 0x00089006, struct.pack("<I", 0x00010000))
    out += _attribute(1, 0x00069007, struct.pack("<II", 932, 0))
    if subject:
        out += _attribute(1, 0x00018004, subject.encode("cp932") + b"\0")
    for name, data in members:
        short = name.encode("cp932")[:8] + b"~1.PDF\0"
        properties = [_fixed(0x3705, _LONG, 1), _variable(0x3707, name, unicode_names=unicode_names)]
        properties.append(_named(b"x-any", 7))
        out += _attribute(2, 0x00069002, bytes(14)) + _attribute(2, 0x00018010, short)
        out += _attribute(2, 0x0006800F, data) + _attribute(2, 0x00069005, _list(properties))
    if within:
        content = bytes.fromhex("0703020000000000C000000000000046") + within
        properties = [_fixed(0x3705, _LONG, 5), _raw(0x3701, _OBJECT, content)]
        out += _attribute(2, 0x00069002, bytes(14)) + _attribute(2, 0x00069005, _list(properties))
    return out


def _attribute(level: int, identifier: int, data: bytes) -> bytes:
    return struct.pack("<BII", level, identifier, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def _list(properties: Sequence[bytes]) -> bytes:
    return struct.pack("<I", len(properties)) + b"".join(properties)


def _fixed(key: int, kind: int, value: int) -> bytes:
    return struct.pack("<HHI", kind, key, value)


def _variable(key: int, text: str, *, unicode_names: bool) -> bytes:
    if unicode_names:
        return _raw(key, _UNICODE, text.encode("utf-16-le") + b"\0\0")
    return _raw(key, _STRING8, text.encode("cp932") + b"\0")


def _raw(key: int, kind: int, value: bytes) -> bytes:
    return struct.pack("<HHII", kind, key, 1, len(value)) + value + bytes(-len(value) % 4)


def _named(name: bytes, value: int) -> bytes:
    """A property with a name of its own, as programs add them: readers that do not step over it lose the rest."""
    text = name.decode().encode("utf-16-le") + b"\0\0"
    head = (
        struct.pack("<HH", _LONG, 0x8001) + bytes(16) + struct.pack("<II", 1, len(text)) + text + bytes(-len(text) % 4)
    )
    return head + struct.pack("<I", value)
