"""The ink in one cell of a scanned form: what is print, what is seal, what is dust.

Pure, on pixels. A crop is the inside of a cell, RGB or grey; `mm` is the number of its pixels in a millimetre. Colour
tells seal ink and the fill of a cell from print: the strongest channel of either is bright, that of black is dark.

Weak: on a grey scan a seal is as dark as print, and neither can be taken from the other.
"""

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from parsers.picture import Pixels

Bits = NDArray[np.bool_]

# Print differs from its ground by at least this much of 255, however faint the toner.
_FAINTEST = 45
# How dark the thinnest strokes of a letter stay beside its darkest, after the blur of a bad scan.
THIN = 0.28
# How much stronger than the others one channel is where there is coloured ink.
_COLOURED = 40
# Less difference between the channels is no colour but noise.
_PALE = 25
# Sides in mm: less is dust, however dark it is. The smallest letter that stands alone is 一 or -, as wide as this.
_DUST = 0.9
# The least ink of one letter in square mm.
_LEAST_INK = 0.14
# What lies this near to the border of the crop, in mm, may be the rest of a ruling line.
_BORDER = 0.55


# A gap of so many heights of a line parts it from what comes in over the border: more than a wide blank. So far, in mm,
# that reaches in.
_STRANGE, _REACH_IN = 1.7, 9.0
# A seal over the end of a cell: it begins beyond this share of the width, the ink that hangs on a border is so high and
# so far from what stands before it, in heights of the cell, and ends on so many borders.
_SEAL_FROM, _FRAME, _APART, _LEAST_BORDERS = 0.3, 0.3, 0.2, 3
# What is so many letters high is no stroke of one.
_TALLER = 1.8
# A line down through a cell is so thin and runs through so much of it, both in heights of the cell.
_HAIR, _THROUGH = 0.08, 0.7
# Dirt is so many letters high and wide at the most, and so many away from the next ink.
_SPECK, _SPECK_AWAY = 0.4, 4.0
# Ink this many heights of a line away from it is no part of it.
_FAR = 0.7


class Span(NamedTuple):
    """A rectangle of a crop in whole pixels; `x1` and `y1` are the first ones outside."""

    x0: int
    y0: int
    x1: int
    y1: int


def clean(crop: Pixels) -> Pixels:
    """The print of a crop as dark on white, in grey: coloured ink, fills and uneven light are taken away."""
    if crop.size == 0:
        return np.full(crop.shape[:2], 255, dtype=np.uint8)
    if crop.ndim == 2:
        return _flat(crop)
    grey = _flat(_without_colour(crop))
    # Blue pen and blue print are as colourful as a seal, so they are taken as print where there is nothing darker.
    if not _contrast(grey) and _contrast(red := _flat(np.ascontiguousarray(crop[:, :, 0]))):
        return red
    return grey


def _without_colour(crop: Pixels) -> Pixels:
    """The strongest channel, and brighter still where the ink is colourful: dark red is 200 of 255 there. Black under
    a seal takes on some of its colour from the JPEG, so what is dark in every channel stays dark."""
    channels = cv2.split(crop)
    strongest = cv2.max(cv2.max(channels[0], channels[1]), channels[2])
    weakest = cv2.min(cv2.min(channels[0], channels[1]), channels[2])
    # Saturating subtraction of whole numbers: nothing is lifted where the colour is as pale as paper.
    lift = cv2.subtract(cv2.subtract(strongest, weakest), np.full_like(strongest, _PALE))
    if not lift.any():
        return np.asarray(strongest, dtype=np.uint8)
    # JPEG keeps colour at half the resolution of light, so the rim of coloured ink has lost its colour.
    wide = cv2.dilate(lift, np.ones((3, 3), np.uint8)).astype(np.float32)
    plain = strongest.astype(np.float32)
    bright: Pixels = np.minimum(plain + 0.8 * wide * np.clip((plain - 110) / 60, 0, 1), 255).astype(np.uint8)
    return bright


def _flat(grey: Pixels) -> Pixels:
    """Divide by the ground, which is what stays when everything as thin as a stroke is closed."""
    height, width = grey.shape
    small = cv2.resize(grey, (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
    side = max(3, min(small.shape[0], 24) | 1)
    ground = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    ground = cv2.blur(ground, (side, side))
    ground = cv2.resize(ground, (width, height), interpolation=cv2.INTER_LINEAR)
    flat = grey.astype(np.float32) * (250.0 / np.maximum(ground, 1))
    return np.clip(flat, 0, 255).astype(np.uint8)


def _contrast(grey: Pixels) -> bool:
    """Whether there are more dark pixels than noise makes."""
    return bool(np.count_nonzero(grey < 250 - 2 * _FAINTEST) > max(6, grey.size // 2000))


def ink(grey: Pixels, *, depth: float = 0.45) -> Bits:
    """The pixels of a cleaned crop that are ink: `depth` of the way from the ground to its darkest print, or darker."""
    if grey.size == 0:
        return np.zeros(grey.shape, dtype=np.bool_)
    # The darkest half percent, counted by levels: a percentile of numpy would sort the crop.
    levels = np.cumsum(np.bincount(grey.reshape(-1), minlength=256))
    darkest = float(np.searchsorted(levels, 0.005 * grey.size))
    least = _FAINTEST if depth >= 0.45 else 0.7 * _FAINTEST
    return np.asarray(grey < min(250 - least, 250 - depth * (250 - darkest)), dtype=np.bool_)


def coloured_share(crop: Pixels) -> float:
    """The share of the crop under strongly coloured ink, as of a seal over a value. Yellow fills do not count."""
    if crop.ndim == 2 or crop.size == 0:
        return 0.0
    red, green, blue = (crop[:, :, channel].astype(np.int16) for channel in range(3))
    # Red ink is red against both others; yellow, the fill of a required cell, is not against green.
    reds = red - np.maximum(green, blue) > _COLOURED
    blues = blue - np.maximum(red, green) > _COLOURED
    return float(np.count_nonzero(reds | blues)) / reds.size


def seal_over(crop: Pixels, spans: Sequence[Span]) -> bool:
    """Whether a seal lies over what is written in the crop, so that strokes may be hidden or added.

    `spans` are the lines that `find_lines` gives for the cleaned crop.
    """
    if crop.ndim == 2 or not spans or coloured_share(crop) < 0.004:
        return False
    x0, y0 = min(span.x0 for span in spans), min(span.y0 for span in spans)
    x1, y1 = max(span.x1 for span in spans), max(span.y1 for span in spans)
    return coloured_share(crop[y0:y1, x0:x1]) > 0.004


def components(bits: Bits) -> tuple[NDArray[np.int32], list[tuple[int, int, int, int, int]]]:
    """Connected ink: the number of its component at each pixel (0 is ground), and each one's x, y, width, height, area.

    OpenCV 5.0 crashes on pictures of less than two pixels, hence the rim.
    """
    padded = np.pad(bits.astype(np.uint8), 1)
    if bits.size == 0:
        return np.zeros(bits.shape, dtype=np.int32), []
    _, labels, stats, _ = cv2.connectedComponentsWithStats(padded, connectivity=8)
    found = [(x - 1, y - 1, w, h, area) for x, y, w, h, area in stats[1:].tolist()]
    return np.asarray(labels[1:-1, 1:-1], dtype=np.int32), found


def marks(grey: Pixels, *, mm: float, depth: float = 0.45) -> list[Span]:
    """Where letters may stand in a cleaned crop: connected ink that is neither dust nor the rest of a ruling line."""
    bits = _peeled(ink(grey, depth=depth))
    height, width = bits.shape
    found = []
    for x, y, w, h, area in components(bits)[1]:
        span = Span(x, y, x + w, y + h)
        if max(w, h) >= _DUST * mm and area >= _LEAST_INK * mm * mm and not _is_border(span, width, height, mm):
            found.append(span)
    return found


def _peeled(bits: Bits) -> Bits:
    """The ink without ruling lines that the crop caught a part of: rows and columns at its very border that are ink
    over much of their length. Text is never as wide as that there, and hardly ever as tall as its cell."""
    height, width = bits.shape
    peeled = bits.copy()
    # A box to tick fills half of its narrow cell, which a line of text never does of its wide one.
    across = 0.45 if width > 3 * height else 0.75
    for lines, share in ((peeled, across), (peeled.T, 0.72)):
        band = min(16, max(2, round(0.13 * height)), len(lines) // 3)
        cover = lines.mean(axis=1) if lines.size else np.zeros(0)
        first = np.flatnonzero(cover[:band] > share)
        last = np.flatnonzero(cover[len(cover) - band :] > share) if band else first
        if len(first):
            lines[: first[-1] + 2] = False
        if len(last):
            lines[len(cover) - band + last[0] - 1 :] = False
    # Where the lines were cut through, what is left of them is too little to count.
    near = max(1, round(0.03 * min(height, width))) if min(height, width) > 8 else 0
    if near and (peeled != bits).any():
        edge = np.ones_like(peeled)
        edge[near : height - near, near : width - near] = False
        peeled &= ~edge
    return peeled


def _is_border(span: Span, width: int, height: int, mm: float) -> bool:
    """Whether ink lies wholly along one border of the crop, or runs through the crop as a line does."""
    near = _BORDER * mm
    flat, upright = span.y1 - span.y0 <= 2 * near, span.x1 - span.x0 <= 2 * near
    along = (flat and (span.y0 < near or span.y1 > height - near)) or (
        upright and (span.x0 < near or span.x1 > width - near)
    )
    through = (span.y1 - span.y0 < near and span.x1 - span.x0 > 0.9 * width) or (
        span.x1 - span.x0 < near and span.y1 - span.y0 > 0.9 * height
    )
    return along or through


def is_blank(crop: Pixels, *, mm: float) -> bool:
    """Whether nothing is written in the cell. Dust, rests of ruling lines, seal ink and noise are not writing."""
    return not marks(clean(crop), mm=mm)


def find_lines(grey: Pixels) -> list[Span]:
    """The lines of text in a cleaned crop, top to bottom, each as tight as its ink."""
    return search_lines(grey)[0]


def search_lines(grey: Pixels) -> tuple[list[Span], bool]:
    """The lines of text, and whether something was left out that comes in over the borders behind them."""
    bits = _written(grey)
    cut = _seal_from(bits)
    bits[:, cut:] = False
    strange = cut < bits.shape[1]
    rows = np.flatnonzero(bits.any(axis=1))
    if not len(rows):
        return [], strange
    lines = []
    for group in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        columns = np.flatnonzero(bits[group[0] : group[-1] + 1].any(axis=0))
        lines.append(Span(int(columns[0]), int(group[0]), int(columns[-1]) + 1, int(group[-1]) + 1))
    merged = _merged(lines, height=len(grey))
    kept = [_without_strangers(line, bits) for line in merged]
    return kept, strange or kept != merged


def _seal_from(bits: Bits) -> int:
    """The column from which on a seal lies over the cell, the width of the crop where none does.

    On a grey scan its ink is as dark as print. Its frame comes in over one border and leaves over others, with strokes
    that other borders cut; a fold crosses two borders alone, and no line of text hangs on any.
    """
    height, width = (int(side) for side in bits.shape)
    found = components(bits)[1]
    hanging: list[tuple[int, int]] = [
        (x, (y <= 1) + (y + h >= height - 1) + (x + w >= width - 1))
        for x, y, w, h, _ in found
        if (h >= _FRAME * height or x + w >= width - 1) and x >= _SEAL_FROM * width
    ]
    hanging = [(x, borders) for x, borders in hanging if borders]
    if not hanging:
        return width
    start = min(int(x) for x, _ in hanging)
    beyond = [(y <= 1) + (y + h >= height - 1) + (x + w >= width - 1) for x, y, w, h, _ in found if x >= start]
    before = [x + w for x, _, w, _, _ in found if x < start]
    apart = start - max(before, default=-height) >= _APART * height
    return start if bool(apart) and sum(beyond) >= _LEAST_BORDERS else width


def _without_strangers(line: Span, bits: Bits) -> Span:
    """The line without what comes in over the right border far behind it: on a grey scan, the seal beside the cell."""
    if line.x1 < bits.shape[1] - 1:
        return line
    columns = np.flatnonzero(bits[line.y0 : line.y1].any(axis=0))
    gaps = np.diff(columns)
    widest = int(gaps.argmax()) if len(gaps) else 0
    if not len(gaps) or gaps[widest] < _STRANGE * (line.y1 - line.y0) or widest < len(gaps) * 0.3:
        return line
    rows = np.flatnonzero(bits[line.y0 : line.y1, : columns[widest] + 1].any(axis=1))
    return Span(line.x0, line.y0 + int(rows[0]), int(columns[widest]) + 1, line.y0 + int(rows[-1]) + 1)


def is_at_border(grey: Pixels, *, mm: float) -> bool:
    """Whether all ink of a cleaned crop hangs on its left or right border and is no wider than a letter: rather the
    edge of a seal or a crooked ruling line than writing."""
    width = grey.shape[1]
    reach = min(_REACH_IN * mm, 0.3 * width)
    found = marks(grey, mm=mm)
    return bool(found) and all(
        (span.x1 <= reach and any(other.x0 <= 1 and other.x1 >= span.x0 for other in found))
        or (span.x0 >= width - reach and any(other.x1 >= width - 1 and other.x0 <= span.x1 for other in found))
        for span in found
    )


def _written(grey: Pixels) -> Bits:
    """The ink without specks and without what runs along a border of the crop as the rest of a ruling line does."""
    # The level strokes of Mincho are so thin that blur leaves a third of their darkness.
    bits = _peeled(ink(grey, depth=THIN))
    labels, found = components(bits)
    if not found:
        return bits
    height, width = grey.shape
    # The dot of a full stop is a fourteenth of its line high; the tallest component may be a rest of a ruling line.
    upright = np.array([(x == 0 or x + w == width) and w < 0.2 * h for x, _, w, h, _ in found])
    heights = np.array([each[3] for each in found])
    heights = heights if upright.all() else heights[~upright]
    letter = float(np.median(heights[heights > 0.3 * heights.max()]))
    speck = max(2.0, (0.05 * letter) ** 2)
    kept = np.zeros(len(found) + 1, dtype=np.bool_)
    for index, (_, y, w, h, area) in enumerate(found, 1):
        flat = (y == 0 or y + h == height) and w > 4 * h and h < 0.2 * height
        # No stroke of a letter is as high as that at a border, and the rest of a ruling line may be broken.
        tall = h > min(0.55 * height, _TALLER * letter)
        kept[index] = area >= speck and not flat and not (upright[index - 1] and tall)
    # Faint ink counts beside strong ink, as the thin strokes of a letter or a full stop; by itself it is noise.
    strong = np.flatnonzero(ink(grey).any(axis=1) & (kept[labels]).any(axis=1))
    beside = np.zeros(height, dtype=np.bool_)
    for row in strong:
        beside[max(0, row - 1) : row + 2] = True
    kept[1:] &= np.array([beside[y : y + h].any() for _, y, _, h, _ in found])
    return _without_strays(np.asarray(kept[labels], dtype=np.bool_), letter)


def _without_strays(bits: Bits, letter: float) -> Bits:
    """The ink without what stands far from any text: lines down through the cell (a side of a cell that the grid missed
    by a hair, a fold) and single specks of dirt. Recognised, the white before one takes longer than the text, and what
    ends it becomes a letter. Ink that has the cell for itself is left alone, unless it is such a line."""
    height, width = bits.shape
    columns = np.flatnonzero(bits.any(axis=0))
    if not len(columns):
        return bits
    breaks = np.flatnonzero(np.diff(columns) > 1)
    starts, ends = columns[np.r_[0, breaks + 1]], columns[np.r_[breaks, len(columns) - 1]] + 1
    away = np.minimum(starts - np.r_[-width, ends[:-1]], np.r_[starts[1:], 2 * width] - ends)
    thin, small = ends - starts <= max(2, _HAIR * height), ends - starts < _SPECK * letter
    for index in np.flatnonzero((thin | small) & (away > _STRANGE * letter)).tolist():
        piece = bits[:, starts[index] : ends[index]]
        rows = np.flatnonzero(piece.any(axis=1))
        tall = int(rows[-1] - rows[0]) + 1
        speck = small[index] and tall < _SPECK * letter and away[index] > _SPECK_AWAY * letter and len(starts) > 1
        if speck or (thin[index] and tall > _THROUGH * height):
            piece[:] = False
    return bits


def _merged(lines: list[Span], *, height: int) -> list[Span]:
    """Dots, bars and the parts of 二 are not lines: what is lower than a line joins its nearest neighbour."""
    tallest = max(line.y1 - line.y0 for line in lines)
    if tallest < 0.1 * height:
        return [reduce(_hull, lines)]
    merged = list(lines)
    while len(merged) > 1:
        low = min(range(len(merged)), key=lambda index: merged[index].y1 - merged[index].y0)
        if merged[low].y1 - merged[low].y0 > 0.45 * tallest:
            break
        neighbours = [index for index in (low - 1, low + 1) if 0 <= index < len(merged)]
        nearest = min(neighbours, key=lambda index: _apart(merged[low], merged[index]))
        if _apart(merged[low], merged[nearest]) > _FAR * tallest:
            # So far from any line it belongs to none: dust, or the rest of a ruling line.
            del merged[low]
            continue
        first, second = sorted((low, nearest))
        merged[first : second + 1] = [_hull(merged[first], merged[second])]
    return merged


def _apart(first: Span, second: Span) -> int:
    return max(first.y0, second.y0) - min(first.y1, second.y1)


def _hull(first: Span, second: Span) -> Span:
    return Span(min(first.x0, second.x0), first.y0, max(first.x1, second.x1), max(first.y1, second.y1))
