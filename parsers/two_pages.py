"""A form over two scanned pages: what the first page hands on to the second, and two sheets → one.

Pure. A page is looked at by itself; with it comes what was recognised on the page before, so that a heading there
names the fields here, by the rule that holds for text (`parsers.page_parts.continues`). Weak: three pages are not put
together, nor two of which the first holds no part that is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from config.forms import Form, Library
from config.request_types import Table
from parsers.cells import Cell, Run
from parsers.document import Page
from parsers.form_choice import choose_form
from parsers.labels import Grid
from parsers.page_parts import continues, joined
from parsers.reading import Box, Route
from parsers.sheet import Sheet

# No page of a form holds more; whoever says so was taken over.
_MOST_TEXTS, _LONGEST_TEXT = 4000, 2000


def page_to_json(page: Page) -> dict[str, Any]:
    """A recognised page as one process hands it to another; `page_from_json` is its inverse."""
    return {
        "number": page.number,
        "size": [page.width, page.height],
        "cells": [[*cell.box, cell.text] for cell in page.cells],
        "lines": [[*run.box, run.text] for run in page.loose],
    }


def page_from_json(raw: Mapping[str, Any]) -> Page:
    """Raises KeyError, TypeError or ValueError on anything that `page_to_json` does not write."""
    width, height = (float(side) for side in raw["size"])
    cells = [_text(each) for each in _bounded(raw["cells"])]
    lines = [_text(each) for each in _bounded(raw["lines"])]
    return Page(
        int(raw["number"]),
        width,
        height,
        Route.SCAN,
        tuple(Cell(run.box, (run,) if run.text else ()) for run in cells),
        tuple(lines),
    )


def _bounded(raw: Any) -> Sequence[Any]:  # noqa: ANN401 - JSON of another process
    if not isinstance(raw, list) or len(raw) > _MOST_TEXTS:
        raise ValueError("a page with too many texts")
    return raw


def _text(raw: Any) -> Run:  # noqa: ANN401 - as above
    x0, y0, x1, y1, text = raw
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
        raise ValueError("a text of a page is none")
    box = Box(float(x0), float(y0), float(x1), float(y1))
    return Run(text, box, box.y1 - box.y0)


def carried_on(before: Page, page: Page, library: Library, table: Table) -> tuple[Form, Grid] | None:
    """The form that a page carries on from the page before, with those of its parts that stand on this page; None
    where it carries on none."""
    if not continues(before, page, library, table, noisy=True):
        return None
    both = joined(before, page)
    texts = [*both.loose_lines(), *(cell.text for cell in both.cells)]
    form, grid = choose_form(both.cells, texts, library, table, noisy=True)
    here = dict(zip(map(id, both.cells[len(before.cells) :]), page.cells, strict=True))

    def back(cell: Cell | None) -> Cell | None:
        if cell is None or cell.box.y0 < before.height:
            return None
        box = Box(cell.box.x0, cell.box.y0 - before.height, cell.box.x1, cell.box.y1 - before.height)
        # The very cell of the page where it is one, for what was seen in it is kept with its box.
        return here.get(id(cell)) or replace(cell, box=box)

    values = {key: moved for key, cell in grid.values.items() if (moved := back(cell))}
    checks = {key: (back(mark), moved) for key, (mark, statement) in grid.checks.items() if (moved := back(statement))}
    return form, Grid(values, checks, back(grid.type_cell), back(grid.seal_label), back(grid.seal_cell))


def stitched(first: Sheet, second: Sheet) -> Sheet:
    """One sheet of the form that begins on the first page and goes on on the second."""
    page = second.pages[0]
    further = {key: replace(entry, page=page) for key, entry in second.entries.items() if key not in first.entries}
    ticks = {key: tick if tick is not None else second.ticks.get(key) for key, tick in first.ticks.items()}
    return replace(
        first,
        pages=(*first.pages, page),
        kind=first.kind if first.kind.box or not second.kind.box else replace(second.kind, page=page),
        entries={**first.entries, **further},
        ticks=ticks,
        seal=first.seal if first.seal.box or not second.seal.box else second.seal,
        notes=tuple(dict.fromkeys((*first.notes, *second.notes))),
    )
