"""The text route: the cells and words of pages → their forms, or the codes of what the pages are instead.

Pure but for the rendering of the seal box. What a label means is decided in `parsers.labels`, which form it is in
`parsers.form_choice`; here stands the question before that: is this page a form of ours at all.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from config.forms import Form, Library
from config.request_types import Table
from parsers import characters
from parsers.cells import Cell
from parsers.document import Document, Page
from parsers.form_choice import choose_form
from parsers.labels import Grid
from parsers.page_parts import continues, head_lines, joined, parted, split_forms, turn_of, turned_back, upright
from parsers.reading import Box, Route, Seal, SealVerdict
from parsers.seal import examine
from parsers.sheet import Entry, Sheet
from parsers.type_words import types_in
from parsers.vocabulary import fold_label

# Routes whose pages have words of their own.
READABLE = frozenset({Route.TEXT, Route.ACROFORM})

# So many labelled parts make a page a form; terms of use and cover letters have none or very few.
_LEAST_PARTS = 8
# What a field is worth whose text is odd: below rules.SURE, so that staff see it first.
_UNSURE = 0.5

# A title that was recognised is ours where it is this much like one of ours; those of other services share a third.
_ALIKE = 0.8

_TITLE = re.compile("[^。、:：]{1,60}(申請書|申込書|届出書|変更届|依頼書)")
_COMPANION = re.compile("送付|送り状|ご案内|規定|規約|約款|添付書類|ご連絡")
_BRACKETED = re.compile(r"[(（\[【][^)）\]】]*[)）\]】]")


@dataclass(frozen=True, slots=True)
class Leaf:
    """What is read as one form: a page, a part of one, or two pages of which the second carries on the first.

    `page` is made upright and put together; `place` tells on which page, and where on it, one of its boxes lies.
    """

    page: Page
    numbers: tuple[int, ...]
    place: Callable[[Box], tuple[int, Box]]


def leaves(pages: Sequence[Page], library: Library, table: Table) -> Iterator[Leaf]:
    """The forms that may stand on the pages, in their order; a page that is a picture is a leaf of its own."""
    rest = list(pages)
    while rest:
        page = rest.pop(0)
        if page.route not in READABLE:
            yield _leaf(page, page)
            continue
        if turn := turn_of(page):
            yield from (_turned_leaf(part, page, turn) for part in split_forms(upright(page), library, table))
            continue
        following = rest[0] if rest and rest[0].route in READABLE else None
        if following is not None and continues(page, following, library, table):
            rest.pop(0)
            yield _joined_leaf(page, following)
            continue
        yield from (_leaf(part, page) for part in split_forms(page, library, table))


def _leaf(part: Page, page: Page) -> Leaf:
    return Leaf(part, (page.number,), lambda box: (page.number, box))


def _turned_leaf(part: Page, page: Page, turn: int) -> Leaf:
    return Leaf(part, (page.number,), lambda box: (page.number, turned_back(box, page, turn)))


def _joined_leaf(first: Page, second: Page) -> Leaf:
    def place(box: Box) -> tuple[int, Box]:
        which, inside = parted(box, first)
        return (first, second)[which].number, inside

    return Leaf(joined(first, second), (first.number, second.number), place)


def read_leaf(document: Document, leaf: Leaf, library: Library, table: Table, *, seal: bool) -> Sheet | str:
    """The form on a leaf by its text layer, or the code of the problem that the page is."""
    texts = [*leaf.page.loose_lines(), *(cell.text for cell in leaf.page.cells)]
    form, grid = choose_form(leaf.page.cells, texts, library, table)
    problem = kind_of_page(head_lines(leaf.page), texts, library, table, parts=grid.hits)
    if problem:
        return problem
    mark = _examine_seal(document, leaf, form, grid) if seal else Seal(SealVerdict.UNCLEAR, page=leaf.numbers[0])
    return _sheet(leaf, form, grid, table, mark)


def kind_of_page(
    head: Iterable[str], texts: Sequence[str], library: Library, table: Table, *, parts: int, noisy: bool = False
) -> str | None:
    """What a page is that is no form of ours; None where it is one.

    `head` are the lines in which a title may stand, `texts` everything on the page, `parts` the number of labelled
    parts that were found. `noisy` tells that all of it comes from recognition.
    """
    titles = [title for text in head if (title := _title(text, table))]
    ours = {fold_label(title) for known in library.forms for title in known.titles}
    if titles and not any(_same_title(title, known, noisy=noisy) for title in titles for known in ours):
        return "other_service"
    if parts >= _LEAST_PARTS:
        return None
    return "cover_or_terms" if _COMPANION.search(characters.drop_spaces("".join(texts))) else "not_a_form"


def _same_title(title: str, known: str, *, noisy: bool) -> bool:
    if title == known:
        return True
    seen, meant = characters.fold_look(title), characters.fold_look(known)
    return noisy and SequenceMatcher(None, seen, meant, autojunk=False).ratio() >= _ALIKE


def _title(text: str, table: Table) -> str | None:
    """The folded name of a form, or None where the line is none: a title ends with 申請書, a sentence goes on.

    The list of types that may follow in brackets is dropped (guide line 54); other words in brackets belong to it.
    """
    folded = characters.drop_spaces(characters.fold_width(text))
    if not _TITLE.fullmatch(_BRACKETED.sub("", folded)):
        return None
    for bracketed in _BRACKETED.findall(folded):
        if types_in(bracketed, table):
            folded = folded.replace(bracketed, "")
    return fold_label(folded)


def _sheet(leaf: Leaf, form: Form, grid: Grid, table: Table, mark: Seal) -> Sheet:
    keys = [key for key in form.field_keys(table) if key in grid.values]
    return Sheet(
        version=form.version,
        route=leaf.page.route,
        pages=leaf.numbers,
        # That no cell was found says nothing about what the applicant chose.
        kind=_entry(leaf, grid.type_cell) if grid.type_cell else Entry("", 0.0),
        entries={key: _entry(leaf, grid.values[key]) for key in keys},
        ticks={row.key: _tick(leaf.page, form, grid, row.key) for row in table.confirmations},
        seal=mark,
    )


def _entry(leaf: Leaf, cell: Cell) -> Entry:
    raw = cell.text
    doubts = tuple(
        name
        for name, holds in (
            ("overflows", cell.overflows),
            ("written_on", leaf.page.written_on),
            ("odd_characters", characters.is_suspect(raw)),
        )
        if holds
    )
    number, box = leaf.place(cell.box)
    where = Box(*(round(edge, 2) for edge in box))
    return Entry(raw, _UNSURE if doubts else 1.0, where, doubts, None if number == leaf.numbers[0] else number)


def _tick(page: Page, form: Form, grid: Grid, key: str) -> bool | None:
    """Whether the box is ticked; None where the mark is unknown, is not found or may lie on the page as a drawing."""
    mark_cell, statement = grid.checks.get(key, (None, None))
    if statement is None:
        return None
    ticked, unticked = _marks(form.ticked), _marks(form.unticked)
    text = mark_cell.text if mark_cell else statement.text.strip()[:1]
    mark = characters.drop_spaces(characters.drop_selectors(text))
    if mark in ticked:
        return True
    return False if mark in unticked and not page.written_on else None


def _marks(marks: Sequence[str]) -> frozenset[str]:
    return frozenset(characters.drop_spaces(mark) for mark in marks)


def _examine_seal(document: Document, leaf: Leaf, form: Form, grid: Grid) -> Seal:
    cell = grid.seal_cell
    if cell is None:
        return Seal(SealVerdict.UNCLEAR, page=leaf.numbers[0])
    # The form may print 印 inside the box; anything else in it was typed by somebody.
    printed = {fold_label(text) for text in form.seal_labels} | {"", "㊞", "社印", "押印欄"}
    own, typed = [run for run in leaf.page.runs() if run not in cell.runs], False
    for run in cell.runs:
        if fold_label(run.text) in printed:
            own.append(run)
        else:
            typed = True
    number, box = leaf.place(cell.box)
    placed = ((run, leaf.place(run.box)) for run in own)
    there = [replace(run, box=where) for run, (page, where) in placed if page == number]
    return examine(document.data, number, box, printed=there, typed=typed)
