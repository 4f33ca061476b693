"""Parts are found by their labels on every layout; a misread label loses its part and never gives it another's cell."""

import random
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import forms, request_types
from config.forms import Form
from parsers.cells import Cell, Segment, find_boxes
from parsers.document import open_document
from parsers.labels import Grid, find_parts, vocabulary
from parsers.learning import propose
from parsers.reading import Box

DATA = Path(__file__).parent.parent / "data"
TABLE = request_types.load()
PAGES = (
    "samples/handover",
    "samples/old_form",
    "samples/cancellation__columns",
    "layouts/labels_above",
    "layouts/two_columns",
)


@cache
def page(name: str) -> tuple[tuple[Cell, ...], Form]:
    data = (DATA / f"{name}.pdf").read_bytes()
    form = propose(data).form if name.startswith("layouts") else forms.form("2021-04" if "old" in name else "2024-07")
    return open_document(data).pages[0].cells, form


def places(grid: Grid) -> dict[str, Box]:
    found = {key: cell.box for key, cell in grid.values.items()}
    found |= {key: statement.box for key, (_, statement) in grid.checks.items()}
    more = {"request_type": grid.type_cell, "seal": grid.seal_cell}
    return found | {key: cell.box for key, cell in more.items() if cell}


def misread(cells: tuple[Cell, ...], seed: int, share: float) -> tuple[Cell, ...]:
    """The cells with a wrong letter in that share of the printed texts, as recognition gives them."""
    chance = random.Random(seed)
    # No letter that makes one label of another: 氏名 for 社名 is not told by its letters, see the next test.
    letters = "杜民日月田土上木電所入人TIl1rnｶﾀ鬱"

    def spoil(cell: Cell) -> Cell:
        text = cell.text
        if not text or chance.random() >= share:
            return cell
        at = chance.randrange(len(text))
        text = text[:at] + chance.choice(letters) + text[at + 1 :]
        return replace(cell, runs=(replace(cell.runs[0], text=text),))

    return tuple(map(spoil, cells))


@pytest.mark.parametrize("name", PAGES)
def test_without_errors_a_recognised_page_has_the_parts_of_the_text(name: str) -> None:
    cells, form = page(name)
    words = vocabulary(form)
    assert places(find_parts(cells, words, TABLE, noisy=True)) == places(find_parts(cells, words, TABLE))


@pytest.mark.parametrize("name", PAGES)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_a_misread_label_never_gives_its_part_to_another_cell(name: str, seed: int) -> None:
    cells, form = page(name)
    words = vocabulary(form)
    right = places(find_parts(cells, words, TABLE))
    found = places(find_parts(misread(cells, seed, 0.1), words, TABLE, noisy=True))
    # The seal box is chosen by size among its neighbours, so it may shrink; it is looked at, not read.
    assert {key: box for key, box in found.items() if key != "seal" and right.get(key) != box} == {}


@pytest.mark.parametrize("name", PAGES)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_one_label_that_reads_like_any_other_never_gives_its_part_to_another_cell(name: str, data) -> None:
    cells, form = page(name)
    words = vocabulary(form)
    right = places(find_parts(cells, words, TABLE))
    # Labels of fields only: no misreading makes 変更後 of 変更前.
    labels = {known.label for known in words.known if known.meaning} - set(words.headings)
    at = data.draw(st.sampled_from([index for index, cell in enumerate(cells) if words.exact(cell.text) in labels]))
    text = data.draw(st.sampled_from(sorted(labels)))
    spoilt = list(cells)
    spoilt[at] = replace(cells[at], runs=(replace(cells[at].runs[0], text=text),))
    found = find_parts(spoilt, words, TABLE, noisy=True)
    # The field is then claimed twice, which is nothing.
    assert {key for key, cell in found.values.items() if right.get(key, cell.box) != cell.box} == set()


@pytest.mark.parametrize("name", PAGES)
def test_most_parts_survive_a_wrong_letter_in_every_fifth_text(name: str) -> None:
    cells, form = page(name)
    words = vocabulary(form)
    whole = find_parts(cells, words, TABLE).hits
    hits = [find_parts(misread(cells, seed, 0.2), words, TABLE, noisy=True).hits for seed in range(8)]
    assert sum(hits) / len(hits) > 0.7 * whole


def test_tables_a_hair_apart_do_not_disturb_each_other() -> None:
    horizontal, vertical = [], []
    for left, offset in ((0.0, 0.0), (110.0, 1.5)):
        for row in range(6):
            horizontal.append(Segment(row * 10 + offset, left, left + 100))
        vertical += [Segment(x, offset, 50 + offset) for x in (left, left + 40, left + 100)]
    boxes = find_boxes(horizontal, vertical)
    assert len(boxes) == 20
    assert [box.y0 for box in boxes if box.x0 >= 110] == pytest.approx(
        [row * 10 + 1.5 for row in range(5) for _ in range(2)]
    )


def test_a_line_drawn_in_pieces_is_one_line() -> None:
    pieces = [Segment(0, x, x + 10) for x in range(0, 100, 10)] + [Segment(20.4, x, x + 11) for x in range(0, 100, 10)]
    [box] = find_boxes(pieces, [Segment(0, 0, 20), Segment(100, 0, 20)])
    assert box == pytest.approx((0, 0, 100, 20.4))
