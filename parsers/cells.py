"""Ruling lines → cells, and the characters of a page → runs of text inside those cells.

A form is found by its printed grid, not by coordinates: whatever font, margin or column width it was exported with,
a cell is a rectangle closed by lines on all four sides. Pure geometry, in PDF points, origin at the top left.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from parsers.reading import Box

# Lines nearer than this are one line: exporters draw a border twice, once for each neighbour, or as a double stroke.
SNAP = 2.0
# More grid points than this is a drawing, not a form; without a bound a hostile page could take minutes.
_GRID_LIMIT = 100_000
# Cells narrower or lower than this hold no text.
_SMALLEST = 4.0
# How far a glyph may stand over the border before its text counts as overflowing.
_OVERHANG = 1.5
# Height of the bands in which cells are looked up, so that a page full of text is not compared with every cell.
_BAND = 20.0
_TALL = 2000.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A horizontal or vertical line: `at` is its y or x, `start` and `end` its reach along the other axis."""

    at: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Run:
    """Characters that were drawn one after the other on one line without a gap. `size` is the font size; `red` tells
    that they are printed in red, which a search for seal ink must know."""

    text: str
    box: Box
    size: float
    upright: bool = True
    red: bool = False

    @property
    def middle(self) -> float:
        """The height on the page around which the run stands."""
        return (self.box.y0 + self.box.y1) / 2


@dataclass(frozen=True, slots=True)
class Cell:
    """A closed cell and the text in it. `overflows` is set where text stands out over the border."""

    box: Box
    runs: tuple[Run, ...] = ()
    overflows: bool = False

    @property
    def text(self) -> str:
        """The text of the cell, its lines joined as a reader would."""
        return join_lines(lines_of(self.runs))

    @property
    def area(self) -> float:
        """Square points."""
        return self.box.area


def find_boxes(horizontal: Sequence[Segment], vertical: Sequence[Segment]) -> tuple[Box, ...]:
    """Every rectangle that is closed on all four sides and not divided, merged cells included; in reading order.

    A closed shape that stands free inside a cell is a cell of its own within it. Lines that do not touch belong to
    different tables: two forms beside each other, whose rows are a hair apart, do not disturb one another.
    """
    melted = _melted(horizontal), _melted(vertical)
    if len(melted[0]) * len(melted[1]) > _GRID_LIMIT:
        return ()
    boxes = (box for table in _tables(*melted) for box in _boxes_of_table(*table))
    return tuple(sorted(boxes, key=lambda box: (box.y0, box.x0)))


def _melted(lines: Iterable[Segment]) -> list[Segment]:
    """The lines as a reader sees them: pieces drawn end to end or over one another are one line."""
    ordered = sorted(lines, key=lambda line: line.at)
    melted: list[Segment] = []
    first = 0
    for last, line in enumerate(ordered):
        if last + 1 < len(ordered) and ordered[last + 1].at - line.at <= SNAP:
            continue
        melted += _joined(sorted(ordered[first : last + 1], key=lambda piece: piece.start))
        first = last + 1
    return melted


def _joined(pieces: Sequence[Segment]) -> Iterator[Segment]:
    """Pieces of about one height, from left to right, joined where they touch."""
    group: list[Segment] = []
    end = 0.0
    for piece in pieces:
        if group and piece.start > end + SNAP:
            yield _mean(group, end)
            group = []
        end = max(end, piece.end) if group else piece.end
        group.append(piece)
    if group:
        yield _mean(group, end)


def _mean(group: Sequence[Segment], end: float) -> Segment:
    return Segment(sum(piece.at for piece in group) / len(group), group[0].start, end)


def _tables(
    horizontal: Sequence[Segment], vertical: Sequence[Segment]
) -> Iterator[tuple[Sequence[Segment], Sequence[Segment]]]:
    """The lines in groups that hang together."""
    owner = list(range(len(horizontal) + len(vertical)))

    def root(index: int) -> int:
        while owner[index] != index:
            owner[index] = owner[owner[index]]
            index = owner[index]
        return index

    for index, line in enumerate(horizontal):
        for other, crossing in enumerate(vertical, start=len(horizontal)):
            if (
                line.start - SNAP <= crossing.at <= line.end + SNAP
                and crossing.start - SNAP <= line.at <= crossing.end + SNAP
            ):
                owner[root(other)] = root(index)
    tables: dict[int, tuple[list[Segment], list[Segment]]] = defaultdict(lambda: ([], []))
    for index, line in enumerate((*horizontal, *vertical)):
        tables[root(index)][index >= len(horizontal)].append(line)
    yield from tables.values()


def _boxes_of_table(horizontal: Sequence[Segment], vertical: Sequence[Segment]) -> Iterator[Box]:
    ys, xs = _snapped(line.at for line in horizontal), _snapped(line.at for line in vertical)
    rows, columns = len(ys) - 1, len(xs) - 1
    if rows < 1 or columns < 1 or (rows + 1) * (columns + 1) > _GRID_LIMIT:
        return
    # above[j][i]: a line separates the grid squares (j-1, i) and (j, i); beside[j][i]: (j, i-1) and (j, i).
    above = _covered(horizontal, ys, xs)
    beside = [list(column) for column in zip(*_covered(vertical, xs, ys), strict=True)]
    seen = [[False] * columns for _ in range(rows)]
    for row in range(rows):
        for column in range(columns):
            if seen[row][column]:
                continue
            found = _rectangle(row, column, above, beside, seen)
            if found:
                last_row, last_column = found
                box = Box(xs[column], ys[row], xs[last_column + 1], ys[last_row + 1])
                if box.x1 - box.x0 >= _SMALLEST and box.y1 - box.y0 >= _SMALLEST:
                    yield box


def _snapped(values: Iterable[float]) -> list[float]:
    """The distinct positions, those within SNAP of their neighbour melted into their mean."""
    groups: list[list[float]] = []
    for value in sorted(values):
        if groups and value - groups[-1][-1] <= SNAP:
            groups[-1].append(value)
        else:
            groups.append([value])
    return [sum(group) / len(group) for group in groups]


def _covered(lines: Iterable[Segment], positions: Sequence[float], stops: Sequence[float]) -> list[list[bool]]:
    """For each position and each stretch between two stops, whether a line lies there."""
    grid = [[False] * (len(stops) - 1) for _ in positions]
    for line in lines:
        after = min(max(bisect_left(positions, line.at), 1), len(positions) - 1)
        nearer = after - 1 if line.at - positions[after - 1] < positions[after] - line.at else after
        first, last = bisect_left(stops, line.start - SNAP), bisect_right(stops, line.end + SNAP) - 1
        # A line shorter than any stretch reaches nothing; the slice must not run backwards then.
        last = max(first, last)
        grid[nearer][first:last] = [True] * (last - first)
    return grid


def _rectangle(
    row: int, column: int, above: list[list[bool]], beside: list[list[bool]], seen: list[list[bool]]
) -> tuple[int, int] | None:
    """The last row and column of the undivided area that starts here, or None where it is no closed rectangle."""
    rows, columns = len(seen), len(seen[0])
    members = [(row, column)]
    seen[row][column] = True
    for here_row, here_column in members:
        steps = (
            (here_row - 1, here_column, above[here_row][here_column]),
            (here_row + 1, here_column, above[here_row + 1][here_column]),
            (here_row, here_column - 1, beside[here_row][here_column]),
            (here_row, here_column + 1, beside[here_row][here_column + 1]),
        )
        for next_row, next_column, divided in steps:
            if divided or not (0 <= next_row < rows and 0 <= next_column < columns) or seen[next_row][next_column]:
                continue
            seen[next_row][next_column] = True
            members.append((next_row, next_column))
    last_row, last_column = max(at[0] for at in members), max(at[1] for at in members)
    area = set(members)
    # What lies along the four sides belongs to the cell; a hole inside does not matter, a seal drawn with lines is one.
    closed = all(
        above[row][i] and above[last_row + 1][i] and (row, i) in area and (last_row, i) in area
        for i in range(column, last_column + 1)
    ) and all(
        beside[j][column] and beside[j][last_column + 1] and (j, column) in area and (j, last_column) in area
        for j in range(row, last_row + 1)
    )
    return (last_row, last_column) if closed and min(at[1] for at in members) == column else None


def place_runs(boxes: Sequence[Box], runs: Iterable[Run]) -> tuple[tuple[Cell, ...], tuple[Run, ...]]:
    """Put each run into its cell; the second value are the runs outside of every cell.

    A run belongs to one cell as a whole, so that a value that is too long for its cell stays in one piece.
    """
    bands: dict[int, list[int]] = defaultdict(list)
    # A damaged number can put a line a billion points away; such a cell would fill the memory with bands.
    tall = [index for index, box in enumerate(boxes) if box.y1 - box.y0 > _TALL]
    for index, box in enumerate(boxes):
        if box.y1 - box.y0 <= _TALL:
            for band in range(int(box.y0 // _BAND), int(box.y1 // _BAND) + 1):
                bands[band].append(index)
    inside: list[list[Run]] = [[] for _ in boxes]
    overflows = [False] * len(boxes)
    loose = []
    for run in runs:
        near = (*bands.get(int(run.middle // _BAND), ()), *tall)
        touched = [index for index in near if _touches(boxes[index], run)]
        if not touched:
            loose.append(run)
            continue
        chosen = touched[0] if len(touched) == 1 else min(touched, key=lambda index: _misfit(boxes[index], run))
        inside[chosen].append(run)
        if run.text.strip() and _stands_out(boxes[chosen], run):
            overflows[chosen] = True
    cells = tuple(
        Cell(box, tuple(found), overflow) for box, found, overflow in zip(boxes, inside, overflows, strict=True)
    )
    return cells, tuple(loose)


def _touches(box: Box, run: Run) -> bool:
    return box.y0 <= run.middle <= box.y1 and box.x0 < run.box.x1 and run.box.x0 < box.x1


def _misfit(box: Box, run: Run) -> float:
    """How badly the run fits the cell, taken as flush left, centred or flush right: the best of the three."""
    left, right = abs(run.box.x0 - box.x0), abs(run.box.x1 - box.x1)
    centred = abs(run.box.x0 + run.box.x1 - box.x0 - box.x1) / 2
    # A run that starts left of the cell cannot be flush left in it; the same holds on the right.
    if run.box.x0 < box.x0 - _OVERHANG:
        left = float("inf")
    if run.box.x1 > box.x1 + _OVERHANG:
        right = float("inf")
    return min(left, right, centred)


def _stands_out(box: Box, run: Run) -> bool:
    return run.box.x0 < box.x0 - _OVERHANG or run.box.x1 > box.x1 + _OVERHANG


def lines_of(runs: Iterable[Run]) -> tuple[str, ...]:
    """The lines of text, top to bottom; a wide gap within a line becomes one blank."""
    upright = sorted((run for run in runs if run.upright), key=lambda run: run.middle)
    lines: list[list[Run]] = []
    for run in upright:
        if lines and run.middle - lines[-1][-1].middle <= min(run.size, lines[-1][-1].size) / 2:
            lines[-1].append(run)
        else:
            lines.append([run])
    # Text turned by 90 degrees, as in a narrow heading, keeps the order in which it was drawn.
    turned = "".join(run.text for run in runs if not run.upright)
    return tuple(_join_runs(line) for line in lines) + ((turned,) if turned else ())


def _join_runs(line: list[Run]) -> str:
    ordered = sorted(line, key=lambda run: run.box.x0)
    text = ordered[0].text
    for left, right in pairwise(ordered):
        gap = right.box.x0 - left.box.x1
        blank = gap > 0.25 * min(left.size, right.size) and not text.endswith((" ", "　"))
        text += (" " if blank else "") + right.text
    return text.strip()


def join_lines(lines: Iterable[str]) -> str:
    """Lines as one text: Japanese runs on without a blank, two Latin words are parted by one."""
    joined = ""
    for line in lines:
        if not joined or not line:
            joined += line
        elif joined[-1].isascii() and line[0].isascii() and joined[-1] not in "-@.":
            joined += " " + line
        else:
            joined += line
    return joined
