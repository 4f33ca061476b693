"""The scan route: the picture of a page → the forms on it.

Turn and flatten the picture, find its cells by their ruling lines, recognise what is printed in them, find the parts of
the form by their labels as the text route does, then read each value with the letters its kind allows. No template and
no coordinates: whatever layout can be read as text can be read as a scan.

Trusts nothing. Promises a Scan for any picture. Weak: a page whose ruling lines are mostly gone yields no cells, so it
is told as a page without a form and goes to a person.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice, pairwise

import numpy as np

from config import forms, request_types
from config.forms import Form, Library
from parsers import ink
from parsers.beside import InPlace
from parsers.cells import Cell, Run
from parsers.code_sheet import merge
from parsers.codes import CodeError, decode, find_codes
from parsers.decoding import likeliest
from parsers.document import Page
from parsers.form_choice import choose_form
from parsers.ink import Span
from parsers.inside import MM, FlatPage, Inside
from parsers.labels import Grid
from parsers.page_parts import head_lines, split_forms
from parsers.picture import Picture
from parsers.reading import Box, Route
from parsers.recogniser import Crop, Mask, Recognised, Recogniser
from parsers.ruling import Ruled, find_grid
from parsers.scan import Scan
from parsers.scanned_form import MARK_CELL, MARKS, ScannedForm
from parsers.second_opinion import SecondOpinion
from parsers.sheet import Sheet
from parsers.text_sheets import kind_of_page
from parsers.two_pages import carried_on
from parsers.vocabulary import vocabulary

# A cell lower than this holds no line of text; one with both sides longer than that is the seal box or a drawing.
_LOWEST, _LARGEST = 3.0 * MM, 26.0 * MM
# So many cells are asked which way is up; so many labels among them, and no fewer than half of them, are an answer.
_PROBES, _SETTLED = 10, 2
# The strip over the first cell in which the title and the mark of the form's version stand.
_HEAD = 40.0 * MM
# Cells that share a side are no further apart than this, in points.
_TOUCHES = 3.0
# A cell higher than this may hold a heading of two lines; so few rows of ink are none.
_TALL, _LEAST_ROWS = 9.0 * MM, 12
# A row of a line of text has this share of ink at least; such a line is so high, in mm, and no higher.
_INKED, _LOWEST_LINE, _HIGHEST_LINE = 0.003, 1.6, 14.0
# Words further apart than this, in mm, are two lines.
_APART = 12.0
# A fax, in pixels to the inch and in the share of its pixels that are neither black nor white.
_FAX_DPI, _NO_GREY = 220.0, 0.012
# A page with a smaller share of ink is blank.
_BLANK_SHARE = 0.0005

# A heading is told by its likelihood, letter by letter, where it is so likely and so much likelier than any other.
_LIKELY_HEADING, _CLEARLY = -4.0, 1.0

Verify = Callable[[bytes, bytes], bool]


class Scanner:
    """Looks at pictures of pages. Holds the recogniser, whose model takes a while to load.

    `second` is the second opinion, where there is one; `beside` does what need not be waited for; `verify` tells
    whether the signature of a code is ours.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        *,
        second: SecondOpinion | None = None,
        beside: InPlace | None = None,
        library: Library | None = None,
        verify: Verify | None = None,
    ) -> None:
        self._recogniser, self._second, self._verify = recogniser, second, verify
        self._beside = beside or InPlace()
        self._library = library or forms.shipped()
        self._table = request_types.load()
        self._words = tuple(vocabulary(form) for form in self._library.forms)
        self._headings = {
            label: key for form in self._library.forms for key, labels in form.block_labels.items() for label in labels
        }

    def scan(self, picture: Picture, page: int, before: Page | None = None) -> Scan:
        """Every form on the picture; `page` is its number in the document, from 1. `before` is what was recognised on
        the page before, where that is a form which may go on here."""
        ruled = find_grid(picture, self._beside)
        coarse = _is_coarse(picture)
        if ruled is None:
            return Scan(problem=self._problem_without_grid(picture))
        codes = self._beside.start(lambda: find_codes(ruled.picture))
        flat = self._upright(FlatPage(ruled))
        whole = self._printed(flat, page)
        rest = carried_on(before, whole, self._library, self._table) if before else None
        if rest:
            form, grid = rest
            sheet = self._sheet(flat, whole, form, grid, coarse=coarse)
            return Scan(tuple(self._with_codes([sheet], codes(), ruled)), carries_on=True)
        found = [
            self._read(flat, part, coarse=coarse) for part in split_forms(whole, self._library, self._table, noisy=True)
        ]
        sheets = [each for each in found if isinstance(each, Sheet)]
        if not sheets:
            return Scan(problem=next(each for each in found if isinstance(each, str)))
        # Two forms on one page are whole; only a single one may go on.
        return Scan(tuple(self._with_codes(sheets, codes(), ruled)), page=whole if len(sheets) == 1 else None)

    def _read(self, flat: FlatPage, part: Page, *, coarse: bool) -> Sheet | str:
        texts = [*part.loose_lines(), *(cell.text for cell in part.cells)]
        form, grid = choose_form(part.cells, texts, self._library, self._table, noisy=True)
        problem = kind_of_page(head_lines(part), texts, self._library, self._table, parts=grid.hits, noisy=True)
        if problem:
            return _unless_unknown(problem)
        return self._sheet(flat, part, form, grid, coarse=coarse)

    def _sheet(self, flat: FlatPage, part: Page, form: Form, grid: Grid, *, coarse: bool) -> Sheet:
        scanned = ScannedForm(
            self._recogniser, self._second, self._table, flat, form, grid, coarse=coarse, beside=self._beside
        )
        return scanned.sheet(part)

    def _with_codes(self, sheets: Sequence[Sheet], codes: Iterable[tuple[bytes, Box]], ruled: Ruled) -> list[Sheet]:
        """The sheets with what a code on the page says of them. A code belongs to the only form, or to the nearest."""
        merged = list(sheets)
        for payload, box in codes:
            try:
                code = decode(payload, verify=self._verify)
            except CodeError:
                # A code of somebody else, or one of ours that is damaged: the print is read all the same.
                continue
            place = ruled.page_box(box)
            nearest = min(range(len(merged)), key=lambda index: _far(merged[index], place))
            merged[nearest] = merge(code, merged[nearest], self._library)
        return merged

    # --- which way is up

    def _upright(self, flat: FlatPage) -> FlatPage:
        """The page with its text the right way up, told by the labels that can be read."""
        here, probes = self._labels_in(flat)
        # E-Mail and TEL are read on their heads, too: two labels among many cells that say nothing are no answer.
        if here >= max(_SETTLED, probes / 2):
            return flat
        turned = FlatPage(flat.ruled.half_turned())
        return turned if self._labels_in(turned)[0] > here else flat

    def _labels_in(self, flat: FlatPage) -> tuple[int, int]:
        """How many labels stand in the smallest cells, where labels are, and how many of these were looked at."""
        small = sorted((box for box in flat.ruled.boxes if _holds_text(box)), key=lambda box: box.area)
        written = (inside for box in small if not (inside := flat.inside(box)).is_blank)
        probes = [Crop(inside, Mask.LABEL) for inside in islice(written, _PROBES)]
        return sum(self._is_label(each.text) for each in self._recogniser.read(probes)), len(probes)

    # --- what is printed

    def _printed(self, flat: FlatPage, number: int) -> Page:
        """The page with what is recognised in its cells and above them. In cells of marks ink tells; the seal box stays
        empty, for a seal is no text."""
        wanted = [box for box in flat.ruled.boxes if _holds_text(box) and not flat.inside(box).is_blank]
        head = _Head(flat.picture, flat.ruled.boxes)
        seen = self._recogniser.read([*(Crop(flat.inside(box), Mask.LABEL) for box in wanted), *head.crops])
        texts = {box: each.text for box, each in zip(wanted, seen[: len(wanted)], strict=True)}
        texts |= self._headings_in(
            {box: flat.inside(box) for box in wanted if box.y1 - box.y0 > _TALL and not self._is_label(texts[box])}
        )
        texts |= {box: MARKS[flat.inside(box).ticked] for box in flat.ruled.boxes if _holds_mark(box)}
        parted = self._parted(flat, wanted)
        texts |= {part: text for parts in parted.values() for part, text in parts.items()}
        whole = [part for box in flat.ruled.boxes for part in parted.get(box, [box])]
        cells = tuple(_cell(box, texts.get(box, "")) for box in whole)
        width, height = _size(flat.picture)
        return Page(number, width, height, Route.SCAN, cells, head.runs(seen[len(wanted) :]))

    def _parted(self, flat: FlatPage, boxes: Iterable[Box]) -> dict[Box, dict[Box, str]]:
        """The cells that are two or more because a fold took the line between them: beside them stand as many boxes to
        tick, and in the row of each a statement of its own. With their parts, and what stands in those."""
        marks = [box for box in flat.ruled.boxes if _holds_mark(box)]
        rows = {box: found for box in boxes if len(found := _rows_beside(box, marks)) > 1}
        crops = [Crop(flat.inside(row), Mask.LABEL) for found in rows.values() for row in found]
        seen = iter(self._recogniser.read(crops))
        read = {box: {row: next(seen).text for row in found} for box, found in rows.items()}
        return {box: parts for box, parts in read.items() if all(map(self._is_statement, parts.values()))}

    def _is_statement(self, text: str) -> bool:
        return any(words.closest_statement(text) for words in self._words)

    def _is_label(self, text: str) -> bool:
        return bool(text) and any(words.closest(text) for words in self._words)

    def _headings_in(self, tall: Mapping[Box, Inside]) -> dict[Box, str]:
        """The headings of blocks in tall cells: whichever each can be, as it stands or, where its two bold lines nearly
        touch, with the one beside the other. All of these are looked at together."""
        flat = {box: Crop(line, Mask.LABEL, lines=False) for box in tall if (line := _in_one_line(tall[box]))}
        seen = dict(zip(flat, self._recogniser.read(list(flat.values())), strict=True))
        found = {box: each.text for box, each in seen.items() if self._is_label(each.text)}
        for box, inside in tall.items():
            crops = [Crop(inside, Mask.LABEL), *([flat[box]] if box in flat else [])]
            if box not in found and (label := next(filter(None, map(self._likely_heading, crops)), None)):
                found[box] = label
        return found

    def _likely_heading(self, crop: Crop) -> str | None:
        scores = dict(zip(self._headings, self._recogniser.score(crop, list(self._headings)), strict=True))
        return likeliest(scores, self._headings, least=_LIKELY_HEADING, lead=_CLEARLY)

    def _problem_without_grid(self, picture: Picture) -> str:
        """What a page without ruling lines is: the words of its upper part tell."""
        if float(np.mean(ink.ink(ink.clean(picture.pixels)))) < _BLANK_SHARE:
            return "blank_page"
        head = _Head(picture, ())
        texts = [run.text for run in head.runs(self._recogniser.read(head.crops))]
        return _unless_unknown(kind_of_page(texts, texts, self._library, self._table, parts=0, noisy=True))


class _Head:
    """The lines over the first cell, where the title and the mark of the version stand: what is to be recognised, and
    then what it says. Without cells it is the upper third of the page."""

    def __init__(self, picture: Picture, boxes: Sequence[Box]) -> None:
        bottom = min((box.y0 for box in boxes), default=_size(picture)[1] / 3)
        self._top, self._scale = max(0.0, bottom - _HEAD) if boxes else 0.0, picture.points
        strip = picture.pixels[round(self._top * self._scale) : round(bottom * self._scale)]
        low = bottom - self._top < _LOWEST
        self._spans = [] if low else _lines_across(ink.ink(ink.clean(strip)), picture.dpi / 25.4)
        self.crops = [Crop(strip[span.y0 : span.y1, span.x0 : span.x1], Mask.ANY, lines=False) for span in self._spans]

    def runs(self, seen: Sequence[Recognised]) -> tuple[Run, ...]:
        """The lines with what was recognised in each of `crops`."""
        scale, top = self._scale, self._top
        return tuple(
            Run(
                each.text,
                Box(span.x0 / scale, top + span.y0 / scale, span.x1 / scale, top + span.y1 / scale),
                (span.y1 - span.y0) / scale,
            )
            for span, each in zip(self._spans, seen, strict=True)
            if each.text
        )


def _is_coarse(picture: Picture) -> bool:
    """Whether the picture is black and white alone and no finer than a fax, which loses thin strokes."""
    sample = picture.pixels[::7, ::7, 1]
    between = np.count_nonzero((sample > 70) & (sample < 185)) / max(1, sample.size)
    return picture.dpi <= _FAX_DPI and bool(between < _NO_GREY)


def _unless_unknown(problem: str | None) -> str:
    """A picture in which we know nothing may be a form that we cannot read: a person looks at it."""
    return problem if problem in ("cover_or_terms", "other_service") else "no_text_layer"


def _holds_text(box: Box) -> bool:
    """Whether a cell may hold a line of text: not a mark of its own, and not the box for the seal."""
    width, height = box.x1 - box.x0, box.y1 - box.y0
    if height < _LOWEST or (width > _LARGEST and height > _LARGEST):
        return False
    return width > MARK_CELL or height > MARK_CELL


def _holds_mark(box: Box) -> bool:
    width, height = box.x1 - box.x0, box.y1 - box.y0
    return max(width, height) <= MARK_CELL


def _rows_beside(box: Box, marks: Iterable[Box]) -> list[Box]:
    """A box cut into the rows of the boxes to tick that stand to the left of it, where those fill its height."""
    rows = sorted(
        (mark.y0, mark.y1)
        for mark in marks
        if abs(mark.x1 - box.x0) < _TOUCHES and mark.y0 > box.y0 - _TOUCHES and mark.y1 < box.y1 + _TOUCHES
    )
    edges = [(box.y0, box.y0), *rows, (box.y1, box.y1)]
    if any(abs(lower[0] - upper[1]) > _TOUCHES for upper, lower in pairwise(edges)):
        return []
    return [Box(box.x0, y0, box.x1, y1) for y0, y1 in rows]


def _lines_across(bits: ink.Bits, mm: float) -> list[Span]:
    """The lines of text in a strip of the page, noise and rules left out, with a rim of white."""
    rows = np.flatnonzero(bits.sum(axis=1) > _INKED * bits.shape[1])
    lines = []
    for group in np.split(rows, np.flatnonzero(np.diff(rows) > 0.4 * mm) + 1) if len(rows) else ():
        top, bottom = int(group[0]), int(group[-1]) + 1
        if not _LOWEST_LINE * mm <= bottom - top <= _HIGHEST_LINE * mm:
            continue
        columns, rim = np.flatnonzero(bits[top:bottom].any(axis=0)), round(mm)
        # Two forms side by side have their titles on one height.
        for part in np.split(columns, np.flatnonzero(np.diff(columns) > _APART * mm) + 1):
            x0, x1 = max(0, int(part[0]) - rim), min(bits.shape[1], int(part[-1]) + rim)
            lines.append(Span(x0, max(0, top - rim), x1, min(bits.shape[0], bottom + rim)))
    return lines


def _in_one_line(inside: Inside) -> Inside | None:
    """Two lines that nearly touch, side by side: parted where the rows between them have the least ink."""
    if not inside.spans:
        return None
    top, bottom = min(span.y0 for span in inside.spans), max(span.y1 for span in inside.spans)
    if bottom - top < _LEAST_ROWS:
        return None
    bits, pixels = ink.ink(inside.grey), inside.pixels
    third = (bottom - top) // 3
    middle = top + third + int(np.argmin(bits[top + third : bottom - third].sum(axis=1)))
    height = max(middle - top, bottom - middle)
    halves = []
    for start, end in ((top, middle), (middle, bottom)):
        columns = np.flatnonzero(bits[start:end].any(axis=0))
        if not len(columns):
            return None
        half = pixels[start:end, max(0, int(columns[0]) - 1) : int(columns[-1]) + 2]
        above = (height - (end - start)) // 2
        edges = ((above, height - (end - start) - above), (1, 1), (0, 0))
        halves.append(np.pad(half, edges, constant_values=int(np.percentile(pixels, 90))))
    return Inside(np.concatenate(halves, axis=1), inside.mm)


def _size(picture: Picture) -> tuple[float, float]:
    return picture.width / picture.points, picture.height / picture.points


def _cell(box: Box, text: str) -> Cell:
    """A cell with the text that was recognised in it, as one run."""
    return Cell(box, (Run(text, box, box.y1 - box.y0),) if text else ())


def _far(sheet: Sheet, place: Box) -> float:
    """How far a code is from the middle of a form, to tell which of two forms on a page it belongs to."""
    boxes = [entry.box for entry in sheet.entries.values() if entry.box]
    x = [(box.x0 + box.x1) / 2 for box in boxes]
    y = [(box.y0 + box.y1) / 2 for box in boxes]
    if not boxes:
        return float("inf")
    return abs(sum(x) / len(x) - (place.x0 + place.x1) / 2) + abs(sum(y) / len(y) - (place.y0 + place.y1) / 2)
