"""Which of two letters that are nearly one was printed: 髙 or 高, 﨑 or 崎, パ or バ, by the shape at its very place.

The recogniser answers 高 for 髙 with full certainty (pdf.md 3). Within one group of variants few strokes differ, so a
linear classifier over the directions of edges, trained on these letters alone (`tools/train_variants.py`), sees what
the recogniser does not. Pure but for its weights, which are data of this package.

Weak: trained on the fonts of Debian under made-up wear; what it is not sure of stays a doubt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

from parsers.picture import Pixels

Features = NDArray[np.float32]

GROUPS = (
    "高髙",
    "崎﨑",
    "柳栁",
    "邉邊",
    "恵惠",
    "真眞",
    "濵濱",
    "斎齋斉齊",
    "バパ",
    "ビピ",
    "ブプ",
    "ベペ",
    "ボポ",
)
GROUP_OF = {char: group for group in GROUPS for char in group}
# So likely a letter is taken as settled: on fonts it was not trained on none of these was wrong but ペ, 1 in 130.
SETTLED = 0.95
# Katakana with dots or a ring as large as dust: against the recogniser the shape must be surer.
RINGED = frozenset("バパビピブプベペボポ")
SURER = 0.995
_SIDE = 48
_CELLS, _DIRECTIONS = 8, 8


def features(line: Pixels, centre: float) -> Features | None:
    """The edges of the letter around a column of a prepared line (`parsers.lines`): how much of each direction there is
    in each part of it. None where no letter stands there."""
    letter = _letter_at(line, centre)
    if letter is None:
        return None
    plane = cv2.resize(letter, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    soft = cv2.GaussianBlur(plane, (0, 0), 0.8)
    across, down = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    size, angle = cv2.cartToPolar(across, down)
    # Dark on white and which side is which: a full turn of directions, each edge shared by the two nearest.
    place = angle * (_DIRECTIONS / (2 * np.pi))
    lower = np.floor(place)
    share = place - lower
    found = []
    for direction in range(_DIRECTIONS):
        part = size * (
            (lower % _DIRECTIONS == direction) * (1 - share) + ((lower + 1) % _DIRECTIONS == direction) * share
        )
        found.append(cv2.resize(part, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA).ravel())
    vector: Features = np.sqrt(np.concatenate(found).astype(np.float32))
    return vector / max(float(np.linalg.norm(vector)), 1e-6)


def _letter_at(line: Pixels, centre: float) -> Pixels | None:
    """The letter that covers a column, cut where there is the least ink on either side, as tight as its ink."""
    dark = 250 - line.astype(np.int32)
    dark[dark < 60] = 0
    rows = np.flatnonzero(dark.any(axis=1))
    if not len(rows):
        return None
    em = float(rows[-1] - rows[0] + 1)
    profile = dark.sum(axis=0)
    left = _thinnest(profile, centre - 0.8 * em, centre - 0.32 * em, centre - 0.52 * em)
    right = _thinnest(profile, centre + 0.32 * em, centre + 0.8 * em, centre + 0.52 * em)
    columns = left + np.flatnonzero(profile[left:right] > 0)
    if not len(columns):
        return None
    part = line[:, columns[0] : columns[-1] + 1]
    inked = np.flatnonzero((dark[:, columns[0] : columns[-1] + 1] > 0).any(axis=1))
    return part[inked[0] : inked[-1] + 1]


def _thinnest(profile: NDArray[np.int32], start: float, end: float, likely: float) -> int:
    """The column with the least ink in a stretch; of several the one nearest to where a letter likely ends."""
    low, high = max(0, round(start)), min(len(profile), round(end) + 1)
    if low >= high:
        return 0 if end < len(profile) / 2 else len(profile)
    columns = np.arange(low, high)
    return int(columns[np.argmin(profile[low:high] + 3 * np.abs(columns - likely))])


@dataclass(frozen=True, slots=True, eq=False)
class Variants:
    """The classifier: for each group the weights of its letters over the features, the last one the bias."""

    weights: Mapping[str, NDArray[np.float32]]

    def choose(self, line: Pixels, centre: float, char: str) -> tuple[str, float]:
        """The letter of the group of `char` that stands there and how likely; `char` itself with 0 where it cannot be
        told, or 1 where it has no variants."""
        group = GROUP_OF.get(char)
        if group is None:
            return char, 1.0
        found = features(line, centre)
        if found is None or group not in self.weights:
            return char, 0.0
        scores = self.weights[group] @ np.append(found, np.float32(1))
        likely = np.exp(scores - scores.max())
        likely /= likely.sum()
        best = int(likely.argmax())
        return group[best], float(likely[best])


def load_variants() -> Variants:
    """The classifier with the weights that `tools/train_variants.py` wrote."""
    with resources.as_file(resources.files("parsers") / "variants.npz") as path, np.load(path) as stored:
        return Variants({group: stored[f"g{index}"] for index, group in enumerate(GROUPS)})
