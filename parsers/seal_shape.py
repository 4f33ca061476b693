"""Which connected ink has the shape of a seal: a round, oval or square frame of a seal's size with strokes inside.

The frame is what tells a seal from words, scribbles and filled areas, so it is measured: how much of the outline that
fits the ink best is really inked. Worn seals have gaps in it, which is why no outline has to be whole.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from parsers.reading import Box
from parsers.seal_ink import Mask

# Sizes in mm: seals are 9 to 24 (domain notes B.5), a blur adds and a worn edge takes away a little.
SMALLEST, LARGEST = 7.9, 29.0
# Two seals side by side are as long as this, and get looked at one by one.
_LONGEST = 62.0
# Ovals (小判形) are three quarters as wide as they are high.
_NARROWEST = 0.62


@dataclass(frozen=True, slots=True)
class Shape:
    """Connected ink: its place in pixels, its size in mm, how much of its frame is inked, how full it is inside.

    `round_frame` tells that an ellipse fits better than a rectangle; `bars` that two straight strokes divide it from
    side to side, as in a stamp with a date; `spread` is the share of the inside that has ink nearby; `part` that it was
    cut out of two marks that touch.
    """

    box: Box
    width: float
    height: float
    frame: float
    inner: float
    fill: float
    round_frame: bool = False
    bars: bool = False
    spread: float = 0.0
    part: bool = False

    @property
    def size(self) -> float:
        """The longer side in mm."""
        return max(self.width, self.height)

    @property
    def has_size(self) -> bool:
        """Whether a seal can be of this size and proportion."""
        low, high = sorted((self.width, self.height))
        return low >= SMALLEST * 0.85 and SMALLEST <= high <= LARGEST and low / high >= _NARROWEST


def find_shapes(mask: Mask, mm: float, gap: float) -> Iterator[Shape]:
    """Every piece of connected ink that could be a seal or a part of one; gaps of `gap` mm do not part it."""
    size = max(round(gap * mm) | 1, 3)
    # A border, so that closing does not stop short at the edge of the picture.
    padded = cv2.copyMakeBorder(mask, size, size, size, size, cv2.BORDER_CONSTANT, value=0)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)[size:-size, size:-size]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    for number in range(1, count):
        x, y, width, height, _ = (int(value) for value in stats[number])
        if max(width, height) < 3.0 * mm or max(width, height) > _LONGEST * mm:
            continue
        member = (labels[y : y + height, x : x + width] == number).astype(np.uint8)
        # Characters stand free within their frame: what lies inside of the piece belongs to it.
        outline, _ = cv2.findContours(member, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.fillConvexPoly(member, cv2.convexHull(np.concatenate(outline)), 1)
        ink = np.where((mask[y : y + height, x : x + width] > 0) & (member > 0), 255, 0).astype(np.uint8)
        yield from _measure_parts(ink, x, y, mm)


def _measure_parts(ink: Mask, x: int, y: int, mm: float) -> Iterator[Shape]:
    shape = _measure(ink, x, y, mm)
    if shape is None:
        return
    yield shape
    low, high = sorted((ink.shape[0] / mm, ink.shape[1] / mm))
    # Two marks that touch: cut where the least ink lies across the longer side.
    framed = shape.frame >= 0.8 and not shape.round_frame
    if not framed and 1.3 * low < high < 2.6 * low and low >= SMALLEST and high >= 17.0:
        for part, dx, dy in _halves(ink):
            found = _measure(part, x + dx, y + dy, mm)
            if found is not None:
                yield replace(found, part=True)


def _halves(ink: Mask) -> Iterator[tuple[Mask, int, int]]:
    across = ink.shape[1] >= ink.shape[0]
    profile = (ink > 0).sum(axis=0 if across else 1).astype(np.float32)
    length = profile.size
    profile = cv2.blur(profile.reshape(1, -1), (5, 1)).reshape(-1)
    first = round(length * 0.25)
    at = first + int(np.argmin(profile[first : round(length * 0.75)]))
    if across:
        yield ink[:, :at], 0, 0
        yield ink[:, at:], at, 0
    else:
        yield ink[:at], 0, 0
        yield ink[at:], 0, at


def _measure(ink: Mask, x: int, y: int, mm: float) -> Shape | None:
    points = cv2.findNonZero(ink)
    if points is None or len(points) < 12:
        return None
    left, top, width, height = cv2.boundingRect(points)
    hull = cv2.convexHull(points)
    box = Box(float(x + left), float(y + top), float(x + left + width), float(y + top + height))
    upright = ((left + (width - 1) / 2, top + (height - 1) / 2), (float(width), float(height)), 0.0)
    (cx, cy), (across, down), degrees = cv2.minAreaRect(hull)
    turned = ((float(cx), float(cy)), (float(across), float(down)), float(degrees))
    best = max(
        (
            (_coverage(ink, outline, mm, round_frame=round_frame), round_frame, outline)
            for outline in (upright, turned)
            for round_frame in (True, False)
        ),
        key=lambda found: found[0],
    )
    frame, round_frame, outline = best
    inner, spread = _inner(ink, outline, round_frame=round_frame)
    area = max(float(cv2.contourArea(hull)), 1.0)
    across, down = outline[1][0] / mm, outline[1][1] / mm
    bars = round_frame and _has_bars(ink[top : top + height, left : left + width], mm)
    return Shape(box, across, down, frame, inner, len(points) / area, round_frame, bars, spread)


Outline = tuple[tuple[float, float], tuple[float, float], float]


def _outline_points(outline: Outline, *, round_frame: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points along the outline, evenly spaced, and the direction inwards at each."""
    (cx, cy), (width, height), degrees = outline
    steps = 144
    if round_frame:
        angle = np.arange(steps) / steps * 2 * math.pi
        points = np.stack([np.cos(angle) * width / 2, np.sin(angle) * height / 2], axis=1)
        inwards = -np.stack([np.cos(angle), np.sin(angle)], axis=1)
    else:
        # The corners are left out: seals are cut round there, and worn.
        side = np.linspace(-0.44, 0.44, steps // 4)
        half = np.full_like(side, 0.5)
        points = np.concatenate(
            [np.stack(pair, axis=1) for pair in ((side, -half), (half, side), (side, half), (-half, side))]
        ) * (width, height)
        inwards = np.repeat(np.array([(0, 1), (-1, 0), (0, -1), (1, 0)], np.float64), steps // 4, axis=0)
    turn = math.radians(degrees)
    spin = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    return points @ spin + (cx, cy), inwards @ spin


def _coverage(ink: Mask, outline: Outline, mm: float, *, round_frame: bool) -> float:
    """The share of the outline that has ink within about a millimetre."""
    points, inwards = _outline_points(outline, round_frame=round_frame)
    depth = np.arange(0, max(round(np.clip(0.075 * min(outline[1]) / mm, 0.7, 1.3) * mm), 2) + 1)
    at = points[:, None, :] + inwards[:, None, :] * depth[None, :, None]
    columns = np.clip(np.rint(at[..., 0]).astype(int), 0, ink.shape[1] - 1)
    rows = np.clip(np.rint(at[..., 1]).astype(int), 0, ink.shape[0] - 1)
    return float((ink[rows, columns] > 0).any(axis=1).mean())


def _inner(ink: Mask, outline: Outline, *, round_frame: bool) -> tuple[float, float]:
    """How much of the inside is inked, and how many of its 16 fields hold ink (0 to 1)."""
    (cx, cy), (width, height), degrees = outline
    side = 32
    factor = 0.72 if round_frame else 0.8
    turn = math.radians(degrees)
    ahead = np.array([math.cos(turn), math.sin(turn)]) * width * factor / side
    down = np.array([-math.sin(turn), math.cos(turn)]) * height * factor / side
    origin = np.array([cx, cy]) - (ahead + down) * (side - 1) / 2
    move = np.array([[ahead[0], down[0], origin[0]], [ahead[1], down[1], origin[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = (cv2.warpAffine(ink, move, (side, side), flags=flags) > 100).astype(np.float32)
    if round_frame:
        y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
        within = (x * x + y * y <= 1).astype(np.float32)
    else:
        within = np.ones((side, side), np.float32)
    fields = (patch * within).reshape(4, side // 4, 4, side // 4).mean(axis=(1, 3))
    return float((patch * within).sum() / within.sum()), float((fields > 0.04).mean())


def _has_bars(ink: Mask, mm: float) -> bool:
    """Two strokes from side to side, in the upper and the lower half, as a stamp with a date has them."""
    rows, columns = ink.shape
    long = max(round(columns * 0.62), 3)
    thick = cv2.dilate(ink, np.ones((max(round(0.5 * mm), 1), 3), np.uint8))
    opened = np.asarray(cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((1, long), np.uint8)))
    lines = np.asarray(opened.max(axis=1) > 0)
    return bool(lines[round(rows * 0.2) : rows // 2].any() and lines[rows // 2 : round(rows * 0.8)].any())
