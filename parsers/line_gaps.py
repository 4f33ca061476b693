"""Cells that lost one upright side → the cells all the same, where everything else of them is there.

Pure. A punch hole, a fold along a ruling line or a clip takes one side of a cell, and the cell with it; its neighbour,
the lines above and below it and the columns of the other rows tell where it must be. Weak: a cell that lost a side
between itself and its neighbour was merged with it, and stays so: a fold there looks the same.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from parsers.picture import Pixels
from parsers.reading import Box

# Edges as near as this, in points, are one column; so many boxes must have it for it to be one.
_ONE_COLUMN, _LEAST_BOXES = 2.5, 2
# No cell is narrower than this, in points.
_NARROWEST = 9.0
# So much of the lines above and below a lost cell must be seen, and so much of the side that was lost.
_LEAST_LEVEL, _LEAST_UPRIGHT = 0.75, 0.4
# A line is looked for so many pixels beside where it should be.
_NEAR = 2
# What was lost may hold the side of another that was lost, a heading beside its labels.
_ROUNDS = 2

Bits = NDArray[np.bool_]


def completed(boxes: Sequence[Box], across: Pixels, down: Pixels, points: float) -> list[Box]:
    """The boxes with those that lost their left or right side.

    `across` and `down` are the masks of strokes of the flat page (`down` laid on its side, as `line_pieces.strokes`
    gives it), `points` their pixels to the point.
    """
    width = across.shape[1] / points
    found = list(boxes)
    level, upright = across > 0, down.T > 0
    for _ in range(_ROUNDS):
        before = len(found)
        found += _lost_on_the_left(found, level, upright, points)
        mirrored = [_mirrored(box, width) for box in found]
        found += [
            _mirrored(box, width) for box in _lost_on_the_left(mirrored, level[:, ::-1], upright[:, ::-1], points)
        ]
        if len(found) == before:
            break
    return found


def _mirrored(box: Box, width: float) -> Box:
    return Box(width - box.x1, box.y0, width - box.x0, box.y1)


def _lost_on_the_left(boxes: Sequence[Box], level: Bits, upright: Bits, points: float) -> list[Box]:
    columns = _columns(boxes)
    found: list[Box] = []
    for run in _runs(boxes):
        # A lost cell is as high as one cell of the run or, like a heading, as several of them.
        first = 0
        while first < len(run):
            lost = next(
                (
                    (box, last)
                    for last in range(first, len(run))
                    if (box := _lost(run[first : last + 1], columns, [*boxes, *found], level, upright, points))
                ),
                None,
            )
            if lost is None:
                first += 1
                continue
            found.append(lost[0])
            first = lost[1] + 1
    return found


def _columns(boxes: Sequence[Box]) -> list[float]:
    """Where several boxes begin or end, from right to left."""
    edges = sorted(edge for box in boxes for edge in (box.x0, box.x1))
    groups: list[list[float]] = []
    for edge in edges:
        if groups and edge - groups[-1][-1] <= _ONE_COLUMN:
            groups[-1].append(edge)
        else:
            groups.append([edge])
    return [sum(group) / len(group) for group in reversed(groups) if len(group) >= _LEAST_BOXES]


def _runs(boxes: Sequence[Box]) -> Iterator[list[Box]]:
    """Boxes with nothing to their left, those that follow one another down one column together."""
    alone = [box for box in boxes if not any(_is_left_of(other, box) for other in boxes)]
    alone.sort(key=lambda box: box.y0)
    while alone:
        run = [alone.pop(0)]
        for box in list(alone):
            if abs(box.y0 - run[-1].y1) <= _ONE_COLUMN and abs(box.x0 - run[-1].x0) <= _ONE_COLUMN:
                run.append(box)
                alone.remove(box)
        yield run


def _is_left_of(other: Box, box: Box) -> bool:
    shared = min(other.y1, box.y1) - max(other.y0, box.y0)
    return abs(other.x1 - box.x0) <= _ONE_COLUMN and shared > 0.5 * min(other.y1 - other.y0, box.y1 - box.y0)


def _lost(
    run: Sequence[Box], columns: Sequence[float], boxes: Sequence[Box], level: Bits, upright: Bits, points: float
) -> Box | None:
    """The cell to the left of these, if its three other sides are there."""
    right, top, bottom = run[0].x0, run[0].y0, run[-1].y1
    for left in columns:
        if right - left < _NARROWEST:
            continue
        box = Box(left, top, right, bottom)
        inner = Box(left + _ONE_COLUMN, top + 1, right - _ONE_COLUMN, bottom - 1)
        if any(inner.meets(other) for other in boxes):
            return None
        lines = (_seen(level, left, right, y, points) >= _LEAST_LEVEL for y in (top, bottom))
        if not all(lines):
            return None
        if _seen(upright.T, top, bottom, left, points) >= _LEAST_UPRIGHT:
            return box
    return None


def _seen(strokes: Bits, start: float, end: float, at: float, points: float) -> float:
    """The share of a level line from `start` to `end` at the height `at` that is there."""
    row, first, last = round(at * points), round(start * points), round(end * points)
    band = strokes[max(0, row - _NEAR) : row + _NEAR + 1, max(0, first) : max(0, last)]
    return float(band.any(axis=0).mean()) if band.size else 0.0
