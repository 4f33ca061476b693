"""Strokes of both directions → the sides of cells: lines that begin and end on lines of the other direction.

Pure. What parts a ruling line from a stroke of text, an underline, a seal or a fold is where it ends and how it looks:
a side of a cell ends on other sides of cells, and is as thin, straight and dark as they are. So strokes are joined
where something covers them, cut back to their crossings, and what is short must look like a ruling line: half of a
value that is read as the whole is worse than a cell that is not found. Weak: a drawn square of less than four
millimetres is no box, since the strokes of letters are as long.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

from parsers.line_crossings import Crossings, Meeting, groups, part
from parsers.line_pieces import Line, Strokes, both
from parsers.line_sides import Side, side_of

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
_SAME_COLUMN = 1.0  # a short line that carries on a long one elsewhere is off it by this much at the most
_SAME_SHORT = 0.4  # the same where the other one is short, too, but looks right

# Where it shows in one margin only, it must be paler than lines are, and stand out further.
_PALE, _LONG_OVERHANG = 0.7, 12.5
# A stroke on a fold is a ruling line where it is so much darker than the fold is in the margin.
_DARKER_THAN_FOLD = 1.5
# It has half of the contrast of lines as well; letters on a pale fold have less over the height of a cell.
_LEAST_ON_FOLD = 0.5
# A stretch of a line, of at least so many millimetres, that has no more than this of its contrast,
# and of that of all lines, is none of it.
_LEAST_STRETCH, _FADED, _PALER = 3.0, 0.4, 0.33
# Drawings and noise: no form has so many lines or crossings.
_MOST_LINES = 1500


def connect(
    across: tuple[list[Line], Strokes], down: tuple[list[Line], Strokes], mm: float, paper: int
) -> tuple[list[Line], list[Line]]:
    """The sides of cells across and down; nothing where there are too many strokes for a form."""
    if not all(0 < len(lines) <= _MOST_LINES for lines, _ in (across, down)):
        return [], []
    sides = [side_of(lines, found, float(paper), mm) for lines, found in (across, down)]
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


class _Net:
    """The lines of one direction against those of the other."""

    def __init__(self, side: Side, other: Side, mm: float) -> None:
        self._side, self._other, self._mm = side, other, mm

    def bridged(self) -> list[Line]:
        """Breaks closed that something covers or that nothing explains; the gap between two tables is no break."""
        lines = self._side.lines
        ends = dict(zip(lines, Crossings(self._other.lines, _TOUCH * self._mm).ends(lines), strict=True))
        done: list[Line] = []
        for group in groups(lines, _ONE_LINE * self._mm):
            last: Line | None = None
            ended = False
            for line in sorted(group, key=lambda each: each.start):
                began, ends_here = ends[line]
                if last is not None and self._is_break(last, line, ended=ended, began=began):
                    ended = ends_here if line.end >= last.end else ended
                    last = both(last, line)
                    continue
                if last is not None:
                    done.append(last)
                last, ended = line, ends_here
            if last is not None:
                done.append(last)
        return done

    def _is_break(self, first: Line, second: Line, *, ended: bool, began: bool) -> bool:
        """Whether the gap between two strokes of one line is but a break in it; `ended` and `began` tell whether a
        line of the other direction stands where the first ends and where the second begins."""
        gap, mm = second.start - first.end, self._mm
        if gap <= _SMEAR * mm:
            return True
        ends = first.place(first.end), second.place(second.start)
        if gap > _SEAL * mm or abs(ends[0] - ends[1]) > 1.2 * _ONE_LINE * mm:
            return False
        if self._side.continued(first.end, second.start, *ends):
            return True
        if gap > _HOLE * mm:
            return False
        shorter, longer = sorted((first.length, second.length))
        if self._side.covered(first.end, second.start, *ends) > 0.5 and longer >= gap:
            return True
        if ended and began:
            return False
        # Strokes of letters in a row are short, and nearly always shorter than the blank between them and a line.
        if ended or began:
            return shorter >= _LONG / 2 * mm and gap <= _NICK * mm
        return min(first.thin, second.thin) > 0.6 and (shorter >= gap or longer >= _LONG * mm)

    def unfolded(self, lines: Sequence[Line], others: Sequence[Line]) -> list[Line]:
        """The lines without those that are but a fold: it shows in the margins on both sides, where no table has lines.

        A ruling line that lies on the fold is darker than the fold is alone.
        """
        seen = [*lines, *self._side.faint]
        met = dict(zip(seen, Crossings(others, _TOUCH * self._mm).on_all(seen), strict=True))
        faint = set(self._side.faint)
        kept: list[Line] = []
        for group in groups(seen, _ONE_LINE * self._mm):
            real = [line for line in group if line not in faint]
            # A dark line beside a pale stroke of something else is no fold.
            witnesses = real if real and min(line.dark for line in real) >= _PALE * self._side.dark else group
            margins = self._margins(witnesses, [along for line in witnesses for along, _ in met[line]])
            if margins and self._is_fold(margins, real):
                fold = self._fold(margins)
                kept += (piece for line in witnesses for piece in self._on_fold(line, met[line], fold))
            else:
                kept += real
        return kept

    @staticmethod
    def _margins(group: Sequence[Line], places: Sequence[float]) -> list[tuple[Line, float, float, bool]]:
        """The pieces that stand out over the first crossing or, told by True, over the last."""
        if not places:
            return []
        first, last = min(places), max(places)
        before = [(line, line.start, min(line.end, first), False) for line in group if line.start < first]
        return before + [(line, max(line.start, last), line.end, True) for line in group if line.end > last]

    def _is_fold(self, margins: Sequence[tuple[Line, float, float, bool]], real: Sequence[Line]) -> bool:
        before, behind = (sum(end - start for _, start, end, far in margins if far == which) for which in (False, True))
        pale = all(line.dark < _PALE * self._side.dark for line in real)
        return min(before, behind) > _OVERHANG * self._mm or (pale and max(before, behind) > _LONG_OVERHANG * self._mm)

    def _fold(self, margins: Sequence[tuple[Line, float, float, bool]]) -> float:
        """How dark the fold is where it lies alone; letters may stand on some of it."""
        seen = sorted(
            self._side.darkness(line, start, end) for line, start, end, _ in margins if end - start > 2 * self._mm
        )
        return seen[len(seen) // 2] if seen else 0.0

    def _on_fold(self, line: Line, met: Sequence[Meeting], fold: float) -> Iterator[Line]:
        """The stretches of a stroke on a fold that are so dark that a ruling line must lie there."""
        begun: float | None = None
        reached = 0.0
        for (start, _), (end, _) in pairwise(met):
            if end - start <= 2 * _TOUCH * self._mm:
                continue
            least = max(_DARKER_THAN_FOLD * fold, _LEAST_ON_FOLD * self._side.dark)
            if self._is_dark_all_along(line, start, end, least):
                begun = start if begun is None else begun
                reached = end
            elif begun is not None:
                yield self._stretch(line, begun, reached)
                begun = None
        if begun is not None:
            yield self._stretch(line, begun, reached)

    def _is_dark_all_along(self, line: Line, start: float, end: float, least: float) -> bool:
        """Whether a line lies there: letters on a fold are dark in places, and not beside the lines of their row."""
        near, far = 0.3 * self._mm, 0.9 * self._mm
        stretches = ((start, end, 0.15), (start + near, start + far, 0.5), (end - far, end - near, 0.5))
        return all(self._side.darkness(line, *stretch) > least for stretch in stretches)

    def _stretch(self, line: Line, start: float, end: float) -> Line:
        # No further than it was seen: the stroke of a letter must not come to end on lines by this.
        seen = part(line, max(start, line.start), min(end, line.end))
        return seen._replace(dark=self._side.darkness(line, start, end))

    def trimmed(self, lines: Sequence[Line], others: Sequence[Line]) -> list[Line]:
        """Lines without a pale stretch at their ends, where a fold or a shadow carries a line on into a wide cell."""
        met = Crossings(others, _TOUCH * self._mm).on_all(lines)
        return [self._trimmed(line, [along for along, _ in crossed]) for line, crossed in zip(lines, met, strict=True)]

    def _trimmed(self, line: Line, places: Sequence[float]) -> Line:
        if line.length <= _LONG * self._mm or len(places) <= 2:
            return line
        whole = self._side.darkness(line, places[0], places[-1])
        while len(places) > 2 and self._fades(line, places[0], places[1], whole):
            line, places = part(line, places[1], line.end), places[1:]
        while len(places) > 2 and self._fades(line, places[-2], places[-1], whole):
            line, places = part(line, line.start, places[-2]), places[:-1]
        return line

    def _fades(self, line: Line, start: float, end: float, whole: float) -> bool:
        """Whether a stretch between two crossings is much paler than the line is, and nothing covers it."""
        # On a grey fill, the border of a table has less contrast than elsewhere, but that of a line.
        pale = min(_FADED * whole, _PALER * self._side.dark)
        if end - start < _LEAST_STRETCH * self._mm or self._side.darkness(line, start, end, share=0.7) >= pale:
            return False
        return self._side.covered(start, end, line.place(start), line.place(end)) < 0.3

    def reached(self, lines: Sequence[Line], others: Sequence[Line]) -> list[Line]:
        """Lines that begin on another one and just miss the one on which they should end, or the other way round.

        A hole at a corner takes the ends of both its sides, so the other one may be as short of the corner as this one.
        """
        crossings, far = Crossings(others, _TOUCH * self._mm), _FAR * self._mm
        done = []
        for line, (began, ended), met in zip(
            lines, crossings.ends(lines), crossings.on_all(lines, more=far, beyond=far), strict=True
        ):
            if began == ended or line.length < _LONG * self._mm / 2 or line.thin < 0.6:
                done.append(line)
                continue
            end = line.end if began else line.start
            goals = [
                along
                for along, other in met
                if (along > end if began else along < end) and self._may_reach(line, end, along, other)
            ]
            if not goals:
                done.append(line)
            else:
                done.append(line._replace(end=goals[0]) if began else line._replace(start=goals[-1]))
        return done

    def _may_reach(self, line: Line, end: float, goal: float, other: Line) -> bool:
        at = line.place(end)
        missing = max(other.start - at, at - other.end, 0.0)
        if missing <= _HOLE * self._mm and (
            (abs(end - goal) < _HOLE * self._mm and self._side.covered(end, goal, at, at) > 0.5)
            or self._side.continued(min(end, goal), max(end, goal), at, at)
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
        cut = []
        for line, met in zip(lines, Crossings(others, _TOUCH * self._mm).on_all(lines), strict=True):
            if len(met) >= 2 and met[-1][0] - met[0][0] >= 2.0 * self._mm:
                cut.append((line, part(line, met[0][0], met[-1][0])))
        long = sorted(piece.at for _, piece in cut if piece.length >= _LONG * self._mm)
        kept = [(line, piece) for line, piece in cut if piece.length >= _LONG * self._mm]
        doubtful: list[tuple[Line, Line]] = []
        for line, piece in cut:
            if piece.length < _LONG * self._mm:
                right = self._carries_on(line, piece, long, _SAME_COLUMN) or self._looks_right(line, piece)
                (kept if right else doubtful).append((line, piece))
        # A short line that something spoils, and others of the same column do not have, is known by them.
        short = sorted(piece.at for _, piece in kept)
        kept += [
            (line, piece)
            for line, piece in doubtful
            if piece.length >= _LONG / 2 * self._mm and self._carries_on(line, piece, short, _SAME_SHORT)
        ]
        return [piece for _, piece in kept]

    def _carries_on(self, line: Line, piece: Line, known: Sequence[float], near: float) -> bool:
        """Whether others stand in the same column and this one, too, begins and ends where they would."""
        first, last = bisect_left(known, piece.at - near * self._mm), bisect_right(known, piece.at + near * self._mm)
        return first < last and line.straight > 0.6 and self._overhang(line, piece) < 2.0 * self._mm

    def _overhang(self, line: Line, piece: Line) -> float:
        """How far the line stands out over its crossings; what is much paler than the line is another stroke."""
        dark = 0.0
        furthest = 0.0
        for start, end in ((line.start, piece.start), (piece.end, line.end)):
            if end - start > 0.9 * self._mm:
                dark = dark or self._side.darkness(line, piece.start, piece.end)
                if self._side.darkness(line, start, end) < 0.6 * dark:
                    continue
            furthest = max(furthest, end - start)
        return furthest

    def _looks_right(self, line: Line, piece: Line) -> bool:
        over = max(piece.start - line.start, line.end - piece.end)
        short = max(line.start - piece.start, piece.end - line.end)
        # A stroke of a seal or a letter does not end on the ruling line that it happens to cross, and it bends.
        return (
            over < 0.9 * self._mm
            and short < 0.6 * self._mm
            and line.straight > 0.8
            and line.thin > 0.7
            and abs(line.lean) + abs(line.bow) < 1.5
            and line.body < 2.0 * self._side.body + 1
            and (self._side.fill_begins(line) or self._is_bold(line, short))
        )

    def _is_bold(self, line: Line, short: float) -> bool:
        """Whether it is as dark and thick as ruling lines are, and reaches the lines on which it ends."""
        return short < 0.35 * self._mm and line.body > 0.45 * self._side.body and line.dark > 0.42 * self._side.dark
