"""The applicants' forms: filled, stamped and exported beforehand (tools/make_samples.py), dated when they are sent.

The forms are package data without dates, since the story plays in the past of whoever watches it. A date is written
into its cell the way a PDF editor does: as text in a standard font over the page.
"""

import io
import json
from datetime import date
from importlib import resources

from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    NameObject,
)

_SIZE = 10


def form(name: str, *, applied: date, wished: date | None = None) -> bytes:
    """One of the demo's forms as PDF, with its dates written in. KeyError for an unknown form."""
    folder = resources.files("daemon.demo").joinpath("forms")
    places = json.loads(folder.joinpath("values.json").read_text("utf-8"))[name]["places"]
    writer = PdfWriter(PdfReader(io.BytesIO(folder.joinpath(f"{name}.pdf").read_bytes())))
    page = writer.pages[0]
    height = float(page.mediabox.height)
    lines = [_line(applied, places["application_date"], height)]
    if wished is not None:
        lines.append(_line(wished, places["wished_revocation_date"], height))
    _write(writer, "\n".join(lines))
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def _line(day: date, box: list[float], height: float) -> str:
    left, _, _, bottom = box
    return f"BT /DemoDate {_SIZE} Tf {left + 6:.2f} {height - bottom + 5:.2f} Td ({day:%Y/%m/%d}) Tj ET"


def _write(writer: PdfWriter, operators: str) -> None:
    page = writer.pages[0]
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
            NameObject("/Encoding"): NameObject("/WinAnsiEncoding"),
        }
    )
    of_page = page["/Resources"].get_object()
    if not isinstance(of_page, DictionaryObject):
        raise TypeError("a form of the demo has no resources")  # pragma: no cover - our own files have
    fonts = of_page.setdefault(NameObject("/Font"), DictionaryObject()).get_object()
    fonts[NameObject("/DemoDate")] = writer._add_object(font)  # noqa: SLF001 - pypdf's documented way for writers
    parts = ArrayObject()
    for text in ("q", None, f"Q\n{operators}"):
        if text is None:
            existing = page["/Contents"]
            parts += existing if isinstance(existing, ArrayObject) else [page.raw_get("/Contents")]
            continue
        stream = DecodedStreamObject()
        stream.set_data(text.encode("ascii"))
        parts.append(writer._add_object(stream))  # noqa: SLF001 - as above
    page[NameObject("/Contents")] = parts
