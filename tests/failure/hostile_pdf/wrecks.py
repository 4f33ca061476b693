"""Files that end early, begin late, or are two things at once."""

import base64
import io
import random
import zipfile
import zlib
from functools import partial
from pathlib import Path

from failure.hostile_pdf.writing import WORDS, page

_FORM = Path(__file__).parent.parent.parent / "data" / "samples" / "cancellation.pdf"


def _form():
    return _FORM.read_bytes()


def _cut(share):
    data = _form()
    return data[: int(len(data) * share)]


def _zip(name, data, **options):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", **options) as archive:
        archive.writestr(name, data)
    return written.getvalue()


def _scrambled(seed):
    """A form in which every hundredth byte is another."""
    data, chance = bytearray(_form()), random.Random(seed)
    for _ in range(len(data) // 100):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def _png():
    def chunk(kind, data):
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    head = (1).to_bytes(4) * 2 + b"\x08\0\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"tEXt", b"x\0" + page()) + chunk(b"IEND", b"")


CASES = {
    **{f"cut-at-{percent}": partial(_cut, percent / 100) for percent in (1, 10, 30, 60, 90, 99)},
    "cut-before-last-byte": lambda: _form()[:-1],
    "without-end": lambda: _form().replace(b"%%EOF", b""),
    "without-beginning": lambda: _form()[2000:],
    "first-half-twice": lambda: _cut(0.5) * 2,
    "two-forms": lambda: _form() * 2,
    "five-hundred-small-ones": lambda: page() * 500,
    "header-only": lambda: b"%PDF-1.7\n",
    "header-and-zeros": lambda: b"%PDF-1.7\n" + b"\0" * 1_000_000,
    "header-and-noise": lambda: b"%PDF-1.7\n" + random.Random(1).randbytes(1_000_000),
    "header-and-brackets": lambda: b"%PDF-1.7\n" + b"<<" * 500_000,
    "header-and-obj": lambda: b"%PDF-1.7\n" + b"1 0 obj\n" * 300_000,
    "header-and-stream": lambda: b"%PDF-1.7\n" + b"1 0 obj << >> stream\n" * 100_000,
    "header-and-percent": lambda: b"%PDF-1.7\n" + b"%" * 3_000_000,
    "header-and-startxref": lambda: b"%PDF-1.7\n" + b"startxref\n0\n" * 200_000,
    "header-and-trailer": lambda: b"%PDF-1.7\n" + b"trailer << /Root 1 0 R >>\n" * 100_000,
    "junk-1000-before": lambda: b"x" * 1000 + page(),
    "junk-1100-before": lambda: b"x" * 1100 + page(),
    "junk-megabytes-behind": lambda: page() + b"\0" * 5_000_000,
    "line-ends-old": lambda: page().replace(b"\n", b"\r"),
    "html-first": lambda: b"<html><script>alert(1)</script><!--" + page() + b"-->",
    "zip-behind": lambda: page() + _zip("form.pdf", page()),
    "zip-first-stored": lambda: _zip("form.pdf", page()),
    "jar-behind": lambda: page() + _zip("META-INF/MANIFEST.MF", b"Main-Class: X\n"),
    "spreadsheet-behind": lambda: page() + _zip("xl/workbook.xml", b"<workbook/>"),
    "png-around": _png,
    "gif-first": lambda: b"GIF89a" + b"\0" * 100 + page(),
    "shell-first": lambda: b"#!/bin/sh\nrm -rf /\n" + page(),
    "executable-first": lambda: b"MZ" + b"\0" * 500 + page(),
    "elf-first": lambda: b"\x7fELF" + b"\0" * 60 + page(),
    "postscript": lambda: b"%!PS-Adobe-3.0\n(%PDF-1.4) run\n" + WORDS,
    "fdf": lambda: page().replace(b"%PDF-1.7", b"%FDF-1.2"),
    "utf-16": lambda: page().decode("latin-1").encode("utf-16"),
    "base64-of-itself": lambda: b"%PDF-1.7 " + base64.b64encode(page()),
    **{f"scrambled-{seed}": partial(_scrambled, seed) for seed in range(6)},
}
