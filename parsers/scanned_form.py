"""One form on a scanned page: its cells are known, now each is read with the letters that its kind allows.

Pure but for the model it is handed. What a value is worth is decided by `parsers.gate`; here its signs are gathered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from config.forms import Form
from config.request_types import RequestType, Table
from parsers import gate
from parsers.beside import InPlace
from parsers.cells import Cell
from parsers.decoding import likeliest
from parsers.document import Page
from parsers.handwriting import handwritten
from parsers.ink import Span
from parsers.inside import INSET, MM, FlatPage, Inside
from parsers.labels import Grid
from parsers.lines import Line
from parsers.reading import Box, Route, Seal, SealVerdict
from parsers.recogniser import Crop, Glyph, Mask, Recognised, Recogniser, mask_of
from parsers.seal_fingerprint import fingerprint
from parsers.seal_verdict import judge_picture
from parsers.second_opinion import SecondOpinion
from parsers.sheet import Entry, Sheet
from parsers.tick_boxes import square_ticked
from parsers.tick_boxes import squares as squares_in
from parsers.type_words import read_type, type_places

# A word is taken for the request type where it is this likely, letter by letter, and so much likelier than any other.
_LIKELY, _CLEARLY = -1.2, 0.7
# What a type is worth whose word is not what was read: staff look.
_UNSURE = 0.5
# Cells at the edge of a page that is cut off there may have lost a part of their text; in points.
_CUT_REACH = 6.0
# Print this near to the seal box, in points, is looked at when a seal is looked for.
_AROUND = 14.0 * MM
# The mark of a check box stands in a cell no larger than this; no value does.
MARK_CELL = 10.0 * MM
# So many labels of so many letters tell how print looks on this page.
_LABELS, _LABEL_LETTERS = 14, 2
# A fill is grey where it is darker than this share of the paper.
_GREY = 0.9
# How the mark of a confirmation is told in the cells: the words of `parsers.tick_boxes.ticked`.
MARKS: Mapping[bool | None, str] = {True: "☑", False: "□", None: "？"}


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What the recogniser read in a cell, and what the page says against it."""

    inside: Inside
    mask: Mask
    read: Recognised
    signs: Sequence[str]

    @property
    def is_open(self) -> bool:
        text, sure = self.read.text, self.read.confidence
        return gate.is_open(self.mask, text, sure, doubts=self.signs, settled=self.read.settled)

    def judged(self, second: str | None) -> gate.Verdict:
        text, sure = self.read.text, self.read.confidence
        return gate.judge(self.mask, text, sure, second=second, doubts=self.signs, settled=self.read.settled)


@dataclass(frozen=True, slots=True)
class ScannedForm:
    """The parts of one form on a flat page, and what reads them. `coarse` tells that it is a fax or no better."""

    recogniser: Recogniser
    second: SecondOpinion | None
    table: Table
    flat: FlatPage
    form: Form
    grid: Grid
    coarse: bool = False
    beside: InPlace = field(default_factory=InPlace)

    def sheet(self, part: Page) -> Sheet:
        """Everything that stands in the form. `part` is the page, or the part of it, with the recognised labels."""
        seal = self.beside.start(lambda: self._seal(part))
        keys = [key for key in self.form.field_keys(self.table) if key in self.grid.values]
        return Sheet(
            version=self.form.version,
            route=Route.SCAN,
            pages=(part.number,),
            kind=self._kind(),
            entries=self._entries(keys, part),
            ticks={row.key: self._tick(row.key) for row in self.table.confirmations},
            seal=seal(),
            notes=("cut_page",) if self.flat.ruled.cut_edges else (),
        )

    def _entries(self, keys: Sequence[str], part: Page) -> dict[str, Entry]:
        """What stands in each field. All second opinions are asked for together, since two of them take hardly longer
        than one, and only where they can make a reading sure."""
        entries: dict[str, Entry] = {}
        seen: dict[str, _Seen] = {}
        for key in keys:
            found = self._look(self.grid.values[key], mask_of(key))
            if isinstance(found, Entry):
                entries[key] = found
            else:
                seen[key] = found
        # A hand is told by all values together; what it wrote is always looked at.
        for key in handwritten({key: each.inside.lines for key, each in seen.items()}, self._printed(part)):
            seen[key] = replace(seen[key], signs=(*seen[key].signs, "handwriting"))
        asked = [key for key, each in seen.items() if each.is_open] if self.second else []
        texts = self.second.read_all([(seen[key].inside, seen[key].mask) for key in asked]) if self.second else []
        second = dict(zip(asked, texts, strict=True))
        for key, each in seen.items():
            # Where nobody was asked, the reading is in doubt already.
            told = second.get(key, each.read.text) if self.second else None
            verdict = each.judged(told)
            place = self.flat.ruled.page_box(self.grid.values[key].box)
            entries[key] = Entry(each.read.text, verdict.confidence, place, verdict.doubts)
        return {key: entries[key] for key in keys}

    def _printed(self, part: Page) -> list[Line]:
        """Some lines that the form printed itself: what stands in cells of labels."""
        filled = {cell.box for cell in self.grid.values.values()}
        labels = [cell for cell in part.cells if cell.box not in filled and len(cell.text) >= _LABEL_LETTERS]
        return [line for cell in labels[:_LABELS] for line in self.flat.inside(cell.box).lines]

    def _look(self, cell: Cell, mask: Mask) -> "Entry | _Seen":
        """What is recognised in a cell, or the entry itself where nothing is to be recognised."""
        inside = self.flat.inside(cell.box)
        place = self.flat.ruled.page_box(cell.box)
        if max(cell.box.x1 - cell.box.x0, cell.box.y1 - cell.box.y0) <= MARK_CELL or inside.has_rest:
            # A splinter of a cell, or ink that is no letter: nothing that an applicant could be told to have left out.
            return Entry("", _UNSURE, place, ("cut_off",))
        if inside.is_blank:
            # Nothing is there, as far as the page goes.
            return Entry("", _UNSURE, place, ("cut_off",)) if self._is_cut(cell.box) else Entry("", 1.0, place)
        if inside.is_at_border:
            return Entry("", _UNSURE, place, ("touches_border",))
        [seen] = self.recogniser.read([Crop(inside, mask)])
        return _Seen(inside, mask, seen, (*self._signs(cell.box, inside), *seen.doubts))

    def _signs(self, box: Box, inside: Inside) -> Sequence[str]:
        """What speaks against a reading, seen from the page and not from the letters."""
        signs = []
        if inside.is_written_over:
            signs.append("written_over")
        if self._is_cut(box):
            signs.append("cut_off")
        if self.coarse:
            signs.append("coarse")
        if inside.touches_border:
            signs.append("touches_border")
        return signs

    def _is_cut(self, box: Box) -> bool:
        width, height = self.flat.picture.width / self._points, self.flat.picture.height / self._points
        near = {
            "left": box.x0 < _CUT_REACH,
            "top": box.y0 < _CUT_REACH,
            "right": box.x1 > width - _CUT_REACH,
            "bottom": box.y1 > height - _CUT_REACH,
        }
        return any(near[side] for side in self.flat.ruled.cut_edges)

    def _kind(self) -> Entry:
        """The request type: the likeliest of the words it can be, or the words and marks of a list to tick."""
        cell = self.grid.type_cell
        if cell is None:
            # That no cell was found says nothing about what the applicant chose.
            return Entry("", 0.0)
        inside = self.flat.inside(cell.box)
        place = self.flat.ruled.page_box(cell.box)
        text = self._with_squares(cell) or cell.text
        listed, words = read_type(text, self.form, self.table)
        if len(words) > 1 or any(mark in text for mark in MARKS.values()):
            return Entry(text, 1.0 if listed else _UNSURE, place)
        if inside.is_blank:
            return Entry("", 1.0, place)
        likely = self._likely_type(inside)
        if listed is not None and (likely is None or self._type_words[likely] is listed):
            return Entry(cell.text, 1.0 if likely else _UNSURE, place)
        if likely:
            return Entry(likely, 1.0, place)
        return Entry(cell.text, _UNSURE, place, ("unsure_letter",))

    def _with_squares(self, cell: Cell) -> str | None:
        """The text of the type's cell with the marks of small squares that are drawn before its words, which a
        recogniser reads as one letter or another; None where there are none."""
        if cell.box not in self.flat.ruled.boxes:
            # Options in cells of their own: the marks stand in its text already.
            return None
        inside = self.flat.inside(cell.box)
        squares = squares_in(inside.grey, mm=inside.mm)
        if not squares:
            return None
        [seen] = self.recogniser.read([Crop(inside, Mask.LABEL)])
        # Worn print shuts the gaps of 更 and 担 until they are as square and as framed as a box.
        spelt = [glyph.place for glyph in self._letters_of_types(seen, inside)]
        squares = [square for square in squares if not any(_stands_in(place, square) for place in spelt)]
        if not squares:
            return None
        pieces = [(square, MARKS[square_ticked(inside.grey, square)]) for square in squares]
        pieces += [
            (glyph.place, glyph.char)
            for glyph in seen.glyphs
            if not any(_stands_in(glyph.place, square) for square in squares)
        ]
        lines = inside.spans
        return "".join(text for _, text in sorted(pieces, key=lambda piece: _reading_order(piece[0], lines)))

    def _letters_of_types(self, seen: Recognised, inside: Inside) -> list[Glyph]:
        """The letters that make up the word of a type: those of every word that was read as it stands, or all of them
        where the likeliest word has just as many. A box is no letter of a word, wherever it stands."""
        glyphs = [glyph for glyph in seen.glyphs if not glyph.char.isspace()]
        places = type_places("".join(glyph.char for glyph in glyphs), self.table)
        if places:
            return [glyph for start, end in places for glyph in glyphs[start:end]]
        likely = self._likely_type(inside)
        return glyphs if likely and len(likely) == len(glyphs) else []

    def _likely_type(self, inside: Inside) -> str | None:
        """The word of a type that all the print in a cell is, by its likelihood; None where none is clearly ahead."""
        known = self._type_words
        scores = dict(zip(known, self.recogniser.score(Crop(inside, Mask.LABEL), list(known)), strict=True))
        return likeliest(scores, known, least=_LIKELY, lead=_CLEARLY)

    @property
    def _type_words(self) -> dict[str, RequestType]:
        return {word: rule.type for rule in self.table.types.values() for word in (rule.word, *rule.synonyms)}

    def _tick(self, key: str) -> bool | None:
        mark, statement = self.grid.checks.get(key, (None, None))
        if statement is None:
            return None
        return self.flat.inside(mark.box if mark else self._mark_in_front(statement.box)).ticked

    def _mark_in_front(self, box: Box) -> Box:
        """The place of a mark that is printed before its statement: as wide as the first line is high."""
        lines = self.flat.inside(box).spans
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
        near = Box(cell.box.x0 - _AROUND, cell.box.y0 - _AROUND, cell.box.x1 + _AROUND, cell.box.y1 + _AROUND)
        looked_at = [each for each in part.cells if each is not cell and (each.box.meets(near) or each.box in block)]
        printed = [line for each in looked_at if each.text for line in self.flat.lines_in(each.box)]
        paper = float(np.percentile(self.flat.picture.pixels[::40, ::40], 90))
        printed += [each.box for each in looked_at if self._is_grey(each, paper)]
        mark = judge_picture(self.flat.picture, cell.box, printed=printed, neighbours=block)
        found = mark.box or mark.elsewhere
        verdict = mark.verdict
        if verdict is SealVerdict.ABSENT and self._is_cut(cell.box):
            # What the page has lost cannot be told to the applicant as missing.
            verdict = SealVerdict.UNCLEAR
        place = self.flat.ruled.page_box(found or cell.box)
        trace = fingerprint(self.flat.picture, found) if found else ""
        return Seal(verdict, mark.confidence, part.number, place, trace)

    def _is_grey(self, cell: Cell, paper: float) -> bool:
        """Whether a cell is filled with the grey of what need not be filled in, which is no ink on that paper."""
        pixels = self.flat.inside(cell.box).pixels
        return bool(np.median(pixels.max(axis=2)) < _GREY * paper)

    @property
    def _points(self) -> float:
        return self.flat.picture.points


def _stands_in(place: Span, square: Span) -> bool:
    """Whether a letter is what the recogniser made of a square: its middle lies there, on that line."""
    middle = (place.x0 + place.x1) / 2
    return square.x0 - 2 <= middle <= square.x1 + 2 and place.y0 <= (square.y0 + square.y1) / 2 <= place.y1


def _reading_order(place: Span, lines: Sequence[Span]) -> tuple[int, int]:
    middle = (place.y0 + place.y1) / 2
    line = min(range(len(lines)), key=lambda index: abs((lines[index].y0 + lines[index].y1) / 2 - middle), default=0)
    return line, place.x0
