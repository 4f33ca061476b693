"""Fill cells by hand, as far as a machine can, and count what the reading would accept without a person's look.

    .venv/bin/python -m tools.score_handwriting --seed 1 --fields 240 [--show]

Nobody's hand stands behind it: letters of fonts that imitate handwriting (Debian: fonts-klee, fonts-kiloji,
fonts-aoyagi-soseki, fonts-kouzan-mouhitsu), each turned, moved and stretched by itself, on a bent line, with a pen of
changing width in black or blue. `--print` sets the same values in print, for comparison. Exit status 1 where anything
handwritten is accepted.
"""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from config import request_types
from parsers import gate
from parsers.handwriting import handwritten
from parsers.inside import Inside
from parsers.picture import Pixels
from parsers.recogniser import Crop, Recogniser, mask_of
from parsers.second_opinion import SecondOpinion, open_second_opinion
from tools.scan_people import make_filled, world

_FONTS = Path("/usr/share/fonts")
HANDS = ("KleeOne-Regular.ttf", "kiloji.ttf", "kiloji_p.ttf", "aoyagi-soseki.ttf", "kouzan-mouhitsu-gyosho.ttf")
PRINTS = ("ipagp.ttf", "ipamp.ttf")
_MM = 300 / 25.4
_LABELS = (
    "申請日",
    "社名",
    "役職",
    "氏名",
    "電話番号",
    "メールアドレス",
    "社名（日本語）",
    "氏名（英語）",
    "住所",
    "備考",
)
_INKS = ((35, 35, 40), (20, 30, 120), (60, 60, 65))


def font_files(names: tuple[str, ...]) -> list[Path]:
    """Those of the fonts that are installed."""
    found = {path.name: path for path in _FONTS.rglob("*") if path.name in names}
    return [found[name] for name in names if name in found]


def forms_filled(seed: int) -> Iterator[dict[str, str]]:
    """Form by form what people write, without end; each form is filled in by one hand."""
    table, here, number = request_types.load(), world("tuning"), 0
    while True:
        number += 1
        filled = make_filled(random.Random(f"hand {seed} {number}"), here, table)
        texts = {key: value for key, value in filled.values.items() if isinstance(value, str) and key != "request_type"}
        yield texts | {key: f"{day.year}年{day.month}月{day.day}日" for key, day in filled.days.items()}


def written(text: str, font_file: Path, rng: random.Random, *, by_hand: bool) -> Pixels:
    """The inside of a cell of 5.4 mm with the text in it."""
    size = round(rng.uniform(3.4, 4.3) * _MM)
    font = ImageFont.truetype(str(font_file), size)
    height = round(5.4 * _MM)
    width = round(font.getlength(text) * 1.25) + 4 * size
    sheet = np.full((height, width), 255, np.uint8)
    x, tilt = float(size), rng.uniform(-0.015, 0.015)
    for char in text:
        tile = Image.new("L", (2 * size, 2 * size), 255)
        ImageDraw.Draw(tile).text((size, size), char, font=font, fill=0, anchor="mm")
        advance = font.getlength(char)
        middle = (x + advance / 2, height / 2 + (tilt * x if by_hand else 0))
        matrix = cv2.getRotationMatrix2D((size, size), 0, 1)
        if by_hand:
            matrix = cv2.getRotationMatrix2D((size, size), rng.gauss(0, 4), rng.uniform(0.86, 1.08))
            middle = (middle[0] + rng.gauss(0, 0.03) * size, middle[1] + rng.gauss(0, 0.05) * size)
            advance *= rng.uniform(0.92, 1.14)
        matrix[:, 2] += (middle[0] - size, middle[1] - size)
        drawn = cv2.warpAffine(np.asarray(tile), matrix, (width, height), borderValue=(255,))
        sheet = np.minimum(sheet, drawn)
        x += advance
    sheet = sheet[:, : min(width, round(x) + size)]
    if by_hand:
        sheet = _bent(sheet, rng)
    return _scanned(sheet, rng, ink=rng.choice(_INKS) if by_hand else _INKS[0])


def _bent(sheet: Pixels, rng: random.Random) -> Pixels:
    """Strokes that tremble: every place moved a little, neighbours alike."""
    noise = np.random.default_rng(rng.randrange(2**32))
    height, width = sheet.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    moves = [cv2.GaussianBlur(noise.standard_normal((height, width)).astype(np.float32), (0, 0), 6) for _ in range(2)]
    scale = rng.uniform(6.0, 16.0)
    bent = cv2.remap(sheet, x + scale * moves[0], y + scale * moves[1], cv2.INTER_LINEAR, borderValue=(255,))
    return np.asarray(bent, dtype=np.uint8)


def _scanned(sheet: Pixels, rng: random.Random, *, ink: tuple[int, int, int]) -> Pixels:
    noise = np.random.default_rng(rng.randrange(2**32))
    share = cv2.GaussianBlur(255 - sheet, (0, 0), rng.uniform(0.5, 0.9)).astype(np.float32)[..., None] / 255
    paper = np.array([250, 249, 246], np.float32)
    pixels = paper * (1 - share) + np.array(ink, np.float32) * share + noise.normal(0, 4, (*sheet.shape, 1))
    packed = cv2.imencode(".jpg", np.clip(pixels, 0, 255).astype(np.uint8)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    return np.ascontiguousarray(cv2.imdecode(packed[1], cv2.IMREAD_COLOR)[..., ::-1])


@dataclass(frozen=True, slots=True)
class Field:
    """One value: what was written, what was read, and what it is worth."""

    key: str
    text: str
    read: str
    accepted: bool
    doubts: tuple[str, ...]

    @property
    def right(self) -> bool:
        return "".join(self.read.split()) == "".join(self.text.split())


def read_form(
    form: Mapping[str, str],
    font: Path,
    labels_in: Path,
    rng: random.Random,
    recogniser: Recogniser,
    second: SecondOpinion | None,
    *,
    by_hand: bool,
) -> Iterator[Field]:
    """The fields of one form as `parsers.scanned_form` weighs them."""
    cells = {key: Inside(written(text, font, rng, by_hand=by_hand), _MM) for key, text in form.items()}
    labels = [Inside(written(word, labels_in, rng, by_hand=False), _MM) for word in _LABELS]
    printed = [line for inside in labels for line in inside.lines]
    hand = handwritten({key: inside.lines for key, inside in cells.items()}, printed)
    for key, inside in cells.items():
        mask = mask_of(key)
        [seen] = recogniser.read([Crop(inside, mask)])
        signs = (*seen.doubts, *(("handwriting",) if key in hand else ()))
        told = second.read(inside, mask) if second else None
        verdict = gate.judge(mask, seen.text, seen.confidence, second=told, doubts=signs, settled=seen.settled)
        yield Field(key, form[key], seen.text, verdict.confidence >= gate.SURE, verdict.doubts)


def tally(counts: Counter[str], each: Field, font: str) -> None:
    counts["fields"] += 1
    counts["read right"] += each.right
    counts["accepted"] += each.accepted
    counts["accepted and wrong"] += each.accepted and not each.right
    counts["accepted but for the doubt of handwriting"] += each.doubts == ("handwriting",)
    counts[f"{font}: accepted"] += each.accepted
    counts[f"{font}: fields"] += 1
    for doubt in each.doubts:
        counts[f"doubt {doubt}"] += 1


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--fields", type=int, default=240)
    ask.add_argument("--print", action="store_true", help="printed letters instead")
    ask.add_argument("--show", action="store_true", help="tell every field that was accepted")
    given = ask.parse_args()
    fonts = font_files(PRINTS if given.print else HANDS)
    labels = font_files(PRINTS)
    if not fonts or not labels:
        print("no such font is installed")
        return 2
    recogniser, second = Recogniser(2), open_second_opinion()
    counts: Counter[str] = Counter()
    for number, form in enumerate(forms_filled(given.seed)):
        if counts["fields"] >= given.fields:
            break
        font = fonts[number % len(fonts)]
        for each in read_form(
            form,
            font,
            labels[number % len(labels)],
            random.Random(f"{given.seed} {number}"),
            recogniser,
            second,
            by_hand=not given.print,
        ):
            tally(counts, each, font.name)
            if given.show and each.accepted:
                print(font.name, each.key, each.text, "|", each.read)
    for name, count in counts.items():
        print(f"{name:40} {count}")
    return int(bool(counts["accepted"]) and not given.print)


if __name__ == "__main__":
    sys.exit(main())
