"""Seals as they are cut: masks of how much ink lies where, 0 to 255, and how a hand presses them."""

import math
import random
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONTS = "/usr/share/fonts"
MINCHO = f"{FONTS}/opentype/ipafont-mincho/ipam.ttf"
GOTHIC = f"{FONTS}/opentype/ipafont-gothic/ipag.ttf"
DPI = 300
PIXELS = DPI / 25.4  # a millimetre
COMPANIES = (
    "あおぞら電機株式会社",
    "株式会社みなと商事",
    "東西物産株式会社",
    "有限会社山川製作所",
    "北斗システム株式会社",
    "医療法人青葉会",
)
SURNAMES = ("田中", "佐藤", "林", "小野寺", "長谷川", "渡邊", "森", "高橋", "伊集院", "原")
REDS = ((205, 38, 38), (230, 70, 30), (215, 50, 60), (190, 30, 70), (222, 88, 62), (170, 25, 30))
BLUES = ((30, 60, 150), (40, 50, 120), (25, 80, 170))
DESIGNS = (
    "square",
    "double",
    "white_on_red",
    "round",
    "round_plain",
    "personal",
    "oval",
    "dater",
    "self_inking",
    "pair",
)
Area = tuple[float, float, float, float]


def design_of(design: str, draw: random.Random, company: str) -> Image.Image:
    surname = draw.choice(SURNAMES)
    if design == "dater":
        return _turned(dater(draw.uniform(10, 16), ("総務部", "24.7.-1", surname)), draw)
    if design == "pair":
        first, second = (
            _square(draw.uniform(18, 24), f"{company}之印", 3, draw),
            _round(draw.uniform(9, 11), surname, 1),
        )
        both = Image.new("L", (first.width + second.width + round(draw.uniform(0.5, 3) * PIXELS), first.height), 0)
        both.paste(first, (0, 0))
        both.paste(second, (both.width - second.width, (first.height - second.height) // 2))
        return both.rotate(draw.uniform(-4, 4), Image.Resampling.BICUBIC, expand=True)
    makers: dict[str, Callable[[], Image.Image]] = {
        "square": lambda: _square(draw.uniform(18, 25), f"{company}之印", 3, draw),
        "double": lambda: _square(draw.uniform(20, 24), f"{company}印", 3, draw, double=True),
        "white_on_red": lambda: _white_on_red(draw.uniform(18, 24), f"{company}之印"),
        "round": lambda: _representative(draw.uniform(16.5, 18), company),
        "round_plain": lambda: _round(draw.uniform(13.5, 18), draw.choice(("代表之印", "総務部印", "課長之印")), 2),
        "personal": lambda: _round(draw.uniform(9, 12), surname, 1),
        "oval": lambda: _round(draw.uniform(10, 12), surname, 1, oval=0.74),
        "self_inking": lambda: _round(draw.choice((9.5, 11.0)), surname, 1, thin=True),
    }
    return _turned(makers[design](), draw)


def _turned(image: Image.Image, draw: random.Random) -> Image.Image:
    angle = draw.choices((draw.uniform(-6, 6), draw.uniform(-25, 25), 180 + draw.uniform(-8, 8)), (14, 4, 1))[0]
    return image.rotate(angle, Image.Resampling.BICUBIC, expand=True)


def _canvas(size: float) -> tuple[Image.Image, ImageDraw.ImageDraw, int]:
    side = round(size * PIXELS)
    image = Image.new("L", (side, side), 0)
    return image, ImageDraw.Draw(image), side


def _columns(
    pen: ImageDraw.ImageDraw, text: str, area: Area, columns: int, fill: int = 255, *, thin: bool = False
) -> None:
    """Top down, columns from right to left."""
    rows = math.ceil(len(text) / columns)
    wide, high = (area[2] - area[0]) / columns, (area[3] - area[1]) / rows
    font = ImageFont.truetype(GOTHIC if thin else MINCHO, max(round(min(wide, high) * 0.98), 4))
    for number, character in enumerate(text):
        column, row = divmod(number, rows)
        at = (area[2] - (column + 0.5) * wide, area[1] + (row + 0.5) * high)
        pen.text(at, character, font=font, fill=fill, anchor="mm", stroke_width=0 if thin else 2, stroke_fill=fill)


def _square(size: float, text: str, columns: int, draw: random.Random, *, double: bool = False) -> Image.Image:
    image, pen, side = _canvas(size)
    line = round(draw.uniform(0.5, 1.2) * PIXELS)
    pen.rounded_rectangle((1, 1, side - 2, side - 2), radius=draw.choice((2, side // 14)), outline=255, width=line)
    if double:
        pen.rectangle((line * 2, line * 2, side - line * 2, side - line * 2), outline=255, width=max(line // 2, 2))
    edge = 0.14 if double else 0.09
    _columns(pen, text, (side * edge, side * edge, side * (1 - edge), side * (1 - edge)), columns)
    return image


def _white_on_red(size: float, text: str) -> Image.Image:
    image, pen, side = _canvas(size)
    pen.rounded_rectangle((1, 1, side - 2, side - 2), radius=side // 20, fill=255)
    _columns(pen, text, (side * 0.06, side * 0.06, side * 0.94, side * 0.94), 3, fill=0)
    return image


def _round(size: float, text: str, columns: int, *, oval: float = 1.0, thin: bool = False) -> Image.Image:
    image, pen, side = _canvas(size)
    inset = side * (1 - oval) / 2
    pen.ellipse((inset + 1, 1, side - inset - 2, side - 2), outline=255, width=round((0.35 if thin else 0.6) * PIXELS))
    half = 0.28 if columns == 2 else 0.25 if len(text) == 1 else 0.2 * oval
    _columns(pen, text, (side * (0.5 - half), side * 0.14, side * (0.5 + half), side * 0.86), columns, thin=thin)
    return image


def _representative(size: float, company: str) -> Image.Image:
    image, pen, side = _canvas(size)
    pen.ellipse((1, 1, side - 2, side - 2), outline=255, width=round(0.8 * PIXELS))
    pen.ellipse((side * 0.24, side * 0.24, side * 0.76, side * 0.76), outline=255, width=round(0.3 * PIXELS))
    font = ImageFont.truetype(MINCHO, round(side * 0.14))
    for number, character in enumerate(company):
        angle = 2 * math.pi * number / len(company)
        tile = Image.new("L", (side // 5, side // 5), 0)
        ImageDraw.Draw(tile).text(
            (side / 10, side / 10), character, font=font, fill=255, anchor="mm", stroke_width=1, stroke_fill=255
        )
        tile = tile.rotate(-math.degrees(angle), Image.Resampling.BICUBIC)
        at = (side / 2 + side * 0.375 * math.sin(angle), side / 2 - side * 0.375 * math.cos(angle))
        image.paste(255, (round(at[0] - side / 10), round(at[1] - side / 10)), tile)
    _columns(pen, "代表之印", (side * 0.31, side * 0.31, side * 0.69, side * 0.69), 2)
    return image


def dater(size: float, lines: tuple[str, str, str]) -> Image.Image:
    image, pen, side = _canvas(size)
    line = max(round(0.4 * PIXELS), 3)
    pen.ellipse((1, 1, side - 2, side - 2), outline=255, width=line)
    for at in (0.36, 0.64):
        reach = math.sqrt(0.25 - (at - 0.5) ** 2)
        pen.line((side * (0.5 - reach), side * at, side * (0.5 + reach), side * at), 255, max(line * 2 // 3, 2))
    for number, text in enumerate(lines):
        font = ImageFont.truetype(GOTHIC, round(side * (0.62 / max(len(text) * (0.5 if text[0].isdigit() else 1), 3))))
        pen.text((side / 2, side * (0.22, 0.5, 0.78)[number]), text, font=font, fill=255, anchor="mm")
    return image


def worn(mask: np.ndarray, draw: random.Random, *, missing: bool) -> np.ndarray:
    """How a hand presses: unevenly, too dry or too wet, or only half of it."""
    noise = np.random.default_rng(draw.randrange(2**32))
    high, wide = mask.shape
    if draw.random() < 0.2:
        mask = cv2.dilate(mask, np.ones((draw.choice((5, 9)),) * 2, np.uint8))
    pressure = cv2.resize(noise.random((5, 5), np.float32), (wide, high), interpolation=cv2.INTER_CUBIC)
    mask = mask * np.clip(1.15 - draw.uniform(0, 0.7) * pressure, 0.5, 1)
    grain = cv2.GaussianBlur(noise.random((high, wide), np.float32), (0, 0), 2)
    grain = (grain - grain.mean()) / max(float(grain.std()), 1e-6)
    mask = mask * (grain < draw.choice((9, 2.0, 1.2, 0.8)))
    if missing:
        ramp = (
            np.linspace(1.0, 0.0, wide, dtype=np.float32)[None, :]
            if draw.random() < 0.5
            else np.linspace(0.0, 1.0, high, dtype=np.float32)[:, None]
        )
        mask = mask * np.clip((ramp - 0.42) * 12, 0, 1)
    return cv2.GaussianBlur(mask, (0, 0), 1.2)
