"""Which cell holds which field: found by printed label, heading and neighbourhood, never by coordinates.

Pure. A label's value stands in the next unlabelled cell to its right or, failing that, below it; where the cell below
continues the label's own column and the one to the right has another height, it is the one below. A field of a block
belongs to the block whose heading stands to the left of it or above it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from config.request_types import Table
from parsers import characters
from parsers.cells import Cell, Run
from parsers.reading import Box
from parsers.type_words import types_in
from parsers.vocabulary import Vocabulary, fold_label, fold_statement, has_mark_in_front, vocabulary

__all__ = ["Grid", "Vocabulary", "find_parts", "fold_label", "fold_statement", "heading_of", "left_of", "vocabulary"]

# A value cell stands this near to its label, in points; one further away belongs to something else.
_REACH = 20.0
# How much of the lower of two cells must lie beside the other for them to stand in one row.
_SHARED = 0.6
# The second half of a label that two cells make together is a word: 日本語, ローマ字.
_LONGEST_HALF = 8
# Cells of one row or column end within this distance of each other.
_FLUSH = 2.5
# A drawn box for a tick is not larger than this; what is larger and stands inside a cell is a table of its own.
_TICK_BOX = 20.0


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of one page by what they hold: `values` by field name; `checks` the mark's and the statement's cell."""

    values: Mapping[str, Cell]
    checks: Mapping[str, tuple[Cell | None, Cell]]
    type_cell: Cell | None
    seal_label: Cell | None
    seal_cell: Cell | None

    @property
    def hits(self) -> int:
        """How many parts of the form were found: how sure it is that this is one."""
        return len(self.values) + len(self.checks) + (self.type_cell is not None) + (self.seal_cell is not None)

    @property
    def parts(self) -> frozenset[str]:
        """The names of the parts that were found: fields, confirmations, `request_type` and `seal`."""
        more = (("request_type", self.type_cell), ("seal", self.seal_cell))
        return frozenset((*self.values, *self.checks, *(name for name, cell in more if cell is not None)))


@dataclass(frozen=True, slots=True)
class _Printed:
    """What the cells of a page say, by the identity of the cell: its text, its label, its confirmation."""

    texts: Mapping[int, str]
    labels: Mapping[int, str]
    statements: Mapping[int, str]

    def is_label(self, cell: Cell) -> bool:
        return id(cell) in self.labels or id(cell) in self.statements


def find_parts(cells: Sequence[Cell], words: Vocabulary, table: Table, *, noisy: bool = False) -> Grid:
    """Find every part of the form among the cells of one page; a part that is not there is absent from the result.

    `noisy` tells that the texts come from recognition, so that a label may be misread by a letter.
    """
    printed = _printed(cells, words, noisy=noisy)
    # Where a label was read twice, the one that was read without error is the label.
    ordered = (
        sorted(cells, key=lambda cell: printed.is_label(cell) and not words.is_label(printed.texts[id(cell)]))
        if noisy
        else cells
    )
    labelled = [cell for cell in ordered if id(cell) in printed.labels]
    headings = [(words.headings[key], cell) for cell in labelled if (key := printed.labels[id(cell)]) in words.headings]
    if noisy:
        headings += _unread_headings(cells, headings, printed)
    named = [(_field_key(cell, printed.labels[id(cell)], headings, words, table), cell) for cell in labelled]
    type_label = _first(labelled, lambda cell: printed.labels[id(cell)] in words.types)
    owners = [cell for name, cell in named if name or cell is type_label]
    places = _values_of(owners, cells, printed)
    values: dict[str, Cell] = {}
    disputed: set[str] = set()
    for name, cell in named:
        value = places.cell_of(cell) if name else None
        if name and value and values.setdefault(name, value) is not value:
            disputed.add(name)
    if noisy:
        # Two cells for one field: one of the two labels or headings was misread, and nobody knows which.
        values = {name: cell for name, cell in values.items() if name not in disputed}
    type_cell = places.cell_of(type_label) if type_label else None
    seals = [cell for cell in labelled if printed.labels[id(cell)] in words.seals]
    # The longest of the labels wins: 印 alone is also printed inside boxes, which makes the box look like a label.
    seal_label = max(seals, key=lambda cell: len(printed.labels[id(cell)]), default=None)
    claimed = {id(cell) for cell in (*values.values(), type_cell) if cell}
    boxes = [cell for cell in cells if not printed.is_label(cell) or printed.labels.get(id(cell), "") in words.seals]
    return Grid(
        values=values,
        checks=_checks(ordered, printed),
        type_cell=_with_options(type_cell, cells, table) if type_cell else None,
        seal_label=seal_label,
        seal_cell=_seal_cell(seal_label, [cell for cell in boxes if id(cell) not in claimed]) if seal_label else None,
    )


def _printed(cells: Sequence[Cell], words: Vocabulary, *, noisy: bool) -> _Printed:
    texts = {id(cell): cell.text for cell in cells}
    label_of, statement_of = (words.closest, words.closest_statement) if noisy else (words.exact, words.statement)
    labels, statements = {}, {}
    for key, text in texts.items():
        label = label_of(text) if text else None
        statement = statement_of(text) if text and label is None else None
        if label is not None:
            labels[key] = label
        elif statement is not None:
            statements[key] = statement
    for cell in cells:
        if id(cell) not in labels and 0 < len(texts[id(cell)]) <= _LONGEST_HALF:
            # 社名 over two rows, 日本語 and 英語 beside it: the label is what both cells say together.
            head = left_of(cell, cells)
            label = label_of(texts[id(head)] + texts[id(cell)]) if head and texts[id(head)] else None
            # A value of a letter or two would pass for an error in the label it stands beside.
            if (label in words.fields or label in words.singles) and (
                head is None or label != label_of(texts[id(head)])
            ):
                labels[id(cell)] = label or ""
    return _Printed(texts, labels, statements)


def _first(cells: Iterable[Cell], wanted: Callable[[Cell], bool]) -> Cell | None:
    return next((cell for cell in cells if wanted(cell)), None)


def _field_key(
    cell: Cell, label: str, headings: Sequence[tuple[str, Cell]], words: Vocabulary, table: Table
) -> str | None:
    """The field that this label names, through the heading it stands under; None where it names none."""
    if label in words.singles:
        return words.singles[label]
    names = words.fields.get(label, ())
    block = heading_of(cell, headings) if names else None
    if block is None:
        return _only_key(names, table)
    if not block:
        return None
    known = {row.key for row in table.block(block).rows}
    return next((key for name in names if (key := f"{block}.{name}") in known), None)


def _only_key(names: Iterable[str], table: Table) -> str | None:
    """The field of a label that no heading stands over: only one block has a telephone number."""
    keys = [row.key for row in table.fields() if row.key.partition(".")[2] in names]
    return keys[0] if len(keys) == 1 else None


def _unread_headings(
    cells: Iterable[Cell], headings: Sequence[tuple[str, Cell]], printed: _Printed
) -> list[tuple[str, Cell]]:
    """Cells that look like a heading across the form and say nothing known: the labels under one of them belong to no
    block, rather than to the block above whose heading could be read."""
    across = [
        heading for _, heading in headings if heading.box.x1 - heading.box.x0 > 4 * (heading.box.y1 - heading.box.y0)
    ]
    return [
        ("", cell)
        for cell in cells
        if printed.texts[id(cell)]
        and not printed.is_label(cell)
        and any(_same_columns(cell, heading) and _same_height(cell, heading) for heading in across)
    ]


def _same_height(first: Cell, second: Cell) -> bool:
    return abs((first.box.y1 - first.box.y0) - (second.box.y1 - second.box.y0)) <= _FLUSH


def heading_of(cell: Cell, headings: Sequence[tuple[str, Cell]]) -> str | None:
    """The block whose heading is nearest to the left in the same rows or, failing that, nearest above.

    In a form of two columns the heading above a label may begin inside the rows of the heading to the left of both
    columns; then it is the nearer one.
    """
    left = min(
        (
            (cell.box.x0 - heading.box.x1, key, heading)
            for key, heading in headings
            if heading.box.x1 <= cell.box.x0 + 2 and _in_row(heading, cell)
        ),
        key=lambda found: found[0],
        default=None,
    )
    above = min(
        (
            (cell.box.y0 - heading.box.y1, key, heading)
            for key, heading in headings
            if heading.box.y1 <= cell.box.y0 + 2 and _in_column(heading, cell)
        ),
        key=lambda found: found[0],
        default=None,
    )
    if left and above:
        _, _, beside = left
        _, _, over = above
        nested = over.box.x0 >= beside.box.x1 - 2 and over.box.y0 >= beside.box.y0 - 2
        return above[1] if nested else left[1]
    nearest = left or above
    return nearest[1] if nearest else None


def _overlap(first: tuple[float, float], second: tuple[float, float]) -> float:
    """The shared part of two stretches, as a share of the shorter one."""
    shorter = min(first[1] - first[0], second[1] - second[0])
    return (min(first[1], second[1]) - max(first[0], second[0])) / shorter if shorter > 0 else 0.0


def _in_row(first: Cell, second: Cell) -> bool:
    return _overlap((first.box.y0, first.box.y1), (second.box.y0, second.box.y1)) >= _SHARED


def _in_column(first: Cell, second: Cell) -> bool:
    return _overlap((first.box.x0, first.box.x1), (second.box.x0, second.box.x1)) >= _SHARED


def _right_of(cell: Cell, cells: Iterable[Cell]) -> Cell | None:
    near = [other for other in cells if -2 <= other.box.x0 - cell.box.x1 <= _REACH and _in_row(cell, other)]
    return min(near, key=lambda other: (other.box.x0, other.box.y0), default=None)


def left_of(cell: Cell, cells: Iterable[Cell]) -> Cell | None:
    """The next cell to the left in the same row."""
    near = [other for other in cells if -2 <= cell.box.x0 - other.box.x1 <= _REACH and _in_row(cell, other)]
    return max(near, key=lambda other: other.box.x1, default=None)


def _below(cell: Cell, cells: Iterable[Cell]) -> Cell | None:
    near = [other for other in cells if -2 <= other.box.y0 - cell.box.y1 <= _REACH and _in_column(cell, other)]
    return min(near, key=lambda other: (other.box.y0, other.box.x0), default=None)


@dataclass(frozen=True, slots=True)
class _Values:
    """Where the values of a page stand: the cells beside and below each label that hold no label themselves."""

    beside: Mapping[int, Cell]
    below: Mapping[int, Cell]

    def cell_of(self, label: Cell) -> Cell | None:
        """The value cell of a label; where there are two, the one on the side where the page has its values."""
        right, below = self.beside.get(id(label)), self.below.get(id(label))
        if right is None or below is None or not _same_columns(label, below):
            return right or below
        # What stands to the right of a label above its value is the seal box, or a label that could not be read.
        return below if not _same_rows(label, right) or self._stand_below() else right

    def _stand_below(self) -> bool:
        return len(self.below.keys() - self.beside.keys()) > len(self.beside.keys() - self.below.keys())


def _values_of(labels: Sequence[Cell], cells: Sequence[Cell], printed: _Printed) -> _Values:
    sides: tuple[dict[int, Cell], dict[int, Cell]] = {}, {}
    for label in labels:
        for side, found in zip(sides, (_right_of(label, cells), _below(label, cells)), strict=True):
            if found and not printed.is_label(found):
                side[id(label)] = found
    return _Values(*sides)


def _same_rows(first: Cell, second: Cell) -> bool:
    return abs(first.box.y0 - second.box.y0) <= _FLUSH and abs(first.box.y1 - second.box.y1) <= _FLUSH


def _same_columns(first: Cell, second: Cell) -> bool:
    return abs(first.box.x0 - second.box.x0) <= _FLUSH and abs(first.box.x1 - second.box.x1) <= _FLUSH


def _checks(cells: Sequence[Cell], printed: _Printed) -> dict[str, tuple[Cell | None, Cell]]:
    found: dict[str, tuple[Cell | None, Cell]] = {}
    for cell in cells:
        key = printed.statements.get(id(cell))
        if key and key not in found:
            found[key] = (_check_cell(cell, cells, printed.texts), cell)
    return found


def _check_cell(statement: Cell, cells: Sequence[Cell], texts: Mapping[int, str]) -> Cell | None:
    """The cell of the mark stands in or beside the cell of its statement and holds a character or two at most; a
    filled one wins.

    None where the mark is printed in front of the statement itself.
    """
    if has_mark_in_front(texts[id(statement)]):
        return None
    inside = _tick_boxes(statement, cells)
    beside = [cell for cell in (left_of(statement, cells), _right_of(statement, cells)) if cell]
    narrow = [cell for cell in (*inside, *beside) if len(texts[id(cell)]) <= 2]
    return max(narrow, key=lambda cell: bool(texts[id(cell)]), default=None)


def _tick_boxes(cell: Cell, cells: Iterable[Cell]) -> list[Cell]:
    """The small boxes that are drawn inside a cell, from left to right."""
    box = cell.box
    inside = [
        other
        for other in cells
        if other is not cell
        and max(other.box.x1 - other.box.x0, other.box.y1 - other.box.y0) <= _TICK_BOX
        and box.x0 - 1 <= other.box.x0
        and other.box.x1 <= box.x1 + 1
        and box.y0 - 1 <= other.box.y0
        and other.box.y1 <= box.y1 + 1
    ]
    return sorted(inside, key=lambda other: other.box.x0)


def _with_options(cell: Cell, cells: Sequence[Cell], table: Table) -> Cell:
    """The cell of the request type with all that belongs to it: the options in further cells of its row, and the boxes
    drawn before the words as if they were printed, so that □ and ☑ tell which word is meant."""
    members = _options(cell, cells, table)
    if len(members) == 1 and not _tick_boxes(cell, cells):
        return cell
    runs: list[Run] = []
    for member in members:
        boxes = _tick_boxes(member, cells)
        runs += [*member.runs, *map(_as_run, boxes)]
        if not member.text and not boxes:
            # An empty cell before a word is the box of that word.
            runs.append(_as_run(member))
    whole = Box(
        min(member.box.x0 for member in members),
        min(member.box.y0 for member in members),
        max(member.box.x1 for member in members),
        max(member.box.y1 for member in members),
    )
    return Cell(whole, tuple(runs), any(member.overflows for member in members))


def _options(cell: Cell, cells: Sequence[Cell], table: Table) -> list[Cell]:
    """The cells of one row that offer the types, a word or its box in each; the cell alone where it holds them all."""
    members, last = [cell], 0
    while (following := _right_of(members[-1], cells)) and _same_rows(cell, following):
        named = bool(types_in(characters.drop_spaces(following.text), table))
        narrow = len(following.text) <= 1 and following.box.x1 - following.box.x0 <= 2 * _TICK_BOX
        if not named and not narrow:
            break
        members.append(following)
        if named:
            last = len(members) - 1
    members = members[: last + 1]
    # One word alone is what somebody chose; an empty cell or a legend beside it says nothing about the type.
    words = types_in(characters.drop_spaces("".join(member.text for member in members)), table)
    return members if len(words) > 1 else [cell]


def _as_run(box: Cell) -> Run:
    size = box.box.y1 - box.box.y0
    return Run(box.text or "□", box.box, size)


def _seal_cell(label: Cell, cells: Sequence[Cell]) -> Cell | None:
    """The biggest cell next to the label that is no other field's."""
    near: Iterator[Cell | None] = iter((_below(label, cells), _right_of(label, cells), left_of(label, cells)))
    return max((cell for cell in near if cell), key=lambda cell: cell.area, default=None)
