"""Train the classifier of letter variants (`parsers/variants.npz`): thousands of letters drawn, spoilt, separated.

    .venv/bin/python -m tools.train_variants --samples 260 --out parsers/variants.npz

Draws with the Japanese fonts installed on this machine; a font that has only one glyph for two letters is left out for
them. Seeded: the same fonts give the same weights.
"""

import argparse
import random
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from parsers.lines import lines_of
from parsers.variants import GROUPS, features

_ROOT = Path("/usr/share/fonts")
_FONTS = sorted(
    str(path)
    for pattern in (
        "*ipa*/*.ttf",
        "*takao*/*.ttf",
        "*vlgothic*/*.ttf",
        "*noto*/NotoS*CJK-*.ttc",
        "*mplus*/Mplus[12]-*.otf",
    )
    for path in _ROOT.glob("*/" + pattern)
    if not any(word in path.name for word in ("Black", "ExtraBold", "Thin", "ExtraLight"))
)
_KANJI = "田中山本林木村井上川島野原藤佐伊加石池橋口子美太郎花一正健商事工業電機物流精密製作所株式会社"
_KANA = "アイウエオカキクケコサシスセソタチツテトナニヌネノマミムメモラリルレロン・ー"


def glyph(font: ImageFont.FreeTypeFont, char: str) -> bytes:
    image = Image.new("L", (64, 64), 255)
    ImageDraw.Draw(image).text((4, 4), char, font=font, fill=0)
    return image.tobytes()


def fonts_of(group: str) -> list[str]:
    """Fonts that draw each letter of the group in its own way."""
    found = []
    for path in _FONTS:
        font = ImageFont.truetype(path, 48)
        drawn = {glyph(font, char) for char in (*group, "\U0010fffd")}
        if len(drawn) == len(group) + 1:
            found.append(path)
    return found


def sample(rng: random.Random, path: str, char: str) -> np.ndarray | None:
    """The features of one letter, drawn between others and spoilt as a scanner spoils it."""
    dpi, times = rng.choice([200, 200, 300]), 2
    font = ImageFont.truetype(path, round(rng.uniform(8.5, 12) * dpi * times / 72))
    pool = _KANA if "ァ" <= char <= "ヺ" else _KANJI
    before = "".join(rng.choice(pool) for _ in range(rng.randint(0, 2)))
    after = "".join(rng.choice(pool) for _ in range(rng.randint(0, 3)))
    words = before + char + after + ("" if len(before + after) else rng.choice(pool))
    _left, top, right, bottom = font.getbbox(words)
    margin = 8 * times
    image = Image.new("L", (right + 2 * margin, bottom - top + 2 * margin), 255)
    ImageDraw.Draw(image).text((margin, margin - top), words, font=font, fill=0)
    centre = (margin + (font.getlength(before) + font.getlength(before + char)) / 2) / times
    noise = np.random.default_rng(rng.getrandbits(32))
    array = np.asarray(image, np.float32)
    if rng.random() < 0.3:
        array = (cv2.erode if rng.random() < 0.6 else cv2.dilate)(array, np.ones((2, 2), np.uint8))
    size = (array.shape[1] // times, array.shape[0] // times)
    turn = np.array([[1 / times, rng.uniform(-0.004, 0.004), 0], [rng.uniform(-0.004, 0.004), 1 / times, rng.random()]])
    array = cv2.warpAffine(cv2.blur(array, (2, 2)), turn, size, borderValue=255.0)
    array = cv2.GaussianBlur(array, (0, 0), rng.uniform(0.3, 1.15))
    array = array * rng.uniform(0.85, 1) + rng.uniform(0, 50) * (1 - array / 255)
    array = np.clip(array + noise.normal(0, rng.uniform(1, 11), array.shape), 0, 255).astype(np.uint8)
    array = cv2.imdecode(cv2.imencode(".jpg", array, [1, rng.randint(45, 90)])[1], 0)
    lines = lines_of(array, several=False)
    if not lines:
        return None
    column = (centre - lines[0].place.x0) / lines[0].scale + 10
    return features(lines[0].image, column + rng.uniform(-5, 5))


def separate(data: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Multinomial logistic regression with a small penalty, by plain gradient descent with momentum."""
    inputs = np.hstack([data, np.ones((len(data), 1), np.float32)])
    wanted = np.eye(classes, dtype=np.float32)[labels]
    weights, pace = np.zeros((classes, inputs.shape[1]), np.float32), 0.0
    for step in range(600):
        scores = inputs @ weights.T
        likely = np.exp(scores - scores.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        slope = (likely - wanted).T @ inputs / len(inputs) + 2e-5 * weights
        pace = 0.95 * pace - (6.0 if step < 400 else 2.0) * slope
        weights = weights + pace
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=500, help="of each letter")
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    rng = random.Random(options.seed)
    stored = {}
    for index, group in enumerate(GROUPS):
        fonts = fonts_of(group)
        rows = []
        for label in range(len(group)):
            for turn in range(options.samples):
                path = fonts[turn % len(fonts)]
                found = sample(rng, path, group[label])
                if found is not None:
                    rows.append((found, label, path))
        data, labels = np.stack([row[0] for row in rows]), np.array([row[1] for row in rows])
        # One font in four is kept back once, to see how it does on a font that it never saw.
        unseen = np.array([fonts.index(row[2]) % 4 == 1 for row in rows])
        trial = separate(data[~unseen], labels[~unseen], len(group))
        scores = np.hstack([data[unseen], np.ones((unseen.sum(), 1), np.float32)]) @ trial.T
        right = (scores.argmax(axis=1) == labels[unseen]).mean() if unseen.any() else float("nan")
        likely = np.exp(scores - scores.max(axis=1, keepdims=True))
        sure = likely.max(axis=1) / likely.sum(axis=1) > 0.95
        wrong = (scores.argmax(axis=1) != labels[unseen])[sure].mean() if sure.any() else float("nan")
        print(
            f"{group}: {len(fonts)} fonts; on unseen ones right {right:.1%}, sure {sure.mean():.1%}, wrong {wrong:.2%}",
            flush=True,
        )
        stored[f"g{index}"] = separate(data, labels, len(group)).astype(np.float32)
    np.savez_compressed(options.out, **stored)


if __name__ == "__main__":
    main()
