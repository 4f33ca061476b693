"""The Excel form: what each cell asks for under each type, and that it stays one A4 page."""

import re
from datetime import date

import openpyxl
import pytest
from openpyxl.utils import range_boundaries

from config import forms, request_types
from config.forms import WISHED_DATE
from config.request_types import Need, RequestType
from daemon.form import Style, chosen, write_xlsx
from daemon.form_layout import COLUMN_WIDTHS, INPUTS, Role, lay_out
from daemon.form_looks import GREY, WHITE, YELLOW

TABLE = request_types.load()
ROWS = [*TABLE.fields(), *TABLE.confirmations, TABLE.seal]
VERSIONS = ("2024-07", "2021-04")
CELLS = [
    (version, row.key, kind)
    for version in VERSIONS
    for row in ROWS
    if forms.form(version).has(row.key)
    for kind in RequestType
]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Each version as a file would be opened again, and where its places are."""
    folder = tmp_path_factory.mktemp("forms")
    books = {}
    for version in VERSIONS:
        path = folder / f"{version}.xlsx"
        write_xlsx(path, form=forms.form(version), table=TABLE)
        books[version] = openpyxl.load_workbook(path).worksheets[0], lay_out(forms.form(version), TABLE)
    return books


def holds(formula, *, type_cell, word, wished_cell="", wished=False):
    """Evaluate the few shapes of formula that the form uses; anything else is an error."""
    both = re.fullmatch(r'AND\((\$[A-Z]\$\d+)<>"",(OR\(.*\))\)', formula)
    if both:
        assert both[1] == wished_cell
        return wished and holds(both[2], type_cell=type_cell, word=word)
    choices = re.fullmatch(r"OR\((.*)\)", formula)[1].split(",")
    pairs = [re.fullmatch(r'(\$[A-Z]\$\d+)="([^"]*)"', choice).groups() for choice in choices]
    assert {cell for cell, _ in pairs} == {type_cell}
    return word in {value for _, value in pairs}


def absolute(page, place):
    return "$" + "$".join(re.fullmatch(r"([A-Z]+)(\d+)", page.cell(place.row, place.column).coordinate).groups())


def colour(page, sheet, key, *, word, wished=False):
    """The colour that a spreadsheet program would show in the place of that key."""
    place, cells = sheet.place(key), {"type_cell": absolute(page, sheet.place("request_type"))}
    if WISHED_DATE in {other.key for other in sheet.places}:
        cells["wished_cell"] = absolute(page, sheet.place(WISHED_DATE))
    shown = []
    for area in page.conditional_formatting:
        for part in str(area.sqref).split():
            first_column, first_row, last_column, last_row = range_boundaries(part)
            if first_row <= place.row <= last_row and first_column <= place.column <= last_column:
                # The rule must colour the whole merged range, not only its first cell.
                assert (first_row, first_column, last_row, last_column) == place.area
                for rule in area.rules:
                    if holds(rule.formula[0], word=word, wished=wished, **cells):
                        shown.append(rule.dxf.fill.bgColor.rgb[-6:])
    assert len(shown) <= 1
    ground = page.cell(place.row, place.column).fill
    return shown[0] if shown else ground.start_color.rgb[-6:] if ground.fill_type else WHITE


@pytest.mark.parametrize(("version", "key", "kind"), CELLS, ids=[f"{v}-{k}-{t.value}" for v, k, t in CELLS])
def test_a_cell_is_yellow_white_or_grey_as_the_table_says(written, version, key, kind):
    page, sheet = written[version]
    need = TABLE.row(key).needs[kind]
    expected = YELLOW if need is Need.REQUIRED else GREY if need.greyed else WHITE
    assert colour(page, sheet, key, word=TABLE.types[kind].word) == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_while_no_type_is_chosen_only_the_type_is_yellow(written, version):
    page, sheet = written[version]
    shown = {
        key: colour(page, sheet, key, word="") for key in [row.key for row in ROWS if forms.form(version).has(row.key)]
    }
    assert set(shown.values()) == {WHITE}
    assert colour(page, sheet, "request_type", word="") == YELLOW


@pytest.mark.parametrize("kind", RequestType)
def test_a_wished_date_makes_the_date_of_application_a_duty(written, kind):
    page, sheet = written["2024-07"]
    takes_date = not TABLE.row(WISHED_DATE).needs[kind].greyed
    shown = colour(page, sheet, "application_date", word=TABLE.types[kind].word, wished=True)
    assert shown == (YELLOW if takes_date else WHITE)


def test_a_formula_names_the_words_of_the_types():
    formula = chosen("$D$5", TABLE, frozenset({RequestType.REISSUE, RequestType.CANCELLATION}))
    assert formula == 'OR($D$5="再発行",$D$5="解約・失効")'


@pytest.mark.parametrize("version", VERSIONS)
def test_it_prints_on_one_portrait_a4_page(written, version):
    page, sheet = written[version]
    assert (page.page_setup.paperSize, page.page_setup.orientation) == (9, "portrait")
    assert page.sheet_properties.pageSetUpPr.fitToPage
    assert (page.page_setup.fitToWidth, page.page_setup.fitToHeight) == (1, 1)
    assert page.print_area == f"'申請書'!$A$1:$G${len(sheet.heights)}"
    assert page.max_row == len(sheet.heights)
    assert page.parent.worksheets == [page]


def validations(page, place):
    coordinate = page.cell(place.row, place.column).coordinate
    return [found for found in page.data_validations.dataValidation if coordinate in found.sqref]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_type_is_chosen_from_the_five_words(written, version):
    page, sheet = written[version]
    [found] = validations(page, sheet.place("request_type"))
    assert (found.type, found.formula1) == ("list", '"新規発行,再発行,登録変更,担当変更,解約・失効"')
    assert found.showErrorMessage
    assert "最初に選択" in found.prompt


@pytest.mark.parametrize("key", [row.key for row in TABLE.confirmations])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_check_cell_is_ticked_by_a_drop_down(written, version, key):
    page, sheet = written[version]
    place = sheet.place(key)
    [found] = validations(page, place)
    assert found.formula1 == '"□,☑"'
    assert page.cell(place.row, place.column).value == "□"
    # The statement stands right beside its box.
    assert page.cell(place.row, place.last_column + 1).value == forms.form(version).label(key)


@pytest.mark.parametrize("key", ["application_date", WISHED_DATE])
def test_a_date_cell_takes_dates_and_only_warns_of_others(written, key):
    page, sheet = written["2024-07"]
    place = sheet.place(key)
    [found] = validations(page, place)
    assert (found.type, found.errorStyle) == ("date", "warning")
    assert page.cell(place.row, place.column).number_format == 'yyyy"年"m"月"d"日"'


@pytest.mark.parametrize("key", ["applicant.phone", "applicant.postal_code"])
def test_a_leading_zero_stays(tmp_path, key):
    path = tmp_path / "form.xlsx"
    write_xlsx(path, form=forms.newest(), table=TABLE, values={key: "0355501234"})
    place = lay_out(forms.newest(), TABLE).place(key)
    cell = openpyxl.load_workbook(path).worksheets[0].cell(place.row, place.column)
    assert (cell.value, cell.number_format, cell.data_type) == ("0355501234", "@", "s")


def test_labels_are_locked_and_inputs_are_not_and_nobody_needs_a_password(written):
    for version in VERSIONS:
        page, sheet = written[version]
        assert page.protection.sheet
        assert not page.protection.password
        for place in sheet.places:
            assert page.cell(place.row, place.column).protection.locked is (place.role not in INPUTS)


@pytest.mark.parametrize("version", VERSIONS)
def test_mark_title_and_legend_are_printed(written, version):
    page, sheet = written[version]
    form = forms.form(version)
    texts = {place.role: page.cell(place.row, place.column).value for place in sheet.places}
    assert (texts[Role.MARK], texts[Role.TITLE]) == (form.mark, form.title)
    assert texts[Role.LEGEND_REQUIRED] == "黄色：必須"
    assert texts[Role.LEGEND_OPTIONAL] == "白色：任意"
    assert texts[Role.LEGEND_GREYED] == "灰色：入力不要"
    last = page.cell(1, len(COLUMN_WIDTHS))
    assert sheet.places[0].role is Role.MARK
    assert sheet.places[0].last_column == last.column


def test_every_instruction_note_and_address_is_printed(written):
    for version in VERSIONS:
        page, _ = written[version]
        form = forms.form(version)
        printed = "\n".join(str(cell.value) for row in page.iter_rows() for cell in row if cell.value)
        for text in (*form.instructions, *form.notes, form.send_by_mail, form.send_by_post, form.contact):
            assert text in printed


def test_every_ruled_cell_has_lines_on_all_sides(written):
    for version in VERSIONS:
        page, sheet = written[version]
        for place in sheet.places:
            if place.role in INPUTS:
                first = page.cell(place.row, place.column).border
                last = page.cell(place.last_row, place.last_column).border
                assert all(side.style for side in (first.left, first.top, last.right, last.bottom))


def test_values_stand_where_the_form_asks_for_them(tmp_path):
    path = tmp_path / "form.xlsx"
    values = {
        "request_type": "再発行",
        "user.name_ja": "髙橋 花子",
        "application_date": date(2024, 7, 1),
        WISHED_DATE: "令和6年7月31日",
        "content_correct": True,
        "webec_terms": False,
        "remarks": "=1+1 は式ではありません",
    }
    write_xlsx(path, form=forms.newest(), table=TABLE, values=values)
    page, sheet = openpyxl.load_workbook(path).worksheets[0], lay_out(forms.newest(), TABLE)

    def value(key):
        place = sheet.place(key)
        return page.cell(place.row, place.column).value

    assert value("request_type") == "再発行"
    assert value("user.name_ja") == "髙橋 花子"
    assert value("application_date").date() == date(2024, 7, 1)
    assert value(WISHED_DATE) == "令和6年7月31日"
    assert (value("content_correct"), value("webec_terms")) == ("☑", "□")
    assert value("remarks") == "=1+1 は式ではありません"
    assert page.cell(sheet.place("remarks").row, sheet.place("remarks").column).data_type == "s"
    assert value("user.email") is None


@pytest.mark.parametrize(
    ("version", "key"), [("2024-07", "user.shoe_size"), ("2021-04", WISHED_DATE), ("2024-07", "seal")]
)
def test_a_value_that_the_form_has_no_place_for_is_refused(tmp_path, version, key):
    with pytest.raises(ValueError, match=re.escape(key)):
        write_xlsx(tmp_path / "form.xlsx", form=forms.form(version), table=TABLE, values={key: "x"})
    assert not list(tmp_path.iterdir())


def test_font_margin_and_column_widths_can_be_changed(tmp_path):
    path = tmp_path / "form.xlsx"
    style = Style(font="IPAPMincho", digit=8.0, margin=25.4, columns=(30.0, 8.0, 22.0, 30.0, 18.0, 30.0, 36.0))
    write_xlsx(path, form=forms.newest(), table=TABLE, style=style)
    page = openpyxl.load_workbook(path).worksheets[0]
    assert {page.cell(row, 1).font.name for row in (2, 3, 5)} == {"IPAPMincho"}
    assert page.page_margins.left == page.page_margins.top == pytest.approx(1.0)
    # 30 mm are 113.4 pixels of 1/96 inch, 8 to a digit.
    assert page.column_dimensions["A"].width == pytest.approx(14.17)
