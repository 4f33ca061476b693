"""Seals for the sample applications, drawn with Pillow and put into the seal box of an exported PDF with pypdf.

The box is found on the page itself, by its label and ruling lines: the form may be exported with any style.
"""

import math
from collections.abc import Mapping
from io import BytesIO
from typing import cast

import pdfplumber
from pdfplumber.page import Page as PlumbedPage
from PIL import Image, ImageDraw, ImageFont
from pypdf import PageObject, PdfWriter
from pypdf.generic import (
    DecodedStreamObject,
    DictionaryObject,
    IndirectObject,
    NameObject,
    NumberObject,
    PdfObject,
)

from tools.sample_cases import Case, Mark

RED, BLACK = (205, 38, 38), (60, 60, 60)
FONT = "/usr/share/fonts/opentype/ipafont-mincho/ipam.ttf"
_DPI = 150
_FINE = 4  # drawn this many times larger, then reduced, for smooth edges

# Usual sizes in millimetres (domain notes B.5).
_SIZES = {Mark.SQUARE: 24.0, Mark.ROUND: 18.0, Mark.PERSONAL: 11.0, Mark.BLACK: 24.0, Mark.OVER_COMPANY: 24.0}

Rectangle = tuple[float, float, float, float]


def seal_mask(mark: Mark, company: str, surname: str) -> Image.Image:
    """How much ink lies where, 0 to 255, turned a little as a hand does it."""
    side = round(_SIZES[mark] / 25.4 * _DPI) * _FINE
    image = Image.new("L", (side, side), 0)
    pen = ImageDraw.Draw(image)
    line = max(side // 28, 2)
    inset = line
    frame = (inset, inset, side - inset, side - inset)
    if mark is Mark.ROUND:
        pen.ellipse(frame, outline=255, width=line)
        pen.ellipse(
            tuple(value + math.copysign(side * 0.17, side / 2 - value) for value in frame), outline=255, width=line // 2
        )
        _write_ring(image, company, side)
        _write_columns(pen, "代表之印", (side * 0.3, side * 0.3, side * 0.7, side * 0.7), columns=2)
    elif mark is Mark.PERSONAL:
        pen.ellipse(frame, outline=255, width=line)
        _write_columns(pen, surname, (side * 0.26, side * 0.13, side * 0.74, side * 0.87), columns=1)
    else:
        pen.rounded_rectangle(frame, radius=side // 20, outline=255, width=line)
        _write_columns(pen, f"{company}之印", (side * 0.09, side * 0.09, side * 0.91, side * 0.91), columns=3)
    turned = image.rotate({Mark.ROUND: 5, Mark.PERSONAL: -7}.get(mark, -3), Image.Resampling.BICUBIC, expand=True)
    reduced = turned.resize((turned.width // _FINE, turned.height // _FINE), Image.Resampling.LANCZOS)
    # Few levels of ink look the same on paper and pack far better.
    return reduced.point(lambda level: round(level / 255 * 7) * 30)


def _write_columns(pen: ImageDraw.ImageDraw, text: str, area: Rectangle, *, columns: int) -> None:
    """Write top down, columns from right to left, as seals are cut."""
    left, top, right, bottom = area
    rows = math.ceil(len(text) / columns)
    width, height = (right - left) / columns, (bottom - top) / rows
    font = ImageFont.truetype(FONT, round(min(width, height) * 0.98))
    for number, character in enumerate(text):
        column, row = divmod(number, rows)
        centre = (right - (column + 0.5) * width, top + (row + 0.5) * height)
        pen.text(centre, character, font=font, fill=255, anchor="mm", stroke_width=2, stroke_fill=255)


def _write_ring(image: Image.Image, text: str, side: int) -> None:
    """Write around the rim, clockwise from the top."""
    size = round(side * 0.13)
    font = ImageFont.truetype(FONT, size)
    for number, character in enumerate(text):
        angle = 2 * math.pi * number / len(text)
        tile = Image.new("L", (size * 2, size * 2), 0)
        ImageDraw.Draw(tile).text(
            (size, size), character, font=font, fill=255, anchor="mm", stroke_width=1, stroke_fill=255
        )
        tile = tile.rotate(-math.degrees(angle), Image.Resampling.BICUBIC)
        centre = (side / 2 + side * 0.385 * math.sin(angle), side / 2 - side * 0.385 * math.cos(angle))
        image.paste(255, (round(centre[0] - size), round(centre[1] - size)), tile)


def cell_below(page: PlumbedPage, label: str) -> Rectangle:
    """The ruled cell under the one that holds `label`, in points from the top left of the page."""
    cells, known = _cells(page, label)
    return next(
        cell
        for cell in cells
        if abs(cell[1] - known[3]) < 3 and abs(cell[0] - known[0]) < 3 and abs(cell[2] - known[2]) < 3
    )


def cell_right_of(page: PlumbedPage, label: str) -> Rectangle:
    """The ruled cell to the right of the one that holds `label`, in points from the top left of the page."""
    cells, known = _cells(page, label)
    return next(
        cell for cell in cells if abs(cell[0] - known[2]) < 3 and cell[1] < known[1] + 3 and cell[3] > known[3] - 3
    )


def _cells(page: PlumbedPage, label: str) -> tuple[list[Rectangle], Rectangle]:
    """All ruled cells of the page, and the one among them that holds the label and nothing else."""
    # Ruling lines only: the edges of the fills under a merged cell run along its single rows.
    ruled = page.find_tables({"vertical_strategy": "lines_strict", "horizontal_strategy": "lines_strict"})
    cells = [cell for table in ruled for cell in table.cells]
    for cell in cells:
        left, top, right, bottom = cell
        inside = [char["text"] for char in page.chars if left < char["x0"] < right and top < char["top"] < bottom]
        if "".join(inside).strip() == label:
            return cells, cell
    raise LookupError(f"no cell is labelled {label}")


def stamp(writer: PdfWriter, number: int, exported: bytes, case: Case, label: str) -> None:
    """Put the seal of `case` into the box under `label`, on the page of that number (from 0).

    `exported` is the PDF without seals, in which the box is looked for.
    """
    with pdfplumber.open(BytesIO(exported)) as document:
        found = document.pages[number]
        left, top, right, bottom = cell_below(found, label)
        page_height = float(found.height)
    mask = seal_mask(case.mark, case.company, case.surname)
    width, height = (length / _DPI * 72 for length in mask.size)
    # A hand does not hit the centre; a company seal often overlaps the end of what stands beside it.
    over = case.mark is Mark.OVER_COMPANY
    x = left - 0.62 * width if over else (left + right - width) / 2 + 3
    y = top - 0.3 * height if over else (top + bottom - height) / 2 - 2
    page, name = writer.pages[number], f"/Seal{number}"
    image = _image(writer, mask, BLACK if case.mark is Mark.BLACK else RED)
    resources = cast("DictionaryObject", page["/Resources"])
    images = cast("DictionaryObject", resources.setdefault(NameObject("/XObject"), DictionaryObject()).get_object())
    images[NameObject(name)] = image
    drawing = f"Q q {width:.2f} 0 0 {height:.2f} {x:.2f} {page_height - y - height:.2f} cm {name} Do Q"
    page[NameObject("/Contents")] = _added(writer, b"q\n" + _content(page) + b"\n" + drawing.encode("ascii"), {})


def _content(page: PageObject) -> bytes:
    content = page.get_contents()
    return b"" if content is None else content.get_data()


def _image(writer: PdfWriter, mask: Image.Image, colour: tuple[int, int, int]) -> IndirectObject:
    """One colour everywhere, and the mask as its opacity, so that print shows through the ink."""
    ink = _raster(writer, mask.tobytes(), mask.size, "/DeviceGray")
    return _raster(writer, bytes(colour) * (mask.width * mask.height), mask.size, "/DeviceRGB", {"/SMask": ink})


def _raster(
    writer: PdfWriter,
    pixels: bytes,
    size: tuple[int, int],
    space: str,
    more: Mapping[str, PdfObject] | None = None,
) -> IndirectObject:
    entries = {
        "/Type": NameObject("/XObject"),
        "/Subtype": NameObject("/Image"),
        "/Width": NumberObject(size[0]),
        "/Height": NumberObject(size[1]),
        "/ColorSpace": NameObject(space),
        "/BitsPerComponent": NumberObject(8),
    }
    return _added(writer, pixels, entries | dict(more or {}))


def _added(writer: PdfWriter, data: bytes, entries: Mapping[str, PdfObject]) -> IndirectObject:
    stream = DecodedStreamObject()
    stream.set_data(data)
    for key, value in entries.items():
        stream[NameObject(key)] = value
    # Streams must be indirect objects, and pypdf has no public way to add one.
    return writer._add_object(stream.flate_encode(level=9))  # noqa: SLF001
