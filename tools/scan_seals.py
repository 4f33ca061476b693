"""Seals for the test scans: company, round, personal and date seals, and what only looks like one.

A stamp is a picture of ink, 0 (none) to 1, with a colour; `tools.scan_paper` multiplies it onto the page. The truth
that goes with it is what a reader must say: a seal that is there is present, however faint; anything else is
absent.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Ink = NDArray[np.float32]
Colour = tuple[int, int, int]

_FONTS = "/usr/share/fonts"
_FACES: Mapping[str, tuple[tuple[str, int], ...]] = {
    "tuning": ((f"{_FONTS}/opentype/ipafont-mincho/ipam.ttf", 0), (f"{_FONTS}/opentype/ipafont-gothic/ipag.ttf", 0)),
    "final": (
        (f"{_FONTS}/opentype/noto/NotoSerifCJK-Bold.ttc", 0),
        (f"{_FONTS}/opentype/ipaexfont-mincho/ipaexm.ttf", 0),
    ),
    "other": ((f"{_FONTS}/opentype/mplus/Mplus1-Bold.otf", 0), (f"{_FONTS}/opentype/noto/NotoSansCJK-Bold.ttc", 0)),
}
# Vermilion paste, red stamp pads, and the darker red of old pads.
_REDS: tuple[Colour, ...] = ((205, 38, 38), (222, 72, 40), (214, 52, 64), (184, 30, 52), (232, 92, 62), (196, 44, 28))
# Diameter or side in millimetres (domain notes B.5).
_SIZES = {"square": (20, 26), "round": (16.5, 21), "personal": (9.5, 13), "dated": (13, 17)}

KINDS = ("square", "round", "personal", "dated")
# What stands in the seal box of forms that bear no seal.
DECOYS = ("nothing", "printed_mark", "red_note", "receipt_elsewhere")


@dataclass(frozen=True, slots=True, eq=False)
class Stamp:
    """A kind of mark, its ink and colour; `shift` moves its middle from the middle of the seal box, in millimetres."""

    kind: str
    ink: Ink
    colour: Colour
    shift: tuple[float, float]
    faint: float = 0.0
    over: bool = False

    @property
    def verdict(self) -> str:
        """What a reading must say about the seal box."""
        return "present" if self.kind in KINDS else "absent"


def make_stamps(rng: Random, *, world: str, company: str, surname: str, day: str, dpi: float) -> tuple[Stamp, ...]:
    """What is stamped or scribbled on one form; the first one is that of the seal box, `nothing` has no ink."""
    chance = rng.random()
    if chance < 0.84:
        first = _seal(rng, rng.choices(KINDS, (50, 18, 24, 8))[0], world, company, surname, day, dpi)
    else:
        first = _decoy(rng, rng.choice(DECOYS), world, day, dpi)
    more = []
    if rng.random() < 0.06 and first.kind != "receipt_elsewhere":
        more.append(_receipt(rng, world, day, dpi))
    return (first, *more)


def _seal(rng: Random, kind: str, world: str, company: str, surname: str, day: str, dpi: float) -> Stamp:
    face = rng.choice(_FACES[world])
    side = round(rng.uniform(*_SIZES[kind]) / 25.4 * dpi)
    drawn = {"square": _square, "round": _round, "personal": _personal, "dated": _dated}[kind]
    image = drawn(Image.new("L", (side, side), 0), face, company if kind in ("square", "round") else surname, day)
    faint = rng.choices((0.0, rng.uniform(0.2, 0.45), rng.uniform(0.45, 0.75)), (70, 20, 10))[0]
    ink = _pressed(rng, _turned(image, rng.uniform(-15, 15)), faint)
    over = kind in ("square", "round", "personal") and rng.random() < 0.22
    # Over the end of the company's or the applicant's name, left of the box, but not out of its reach.
    shift = (rng.uniform(-26, -15), rng.uniform(-19, -3)) if over else (rng.uniform(-4, 4), rng.uniform(-4, 4))
    return Stamp(kind, ink, rng.choice(_REDS), shift, round(faint, 2), over)


def _decoy(rng: Random, kind: str, world: str, day: str, dpi: float) -> Stamp:
    empty = np.zeros((1, 1), dtype=np.float32)
    if kind == "receipt_elsewhere":
        return _receipt(rng, world, day, dpi)
    if kind == "printed_mark":
        side = round(9 / 25.4 * dpi)
        image = Image.new("L", (side, side), 0)
        pen = ImageDraw.Draw(image)
        if rng.random() < 0.5:
            pen.ellipse((2, 2, side - 3, side - 3), outline=255, width=max(2, side // 50))
        _write(pen, "印", (side * 0.2, side * 0.2, side * 0.8, side * 0.8), _FACES[world][0], columns=1)
        return Stamp(kind, np.asarray(image, dtype=np.float32) / 255 * 0.8, (90, 90, 90), (0, 0))
    if kind == "red_note":
        return Stamp(
            kind,
            scrawl(rng, round(22 / 25.4 * dpi), round(9 / 25.4 * dpi)),
            (215, 40, 45),
            (rng.uniform(-45, -25), rng.uniform(-8, 8)),
        )
    return Stamp("nothing", empty, (0, 0, 0), (0, 0))


def _receipt(rng: Random, world: str, day: str, dpi: float) -> Stamp:
    """A date-received stamp at the head of the page, red, blue or violet."""
    width, height = round(30 / 25.4 * dpi), round(14 / 25.4 * dpi)
    image = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(image)
    pen.rectangle((2, 2, width - 3, height - 3), outline=255, width=max(2, height // 30))
    face, number = rng.choice(_FACES[world])
    pen.text(
        (width / 2, height * 0.28),
        "受付",
        font=ImageFont.truetype(face, height // 3, index=number),
        fill=255,
        anchor="mm",
    )
    pen.text(
        (width / 2, height * 0.7), day, font=ImageFont.truetype(face, height // 4, index=number), fill=255, anchor="mm"
    )
    ink = _pressed(rng, _turned(image, rng.uniform(-6, 6)), rng.uniform(0, 0.3))
    colour = rng.choice((_REDS[0], (40, 60, 150), (110, 50, 140)))
    # Far above and to the left of the seal box, over the addressee or in the upper margin.
    return Stamp("receipt_elsewhere", ink, colour, (rng.uniform(-150, -60), rng.uniform(-62, -55)))


def _square(image: Image.Image, face: tuple[str, int], company: str, _: str) -> Image.Image:
    pen, side = ImageDraw.Draw(image), image.width
    line = max(side // 26, 2)
    pen.rounded_rectangle((1, 1, side - 2, side - 2), radius=side // 18, outline=255, width=line)
    text = company.replace("㈱", "株式会社") + "之印"
    columns = max(2, round(math.sqrt(len(text)) * 0.85))
    _write(pen, text, (side * 0.08, side * 0.08, side * 0.92, side * 0.92), face, columns=columns)
    return image


def _round(image: Image.Image, face: tuple[str, int], company: str, _: str) -> Image.Image:
    pen, side = ImageDraw.Draw(image), image.width
    line = max(side // 30, 2)
    pen.ellipse((1, 1, side - 2, side - 2), outline=255, width=line)
    inner = side * 0.19
    pen.ellipse((inner, inner, side - inner, side - inner), outline=255, width=max(line // 2, 1))
    size = round(side * 0.125)
    font = ImageFont.truetype(face[0], size, index=face[1])
    for number, character in enumerate(company):
        angle = 2 * math.pi * number / len(company)
        tile = Image.new("L", (size * 2, size * 2), 0)
        ImageDraw.Draw(tile).text(
            (size, size), character, font=font, fill=255, anchor="mm", stroke_width=1, stroke_fill=255
        )
        tile = tile.rotate(-math.degrees(angle), Image.Resampling.BICUBIC)
        x, y = side / 2 + side * 0.395 * math.sin(angle), side / 2 - side * 0.395 * math.cos(angle)
        image.paste(255, (round(x - size), round(y - size)), tile)
    _write(pen, "代表之印", (side * 0.3, side * 0.3, side * 0.7, side * 0.7), face, columns=2)
    return image


def _personal(image: Image.Image, face: tuple[str, int], surname: str, _: str) -> Image.Image:
    pen, side = ImageDraw.Draw(image), image.width
    pen.ellipse((1, 1, side - 2, side - 2), outline=255, width=max(side // 24, 2))
    _write(pen, surname, (side * 0.26, side * 0.12, side * 0.74, side * 0.88), face, columns=1)
    return image


def _dated(image: Image.Image, face: tuple[str, int], surname: str, day: str) -> Image.Image:
    pen, side = ImageDraw.Draw(image), image.width
    line = max(side // 32, 2)
    pen.ellipse((1, 1, side - 2, side - 2), outline=255, width=line)
    for height in (0.36, 0.64):
        half = math.sqrt(0.25 - (height - 0.5) ** 2) * side
        pen.line((side / 2 - half, side * height, side / 2 + half, side * height), fill=255, width=line)
    for text, middle, size in (("承認", 0.21, 0.19), (day, 0.5, 0.165), (surname, 0.8, 0.2)):
        font = ImageFont.truetype(face[0], round(side * size * min(1, 4.6 / max(len(text), 1) + 0.25)), index=face[1])
        pen.text((side / 2, side * middle), text, font=font, fill=255, anchor="mm")
    return image


def _write(
    pen: ImageDraw.ImageDraw, text: str, area: tuple[float, float, float, float], face: tuple[str, int], *, columns: int
) -> None:
    """Top down, columns from right to left, as seals are cut."""
    left, top, right, bottom = area
    rows = math.ceil(len(text) / columns)
    width, height = (right - left) / columns, (bottom - top) / rows
    font = ImageFont.truetype(face[0], max(6, round(min(width, height) * 0.96)), index=face[1])
    for number, character in enumerate(text):
        column, row = divmod(number, rows)
        centre = (right - (column + 0.5) * width, top + (row + 0.5) * height)
        pen.text(centre, character, font=font, fill=255, anchor="mm", stroke_width=1, stroke_fill=255)


def _turned(image: Image.Image, angle: float) -> Image.Image:
    return image.rotate(angle, Image.Resampling.BICUBIC, expand=True)


def _pressed(rng: Random, image: Image.Image, faint: float) -> Ink:
    """The ink as a hand leaves it: speckled, sometimes too much of it, sometimes on one side only."""
    ink = np.asarray(image, dtype=np.float32) / 255
    if rng.random() < 0.15:
        ink = cv2.dilate(ink, np.ones((rng.choice((3, 5)),) * 2, dtype=np.uint8)).astype(np.float32)
    noise = np.random.default_rng(rng.getrandbits(32))
    coarse = noise.random((max(2, ink.shape[0] // 18), max(2, ink.shape[1] // 18)), dtype=np.float32)
    cloud = cv2.resize(coarse, ink.shape[::-1], interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(noise.random(ink.shape, dtype=np.float32), (0, 0), 1.2)
    ink = ink * np.clip(0.78 + 0.3 * cloud + 1.2 * (fine - 0.5), 0.25, 1)
    if rng.random() < 0.08:
        # Half of it did not touch the paper; what did is plainly a seal.
        slope = np.linspace(-1, 1, ink.shape[1], dtype=np.float32)[None, :] * rng.choice((-1, 1))
        ink = ink * np.clip(0.62 + 0.8 * slope + 0.3 * (cloud - 0.5), 0.04, 1)
    return np.clip(ink * (1 - faint), 0, 1).astype(np.float32)


def scrawl(rng: Random, width: int, height: int) -> Ink:
    """A few strokes of a pen, like a word nobody can read."""
    ink = np.zeros((height, width), dtype=np.uint8)
    for _ in range(rng.randint(2, 4)):
        points = [(rng.randint(2, width - 3), rng.randint(2, height - 3)) for _ in range(rng.randint(3, 6))]
        points.sort()
        cv2.polylines(ink, [np.array(points, dtype=np.int32)], False, 255, max(2, height // 28), cv2.LINE_AA)  # noqa: FBT003 - cv2's order
    return ink.astype(np.float32) / 255 * 0.9
