"""Is there a seal mark in the seal box? Three answers, never a claim about whose seal it is (SPEC 1.3.1).

Red or blue ink with the frame and size of a seal, in or near the box: present. Any other ink that the form did not
print itself: unclear, staff look, because copies and some seals are black, and a printed ring and a grey seal are the
same to the eye. Nothing at all: absent. What cannot be examined is unclear, never absent: absence is told to the
applicant as a defect. Weak: a red drawing with a frame of the right size passes as a seal; staff see a crop.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pypdfium2
from PIL import Image

from parsers.cells import Run
from parsers.picture import Picture
from parsers.reading import Box, Seal, SealVerdict
from parsers.seal_fingerprint import fingerprint, fingerprint_embedded
from parsers.seal_ink import MM
from parsers.seal_verdict import COARSEST, Mark, judge_picture

_DPI = 150
# However large a page says it is, the picture of it stays this small (pdf.md 6: MediaBox of a million points).
_PIXEL_LIMIT = 3000


def examine(data: bytes, page: int, cell: Box, *, printed: Sequence[Run], typed: bool) -> Seal:
    """Render the seal box of a page (counted from 1) and judge it.

    `cell` is the box in points from the top left; `printed` are the runs of text on the page, which are no seal;
    `typed` tells that the box holds text that the form did not print there. Raises nothing: a page that cannot be
    rendered is unclear.
    """
    try:
        document = pypdfium2.PdfDocument(data)
    except (pypdfium2.PdfiumError, ValueError):
        return Seal(SealVerdict.UNCLEAR, page=page, box=cell)
    try:
        return _examine_page(document, page, cell, printed=printed, typed=typed)
    except (pypdfium2.PdfiumError, ValueError, IndexError, MemoryError):
        return Seal(SealVerdict.UNCLEAR, page=page, box=cell)
    finally:
        document.close()


def _examine_page(
    document: pypdfium2.PdfDocument, number: int, cell: Box, *, printed: Sequence[Run], typed: bool
) -> Seal:
    page = document[number - 1]
    picture = _render(page, cell)
    red = [run.box for run in printed if run.red]
    mark = judge_picture(picture, cell, printed=[run.box for run in printed], red_print=red)
    if typed and mark.verdict is SealVerdict.ABSENT:
        mark = Mark(SealVerdict.UNCLEAR, 0.5)
    place = mark.box or mark.elsewhere
    if place is None:
        return Seal(mark.verdict, mark.confidence, number, cell)
    trace = fingerprint_embedded(page, place) or fingerprint(picture, place)
    return Seal(mark.verdict, mark.confidence, number, place, trace)


def _render(page: pypdfium2.PdfPage, cell: Box) -> Picture:
    """The page as a picture; a page beyond all measure becomes a coarse one."""
    width, height = page.get_size()
    if min(cell.x1, width) - max(cell.x0, 0) < 1 or min(cell.y1, height) - max(cell.y0, 0) < 1:
        raise ValueError("the seal box lies outside of the page")
    pixels = min(_DPI / 72, _PIXEL_LIMIT / max(width, height))
    image = page.render(scale=pixels).to_pil().convert("RGB")
    return Picture(np.asarray(image, np.uint8), pixels * 72)


def _scaled(box: Box, scale: float) -> Box:
    return Box(*(value * scale for value in box))


def judge(
    picture: Image.Image, cell: Box, mm: float, *, printed: Iterable[Box] = (), red_print: Iterable[Box] = ()
) -> Mark:
    """`judge_picture` for an image whose boxes are in pixels, `mm` of them to the millimetre."""
    factor = MM / mm if mm > 0 else 0.0
    if mm < COARSEST:
        return Mark(SealVerdict.UNCLEAR, 0.0)
    mark = judge_picture(
        Picture(np.asarray(picture.convert("RGB"), np.uint8), mm * 25.4),
        _scaled(cell, factor),
        printed=[_scaled(box, factor) for box in printed],
        red_print=[_scaled(box, factor) for box in red_print],
    )
    return replace(mark, box=_scaled(mark.box, 1 / factor) if mark.box else None)
