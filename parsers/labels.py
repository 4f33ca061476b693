"""Which cell holds which field: found by printed label, heading and neighbourhood, never by coordinates.

Pure. A label's value stands in the next unlabelled cell to its right or, failing that, below it. A field of a block
belongs to the block whose heading stands to the left of it or above it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from config.forms import Form
from config.request_types import Table
from parsers import characters
from parsers.cells import Cell

# A value cell stands this near to its label, in points; one further away belongs to something else.
_REACH = 20.0
# How much of the lower of two cells must lie beside the other for them to stand in one row.
_SHARED = 0.6

_PUNCTUATION = str.maketrans("", "", "()[]{}【】「」『』〈〉<>:*・、,")
_OBLIGATION = re.compile("(必須|任意)$")
_MARK_IN_FRONT = re.compile(r"^\s*[☑✓✔レ■●○☒□☐]")
_STATEMENT_END = re.compile("(の?確認)(と(同意|合意|了承|承諾))?$")


def fold_label(text: str) -> str:
    """A label as it is compared: width, spaces, brackets and a trailing 必須 do not matter."""
    folded = characters.drop_spaces(characters.fold_width(text)).translate(_PUNCTUATION).casefold()
    return _OBLIGATION.sub("", folded)


def fold_statement(text: str) -> str:
    """The key part of a confirmation: without its mark, its ending and の, so that 同意 and 合意 may be swapped."""
    folded = re.sub("※[0-9]+", "", fold_label(_MARK_IN_FRONT.sub("", text)))
    return _STATEMENT_END.sub("", folded).replace("の", "")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The folded labels of one form version: what a cell's text may mean."""

    headings: Mapping[str, str]
    fields: Mapping[str, str]
    singles: Mapping[str, str]
    statements: Mapping[str, str]
    types: frozenset[str]
    seals: frozenset[str]

    def is_label(self, text: str) -> bool:
        """Whether the text is printed on the form, so that the cell is no value."""
        folded = fold_label(text)
        return (
            folded in self.headings
            or folded in self.fields
            or folded in self.singles
            or folded in self.types
            or folded in self.seals
            or fold_statement(text) in self.statements
        )


def vocabulary(form: Form) -> Vocabulary:
    """The labels of a form version with all their synonyms, folded."""
    return Vocabulary(
        headings=_folded(form.block_labels),
        fields=_folded(form.field_labels),
        singles=_folded(form.single_labels),
        statements={fold_statement(label): key for key, labels in form.confirmation_labels.items() for label in labels},
        types=frozenset(map(fold_label, form.request_type_labels)),
        seals=frozenset(map(fold_label, form.seal_labels)),
    )


def _folded(labels: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {fold_label(label): key for key, texts in labels.items() for label in texts}


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


def find_parts(cells: Sequence[Cell], words: Vocabulary, table: Table) -> Grid:
    """Find every part of the form among the cells of one page; a part that is not there is absent from the result."""
    texts = {id(cell): cell.text for cell in cells}
    labelled = {id(cell) for cell in cells if texts[id(cell)] and words.is_label(texts[id(cell)])}
    headings = [(words.headings[key], cell) for cell in cells if (key := fold_label(texts[id(cell)])) in words.headings]
    values: dict[str, Cell] = {}
    for cell in cells:
        if id(cell) not in labelled:
            continue
        name = _field_key(cell, fold_label(texts[id(cell)]), headings, words, table)
        value = _value_cell(cell, cells, labelled) if name else None
        if name and value and name not in values:
            values[name] = value
    type_label = _first(cells, lambda cell: fold_label(texts[id(cell)]) in words.types)
    seal_label = _seal_label(cells, texts, words)
    # The box itself may have 印 printed in it, which makes it look like a label.
    boxes = [cell for cell in cells if id(cell) not in labelled or fold_label(texts[id(cell)]) in words.seals]
    claimed = {id(cell) for cell in values.values()}
    return Grid(
        values=values,
        checks=_checks(cells, texts, words),
        type_cell=_value_cell(type_label, cells, labelled) if type_label else None,
        seal_label=seal_label,
        seal_cell=_seal_cell(seal_label, [cell for cell in boxes if id(cell) not in claimed]) if seal_label else None,
    )


def _first(cells: Iterable[Cell], wanted: Callable[[Cell], bool]) -> Cell | None:
    return next((cell for cell in cells if wanted(cell)), None)


def _field_key(
    cell: Cell, folded: str, headings: Sequence[tuple[str, Cell]], words: Vocabulary, table: Table
) -> str | None:
    """The field that this label names, through the heading it stands under; None where it names none."""
    if folded in words.singles:
        return words.singles[folded]
    last = words.fields.get(folded)
    block = _heading_of(cell, headings) if last else None
    key = f"{block}.{last}"
    return key if block and key in {row.key for row in table.block(block).rows} else None


def _heading_of(cell: Cell, headings: Sequence[tuple[str, Cell]]) -> str | None:
    """The block whose heading is nearest to the left in the same rows or, failing that, nearest above."""
    left = [
        (cell.box.x0 - heading.box.x1, key)
        for key, heading in headings
        if heading.box.x1 <= cell.box.x0 + 2 and _in_row(heading, cell)
    ]
    above = [
        (cell.box.y0 - heading.box.y1, key)
        for key, heading in headings
        if heading.box.y1 <= cell.box.y0 + 2 and _in_column(heading, cell)
    ]
    return min(left)[1] if left else min(above)[1] if above else None


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


def _left_of(cell: Cell, cells: Iterable[Cell]) -> Cell | None:
    near = [other for other in cells if -2 <= cell.box.x0 - other.box.x1 <= _REACH and _in_row(cell, other)]
    return max(near, key=lambda other: other.box.x1, default=None)


def _below(cell: Cell, cells: Iterable[Cell]) -> Cell | None:
    near = [other for other in cells if -2 <= other.box.y0 - cell.box.y1 <= _REACH and _in_column(cell, other)]
    return min(near, key=lambda other: (other.box.y0, other.box.x0), default=None)


def _value_cell(label: Cell, cells: Sequence[Cell], labelled: set[int]) -> Cell | None:
    for found in (_right_of(label, cells), _below(label, cells)):
        if found and id(found) not in labelled:
            return found
    return None


def _checks(cells: Sequence[Cell], texts: Mapping[int, str], words: Vocabulary) -> dict[str, tuple[Cell | None, Cell]]:
    found: dict[str, tuple[Cell | None, Cell]] = {}
    for cell in cells:
        key = words.statements.get(fold_statement(texts[id(cell)]))
        if key and key not in found:
            found[key] = (_check_cell(cell, cells, texts), cell)
    return found


def _check_cell(statement: Cell, cells: Sequence[Cell], texts: Mapping[int, str]) -> Cell | None:
    """The cell of the mark stands beside its statement and holds a character or two at most; a filled one wins.

    None where the mark is printed in front of the statement itself.
    """
    if _MARK_IN_FRONT.match(texts[id(statement)]):
        return None
    beside = [cell for cell in (_left_of(statement, cells), _right_of(statement, cells)) if cell]
    narrow = [cell for cell in beside if len(texts[id(cell)]) <= 2]
    return max(narrow, key=lambda cell: bool(texts[id(cell)]), default=None)


def _seal_label(cells: Sequence[Cell], texts: Mapping[int, str], words: Vocabulary) -> Cell | None:
    """The longest of the labels wins: 印 alone is also printed inside boxes."""
    labels = [cell for cell in cells if fold_label(texts[id(cell)]) in words.seals]
    return max(labels, key=lambda cell: len(texts[id(cell)]), default=None)


def _seal_cell(label: Cell, cells: Sequence[Cell]) -> Cell | None:
    """The biggest cell next to the label that is no other field's."""
    near: Iterator[Cell | None] = iter((_below(label, cells), _right_of(label, cells), _left_of(label, cells)))
    return max((cell for cell in near if cell), key=lambda cell: cell.area, default=None)
