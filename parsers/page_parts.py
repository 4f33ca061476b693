"""A page as forms: turned upright, parted where it holds several forms, joined where one form runs over two pages.

Pure functions over pages of the text layer or of recognised pictures. Every box keeps the coordinates of the page it
was given; only `upright` and `joined` move boxes, and `turned_back` and `parted` tell where they came from.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from config.forms import Library
from config.request_types import Table
from parsers import characters
from parsers.cells import Cell, Run, lines_of
from parsers.document import Page
from parsers.form_choice import choose_form
from parsers.labels import Grid
from parsers.reading import Box
from parsers.vocabulary import fold_label

# Two sides of a cut are two forms where each has so many parts, and half of the lesser side stands on both.
_LEAST_PARTS, _SHARED_PARTS = 8, 0.5
# So many gaps are looked at closely, those first that part the most texts standing on both sides.
_MOST_GAPS = 3
# More forms than this on one page could not be read by anybody.
_MOST_CUTS = 3
# A frame drawn around everything; no gap would be seen through it.
_FRAME_SHARE = 0.4
_TITLE = re.compile("(申請書|申込書|届出書|変更届|依頼書|届)([(（].*[)）])?$")
# The share of a form, from its top, in which its title stands.
_HEAD = 0.35


# --- turns


def turn_of(page: Page) -> int:
    """By how many degrees the content stands turned against the page: 90 where lines run upwards, 270 downwards.

    Where each letter stands to the one drawn before it decides; the matrix of a font is not asked, because a turn that
    was computed leaves rounding in it that passes for an upright letter.
    """
    votes = dict.fromkeys((0, 90, 180, 270), 0)
    for group in (*(cell.runs for cell in page.cells), page.loose):
        runs = [run for run in group if run.text.strip()]
        # A run of several letters reads from left to right; all other writing comes letter by letter.
        votes[0] += sum(len(run.text.strip()) - 1 for run in runs)
        for first, second in pairwise(runs):
            direction = _direction(first.box, second.box)
            if direction is not None:
                votes[direction] += 1
    return max(votes, key=lambda turn: votes[turn])


def _direction(first: Box, second: Box) -> int | None:
    """The turn under which the second letter follows the first on its line; None where it stands elsewhere."""
    x, y = second.x0 - first.x0, second.y0 - first.y0
    reach = max(first.x1 - first.x0, first.y1 - first.y0)
    if abs(y) < reach / 2 and 0 < abs(x) < 3 * reach:
        return 0 if x > 0 else 180
    if abs(x) < reach / 2 and 0 < abs(y) < 3 * reach:
        return 270 if y > 0 else 90
    return None


def upright(page: Page) -> Page:
    """The page with its content the right way up, as if it had been turned before."""
    turn = turn_of(page)
    return turned(page, turn) if turn else page


def turned(page: Page, turn: int) -> Page:
    """The page turned back by 90, 180 or 270 degrees, as `turn_of` gives them."""
    width, height = (page.width, page.height) if turn == 180 else (page.height, page.width)

    def move(box: Box) -> Box:
        return _moved(box, turn, page.width, page.height)

    def straighten(runs: Sequence[Run]) -> tuple[Run, ...]:
        moved = (replace(run, box=move(run.box), upright=True) for run in runs)
        return tuple(_melted(replace(run, size=run.box.y1 - run.box.y0) for run in moved))

    cells = [Cell(move(cell.box), straighten(cell.runs), cell.overflows) for cell in page.cells]
    # Everything that looks for neighbours expects reading order.
    cells.sort(key=lambda cell: (cell.box.y0, cell.box.x0))
    return replace(page, width=width, height=height, cells=tuple(cells), loose=straighten(page.loose))


def turned_back(box: Box, page: Page, turn: int) -> Box:
    """Where a box of the turned page lies on `page`, the page before it was turned."""
    back = {90: 270, 180: 180, 270: 90}[turn]
    width, height = (page.width, page.height) if turn == 180 else (page.height, page.width)
    return _moved(box, back, width, height)


def _moved(box: Box, turn: int, width: float, height: float) -> Box:
    if turn == 90:
        return Box(height - box.y1, box.x0, height - box.y0, box.x1)
    if turn == 180:
        return Box(width - box.x1, height - box.y1, width - box.x0, height - box.y0)
    return Box(box.y0, width - box.x1, box.y1, width - box.x0)


def _melted(runs: Iterable[Run]) -> Iterator[Run]:
    """Letters that were drawn one by one, as one run where they touch."""
    last: Run | None = None
    for run in runs:
        near = last is not None and -0.12 * run.size < run.box.x0 - last.box.x1 < 0.15 * run.size
        if last is not None and near and abs(run.middle - last.middle) < 0.3 * run.size:
            box = Box(last.box.x0, min(last.box.y0, run.box.y0), run.box.x1, max(last.box.y1, run.box.y1))
            last = replace(last, text=last.text + run.text, box=box)
            continue
        if last is not None:
            yield last
        last = run
    if last is not None:
        yield last


# --- several forms on one page


def split_forms(page: Page, library: Library, table: Table, *, noisy: bool = False) -> tuple[Page, ...]:
    """The forms of one page, each as a page of its own with the cells and lines that belong to it; the page itself
    where it is one form or none. Several blocks of one form share labels, but no part of it stands on it twice."""
    parts = [page]
    for _ in range(_MOST_CUTS):
        for index, part in enumerate(parts):
            halves = _halves(part, library, table, noisy=noisy)
            if halves:
                parts[index : index + 1] = halves
                break
        else:
            break
    return tuple(parts)


def head_lines(page: Page) -> Iterator[str]:
    """The lines in the upper part of a form, which on a split page need not be the upper part of the page."""
    tops = [run.middle for run in page.runs()] + [cell.box.y0 for cell in page.cells]
    if not tops:
        return
    top, bottom = min(tops), max(tops)
    reach = top + _HEAD * max(bottom - top, 1.0)
    yield from lines_of(run for run in page.loose if run.middle <= reach)
    yield from (cell.text for cell in page.cells if cell.box.y1 <= reach)


def _halves(page: Page, library: Library, table: Table, *, noisy: bool) -> tuple[Page, Page] | None:
    cells = [cell for cell in page.cells if cell.box.area < _FRAME_SHARE * page.width * page.height]
    texts = [(cell.box, folded) for cell in cells if (folded := fold_label(cell.text))]
    if len(texts) - len({folded for _, folded in texts}) < _LEAST_PARTS:
        return None
    ranked = sorted(
        (
            (_repeated(texts, sum(gap) / 2, across=across), gap[1] - gap[0], across, gap)
            for across in (True, False)
            for gap in _gaps(cells, across=across)
        ),
        reverse=True,
    )
    for repeated, _, across, gap in ranked[:_MOST_GAPS]:
        # Blocks of one form repeat five labels of a person; two forms repeat the label of the type and all the rest.
        if repeated < _LEAST_PARTS:
            break
        halves = _cut(page, cells, gap, library, across=across)
        first, second = (choose_form(half.cells, (), library, table, noisy=noisy)[1] for half in halves)
        if _are_two(first, second):
            return halves
    return None


def _repeated(texts: Iterable[tuple[Box, str]], at: float, *, across: bool) -> int:
    """How many texts stand on both sides of a cut: most of all where it parts two forms."""
    sides: tuple[set[str], set[str]] = (set(), set())
    for box, folded in texts:
        sides[(box.y0 if across else box.x0) > at].add(folded)
    return len(sides[0] & sides[1])


def _are_two(first: Grid, second: Grid) -> bool:
    shared = len(first.parts & second.parts)
    return min(first.hits, second.hits) >= _LEAST_PARTS and shared >= _SHARED_PARTS * min(first.hits, second.hits)


def _gaps(cells: Sequence[Cell], *, across: bool) -> Iterator[tuple[float, float]]:
    """The stretches that no cell covers: of the width where the cut goes downwards, of the height where `across`."""
    reaches = sorted((cell.box.y0, cell.box.y1) if across else (cell.box.x0, cell.box.x1) for cell in cells)
    end = reaches[0][1] if reaches else 0.0
    for low, high in reaches:
        if low > end:
            yield end, low
        end = max(end, high)


def _cut(
    page: Page, cells: Sequence[Cell], gap: tuple[float, float], library: Library, *, across: bool
) -> tuple[Page, Page]:
    at = _height_of_cut(page, gap, library) if across else sum(gap) / 2

    def comes_first(box: Box) -> bool:
        return (box.y0 + box.y1) / 2 < at if across else (box.x0 + box.x1) / 2 < at

    first, second = (
        replace(
            page,
            cells=tuple(cell for cell in cells if comes_first(cell.box) is wanted),
            loose=tuple(run for run in page.loose if comes_first(run.box) is wanted),
        )
        for wanted in (True, False)
    )
    return first, second


def _height_of_cut(page: Page, gap: tuple[float, float], library: Library) -> float:
    """Where the lower form begins: at the widest white above its title or mark, which stand over its first cell."""
    low, high = gap
    inside = sorted((run for run in page.loose if low <= run.middle <= high), key=lambda run: run.middle)
    known = {fold_label(text) for form in library.forms for text in (*form.titles, form.mark) if text}
    heads = [run for run in inside if _TITLE.search(characters.drop_spaces(run.text)) or fold_label(run.text) in known]
    last = heads[0].box.y0 if heads else high
    edges = [(low, low), *((run.box.y0, run.box.y1) for run in inside if run.box.y0 < last), (last, last)]
    white = [(below[0] - above[1], (below[0] + above[1]) / 2) for above, below in pairwise(edges)]
    return max(white)[1]


# --- one form on two pages


def continues(first: Page, second: Page, library: Library, table: Table, *, noisy: bool = False) -> bool:
    """Whether the second page carries on the form of the first: it adds parts, and begins no form of its own."""
    form, grid = choose_form(first.cells, _texts(first), library, table, noisy=noisy)
    if not grid.hits or any(_begins_form(text, library) for text in head_lines(second)):
        return False
    alone = choose_form(second.cells, _texts(second), library, table, noisy=noisy)[1]
    if alone.type_cell is not None or not second.cells:
        return False
    both = choose_form(joined(first, second).cells, (form.mark,), library, table, noisy=noisy)[1]
    return bool(both.parts - grid.parts)


def _begins_form(text: str, library: Library) -> bool:
    known = {fold_label(title) for form in library.forms for title in form.titles}
    return fold_label(text) in known or bool(_TITLE.search(characters.drop_spaces(text)))


def _texts(page: Page) -> Iterator[str]:
    yield from page.loose_lines()
    yield from (cell.text for cell in page.cells)


def joined(first: Page, second: Page) -> Page:
    """Two pages as one, the second below the first; `parted` tells on which of them a box lies."""

    def lower(box: Box) -> Box:
        return Box(box.x0, box.y0 + first.height, box.x1, box.y1 + first.height)

    def shift(runs: Iterable[Run]) -> tuple[Run, ...]:
        return tuple(replace(run, box=lower(run.box)) for run in runs)

    cells = (Cell(lower(cell.box), shift(cell.runs), cell.overflows) for cell in second.cells)
    return replace(
        first,
        width=max(first.width, second.width),
        height=first.height + second.height,
        cells=(*first.cells, *cells),
        loose=(*first.loose, *shift(second.loose)),
        written_on=first.written_on or second.written_on,
    )


def parted(box: Box, first: Page) -> tuple[int, Box]:
    """On which page a box of two joined pages lies (0 or 1), and where on it."""
    if (box.y0 + box.y1) / 2 < first.height:
        return 0, box
    return 1, Box(box.x0, box.y0 - first.height, box.x1, box.y1 - first.height)
