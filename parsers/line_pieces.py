"""Ruling lines of a flat page: dark strokes → straight lines that begin and end on lines of the other direction.

Pure. What parts a ruling line from a stroke of text, an underline or a fold is not its looks but where it ends: a side
of a cell ends on other sides of cells. So lines are found generously, mended where dirt, a hole or a seal broke them,
cut back to their crossings, and those that cross fewer than two others are dropped.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from parsers.picture import Pixels

# Measures of the flat small picture, in millimetres.
_LEAST_LINE = 3.9  # the strokes of letters are shorter, and in a row of letters blanks stand between them
_THICKEST = 1.5  # a stroke thicker than this is a filled area
_SMEAR = 0.6  # gaps within a line that noise and JPEG make
_SOFT = 0.85  # brightness is averaged over this much of a line, which takes the noise out and no line
_TOUCH = 0.45  # a line that ends this near to another one ends on it
_ONE_LINE = 0.45  # pieces as near to each other as this lie on one line
_HOLE = 9.0  # the widest break that is mended: a punch hole with its rim
_NICK = 3.0  # the widest break that is mended where one of its ends has another explanation
_LONG = 9.0  # a line as long as this may be lengthened to the one that it just misses
_MISS = 8.0  # by this much
_OVERHANG = 5.0  # a line that stands out so far over the grid on both sides is a fold or an edge, and no ruling line
_SHORT = 12.0  # a line shorter than this must look like the others

# What parts a line from other strokes: the least share of the usual darkness, of short ones, and how bold they may be.
_FAINT, _FAINTER, _BOLD = 0.3, 0.45, 2.2
# Ink is darker than the paper around it by this much at the least, and by this share of what the darkest ink is.
_LEAST_CONTRAST, _CONTRAST_SHARE = 14.0, 0.16


class Line(NamedTuple):
    """A straight line: its place across its direction, its ends along it. In pixels."""

    at: float
    start: float
    end: float


def strokes(grey: Pixels, mm: float, *, across: bool) -> tuple[Pixels, Pixels]:
    """The mask of thin dark strokes that run for a while in one direction, and how dark each pixel is against its
    sides. `mm` is pixels per millimetre.

    Fills vanish, since only what is darker than both its sides counts: the edge of a grey cell is no line.
    """
    thick, smooth = max(3, round(_THICKEST * mm)) | 1, max(3, round(_SOFT * mm)) | 1
    along, beside = ((smooth, 1), (1, thick)) if across else ((1, smooth), (thick, 1))
    soft = cv2.blur(grey, along)
    hat = cv2.morphologyEx(soft, cv2.MORPH_BLACKHAT, cv2.getStructuringElement(cv2.MORPH_RECT, beside))
    # The 99.5th percentile of the strokes is ruling lines and letters even on a page with little of them.
    counts = np.cumsum(np.bincount(hat.ravel()[::7], minlength=256))
    darkest = float(np.searchsorted(counts, 0.99 * counts[-1]))
    _, mask = cv2.threshold(hat, max(_LEAST_CONTRAST, _CONTRAST_SHARE * darkest), 1, cv2.THRESH_BINARY)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _bar(0.5 * mm, across=across))
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _bar(_LEAST_LINE * mm, across=across))
    return np.asarray(mask, dtype=np.uint8), np.asarray(hat, dtype=np.uint8)


def _bar(length: float, *, across: bool) -> Pixels:
    size = max(3, round(length))
    return np.ones((1, size) if across else (size, 1), np.uint8)


def lines_in(mask: Pixels, hat: Pixels, mm: float, *, across: bool) -> list[Line]:
    """The lines of what `strokes` found, pieces of one line joined as far as they touch."""
    _, _, stats, middles = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if not across:
        stats, middles, hat = stats[:, [1, 0, 3, 2, 4]], middles[:, ::-1], hat.T
    start, _, length, thick, area = stats[1:].T.astype(np.float64)
    at = middles[1:, 1]
    height, width = hat.shape
    # The shadow at the edge of the glass runs along the edge of the picture; no ruling line stands there.
    good = (thick <= 2 * _THICKEST * mm) & (at > 2 * mm) & (at < height - 2 * mm) & (length < width)
    if not good.any():
        return []
    rows = np.clip(np.rint(at), 0, height - 1).astype(np.intp)
    samples = (start[:, None] + length[:, None] * np.linspace(0.05, 0.95, 15)).astype(np.intp)
    dark = np.median(hat[rows[:, None], samples], axis=1)
    body = area / length
    usual_dark, usual_body = (_middle(values[good], length[good]) for values in (dark, body))
    # A seal that crosses lines has short strokes that are fainter (in colour) or bolder (in grey) than those.
    good &= dark >= _FAINT * usual_dark
    good &= (length >= _SHORT * mm) | ((dark >= _FAINTER * usual_dark) & (body <= _BOLD * usual_body + 1))
    found = [Line(*each) for each in zip(at[good], start[good], (start + length)[good], strict=True)]
    return _joined(found, _ONE_LINE * mm, _SMEAR * mm)


def _middle(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """The median, each value counted by its weight."""
    order = np.argsort(values)
    reach = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reach, reach[-1] / 2)])


def _joined(pieces: Sequence[Line], near: float, gap: float) -> list[Line]:
    """Pieces on one line whose ends are within `gap` made one, its place their mean by length."""
    done: list[Line] = []
    for group in _groups(pieces, near):
        open_line: Line | None = None
        for piece in sorted(group, key=lambda line: line.start):
            if open_line and piece.start - open_line.end <= gap:
                open_line = _both(open_line, piece)
            else:
                if open_line:
                    done.append(open_line)
                open_line = piece
        if open_line:
            done.append(open_line)
    return done


def _groups(pieces: Sequence[Line], near: float) -> list[list[Line]]:
    """Pieces by the line that they lie on: each joins the nearest of the long ones, the longest of all first."""
    heads: list[float] = []
    groups: list[list[Line]] = []
    for piece in sorted(pieces, key=lambda line: line.start - line.end):
        off = np.abs(np.asarray(heads) - piece.at) if heads else np.zeros(0)
        if len(off) and off.min() <= near:
            groups[int(off.argmin())].append(piece)
        else:
            heads.append(piece.at)
            groups.append([piece])
    return groups


def _both(first: Line, second: Line) -> Line:
    ours, theirs = first.end - first.start, second.end - second.start
    at = (first.at * ours + second.at * theirs) / (ours + theirs)
    return Line(at, min(first.start, second.start), max(first.end, second.end))


class _Crossings:
    """Looks up which lines of the other direction stand at a place."""

    def __init__(self, others: Sequence[Line], touch: float) -> None:
        table: NDArray[np.float64] = np.array(others, dtype=np.float64).reshape(-1, 3)
        self._at, self._start, self._end = table[:, 0], table[:, 1] - touch, table[:, 2] + touch
        self._touch = touch

    def on(self, line: Line, *, more: float = 0.0) -> NDArray[np.float64]:
        """Where along the line others cross or meet it, up to `more` beyond its ends; in order."""
        reach = self._touch + more
        met = (self._start <= line.at) & (line.at <= self._end)
        met &= (line.start - reach <= self._at) & (self._at <= line.end + reach)
        return np.sort(self._at[met])

    def ends(self, line: Line) -> tuple[bool, bool]:
        """Whether the line begins on another one, and whether it ends on one."""
        places = self.on(line)
        if not len(places):
            return False, False
        return bool(places[0] <= line.start + self._touch), bool(places[-1] >= line.end - self._touch)


def mend(across: Sequence[Line], down: Sequence[Line], mm: float) -> tuple[list[Line], list[Line]]:
    """The lines of both directions with their breaks closed, without folds and without what is no side of a cell."""
    rows, columns = _bridged(across, down, mm), _bridged(down, across, mm)
    rows, columns = _without_folds(rows, columns, mm), _without_folds(columns, rows, mm)
    rows, columns = _lengthened(rows, columns, mm), _lengthened(columns, rows, mm)
    # What loses its hold may have been the hold of another: three rounds settle all but drawings.
    for _ in range(3):
        before = len(rows) + len(columns)
        rows = _cut_back(rows, columns, mm)
        columns = _cut_back(columns, rows, mm)
        if len(rows) + len(columns) == before:
            break
    return rows, columns


def _bridged(lines: Sequence[Line], others: Sequence[Line], mm: float) -> list[Line]:
    """Breaks closed that no line of the other direction explains; the gap between two tables is no break."""
    crossings = _Crossings(others, _TOUCH * mm)
    done: list[Line] = []
    for group in _groups(lines, _ONE_LINE * mm * 1.5):
        last: Line | None = None
        for line in sorted(group, key=lambda each: each.start):
            if last is not None and _is_break(last, line, crossings, mm):
                last = _both(last, line)
                continue
            if last is not None:
                done.append(last)
            last = line
        if last is not None:
            done.append(last)
    return done


def _is_break(first: Line, second: Line, crossings: _Crossings, mm: float) -> bool:
    gap = second.start - first.end
    if gap <= _SMEAR * mm:
        return True
    if gap > _HOLE * mm:
        return False
    ended, began = crossings.ends(first)[1], crossings.ends(second)[0]
    if ended and began:
        return False
    # Strokes of letters in a row are short, and nearly always shorter than the blank between them and a line.
    shorter, longer = sorted((first.end - first.start, second.end - second.start))
    if ended or began:
        return shorter >= gap and gap <= _NICK * mm
    return shorter >= gap or longer >= _LONG * mm


def _without_folds(lines: Sequence[Line], others: Sequence[Line], mm: float) -> list[Line]:
    """The lines but for those that lie on a fold: it shows in the margins on both sides, where no table has lines."""
    crossings = _Crossings(others, _TOUCH * mm)
    kept: list[Line] = []
    for group in _groups(lines, _ONE_LINE * mm * 1.5):
        places = np.concatenate([crossings.on(line) for line in group])
        if len(places):
            before = sum(max(0.0, min(line.end, places.min()) - line.start) for line in group)
            behind = sum(max(0.0, line.end - max(line.start, places.max())) for line in group)
            if min(before, behind) > _OVERHANG * mm:
                continue
        kept += group
    return kept


def _lengthened(lines: Sequence[Line], others: Sequence[Line], mm: float) -> list[Line]:
    """Lines that begin on another one and just miss the one on which they should end, or the other way round.

    A hole at a corner takes the ends of both its sides, so the other one may be as short of the corner as this one.
    """
    crossings, beyond = _Crossings(others, _TOUCH * mm), _Crossings(others, _MISS * mm)
    done = []
    for line in lines:
        began, ended = crossings.ends(line)
        reached = line
        if began != ended and line.end - line.start >= _LONG * mm:
            places = beyond.on(line)
            after, before = places[places > line.end], places[places < line.start]
            if began and len(after):
                reached = line._replace(end=float(after[0]))
            elif ended and len(before):
                reached = line._replace(start=float(before[-1]))
        done.append(reached)
    return done


def _cut_back(lines: Sequence[Line], others: Sequence[Line], mm: float) -> list[Line]:
    """The lines from their first crossing to their last; those with fewer than two are gone."""
    crossings = _Crossings(others, _TOUCH * mm)
    kept = []
    for line in lines:
        places = crossings.on(line)
        if len(places) < 2:
            continue
        if places[-1] - places[0] >= _LEAST_LINE * 0.8 * mm:
            kept.append(Line(line.at, float(places[0]), float(places[-1])))
    return kept
