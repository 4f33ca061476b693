"""Make pictures of seal boxes: forms with a seal, without one, and with what only looks like one; seeded.

    .venv/bin/python -m tools.make_seal_pages --seed 7 --count 24 --out DIRECTORY     # to look at

`tools.score_seals` judges them by the thousand. The part of a page around the seal box is drawn at 300 dpi, stamped,
warped, blurred, unevenly lit, made noisy, packed as JPEG and straightened again, as a scan and its rectification do.
"""

import argparse
import math
import random
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from parsers.picture import Picture
from parsers.reading import Box
from tools.seal_designs import Area
from tools.seal_forms import HEIGHT, WIDTH, Sheet
from tools.seal_lookalikes import SheetWithout

WEAR = {
    # name: turn (degrees), blur (px at the scan's resolution), noise, JPEG quality, perspective, uneven light
    "clean": (0.7, 0.45, 3.0, 85, 0.001, 0.03),
    "worn": (2.0, 0.6, 6.0, 70, 0.003, 0.06),
    "bad": (2.5, 0.9, 10.0, 50, 0.006, 0.15),
    "turned": (1.5, 0.6, 5.0, 75, 0.002, 0.05),
}


@dataclass
class Sample:
    """A picture, its seal box, the print that a recogniser would tell, and what was put on it."""

    picture: Picture
    cell: Box
    printed: list[Box]
    neighbours: list[Box]
    facts: dict[str, object] = field(default_factory=dict)


def make(seed: int, *, sealed: bool, grey: bool) -> Sample:
    """One sample; the same seed gives the same pixels."""
    draw = random.Random(seed)
    sheet = Sheet(draw) if sealed else SheetWithout(draw)
    facts: dict[str, object] = {"seed": seed, "sealed": sealed, "grey": grey}
    facts |= sheet.put_no_seal() if isinstance(sheet, SheetWithout) else sheet.stamp()
    wear, dpi = draw.choice(sorted(WEAR)), draw.choice((200, 300))
    facts |= {"wear": wear, "dpi": dpi}
    pixels = scan_of(sheet.pixels(), draw, wear, dpi, grey=grey)
    printed = [_jittered(box, draw) for box in sheet.printed if draw.random() > 0.03]
    return Sample(
        Picture(pixels, float(dpi)), _points(sheet.cell), printed, [_points(box) for box in sheet.applicant], facts
    )


def _points(area: Area) -> Box:
    return Box(*(value * 72 / 25.4 for value in area))


def _jittered(area: Area, draw: random.Random) -> Box:
    return _points(
        (
            area[0] - draw.uniform(0, 0.4),
            area[1] - draw.uniform(0, 0.4),
            area[2] + draw.uniform(0, 0.4),
            area[3] + draw.uniform(0, 0.4),
        )
    )


def scan_of(paper: np.ndarray, draw: random.Random, wear: str, dpi: int, *, grey: bool) -> np.ndarray:
    turn, blur, sd, quality, perspective, uneven = WEAR[wear]
    noise = np.random.default_rng(draw.randrange(2**32))
    wide, high = round(WIDTH * dpi / 25.4), round(HEIGHT * dpi / 25.4)
    small = cv2.resize(paper, (wide, high), interpolation=cv2.INTER_AREA)
    corners = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32)
    angle = math.radians(draw.uniform(-turn, turn))
    spin = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], np.float32)
    middle = np.array([wide / 2, high / 2], np.float32)
    jitter = noise.uniform(-perspective, perspective, (4, 2)).astype(np.float32) * wide
    seen = (corners - middle) @ spin.T + middle + jitter
    there = cv2.getPerspectiveTransform(corners, seen.astype(np.float32))
    picture = cv2.warpPerspective(small, there, (wide, high), flags=cv2.INTER_LINEAR, borderValue=(1, 1, 1))
    picture = cv2.GaussianBlur(picture, (0, 0), blur)
    slope = noise.uniform(-1, 1, 2)
    ramp = slope[0] * np.linspace(-0.5, 0.5, wide)[None, :] + slope[1] * np.linspace(-0.5, 0.5, high)[:, None]
    tint = np.array([draw.uniform(0.97, 1), draw.uniform(0.96, 1), draw.uniform(0.92, 1)])
    light = (1 - uneven * np.abs(ramp)).astype(np.float32)[..., None]
    picture = picture * light * (tint * draw.uniform(0.93, 1)).astype(np.float32)
    if grey:
        picture = np.repeat(cv2.cvtColor(picture.astype(np.float32), cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
        picture = picture + noise.standard_normal((high, wide, 1), np.float32) * np.float32(sd / 255)
    else:
        picture = picture + noise.standard_normal((high, wide, 3), np.float32) * np.float32(sd / 255)
    pixels = np.clip(picture * 255, 0, 255).astype(np.uint8)
    quarter = draw.randrange(1, 4) if wear == "turned" else 0
    packed = cv2.imencode(
        ".jpg", np.ascontiguousarray(np.rot90(pixels, quarter)[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )[1]
    pixels = np.rot90(cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1], -quarter)
    # Straightening never hits exactly: a fifth of a millimetre is left.
    error = noise.uniform(-0.2, 0.2, (4, 2)).astype(np.float32) * dpi / 25.4
    back = cv2.getPerspectiveTransform((seen + error).astype(np.float32), corners)
    return cv2.warpPerspective(
        np.ascontiguousarray(pixels), back, (wide, high), flags=cv2.INTER_LINEAR, borderValue=(255, 255, 255)
    )


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--count", type=int, default=24)
    ask.add_argument("--out", type=Path, required=True)
    given = ask.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for number in range(given.count):
        sample = make(given.seed + number, sealed=number % 2 == 0, grey=number % 4 >= 2)
        name = "-".join(str(value) for value in sample.facts.values())
        Image.fromarray(sample.picture.pixels).save(given.out / f"{number:03}-{name}.png")


if __name__ == "__main__":
    main()
