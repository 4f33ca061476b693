"""PDF pages drawn by hand: any layout of cells and Japanese text without an office program.

The font is not embedded; readers know its characters through the predefined map UniJIS-UTF16-H (ISO 32000-1, 9.7.5.2).
Coordinates are points from the top left. Full-width characters are one size wide, ASCII half of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 595.0, 842.0


@dataclass
class Drawing:
    """One page. Every method draws and returns the page itself."""

    width: float = WIDTH
    height: float = HEIGHT
    attributes: str = ""
    operations: list[str] = field(default_factory=list)

    def _at(self, x: float, y: float) -> str:
        return f"{x:.2f} {self.height - y:.2f}"

    def line(self, x0: float, y0: float, x1: float, y1: float) -> "Drawing":
        self.operations.append(f"{self._at(x0, y0)} m {self._at(x1, y1)} l S")
        return self

    def box(self, x0: float, y0: float, x1: float, y1: float) -> "Drawing":
        self.operations.append(f"{self._at(x0, y1)} {x1 - x0:.2f} {y1 - y0:.2f} re S")
        return self

    def fill(self, x0: float, y0: float, x1: float, y1: float, colour: str) -> "Drawing":
        self.operations.append(f"q {colour} rg {self._at(x0, y1)} {x1 - x0:.2f} {y1 - y0:.2f} re f Q")
        return self

    def text(
        self, x: float, y: float, text: str, size: float = 10, colour: str = "0 0 0", matrix: str = "1 0 0 1"
    ) -> "Drawing":
        """Text whose baseline is at `y`."""
        code = text.encode("utf-16-be").hex()
        self.operations.append(f"BT {colour} rg /F1 {size} Tf {matrix} {self._at(x, y)} Tm <{code}> Tj ET")
        return self

    def cell(self, x0: float, y0: float, x1: float, y1: float, text: str = "", size: float = 10) -> "Drawing":
        """A ruled cell with text inside, a line for each line of `text`."""
        self.box(x0, y0, x1, y1)
        for number, line in enumerate(text.split("\n") if text else ()):
            self.text(x0 + 3, y0 + size + 2 + number * size * 1.3, line, size)
        return self


def form_page(labels: Sequence[tuple[str, str]], *, title: str = "WebEC電子証明書発行サービス申請書") -> Drawing:
    """A page with a title and one ruled row for each label and value."""
    page = Drawing()
    page.text(200, 40, title, 14)
    for number, (label, value) in enumerate(labels):
        top = 60 + number * 18
        page.cell(40, top, 220, top + 18, label)
        page.cell(220, top, 540, top + 18, value)
    return page


def to_pdf(*pages: Drawing, catalog: str = "", extra: Mapping[int, bytes] | None = None) -> bytes:
    """The file. Objects: 1 catalog, 2 page tree, 3-5 the font, then page and content by turns; `extra` by number."""
    kids = " ".join(f"{6 + 2 * number} 0 R" for number in range(len(pages)))
    objects: dict[int, bytes] = {
        1: f"<< /Type /Catalog /Pages 2 0 R {catalog} >>".encode(),
        2: f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        3: b"<< /Type /Font /Subtype /Type0 /BaseFont /Gothic /Encoding /UniJIS-UTF16-H /DescendantFonts [4 0 R] >>",
        4: b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /Gothic /FontDescriptor 5 0 R /DW 1000 /W [1 230 500]"
        b" /CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 6 >> >>",
        5: b"<< /Type /FontDescriptor /FontName /Gothic /Flags 4 /FontBBox [0 -120 1000 880] /ItalicAngle 0"
        b" /Ascent 880 /Descent -120 /CapHeight 700 /StemV 80 >>",
    }
    for number, page in enumerate(pages):
        content = "\n".join(page.operations).encode()
        objects[6 + 2 * number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {page.width} {page.height}] /Contents {7 + 2 * number} 0 R"
            f" /Resources << /Font << /F1 3 0 R >> >> {page.attributes} >>"
        ).encode()
        objects[7 + 2 * number] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)
    objects |= extra or {}
    out, offsets = bytearray(b"%PDF-1.7\n"), {}
    for number in sorted(objects):
        offsets[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, objects[number])
    start, size = len(out), max(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for number in range(1, size):
        # A number that is left out is a free entry.
        out += b"%010d 00000 n \n" % offsets[number] if number in offsets else b"0000000000 65535 f \n"
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    return bytes(out)
