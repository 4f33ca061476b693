"""Form values: read from the fields, put into the cells, known by the printed labels."""

import io
import random
import warnings
from functools import cache

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf.generic import (
    ArrayObject,
    BooleanObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    NumberObject,
    TextStringObject,
)

from config import forms, request_types
from daemon.form_pdf import blank_pdf
from parsers import acroform
from parsers.acroform import Widget, WidgetKind, acroform_cells, add_named, fill_cells, form_notes, form_values
from parsers.cells import Cell, Run
from parsers.document import open_document
from parsers.errors import ParseError
from parsers.labels import find_parts, vocabulary
from parsers.reading import Box, Route, Seal, SealVerdict
from parsers.sheet import Entry, Sheet
from support.drawing import Drawing, form_page, to_pdf

TABLE = request_types.load()
NEWEST = forms.newest()
KANJI = "亜唖娃阿哀愛挨姶逢葵茜穐悪握渥旭葦芦鯵梓圧斡扱宛姐虻飴絢綾鮎或粟袷安庵按暗案闇鞍杏髙﨑栁邉𠮷①㈱々ヶー"
LATIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_+'&,"


@cache
def blank() -> bytes:
    return blank_pdf(NEWEST, TABLE)


@cache
def page_of_blank():
    return open_document(blank()).pages[0]


def word(chance, alphabet, longest):
    return "".join(chance.choice(alphabet) for _ in range(chance.randint(1, longest)))


def some_values(seed):
    chance = random.Random(seed)
    values = {"request_type": chance.choice([rule.word for rule in TABLE.types.values()])}
    for row in TABLE.fields():
        if chance.random() < 0.85:
            both = f"{word(chance, KANJI, 14)} {word(chance, KANJI, 6)}"
            values[row.key] = word(chance, LATIN, 40) if row.key.endswith(("_en", "email", "phone")) else both
    boxes = {row.key: chance.random() < 0.5 for row in TABLE.confirmations}
    return values, boxes


def typed(data, values, boxes, *, drawn=False):
    """The form as pypdf fills it in, or, without drawings of the values, as many other programs do."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    ticks = {key: "/Yes" if ticked else "/Off" for key, ticked in boxes.items()}
    if drawn:
        writer.update_page_form_field_values(writer.pages[0], values | ticks)
    for reference in writer.pages[0]["/Annots"]:
        each = reference.get_object()
        key = f"{each['/Parent']['/T']}.{each['/T']}" if "/Parent" in each else each["/T"]
        if key in values:
            each[NameObject("/V")] = text(values[key])
        elif key in ticks:
            each[NameObject("/V")] = NameObject(ticks[key])
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def read(data, page=None):
    page = acroform_cells(page or open_document(data).pages[0], form_values(data))
    grid = find_parts(page.cells, vocabulary(NEWEST), TABLE)
    values = {key: cell.text for key, cell in grid.values.items() if cell.text}
    if grid.type_cell and grid.type_cell.text:
        values["request_type"] = grid.type_cell.text
    return page, values, {key: mark.text for key, (mark, _) in grid.checks.items() if mark}


@pytest.mark.parametrize(("seed", "drawn"), [(0, True), (1, False), (2, False), (3, False), (4, False)])
def test_every_value_typed_into_our_form_is_read_exactly(seed, drawn):
    values, boxes = some_values(seed)
    data = typed(blank(), values, boxes, drawn=drawn)
    # Typing changes no print, so the cells of the blank form are those of the filled one.
    page, found, marks = read(data, None if seed == 0 else page_of_blank())
    assert found == values
    assert marks == {key: "☑" if ticked else "□" for key, ticked in boxes.items()}
    assert (page.route, page.written_on) == (Route.ACROFORM, False)


def test_a_form_whose_fields_were_printed_into_the_page_is_read_as_text():
    values, boxes = some_values(1)
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(blank()))
    ticks = {key: "/Yes" if ticked else "/Off" for key, ticked in boxes.items()}
    writer.update_page_form_field_values(writer.pages[0], values | ticks, flatten=True)
    writer.remove_annotations(subtypes="/Widget")
    out = io.BytesIO()
    writer.write(out)
    page, found, marks = read(out.getvalue())
    assert (page.route, found) == (Route.TEXT, values)
    assert {key: mark in NEWEST.ticked for key, mark in marks.items()} == boxes


def test_every_field_of_our_form_has_the_name_of_its_value_and_its_printed_label():
    widgets = form_values(blank())
    expected = {"request_type", *NEWEST.field_keys(TABLE), *(row.key for row in TABLE.confirmations)}
    assert {widget.name for widget in widgets} == expected
    assert all(widget.label for widget in widgets)
    assert [widget.box.y0 for widget in widgets] == sorted(widget.box.y0 for widget in widgets)


# --- forms of others


def field(kind, x0, y0, x1, y1, **entries):
    """A field by its corners in points from the top left of a page 842 points high."""
    made = DictionaryObject(
        {
            NameObject("/Subtype"): NameObject("/Widget"),
            NameObject("/Rect"): ArrayObject(FloatObject(edge) for edge in (x0, 842 - y1, x1, 842 - y0)),
            NameObject("/FT"): NameObject(kind),
        }
    )
    for key, value in entries.items():
        made[NameObject(f"/{key}")] = value
    return made


def text(value):
    return TextStringObject(value)


def with_fields(data, *fields, rotate=0, crop=None, **form):
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    page = writer.pages[0]
    page[NameObject("/Annots")] = ArrayObject(writer._add_object(each) for each in fields)
    if rotate:
        page[NameObject("/Rotate")] = NumberObject(rotate)
    if crop:
        page.cropbox = pypdf.generic.RectangleObject(crop)
    entries = {NameObject(f"/{key}"): value for key, value in form.items()}
    writer.root_object[NameObject("/AcroForm")] = DictionaryObject(
        {NameObject("/Fields"): page["/Annots"], NameObject("/NeedAppearances"): BooleanObject(True)} | entries
    )
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


FOREIGN = form_page([("申請種別", ""), ("申請日", ""), ("備考", "例）特になし")])


def test_a_form_of_another_maker_is_read_by_its_labels():
    data = with_fields(
        to_pdf(FOREIGN),
        field(
            "/Ch",
            222,
            62,
            500,
            76,
            T=text("f1"),
            V=text("02"),
            Opt=ArrayObject([ArrayObject([text("02"), text("再発行")])]),
        ),
        field("/Tx", 222, 80, 500, 94, T=text("f2"), V=text("令和6年7月1日"), Ff=NumberObject(1)),
        field("/Tx", 222, 98, 500, 112, T=text("f3"), V=text("𠮷野家の髙﨑\r本店")),
    )
    page, values, _ = read(data)
    # The value stands in place of the example that is printed under the field.
    assert values == {"request_type": "再発行", "application_date": "令和6年7月1日", "remarks": "𠮷野家の髙﨑本店"}
    assert page.route is Route.ACROFORM
    assert [widget.read_only for widget in form_values(data)] == [False, True, False]


def test_radio_buttons_before_their_words_choose_the_type():
    page = Drawing()
    page.cell(40, 60, 220, 78, "申請種別").box(220, 60, 540, 78)
    page.text(240, 73, "新規発行").text(330, 73, "再発行")
    states = {
        name: DictionaryObject({NameObject("/N"): DictionaryObject({NameObject(f"/{name}"): DictionaryObject()})})
        for name in ("new", "again")
    }
    radio = {"Ff": NumberObject(1 << 15), "V": NameObject("/again")}
    data = with_fields(
        to_pdf(page),
        field("/Btn", 228, 63, 238, 75, T=text("r"), AP=states["new"], AS=NameObject("/Off"), **radio),
        field("/Btn", 318, 63, 328, 75, T=text("r"), AP=states["again"], AS=NameObject("/again"), **radio),
    )
    _, values, _ = read(data)
    assert values["request_type"].replace(" ", "") == "□新規発行☑再発行"


ON = DictionaryObject({NameObject("/N"): DictionaryObject({NameObject("/Yes"): DictionaryObject()})})


@pytest.mark.parametrize(
    ("entries", "ticked"),
    [
        ({}, False),
        ({"V": NameObject("/Yes")}, True),
        ({"V": NameObject("/Yes"), "AS": NameObject("/Off")}, True),
        ({"AS": NameObject("/Yes")}, True),
        ({"V": NameObject("/Off"), "AS": NameObject("/Off")}, False),
        ({"V": NameObject("/Off"), "AS": NameObject("/Yes")}, None),
        ({"V": NameObject("/Other"), "AS": NameObject("/Off")}, False),
    ],
)
def test_a_box_is_ticked_by_its_value_and_unclear_where_its_drawing_says_otherwise(entries, ticked):
    (widget,) = form_values(with_fields(to_pdf(FOREIGN), field("/Btn", 10, 10, 20, 20, T=text("c"), AP=ON, **entries)))
    assert (widget.kind, widget.ticked) == (WidgetKind.CHECK, ticked)


def test_a_value_above_the_field_is_inherited_and_a_cycle_of_parents_ends():
    child = field("/Tx", 222, 80, 500, 94, T=text("day"))
    parent = DictionaryObject({NameObject("/T"): text("form"), NameObject("/V"): text("2024/7/1")})
    child[NameObject("/Parent")] = parent
    (widget,) = form_values(with_fields(to_pdf(FOREIGN), child))
    assert (widget.name, widget.value) == ("form.day", "2024/7/1")
    looped = with_fields(to_pdf(FOREIGN), field("/Tx", 222, 80, 500, 94, T=text("day")))
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(looped))
    reference = writer.pages[0]["/Annots"][0]
    reference.get_object()[NameObject("/Parent")] = reference
    out = io.BytesIO()
    writer.write(out)
    assert len(form_values(out.getvalue())) == 1


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_places_are_those_of_the_page_as_it_is_displayed(rotate):
    data = with_fields(
        to_pdf(FOREIGN), field("/Tx", 100, 50, 200, 80, T=text("x")), rotate=rotate, crop=(20, 10, 595, 832)
    )
    (widget,) = form_values(data)
    width, height = 575, 822
    x0, y0, x1, y1 = 80, 40, 180, 70  # from the corner of what is displayed, before turning
    expected = {
        0: (x0, y0, x1, y1),
        90: (height - y1, x0, height - y0, x1),
        180: (width - x1, height - y1, width - x0, height - y0),
        270: (y0, width - x1, y1, width - x0),
    }[rotate]
    assert widget.box == pytest.approx(Box(*expected))


def test_hidden_fields_push_buttons_and_signatures_hold_no_value():
    data = with_fields(
        to_pdf(FOREIGN),
        field("/Tx", 222, 80, 500, 94, T=text("a"), V=text("x"), F=NumberObject(2)),
        field("/Btn", 222, 80, 500, 94, T=text("b"), Ff=NumberObject(1 << 16)),
        field("/Sig", 222, 80, 500, 94, T=text("c")),
    )
    assert form_values(data) == ()


def test_free_text_lies_in_its_cell_and_leaves_the_page_written_on():
    note = field("/Tx", 222, 98, 500, 112, Contents=text("至急"))
    note[NameObject("/Subtype")] = NameObject("/FreeText")
    stamp = field("/Tx", 10, 700, 60, 750)
    stamp[NameObject("/Subtype")] = NameObject("/Stamp")
    data = with_fields(to_pdf(form_page([("申請種別", "再発行"), ("申請日", ""), ("備考", "")])), note, stamp)
    page, values, _ = read(data)
    assert values["remarks"] == "至急"
    assert (page.route, page.written_on) == (Route.TEXT, True)
    assert [widget.kind for widget in form_values(data)] == [WidgetKind.NOTE, WidgetKind.MARK]


def test_another_form_hidden_in_the_file_is_noted():
    assert form_notes(to_pdf(FOREIGN)) == ()
    assert form_notes(with_fields(to_pdf(FOREIGN))) == ()
    assert form_notes(with_fields(to_pdf(FOREIGN), XFA=text("<xdp/>"))) == ("xfa_form",)


# --- cells


def test_a_field_in_no_cell_is_used_by_its_name_and_only_where_no_cell_told_it():
    cells = (Cell(Box(0, 0, 100, 20)),)
    sheet = Sheet(
        "2024-07",
        Route.ACROFORM,
        (1,),
        Entry(""),
        {"user.name_ja": Entry("山田")},
        {"webec_terms": None, "ogis_terms": True},
        Seal(SealVerdict.UNCLEAR),
    )
    away = Box(300, 300, 400, 320)
    widgets = [
        Widget(1, away, WidgetKind.TEXT, "user.email", value="a@b.example"),
        Widget(1, away, WidgetKind.TEXT, "user.name_ja", value="別人"),
        Widget(1, Box(0, 0, 90, 20), WidgetKind.TEXT, "user.name_en", value="in a cell"),
        Widget(2, away, WidgetKind.TEXT, "remarks", value="on another page"),
        Widget(1, away, WidgetKind.CHOICE, "request_type", value="再発行"),
        Widget(1, away, WidgetKind.CHECK, "webec_terms", ticked=True),
        Widget(1, away, WidgetKind.CHECK, "ogis_terms", ticked=False),
    ]
    made = add_named(sheet, widgets, cells, TABLE)
    assert {key: entry.raw for key, entry in made.entries.items()} == {
        "user.name_ja": "山田",
        "user.email": "a@b.example",
    }
    assert made.kind.raw == "再発行"
    assert made.ticks == {"webec_terms": True, "ogis_terms": True}


def test_a_box_gives_way_to_its_mark_only_and_an_empty_field_leaves_the_print():
    statement = Run("申請内容が正しいことの確認", Box(20, 2, 180, 18), 10)
    square = Run("□", Box(2, 2, 12, 18), 10)
    cell = Cell(Box(0, 0, 200, 20), (square, statement))
    (ticked,) = fill_cells([cell], [Widget(1, Box(0, 0, 200, 20), WidgetKind.CHECK, ticked=True)])
    assert [run.text for run in ticked.runs] == ["申請内容が正しいことの確認", "☑"]
    (same,) = fill_cells([cell], [Widget(1, Box(0, 0, 200, 20), WidgetKind.TEXT, value=" ")])
    assert same == cell
    (unclear,) = fill_cells([Cell(Box(0, 0, 20, 20))], [Widget(1, Box(0, 0, 20, 20), WidgetKind.CHECK, ticked=None)])
    assert unclear.text not in (*NEWEST.ticked, *NEWEST.unticked)


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_fields_or_a_parse_error(data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for ask in (form_values, form_notes):
            try:
                ask(b"%PDF-1.7\n" + data)
            except ParseError:
                continue


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_a_form_with_a_spoilt_byte_gives_fields_or_a_parse_error(data):
    whole = with_fields(to_pdf(FOREIGN), field("/Tx", 222, 80, 500, 94, T=text("a"), V=text("x")))
    at = data.draw(st.integers(0, len(whole) - 1))
    spoilt = whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    try:
        widgets = form_values(spoilt)
    except ParseError:
        return
    assert len(widgets) <= acroform._MOST_WIDGETS
