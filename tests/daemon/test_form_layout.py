"""Where things stand on the form: nothing overlaps, and the seal has room."""

import dataclasses

import pytest

from config import forms, request_types
from daemon.form_layout import COLUMN_WIDTHS, COLUMNS, INPUTS, Role, lay_out

TABLE = request_types.load()
A4_INSIDE_MARGINS = (210 - 24, 297 - 24)

both = pytest.mark.parametrize("form", forms.load_forms(), ids=lambda form: form.version)


@both
def test_no_two_places_overlap(form):
    taken = {}
    for place in lay_out(form, TABLE).places:
        for row in range(place.row, place.last_row + 1):
            for column in range(place.column, place.last_column + 1):
                assert (row, column) not in taken
                taken[row, column] = place
    assert max(column for _, column in taken) == COLUMNS


@both
def test_every_row_of_the_table_has_exactly_one_place(form):
    keys = [place.key for place in lay_out(form, TABLE).places if place.key]
    expected = [row.key for row in (*TABLE.fields(), *TABLE.confirmations, TABLE.seal) if form.has(row.key)]
    assert sorted(keys) == sorted([*expected, "request_type"])


@both
def test_only_places_that_take_a_value_have_a_key(form):
    for place in lay_out(form, TABLE).places:
        assert bool(place.key) is (place.role in INPUTS)
        assert bool(place.text) is (place.role not in INPUTS)


@both
def test_the_label_of_a_value_stands_left_of_it_and_that_of_the_seal_above(form):
    sheet = lay_out(form, TABLE)
    texts = {(place.row, place.last_column): place.text for place in sheet.places}
    for key in form.field_keys(TABLE):
        place = sheet.place(key)
        assert texts[place.row, place.column - 1] == form.label(key)
    seal = sheet.place("seal")
    assert texts[seal.row - 1, seal.last_column] == form.label("seal")


@both
def test_the_seal_box_is_empty_and_holds_a_seal_of_24_mm_with_room(form):
    sheet = lay_out(form, TABLE)
    seal = sheet.place("seal")
    assert seal.text == ""
    # The page is scaled down to one sheet of A4 where it is larger.
    scale = min(1, A4_INSIDE_MARGINS[0] / sum(COLUMN_WIDTHS), A4_INSIDE_MARGINS[1] / sum(sheet.heights))
    height = sum(sheet.heights[seal.row - 1 : seal.last_row])
    assert min(height, COLUMN_WIDTHS[seal.column - 1]) * scale >= 30
    assert scale > 0.9


@both
def test_frames_lie_on_the_page(form):
    sheet = lay_out(form, TABLE)
    for first_row, first_column, last_row, last_column in sheet.frames:
        assert 1 <= first_row <= last_row <= len(sheet.heights)
        assert 1 <= first_column <= last_column <= COLUMNS


def test_the_hint_at_the_wished_date_names_the_types_that_take_one():
    [hint] = [place.text for place in lay_out(forms.newest(), TABLE).places if place.role is Role.HINT]
    assert hint.startswith("再発行、担当変更、解約・失効で")
    assert "申請日から1か月以内" in hint


def test_a_heading_without_a_pause_stays_on_one_line():
    headings = {place.text for place in lay_out(forms.newest(), TABLE).places if place.role is Role.HEADING}
    assert {"申請者", "変更前\n（前任者）"} <= headings
    old = {place.text for place in lay_out(forms.form("2021-04"), TABLE).places if place.role is Role.HEADING}
    assert "申請者\nに関する情報" in old


def test_a_field_of_the_applicant_without_a_place_is_refused():
    applicant = TABLE.block("applicant")
    more = dataclasses.replace(
        applicant, rows=(*applicant.rows, dataclasses.replace(applicant.rows[0], key="applicant.fax"))
    )
    table = dataclasses.replace(TABLE, blocks=(more, *TABLE.blocks[1:]))
    with pytest.raises(ValueError, match="applicant"):
        lay_out(forms.newest(), table)


def test_an_unknown_place_is_a_key_error():
    with pytest.raises(KeyError):
        lay_out(forms.newest(), TABLE).place("user.shoe_size")
