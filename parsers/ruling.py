"""The picture of a page → the page upright and flat, and the closed rectangles of its ruling lines.

No template: lines are found by their looks, the page is made flat by what all of them say together, and cells are what
`parsers.cells` makes of them. Whether the page stands on its head cannot be seen in its lines; whoever can read tells,
and takes `half_turned`.

Trusts nothing. Promises for any picture None or boxes that lie on it. Weak: a form whose cells are mostly higher than
wide is laid on its side; lines fainter than a twelfth of the paper's brightness are not seen; a drawn square of less
than four millimetres is no box, and one of 15 to 35 that stands free within a cell is taken for a seal's frame.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from parsers.beside import InPlace
from parsers.cells import Segment, find_boxes
from parsers.line_gaps import completed
from parsers.line_net import connect
from parsers.line_pieces import Line, Strokes, lines_in, strokes
from parsers.picture import Picture, Pixels
from parsers.reading import Box
from parsers.rectifying import Flattening, find_skew, flatten, rotate, stretches

# Lines are looked for at this resolution: a hair line is still half a pixel, and a page takes a quarter of the time.
_DPI = 150.0
_MM = _DPI / 25.4
_POINT = _DPI / 72
# The coarse skew needs a third of that.
_COARSE = 3
# Fewer cells than this are a letter with a frame around its address, not a form.
_LEAST_CELLS = 4
# A line that ends this near to the edge of the picture, in millimetres, runs off it; so many of them cut a page.
_EDGE, _CUT_LINES = 2.5, 2
# The sides of the square seal of a company in millimetres (boxes for marks are smaller), and how far it is from square.
_FRAME, _SQUARE = (15.0, 35.0), 1.35
# A small picture smaller than this holds no form.
_LEAST_SIDE = 100


@dataclass(frozen=True, slots=True, eq=False)
class Ruled:
    """A flat page: `boxes` are its cells in points of `picture`, in reading order as it lies.

    `turn` is the clockwise turn in degrees that was applied to the page, and `cut_edges` are the sides of `picture`
    (`left`, `top`, `right`, `bottom`) over which ruling lines run off.
    """

    picture: Picture
    boxes: tuple[Box, ...]
    turn: int
    cut_edges: frozenset[str]
    _flattening: Flattening
    _page: tuple[float, float]

    def page_box(self, box: Box) -> Box:
        """The box around the same place on the page as it came, in points."""
        width, height = self._page
        # Sides that bend reach furthest in their middle, so the middles are asked as well as the corners.
        xs = np.array([box.x0, (box.x0 + box.x1) / 2, box.x1] * 3)
        ys = np.repeat(np.array([box.y0, (box.y0 + box.y1) / 2, box.y1]), 3)
        if self.turn == 90:
            xs, ys = ys, height - xs
        elif self.turn == 180:
            xs, ys = width - xs, height - ys
        elif self.turn == 270:
            xs, ys = width - ys, xs
        scale_x, scale_y = self._flattening.width / width, self._flattening.height / height
        xs, ys = self._flattening.back(xs * scale_x - 0.5, ys * scale_y - 0.5)
        xs, ys = np.clip((xs + 0.5) / scale_x, 0, width), np.clip((ys + 0.5) / scale_y, 0, height)
        return Box(float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))

    def half_turned(self) -> "Ruled":
        """The same page the other way up."""
        pixels = np.asarray(cv2.rotate(self.picture.pixels, cv2.ROTATE_180), dtype=np.uint8)
        width, height = self.picture.width / self.picture.points, self.picture.height / self.picture.points
        boxes = (Box(width - box.x1, height - box.y1, width - box.x0, height - box.y0) for box in reversed(self.boxes))
        opposite = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
        return replace(
            self,
            picture=Picture(pixels, self.picture.dpi),
            boxes=_in_order(boxes),
            turn=(self.turn + 180) % 360,
            cut_edges=frozenset(opposite[side] for side in self.cut_edges),
        )


def find_grid(picture: Picture, beside: InPlace | None = None) -> Ruled | None:
    """The page made flat with its cells; None where there is no grid: a blank page, a letter, a photo. `beside` does
    one half of what is done for rows and for columns alike."""
    beside = beside or InPlace()
    if not picture.pixels.size:
        return None
    grey = _small(picture)
    if min(grey.shape) < _LEAST_SIDE:
        return None
    paper = int(np.percentile(grey[::8, ::8], 75))
    flattening = _flattening(grey, paper, beside)
    if flattening is None:
        return None
    found = _lines(flattening.apply(grey, paper), paper, beside)
    if found is None:
        return None
    (across, down), raw, seen = found
    closed = [box for box in find_boxes(_segments(across), _segments(down)) if _is_on(box, grey)]
    boxes = completed(_without_frames(closed), seen[0].mask, seen[1].mask, _POINT)
    if len(boxes) < _LEAST_CELLS:
        return None
    return _turned(picture, boxes, _cut_edges(*raw, flattening), flattening, paper, beside)


_Both = tuple[list[Line], list[Line]]


def _lines(flat: Pixels, paper: int, beside: InPlace) -> tuple[_Both, _Both, list[Strokes]] | None:
    """The lines across and down that are sides of cells, before that all that were seen, and the strokes they are."""
    upright = beside.start(lambda: _strokes_and_lines(flat, across=False))
    both = [_strokes_and_lines(flat, across=True), upright()]
    seen, found = [each for each, _ in both], [each for _, each in both]
    across, down = connect((found[0], seen[0]), (found[1], seen[1]), _MM, paper)
    return ((across, down), (found[0], found[1]), seen) if across and down else None


def _strokes_and_lines(flat: Pixels, *, across: bool) -> tuple[Strokes, list[Line]]:
    seen = strokes(flat, _MM, across=across)
    return seen, lines_in(seen, _MM)


def _small(picture: Picture) -> Pixels:
    """Brightness at the working resolution: the brightest of the three colours, in which red seals and yellow fills
    are nearly as bright as paper."""
    scale = _DPI / picture.dpi
    width, height = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    small, times = picture.pixels, max(1, round(1 / scale))
    # Whole squares of pixels are averaged ten times as fast; what is left over at the edges is less than one of them.
    whole = picture.width // times, picture.height // times
    if times > 1 and min(whole) > 0 and abs(whole[0] - width) <= 1 and abs(whole[1] - height) <= 1:
        width, height = whole
        small = small[: height * times, : width * times]
    if (width, height) != (small.shape[1], small.shape[0]):
        small = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    red, green, blue = cv2.split(small)
    return np.asarray(cv2.max(cv2.max(red, green), blue), dtype=np.uint8)


def _flattening(grey: Pixels, paper: int, beside: InPlace) -> Flattening | None:
    height, width = grey.shape
    coarse = cv2.resize(grey, (max(1, width // _COARSE), max(1, height // _COARSE)), interpolation=cv2.INTER_AREA)
    hat = cv2.morphologyEx(coarse, cv2.MORPH_BLACKHAT, np.ones((5, 5), np.uint8))
    angle = find_skew(np.asarray(hat > max(24.0, 0.35 * float(np.percentile(hat, 99))), dtype=np.uint8))
    straight = rotate(grey, angle, paper)
    columns = beside.start(lambda: stretches(strokes(straight, _MM, across=False).mask, across=False))
    rows = stretches(strokes(straight, _MM, across=True).mask, across=True)
    return flatten(rows, columns(), (height, width), angle)


def _segments(lines: Iterable[Line]) -> list[Segment]:
    # The middle of a pixel is half a pixel from its edge, where points begin to count.
    return [Segment((line.at + line.bow / 3 + 0.5) / _POINT, line.start / _POINT, line.end / _POINT) for line in lines]


def _is_on(box: Box, flat: Pixels) -> bool:
    return box.x0 >= 0 and box.y0 >= 0 and box.x1 <= flat.shape[1] / _POINT and box.y1 <= flat.shape[0] / _POINT


def _without_frames(boxes: Sequence[Box]) -> list[Box]:
    """The boxes without those that stand free within a cell and have the size and shape of a square seal.

    Its frame closes a rectangle as lines do. A box for a mark is smaller, and cells beside one another are no squares
    that stand free.
    """
    least, most = (side / 25.4 * 72 for side in _FRAME)
    table = np.array(boxes).reshape(-1, 4)
    kept = []
    for box in boxes:
        width, height = box.x1 - box.x0, box.y1 - box.y0
        if (
            least <= min(width, height)
            and max(width, height) <= most
            and max(width, height) < _SQUARE * min(width, height)
        ):
            around = (table[:, :2] < (box.x0 - 1, box.y0 - 1)) & (table[:, 2:] > (box.x1 + 1, box.y1 + 1))
            if around.all(axis=1).any():
                continue
        kept.append(box)
    return kept


def _cut_edges(across: Sequence[Line], down: Sequence[Line], flattening: Flattening) -> frozenset[str]:
    """The sides of the page as it came over which lines run off."""
    edge = _EDGE * _MM
    least = 4 * edge
    counts = dict.fromkeys(("left", "top", "right", "bottom"), 0)
    for lines, row in ((across, True), (down, False)):
        long = np.array([line[:3] for line in lines if line.length >= least]).reshape(-1, 3)
        for side, ends in (("left" if row else "top", long[:, 1]), ("right" if row else "bottom", long[:, 2])):
            x, y = flattening.back(ends, long[:, 0]) if row else flattening.back(long[:, 0], ends)
            along, length = (x, flattening.width) if row else (y, flattening.height)
            counts[side] = int(np.sum(along <= edge if side in {"left", "top"} else along >= length - edge))
    return frozenset(side for side, count in counts.items() if count >= _CUT_LINES)


def _turned(
    picture: Picture,
    boxes: Sequence[Box],
    cut: frozenset[str],
    flattening: Flattening,
    paper: int,
    beside: InPlace,
) -> Ruled:
    """The flat page with its text running from left to right or upside down, but not from top to bottom.

    Cells of a form are wider than high, since a line of text goes into each.
    """
    width, height = picture.width / picture.points, picture.height / picture.points
    shapes = np.array([(box.x1 - box.x0) / (box.y1 - box.y0) for box in boxes])
    sideways = float(np.median(shapes)) < 1
    if sideways:
        boxes = [Box(height - box.y1, box.x0, height - box.y0, box.x1) for box in boxes]
        clockwise = {"left": "top", "top": "right", "right": "bottom", "bottom": "left"}
        cut = frozenset(clockwise[side] for side in cut)
    pixels = flattening.apply(picture.pixels, paper, quarter_turn=sideways, beside=beside)
    return Ruled(
        picture=Picture(pixels, picture.dpi),
        boxes=_in_order(boxes),
        turn=90 if sideways else 0,
        cut_edges=cut,
        _flattening=flattening,
        _page=(width, height),
    )


def _in_order(boxes: Iterable[Box]) -> tuple[Box, ...]:
    return tuple(sorted(boxes, key=lambda box: (round(box.y0), box.x0)))
