"""A page that was turned a little, pulled or bent on the glass → a map that makes its rows level and its columns plumb.

Pure geometry on the pixels of a small picture. First the skew of the page as a whole, by the angle at which its lines
pile up best; then a smooth field fitted to the slopes of all pieces of ruling lines at once, so that a piece of text
taken for a line has no say against fifty lines that agree.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from parsers.beside import InPlace
from parsers.picture import Pixels

Numbers = NDArray[np.float64]

# The skew that is searched for, in degrees. Feeders turn a page by up to three, hands on a glass by a few more.
_WIDEST, _STEP = 8.0, 0.5
# Lines are followed in stretches of this many pixels, long enough for a slope and short enough for a bend.
_STRETCH = 64
# A slope further than this from the middle of all is no line of the same grid.
_STRAY = 0.02
# A residual in the slope from which a stretch begins to lose its weight, about a pixel over half a stretch.
_DOUBTFUL = 0.002
_ROUNDS = 4
# The fitted field: how much each term is held back where the lines of a page say little about it.
_HELD_BACK = (0.0, 0.02, 0.02, 0.1, 0.1, 0.1)
# Fewer pixels of line than this in either direction make no grid.
_LEAST_LINE = 250
# The page is flattened in squares of this many pixels, each without a bend of its own: a page bends by less than a
# twentieth of a pixel within one, and this takes half the time of a map of every pixel (39 ms for 77 at 300 dpi).
_TILE = 128


class Stretch(NamedTuple):
    """Pieces of lines, one entry each: the middle, the slope against the direction they run in, and their length."""

    x: Numbers
    y: Numbers
    slope: Numbers
    length: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Flattening:
    """From places on the flat page to places on the page as it is; both in pixels of the small picture.

    `angle` is the skew in degrees; `rows` and `columns` are the terms by which rows climb and columns lean after that.
    """

    width: int
    height: int
    angle: float
    rows: Numbers
    columns: Numbers

    def back(self, x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        """Where these places of the flat page lie on the page as it is."""
        middle_x, middle_y = (self.width - 1) / 2, (self.height - 1) / 2
        u, v = (x - middle_x) / self.width, (y - middle_y) / self.width
        here_x, here_y = u, v
        # The field is told at the place on the bent page, so that place is found by repetition; it moves by less than
        # a hundredth of the page, which makes four rounds plenty.
        for _ in range(4):
            here_x, here_y = u - _field(self.columns, here_y, here_x), v - _field(self.rows, here_x, here_y)
        cos, sin = np.cos(np.radians(self.angle)), np.sin(np.radians(self.angle))
        return (
            (cos * here_x - sin * here_y) * self.width + middle_x,
            (sin * here_x + cos * here_y) * self.width + middle_y,
        )

    def apply(self, pixels: Pixels, paper: int, *, quarter_turn: bool = False, beside: InPlace | None = None) -> Pixels:
        """The flat picture, of the size of `pixels`, which may be larger than the small picture; with
        `quarter_turn` turned clockwise afterwards. `beside` does one half of it.

        What lies outside of the page becomes `paper`.
        """
        height, width = pixels.shape[:2]
        scale_x, scale_y = self.width / width, self.height / height
        across, down = (height, width) if quarter_turn else (width, height)
        columns, rows = (np.arange(0, side + _TILE, _TILE) for side in (across, down))
        x, y = np.meshgrid(columns, rows)
        if quarter_turn:
            x, y = y, height - 1 - x
        x, y = self.back((x + 0.5) * scale_x - 0.5, (y + 0.5) * scale_y - 0.5)
        tiles = _tiles(np.stack(((x + 0.5) / scale_x - 0.5, (y + 0.5) / scale_y - 0.5), axis=-1))
        flat = np.empty((down, across, *pixels.shape[2:]), np.uint8)

        def lay(some: range) -> None:
            for row in some:
                top = int(rows[row])
                for column, left in enumerate(columns[:-1].tolist()):
                    bottom, right = min(top + _TILE, down), min(left + _TILE, across)
                    flat[top:bottom, left:right] = cv2.warpAffine(
                        pixels,
                        tiles[row, column],
                        (right - left, bottom - top),
                        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                        borderMode=cv2.BORDER_CONSTANT,
                        borderValue=[paper] * 4,
                    )

        half = (len(rows) - 1) // 2
        lower = (beside or InPlace()).start(lambda: lay(range(half, len(rows) - 1)))
        lay(range(half))
        lower()
        return flat


def _tiles(net: Numbers) -> Numbers:
    """For each mesh of a net of places the matrix of the nearest map without a bend, rows × columns × 2 × 3."""
    upper, lower = net[:-1], net[1:]
    right = (upper[:, 1:] - upper[:, :-1] + lower[:, 1:] - lower[:, :-1]) / (2 * _TILE)
    down = (lower[:, :-1] - upper[:, :-1] + lower[:, 1:] - upper[:, 1:]) / (2 * _TILE)
    middle = (upper[:, :-1] + upper[:, 1:] + lower[:, :-1] + lower[:, 1:]) / 4
    return np.stack((right, down, middle - (right + down) * (_TILE / 2)), axis=-1)


def find_skew(dark: Pixels) -> float:
    """The angle in degrees, clockwise, by which the lines of a page are turned; `dark` is not zero where ink is.

    The right angle is the one at which ink falls on the fewest rows and columns, which a grid does in both directions.
    """
    y, x = np.nonzero(dark)
    if len(x) < 200:
        return 0.0
    height, width = dark.shape
    if len(x) > 20_000:
        keep = np.linspace(0, len(x) - 1, 20_000).astype(np.intp)
        x, y = x[keep], y[keep]
    reach = width + height

    def piled(angle: float) -> float:
        slope = np.tan(np.radians(angle))
        rows = np.bincount((y - slope * x + reach).astype(np.intp), minlength=2 * reach)
        columns = np.bincount((x + slope * y + reach).astype(np.intp), minlength=2 * reach)
        return float(np.dot(rows, rows) + np.dot(columns, columns))

    angles = np.arange(-_WIDEST, _WIDEST + _STEP / 2, _STEP)
    best = max(angles, key=piled)
    fine = np.arange(best - 0.3, best + 0.31, 0.1)
    return float(max(fine, key=piled))


def rotate(pixels: Pixels, angle: float, paper: int) -> Pixels:
    """The picture with a skew taken out, as `Flattening.apply` does it for the same angle and no bends."""
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    return np.asarray(
        cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_CONSTANT, borderValue=[paper] * 4),
        dtype=np.uint8,
    )


def stretches(lines: Pixels, *, across: bool) -> Stretch:
    """The pieces of the lines in a mask that holds hardly anything but lines from left to right. Lines down the page
    are handed over as a mask of the page on its side."""
    _, labels = cv2.connectedComponents(lines, connectivity=8)
    lit = np.flatnonzero(lines.view(np.bool_))
    if not len(lit):
        none = np.zeros(0)
        return Stretch(none, none, none, none)
    y, x = np.divmod(lit.astype(np.int32), np.int32(lines.shape[1]))
    groups = labels.ravel()[lit] * (lines.shape[1] // _STRETCH + 1) + x // _STRETCH
    # Numbers without a gap; to count them takes a tenth of the time of sorting them.
    there = np.bincount(groups) > 0
    member = (np.cumsum(there) - 1)[groups]
    count = np.bincount(member)
    mean_x, mean_y = (np.bincount(member, weights=values) / count for values in (x, y))
    off_x, off_y = x - mean_x[member], y - mean_y[member]
    spread = np.bincount(member, weights=off_x * off_x)
    slope = np.bincount(member, weights=off_x * off_y) / np.maximum(spread, 1e-9)
    rest = np.bincount(member, weights=np.abs(off_y - slope[member] * off_x)) / count
    length = np.sqrt(12 * spread / count)
    keep = (length >= _STRETCH / 4) & (rest < 2.0)
    place = (mean_x, mean_y) if across else (mean_y, mean_x)
    return Stretch(place[0][keep], place[1][keep], slope[keep], length[keep])


def flatten(rows: Stretch, columns: Stretch, shape: tuple[int, int], angle: float) -> Flattening | None:
    """The map that makes these pieces level and plumb; None where there are too few of them for a grid."""
    height, width = shape
    middle = (width - 1) / 2, (height - 1) / 2
    fields = []
    for pieces, across in ((rows, True), (columns, False)):
        u, v = (pieces.x - middle[0]) / width, (pieces.y - middle[1]) / width
        field = _fit(u if across else v, v if across else u, pieces.slope, pieces.length)
        if field is None:
            return None
        fields.append(field)
    return Flattening(width, height, angle, fields[0], fields[1])


def _fit(along: Numbers, beside: Numbers, slope: Numbers, length: Numbers) -> Numbers | None:
    """The field d that, added to places, levels each line: d_along + slope · (1 + d_beside) = 0 at each piece."""
    if not len(slope):
        return None
    order = np.argsort(slope)
    reach = np.cumsum(length[order])
    middle = slope[order][np.searchsorted(reach, reach[-1] / 2)]
    near = np.abs(slope - middle) < _STRAY
    along, beside, slope, length = along[near], beside[near], slope[near], length[near]
    if length.sum() < _LEAST_LINE:
        return None
    one, none = np.ones_like(along), np.zeros_like(along)
    d_along = np.stack((one, beside, 2 * along, 2 * along * beside, beside * beside, 3 * along * along), axis=1)
    d_beside = np.stack((none, along, none, along * along, 2 * along * beside, none), axis=1)
    terms = d_along + slope[:, None] * d_beside
    held = np.diag(_HELD_BACK) * np.sqrt(length.sum()) * 0.05
    field: Numbers = np.zeros(6)
    trust = np.ones_like(along)
    for _ in range(_ROUNDS):
        weight = np.sqrt(length * trust)
        left = np.vstack((terms * weight[:, None], held))
        right = np.concatenate((-slope * weight, np.zeros(6)))
        field = np.linalg.lstsq(left, right, rcond=None)[0]
        trust = 1 / np.maximum(1, np.abs(terms @ field + slope) / _DOUBTFUL)
    return field


def _field(terms: Numbers, along: Any, beside: Any) -> Numbers:  # noqa: ANN401 - numbers or arrays of them
    return np.asarray(
        terms[0] * along
        + terms[1] * along * beside
        + terms[2] * along**2
        + terms[3] * along**2 * beside
        + terms[4] * along * beside**2
        + terms[5] * along**3
    )
