"""A PDF writer that writes whatever it is told, right or wrong."""

import zlib


class Pdf:
    """Objects in the order they were added, from number 1; `build` adds header, cross-reference table and trailer."""

    def __init__(self, version="1.7"):
        self.objects = []
        self.version = version

    def add(self, body):
        self.objects.append(body.encode("latin-1") if isinstance(body, str) else body)
        return len(self.objects)

    def stream(self, data, entries="", *, length=None):
        length = len(data) if length is None else length
        head = f"<< /Length {length} {entries} >>\nstream\n".encode("latin-1")
        return self.add(head + data + b"\nendstream")

    def deflated(self, data, entries="", **more):
        return self.stream(zlib.compress(data, 9), f"/Filter /FlateDecode {entries}", **more)

    def build(self, root, trailer="", *, startxref=None, table=None):
        out = bytearray(f"%PDF-{self.version}\n%\xe2\xe3\xcf\xd3\n".encode("latin-1"))
        places = []
        for number, body in enumerate(self.objects, 1):
            places.append(len(out))
            out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
        at = len(out)
        if table is None:
            rows = [b"0000000000 65535 f \n", *(b"%010d 00000 n \n" % place for place in places)]
            table = b"xref\n0 %d\n" % len(rows) + b"".join(rows)
        out += table
        out += f"trailer\n<< /Size {len(self.objects) + 1} /Root {root} 0 R {trailer} >>\n".encode("latin-1")
        out += b"startxref\n%d\n%%%%EOF\n" % (at if startxref is None else startxref)
        return bytes(out)


def blanks(count, byte=b" "):
    """So many equal bytes, deflated without ever holding them: one flushed block again and again (RFC 1950, RFC 1951)."""
    piece = byte * 1_000_000
    deflate = zlib.compressobj(9, wbits=-15)
    block = deflate.compress(piece) + deflate.flush(zlib.Z_FULL_FLUSH)
    check = 1
    for _ in range(count // len(piece)):
        check = zlib.adler32(piece, check)
    return b"\x78\xda" + block * (count // len(piece)) + b"\x03\x00" + check.to_bytes(4)


HELVETICA = "/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"
WORDS = b"BT /F1 12 Tf 72 700 Td (an application form, or so it says, with some words on it) Tj ET\n"


def page(
    content=WORDS, *, resources=HELVETICA, entries="", catalog="", box="[0 0 595 842]", trailer="", more=None, **writing
):
    """One page. `more` gets the Pdf first and returns words for (resources, page, catalog), in this order."""
    pdf = Pdf()
    extra = (more(pdf) if more else ()) + ("", "", "")
    contents = content if isinstance(content, int) else pdf.stream(content)
    pages = len(pdf.objects) + 2
    pdf.add(
        f"<< /Type /Page /Parent {pages} 0 R /MediaBox {box} /Contents {contents} 0 R "
        f"/Resources << {resources} {extra[0]} >> {entries} {extra[1]} >>"
    )
    pdf.add(f"<< /Type /Pages /Kids [{pages - 1} 0 R] /Count 1 >>")
    root = pdf.add(f"<< /Type /Catalog /Pages {pages} 0 R {catalog} {extra[2]} >>")
    return pdf.build(root, trailer, **writing)


def page_with_contents(make, **options):
    """One page whose content stream `make` writes itself: it gets the Pdf and returns the stream's number."""
    pdf = Pdf()
    contents = make(pdf)
    pages = len(pdf.objects) + 2
    resources = options.get("resources", HELVETICA)
    pdf.add(
        f"<< /Type /Page /Parent {pages} 0 R /MediaBox [0 0 595 842] /Contents {contents} "
        f"/Resources << {resources} >> {options.get('entries', '')} >>"
    )
    pdf.add(f"<< /Type /Pages /Kids [{pages - 1} 0 R] /Count 1 >>")
    return pdf.build(pdf.add(f"<< /Type /Catalog /Pages {pages} 0 R {options.get('catalog', '')} >>"))


def filtered(data, filters, entries=""):
    """One page whose content went through filters of ours: bytes as they stand in the file, names outermost first."""
    names = " ".join(f"/{name}" for name in filters)
    return page_with_contents(lambda pdf: f"{pdf.stream(data, f'/Filter [{names}] {entries}')} 0 R")
