"""Is a value written by hand? Told by the looks of its strokes, never by what it says.

Pure, on prepared lines. Print has straight level and upright strokes and letters that stand on one line; a hand has
neither. One line tells little, so the values of a form are weighed together: who fills in one by hand fills in all.
Weak: fitted to fonts that imitate handwriting (`tools/score_handwriting.py`), not to hands; the lightest of them pass
for print where a form holds few values, and the worst scans of print pass for a hand, which costs a look.
"""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from parsers import ink
from parsers.lines import HEIGHT, Line

# An edge within so many degrees of level or upright is a straight one; edges weaker than this share of the strongest
# are noise.
_STRAIGHT, _FAINT = 5.0, 0.25
# Ink darker than this, in pieces of at least this share of the line's height, is a letter or a large part of one.
_DARK, _LETTER = 150, 0.3
# Straight strokes are as long as this share of the line's height.
_STROKE = 0.23
# How the measures count, in the order of `_measures`: fitted by logistic regression to 1,571 printed lines of tuning
# scans and 240 of imitated handwriting, each kind counting half.
_WEIGHTS = np.array((-12.6591, -9.6146, -14.1321, 1.2025, 1.3017, -2.4409, -0.345, -0.474, -17.0708))
_OFFSET = 10.4435
# A value alone, and the mean of a form with at least so many values, from which on it passes for handwriting.
_ALONE, _TOGETHER, _LEAST_VALUES = 2.4, 1.0, 4
# So much further from print than the print of the same page it must be, where a scan has spoilt that as well.
_BEYOND_PRINT = 3.0


def handwritten(values: Mapping[str, Sequence[Line]], printed: Sequence[Line] = ()) -> frozenset[str]:
    """The keys of those values of one form that may be written by hand; a value is given as its lines. `printed` are
    lines that the form printed itself, its labels."""
    scores = {key: float(np.mean([likelihood(line) for line in lines])) for key, lines in values.items() if lines}
    least = float(np.mean([likelihood(line) for line in printed])) + _BEYOND_PRINT if printed else -np.inf
    if len(scores) >= _LEAST_VALUES and float(np.mean(list(scores.values()))) > max(_TOGETHER, least):
        return frozenset(scores)
    return frozenset(key for key, score in scores.items() if score > max(_ALONE, least))


def likelihood(line: Line) -> float:
    """The logarithm of how much likelier a hand is than print, before anything else is known."""
    return float(_measures(line) @ _WEIGHTS + _OFFSET)


def _measures(line: Line) -> np.ndarray:
    upright, level = _straight_edges(line)
    bits = np.asarray(line.image < _DARK, dtype=np.bool_)
    feet = np.array([y + h for _, y, _, h, _ in ink.components(bits)[1] if h >= _LETTER * HEIGHT])
    uneven = float(np.median(np.abs(feet - np.median(feet)))) if len(feet) > 2 else -1.0
    straight = min(_straight_strokes(bits), 1.2)
    wide = float(np.log(line.image.shape[1]))
    return np.array(
        (
            upright + level,
            upright,
            level,
            min(uneven, 6.0),
            float(uneven < 0),
            straight,
            wide,
            straight * wide,
            min(upright, level),
        )
    )


def _straight_edges(line: Line) -> tuple[float, float]:
    """The shares of the edges that are upright and that are level, strong edges counting more."""
    soft = cv2.GaussianBlur(line.image.astype(np.float32), (0, 0), 0.8)
    across, down = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    strength = np.hypot(across, down)
    seen = strength > _FAINT * float(np.percentile(strength, 99.5))
    total = float(strength[seen].sum())
    if total <= 0:
        return 0.0, 0.0
    angle = np.abs(np.degrees(np.arctan2(down[seen], across[seen])))
    shares = [
        float(strength[seen][near].sum()) / total
        for near in (np.minimum(angle, 180 - angle) < _STRAIGHT, np.abs(angle - 90) < _STRAIGHT)
    ]
    return shares[0], shares[1]


def _straight_strokes(bits: ink.Bits) -> float:
    """The ink in straight level and straight upright strokes, as a share of all; a crossing counts twice."""
    pixels, length = bits.astype(np.uint8), round(_STROKE * HEIGHT)
    kernels = (np.ones((length, 1), np.uint8), np.ones((1, length), np.uint8))
    straight = sum(int(cv2.morphologyEx(pixels, cv2.MORPH_OPEN, kernel).sum()) for kernel in kernels)
    return straight / max(int(pixels.sum()), 1)
