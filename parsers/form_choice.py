"""Which of the known forms a page is: by its printed mark, else by how many of its labels fit.

Pure, over cells and their texts, so that text and recognised pictures are judged alike.
"""

from collections.abc import Iterable, Sequence

from config.forms import WISHED_DATE, Form, Library
from config.request_types import Table
from parsers.cells import Cell
from parsers.labels import Grid, find_parts
from parsers.vocabulary import Vocabulary, fold_label, vocabulary


def choose_form(
    cells: Sequence[Cell], texts: Iterable[str], library: Library, table: Table, *, noisy: bool = False
) -> tuple[Form, Grid]:
    """The form that fits the cells best, and the parts of it that were found.

    `texts` are all lines of the page. A mark that can be read decides. Else the form with the most parts; among equals
    the one that has a wished date where the page has one and none where it has none (AMB-11), then the one that knows
    more of the printed labels, then the newest.
    """
    folded = [fold_label(text) for text in texts]
    for form in library.forms:
        mark = fold_label(form.mark)
        if mark and any(mark in text for text in folded):
            return form, find_parts(cells, vocabulary(form), table, noisy=noisy)
    words = [vocabulary(form) for form in library.forms]
    grids = [find_parts(cells, known, table, noisy=noisy) for known in words]
    dated = any(WISHED_DATE in grid.values for grid in grids)

    def fitness(index: int) -> tuple[int, bool, int, int]:
        form, grid = library.forms[index], grids[index]
        return grid.hits, form.has_wished_date == dated, count_labels(cells, words[index]), -index

    best = max(range(len(grids)), key=fitness)
    return library.forms[best], grids[best]


def count_labels(cells: Iterable[Cell], words: Vocabulary) -> int:
    """How many cells hold a text that the form prints."""
    return sum(1 for cell in cells if (text := cell.text) and words.is_label(text))
