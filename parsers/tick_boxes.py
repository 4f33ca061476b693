"""Boxes to tick in the cell of a scanned form: where small ones are drawn, and whether one is ticked.

Pure, on pixels, with the words of `parsers.ink`. Weak: a mark over a whole box is told by its ink alone.
"""

import cv2
import numpy as np

from parsers.ink import THIN, Bits, Span, clean, components, ink, marks
from parsers.picture import Pixels

# Sides of a box to tick, in mm.
_SMALLEST_BOX, _LARGEST_BOX = 1.7, 8.0
# A square before a word is no larger than this and no further from square; so much white, in mm, stands beside it.
_LARGEST_SQUARE, _NEARLY_SQUARE, _BESIDE_BOX = 5.0, 1.35, 0.35
# The innermost part of a square begins so far in; less ink than this there is none, more than that a tick.
_INNERMOST, _UNTICKED, _TICKED = 0.3, 0.03, 0.12
# Less ink than this inside a frame is what blur leaves of its corners.
_NOTHING_INSIDE = 0.02
# What is inked over more than this share is a filled box.
_FILLED = 0.8


def ticked(crop: Pixels, *, mm: float) -> bool | None:
    """Whether a cell with a box shows it ticked; None where that cannot be told.

    □ and an empty cell are unticked. A mark in the box (☑ ☒), a mark alone (✓ レ) and a filled box (■) are ticks.
    """
    grey = clean(crop)
    found = marks(grey, mm=mm)
    if not found:
        return False
    # Frames are as thin as the level strokes of letters, so their sides are looked for as those are.
    found = marks(grey, mm=mm, depth=THIN) or found
    bits = ink(grey, depth=THIN)
    x0, y0 = min(span.x0 for span in found), min(span.y0 for span in found)
    x1, y1 = max(span.x1 for span in found), max(span.y1 for span in found)
    largest = max(x1 - x0, y1 - y0)
    if largest < _SMALLEST_BOX * mm * 0.6:
        return None
    if largest > _LARGEST_BOX * mm:
        return None
    drawn = bits[y0:y1, x0:x1]
    if drawn.mean() > 0.72:
        return True if min(drawn.shape) >= _SMALLEST_BOX * mm * 0.6 else None
    inside = _inside(drawn, mm)
    if inside is None:
        # No frame: a mark alone, unless it is a mere stroke.
        return True if min(x1 - x0, y1 - y0) >= 0.8 * mm else None
    share = float(inside.mean()) if inside.size else 0.0
    if share < _NOTHING_INSIDE:
        return False
    return True if share > 0.05 else None


def squares(grey: Pixels, *, mm: float) -> list[Span]:
    """The small squares that are drawn in a cleaned crop, as boxes before words: of the size of a letter, framed on all
    four sides, and with white to the left and right, where the parts of a letter like 担 stand close together."""
    bits = ink(grey, depth=THIN)
    width = int(bits.shape[1])
    white = max(1, round(_BESIDE_BOX * mm))
    found = []
    for x, y, w, h, _ in components(bits)[1]:
        if not _SMALLEST_BOX * mm <= min(w, h) <= max(w, h) <= min(_LARGEST_SQUARE * mm, _NEARLY_SQUARE * min(w, h)):
            continue
        beside = (bits[y : y + h, max(0, x - white) : x], bits[y : y + h, x + w : min(width, x + w + white)])
        if not any(part.any() for part in beside) and (
            _framed(bits[y : y + h, x : x + w]) or bits[y : y + h, x : x + w].mean() > _FILLED
        ):
            found.append(Span(x, y, x + w, y + h))
    return sorted(found, key=lambda span: (span.y0, span.x0))


def square_ticked(grey: Pixels, square: Span) -> bool | None:
    """Whether a square of `squares` is ticked, by its innermost part: the frame of so small a one is blurred far into
    it. None where that cannot be told."""
    inset_x, inset_y = (round(_INNERMOST * side) for side in (square.x1 - square.x0, square.y1 - square.y0))
    inner = ink(grey)[square.y0 + inset_y : square.y1 - inset_y, square.x0 + inset_x : square.x1 - inset_x]
    share = float(inner.mean()) if inner.size else 0.0
    if share < _UNTICKED:
        return False
    return True if share > _TICKED else None


def _inside(drawn: Bits, mm: float) -> Bits | None:
    """What lies inside the frame of a box; None where there is no frame of four sides."""
    frame = _frame_of_strokes(drawn, mm)
    # A shade that hangs on the box, as of a fold, must not make its frame a part of what lies inside.
    if frame is None or _framed(drawn[frame.y0 : frame.y1, frame.x0 : frame.x1]) is None:
        frame = _framed(drawn) or frame
    if frame is None:
        return None
    tall, wide = frame.y1 - frame.y0, frame.x1 - frame.x0
    if min(tall, wide) < _SMALLEST_BOX * mm or not 0.6 < tall / wide < 1.67:
        return None
    inset_y, inset_x = max(2, round(0.2 * tall)), max(2, round(0.2 * wide))
    return drawn[frame.y0 + inset_y : frame.y1 - inset_y, frame.x0 + inset_x : frame.x1 - inset_x]


def _framed(drawn: Bits) -> Span | None:
    """The whole drawing where ink runs along all four of its sides, as skewed or as broken as blur makes it."""
    height, width = drawn.shape
    rows, columns = max(2, round(0.15 * height)), max(2, round(0.15 * width))
    sides = (
        drawn[:rows].any(axis=0),
        drawn[-rows:].any(axis=0),
        drawn[:, :columns].any(axis=1),
        drawn[:, -columns:].any(axis=1),
    )
    return Span(0, 0, width, height) if all(side.mean() > 0.8 for side in sides) else None


def _frame_of_strokes(drawn: Bits, mm: float) -> Span | None:
    """The outermost straight strokes: a mark may stand out over its box."""
    length = max(3, round(1.3 * mm))
    pixels = cv2.morphologyEx(drawn.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((2, 2), np.uint8))
    flat = cv2.morphologyEx(pixels, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    upright = cv2.morphologyEx(pixels, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    rows, columns = np.flatnonzero(flat.any(axis=1)), np.flatnonzero(upright.any(axis=0))
    if not len(rows) or not len(columns):
        return None
    return Span(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
