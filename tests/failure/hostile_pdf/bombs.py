"""Little that becomes much: compressed, repeated or multiplied."""

import zlib

from failure.hostile_pdf.writing import HELVETICA, WORDS, Pdf, blanks, filtered, page, page_with_contents


def _twice(count):
    return zlib.compress(blanks(count), 9)


def _runs(count):
    return b"\x81 " * (count // 128) + b"\x80"


def _lzw(count):
    """LZW of one byte again and again: the table grows, each code stands for one byte more (ISO 32000-1, 7.4.4.3)."""
    bits, width, value, filled, out = 9, 9, 0, 0, bytearray()

    def put(code):
        nonlocal value, filled
        value = (value << width) | code
        filled += width
        while filled >= 8:
            out.append((value >> (filled - 8)) & 0xFF)
            filled -= 8
        value &= (1 << filled) - 1

    made = 0
    while made < count:
        width = bits
        put(256)
        put(32)
        made, next_code, run = made + 1, 258, 2
        while next_code < 4094 and made < count:
            width = 9 if next_code < 511 else 10 if next_code < 1023 else 11 if next_code < 2047 else 12
            put(next_code)
            made, next_code, run = made + run, next_code + 1, run + 1
        width = 12
    put(257)
    out.append((value << (8 - filled)) & 0xFF if filled else 0)
    return bytes(out)


def _content(data):
    return filtered(zlib.compress(data, 9), ["FlateDecode"])


def _forms(levels, width, leaf=b"0 0 m 1 1 l S\n"):
    """Form XObjects that each draw the next ones `width` times: width ** levels drawings."""
    pdf = Pdf()
    inner = pdf.stream(leaf, "/Type /XObject /Subtype /Form /BBox [0 0 600 900]")
    for _ in range(levels):
        resources = f"/Resources << /XObject << /X {inner} 0 R >> >>"
        inner = pdf.stream(b"/X Do " * width, f"/Type /XObject /Subtype /Form /BBox [0 0 600 900] {resources}")
    contents = pdf.stream(b"/X Do\n" + WORDS)
    pages = len(pdf.objects) + 2
    pdf.add(
        f"<< /Type /Page /Parent {pages} 0 R /MediaBox [0 0 595 842] /Contents {contents} 0 R "
        f"/Resources << /XObject << /X {inner} 0 R >> {HELVETICA} >> >>"
    )
    pdf.add(f"<< /Type /Pages /Kids [{pages - 1} 0 R] /Count 1 >>")
    return pdf.build(pdf.add(f"<< /Type /Catalog /Pages {pages} 0 R >>"))


def _pages(count):
    pdf = Pdf()
    pdf.add("<< /Type /Catalog /Pages 2 0 R >>")
    pdf.add(f"<< /Type /Pages /Count {count} /Kids [{' '.join(f'{3 + at} 0 R' for at in range(count))}] >>")
    for _ in range(count):
        pdf.add("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>")
    return pdf.build(1)


def _annotations(count):
    one = "<< /Type /Annot /Subtype /Text /Rect [0 0 9 9] >>"
    return page(more=lambda pdf: ("", f"/Annots [{f'{pdf.add(one)} 0 R ' * count}]"))


def _fields(count):
    def tree(pdf):
        leaf = pdf.add("<< /FT /Tx /T (a) /V (b) /Subtype /Widget /Rect [0 0 9 9] >>")
        node = leaf
        for _ in range(6):
            node = pdf.add(f"<< /T (n) /Kids [{f'{node} 0 R ' * count}] >>")
        return "", f"/Annots [{leaf} 0 R]", f"/AcroForm << /Fields [{node} 0 R] >>"

    return page(more=tree)


def _tilings():
    """A pattern of tiny tiles whose tiles are painted with a pattern of tiny tiles, and so on."""

    def nest(pdf):
        inner = None
        for _ in range(5):
            uses = f"/Resources << /Pattern << /P {inner} 0 R >> >>" if inner else "/Resources << >>"
            content = b"/Pattern cs /P scn 0 0 9 9 re f" if inner else b"1 0 0 rg 0 0 1 1 re f"
            inner = pdf.stream(
                content,
                f"/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] /XStep .01 /YStep .01 {uses}",
            )
        return (f"/Pattern << /P {inner} 0 R >>",)

    return page(WORDS + b"/Pattern cs /P scn 0 0 595 842 re f", more=nest)


def _shadings():
    """A function of a function of a function, asked for every point of the page."""

    def nest(pdf):
        inner = pdf.add("<< /FunctionType 2 /Domain [0 1] /N 1 /C0 [0] /C1 [1] >>")
        for _ in range(12):
            inner = pdf.add(
                f"<< /FunctionType 3 /Domain [0 1] /Functions [{f'{inner} 0 R ' * 8}] "
                "/Bounds [.1 .2 .3 .4 .5 .6 .7] /Encode [0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1] >>"
            )
        shading = f"<< /ShadingType 2 /ColorSpace /DeviceGray /Coords [0 0 595 842] /Function {inner} 0 R >>"
        return (f"/Shading << /S {shading} >>",)

    return page(WORDS + b"/S sh\n" * 200, more=nest)


def _calculator():
    """A PostScript calculator function with deeply nested branches, used as a tint (ISO 32000-1, 7.10.5)."""

    def nest(pdf):
        code = b"{" + b"dup 0 gt {" * 2000 + b"1 add" + b"} if" * 2000 + b"}"
        function = pdf.stream(code, "/FunctionType 4 /Domain [0 1] /Range [0 1]")
        return (f"/ColorSpace << /C [/Separation /X /DeviceGray {function} 0 R] >>",)

    return page(WORDS + b"/C cs .5 scn 0 0 500 500 re f", more=nest)


def _soft_masks():
    """Transparency groups inside the soft masks of transparency groups."""

    def nest(pdf):
        inner = pdf.stream(b"0 0 9 9 re f", "/Type /XObject /Subtype /Form /BBox [0 0 600 900]")
        for _ in range(12):
            state = f"<< /SMask << /S /Luminosity /G {inner} 0 R >> /ca .5 >>"
            inner = pdf.stream(
                b"/G gs 0 0 600 900 re f " * 4,
                "/Type /XObject /Subtype /Form /BBox [0 0 600 900] /Group << /S /Transparency >> "
                f"/Resources << /ExtGState << /G {state} >> >>",
            )
        return (f"/XObject << /X {inner} 0 R >>",)

    return page(WORDS + b"/X Do", more=nest)


def _to_unicode(lines):
    """A font whose character map has these lines."""

    def fonts(pdf):
        text = (
            "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def "
            f"1 begincodespacerange <0000> <FFFF> endcodespacerange {lines} endcmap end end"
        )
        mapping = pdf.stream(text.encode())
        descendant = pdf.add(
            "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /X /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) "
            "/Supplement 0 >> >>"
        )
        font = pdf.add(
            f"<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /DescendantFonts [{descendant} 0 R] "
            f"/ToUnicode {mapping} 0 R >>"
        )
        return (f"/Font << /F1 {font} 0 R >>",)

    return page(b"BT /F1 12 Tf 72 700 Td <" + b"00410042" * 20 + b"> Tj ET", resources="", more=fonts)


def _object_stream(count, inside):
    """Everything in one compressed object stream, found through a cross-reference stream."""
    bodies = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"]
    bodies += [b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /X 4 0 R >>", inside]
    bodies += [b"[]"] * count
    heads, data = [], b""
    for number, body in enumerate(bodies, 1):
        heads.append(b"%d %d" % (number, len(data)))
        data += body + b" "
    head = b" ".join(heads) + b" "
    packed = zlib.compress(head + data, 9)
    out = bytearray(b"%PDF-1.7\n")
    holder = len(bodies) + 1
    at_holder = len(out)
    out += b"%d 0 obj\n<< /Type /ObjStm /N %d /First %d /Length %d /Filter /FlateDecode >>\nstream\n" % (
        holder,
        len(bodies),
        len(head),
        len(packed),
    )
    out += packed + b"\nendstream\nendobj\n"
    at = len(out)
    rows = b"\0" * 8 + b"".join(b"\2" + holder.to_bytes(4) + index.to_bytes(3) for index in range(len(bodies)))
    rows += b"\1" + at_holder.to_bytes(4) + b"\0\0\0"
    packed = zlib.compress(rows, 9)
    out += b"%d 0 obj\n<< /Type /XRef /Size %d /W [1 4 3] /Root 1 0 R /Length %d /Filter /FlateDecode >>\nstream\n" % (
        holder + 1,
        holder + 1,
        len(packed),
    )
    out += packed + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % at
    return bytes(out)


CASES = {
    "flate-300-mb": lambda: filtered(blanks(300_000_000), ["FlateDecode"]),
    "flate-twice-2-gb": lambda: filtered(_twice(2_000_000_000), ["FlateDecode", "FlateDecode"]),
    "flate-below-the-limit": lambda: _content(b"0 0 m 1 1 l S\n" * 140_000),
    "run-length-200-mb": lambda: filtered(zlib.compress(_runs(200_000_000)), ["FlateDecode", "RunLengthDecode"]),
    "lzw-30-mb": lambda: filtered(_lzw(30_000_000), ["LZWDecode"]),
    "lzw-in-flate-200-mb": lambda: filtered(zlib.compress(_lzw(8_000_000) * 25), ["FlateDecode", "LZWDecode"]),
    "ascii-hex-in-flate": lambda: filtered(zlib.compress(b"20" * 10_000_000 + b">"), ["FlateDecode", "ASCIIHexDecode"]),
    "ascii-85-in-flate": lambda: filtered(zlib.compress(b"z" * 50_000_000 + b"~>"), ["FlateDecode", "ASCII85Decode"]),
    "filters-a-thousand": lambda: filtered(WORDS, ["ASCIIHexDecode"] * 1000),
    "predictor-huge": lambda: filtered(
        blanks(100_000_000), ["FlateDecode"], "/DecodeParms << /Predictor 12 /Columns 99999999 /Colors 32 >>"
    ),
    "q-three-million": lambda: _content(b"q " * 990_000),
    "q-unbalanced": lambda: _content(b"Q " * 990_000),
    "characters-400k": lambda: _content(
        b"BT /F1 9 Tf " + b"(" + b"x" * 1_000 + b") Tj " + b"(abcdefghij) Tj 1 1 Td " * 40_000
    ),
    "rectangles-60k": lambda: _content(b"".join(b"%d %d 7 7 re S\n" % (at % 590, at // 590) for at in range(60_000))),
    "lines-that-cross": lambda: _content(
        b"".join(b"0 %d m 595 %d l S %d 0 m %d 842 l S\n" % (at, at, at, at) for at in range(3, 840, 3)) * 20
    ),
    "curves-one-path": lambda: _content(b"0 0 m " + b"1 2 3 4 5 6 c " * 140_000 + b"S"),
    "dashes": lambda: _content(b"[.0001 .0001] 0 d 0 0 m 595 842 l S\n" * 500),
    "inline-images": lambda: _content(b"BI /W 1 /H 1 /BPC 8 /CS /G ID x EI " * 50_000),
    "marked-content-deep": lambda: _content(b"/P BMC " * 200_000),
    "operands-without-operator": lambda: _content(b"1 " * 990_000),
    "form-xobjects-10e8": lambda: _forms(8, 10),
    "form-xobjects-of-text": lambda: _forms(6, 10, b"BT /F1 9 Tf (x) Tj ET "),
    "pages-50k": lambda: _pages(50_000),
    "pages-60-heavy": lambda: _pages(60),
    "annotations-a-million": lambda: _annotations(1_000_000),
    "fields-10e12": lambda: _fields(100),
    "tiling-patterns": _tilings,
    "shading-functions": _shadings,
    "calculator-deep": _calculator,
    "soft-masks": _soft_masks,
    "unicode-range-2e30": lambda: _to_unicode("1 beginbfrange <00000000> <3FFFFFFF> <0000> endbfrange"),
    "unicode-ranges-many": lambda: _to_unicode("9999 beginbfrange " + "<0000> <FFFF> <0000> " * 9999 + "endbfrange"),
    "unicode-text-long": lambda: _to_unicode(f"1 beginbfchar <0041> <{'0041' * 500_000}> endbfchar"),
    "objects-in-stream-200k": lambda: _object_stream(200_000, b"[]"),
    "array-in-stream-deep": lambda: _object_stream(0, b"[" * 100_000 + b"]" * 100_000),
    "contents-array-100k": lambda: page_with_contents(lambda pdf: "[" + f"{pdf.stream(b'q Q ')} 0 R " * 100_000 + "]"),
}
