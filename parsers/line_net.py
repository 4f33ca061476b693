"""Strokes of both directions → the sides of cells: lines that begin and end on lines of the other direction.

Pure. What parts a ruling line from a stroke of text, an underline, a seal or a fold is where it ends and how it looks:
a side of a cell ends on other sides of cells, and is as thin, straight and dark as they are. So strokes are joined
where something covers them, cut back to their crossings, and what is short must look like a ruling line: half of a
value that is read as the whole is worse than a cell that is not found.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from parsers.line_pieces import Line, Strokes, both, usual

# In millimetres.
_ONE_LINE = 0.6  # strokes as near to each other as this lie on one line
_SMEAR = 0.6  # gaps within a line that noise and JPEG make
_TOUCH = 0.7  # a line that ends this near to another one ends on it
_HOLE = 9.0  # the widest break that is mended: a punch hole with its rim
_FAR = 20.0  # a line that was lost on so much of its way is found again by the ink that is left of it
_SEAL = 30.0  # the same where the line goes on behind: the width of a seal
_NICK = 3.0  # the widest break that is mended where one of its ends has another explanation
_LONG = 20.0  # a line of this length is none of the strokes of a letter
_OVERHANG = 5.0  # a line that stands out so far over the grid on both sides lies on a fold or an edge
_FRAME = 35.0  # company seals are smaller
_SAME_COLUMN = 1.0  # a short line that carries on a long one elsewhere is off it by this much at the most

# A line is cut where a share of the stretch between two crossings is not there and nothing covers it.
_MISSING = 0.4
_CONTINUED = 0.9
# Ground as dark as this share of the paper is a hole, a staple or the stroke of a seal, which may cover a line.
_COVER = 0.55
# Where it shows in one margin only, it must be paler than lines are, and stand out further.
_PALE, _LONG_OVERHANG = 0.7, 12.5
# A stroke on a fold is a ruling line where it is so much darker than the fold is in the margin.
_DARKER_THAN_FOLD = 1.5
# A stretch of a line, of at least so many millimetres, that has no more than this of its contrast,
# and of that of all lines, is none of it.
_LEAST_STRETCH, _FADED, _PALER = 3.0, 0.4, 0.33
_STEEP = 0.03
# The two sides of a line differ in brightness by this much where a filled cell begins there.
_FILL = 10.0
# Drawings and noise: no form has so many lines or crossings.
_MOST_LINES = 1500


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """The strokes of one direction and the picture that they were found on."""

    lines: list[Line]
    strokes: Strokes
    paper: float
    dark: float
    body: float


def connect(
    across: tuple[list[Line], Strokes], down: tuple[list[Line], Strokes], mm: float, paper: int
) -> tuple[list[Line], list[Line]]:
    """The sides of cells across and down; nothing where there are too many strokes for a form."""
    if not all(0 < len(lines) <= _MOST_LINES for lines, _ in (across, down)):
        return [], []
    sides = [_Side(_plausible(lines, mm), found, float(paper), *usual(lines)) for lines, found in (across, down)]
    rows, columns = (_Net(side, other, mm) for side, other in (sides, sides[::-1]))
    first = [net.bridged() for net in (rows, columns)]
    lines = [rows.unfolded(first[0], first[1]), columns.unfolded(first[1], first[0])]
    lines = [rows.trimmed(lines[0], lines[1]), columns.trimmed(lines[1], lines[0])]
    lines = [rows.reached(lines[0], lines[1]), columns.reached(lines[1], lines[0])]
    # What loses its hold may have been the hold of another: a few rounds settle all but drawings.
    for _ in range(5):
        before = len(lines[0]) + len(lines[1])
        lines[0] = rows.held(lines[0], lines[1])
        lines[1] = columns.held(lines[1], lines[0])
        if len(lines[0]) + len(lines[1]) == before:
            break
    return lines[0], lines[1]


def _plausible(lines: Sequence[Line], mm: float) -> list[Line]:
    """Without the strokes that are no straight thin line at all: rows of letters, blots, the strokes of a faint seal."""
    dark, body = usual(lines)
    kept = []
    for line in lines:
        if line.straight < 0.55 or line.dark < (0.42 if line.length < 5 * _LONG * mm else 0.3) * dark:
            continue
        # The page is flat by now, and no line climbs any more.
        if abs(line.lean) > _STEEP * line.length / 2 + 1.5:
            continue
        # The frame of a square seal is as long as a line, but bolder.
        if line.length < _FRAME * mm and line.body > 1.8 * body + 0.8:
            continue
        if line.length < _LONG * mm and (line.dark < 0.4 * dark or line.thin < 0.4):
            continue
        kept.append(line)
    return kept


class _Crossings:
    """Looks up which lines of the other direction stand at a place."""

    def __init__(self, others: Sequence[Line], touch: float) -> None:
        self._touch = touch
        self._others = sorted(others, key=lambda line: line.at)
        self._ats = [line.at for line in self._others]
        # Lines bend, so that one may lie this much beside its middle.
        self._slack = touch + max((abs(line.lean) + abs(line.bow) for line in others), default=0.0)

    def on(self, line: Line, more: float = 0.0, beyond: float = 0.0) -> list[tuple[float, Line]]:
        """Where along the line others cross or meet it, up to `more` beyond its ends, in order; the others may be
        as short of it as `beyond`."""
        reach = self._touch + more
        first = bisect_left(self._ats, line.start - reach - self._slack)
        last = bisect_right(self._ats, line.end + reach + self._slack)
        met = []
        for other in self._others[first:last]:
            if not other.start - self._touch - beyond - 8 <= line.at <= other.end + self._touch + beyond + 8:
                continue
            here = line.place(other.place(line.at))
            along = other.place(here)
            if line.start - reach <= along <= line.end + reach and (
                other.start - self._touch - beyond <= here <= other.end + self._touch + beyond
            ):
                met.append((along, other))
        met.sort(key=lambda each: each[0])
        return met

    def ends(self, line: Line) -> tuple[bool, bool]:
        """Whether the line begins on another one, and whether it ends on one."""
        met = self.on(line)
        if not met:
            return False, False
        return met[0][0] <= line.start + self._touch, met[-1][0] >= line.end - self._touch


class _Net:
    """The lines of one direction against those of the other."""

    def __init__(self, side: _Side, other: _Side, mm: float) -> None:
        self._side, self._other, self._mm = side, other, mm

    def bridged(self) -> list[Line]:
        """Breaks closed that something covers or that nothing explains; the gap between two tables is no break."""
        crossings = _Crossings(self._other.lines, _TOUCH * self._mm)
        done: list[Line] = []
        for group in _groups(self._side.lines, _ONE_LINE * self._mm):
            last: Line | None = None
            for line in sorted(group, key=lambda each: each.start):
                if last is not None and self._is_break(last, line, crossings):
                    last = both(last, line)
                    continue
                if last is not None:
                    done.append(last)
                last = line
            if last is not None:
                done.append(last)
        return done

    def _is_break(self, first: Line, second: Line, crossings: _Crossings) -> bool:
        gap, mm = second.start - first.end, self._mm
        if gap <= _SMEAR * mm:
            return True
        ends = first.place(first.end), second.place(second.start)
        if gap > _SEAL * mm or abs(ends[0] - ends[1]) > 1.2 * _ONE_LINE * mm:
            return False
        if self._continued(first.end, second.start, *ends):
            return True
        if gap > _HOLE * mm:
            return False
        shorter, longer = sorted((first.length, second.length))
        if self._hidden(first, second) > 0.5 and longer >= gap:
            return True
        ended, began = crossings.ends(first)[1], crossings.ends(second)[0]
        if ended and began:
            return False
        # Strokes of letters in a row are short, and nearly always shorter than the blank between them and a line.
        if ended or began:
            return shorter >= _LONG / 2 * mm and gap <= _NICK * mm
        return min(first.thin, second.thin) > 0.6 and (shorter >= gap or longer >= _LONG * mm)

    def _hidden(self, first: Line, second: Line) -> float:
        """The share of the way from one line to the next that something dark covers."""
        return self._covered(first.end, second.start, first.place(first.end), second.place(second.start))

    def _covered(self, start: float, end: float, from_at: float, to_at: float) -> float:
        ground = self._side.strokes.ground
        along = np.clip(np.linspace(start, end, 11), 0, ground.shape[1] - 1).astype(np.intp)
        rows = np.clip(np.linspace(from_at, to_at, 11), 0, ground.shape[0] - 1).astype(np.intp)
        return float((ground[rows, along] < _COVER * self._side.paper).mean())

    def _continued(self, start: float, end: float, from_at: float, to_at: float) -> bool:
        """Whether nearly everywhere on the way there is ink of a line, or something dark that covers it.

        A slanted stroke of a seal that runs over a line makes a tangle of both, which `lines_in` gives up.
        """
        hat, ground = self._side.strokes.hat, self._side.strokes.ground
        along = np.arange(max(0, int(start)), min(ground.shape[1], int(end) + 1), 2)
        if not len(along):
            return True
        at = np.rint(np.interp(along, (start, end), (from_at, to_at)))
        rows = np.clip(at + np.arange(-1, 2)[:, None], 0, ground.shape[0] - 1).astype(np.intp)
        ink = hat[rows, along].max(axis=0) > 0.35 * self._side.dark
        dark = ground[rows[1], along] < _COVER * self._side.paper
        return bool((ink | dark).mean() > _CONTINUED)

    def unfolded(self, lines: Sequence[Line], others: Sequence[Line]) -> list[Line]:
        """The lines without those that are but a fold: it shows in the margins on both sides, where no table has lines.

        A ruling line that lies on the fold is darker than the fold is alone.
        """
        crossings = _Crossings(others, _TOUCH * self._mm)
        kept: list[Line] = []
        for group in _groups(lines, _ONE_LINE * self._mm):
            places = [along for line in group for along, _ in crossings.on(line)]
            if places:
                first, last = min(places), max(places)
                before = sum(max(0.0, min(line.end, first) - line.start) for line in group)
                behind = sum(max(0.0, line.end - max(line.start, last)) for line in group)
                pale = all(line.dark < _PALE * self._side.dark for line in group)
                if min(before, behind) > _OVERHANG * self._mm or (
                    pale and max(before, behind) > _LONG_OVERHANG * self._mm
                ):
                    kept += (part for line in group for part in self._on_fold(line, first, last, crossings))
                    continue
            kept += group
        return kept

    def _on_fold(self, line: Line, first: float, last: float, crossings: _Crossings) -> Iterator[Line]:
        margins = [(line.start, min(line.end, first)), (max(line.start, last), line.end)]
        fold = max((self._dark(line, start, end) for start, end in margins if end - start > 2 * self._mm), default=0.0)
        for (start, _), (end, _) in pairwise(crossings.on(line)):
            if end - start <= 2 * _TOUCH * self._mm:
                continue
            # Letters on the fold are dark in places, a line is dark all along.
            dark = self._dark(line, start, end, share=0.3)
            if dark > _DARKER_THAN_FOLD * fold:
                yield _part(line, start, end)._replace(dark=dark)

    def trimmed(self, lines: Sequence[Line], others: Sequence[Line]) -> list[Line]:
        """Lines without a pale stretch at their ends, where a fold or a shadow carries a line on into a wide cell."""
        crossings = _Crossings(others, _TOUCH * self._mm)
        done = []
        for line in lines:
            places = [along for along, _ in crossings.on(line)]
            if line.length > _LONG * self._mm and len(places) > 2:
                whole = self._dark(line, places[0], places[-1])
                while len(places) > 2 and self._fades(line, places[0], places[1], whole):
                    line = _part(line, places[1], line.end)
                    places = places[1:]
                while len(places) > 2 and self._fades(line, places[-2], places[-1], whole):
                    line = _part(line, line.start, places[-2])
                    places = places[:-1]
            done.append(line)
        return done

    def _fades(self, line: Line, start: float, end: float, whole: float) -> bool:
        """Whether a stretch between two crossings is much paler than the line is, and nothing covers it."""
        # On a grey fill, the border of a table has less contrast than elsewhere, but that of a line.
        pale = min(_FADED * whole, _PALER * self._side.dark)
        if end - start < _LEAST_STRETCH * self._mm or self._dark(line, start, end, share=0.7) >= pale:
            return False
        return self._covered(start, end, line.place(start), line.place(end)) < 0.3

    def _dark(self, line: Line, start: float, end: float, share: float = 0.5) -> float:
        """The contrast of the line between two places on it, which that share of it does not reach."""
        hat = self._side.strokes.hat
        inset = min(0.15 * (end - start), self._mm)
        along = np.linspace(start + inset, end - inset, 25)
        at = np.array([line.place(each) for each in along])
        columns = np.clip(along, 0, hat.shape[1] - 1).astype(np.intp)
        rows = np.clip(np.rint(at)[:, None] + np.arange(-1, 2), 0, hat.shape[0] - 1).astype(np.intp)
        return float(np.quantile(hat[rows, columns[:, None]].max(axis=1), share))

    def reached(self, lines: Sequence[Line], others: Sequence[Line]) -> list[Line]:
        """Lines that begin on another one and just miss the one on which they should end, or the other way round.

        A hole at a corner takes the ends of both its sides, so the other one may be as short of the corner as this one.
        """
        crossings = _Crossings(others, _TOUCH * self._mm)
        far = _FAR * self._mm
        done = []
        for line in lines:
            began, ended = crossings.ends(line)
            if began == ended or line.length < _LONG * self._mm / 2 or line.thin < 0.6:
                done.append(line)
                continue
            met = crossings.on(line, more=far, beyond=far)
            if began:
                goals = [
                    along for along, other in met if along > line.end and self._may_reach(line, line.end, along, other)
                ]
                done.append(line._replace(end=goals[0]) if goals else line)
            else:
                goals = [
                    along
                    for along, other in met
                    if along < line.start and self._may_reach(line, line.start, along, other)
                ]
                done.append(line._replace(start=goals[-1]) if goals else line)
        return done

    def _may_reach(self, line: Line, end: float, goal: float, other: Line) -> bool:
        at = line.place(end)
        missing = max(other.start - at, at - other.end, 0.0)
        if (abs(end - goal) < _HOLE * self._mm and self._covered(end, goal, at, at) > 0.5) or self._continued(
            *sorted((end, goal)), at, at
        ):
            return True
        # A white hole: both sides of the corner are long, thin lines.
        return (
            min(line.length, other.length) >= _LONG * self._mm
            and min(line.thin, other.thin) > 0.8
            and abs(goal - end) + missing <= 1.5 * _HOLE * self._mm
            and missing > 0
        )

    def held(self, lines: Sequence[Line], others: Sequence[Line]) -> list[Line]:
        """The lines from their first crossing to their last; those with fewer than two are gone, and short ones that
        do not look like a ruling line."""
        crossings = _Crossings(others, _TOUCH * self._mm)
        cut = []
        for line in lines:
            met = crossings.on(line)
            if len(met) >= 2 and met[-1][0] - met[0][0] >= 2.0 * self._mm:
                cut.append((line, _part(line, met[0][0], met[-1][0])))
        long = sorted(part.at for _, part in cut if part.length >= _LONG * self._mm)
        return [part for line, part in cut if part.length >= _LONG * self._mm or self._looks_right(line, part, long)]

    def _looks_right(self, line: Line, part: Line, long: Sequence[float]) -> bool:
        near = bisect_left(long, part.at - _SAME_COLUMN * self._mm) < bisect_right(
            long, part.at + _SAME_COLUMN * self._mm
        )
        over = max(part.start - line.start, line.end - part.end)
        short = max(line.start - part.start, part.end - line.end)
        if near:
            return line.straight > 0.6 and over < 2.0 * self._mm
        # A stroke of a seal or a letter does not end on the ruling line that it happens to cross, and it bends.
        return (
            over < 0.9 * self._mm
            and short < 0.6 * self._mm
            and line.straight > 0.8
            and line.thin > 0.7
            and abs(line.lean) + abs(line.bow) < 1.5
            and line.body < 2.0 * self._side.body + 1
            and (self._fill_begins(line) or self._is_bold(line, short))
        )

    def _is_bold(self, line: Line, short: float) -> bool:
        """Whether it is as dark and thick as ruling lines are, and reaches the lines on which it ends."""
        return short < 0.35 * self._mm and line.body > 0.45 * self._side.body and line.dark > 0.42 * self._side.dark

    def _fill_begins(self, line: Line) -> bool:
        """Whether all along the line it is darker on one side than on the other: there a filled cell begins."""
        ground = self._side.strokes.ground
        along = np.clip(np.linspace(line.start, line.end, 13)[1:-1], 0, ground.shape[1] - 1).astype(np.intp)
        at = np.array([line.place(each) for each in along.tolist()])
        off = round(1.3 * self._mm)
        above, below = (
            ground[np.clip(np.rint(at + by), 0, ground.shape[0] - 1).astype(np.intp), along].astype(np.float64)
            for by in (-off, off)
        )
        step = below - above
        return bool(
            abs(np.median(step)) > _FILL
            and np.percentile(np.abs(step - np.median(step)), 80) < abs(np.median(step)) / 2
        )


def _part(line: Line, start: float, end: float) -> Line:
    """A part of a line; what it looks like stays."""
    first, middle, last = line.place(start), line.place((start + end) / 2), line.place(end)
    return line._replace(at=middle, start=start, end=end, lean=(last - first) / 2, bow=(last + first) / 2 - middle)


def _groups(pieces: Sequence[Line], near: float) -> list[list[Line]]:
    """Pieces by the line that they lie on: each joins the nearest of the long ones, the longest of all first."""
    heads: list[Line] = []
    ats = np.zeros(len(pieces))
    groups: list[list[Line]] = []
    for piece in sorted(pieces, key=lambda line: line.start - line.end):
        best, found = near, -1
        for index in np.flatnonzero(np.abs(ats[: len(heads)] - piece.at) <= 4 * near + 8).tolist():
            head = heads[index]
            # Compared where they are nearest, since lines bend.
            meeting = min(max(head.start, (piece.start + piece.end) / 2), head.end)
            off = abs(head.place(meeting) - piece.place(meeting))
            if off <= best:
                best, found = off, index
        if found >= 0:
            groups[found].append(piece)
        else:
            ats[len(heads)] = piece.at
            heads.append(piece)
            groups.append([piece])
    return groups
