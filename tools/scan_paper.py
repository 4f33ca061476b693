"""A drawn page → the picture a scanner makes of its print: stamped, folded, punched, crooked, noisy, packed as
JPEG.

Four profiles in equal shares, with the severities of the field notes (pdf.md 1): `clean`, `worn`, `bad`, `turned`.
Worn and bad pages also bear the marks of paper. Everything follows from the generator that is passed in.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.scan_seals import Stamp, scrawl

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]
Corners = list[tuple[float, float]]

PROFILES = ("clean", "worn", "bad", "turned")
DRAWN_DPI = 400
A4, LETTER = (595.28, 841.89), (612.0, 792.0)


@dataclass(frozen=True, slots=True)
class Wear:
    """The most a profile does to a page; blur in pixels of the scan, perspective and light as shares."""

    turn: float
    blur: float
    noise: float
    quality: int
    perspective: float
    light: float
    marks: float


_WEAR = {
    "clean": Wear(0.7, 0.45, 3, 85, 0.001, 0.0, 0.0),
    "worn": Wear(2.0, 0.60, 6, 70, 0.003, 0.06, 0.8),
    "bad": Wear(2.5, 0.90, 10, 50, 0.006, 0.15, 1.0),
    "turned": Wear(1.5, 0.60, 5, 75, 0.002, 0.04, 0.0),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of one scan: profile, resolution, `colour`, `grey` or `bitonal`."""

    profile: str
    dpi: int
    colour: str


@dataclass(slots=True)
class Scanned:
    """A scan: pixels as they are stored, page size in points as stored, /Rotate, and what was done (`facts`).

    `place` gives the corners of a box of the drawn page (points) on the page as displayed, those of its top left first.
    """

    pixels: Pixels
    size: tuple[float, float]
    rotate: int
    quality: int
    place: Callable[[Box], Corners]
    facts: dict[str, object] = field(default_factory=dict)


def hull(corners: Corners) -> Box:
    """The upright box around a crooked one."""
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def stamp_page(page: Pixels, stamps: tuple[Stamp, ...], seal_box: Box | None) -> None:
    """Multiply the stamps onto the drawn page, in place; `seal_box` in points."""
    if seal_box is None:
        return
    dots = DRAWN_DPI / 25.4
    middle = [(seal_box[i] + seal_box[i + 2]) / 2 * DRAWN_DPI / 72 for i in (0, 1)]
    for stamp in stamps:
        x = round(middle[0] + stamp.shift[0] * dots - stamp.ink.shape[1] / 2)
        y = round(middle[1] + stamp.shift[1] * dots - stamp.ink.shape[0] / 2)
        _multiply(page, stamp.ink, stamp.colour, x, y)


def _multiply(page: Pixels, ink: Floats, colour: tuple[int, int, int], x: int, y: int) -> None:
    x, y = max(0, min(x, page.shape[1] - 2)), max(0, min(y, page.shape[0] - 2))
    part = page[y : y + ink.shape[0], x : x + ink.shape[1]]
    ink = ink[: part.shape[0], : part.shape[1], None]
    through = 1 - ink * (1 - np.array(colour, dtype=np.float32) / 255)
    part[:] = (part * through).astype(np.uint8)


def scan_page(page: Pixels, wish: Wish, rng: Random) -> Scanned:
    """Print and scan one drawn page (RGB at DRAWN_DPI, A4 upright), which is not changed."""
    wear, noise = _WEAR[wish.profile], np.random.default_rng(rng.getrandbits(48))
    page = page.copy() if wish.colour == "colour" else cv2.cvtColor(page, cv2.COLOR_RGB2GRAY)[:, :, None].copy()
    facts: dict[str, object] = {"marks": []}
    _toner(page, wish.profile, rng, facts)
    _marks(page, wear, rng, noise, facts)
    paper = LETTER if rng.random() < 0.05 else A4
    size = tuple(round(side / 72 * wish.dpi) for side in paper)
    matrix = _path(page, (size[0], size[1]), wish, wear, rng, facts, paper)
    bend = _bend(rng, wish, facts)
    scanned = _warp(page, matrix, bend, (size[0], size[1]), wear.blur * rng.uniform(0.6, 1), wish.dpi)
    scanned = _sensor(scanned, wear, wish, rng, noise)
    return _finish(scanned, matrix, bend, wish, wear, rng, facts, paper)


# --- what the printer and the paper do


def _toner(page: Pixels, profile: str, rng: Random, facts: dict[str, object]) -> None:
    """Toner that spreads, or that is nearly used up."""
    if profile == "clean":
        return
    chance = rng.random()
    if chance < 0.25:
        page[:] = cv2.erode(page, np.ones((2, 2), dtype=np.uint8)).reshape(page.shape)
        facts["toner"] = "spread"
    elif chance < 0.45:
        # The letters grow lighter; at 45 % of its black a letter is still read by everybody.
        strength = rng.uniform(0.45, 0.8)
        page[:] = cv2.LUT(page, (255 - (255 - np.arange(256)) * strength).astype(np.uint8)).reshape(page.shape)
        facts["toner"] = f"faint {strength:.2f}"


def _marks(page: Pixels, wear: Wear, rng: Random, noise: np.random.Generator, facts: dict[str, object]) -> None:
    """Folds, holes, staples, dirt, bleed-through, scribbles, a dark edge: each on some of the worn and bad pages."""
    made = []
    for name, share, draw in (
        ("fold", 0.45, _fold),
        ("holes", 0.35, _holes),
        ("staple", 0.25, _staple),
        ("dirt", 0.5, _dirt),
        ("bleed", 0.2, _bleed),
        ("scribble", 0.1, _scribble),
        ("edge", 0.3, _edge),
    ):
        if rng.random() < share * wear.marks:
            draw(page, rng, noise)
            made.append(name)
    facts["marks"] = made


def _mm(length: float) -> int:
    return round(length / 25.4 * DRAWN_DPI)


def _darken(page: Pixels, where: tuple[slice, slice], shade: Floats) -> None:
    part = page[where]
    part[:] = (part * shade[:, :, None]).astype(np.uint8)


def _fold(page: Pixels, rng: Random, noise: np.random.Generator) -> None:
    """Folded for an envelope: a grey band across with a thin, broken line in it, where toner has come off."""
    for share in rng.choice(((0.5,), (1 / 3, 2 / 3))):
        half = _mm(1.6)
        middle = round(page.shape[0] * share) + rng.randint(-_mm(4), _mm(4))
        band = 1 - 0.10 * np.exp(-(np.linspace(-2, 2, 2 * half, dtype=np.float32) ** 2))
        _darken(page, (slice(middle - half, middle + half), slice(None)), np.repeat(band[:, None], page.shape[1], 1))
        broken = noise.random(page.shape[1], dtype=np.float32) < 0.35
        line = page[middle : middle + 2, :, :]
        line[:, broken] = np.maximum(line[:, broken], 200)


def _holes(page: Pixels, rng: Random, _: np.random.Generator) -> None:
    """Two punched holes 80 mm apart in the left margin, grey or black as the scanner's lid is."""
    shade = rng.choice((40, 90, 235))
    for offset in (-40, 40):
        centre = (_mm(rng.uniform(8, 11)), page.shape[0] // 2 + _mm(offset))
        cv2.circle(page, centre, _mm(2.9), (shade,) * page.shape[2], -1, cv2.LINE_AA)


def _staple(page: Pixels, rng: Random, _: np.random.Generator) -> None:
    x, y = _mm(rng.uniform(6, 14)), _mm(rng.uniform(6, 12))
    end = (x + _mm(8), y + _mm(rng.uniform(-5, 5)))
    cv2.line(page, (x, y), end, (70,) * page.shape[2], _mm(0.7), cv2.LINE_AA)
    cv2.line(
        page, (x + 4, y + _mm(0.6)), (end[0] + 4, end[1] + _mm(0.6)), (190,) * page.shape[2], _mm(0.4), cv2.LINE_AA
    )


def _dirt(page: Pixels, rng: Random, _: np.random.Generator) -> None:
    for _number in range(rng.randint(15, 90)):
        centre = (rng.randrange(page.shape[1]), rng.randrange(page.shape[0]))
        shade = rng.randint(60, 200)
        cv2.circle(page, centre, rng.randint(1, 5), (shade,) * page.shape[2], -1, cv2.LINE_AA)
    if rng.random() < 0.4:
        # A streak of the drum, all the way down.
        x = rng.randrange(page.shape[1])
        page[:, x : x + 3] = np.minimum(page[:, x : x + 3], rng.randint(150, 215))


def _bleed(page: Pixels, rng: Random, _: np.random.Generator) -> None:
    """The back shines through, mirrored and soft."""
    small = cv2.resize(page, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    back = cv2.GaussianBlur(cv2.flip(small, 1), (0, 0), 2.0)
    back = cv2.resize(back, (page.shape[1], page.shape[0]), interpolation=cv2.INTER_LINEAR).reshape(page.shape)
    back = np.roll(back, rng.randint(_mm(3), _mm(9)), axis=0)
    strength = rng.uniform(0.04, 0.10)
    page[:] = cv2.addWeighted(page, 1.0, back, strength, -255 * strength).reshape(page.shape)


def _scribble(page: Pixels, rng: Random, _: np.random.Generator) -> None:
    """A clerk's pencil or ball-point in the margins, never over a value."""
    width, height = _mm(rng.uniform(10, 24)), _mm(rng.uniform(5, 8))
    x, y = rng.choice(((_mm(12), _mm(5)), (_mm(150), _mm(286)), (_mm(60), _mm(287))))
    shade = rng.choice(((40, 50, 120), (60, 60, 60), (110, 110, 110)))
    if page.shape[2] == 1:
        shade = (80, 80, 80)
    ink = scrawl(rng, width, height)
    part = page[y : y + height, x : x + width]
    ink = ink[: part.shape[0], : part.shape[1], None]
    through = 1 - ink * (1 - np.array(shade[: page.shape[2]], dtype=np.float32) / 255)
    part[:] = (part * through).astype(np.uint8)


def _edge(page: Pixels, rng: Random, _: np.random.Generator) -> None:
    """The shadow of a book's gutter or of a lid that is not shut."""
    width = _mm(rng.uniform(4, 12))
    shade = 1 - rng.uniform(0.25, 0.7) * np.linspace(1, 0, width, dtype=np.float32)
    rows = page.shape[0]
    if rng.random() < 0.5:
        _darken(page, (slice(None), slice(0, width)), np.repeat(shade[None, :], rows, 0))
    else:
        _darken(page, (slice(None), slice(-width, None)), np.repeat(shade[None, ::-1], rows, 0))


# --- what the scanner's glass does


def _path(
    page: Pixels,
    size: tuple[int, int],
    wish: Wish,
    wear: Wear,
    rng: Random,
    facts: dict[str, object],
    paper: tuple[float, float],
) -> NDArray[np.float64]:
    """The homography from the drawn page's pixels to those of the scan: print size, turn, shift, perspective."""
    height, width = page.shape[:2]
    scale = 1.0
    if wish.profile != "clean" and rng.random() < 0.14:
        scale = rng.uniform(0.70, 0.97)
    fit = min(1.0, paper[0] / A4[0], paper[1] / A4[1])
    facts["reduced"] = round(scale * fit, 3)
    factor = wish.dpi / DRAWN_DPI * scale * fit
    angle = math.radians(rng.uniform(-wear.turn, wear.turn))
    facts["angle"] = round(math.degrees(angle), 2)
    shift = [rng.uniform(-1, 1) * (2.0 if scale > 0.97 else 8.0) / 25.4 * wish.dpi for _ in range(2)]
    corners = np.array([(-width, -height), (width, -height), (width, height), (-width, height)], dtype=np.float64) / 2
    turn = np.array([(math.cos(angle), -math.sin(angle)), (math.sin(angle), math.cos(angle))])
    target = corners @ turn.T * factor + np.array(size) / 2 + np.array(shift)
    target += np.array([[rng.uniform(-1, 1) * wear.perspective * side for side in size] for _ in range(4)])
    source = corners + np.array([width, height]) / 2
    return cv2.getPerspectiveTransform(source.astype(np.float32), target.astype(np.float32)).astype(np.float64)


@dataclass(frozen=True, slots=True)
class _Bend:
    """The paper lifts near one side: lines bend there by `rise` pixels of the scan, over `reach` of the width."""

    rise: float
    reach: float
    left: bool

    def at(self, x: Floats, width: int) -> Floats:
        distance = x / width if self.left else 1 - x / width
        return (self.rise * np.exp(-np.maximum(distance, 0) / self.reach)).astype(np.float32)


def _bend(rng: Random, wish: Wish, facts: dict[str, object]) -> _Bend | None:
    if wish.profile not in ("worn", "bad") or rng.random() > 0.3:
        return None
    rise = rng.choice((-1, 1)) * rng.uniform(0.4, 1.6) / 25.4 * wish.dpi
    facts["bend_mm"] = round(rise * 25.4 / wish.dpi, 2)
    return _Bend(rise, rng.uniform(0.05, 0.14), rng.random() < 0.5)


def _warp(
    page: Pixels, matrix: NDArray[np.float64], bend: _Bend | None, size: tuple[int, int], blur: float, dpi: int
) -> Pixels:
    ratio = DRAWN_DPI / dpi
    sigma = math.hypot(blur, 0.32) * ratio
    soft = cv2.GaussianBlur(page, (0, 0), sigma)
    fill = (252,) * page.shape[2]
    if bend is None:
        warped = cv2.warpPerspective(soft, matrix, size, flags=cv2.INTER_LINEAR, borderValue=fill)
        return warped.reshape(size[1], size[0], page.shape[2])
    xs, ys = np.meshgrid(np.arange(0, size[0] + 16, 8, np.float32), np.arange(0, size[1] + 16, 8, np.float32))
    ys_flat = ys - bend.at(xs, size[0])
    grid = cv2.perspectiveTransform(np.stack([xs, ys_flat], axis=-1).reshape(-1, 1, 2), np.linalg.inv(matrix))
    grid = grid.reshape(*xs.shape, 2)
    full = cv2.warpAffine(
        grid, np.array([[1 / 8, 0, 0], [0, 1 / 8, 0]]), size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    warped = cv2.remap(soft, full[..., 0], full[..., 1], cv2.INTER_LINEAR, borderValue=fill)
    return warped.reshape(size[1], size[0], page.shape[2])


def _sensor(page: Pixels, wear: Wear, wish: Wish, rng: Random, noise: np.random.Generator) -> Pixels:
    """Uneven light, the grey of paper, and noise."""
    height, width, channels = page.shape
    out = page.astype(np.float32)
    paper = rng.uniform(0.955, 1.0) if wish.profile != "clean" else rng.uniform(0.985, 1.0)
    if wear.light:
        knots = 1 - wear.light * noise.random((3, 3), dtype=np.float32)
        out *= cv2.resize(knots, (width, height), interpolation=cv2.INTER_CUBIC)[:, :, None]
    tint = np.array([1.0, rng.uniform(0.985, 1), rng.uniform(0.96, 1)][:channels], dtype=np.float32)
    out *= paper * (tint if channels == 3 else np.float32(1))
    level = wear.noise * rng.uniform(0.5, 1)
    tile = noise.standard_normal((997, 1009, channels), dtype=np.float32) * level
    for top in range(0, height, 997):
        for left in range(0, width, 1009):
            part = out[top : top + 997, left : left + 1009]
            part += tile[: part.shape[0], : part.shape[1]]
    np.clip(out, 0, 255, out=out)
    return out.astype(np.uint8)


def _finish(
    page: Pixels,
    matrix: NDArray[np.float64],
    bend: _Bend | None,
    wish: Wish,
    wear: Wear,
    rng: Random,
    facts: dict[str, object],
    paper: tuple[float, float],
) -> Scanned:
    """Turn the page: as the sheet lay on the glass (seen), or as the scanner stores it and tells by /Rotate."""
    seen = rng.choice((90, 180, 270)) if wish.profile == "turned" else 0
    told = rng.choice((90, 180, 270)) if rng.random() < 0.12 else 0
    facts["turn"], facts["rotate"] = seen, told
    # A viewer turns clockwise by /Rotate, so what is stored is turned back by as much.
    stored = (seen - told) % 360
    pixels = np.ascontiguousarray(np.rot90(page, -stored // 90 % 4))
    stored_size = paper if stored % 180 == 0 else (paper[1], paper[0])
    points, height, width = 72 / wish.dpi, page.shape[0], page.shape[1]

    def place(box: Box) -> Corners:
        x0, y0, x1, y1 = (edge * DRAWN_DPI / 72 for edge in box)
        corners = np.array([[(x0, y0)], [(x1, y0)], [(x1, y1)], [(x0, y1)]], dtype=np.float64)
        moved = cv2.perspectiveTransform(corners, matrix).reshape(-1, 2)
        if bend:
            moved[:, 1] += bend.at(moved[:, 0].astype(np.float32), width)
        moved = _turned(moved, seen, width, height) * points
        return [(round(float(x), 1), round(float(y), 1)) for x, y in moved]

    quality = max(30, round(wear.quality + rng.uniform(0, 10)))
    return Scanned(pixels, stored_size, told, quality, place, facts)


def _turned(points: NDArray[np.float64], turn: int, width: int, height: int) -> NDArray[np.float64]:
    """Pixels of the upright page as they lie after a turn clockwise."""
    x, y = points[:, 0], points[:, 1]
    moved = {0: (x, y), 90: (height - y, x), 180: (width - x, height - y), 270: (y, width - x)}[turn]
    return np.stack(moved, axis=1)
