"""Files that say one thing and are another: lengths, counts, boxes, tables."""

import zlib

from failure.hostile_pdf.writing import HELVETICA, WORDS, Pdf, filtered, page, page_with_contents


def _length(length):
    return page_with_contents(lambda pdf: f"{pdf.stream(WORDS, length=length)} 0 R")


def _count(count):
    pdf = Pdf()
    pdf.add("<< /Type /Catalog /Pages 2 0 R >>")
    pdf.add(f"<< /Type /Pages /Kids [3 0 R] /Count {count} >>")
    pdf.add("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>")
    return pdf.build(1)


def _object_stream(number, first, *, count=3):
    packed = zlib.compress(b"1 0 2 40 3 80 " + b"<< /Type /Catalog /Pages 2 0 R >> " * count)
    return _with_xref_stream(
        b"<< /Type /ObjStm /N %d /First %d /Length %d /Filter /FlateDecode >>\nstream\n" % (number, first, len(packed))
        + packed
        + b"\nendstream"
    )


def _with_xref_stream(first_object, widths="1 4 2", size=6, index="", rows=None):
    out = bytearray(b"%PDF-1.7\n")
    at_first = len(out)
    out += b"4 0 obj\n" + first_object + b"\nendobj\n"
    at = len(out)
    if rows is None:
        rows = b"\0" * 7 + b"".join(b"\2" + (4).to_bytes(4) + bytes([0, each]) for each in range(3))
        rows += b"\1" + at_first.to_bytes(4) + b"\0\0" + b"\1" + at.to_bytes(4) + b"\0\0"
    packed = zlib.compress(rows)
    head = (
        f"<< /Type /XRef /Size {size} /W [{widths}] {index} /Root 1 0 R /Length {len(packed)} /Filter /FlateDecode >>"
    )
    out += b"5 0 obj\n" + head.encode() + b"\nstream\n" + packed + b"\nendstream\nendobj\n"
    out += b"startxref\n%d\n%%%%EOF\n" % at
    return bytes(out)


def _updates(count):
    """A file that was saved again and again, each time with a table that points to the one before."""
    out = bytearray(page())
    before = int(out[out.rindex(b"startxref\n") + 10 :].split(b"\n")[0])
    for _ in range(count):
        at = len(out)
        out += (
            b"xref\n0 1\n0000000000 65535 f \ntrailer\n<< /Size 9 /Root 4 0 R /Prev %d >>\nstartxref\n%d\n%%%%EOF\n"
            % (
                before,
                at,
            )
        )
        before = at
    return bytes(out)


def _many_objects(count):
    """So many numbered objects and no table: whoever repairs it must look at each."""
    return b"%PDF-1.4\n" + b"".join(b"%d 0 obj [] endobj\n" % at for at in range(count)) + b"startxref\n0\n%%EOF\n"


CASES = {
    "length-zero": lambda: _length(0),
    "length-negative": lambda: _length(-5),
    "length-huge": lambda: _length(10**12),
    "length-too-short": lambda: _length(3),
    "pages-count-negative": lambda: _count(-1),
    "pages-count-huge": lambda: _count(2**31),
    "pages-count-beyond-64-bits": lambda: _count(10**30),
    "pages-count-a-name": lambda: _count("/Many"),
    "media-box-million": lambda: page(box="[0 0 1000000 1000000]"),
    "media-box-beyond-float": lambda: page(box=f"[0 0 {'9' * 400} {'9' * 400}]"),
    "media-box-not-a-number": lambda: page(box="[0 0 NaN inf]"),
    "media-box-negative": lambda: page(box="[595 842 0 0]"),
    "media-box-empty": lambda: page(box="[0 0 0 0]"),
    "media-box-of-names": lambda: page(box="[/a /b /c /d]"),
    "media-box-too-short": lambda: page(box="[0 0]"),
    "media-box-missing": lambda: page(box="null"),
    "crop-box-outside": lambda: page(entries="/CropBox [5000 5000 6000 6000]"),
    "rotate-odd": lambda: page(entries="/Rotate 45"),
    "rotate-huge": lambda: page(entries=f"/Rotate {10**30}"),
    "user-unit-huge": lambda: page(entries="/UserUnit 1000000000"),
    "user-unit-zero": lambda: page(entries="/UserUnit 0"),
    "numbers-long": lambda: page(b"1" * 200_000 + b" 2 m 3 4 l S " + WORDS),
    "number-of-dots": lambda: page(b"." * 100_000 + b" -+-+5 --- 1.2.3.4 m " + WORDS),
    "name-long": lambda: page(b"/" + b"n" * 500_000 + b" gs " + WORDS),
    "string-long": lambda: page(b"BT /F1 9 Tf (" + b"s" * 900_000 + b") Tj ET"),
    "font-size-huge": lambda: page(b"BT /F1 1e30 Tf (huge) Tj ET " + WORDS),
    "matrix-huge": lambda: page(b"1e30 0 0 1e30 0 0 cm " * 20 + WORDS),
    "matrix-singular": lambda: page(b"0 0 0 0 0 0 cm " + WORDS),
    "line-width-huge": lambda: page(b"1e30 w 0 0 m 500 500 l S " + WORDS),
    "resources-a-number": lambda: page(resources="/Font 5 /XObject 7 /ExtGState (x)"),
    "contents-a-number": lambda: page_with_contents(lambda _: "42"),
    "contents-missing": lambda: page_with_contents(lambda _: "999 0 R"),
    "kids-a-number": lambda: (
        b"%PDF-1.4\n1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj\n"
        b"2 0 obj << /Type /Pages /Kids 7 /Count 1 >> endobj\ntrailer << /Root 1 0 R >>\n%%EOF"
    ),
    "object-stream-n-huge": lambda: _object_stream(10**9, 14),
    "object-stream-n-negative": lambda: _object_stream(-3, 14),
    "object-stream-first-beyond": lambda: _object_stream(3, 10**9),
    "object-stream-first-negative": lambda: _object_stream(3, -14),
    "object-stream-in-itself": lambda: _with_xref_stream(
        b"<< /Type /ObjStm /N 1 /First 4 /Extends 4 0 R /Length 8 >>\nstream\n4 0 null\nendstream",
        rows=b"\2\0\0\0\4\0\0" * 6,
    ),
    "xref-widths-zero": lambda: _with_xref_stream(b"null", "0 0 0", 10**8),
    "xref-widths-huge": lambda: _with_xref_stream(b"null", "1 99999999 2"),
    "xref-widths-negative": lambda: _with_xref_stream(b"null", "-1 -4 -2"),
    "xref-widths-names": lambda: _with_xref_stream(b"null", "/a /b /c"),
    "xref-size-huge": lambda: _with_xref_stream(b"null", size=2**31 - 1),
    "xref-index-huge": lambda: _with_xref_stream(b"null", index="/Index [0 2147483647]"),
    "xref-index-odd": lambda: _with_xref_stream(b"null", index="/Index [0 1 2]"),
    "xref-bomb": lambda: _with_xref_stream(b"null", "1 1 1", 10**8, rows=b"\0" * 100_000_000),
    "xref-table-huge": lambda: page(table=b"xref\n0 99999999\n0000000000 65535 f \n"),
    "xref-table-points-into-stream": lambda: page(table=b"xref\n0 6\n" + b"0000000030 00000 n \n" * 6),
    "xref-table-points-beyond": lambda: page(table=b"xref\n0 6\n" + b"9999999999 00000 n \n" * 6),
    "startxref-beyond": lambda: page(startxref=10**9),
    "startxref-negative": lambda: page(startxref=-50),
    "startxref-zero": lambda: page(startxref=0),
    "startxref-in-the-middle": lambda: page(startxref=100),
    "updates-2000": lambda: _updates(2000),
    "objects-300k-without-table": lambda: _many_objects(300_000),
    "root-is-page": lambda: page(trailer="/Root 2 0 R"),
    "root-missing": lambda: page(trailer="/Root null"),
    "filter-unknown": lambda: filtered(WORDS, ["NoSuchDecode"]),
    "filter-crypt": lambda: filtered(WORDS, ["Crypt"], "/DecodeParms << /Name /Nobody >>"),
    "filter-external-file": lambda: page_with_contents(
        lambda pdf: f"{pdf.stream(b'', '/F (file.txt) /FFilter /FlateDecode')} 0 R"
    ),
    "flate-broken": lambda: filtered(zlib.compress(WORDS * 100)[:40] + b"\xff" * 200, ["FlateDecode"]),
    "ascii-85-broken": lambda: filtered(b"\x80\x81zzzz!!uuuuuuuuuuu~", ["ASCII85Decode"]),
    "predictor-parameters": lambda: filtered(
        zlib.compress(WORDS),
        ["FlateDecode"],
        "/DecodeParms << /Predictor 15 /Columns -1 /Colors 0 /BitsPerComponent 99 >>",
    ),
    "two-readers-two-texts": lambda: page() + b"\n1 0 obj\n<< >>\nendobj\n" + page(b"BT (other) Tj ET"),
    "fonts-100k-names": lambda: page(resources="/Font << " + "".join(f"/F{at} null " for at in range(100_000)) + ">>"),
    "words-in-every-version": lambda: page().replace(b"%PDF-1.7", b"%PDF-9.9"),
    "resources-inherited-nowhere": lambda: page(resources="").replace(b"/Resources", b"/Resourcez"),
    "text-without-font": lambda: page(resources=HELVETICA.replace("F1", "F9")),
}
