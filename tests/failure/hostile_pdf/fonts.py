"""Fonts that are broken, lie or never end: what pdfminer and pdfium parse with the most code."""

import random
import zlib

from failure.hostile_pdf.writing import blanks, page

_TEXT = b"BT /F1 12 Tf 72 700 Td (the quick brown fox jumps over the lazy dog) Tj ET"
_WIDE = b"BT /F1 12 Tf 72 700 Td <" + b"00410042004300440045" * 8 + b"> Tj ET"


def _noise(seed, size):
    return random.Random(seed).randbytes(size)


def _packed(pdf, data, entries, *, packed):
    return pdf.stream(data, f"/Filter /FlateDecode {entries}") if packed else pdf.deflated(data, entries)


def _simple(file, key="FontFile", subtype="Type1", entries="", extra="", packed=False):
    """One font with an embedded program."""

    def fonts(pdf):
        program = _packed(pdf, file, f"/Length1 {len(file)} /Length2 {len(file)} /Length3 0 {entries}", packed=packed)
        descriptor = pdf.add(
            f"<< /Type /FontDescriptor /FontName /X /Flags 4 /FontBBox [0 0 1000 1000] /{key} {program} 0 R >>"
        )
        font = pdf.add(f"<< /Type /Font /Subtype /{subtype} /BaseFont /X /FontDescriptor {descriptor} 0 R {extra} >>")
        return (f"/Font << /F1 {font} 0 R >>",)

    return page(_TEXT, resources="", more=fonts)


def _composite(encoding="/Identity-H", unicode=None, file=b"", descendant="", packed=False):
    def fonts(pdf):
        words = ""
        if unicode is not None:
            words += f"/ToUnicode {_packed(pdf, unicode, '', packed=packed)} 0 R"
        shown = f"{encoding(pdf)} 0 R" if callable(encoding) else encoding
        program = f"/FontFile2 {pdf.deflated(file)} 0 R" if file else ""
        descriptor = pdf.add(f"<< /Type /FontDescriptor /FontName /X /Flags 4 /FontBBox [0 0 9 9] {program} >>")
        inner = pdf.add(
            "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /X /CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) "
            f"/Supplement 6 >> /FontDescriptor {descriptor} 0 R {descendant} >>"
        )
        font = pdf.add(
            f"<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding {shown} /DescendantFonts [{inner} 0 R] {words} >>"
        )
        return (f"/Font << /F1 {font} 0 R >>",)

    return page(_WIDE, resources="", more=fonts)


def _true_type(tables):
    """A font file whose directory has these (tag, offset, length, bytes)."""
    head = b"\0\1\0\0" + len(tables).to_bytes(2) + b"\0" * 6
    rows, data, start = b"", b"", 12 + 16 * len(tables)
    for tag, offset, length, content in tables:
        at = start + len(data) if offset is None else offset
        rows += tag + b"\0" * 4 + at.to_bytes(4) + (len(content) if length is None else length).to_bytes(4)
        data += content
    return head + rows + data


def _cmap(*lines):
    return (
        b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <0000> <FFFF> endcodespacerange "
        + b" ".join(lines)
        + b" endcmap"
    )


def _usecmap_itself(pdf):
    own = len(pdf.objects) + 1
    return pdf.stream(_cmap(b"/X usecmap"), f"/Type /CMap /CMapName /X /UseCMap {own} 0 R")


def _cff(count, size):
    """A CFF header with an INDEX that promises more than there is (Adobe TN 5176, 5)."""
    return b"\1\0\4\2" + count.to_bytes(2) + bytes([size]) + b"\xff" * 64


def _type3_many():
    def fonts(pdf):
        glyph = pdf.stream(b"1000 0 d0 " + b"0 0 m 9 9 l S " * 2000)
        font = pdf.add(
            "<< /Type /Font /Subtype /Type3 /FontBBox [0 0 9 9] /FontMatrix [.001 0 0 .001 0 0] /FirstChar 97 "
            f"/LastChar 97 /Widths [500] /Encoding << /Differences [97 /a] >> /CharProcs << /a {glyph} 0 R >> >>"
        )
        return (f"/Font << /F1 {font} 0 R >>",)

    return page(b"BT /F1 12 Tf " + b"(" + b"a" * 20_000 + b") Tj ET", resources="", more=fonts)


_LOCA = _true_type(
    [
        (b"head", None, None, b"\0\1\0\0" + b"\0" * 44 + b"\0\1\0\0"),
        (b"maxp", None, None, b"\0\1\0\0\xff\xff" + b"\xff" * 26),
        (b"loca", None, None, b"\xff" * 4000),
        (b"glyf", None, None, (b"\xff\xff" + b"\0" * 8 + b"\0\x20\0\0" + b"\0" * 4) * 100),
        (b"cmap", None, None, b"\0\0\0\1\0\3\0\1\0\0\0\x0c" + b"\0\4\xff\xff\0\0\xff\xff" + b"\xff" * 200),
    ]
)

CASES = {
    "type1-noise": lambda: _simple(_noise(1, 5000)),
    "type1-eexec-noise": lambda: _simple(b"%!PS-AdobeFont-1.0\n/FontName /X def currentfile eexec\n" + _noise(2, 5000)),
    "type1-encoding-endless": lambda: _simple(
        b"%!PS-AdobeFont-1.0\n/Encoding 256 array " + b"dup 65 /A put " * 200_000
    ),
    "type1-deep": lambda: _simple(b"%!PS-AdobeFont-1.0\n" + b"{" * 100_000 + b"}" * 100_000),
    "cff-noise": lambda: _simple(_noise(3, 5000), "FontFile3", entries="/Subtype /Type1C"),
    "cff-index-huge": lambda: _simple(_cff(65535, 4), "FontFile3", entries="/Subtype /Type1C"),
    "cff-index-size": lambda: _simple(_cff(9, 255), "FontFile3", entries="/Subtype /Type1C"),
    "true-type-noise": lambda: _simple(_noise(4, 5000), "FontFile2", "TrueType"),
    "true-type-tables-beyond": lambda: _simple(
        _true_type([(b"cmap", 2**31, 2**31, b""), (b"glyf", 2**32 - 1, 2**32 - 1, b"")]), "FontFile2", "TrueType"
    ),
    "true-type-tables-65535": lambda: _simple(b"\0\1\0\0\xff\xff" + b"\0" * 500_000, "FontFile2", "TrueType"),
    "true-type-glyph-of-itself": lambda: _simple(_LOCA, "FontFile2", "TrueType"),
    "true-type-in-composite": lambda: _composite(file=_LOCA),
    "open-type-noise": lambda: _simple(b"OTTO\0\4" + _noise(5, 5000), "FontFile3", entries="/Subtype /OpenType"),
    "font-file-bomb": lambda: _simple(blanks(400_000_000), "FontFile2", "TrueType", packed=True),
    "cmap-uses-itself": lambda: _composite(encoding=_usecmap_itself),
    "cmap-name-of-a-path": lambda: _composite(encoding="/..#2F..#2F..#2F..#2Fetc#2Fpasswd"),
    "cmap-name-of-a-pickle": lambda: _composite(encoding="/#2Ftmp#2Fevil"),
    "cmap-range-huge": lambda: _composite(unicode=_cmap(b"1 begincidrange <0000> <FFFFFFFF> 0 endcidrange")),
    "cmap-of-noise": lambda: _composite(unicode=_noise(6, 20_000)),
    "cmap-bomb": lambda: _composite(unicode=blanks(400_000_000), packed=True),
    "cmap-unclosed": lambda: _composite(unicode=_cmap(b"9 beginbfrange <0000> <FFFF> [" + b"<0041> " * 200_000)),
    "cmap-code-space-wide": lambda: _composite(unicode=b"begincmap 1 begincodespacerange <" + b"00" * 9999 + b"> <FF>"),
    "widths-a-million": lambda: _composite(descendant=f"/W [0 [{'500 ' * 1_000_000}]]"),
    "widths-range-huge": lambda: _composite(descendant="/W [0 2000000000 500]"),
    "widths-odd": lambda: _composite(descendant="/W [0 /a [] (x) << >> 1 2] /DW (x)"),
    "vertical-metrics-range-huge": lambda: _composite(encoding="/Identity-V", descendant="/W2 [0 2000000000 0 0 0]"),
    "cid-to-gid-short": lambda: _composite(descendant="/CIDToGIDMap (x)"),
    "descendants-missing": lambda: _composite(descendant="/CIDSystemInfo 5"),
    "differences-odd": lambda: _simple(
        b"", extra="/Encoding << /Differences [0 /a -5 /b 99999999999 /c (x) [ ] /uniFFFFFFFF /u110000 /g999] >>"
    ),
    "first-and-last-char-huge": lambda: _simple(b"", extra="/FirstChar 0 /LastChar 2147483647 /Widths [1]"),
    "first-char-negative": lambda: _simple(b"", extra="/FirstChar -2147483648 /LastChar -1 /Widths [1 2 3]"),
    "type3-20k-glyphs": _type3_many,
    "flate-in-font-broken": lambda: _simple(zlib.compress(b"x" * 99)[:20], "FontFile2", "TrueType"),
}
