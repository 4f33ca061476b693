"""The font that people type into the fillable form with, as entries of its form dictionary.

Embedded, because a font that is only named lets viewers drop characters: Chrome's engine (PDFium, tried with pypdfium2
5.15) left 﨑 and 𠮷 out of what it drew and printed, so a name would have reached the paper maimed. So every character
of Windows' Japanese keyboard layout and of JIS X 0213 is inside, some 2 MB. The code of a
character is its number in Unicode: PDFium takes that for a character which it misses in the text map, among them all
beyond the basic plane, and would draw whatever stands there. Weak: of two characters whose numbers share their last 16
bits it can only draw one; that is the more common one, and both are read rightly, for we read values, not drawings.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import pypdf
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    EncodedStreamObject,
    NameObject,
    NumberObject,
    StreamObject,
    TextStringObject,
)

from daemon.form_fonts import Typeface

_EM = 1000
# Common in names, and in neither of the two sets of characters below.
_OF_NAMES = "𠮷"


@cache
def _typeable() -> str:
    """Every character of code page 932 and of JIS X 0213, and a few of names."""
    return "".join(char for code in (*range(0x20, 0xD800), *range(0xF900, 0x30000)) if _is_typeable(char := chr(code)))


def _is_typeable(char: str) -> bool:
    if char in _OF_NAMES:
        return True
    for codec in ("cp932", "euc_jis_2004"):
        try:
            char.encode(codec)
        except UnicodeEncodeError:
            continue
        return char.isprintable()
    return False


def typing_fonts(writer: pypdf.PdfWriter, face: Typeface) -> DictionaryObject:
    """The fonts of the form dictionary: `JaGo` to type with, `ZaDb` for ticks."""
    add = writer._add_object  # noqa: SLF001 - pypdf has no public way to add an object
    # The tick is the symbol at 4; its text map lets it be read where the fields were printed into the page.
    ticks = add(_packed(text_map([("34", ord("✔"))], last_code="FF")))
    symbols = _dictionary(Type="/Font", Subtype="/Type1", BaseFont="/ZapfDingbats", ToUnicode=ticks)
    return DictionaryObject({NameObject("/JaGo"): add(_japanese(writer, face)), NameObject("/ZaDb"): add(symbols)})


def _japanese(writer: pypdf.PdfWriter, face: Typeface) -> DictionaryObject:
    font = face.fullest(_typeable())
    outlines = font.face
    # In this order a character of the basic plane comes first and keeps its place.
    codes = {ord(char) & 0xFFFF: ord(char) for char in reversed(_typeable()) if ord(char) in outlines.charToGlyph}
    file, glyphs = _font_file(outlines, codes)
    name = f"/{outlines.name.decode() if isinstance(outlines.name, bytes) else outlines.name}"
    add = writer._add_object  # noqa: SLF001 - as above
    descriptor = _dictionary(
        Type="/FontDescriptor",
        FontName=name,
        Flags=4,
        FontBBox=[int(edge) for edge in outlines.bbox],
        ItalicAngle=0,
        Ascent=int(outlines.ascent),
        Descent=int(outlines.descent),
        CapHeight=int(outlines.capHeight),
        StemV=int(outlines.stemV),
        FontFile2=add(_packed(file, Length1=len(file))),
    )
    descendant = _dictionary(
        Type="/Font",
        Subtype="/CIDFontType2",
        BaseFont=name,
        CIDSystemInfo=DictionaryObject(
            {
                NameObject("/Registry"): TextStringObject("Adobe"),
                NameObject("/Ordering"): TextStringObject("Identity"),
                NameObject("/Supplement"): NumberObject(0),
            }
        ),
        FontDescriptor=add(descriptor),
        DW=_EM,
        W=_widths(outlines, codes),
        CIDToGIDMap=add(_packed(b"".join(glyphs.get(place, 0).to_bytes(2, "big") for place in range(0x10000)))),
    )
    pairs = [(f"{place:04X}", code) for place, code in sorted(codes.items())]
    return _dictionary(
        Type="/Font",
        Subtype="/Type0",
        BaseFont=name,
        Encoding="/Identity-H",
        DescendantFonts=[add(descendant)],
        ToUnicode=add(_packed(text_map(pairs, last_code="FFFF"))),
    )


def _font_file(outlines: Any, codes: Mapping[int, int]) -> tuple[bytes, dict[int, int]]:  # noqa: ANN401 - untyped
    """A font file with the glyphs of these characters, and the glyph of each: reportlab numbers them as they come."""
    numbers: dict[int, int] = {0: 0}
    glyphs = {place: numbers.setdefault(outlines.charToGlyph[code], len(numbers)) for place, code in codes.items()}
    return bytes(outlines.makeSubset(list(codes.values()))), glyphs


def _widths(outlines: Any, codes: Mapping[int, int]) -> list[Any]:  # noqa: ANN401 - as above
    """The widths that are not a whole em, as the entry /W lists them (ISO 32000-1, 9.7.4.3)."""
    entry: list[Any] = []
    for place, code in sorted(codes.items()):
        width = int(outlines.charWidths.get(code, outlines.defaultWidth))
        if width != _EM:
            entry += [place, place, width]
    return entry


def text_map(pairs: Sequence[tuple[str, int]], *, last_code: str) -> bytes:
    """A ToUnicode map: code in hexadecimal → character, in UTF-16, at most 100 a list (ISO 32000-1, 9.10.3)."""
    return "\n".join(_map_lines(pairs, last_code)).encode("ascii")


def _map_lines(pairs: Sequence[tuple[str, int]], last_code: str) -> Iterator[str]:
    yield "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap"
    yield "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def"
    yield "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def"
    yield f"1 begincodespacerange\n<{'0' * len(last_code)}> <{last_code}>\nendcodespacerange"
    for start in range(0, len(pairs), 100):
        some = pairs[start : start + 100]
        yield f"{len(some)} beginbfchar"
        yield from (f"<{code}> <{chr(number).encode('utf-16-be').hex().upper()}>" for code, number in some)
        yield "endbfchar"
    yield "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend"


def _packed(data: bytes, **entries: int) -> StreamObject:
    stream = EncodedStreamObject()
    stream._data = zlib.compress(data, 9)  # noqa: SLF001 - set_data of an encoded stream unpacks it first
    stream[NameObject("/Filter")] = NameObject("/FlateDecode")
    for key, value in entries.items():
        stream[NameObject(f"/{key}")] = NumberObject(value)
    return stream


def _dictionary(**entries: Any) -> DictionaryObject:  # noqa: ANN401 - names, numbers, lists and objects of pypdf
    made = DictionaryObject()
    for key, value in entries.items():
        if isinstance(value, str):
            entry: Any = NameObject(value)
        elif isinstance(value, int):
            entry = NumberObject(value)
        elif isinstance(value, list):
            entry = ArrayObject(NumberObject(each) if isinstance(each, int) else each for each in value)
        else:
            entry = value
        made[NameObject(f"/{key}")] = entry
    return made
