"""Turned pages, several forms on one page, one form on two pages: each form is found whole, with the places it had."""

import io
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PageObject, PdfReader, PdfWriter, Transformation

from config import forms, request_types
from parsers.cells import Cell
from parsers.document import Page, open_document
from parsers.form_choice import choose_form
from parsers.labels import Grid
from parsers.page_parts import (
    continues,
    head_lines,
    joined,
    parted,
    split_forms,
    turn_of,
    turned,
    turned_back,
    upright,
)
from parsers.reading import Box

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
TABLE, LIBRARY = request_types.load(), forms.shipped()
A4 = (595.0, 842.0)
SINGLE_FORMS = (
    "new_issue",
    "handover",
    "handover__columns",
    "old_form",
    "reissue__font_mincho",
    "cancellation__margin",
)


def sample(name: str) -> PageObject:
    return PdfReader(SAMPLES / f"{name}.pdf").pages[0]


def compose(size: tuple[float, float], *placed: tuple[PageObject, Transformation]) -> Page:
    """One page with other pages drawn onto it, as a printer driver does; nothing is marked as rotated."""
    writer = PdfWriter()
    page = writer.add_blank_page(*size)
    for source, placing in placed:
        page.merge_transformed_page(source, placing)
    out = io.BytesIO()
    writer.write(out)
    [opened] = open_document(out.getvalue()).pages
    return opened


@cache
def plain(name: str) -> Page:
    return open_document((SAMPLES / f"{name}.pdf").read_bytes()).pages[0]


def grid_of(page: Page) -> Grid:
    return choose_form(page.cells, page.loose_lines(), LIBRARY, TABLE)[1]


def content(page: Page) -> dict[str, str]:
    """What the form says, part by part."""
    grid = grid_of(page)
    found = {key: cell.text for key, cell in grid.values.items()}
    found |= {key: mark.text for key, (mark, _) in grid.checks.items() if mark}
    return found | {"request_type": grid.type_cell.text if grid.type_cell else ""}


# --- turns


def placing(turn: int) -> tuple[tuple[float, float], Transformation]:
    """The page turned against the clock by so many degrees, and moved back onto the paper."""
    width, height = A4
    match turn:
        case 90:
            return (height, width), Transformation().rotate(90).translate(height, 0)
        case 180:
            return (width, height), Transformation().rotate(180).translate(width, height)
        case _:
            return (height, width), Transformation().rotate(270).translate(0, width)


@pytest.mark.parametrize("turn", [90, 180, 270])
@pytest.mark.parametrize("name", ["new_issue", "handover__columns", "old_form"])
def test_a_form_whose_content_is_turned_reads_like_the_upright_one(name: str, turn: int) -> None:
    size, move = placing(turn)
    page = compose(size, (sample(name), move))
    assert turn_of(page) == turn
    found = upright(page)
    assert turn_of(found) == 0
    assert content(found) == content(plain(name))
    assert grid_of(found).parts == grid_of(plain(name)).parts
    assert set(head_lines(found)) >= {choose_form(found.cells, found.loose_lines(), LIBRARY, TABLE)[0].title}
    for cell, before in zip(sorted(found.cells, key=str), sorted(plain(name).cells, key=str), strict=False):
        assert cell.box is not before.box


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_place_on_a_turned_page_is_led_back_to_where_it_was_drawn(turn: int) -> None:
    size, move = placing(turn)
    page = compose(size, (sample("new_issue"), move))
    back = [turned_back(cell.box, page, turn) for cell in turned(page, turn).cells]
    assert sorted(round_box(box) for box in back) == sorted(round_box(cell.box) for cell in page.cells)


def round_box(box: Box) -> tuple[float, ...]:
    return tuple(round(edge, 3) for edge in box)


@pytest.mark.parametrize("name", SINGLE_FORMS)
def test_an_upright_page_is_left_alone(name: str) -> None:
    page = plain(name)
    assert turn_of(page) == 0
    assert upright(page) is page


# --- several forms on one page

HALF = 0.66


def side_by_side(left: str, right: str) -> Page:
    """Two reduced forms on a landscape page."""
    return compose(
        (842.0, 595.0),
        (sample(left), Transformation().scale(HALF).translate(10, 20)),
        (sample(right), Transformation().scale(HALF).translate(431, 20)),
    )


def one_above_the_other(top: str, bottom: str) -> Page:
    """Two forms on a long page."""
    return compose(
        (595.0, 1684.0),
        (sample(top), Transformation().translate(0, 842)),
        (sample(bottom), Transformation()),
    )


@pytest.mark.parametrize("arrange", [side_by_side, one_above_the_other])
@pytest.mark.parametrize(
    ("first", "second"), [("new_issue", "handover"), ("reissue", "reissue"), ("old_form", "cancellation__columns")]
)
def test_two_forms_on_one_page_are_two_forms(arrange, first: str, second: str) -> None:
    page = arrange(first, second)
    parts = split_forms(page, LIBRARY, TABLE)
    assert [content(part) for part in parts] == [content(plain(first)), content(plain(second))]
    for part, name in zip(parts, (first, second), strict=True):
        form = choose_form(part.cells, part.loose_lines(), LIBRARY, TABLE)[0]
        assert form.version == choose_form(plain(name).cells, plain(name).loose_lines(), LIBRARY, TABLE)[0].version
        assert form.title in set(head_lines(part))
        assert form.mark in part.loose_lines()
    # Every line and cell belongs to one of them, at the place it had.
    assert sorted(run.box for part in parts for run in part.runs()) == sorted(run.box for run in page.runs())


def test_four_forms_on_one_page_are_four_forms() -> None:
    names = ("new_issue", "reissue", "handover", "cancellation")
    corners = ((10, 440), (310, 440), (10, 20), (310, 20))
    page = compose(
        A4,
        *(
            (sample(name), Transformation().scale(0.47).translate(*corner))
            for name, corner in zip(names, corners, strict=True)
        ),
    )
    found = [content(part) for part in split_forms(page, LIBRARY, TABLE)]
    assert sorted(map(str, found)) == sorted(str(content(plain(name))) for name in names)


def test_a_turned_page_of_two_forms_is_both() -> None:
    both = PdfWriter()
    page = both.add_blank_page(842, 595)
    page.merge_transformed_page(sample("new_issue"), Transformation().scale(HALF).translate(10, 20))
    page.merge_transformed_page(sample("reissue"), Transformation().scale(HALF).translate(431, 20))
    lying = compose(A4, (page, Transformation().rotate(90).translate(595, 0)))
    parts = split_forms(upright(lying), LIBRARY, TABLE)
    assert [content(part) for part in parts] == [content(plain("new_issue")), content(plain("reissue"))]


@pytest.mark.parametrize("name", SINGLE_FORMS)
def test_one_form_is_not_parted(name: str) -> None:
    page = plain(name)
    assert split_forms(page, LIBRARY, TABLE) == (page,)
    assert split_forms(page, LIBRARY, TABLE, noisy=True) == (page,)


# --- one form on two pages


def broken_after(name: str, row: float) -> tuple[Page, Page]:
    """The form printed on two sheets, the table going on where the first sheet ended."""
    page = plain(name)

    def above(height: float) -> bool:
        return height < row

    first = replace(
        page,
        cells=tuple(cell for cell in page.cells if above(cell.box.y0)),
        loose=tuple(run for run in page.loose if above(run.middle)),
    )
    rest = [cell for cell in page.cells if not above(cell.box.y0)]
    up = min(cell.box.y0 for cell in rest) - 40

    def raised(box: Box) -> Box:
        return Box(box.x0, box.y0 - up, box.x1, box.y1 - up)

    second = replace(
        page,
        number=2,
        cells=tuple(
            Cell(raised(cell.box), tuple(replace(run, box=raised(run.box)) for run in cell.runs)) for cell in rest
        ),
        loose=tuple(replace(run, box=raised(run.box)) for run in page.loose if not above(run.middle)),
    )
    return first, second


@pytest.mark.parametrize("name", ["new_issue", "handover", "cancellation__columns"])
@pytest.mark.parametrize("part", ["webec_terms", "wished_revocation_date", "after.company_ja"])
def test_a_form_that_goes_on_on_the_next_page_is_one_form(name: str, part: str) -> None:
    grid = grid_of(plain(name))
    cell = grid.checks[part][1] if part in grid.checks else grid.values[part]
    first, second = broken_after(name, cell.box.y0 - 1)
    assert continues(first, second, LIBRARY, TABLE)
    both = joined(first, second)
    assert content(both) == content(plain(name))
    places = [parted(each.box, first) for each in both.cells]
    assert [box for page, box in places if page == 0] == [each.box for each in first.cells]
    moved = [round_box(box) for page, box in places if page == 1]
    assert moved == [round_box(each.box) for each in second.cells]


@pytest.mark.parametrize("second", ["reissue", "old_form", "terms_only", "other_service"])
def test_another_form_or_a_page_of_terms_does_not_go_on(second: str) -> None:
    assert not continues(plain("new_issue"), plain(second), LIBRARY, TABLE)


def test_the_second_page_goes_on_with_no_form_where_the_first_is_none() -> None:
    first, second = broken_after("new_issue", 500)
    assert not continues(plain("terms_only"), second, LIBRARY, TABLE)
    assert not continues(first, replace(second, cells=(), loose=()), LIBRARY, TABLE)


# --- any page

BOXES = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h),
    st.floats(0, 600),
    st.floats(0, 800),
    st.floats(1, 300),
    st.floats(1, 300),
)


@given(box=BOXES, turn=st.sampled_from([90, 180, 270]))
def test_turning_and_turning_back_changes_no_place(box: Box, turn: int) -> None:
    page = replace(plain("new_issue"), cells=(Cell(box),), loose=())
    [cell] = turned(page, turn).cells
    assert turned_back(cell.box, page, turn) == pytest.approx(box)
