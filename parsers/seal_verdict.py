"""A picture of a form → is there a seal mark in or near its seal box?

Red or blue ink with the frame and size of a seal: present. Any other ink that the form did not print itself: unclear.
Colours first, strong ink before faint; then any ink in the box and patches beside it that are higher than a line of
text; last a red seal anywhere else on the page, which staff are told about.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from parsers.picture import Picture
from parsers.reading import Box, SealVerdict
from parsers.seal_ink import (
    MM,
    Map,
    Mask,
    Region,
    cut_out,
    map_colours,
    map_faint_red,
    map_residue,
    map_strokes,
    noise_of,
    remove_lines,
)
from parsers.seal_shape import LARGEST, Shape, find_shapes

# A seal is meant for the box but is often put half over the company name beside it (notes B.5).
_MARGIN = 12 * MM
# What is looked at around the box, so that a mark which begins within the margin is mostly seen as a whole.
_VIEW = 20 * MM
# Fewer pixels a millimetre than this show no seal, and no box is a metre wide.
COARSEST = 2.0
_WIDEST = 400 * MM

# Thresholds of colour with the gaps in mm that are bridged: strong ink first, then worn, then faint (pdf.md 5).
_PASSES = ((0.30, 1.0), (0.18, 1.6), (0.10, 2.0))
_FAINT_PASSES = ((0.05, 2.0), (0.03, 2.4), (0.022, 2.8))
# How many times the spread of the map a threshold lies above its middle at least.
_SIGMAS, _FAINT_SIGMAS = 5.0, 3.5
# The share of the frame that must be inked; blue is rarer and writing is often blue, so it must show more.
_FRAME_RED, _FRAME_BLUE = 0.70, 0.82
# Half of what was cut in two must show more of it: cut anywhere, a word has something along every edge.
_FRAME_PART = 0.88
# Inside the frame: less ink is a drawn ring, more a filled area (pdf.md 5).
_EMPTIEST, _FULLEST, _FULLEST_WHOLE = 0.06, 0.92, 0.92
# A stamp with date bars as large as this is an office's receipt stamp, not a person's dater (9 to 18 mm).
_RECEIPT = 20.0
# A ring around a printed 印 is no larger than this.
_LARGEST_MARK = 14.0
# Ink in the box that is no more than this many square millimetres is dust or the rest of a ruling line.
_DUST = 1.6
# Pixels whose channels lie this far apart are coloured; so large a share of them makes a picture in colour.
_COLOUR, _COLOURED = 40, 0.002
# Coloured ink near the box that could be a part of a seal, in mm: its longer and its shorter side.
_PART_LONG, _PART_SHORT = 5.5, 3.0
# Grey ink beside the box that no line of text is as high as.
_PATCH_LONG, _PATCH_SHORT, _PATCH_INK = 6.0, 4.0, 1.2
_TEXT_HEIGHT = 6.0


@dataclass(frozen=True, slots=True)
class Mark:
    """The verdict on a picture and where the mark lies; `elsewhere` is a seal-like mark far from the box."""

    verdict: SealVerdict
    confidence: float
    box: Box | None = None
    elsewhere: Box | None = None


def judge_picture(
    picture: Picture,
    cell: Box,
    *,
    printed: Sequence[Box] = (),
    neighbours: Sequence[Box] = (),
    red_print: Sequence[Box] = (),
) -> Mark:
    """Judge the seal box of an upright, rectified picture; all boxes are in points of that picture.

    `printed` are the places of text that the form or the applicant printed in and near the box; `neighbours` are the
    cells of the applicant's block, where a seal counts too; `red_print` are those of `printed` that are red on a page
    whose text layer tells so. A text that a recogniser read in a seal does not belong into `printed`.
    """
    if picture.dpi / 25.4 < COARSEST or cell.x1 - cell.x0 < 3 * MM or cell.y1 - cell.y0 < 3 * MM:
        return Mark(SealVerdict.UNCLEAR, 0.0)
    zone = _zone(cell, neighbours)
    if zone.x1 - zone.x0 > _WIDEST or zone.y1 - zone.y0 > _WIDEST:
        return Mark(SealVerdict.UNCLEAR, 0.0)
    region = cut_out(picture, zone)
    if region is None or _outside(picture, cell):
        return Mark(SealVerdict.UNCLEAR, 0.0)
    red, blue = map_colours(region)
    for box in red_print:
        _clear(red, region, box, 1)
    places = [cell, *neighbours]
    coloured = _judge_colours(region, red, blue, places, printed, red_print)
    if coloured:
        return coloured
    dark = _judge_dark(region, places, printed)
    if dark.verdict is not SealVerdict.ABSENT:
        return dark
    if not _has_colour(picture):
        # Without colour a seal over print cannot be told from print (docs/reading.md, "Seals"), so that there is none
        # is not ours to claim, on a scan and on a page of text alike.
        return Mark(SealVerdict.UNCLEAR, 0.5)
    return _look_elsewhere(picture, zone, dark, red_print)


def _zone(cell: Box, neighbours: Sequence[Box]) -> Box:
    boxes = (Box(cell.x0 - _VIEW, cell.y0 - _VIEW, cell.x1 + _VIEW, cell.y1 + _VIEW), *neighbours)
    return Box(
        min(box.x0 for box in boxes),
        min(box.y0 for box in boxes),
        max(box.x1 for box in boxes),
        max(box.y1 for box in boxes),
    )


def _outside(picture: Picture, cell: Box) -> bool:
    """Whether less than half of the box is on the picture: a cut page shows no absence."""
    points = picture.points
    width = min(cell.x1, picture.width / points) - max(cell.x0, 0.0)
    height = min(cell.y1, picture.height / points) - max(cell.y0, 0.0)
    return width < 0.5 * (cell.x1 - cell.x0) or height < 0.5 * (cell.y1 - cell.y0)


def _has_colour(picture: Picture) -> bool:
    """Whether the picture shows colours at all: the yellow of a required cell is enough."""
    sample = picture.pixels[::5, ::5].astype(np.int16)
    if sample.ndim == 2:
        return False
    apart = sample.max(axis=2) - sample.min(axis=2)
    return bool(np.count_nonzero(apart > _COLOUR) > _COLOURED * apart.size)


def _clear(values: Map | Mask, region: Region, box: Box, more: int) -> None:
    """Take a box out of a map, with `more` pixels on each side: glyphs are smoothed over their outline."""
    x0, y0, x1, y1 = region.inside(box)
    if x1 > x0 and y1 > y0:
        values[max(y0 - more, 0) : y1 + more, max(x0 - more, 0) : x1 + more] = 0


# --- coloured ink ---------------------------------------------------------------------------------------------------


def _judge_colours(
    region: Region, red: Map, blue: Map, places: Sequence[Box], printed: Sequence[Box], red_print: Sequence[Box]
) -> Mark | None:
    """Present where a mark near the box has the shape of a seal, unclear where it could be a part of one."""
    mark, parts = _judge_map(region, red, places, printed, _FRAME_RED, _PASSES)
    if mark is None:
        # Print on yellow looks a little blue in a scan, so weak blue says nothing; `_judge_dark` sees it as any ink.
        mark, _ = _judge_map(region, blue, places, printed, _FRAME_BLUE, _PASSES)
    if mark is None:
        faint = map_faint_red(region)
        for box in red_print:
            _clear(faint, region, box, 1)
        mark, more = _judge_map(region, faint, places, printed, _FRAME_RED, _FAINT_PASSES)
        # A pale smudge is often no more than a scan's colour noise: unclear only where it has some of a seal's frame.
        parts += [shape for shape in more if min(shape.width, shape.height) >= 6.0 and shape.frame >= 0.55]
    if mark is None and parts:
        mark = Mark(SealVerdict.UNCLEAR, 0.5, region.unscaled(max(parts, key=lambda shape: shape.size).box))
    return mark


def _judge_map(
    region: Region,
    values: Map,
    places: Sequence[Box],
    printed: Sequence[Box],
    least: float,
    passes: Sequence[tuple[float, float]],
) -> tuple[Mark | None, list[Shape]]:
    """The seal that a map shows, if any, and the shapes that could be a part of one."""
    parts: list[Shape] = []
    for level, gap in passes:
        near = [shape for shape in _shapes(region, values, level, gap) if _counts(region, shape.box, places)]
        if level < _PASSES[-1][0]:
            near = [shape for shape in near if _is_faint(values, shape, level)]
        seals = [shape for shape in near if _is_seal(shape, least) and not _is_doubtful(region, values, shape, printed)]
        if seals:
            best = max(seals, key=lambda shape: (round(shape.frame, 2), shape.size))
            return Mark(SealVerdict.PRESENT, _certainty(best, least), region.unscaled(best.box)), []
        parts += [shape for shape in near if _could_be_part(shape)]
    return None, parts


def _shapes(region: Region, values: Map, level: float, gap: float) -> Iterator[Shape]:
    # Every third pixel tells the noise as well as all of them do, and in a tenth of the time.
    middle, spread = noise_of(values[::3, ::3])
    threshold = middle + max(level, spread * (_SIGMAS if level >= _PASSES[-1][0] else _FAINT_SIGMAS))
    mask = np.where(values > threshold, 255, 0).astype(np.uint8)
    if cv2.countNonZero(mask) >= 1.5 * region.mm**2:
        yield from find_shapes(remove_lines(_without_specks(mask, region.mm, 0.1), region.mm), region.mm, gap)


def _is_faint(values: Map, shape: Shape, level: float) -> bool:
    """Whether a faint pass is the one to judge the shape: strong strokes, cut low, swell until words have a frame."""
    x0, y0, x1, y1 = (round(value) for value in shape.box)
    return float(np.percentile(values[y0:y1, x0:x1], 90)) < max(4 * level, 0.16)


def _counts(region: Region, mark: Box, places: Sequence[Box]) -> bool:
    """Whether the mark lies in or within 12 mm of the box, or with its middle in the applicant's block."""
    x, y = (mark.x0 + mark.x1) / 2, (mark.y0 + mark.y1) / 2
    if any(box.x0 <= x <= box.x1 and box.y0 <= y <= box.y1 for box in map(region.scaled, places)):
        return True
    first, more = region.scaled(places[0]), 12.0 * region.mm
    return (
        first.x0 - more < mark.x1
        and mark.x0 < first.x1 + more
        and first.y0 - more < mark.y1
        and mark.y0 < first.y1 + more
    )


def _is_seal(shape: Shape, least: float) -> bool:
    return (
        shape.has_size
        and shape.frame >= (_FRAME_PART if shape.part else least)
        and _EMPTIEST <= shape.inner <= _FULLEST
        and shape.fill <= _FULLEST_WHOLE
        and shape.spread >= 0.4
    )


def _is_doubtful(region: Region, values: Map, shape: Shape, printed: Sequence[Box]) -> bool:
    """Receipt stamps, and rings around a printed 印: seal-like, but perhaps not put there as a seal."""
    if (shape.bars and shape.size >= _RECEIPT) or _is_cut(region, shape):
        return True
    if shape.size > _LARGEST_MARK:
        return False
    x0, y0, x1, y1 = (round(value) for value in shape.box)
    patch = values[y0:y1, x0:x1]
    ink = np.where(patch > 0.4 * float(np.percentile(patch, 95)), 255, 0).astype(np.uint8)
    ring = np.zeros_like(ink)
    size = (round(ink.shape[1] * 0.36), round(ink.shape[0] * 0.36))
    cv2.ellipse(ring, (ink.shape[1] // 2, ink.shape[0] // 2), size, 0, 0, 360, 255, -1)
    ink[ring == 0] = 0
    before = cv2.countNonZero(ink)
    for box in printed:
        left, top, right, bottom = (round(value) for value in region.scaled(box))
        # Only a text that lies in the ring with all its length is the ring's own.
        if x0 - 1 <= left <= right <= x1 + 1 and y0 - 1 <= top <= bottom <= y1 + 1:
            ink[max(top - y0 - 1, 0) : bottom - y0 + 2, max(left - x0 - 1, 0) : right - x0 + 2] = 0
    return cv2.countNonZero(ink) < 0.25 * before


def _is_cut(region: Region, shape: Shape) -> bool:
    """Whether the mark goes on beyond what is looked at, so that its frame cannot be told."""
    rows, columns = region.shape
    return shape.box.x0 < 1 or shape.box.y0 < 1 or shape.box.x1 > columns - 1 or shape.box.y1 > rows - 1


def _could_be_part(shape: Shape) -> bool:
    return shape.size >= _PART_LONG and min(shape.width, shape.height) >= _PART_SHORT


def _certainty(shape: Shape, least: float) -> float:
    """0.9 for a frame that just suffices, up to 0.99 for a whole one."""
    return round(0.9 + 0.09 * min((shape.frame - least) / (1 - least), 1.0), 3)


# --- any ink --------------------------------------------------------------------------------------------------------


def _judge_dark(region: Region, places: Sequence[Box], printed: Sequence[Box]) -> Mark:
    """Unclear where the box holds ink that the form did not print, or where a patch as high as a seal lies near it."""
    cell = places[0]
    # The ruling lines themselves are as much as a millimetre wide.
    x0, y0, x1, y1 = region.inside(Box(cell.x0 + 1.3 * MM, cell.y0 + 1.3 * MM, cell.x1 - 1.3 * MM, cell.y1 - 1.3 * MM))
    if x1 - x0 < 8 or y1 - y0 < 8:
        return Mark(SealVerdict.UNCLEAR, 0.0)
    residue = np.zeros(region.shape, np.float32)
    residue[y0:y1, x0:x1] = map_residue(region.pixels[y0:y1, x0:x1], region.mm)
    for box in printed:
        _clear(residue, region, box, 2)
    inside = residue[y0:y1, x0:x1]
    _, spread = noise_of(inside)
    ink = np.where(inside > max(0.045, 5 * spread), 255, 0).astype(np.uint8)
    area, place = _ink_area(ink, region.mm)
    if area >= _DUST:
        found = Box(place.x0 + x0, place.y0 + y0, place.x1 + x0, place.y1 + y0)
        return Mark(SealVerdict.UNCLEAR, 0.5, region.unscaled(found))
    patch = _find_patch(region, places, printed)
    if patch:
        return Mark(SealVerdict.UNCLEAR, 0.5, region.unscaled(patch))
    return Mark(SealVerdict.ABSENT, round(0.99 - 0.09 * area / _DUST, 3))


def _ink_area(ink: Mask, mm: float) -> tuple[float, Box]:
    """Square millimetres of ink in pieces that are no dust, and the box around them."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    total, kept = 0.0, []
    for number in range(1, count):
        x, y, width, height, pixels = (int(value) for value in stats[number])
        area = pixels / mm**2
        if area >= 0.12:
            total += area
            kept.append((x, y, x + width, y + height))
    if not kept:
        return 0.0, Box(0, 0, 0, 0)
    edges = np.array(kept, np.float64)
    return total, Box(*edges[:, :2].min(axis=0).tolist(), *edges[:, 2:].max(axis=0).tolist())


def _find_patch(region: Region, places: Sequence[Box], printed: Sequence[Box]) -> Box | None:
    """Ink beside the box that is higher than a line of text, and not only printed text: perhaps a grey seal."""
    strokes = map_strokes(region)
    middle, spread = noise_of(strokes)
    mask = np.where(strokes > max(0.03, middle + 2.7 * spread), 255, 0).astype(np.uint8)
    mask = remove_lines(mask, region.mm)
    for box in printed:
        _clear(mask, region, box, 2)
    mask = _without_specks(mask, region.mm, 0.3)
    # A line of text that was cleared from the middle of a seal leaves a gap of its height.
    reach = max(round(_TEXT_HEIGHT * region.mm) | 1, 3)
    count, labels = cv2.connectedComponents(cv2.dilate(mask, np.ones((reach, reach), np.uint8)))
    labels[mask == 0] = 0
    for number in range(1, count):
        rows, columns = np.nonzero(labels == number)
        if rows.size < _PATCH_INK * region.mm**2:
            continue
        box = Box(float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
        low, high = sorted(((box.x1 - box.x0) / region.mm, (box.y1 - box.y0) / region.mm))
        if low >= _PATCH_SHORT and high >= _PATCH_LONG and _counts(region, box, places):
            return box
    return None


def _without_specks(mask: Mask, mm: float, least: float) -> Mask:
    """The mask without pieces of less than `least` square mm: noise, rests of lines, edges of glyphs, dust."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    kept = stats[:, cv2.CC_STAT_AREA] >= least * mm**2
    kept[0] = False
    return np.where(kept[labels], 255, 0).astype(np.uint8) if count > 1 else mask


# --- the rest of the page -------------------------------------------------------------------------------------------


def _look_elsewhere(picture: Picture, zone: Box, nothing: Mark, red_print: Sequence[Box]) -> Mark:
    """A red seal somewhere else on the page: it was stamped in a wrong place, which staff must be told."""
    whole = Box(0, 0, picture.width / picture.points, picture.height / picture.points)
    if max(whole.x1, whole.y1) > 3 * _WIDEST:
        return nothing
    region = cut_out(picture, whole, 3.0)
    if region is None:
        return nothing
    red, _ = map_colours(region)
    for box in (zone, *red_print):
        _clear(red, region, box, 1)
    shapes = (shape for level, gap in _PASSES for shape in _shapes(region, red, level, gap))
    found = [shape for shape in shapes if _is_seal(shape, 0.8) and shape.size <= LARGEST]
    if not found:
        return nothing
    place = region.unscaled(max(found, key=lambda shape: shape.frame).box)
    return Mark(SealVerdict.UNCLEAR, 0.5, None, place)
