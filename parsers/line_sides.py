"""The strokes of one direction that may be sides of cells, and the picture that tells what lies on the way of each.

Pure. All measures are in pixels of the flat small picture, laid so that the lines run from left to right.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parsers.line_crossings import places, table
from parsers.line_pieces import Line, Strokes, usual

# In millimetres.
_LONG = 20.0  # a line of this length is none of the strokes of a letter
_FRAME = 35.0  # company seals are smaller
_OVERLAP, _NEXT = 0.6, 3.0  # a stroke as near to the place and to the end of another one carries it on
_WITNESS = 10.0  # a pale stroke as long as this is no row of letters

_STEEP = 0.03
# Ground as dark as this share of the paper is a hole, a staple or the stroke of a seal, which may cover a line.
_COVER = 0.55
# Of so much of a stretch there must be ink or cover, for a line to go on there.
_CONTINUED = 0.9
# The two sides of a line differ in brightness by this much where a filled cell begins there.
_FILL = 10.0
# Only strokes as straight and thin as this tell of a fold.
_EVEN = 0.8
_SAMPLES = 25


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The strokes of one direction.

    `lines` may be ruling lines; `faint` are strokes that are too pale to be, but show where a fold runs. `dark` and
    `body` are the usual contrast and thickness.
    """

    lines: list[Line]
    faint: list[Line]
    strokes: Strokes
    paper: float
    mm: float
    dark: float
    body: float

    def darkness(self, line: Line, start: float, end: float, share: float = 0.5) -> float:
        """The contrast of the line between two places on it, which that share of it does not reach."""
        hat = self.strokes.hat
        inset = min(0.15 * (end - start), self.mm)
        along = np.linspace(start + inset, end - inset, _SAMPLES)
        columns = np.clip(along, 0, hat.shape[1] - 1).astype(np.intp)
        at = np.rint(places(table([line]), along))[:, None] + np.arange(-1, 2)
        rows = np.clip(at, 0, hat.shape[0] - 1).astype(np.intp)
        return float(np.sort(hat[rows, columns[:, None]].max(axis=1))[round(share * (_SAMPLES - 1))])

    def covered(self, start: float, end: float, from_at: float, to_at: float) -> float:
        """The share of the way from one place to another that something dark covers."""
        ground = self.strokes.ground
        along = np.clip(np.linspace(start, end, 11), 0, ground.shape[1] - 1).astype(np.intp)
        rows = np.clip(np.linspace(from_at, to_at, 11), 0, ground.shape[0] - 1).astype(np.intp)
        return float((ground[rows, along] < _COVER * self.paper).mean())

    def continued(self, start: float, end: float, from_at: float, to_at: float) -> bool:
        """Whether nearly everywhere on the way there is ink of a line, or something dark that covers it.

        A slanted stroke of a seal that runs over a line makes a tangle of both, which `lines_in` gives up.
        """
        hat, ground = self.strokes.hat, self.strokes.ground
        along = np.arange(max(0, int(start)), min(ground.shape[1], int(end) + 1), 2)
        if not len(along):
            return True
        at = np.rint(np.interp(along, (start, end), (from_at, to_at)))
        rows = np.clip(at + np.arange(-1, 2)[:, None], 0, ground.shape[0] - 1).astype(np.intp)
        ink = hat[rows, along].max(axis=0) > 0.35 * self.dark
        dark = ground[rows[1], along] < _COVER * self.paper
        return bool((ink | dark).mean() > _CONTINUED)

    def fill_begins(self, line: Line) -> bool:
        """Whether all along the line it is darker on one side than on the other: there a filled cell begins."""
        ground = self.strokes.ground
        along = np.clip(np.linspace(line.start, line.end, 13)[1:-1], 0, ground.shape[1] - 1).astype(np.intp)
        at = places(table([line]), along)
        off = round(1.3 * self.mm)
        above, below = (
            ground[np.clip(np.rint(at + by), 0, ground.shape[0] - 1).astype(np.intp), along].astype(np.float64)
            for by in (-off, off)
        )
        step = below - above
        return bool(
            abs(np.median(step)) > _FILL
            and np.percentile(np.abs(step - np.median(step)), 80) < abs(np.median(step)) / 2
        )


def side_of(lines: Sequence[Line], strokes: Strokes, paper: float, mm: float) -> Side:
    """The side without the strokes that are no straight thin line at all: rows of letters, blots, a faint seal."""
    dark, body = usual(lines)
    kept, faint = [], []
    for line in lines:
        if _is_plausible(line, lines, dark, body, mm):
            kept.append(line)
        elif line.length >= _WITNESS * mm and line.dark < 0.5 * dark and min(line.straight, line.thin) >= _EVEN:
            faint.append(line)
    return Side(kept, faint, strokes, paper, mm, dark, body)


def _is_plausible(line: Line, lines: Sequence[Line], dark: float, body: float, mm: float) -> bool:
    if line.straight < 0.55 or line.dark < (0.42 if line.length < 5 * _LONG * mm else 0.3) * dark:
        return False
    # The page is flat by now, and no line climbs any more.
    if abs(line.lean) > _STEEP * line.length / 2 + 1.5:
        return False
    # The frame of a square seal is as long as a line, but bolder, and stands alone.
    if line.length < _FRAME * mm and line.body > 1.8 * body + 0.8 and not _is_carried_on(line, lines, mm):
        return False
    return line.length >= _LONG * mm or (line.dark >= 0.4 * dark and line.thin >= 0.4)


def _is_carried_on(line: Line, lines: Sequence[Line], mm: float) -> bool:
    """Whether a stroke on the same line begins where this one ends, or ends where it begins."""
    return any(
        abs(other.at - line.at) < _OVERLAP * mm
        and min(abs(other.start - line.end), abs(line.start - other.end)) < _NEXT * mm
        for other in lines
    )
