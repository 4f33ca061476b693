"""One scanned page → a PDF as scanners write it: one picture, sometimes turned by /Rotate, sometimes with the text
of the scanner's own recognition hidden under it. Without dates and identifiers, so that the same scan gives the
same bytes.
"""

import zlib
from random import Random

import cv2
import numpy as np

from tools.scan_paper import Box, Pixels, Scanned

# What a cheap recognition makes of letters; enough to be wrong in nearly every line.
_CONFUSED = str.maketrans("0O1lI5S8B日口田由一ー二ニ力カ社株東京-.@", "O0lI1S5B8曰囗由田ーー二二カ力杜抹束亰一,＠")


def write_pdf(scan: Scanned, *, bitonal: bool = False, hidden: list[tuple[Box, str]] | None = None) -> bytes:
    """The bytes of the PDF. `hidden` are boxes on the stored page in points with the text said to stand there."""
    height, width = scan.pixels.shape[:2]
    picture, data = _bitonal(scan.pixels) if bitonal else _jpeg(scan.pixels, scan.quality)
    w, h = scan.size
    content = f"q {w:.2f} 0 0 {h:.2f} 0 0 cm /Im0 Do Q\n"
    resources = "/XObject << /Im0 4 0 R >>"
    objects: list[bytes] = []
    if hidden:
        content += "".join(_hidden_text(box, text, h) for box, text in hidden)
        resources += " /Font << /F0 6 0 R >>"
    rotate = f" /Rotate {scan.rotate}" if scan.rotate else ""
    objects.append(b"<< /Type /Catalog /Pages 2 0 R >>")
    objects.append(b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
    objects.append(
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {w:.2f} {h:.2f}]{rotate} "
        f"/Resources << {resources} >> /Contents 5 0 R >>".encode("ascii")
    )
    objects.append(_stream(f"/Type /XObject /Subtype /Image /Width {width} /Height {height} {picture}", data))
    objects.append(_stream("/Filter /FlateDecode", zlib.compress(content.encode("ascii"))))
    if hidden:
        # A font every reader knows without a font file; its code is UTF-16, so the text is found by every extractor.
        objects.append(
            b"<< /Type /Font /Subtype /Type0 /BaseFont /HeiseiKakuGo-W5 /Encoding /UniJIS-UCS2-H "
            b"/DescendantFonts [7 0 R] >>"
        )
        objects.append(
            b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /HeiseiKakuGo-W5 /DW 1000 "
            b"/CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >> /FontDescriptor 8 0 R >>"
        )
        objects.append(
            b"<< /Type /FontDescriptor /FontName /HeiseiKakuGo-W5 /Flags 4 /FontBBox [-92 -250 1010 922] "
            b"/ItalicAngle 0 /Ascent 752 /Descent -221 /CapHeight 737 /StemV 114 >>"
        )
    return _file(objects)


def garble(rng: Random, text: str) -> str:
    """The text as a scanner's own recognition would tell it: look-alikes and lost letters."""
    return "".join(char.translate(_CONFUSED) if rng.random() < 0.5 else char for char in text if rng.random() > 0.03)


def _jpeg(pixels: Pixels, quality: int) -> tuple[str, bytes]:
    colour = pixels.shape[2] == 3
    shown = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if colour else pixels[:, :, 0]
    _, packed = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, quality])
    space = "/DeviceRGB" if colour else "/DeviceGray"
    return f"/ColorSpace {space} /BitsPerComponent 8 /Filter /DCTDecode", packed.tobytes()


def _bitonal(pixels: Pixels) -> tuple[str, bytes]:
    """Black and white by a threshold, as office scanners do it by default."""
    grey = pixels.mean(axis=2).astype(np.uint8)
    level = np.float32(cv2.GaussianBlur(grey, (0, 0), 25))
    packed = np.packbits(grey > np.minimum(level * 0.82, 200), axis=1)
    return "/ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /FlateDecode", zlib.compress(packed.tobytes(), 6)


def _hidden_text(box: Box, text: str, height: float) -> str:
    size = max(4.0, min(11.0, (box[3] - box[1]) * 0.6))
    code = "".join(char for char in text if ord(char) < 0x10000).encode("utf-16-be").hex()
    return f"BT 3 Tr /F0 {size:.1f} Tf 1 0 0 1 {box[0] + 2:.1f} {height - box[3] + 2:.1f} Tm <{code}> Tj ET\n"


def _stream(entries: str, data: bytes) -> bytes:
    return f"<< {entries} /Length {len(data)} >>\nstream\n".encode("ascii") + data + b"\nendstream"


def _file(objects: list[bytes]) -> bytes:
    out, places = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode("ascii") + body + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode("ascii")
    out += b"".join(f"{place:010d} 00000 n \n".encode("ascii") for place in places)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode("ascii")
    return bytes(out)
