"""Pictures that are larger than they are, or end in the middle: every codec."""

import io
import random
import zlib

from PIL import Image

from failure.hostile_pdf.writing import WORDS, blanks, page, page_with_contents


def _image(data, entries, *, content=b"q 595 0 0 842 0 0 cm /I Do Q\n", more=""):
    """One page that is covered by one picture: a scan, as far as anybody can tell."""

    def add(pdf):
        number = pdf.stream(data, f"/Type /XObject /Subtype /Image {entries}")
        return (f"/XObject << /I {number} 0 R >> {more}",)

    return page(content, more=add)


def _raw(width, height, space="/DeviceRGB", bits=8, data=b""):
    return _image(
        zlib.compress(data or b"\0" * 1000),
        f"/Width {width} /Height {height} /ColorSpace {space} /BitsPerComponent {bits} /Filter /FlateDecode",
    )


def _whole(width, height, bits, pixel):
    """A picture whose every pixel is there, deflated."""
    data = blanks(width * bits * pixel // 8 * height, b"\xff")
    space = "/DeviceRGB" if pixel == 3 else "/DeviceGray"
    return _image(
        data, f"/Width {width} /Height {height} /ColorSpace {space} /BitsPerComponent {bits} /Filter /FlateDecode"
    )


def _saved(form, size=(800, 1100), **options):
    noise = Image.frombytes("RGB", (80, 110), random.Random(7).randbytes(80 * 110 * 3)).resize(size)
    written = io.BytesIO()
    noise.save(written, form, **options)
    return written.getvalue()


def _jpeg(data, width=800, height=1100, entries=""):
    return _image(
        data,
        f"/Width {width} /Height {height} /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode {entries}",
    )


def _jpeg_size(width, height):
    """A JPEG whose frame header says it is larger (ITU-T T.81, B.2.2)."""
    data = bytearray(_saved("JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = height.to_bytes(2) + width.to_bytes(2)
    return _jpeg(bytes(data), width, height)


def _progressive_scans():
    """A progressive JPEG with thousands of scans: each costs a pass over the whole picture."""
    data = _saved("JPEG", (3000, 3000), progressive=True)
    at = data.index(b"\xff\xda")
    end = data.index(b"\xff", at + 2 + 12)
    return _jpeg(data[:at] + data[at:end] * 3000 + data[at:], 3000, 3000)


def _jpx(data):
    return _image(data, "/Width 800 /Height 1100 /Filter /JPXDecode")


def _jpx_size():
    """A JPEG 2000 whose SIZ marker says 2^31 squared in tiles of one pixel (ISO 15444-1, A.5.1)."""
    data = bytearray(_saved("JPEG2000"))
    at = data.index(b"\xff\x51")
    data[at + 6 : at + 14] = (2**31 - 1).to_bytes(4) * 2
    data[at + 22 : at + 30] = (1).to_bytes(4) * 2
    return _jpx(bytes(data))


def _fax(width, height, data, entries=""):
    return _image(
        data,
        f"/Width {width} /Height {height} /ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /CCITTFaxDecode "
        f"/DecodeParms << /K -1 /Columns {width} /Rows {height} {entries} >>",
    )


def _jbig2(data, width=2480, height=3508):
    return _image(
        data,
        f"/Width {width} /Height {height} /ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /JBIG2Decode",
    )


def _jbig2_segment(kind, data, *, number=0, page_number=1):
    """One segment with its header (ITU-T T.88, 7.2)."""
    return number.to_bytes(4) + bytes([kind, 0, page_number]) + len(data).to_bytes(4) + data


def _jbig2_page(width, height):
    return _jbig2_segment(48, width.to_bytes(4) + height.to_bytes(4) + b"\0" * 9)


def _masks():
    def add(pdf):
        own = len(pdf.objects) + 1
        pdf.deflated(
            b"\0" * 100,
            f"/Type /XObject /Subtype /Image /Width 10 /Height 10 /ColorSpace /DeviceGray /BitsPerComponent 8 "
            f"/SMask {own} 0 R /Mask {own} 0 R /Alternates [<< /Image {own} 0 R >>]",
        )
        return (f"/XObject << /I {own} 0 R >>",)

    return page(WORDS + b"q 595 0 0 842 0 0 cm /I Do Q", more=add)


def _many(count):
    def add(pdf):
        number = pdf.stream(
            _saved("JPEG", (2000, 2000)),
            "/Type /XObject /Subtype /Image /Width 2000 /Height 2000 /ColorSpace /DeviceRGB /BitsPerComponent 8 "
            "/Filter /DCTDecode",
        )
        return (f"/XObject << /I {number} 0 R >>",)

    return page(b"q 595 0 0 842 0 0 cm /I Do Q\n" * count, more=add)


def _inline(width, height):
    head = f"BI /W {width} /H {height} /BPC 8 /CS /RGB ID ".encode()
    return page_with_contents(lambda pdf: f"{pdf.stream(head + b'x' * 1000 + b' EI ' + WORDS)} 0 R")


CASES = {
    "rgb-20000-squared-whole": lambda: _whole(20_000, 5_000, 8, 3),
    "rgb-20000-squared-empty": lambda: _raw(20_000, 20_000),
    "bit-30000-squared-whole": lambda: _whole(30_000, 30_000, 1, 1),
    "rgb-2e31-squared": lambda: _raw(2**31 - 1, 2**31 - 1),
    "rgb-negative": lambda: _raw(-5, -5),
    "rgb-zero": lambda: _raw(0, 0),
    "bits-odd": lambda: _raw(100, 100, bits=17),
    "indexed-without-palette": lambda: _raw(100, 100, "[/Indexed /DeviceRGB 255 <00>]"),
    "indexed-hival-huge": lambda: _raw(100, 100, "[/Indexed /DeviceRGB 2147483647 <00>]"),
    "device-n-many": lambda: _raw(100, 100, f"[/DeviceN [{'/X ' * 1000}] /DeviceRGB << >>]"),
    "icc-profile-noise": lambda: page(
        WORDS + b"/C cs 1 1 1 sc 0 0 500 500 re f",
        more=lambda pdf: (
            f"/ColorSpace << /C [/ICCBased {pdf.stream(random.Random(8).randbytes(4000), '/N 3')} 0 R] >>",
        ),
    ),
    "decode-array-odd": lambda: _image(
        b"\0" * 300, "/Width 10 /Height 10 /ColorSpace /DeviceRGB /BitsPerComponent 8 /Decode [0 1e30]"
    ),
    "jpeg-65535-squared": lambda: _jpeg_size(65535, 65535),
    "jpeg-cut": lambda: _jpeg(_saved("JPEG")[:3000]),
    "jpeg-noise": lambda: _jpeg(random.Random(9).randbytes(5000)),
    "jpeg-sizes-differ": lambda: _jpeg(_saved("JPEG"), 30_000, 30_000),
    "jpeg-progressive-3000-scans": _progressive_scans,
    "jpeg-cmyk-said": lambda: _jpeg(_saved("JPEG"), entries="/Decode [1 0 1 0 1 0 1 0]"),
    "jpx-2e31": _jpx_size,
    "jpx-cut": lambda: _jpx(_saved("JPEG2000")[:2000]),
    "jpx-noise": lambda: _jpx(random.Random(10).randbytes(5000)),
    "jpx-boxes-endless": lambda: _jpx(b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x08jp2h" * 20_000),
    "fax-noise": lambda: _fax(1728, 2200, random.Random(11).randbytes(20_000)),
    "fax-one-row-endless": lambda: _fax(2**20, 2**20, b"\0" * 1000),
    "fax-columns-negative": lambda: _fax(-1728, 2200, b"\0" * 100),
    "fax-columns-huge": lambda: _fax(2**31 - 1, 10, b"\0" * 100),
    "jbig2-noise": lambda: _jbig2(random.Random(12).randbytes(5000)),
    "jbig2-page-2e32": lambda: _jbig2(_jbig2_page(2**32 - 1, 2**32 - 1)),
    "jbig2-symbols-endless": lambda: _jbig2(
        _jbig2_page(2480, 3508) + _jbig2_segment(0, b"\0\0\xff\xff\xff\xff\xff\xff\xff\xff" + b"\xff" * 500)
    ),
    "jbig2-segment-of-itself": lambda: _jbig2(
        _jbig2_page(100, 100) + (5).to_bytes(4) + b"\x06\x20\x05\x01" + (100).to_bytes(4) + b"\0" * 100
    ),
    "jbig2-generic-region-huge": lambda: _jbig2(
        _jbig2_page(100, 100) + _jbig2_segment(38, b"\x7f\xff\xff\xff\x7f\xff\xff\xff" + b"\0" * 200)
    ),
    "jbig2-globals-missing": lambda: _image(
        b"\0" * 50,
        "/Width 9 /Height 9 /BitsPerComponent 1 /ColorSpace /DeviceGray /Filter /JBIG2Decode "
        "/DecodeParms << /JBIG2Globals 999 0 R >>",
    ),
    "run-length-picture": lambda: _image(
        b"\x81\xff" * 100_000,
        "/Width 5000 /Height 5000 /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /RunLengthDecode",
    ),
    "filters-of-pictures-mixed": lambda: _image(
        zlib.compress(_saved("JPEG")),
        "/Width 800 /Height 1100 /ColorSpace /DeviceRGB /BitsPerComponent 8 "
        "/Filter [/FlateDecode /DCTDecode /JPXDecode /JBIG2Decode]",
    ),
    "mask-of-itself": _masks,
    "jpeg-drawn-500-times": lambda: _many(500),
    "inline-huge": lambda: _inline(100_000, 100_000),
    "matrix-of-the-picture-not-finite": lambda: _image(
        _saved("JPEG"),
        "/Width 800 /Height 1100 /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode",
        content=b"q 1e38 1e38 -1e38 1e38 1e38 0 cm /I Do Q\n",
    ),
}
