"""Take the hinting out of the TrueType fonts of an exported PDF, to keep the committed samples small.

Hinting only matters for small letters on coarse screens: half of such a font is instructions. Outlines, widths and the
map to Unicode stay as LibreOffice wrote them, so that nothing a reader sees changes.
"""

import struct
import zlib
from itertools import pairwise
from typing import cast

from pypdf import PdfWriter
from pypdf.generic import DictionaryObject, IndirectObject, NameObject, NumberObject, StreamObject

_DROPPED = {b"fpgm", b"prep", b"cvt ", b"name"}
_WORDS, _MORE, _SCALE, _XY_SCALE, _MATRIX, _INSTRUCTIONS = 0x0001, 0x0020, 0x0008, 0x0040, 0x0080, 0x0100


def slim_fonts(writer: PdfWriter) -> None:
    """Slim every TrueType font file of the document."""
    seen: set[int] = set()
    for page in writer.pages:
        resources = cast("DictionaryObject", page["/Resources"])
        fonts = cast("DictionaryObject", resources["/Font"]) if "/Font" in resources else {}
        for font in fonts.values():
            descriptor = cast("DictionaryObject", font.get_object()["/FontDescriptor"])
            reference = descriptor.raw_get("/FontFile2") if "/FontFile2" in descriptor else None
            if isinstance(reference, IndirectObject) and reference.idnum not in seen:
                seen.add(reference.idnum)
                _replace(cast("StreamObject", reference.get_object()))


def _replace(stream: StreamObject) -> None:
    slim = slim_font(stream.get_data())
    stream._data = zlib.compress(slim, 9)  # noqa: SLF001 - pypdf can only decode such a stream, not encode it again
    stream[NameObject("/Filter")] = NameObject("/FlateDecode")
    stream[NameObject("/Length1")] = NumberObject(len(slim))


def slim_font(data: bytes) -> bytes:
    """The same TrueType font without its instructions and names."""
    tables = {}
    for number in range(struct.unpack_from(">H", data, 4)[0]):
        tag, _, offset, length = struct.unpack_from(">4sLLL", data, 12 + 16 * number)
        tables[tag] = data[offset : offset + length]
    tables = {tag: table for tag, table in tables.items() if tag not in _DROPPED}
    long_offsets = struct.unpack_from(">h", tables[b"head"], 50)[0] == 1
    size, code = (4, "L") if long_offsets else (2, "H")
    offsets = struct.unpack(f">{len(tables[b'loca']) // size}{code}", tables[b"loca"])
    factor = 1 if long_offsets else 2
    glyphs = [tables[b"glyf"][first * factor : last * factor] for first, last in pairwise(offsets)]
    slim = [_without_instructions(glyph) for glyph in glyphs]
    starts = [0]
    for glyph in slim:
        starts.append(starts[-1] + len(glyph))
    tables[b"glyf"] = b"".join(slim)
    tables[b"loca"] = struct.pack(f">{len(starts)}{code}", *(start // factor for start in starts))
    return _assembled(data[:4], tables)


def _without_instructions(glyph: bytes) -> bytes:
    if len(glyph) < 12:
        return glyph
    contours = struct.unpack_from(">h", glyph)[0]
    if contours >= 0:
        place = 10 + 2 * contours
        length = struct.unpack_from(">H", glyph, place)[0]
        slim = glyph[:place] + b"\0\0" + glyph[place + 2 + length :]
    else:
        slim = _composite(glyph)
    # The flags of a simple glyph end where its points end, so that trailing padding never was part of it.
    return slim + bytes(-len(slim) % 4)


def _composite(glyph: bytes) -> bytes:
    slim, place, flags = bytearray(glyph[:10]), 10, _MORE
    while flags & _MORE:
        flags = struct.unpack_from(">H", glyph, place)[0]
        length = 4 + (4 if flags & _WORDS else 2)
        length += 2 if flags & _SCALE else 4 if flags & _XY_SCALE else 8 if flags & _MATRIX else 0
        slim += struct.pack(">H", flags & ~_INSTRUCTIONS) + glyph[place + 2 : place + length]
        place += length
    return bytes(slim)


def _assembled(version: bytes, tables: dict[bytes, bytes]) -> bytes:
    count = len(tables)
    power = 1 << (count.bit_length() - 1)
    head = version + struct.pack(">HHHH", count, power * 16, power.bit_length() - 1, (count - power) * 16)
    directory, body = b"", b""
    for tag, table in sorted(tables.items()):
        padded = table + bytes(-len(table) % 4)
        total = sum(struct.unpack(f">{len(padded) // 4}L", padded)) & 0xFFFFFFFF
        directory += struct.pack(">4sLLL", tag, total, 12 + 16 * count + len(body), len(table))
        body += padded
    return head + directory + body
