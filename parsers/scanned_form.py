"""One form on a scanned page: its cells are known, now each is read with the letters that its kind allows.

Pure but for the model it is handed. What a value is worth is decided by `parsers.gate`; here its signs are gathered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from config.forms import Form
from config.request_types import Table
from parsers import gate, ink
from parsers.cells import Cell
from parsers.document import Page
from parsers.labels import Grid
from parsers.picture import Picture, Pixels
from parsers.reading import Box, Route, Seal, SealVerdict
from parsers.recogniser import Crop, Mask, Recogniser, mask_of
from parsers.ruling import Ruled
from parsers.seal_verdict import judge_picture
from parsers.second_opinion import SecondOpinion
from parsers.sheet import Entry, Sheet
from parsers.type_words import read_type

MM = 72 / 25.4  # points
# A ruling line is as much as half a millimetre wide on each side of its middle.
INSET = 0.45 * MM
# A word is taken for the request type where it is this likely, letter by letter, and so much likelier than any other.
_LIKELY, _CLEARLY = -1.2, 0.7
# What a type is worth whose word is not what was read: staff look.
_UNSURE = 0.5
# Cells at the edge of a page that is cut off there may have lost a part of their text; in points.
_CUT_REACH = 6.0
# How the mark of a confirmation is told in the cells: the words of `parsers.ink.ticked`.
MARKS: Mapping[bool | None, str] = {True: "☑", False: "□", None: "？"}


def cut(picture: Picture, box: Box, inset: float = INSET) -> Pixels:
    """The inside of a cell, without its ruling lines as far as they are straight."""
    scale = picture.points
    x0, y0 = max(round((box.x0 + inset) * scale), 0), max(round((box.y0 + inset) * scale), 0)
    x1, y1 = round((box.x1 - inset) * scale), round((box.y1 - inset) * scale)
    return picture.pixels[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]


@dataclass(frozen=True, slots=True)
class ScannedForm:
    """The parts of one form on a flat page, and what reads them."""

    recogniser: Recogniser
    second: SecondOpinion | None
    table: Table
    ruled: Ruled
    form: Form
    grid: Grid

    def sheet(self, part: Page) -> Sheet:
        """Everything that stands in the form. `part` is the page, or the part of it, with the recognised labels."""
        keys = [key for key in self.form.field_keys(self.table) if key in self.grid.values]
        return Sheet(
            version=self.form.version,
            route=Route.SCAN,
            pages=(part.number,),
            kind=self._kind(),
            entries={key: self._entry(self.grid.values[key], mask_of(key)) for key in keys},
            ticks={row.key: self._tick(row.key) for row in self.table.confirmations},
            seal=self._seal(part),
            notes=("cut_page",) if self.ruled.cut_edges else (),
        )

    def _entry(self, cell: Cell, mask: Mask) -> Entry:
        pixels = cut(self.ruled.picture, cell.box)
        place = self.ruled.page_box(cell.box)
        if ink.is_blank(pixels, mm=self._mm):
            # Nothing is there, as far as the page goes.
            return Entry("", _UNSURE, place, ("cut_off",)) if self._is_cut(cell.box) else Entry("", 1.0, place)
        [seen] = self.recogniser.read([Crop(pixels, mask)])
        second = self.second.read(pixels, mask) if self.second else None
        verdict = gate.judge(
            mask, seen.text, seen.confidence, second=second, doubts=self._signs(cell.box, pixels), settled=seen.settled
        )
        return Entry(seen.text, verdict.confidence, place, verdict.doubts)

    def _signs(self, box: Box, pixels: Pixels) -> Sequence[str]:
        """What speaks against a reading, seen from the page and not from the letters."""
        signs = []
        if ink.seal_over(pixels):
            signs.append("written_over")
        if self._is_cut(box):
            signs.append("cut_off")
        if _touches_border(pixels):
            signs.append("touches_border")
        return signs

    def _is_cut(self, box: Box) -> bool:
        width, height = self.ruled.picture.width / self._points, self.ruled.picture.height / self._points
        near = {
            "left": box.x0 < _CUT_REACH,
            "top": box.y0 < _CUT_REACH,
            "right": box.x1 > width - _CUT_REACH,
            "bottom": box.y1 > height - _CUT_REACH,
        }
        return any(near[side] for side in self.ruled.cut_edges)

    def _kind(self) -> Entry:
        """The request type: the likeliest of the words it can be, or the words and marks of a list to tick."""
        cell = self.grid.type_cell
        if cell is None:
            return Entry("")
        pixels = cut(self.ruled.picture, cell.box)
        place = self.ruled.page_box(cell.box)
        listed, words = read_type(cell.text, self.form, self.table)
        if len(words) > 1 or any(mark in cell.text for mark in MARKS.values()):
            return Entry(cell.text, 1.0 if listed else _UNSURE, place)
        if ink.is_blank(pixels, mm=self._mm):
            return Entry("", 1.0, place)
        known = {word: rule.type for rule in self.table.types.values() for word in (rule.word, *rule.synonyms)}
        scores = dict(zip(known, self.recogniser.score(Crop(pixels, Mask.LABEL), list(known)), strict=True))
        best = max(scores, key=lambda word: scores[word])
        others = [score for word, score in scores.items() if known[word] is not known[best]]
        clear = scores[best] >= _LIKELY and scores[best] - max(others, default=-np.inf) >= _CLEARLY
        if listed is not None and (known[best] is listed or not clear):
            return Entry(cell.text, 1.0 if clear else _UNSURE, place)
        if clear:
            return Entry(best, 1.0, place)
        return Entry(cell.text, _UNSURE, place, ("unsure_letter",))

    def _tick(self, key: str) -> bool | None:
        mark, statement = self.grid.checks.get(key, (None, None))
        if statement is None:
            return None
        box = mark.box if mark else self._mark_in_front(statement.box)
        return ink.ticked(cut(self.ruled.picture, box), mm=self._mm)

    def _mark_in_front(self, box: Box) -> Box:
        """The place of a mark that is printed before its statement: as wide as the first line is high."""
        lines = ink.find_lines(ink.clean(cut(self.ruled.picture, box)))
        if not lines:
            return box
        left, high = lines[0].x0 / self._points, (lines[0].y1 - lines[0].y0) / self._points
        top = lines[0].y0 / self._points
        x, y = box.x0 + INSET + left, box.y0 + INSET + top
        return Box(x - INSET - 1, y - INSET - 1, x + 1.15 * high + INSET, y + high + INSET + 1)

    def _seal(self, part: Page) -> Seal:
        cell = self.grid.seal_cell
        if cell is None:
            return Seal(SealVerdict.UNCLEAR, page=part.number)
        block = [value.box for key, value in self.grid.values.items() if key.startswith("applicant.")]
        printed = [each.box for each in part.cells if each.text and each is not cell]
        mark = judge_picture(self.ruled.picture, cell.box, printed=printed, neighbours=block)
        place = self.ruled.page_box(mark.box or mark.elsewhere or cell.box)
        return Seal(mark.verdict, mark.confidence, part.number, place)

    @property
    def _points(self) -> float:
        return self.ruled.picture.points

    @property
    def _mm(self) -> float:
        return self.ruled.picture.dpi / 25.4


def _touches_border(pixels: Pixels) -> bool:
    """Whether print begins at the very border of the cell, where a thin letter may be taken for the ruling line."""
    lines = ink.find_lines(ink.clean(pixels))
    return any(line.x0 <= 1 or line.x1 >= pixels.shape[1] - 1 for line in lines)
