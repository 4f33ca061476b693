"""A crop of a cell → its lines of text as the recognisers take them: dark on white, of one height.

Pure. What trains the variants (`tools/train_variants.py`) prepares its pictures by this too, so that both see the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from parsers import ink
from parsers.ink import Span
from parsers.picture import Pixels

# The height in pixels of the lines that the recognition model was trained on.
HEIGHT = 48
# White around the ink, as a share of the height of the line: the model reads a letter at the very edge badly.
_PADDING = 0.14
# White at both ends, in columns of the prepared line.
SIDE = 10
# A longer line is no line of a form; without a bound a strange crop could take minutes.
_WIDEST = 3200


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line of text ready to be recognised, and its place in the crop: `scale` pixels of it are one column here."""

    image: Pixels
    place: Span
    scale: float

    def span(self, start: float, end: float) -> Span:
        """The part of the crop between two columns of this line."""
        left = round(self.place.x0 + (start - SIDE) * self.scale)
        right = max(left + 1, round(self.place.x0 + (end - SIDE) * self.scale))
        return Span(max(self.place.x0, left), self.place.y0, min(self.place.x1, right), self.place.y1)


def lines_of(pixels: Pixels, *, several: bool = True) -> list[Line]:
    """The lines of a crop, top to bottom; all its ink as one line where `several` is false."""
    grey = ink.clean(pixels)
    spans = ink.find_lines(grey)
    if spans and not several:
        spans = [whole_line(spans)]
    return [prepare(grey, span) for span in spans]


def whole_line(spans: Sequence[Span]) -> Span:
    """The span around all of these, at least one."""
    return Span(
        min(span.x0 for span in spans),
        min(span.y0 for span in spans),
        max(span.x1 for span in spans),
        max(span.y1 for span in spans),
    )


def prepare(grey: Pixels, span: Span) -> Line:
    """One line of a cleaned crop at the height that recognisers take, with white around it."""
    height = span.y1 - span.y0
    edge = max(1, round(_PADDING * height))
    scale = (height + 2 * edge) / HEIGHT
    side = max(1, round(SIDE * scale))
    padded = cv2.copyMakeBorder(
        grey[span.y0 : span.y1, span.x0 : span.x1], edge, edge, side, side, cv2.BORDER_CONSTANT, value=(250,)
    )
    width = min(_WIDEST, max(SIDE, round(padded.shape[1] / scale)))
    image = cv2.resize(padded, (width, HEIGHT), interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_CUBIC)
    return Line(np.asarray(image, dtype=np.uint8), span, padded.shape[1] / width)


def flat_marks(line: Line) -> tuple[int, int]:
    """How many bars stand alone near the foot of the line, and how many half way up: its _ and its -, which a
    recogniser may drop without a trace."""
    foot = middle = 0
    for _, y, w, h, area in ink.components(np.asarray(line.image < 160, dtype=np.bool_))[1]:
        if w < 5 or h > 6 or w < 1.4 * h or area < 0.5 * w * h:
            continue
        at = (y + h / 2) / HEIGHT
        if at > 0.7 and w > 9:
            foot += 1
        elif 0.35 < at < 0.7:
            middle += 1
    return foot, middle
