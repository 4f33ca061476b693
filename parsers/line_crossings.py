"""Where lines of one direction meet those of the other, and which strokes lie on one line.

Pure geometry on all lines at once, since a page has a hundred lines and ten thousand pairs of them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from parsers.line_pieces import Line, Numbers

Meeting = tuple[float, Line]


def places(lines: Numbers, along: Any) -> Numbers:  # noqa: ANN401 - a number or an array of them
    """`Line.place` for many lines and places; the last axis of `lines` holds the first five values of each line."""
    at, start, end, lean, bow = (lines[..., each] for each in range(5))
    u = np.clip(2 * (along - start) / np.maximum(end - start, 1e-9) - 1, -1.0, 1.0)
    return np.asarray(at + lean * u + bow * u * u)


def table(lines: Sequence[Line]) -> Numbers:
    """The lines as an array for `places`, one row each."""
    return np.array([line[:5] for line in lines], np.float64).reshape(-1, 5)


class Crossings:
    """Looks up where lines of the other direction cross or meet a line."""

    def __init__(self, others: Sequence[Line], touch: float) -> None:
        self._touch = touch
        self._others = others
        self._table = table(others)[None]

    def on_all(self, lines: Sequence[Line], more: float = 0.0, beyond: float = 0.0) -> list[list[Meeting]]:
        """For each line where along it others cross or meet it, up to `more` beyond its ends, in order; the others may
        be as short of it as `beyond`."""
        ours, reach, short = table(lines)[:, None], self._touch + more, self._touch + beyond
        here = places(ours, places(self._table, ours[..., 0]))
        along = places(self._table, here)
        meets = (ours[..., 1] - reach <= along) & (along <= ours[..., 2] + reach)
        meets &= (self._table[..., 1] - short <= here) & (here <= self._table[..., 2] + short)
        which, other = np.nonzero(meets)
        where = along[which, other]
        order = np.lexsort((where, which))
        found: list[list[Meeting]] = [[] for _ in lines]
        for line, met, at in zip(which[order].tolist(), other[order].tolist(), where[order].tolist(), strict=True):
            found[line].append((at, self._others[met]))
        return found

    def ends(self, lines: Sequence[Line]) -> list[tuple[bool, bool]]:
        """Whether each line begins on another one, and whether it ends on one."""
        return [
            (met[0][0] <= line.start + self._touch, met[-1][0] >= line.end - self._touch) if met else (False, False)
            for line, met in zip(lines, self.on_all(lines), strict=True)
        ]


def part(line: Line, start: float, end: float) -> Line:
    """A part of a line; what it looks like stays."""
    first, middle, last = line.place(start), line.place((start + end) / 2), line.place(end)
    return line._replace(at=middle, start=start, end=end, lean=(last - first) / 2, bow=(last + first) / 2 - middle)


def groups(pieces: Sequence[Line], near: float) -> list[list[Line]]:
    """Pieces by the line that they lie on: each joins the nearest of the long ones, the longest of all first."""
    pieces = sorted(pieces, key=lambda line: line.start - line.end)
    heads, mine = table(pieces)[:, None], table(pieces)[None]
    # Compared where they are nearest, since lines bend.
    meeting = np.clip((mine[..., 1] + mine[..., 2]) / 2, heads[..., 1], heads[..., 2])
    off = np.abs(places(heads, meeting) - places(mine, meeting))
    found: list[list[Line]] = []
    leads: list[int] = []
    for index, piece in enumerate(pieces):
        best = int(np.argmin(off[leads, index])) if leads else -1
        if leads and off[leads[best], index] <= near:
            found[best].append(piece)
        else:
            leads.append(index)
            found.append([piece])
    return found
