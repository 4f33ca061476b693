"""The flat small picture → the straight thin strokes on it that may be ruling lines, and what each looks like.

Pure. Strokes are found generously; how straight, thin and dark each one is, is measured, for `parsers.line_net` to
judge. Weak: a line thicker than a millimetre and a half is a filled area to this, and no line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from parsers.picture import Pixels

Numbers = NDArray[np.float64]

# Measures of the flat small picture, in millimetres.
_LEAST_LINE = 3.9  # the strokes of letters are shorter, and in a row of letters blanks stand between them
_THICKEST = 1.5  # a stroke thicker than this is a filled area
_PALE_LINE = 14.0  # a line as long as this may be paler
_GAP = 0.5  # gaps within a line that noise and JPEG make
_SOFT = 0.85  # brightness is averaged over this much of a line, which takes the noise out and no line
_WANDER = 1.2  # a line that bends leaves its mean place by this much at the most
_SHADOW = 10.0  # the edge of the glass is no further in than this
_BESIDE = 0.7  # beside a thin line, this far from its middle, is paper

# Ink is darker than the paper around it by this much at the least, and by this share of what the darkest ink is.
_LEAST_CONTRAST, _CONTRAST_SHARE = 14.0, 0.16
# The same for long lines: a hair line that falls between two rows of a scanner's sensor has half the contrast.
_PALE_CONTRAST, _PALE_SHARE = 7.0, 0.06
# Strokes that hang together over more than this, in millimetres, are taken apart, and no more than so many of them.
_TANGLED, _MOST_TANGLES = 2.5, 60
# So many places of each line are looked at.
_SAMPLES = 15


class Line(NamedTuple):
    """A nearly straight line: its mean place across its direction and its ends along it, in pixels.

    `lean` and `bow` tell its place at u from -1 (its start) to 1 (its end): at + lean·u + bow·u². `straight` and `thin`
    are the shares of it that lie on that curve and have paper on both sides; `dark` is its contrast.
    """

    at: float
    start: float
    end: float
    lean: float = 0.0
    bow: float = 0.0
    straight: float = 1.0
    thin: float = 1.0
    dark: float = 255.0
    body: float = 1.0

    @property
    def length(self) -> float:
        """Pixels from end to end."""
        return self.end - self.start

    def place(self, along: float) -> float:
        """Where the line lies at a place along it; beyond its ends, as at its end."""
        u = min(max(2 * (along - self.start) / max(self.length, 1e-9) - 1, -1.0), 1.0)
        return self.at + self.lean * u + self.bow * u * u


@dataclass(frozen=True, slots=True, eq=False)
class Strokes:
    """What `strokes` finds for one direction, laid so that its lines run from left to right.

    `mask` holds the strokes, `hat` how dark each pixel is against its sides, `ground` the brightness without thin ink.
    """

    mask: Pixels
    hat: Pixels
    ground: Pixels


def strokes(grey: Pixels, mm: float, *, across: bool) -> Strokes:
    """The thin dark strokes that run for a while in one direction. `mm` is pixels per millimetre.

    Fills vanish, since only what is darker than both its sides counts: the edge of a grey cell is no line.
    """
    if not across:
        grey = np.asarray(cv2.transpose(grey), np.uint8)
    thick, smooth = max(3, round(_THICKEST * mm)) | 1, max(3, round(_SOFT * mm)) | 1
    soft = cv2.blur(grey, (smooth, 1))
    ground = cv2.morphologyEx(soft, cv2.MORPH_CLOSE, np.ones((thick, 1), np.uint8))
    hat = np.asarray(cv2.subtract(ground, soft), np.uint8)
    # The 99th percentile of the strokes is ruling lines and letters even on a page with little of them.
    counts = np.cumsum(np.bincount(hat.ravel()[::7], minlength=256))
    darkest = float(np.searchsorted(counts, 0.99 * counts[-1]))
    mask = _runs(hat, max(_LEAST_CONTRAST, _CONTRAST_SHARE * darkest), _GAP * mm, _LEAST_LINE * mm)
    mask |= _runs(hat, max(_PALE_CONTRAST, _PALE_SHARE * darkest), 0.0, _PALE_LINE * mm)
    return Strokes(mask, hat, np.asarray(ground, np.uint8))


def _runs(hat: Pixels, least: float, gap: float, length: float) -> Pixels:
    """Where the picture is at least so high for a while, small gaps closed."""
    _, mask = cv2.threshold(hat, least, 1, cv2.THRESH_BINARY)
    if gap:
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((1, max(3, round(gap))), np.uint8))
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, max(3, round(length))), np.uint8)), np.uint8)


def lines_in(found: Strokes, mm: float) -> list[Line]:
    """Each stroke as a line, with its looks."""
    labels, stats, middles = _pieces(found.mask)
    flat_enough = stats[:, cv2.CC_STAT_HEIGHT] <= _TANGLED * mm
    strokes_seen = [_described(stats[flat_enough], middles[flat_enough])]
    tangles = np.flatnonzero(~flat_enough)
    # The longest, since a ruling line is long; a page that is one tangle of strokes must not take seconds.
    tangles = tangles[np.argsort(-stats[tangles, cv2.CC_STAT_WIDTH])][:_MOST_TANGLES]
    strokes_seen += [_disentangled(labels, piece + 1, stats[piece], mm) for piece in tangles.tolist()]
    at, start, length, thick, body = np.concatenate(strokes_seen).T
    height, width = found.hat.shape
    # The shadow at the edge of the glass runs along the edge of the picture; no ruling line stands there. A fold runs
    # from edge to edge, too, but lines may lie on it.
    from_edge = np.minimum(at, height - at)
    good = (from_edge > 2 * mm) & ((from_edge > _SHADOW * mm) | (length < width))
    if not good.any():
        return []
    return _measured(found.hat, at[good], start[good], length[good], body[good], thick[good], mm)


def _pieces(mask: Pixels) -> tuple[NDArray[np.int32], NDArray[np.int32], Numbers]:
    """What hangs together in a mask: its labels from 1; of each piece the five numbers that opencv tells, and its
    middle row. A mask of strokes is nearly empty, so this takes half of the time of opencv's own statistics."""
    _, labels = cv2.connectedComponents(mask, connectivity=8)
    lit = np.flatnonzero(mask != 0)
    label = labels.ravel()[lit]
    if not len(lit):
        return np.asarray(labels, np.int32), np.zeros((0, 5), np.int32), np.zeros(0)
    y, x = np.divmod(lit.astype(np.int32), np.int32(mask.shape[1]))
    # Sixteen bits are sorted by counting; there are never as many pieces of this length as that.
    order = np.argsort(label.astype(np.uint16) if int(label.max()) < 2**16 else label, kind="stable")
    first = np.flatnonzero(np.diff(label[order], prepend=0))
    left, top = np.minimum.reduceat(x[order], first), np.minimum.reduceat(y[order], first)
    right, bottom = np.maximum.reduceat(x[order], first), np.maximum.reduceat(y[order], first)
    area = np.bincount(label)[1:]
    stats = np.stack((left, top, right - left + 1, bottom - top + 1, area), axis=1).astype(np.int32)
    return np.asarray(labels, np.int32), stats, np.bincount(label, weights=y)[1:] / area


def _described(stats: NDArray[np.int32], at: Numbers) -> Numbers:
    """One row each: the place, the start, the length, the height and the thickness of a stroke."""
    start, _, length, height, area = stats.T.astype(np.float64)
    return np.stack((at, start, length, height, area / np.maximum(length, 1)), axis=1)


def _disentangled(labels: NDArray[np.int32], label: int, stats: NDArray[np.int32], mm: float) -> Numbers:
    """The strokes of a tangle, where a slanted stroke of a seal or a letter hangs together with a ruling line: the
    places where it is no higher than a line."""
    left, top, width, height, _ = (int(each) for each in stats)
    part = (labels[top : top + height, left : left + width] == label).astype(np.uint8)
    rows = np.arange(height)[:, None]
    highest = np.where(part > 0, rows, height).min(axis=0)
    lowest = np.where(part > 0, rows, -1).max(axis=0)
    part[:, lowest - highest + 1 > _THICKEST * mm] = 0
    part = np.asarray(cv2.morphologyEx(part, cv2.MORPH_OPEN, np.ones((1, round(_LEAST_LINE * mm)), np.uint8)), np.uint8)
    _, inner, middles = _pieces(part)
    found = _described(inner, middles + top)
    found[:, 1] += left
    return found


def _measured(
    hat: Pixels, at: Numbers, start: Numbers, length: Numbers, body: Numbers, thick: Numbers, mm: float
) -> list[Line]:
    """Lines with their bends and looks, all measured at once at places along each."""
    u = np.linspace(-0.94, 0.94, _SAMPLES)
    along = np.clip(start[:, None] + length[:, None] * (u + 1) / 2, 0, hat.shape[1] - 1).astype(np.intp)
    wander = round(_WANDER * mm)
    offsets = np.arange(-wander, wander + 1)
    rows = np.clip(np.rint(at)[:, None] + offsets, 0, hat.shape[0] - 1).astype(np.intp)
    seen = hat[rows[:, None, :], along[:, :, None]].astype(np.float32)
    # The darkest place near the middle, no further off than the stroke is high: beside it may stand another line.
    seen[np.broadcast_to((np.abs(offsets) > thick[:, None] / 2 + 0.5)[:, None, :], seen.shape)] = -1
    best = np.argmax(seen - np.abs(offsets) * 0.5, axis=2)
    peak = np.take_along_axis(seen, best[:, :, None], axis=2)[:, :, 0]
    off = offsets[best].astype(np.float64)
    terms = np.stack((np.ones_like(u), u, u * u), axis=1)
    # A short line has no bow to speak of, and what seems to be one is a letter.
    held = np.zeros((len(at), 3, 3))
    held[:, 1, 1] = np.where(length < 10 * mm, 2.0, 0.2)
    held[:, 2, 2] = np.where(length < 30 * mm, 30.0, 0.5)
    weight = np.maximum(peak, 1.0) / np.maximum(peak.max(axis=1, keepdims=True), 1.0)
    for _ in range(3):
        normal = np.einsum("ns,si,sj->nij", weight, terms, terms) + held + 1e-6 * np.eye(3)
        curve = np.linalg.solve(normal, np.einsum("ns,si,ns->ni", weight, terms, off)[:, :, None])[:, :, 0]
        rest = np.abs(off - curve @ terms.T)
        weight = peak / np.maximum(peak.max(axis=1, keepdims=True), 1.0) / np.maximum(1.0, rest) ** 2
    straight = (rest <= 1.3).mean(axis=1)
    centre = np.rint(at[:, None] + curve @ terms.T)
    side = max(2, round(_BESIDE * mm))
    lit = [
        hat[np.clip(centre + by, 0, hat.shape[0] - 1).astype(np.intp), along].astype(np.float32)
        for by in (-side, -1, 0, 1, side)
    ]
    core = np.maximum(np.maximum(lit[1], lit[2]), lit[3])
    thin = (np.maximum(lit[0], lit[4]) < 0.5 * core).mean(axis=1)
    dark = np.median(core, axis=1)
    table = np.stack(
        (at + curve[:, 0], start, start + length, curve[:, 1], curve[:, 2], straight, thin, dark, body), axis=1
    )
    return [Line(*row) for row in table.tolist()]


def usual(lines: Sequence[Line]) -> tuple[float, float]:
    """How dark and how thick the lines are, counted by length."""
    weights = np.array([line.length * line.straight * line.thin for line in lines]) + 1e-9
    return (
        _middle(np.array([line.dark for line in lines]), weights),
        _middle(np.array([line.body for line in lines]), weights),
    )


def _middle(values: Numbers, weights: Numbers) -> float:
    """The median, each value counted by its weight."""
    order = np.argsort(values)
    reach = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reach, reach[-1] / 2)])


def both(first: Line, second: Line) -> Line:
    """Two lines as one, its place and looks their means by length."""
    if second.start < first.start:
        first, second = second, first
    ours, theirs = first.length, max(second.length, 1e-9)
    share = ours / (ours + theirs)
    mean = [share * a + (1 - share) * b for a, b in zip(first[5:], second[5:], strict=True)]
    start, end = first.start, max(first.end, second.end)
    begun, ended = first.place(start), (second if second.end >= first.end else first).place(end)
    at = share * first.at + (1 - share) * second.at
    # The curve goes through the ends of both, and through their mean in its middle.
    lean, bow = (ended - begun) / 2, (ended + begun) / 2 - at
    return Line(at, start, end, lean, bow, *mean)
