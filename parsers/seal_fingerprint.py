"""Telling whether two seal marks are one and the same picture: for the note that a seal image was pasted, not stamped.

Two kinds, told apart by their prefix. `image:` is the digest of what an image object of a digital PDF shows, drawn at
its own size whatever its place and size on the page: equal means the same image, pixel for pixel. `ink:` is a
perceptual hash of a scanned mark: near means the same design, which an honest seal on two forms has too. Neither says
whose seal it is. Weak: a pasted seal that was printed and scanned looks like a stamped one.
"""

import hashlib
import math

import cv2
import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from parsers.picture import Picture
from parsers.reading import Box
from parsers.seal_ink import cut_out, map_colours, map_strokes, noise_of, smoothed

# Larger images are scans or photographs of the page, and drawing them costs memory.
_LARGEST_IMAGE = 4_000_000
_SIDE = 16
# Bits of 256 in which two scans of one mark may differ: measured 26 at most, 16 for nine of ten pairs. Different small
# seals come as near as 13, so a match is a hint for staff and no more.
NEAR = 26


def fingerprint(picture: Picture, box: Box) -> str:
    """`ink:` and 64 hexadecimal digits for the mark in `box` (points); empty where there is no mark to see."""
    region = cut_out(picture, box)
    if region is None or min(region.shape) < _SIDE:
        return ""
    red, blue = map_colours(region)
    strokes = map_strokes(region)
    # Coloured ink alone where there is any: print under the seal is not part of it.
    values = max((red, blue), key=lambda found: float(np.percentile(found, 95)))
    if float(np.percentile(values, 95)) < 0.05:
        values = strokes
    middle, spread = noise_of(values)
    if float(np.percentile(values, 97)) - middle < max(0.03, 2 * spread) and float(values.max()) < 0.05:
        return ""
    small = cv2.resize(
        np.clip(smoothed(values, 0.25 * region.mm), 0, None), (_SIDE * 4, _SIDE * 4), interpolation=cv2.INTER_AREA
    )
    fields = cv2.resize(cv2.GaussianBlur(small, (0, 0), 1.5), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    # Compared with its surroundings, so that an unevenly pressed half does not turn all its bits.
    bits = fields > cv2.GaussianBlur(fields, (0, 0), 2.5)
    return "ink:" + np.packbits(bits.reshape(-1)).tobytes().hex()


def fingerprint_embedded(page: pypdfium2.PdfPage, box: Box) -> str:
    """`image:` and a SHA-256 digest where one image object of the page is the mark in `box`; empty otherwise."""
    height = page.get_size()[1]
    best, nearest = None, 0.5
    for thing in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=3):
        left, bottom, right, top = thing.get_bounds()
        shared = _overlap(Box(left, height - top, right, height - bottom), box)
        if shared > nearest:
            best, nearest = thing, shared
    return _digest(best) if best is not None else ""


def same_mark(first: str, second: str) -> bool:
    """Whether two fingerprints are of one image (`image:`) or of marks that look the same (`ink:`)."""
    if not first or not second or first[:4] != second[:4]:
        return False
    if first.startswith("image:"):
        return first == second
    try:
        difference = int(first[4:], 16) ^ int(second[4:], 16)
    except ValueError:
        return False
    return difference.bit_count() <= NEAR


def _overlap(first: Box, second: Box) -> float:
    """Shared area over joint area."""
    width = min(first.x1, second.x1) - max(first.x0, second.x0)
    height = min(first.y1, second.y1) - max(first.y0, second.y0)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = sum((box.x1 - box.x0) * (box.y1 - box.y0) for box in (first, second))
    return shared / (areas - shared)


def _digest(image: pypdfium2.PdfImage) -> str:
    width, height = image.get_px_size()
    if width * height > _LARGEST_IMAGE or not math.isfinite(width * height) or min(width, height) < 8:
        return ""
    # The page is closed after this, so that nobody sees the image where it is put here.
    # Drawn upright at its own size, its transparency mask included: in many a pasted seal the mask alone is the seal.
    image.set_matrix(pypdfium2.PdfMatrix(width, 0, 0, height, 0, 0))
    bitmap = image.get_bitmap(render=True)
    pixels = np.ascontiguousarray(bitmap.to_numpy())
    return "image:" + hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest()
