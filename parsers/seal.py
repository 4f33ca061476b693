"""Is there a seal mark in the seal box? Three answers, never a claim about whose seal it is (SPEC 1.3.1).

Red ink of a seal's size in or over the box: present. Any other ink that the form did not print itself: unclear, staff
look, because copies and some seals are black. Nothing at all: absent. What cannot be examined is unclear, never absent:
absence is told to the applicant as a defect. Weak: a red drawing of the right size passes as a seal; staff see a crop.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pypdfium2
from PIL import Image, ImageChops, ImageDraw

from parsers.cells import Run
from parsers.reading import Box, Seal, SealVerdict

_DPI = 150
_MM = 72 / 25.4  # points
# A seal is meant for the box but is often put half over the company name beside it (notes B.5).
_MARGIN = 12 * _MM
# However large a page says it is, the picture of its box stays this small (pdf.md 6: MediaBox of a million points).
_PIXEL_LIMIT = 3000

# Fewer pixels a millimetre than this show no seal, and squares of a millimetre would outnumber the pixels.
_COARSEST = 2.0

# How much redder than its next strongest channel a pixel is to count as red ink; yellow and grey fills have none.
_REDDER = 30
# How far a pixel is from the ground of the box to count as ink of any colour.
_INK = 48
# Sizes in mm: seals are 9 to 24 (notes B.5), a second one beside the first doubles that.
_SMALLEST, _LARGEST = 7.5, 60.0
# The share of a seal's square that is ink: less is a line or a scribble, more is a filled area (pdf.md 5).
_THINNEST, _THICKEST = 0.06, 0.80
# Ink of fewer square millimetres than this is dust or the rest of a ruling line.
_DUST = 3


@dataclass(frozen=True, slots=True)
class Mark:
    """The verdict on a picture, and where the mark lies in it, in pixels."""

    verdict: SealVerdict
    confidence: float
    box: Box | None = None


def examine(data: bytes, page: int, cell: Box, *, printed: Sequence[Run], typed: bool) -> Seal:
    """Render the seal box of a page (counted from 1) and judge it.

    `cell` is the box in points from the top left; `printed` are the runs of text on the page, of which the picture is
    cleared; `typed` tells that the box holds text that the form did not print there. Raises nothing: a page that
    cannot be rendered is unclear.
    """
    region = Box(cell.x0 - _MARGIN, cell.y0 - _MARGIN, cell.x1 + _MARGIN, cell.y1 + _MARGIN)
    try:
        picture, scale, region = _render(data, page, region)
    except (pypdfium2.PdfiumError, ValueError, MemoryError):
        return Seal(SealVerdict.UNCLEAR, page=page, box=cell)
    to_pixels = [_scaled(run.box, region, scale) for run in printed]
    red_print = [box for box, run in zip(to_pixels, printed, strict=True) if run.red]
    mark = judge(picture, _scaled(cell, region, scale), scale * _MM, printed=to_pixels, red_print=red_print)
    if typed and mark.verdict is SealVerdict.ABSENT:
        mark = Mark(SealVerdict.UNCLEAR, 0.5)
    place = _unscaled(mark.box, region, scale) if mark.box else cell
    return Seal(mark.verdict, mark.confidence, page, place)


def _render(data: bytes, number: int, region: Box) -> tuple[Image.Image, float, Box]:
    """The picture of a region of the page, pixels per point, and the part of the region that lies on the page."""
    document = pypdfium2.PdfDocument(data)
    try:
        page = document[number - 1]
        width, height = page.get_size()
        x0, y0 = max(region.x0, 0.0), max(region.y0, 0.0)
        x1, y1 = min(region.x1, width), min(region.y1, height)
        if x1 - x0 < 1 or y1 - y0 < 1:
            raise ValueError("the seal box lies outside of the page")
        scale = min(_DPI / 72, _PIXEL_LIMIT / max(x1 - x0, y1 - y0))
        bitmap = page.render(scale=scale, crop=(x0, height - y1, width - x1, y0))
        return bitmap.to_pil().convert("RGB"), scale, Box(x0, y0, x1, y1)
    finally:
        document.close()


def _scaled(box: Box, region: Box, scale: float) -> Box:
    return Box(
        (box.x0 - region.x0) * scale,
        (box.y0 - region.y0) * scale,
        (box.x1 - region.x0) * scale,
        (box.y1 - region.y0) * scale,
    )


def _unscaled(box: Box, region: Box, scale: float) -> Box:
    return Box(
        round(box.x0 / scale + region.x0, 2),
        round(box.y0 / scale + region.y0, 2),
        round(box.x1 / scale + region.x0, 2),
        round(box.y1 / scale + region.y0, 2),
    )


def judge(
    picture: Image.Image, cell: Box, mm: float, *, printed: Iterable[Box] = (), red_print: Iterable[Box] = ()
) -> Mark:
    """Judge an RGB picture. `cell` is the seal box in pixels, `mm` the pixels of a millimetre; `printed` are the places
    of the form's own text and `red_print` those of them in red, which is no seal ink.
    """
    if mm < _COARSEST:
        return Mark(SealVerdict.UNCLEAR, 0.0)
    red = _red_ink(picture)
    _clear(red, red_print)
    for box in _patches(red, mm):
        if _meets(box, cell) and _is_seal(red, box, mm):
            return Mark(SealVerdict.PRESENT, 0.95, box)
    # The ruling lines themselves are as much as a millimetre wide.
    inner = (round(cell.x0 + 1.2 * mm), round(cell.y0 + 1.2 * mm), round(cell.x1 - 1.2 * mm), round(cell.y1 - 1.2 * mm))
    if inner[2] <= inner[0] or inner[3] <= inner[1]:
        return Mark(SealVerdict.UNCLEAR, 0.0)
    ink = _any_ink(picture.crop(inner))
    _clear(ink, (Box(box.x0 - inner[0], box.y0 - inner[1], box.x1 - inner[0], box.y1 - inner[1]) for box in printed))
    if sum(1 for level in _millimetres(ink, mm).tobytes() if level) >= _DUST:
        return Mark(SealVerdict.UNCLEAR, 0.5)
    return Mark(SealVerdict.ABSENT, 0.95)


def _red_ink(picture: Image.Image) -> Image.Image:
    red, green, blue = picture.split()
    redness = ImageChops.subtract(red, ImageChops.lighter(green, blue))
    return redness.point(lambda level: 255 if level >= _REDDER else 0)


def _any_ink(picture: Image.Image) -> Image.Image:
    """Whatever differs from the ground, which is the commonest colour: the box may be white, yellow or grey."""
    colours = Counter(zip(*(channel.tobytes() for channel in picture.split()), strict=True))
    ground = Image.new("RGB", picture.size, colours.most_common(1)[0][0])
    red, green, blue = ImageChops.difference(picture, ground).split()
    farthest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return farthest.point(lambda level: 255 if level >= _INK else 0)


def _clear(mask: Image.Image, boxes: Iterable[Box]) -> None:
    pen = ImageDraw.Draw(mask)
    for box in boxes:
        # A pixel more on each side: glyphs are smoothed over their outline.
        pen.rectangle((box.x0 - 1, box.y0 - 1, box.x1 + 1, box.y1 + 1), fill=0)


def _millimetres(mask: Image.Image, mm: float) -> Image.Image:
    """The mask in squares of a millimetre: 255 where at least a twentieth of the square is ink."""
    size = (max(round(mask.width / mm), 1), max(round(mask.height / mm), 1))
    return mask.resize(size, Image.Resampling.BOX).point(lambda level: 255 if level >= 13 else 0)


def _patches(mask: Image.Image, mm: float) -> list[Box]:
    """The bounding boxes, in pixels, of connected ink; gaps of up to a millimetre do not part it."""
    squares = _millimetres(mask, mm)
    width = squares.width
    inked = {(at % width, at // width) for at, level in enumerate(squares.tobytes()) if level}
    boxes = []
    while inked:
        members = [inked.pop()]
        for x, y in members:
            near = {(x + dx, y + dy) for dx in range(-2, 3) for dy in range(-2, 3)} & inked
            inked -= near
            members += near
        columns, rows = [x for x, _ in members], [y for _, y in members]
        across, down = mask.width / width, mask.height / squares.height
        rough = (
            int(min(columns) * across),
            int(min(rows) * down),
            round((max(columns) + 1) * across),
            round((max(rows) + 1) * down),
        )
        exact = mask.crop(rough).getbbox()
        if exact:
            x0, y0, x1, y1 = exact
            boxes.append(Box(rough[0] + x0, rough[1] + y0, rough[0] + x1, rough[1] + y1))
    return boxes


def _meets(box: Box, cell: Box) -> bool:
    return box.x0 < cell.x1 and cell.x0 < box.x1 and box.y0 < cell.y1 and cell.y0 < box.y1


def _is_seal(red: Image.Image, box: Box, mm: float) -> bool:
    """Whether the patch has the size of a seal and is covered as one: neither a stroke nor a filled area."""
    width, height = (box.x1 - box.x0) / mm, (box.y1 - box.y0) / mm
    if not (_SMALLEST <= width <= _LARGEST and _SMALLEST <= height <= _LARGEST):
        return False
    patch = red.crop((round(box.x0), round(box.y0), round(box.x1), round(box.y1)))
    ink = patch.histogram()[255] / (patch.width * patch.height)
    squares = _millimetres(patch, mm)
    covered = squares.histogram()[255] / (squares.width * squares.height)
    return _THINNEST <= ink <= _THICKEST and covered >= 0.3
