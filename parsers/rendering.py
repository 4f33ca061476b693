"""A page of a PDF → its picture, drawn by PDFium at the resolution in which it was scanned.

Trusts nothing: a page may claim any size, so the picture is bounded before it is drawn. Promises that only ParseError
comes out: DAMAGED, or TOO_COSTLY where memory runs out while a picture is taken over. Weak: PDFium ends the process
where memory runs out (field notes, pdf.md 6), so this runs in the confined child only.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pypdfium2

from parsers.errors import ParseError, ParseKind
from parsers.picture import Picture, Pixels
from parsers.reading import Box

# Below 100 no text can be read, above 400 nothing is gained but time.
_LOWEST_DPI, _HIGHEST_DPI = 100.0, 400.0
# A picture over less of the page than this is a seal or a logo.
_LEAST_SHARE = 0.3
# No side of a picture is longer than this, whatever the page claims: A4 at 400 dpi has 4,677 pixels.
_LONGEST_SIDE = 5000
# A scanner puts its picture on the page or into one form; deeper nesting is a drawing.
_DEPTH = 3


def native_dpi(data: bytes, page: int) -> float | None:
    """The resolution of the picture that covers most of the page, from 100 to 400; None where none covers 30 %."""
    with _opened(data, page) as found:
        # The raw page size turns with /Rotate and the place of an object does not; areas and lengths stay.
        width, height = found.get_size()
        best_area, best_dpi = _LEAST_SHARE * width * height, None
        for thing in found.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE], max_depth=_DEPTH):
            # The sides as the picture's own matrix puts them, so that a picture placed at a right angle is no trap.
            a, b, c, d, _, _ = thing.get_matrix().get()
            across, down = math.hypot(a, b), math.hypot(c, d)
            pixels_across, pixels_down = thing.get_px_size()
            if across * down >= best_area and across > 0 and down > 0:
                best_area, best_dpi = across * down, max(pixels_across / across, pixels_down / down) * 72
        return None if best_dpi is None else min(max(best_dpi, _LOWEST_DPI), _HIGHEST_DPI)


def render(data: bytes, page: int, *, dpi: float, region: Box | None = None, annotations: bool = False) -> Picture:
    """The page as displayed, or a region of it in points, at `dpi` or as near to it as the longest side allows.

    `annotations` draws form fields and what was put on the page later, which the picture of a scan does not have.
    """
    with _opened(data, page, forms=annotations) as found:
        width, height = found.get_size()
        wanted = Box(0, 0, width, height)
        if region is not None:
            wanted = Box(max(region.x0, 0), max(region.y0, 0), min(region.x1, width), min(region.y1, height))
        across, down = wanted.x1 - wanted.x0, wanted.y1 - wanted.y0
        if not (0 < across < math.inf and 0 < down < math.inf and 0 < dpi < math.inf):
            raise ParseError(ParseKind.DAMAGED, "there is nothing to draw", page=page)
        scale = min(dpi / 72, _LONGEST_SIDE / max(across, down))
        # PDFium cuts the margins off after scaling; they are in points and in the order left, bottom, right, top.
        crop = (wanted.x0, height - wanted.y1, width - wanted.x1, wanted.y0)
        bitmap = found.render(
            scale=scale, crop=crop, may_draw_forms=annotations, draw_annots=annotations, prefer_bgrx=True
        )
        try:
            pixels = _as_rgb(bitmap.to_numpy())
        finally:
            bitmap.close()
        return Picture(pixels, scale * 72)


def _as_rgb(drawn: Pixels) -> Pixels:
    """The picture in an array of its own, since PDFium takes its memory back.

    By numpy alone: the process that opens PDFs must not load opencv.
    """
    pixels = np.empty((*drawn.shape[:2], 3), np.uint8)
    grey = drawn.ndim == 2 or drawn.shape[2] == 1
    # PDFium writes blue first. One colour after the other is three times as fast as all of them with a turned index.
    for colour in range(3):
        pixels[:, :, colour] = drawn.reshape(drawn.shape[:2]) if grey else drawn[:, :, 2 - colour]
    return pixels


@contextmanager
def _opened(data: bytes, page: int, *, forms: bool = False) -> Iterator[pypdfium2.PdfPage]:
    """One page of an open document, counted from 1; whatever PDFium says against it becomes a ParseError."""
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError:
        raise ParseError(ParseKind.DAMAGED, "the PDF cannot be drawn", page=page) from None
    try:
        if not 1 <= page <= len(document):
            raise ParseError(ParseKind.DAMAGED, "there is no such page", page=page)
        if forms:
            document.init_forms()
        found = document[page - 1]
        try:
            yield found
        finally:
            found.close()
    except MemoryError:
        raise ParseError(ParseKind.TOO_COSTLY, "there is not the memory to draw the page", page=page) from None
    except (pypdfium2.PdfiumError, ValueError, OverflowError):
        raise ParseError(ParseKind.DAMAGED, "the page cannot be drawn", page=page) from None
    finally:
        document.close()
