"""A part of a page → where red, blue and any ink lies on it, as maps of one resolution whatever the scan's.

Ink is what is darker than its ground, and grounds differ: yellow, white and grey cells, paper that is not white, light
that falls off to one side. So every map is relative to the ground nearby, and every threshold to the noise of the map.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from parsers.picture import Picture
from parsers.reading import Box

# Seals have strokes of a third of a millimetre; more pixels than this show no more of them and cost time.
PER_MM = 6.0
MM = 72 / 25.4  # points
# Ruling lines are longer than any seal is wide (24 mm, domain notes B.5; 28 with a generous frame).
_LINE = 29.0
_HALF_A_LINE = 0.5

Map = NDArray[np.float32]
Mask = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A part of a page: `pixels` from 0 to 1, `mm` pixels per millimetre, and where it begins, in points."""

    pixels: Map
    mm: float
    left: float
    top: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def inside(self, box: Box) -> tuple[int, int, int, int]:
        """A box in points as columns and rows of this region, cut at its edges: x0, y0, x1, y1."""
        rows, columns = self.shape
        x0, y0, x1, y1 = self.scaled(box)
        return (
            int(np.clip(round(x0), 0, columns)),
            int(np.clip(round(y0), 0, rows)),
            int(np.clip(round(x1), 0, columns)),
            int(np.clip(round(y1), 0, rows)),
        )

    def scaled(self, box: Box) -> Box:
        """A box in points as pixels of this region."""
        factor = self.mm / MM
        return Box(
            (box.x0 - self.left) * factor,
            (box.y0 - self.top) * factor,
            (box.x1 - self.left) * factor,
            (box.y1 - self.top) * factor,
        )

    def unscaled(self, box: Box) -> Box:
        """The inverse of `scaled`, rounded to what a staff letter shows."""
        factor = MM / self.mm
        return Box(
            round(box.x0 * factor + self.left, 2),
            round(box.y0 * factor + self.top, 2),
            round(box.x1 * factor + self.left, 2),
            round(box.y1 * factor + self.top, 2),
        )


def cut_out(picture: Picture, box: Box, per_mm: float = PER_MM) -> Region | None:
    """The part of a picture inside a box in points, reduced to `per_mm` pixels; None where nothing of it is there."""
    scale = picture.points
    x0, y0 = max(int(box.x0 * scale), 0), max(int(box.y0 * scale), 0)
    x1, y1 = min(round(box.x1 * scale), picture.width), min(round(box.y1 * scale), picture.height)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    part = picture.pixels[y0:y1, x0:x1]
    here = picture.dpi / 25.4
    if here > per_mm:
        size = (max(round((x1 - x0) * per_mm / here), 1), max(round((y1 - y0) * per_mm / here), 1))
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        here = here * size[0] / (x1 - x0)
    pixels = np.ascontiguousarray(part, np.float32) / np.float32(255)
    return Region(pixels, here, x0 / scale, y0 / scale)


def smoothed(values: Map, sigma: float) -> Map:
    """The map without the noise of single pixels."""
    return np.asarray(cv2.GaussianBlur(values, (0, 0), max(sigma, 0.3)), np.float32)


def noise_of(values: Map) -> tuple[float, float]:
    """Median and spread of a map that is mostly ground."""
    middle = float(np.median(values))
    return middle, 1.4826 * float(np.median(np.abs(values - middle)))


def map_colours(region: Region) -> tuple[Map, Map]:
    """How red and how blue each pixel is, 0 to 1: 0 for white, grey, black, yellow, orange fills and green.

    Black print does not count however strong it is, so that a seal over the company name keeps only its own ink.
    """
    ground = _ground(region)
    red, green, blue = cv2.split(smoothed(region.pixels, 0.12 * region.mm) / ground)
    redness = np.clip(red, 0, 1) - np.maximum(green, blue)
    # A grey that covers the yellow of a cell is bluer than the yellow; blue ink is bluer than white paper, too.
    absolute = region.pixels[..., 2] - np.maximum(region.pixels[..., 0], region.pixels[..., 1])
    blueness = np.minimum(np.clip(blue, 0, 1) - np.maximum(red, green), 2 * smoothed(absolute, 0.12 * region.mm))
    return np.asarray(redness, np.float32), np.asarray(blueness, np.float32)


def map_faint_red(region: Region) -> Map:
    """Thin red strokes, however pale: red against green alone, since blue is noisy and yellow fills move it.

    Only what is redder than its surroundings within three mm counts, so that fills and tinted paper vanish.
    """
    pixels = smoothed(region.pixels, 0.2 * region.mm) / _ground(region)
    redness = np.ascontiguousarray(np.minimum(pixels[..., 0], 1.1) - pixels[..., 1], np.float32)
    size = max(round(3.0 * region.mm) | 1, 3)
    return np.asarray(cv2.morphologyEx(redness, cv2.MORPH_TOPHAT, np.ones((size, size), np.uint8)), np.float32)


def _ground(region: Region) -> Map:
    """The colour of the paper or cell around each pixel: the brightest nearby, ink being thinner than five mm."""
    rows, columns = region.shape
    small = (max(round(columns / region.mm), 1), max(round(rows / region.mm), 1))
    coarse = cv2.resize(region.pixels, small, interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(cv2.dilate(coarse, np.ones((7, 7), np.uint8)), (0, 0), 2)
    ground = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.maximum(ground, 0.15), np.float32)


def map_strokes(region: Region) -> Map:
    """How much darker each pixel is than what surrounds it within three mm, 0 to 1, whatever fills the cell."""
    grey = cv2.cvtColor(smoothed(region.pixels, 0.2 * region.mm), cv2.COLOR_RGB2GRAY)
    size = max(round(3.0 * region.mm) | 1, 3)
    closed = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    return np.asarray((closed - grey) / np.maximum(closed, 0.15), np.float32)


def map_residue(pixels: Map, mm: float) -> Map:
    """How far each pixel of one cell is from the cell's ground, 0 to 1; it may be of any colour and fade evenly.

    The ground is a curved surface of second order, fitted to square millimetres and, step by step, to those of them
    alone that lie near it: so neither a seal nor a shadow over a third of the cell bends it.
    """
    rows, columns = pixels.shape[:2]
    small = (max(round(columns / mm), 2), max(round(rows / mm), 2))
    coarse = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
    fine, grid = _terms(rows, columns), _terms(small[1], small[0])
    worst = np.zeros((rows, columns), np.float32)
    # Red ink shows in green, blue ink in red; blue itself is noisy on the yellow of the form.
    for channel in (0, 1):
        values = coarse[..., channel].reshape(-1)
        # The ground is the commonest level: the middle of the fullest of 24 bins.
        counts, edges = np.histogram(values, bins=24, range=(0.0, 1.0))
        peak = int(np.argmax(np.convolve(counts, (1, 1, 1), "same")))
        kept = np.abs(values - (edges[peak] + edges[peak + 1]) / 2) < 0.12
        fitted = np.zeros(grid.shape[1])
        for reach in (0.08, 0.05, 0.03):
            terms = 1 if int(kept.sum()) < 24 else grid.shape[1]
            fitted = np.zeros(grid.shape[1])
            fitted[:terms] = np.linalg.lstsq(grid[kept, :terms], values[kept], rcond=None)[0] if kept.any() else 0.0
            kept = np.abs(values - grid @ fitted) < reach
        ground = np.maximum((fine @ fitted).reshape(rows, columns), 0.1)
        far = smoothed(pixels[..., channel], 0.2 * mm) / ground - 1
        np.maximum(worst, np.abs(far, dtype=np.float32), out=worst)
    return worst


def _terms(rows: int, columns: int) -> NDArray[np.float64]:
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    return np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1).reshape(-1, 6)


def remove_lines(mask: Mask, mm: float) -> Mask:
    """The mask without ruling lines, which are straight and longer than a seal; crossing strokes keep their ends."""
    long, wide = max(round(_LINE * mm), 3), max(round(_HALF_A_LINE * mm), 1)
    kept = mask.copy()
    for size, spread in (((1, long), (2 * wide + 1, 1)), ((long, 1), (1, 2 * wide + 1))):
        # A line that a scan bends by a pixel is still one line.
        thick = cv2.dilate(mask, np.ones((3, 1) if size[0] == 1 else (1, 3), np.uint8))
        lines = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones(size, np.uint8))
        kept[cv2.dilate(lines, np.ones(spread, np.uint8)) > 0] = 0
    return kept
