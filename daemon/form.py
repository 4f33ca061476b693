"""The application form as an Excel workbook: one A4 page whose cells turn yellow, white or grey with the type chosen.

The colours are conditional formats generated from the request-type table, so that the form asks for exactly what the
rules will check. The same writer fills in values: the sample applications and the demo are made with it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.formatting.rule import Rule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Protection, Side
from openpyxl.styles.differential import DifferentialStyle
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from config.forms import WISHED_DATE, Form
from config.request_types import Need, RequestType, Row, Table
from daemon.form_layout import COLUMN_WIDTHS, INPUTS, UNRULED, Place, Role, Sheet, lay_out
from daemon.form_looks import GREY, LOOKS, YELLOW

Value = str | date | bool

_MM_PER_INCH, _POINTS_PER_INCH = 25.4, 72


@dataclass(frozen=True, slots=True)
class Style:
    """How the page is dressed; none of it tells form versions apart. Lengths in millimetres.

    The default font is on every Japanese Windows; LibreOffice replaces it by an installed gothic. `digit` is the width
    of its digits at 11 points in pixels of 1/96 inch: spreadsheets count the width of a column in digits. Where a
    program replaces the font and takes its digits wider, the page is scaled down and still is one page.
    """

    font: str = "ＭＳ Ｐゴシック"
    digit: float = 8.0
    margin: float = 12.0
    columns: tuple[float, ...] = COLUMN_WIDTHS


def write_xlsx(
    path: Path,
    *,
    form: Form,
    table: Table,
    values: Mapping[str, Value] | None = None,
    style: Style | None = None,
) -> None:
    """Write the form to `path`, blank or with values (see `draw_form`). OSError where the file cannot be written."""
    book = Workbook()
    book.properties.title = form.title
    book.properties.creator = "WebEC電子証明書発行サービス"
    draw_form(book, book.worksheets[0], form=form, table=table, values=values, style=style)
    book.save(path)


def draw_form(
    book: Workbook,
    page: Worksheet,
    *,
    form: Form,
    table: Table,
    values: Mapping[str, Value] | None = None,
    style: Style | None = None,
) -> None:
    """Make an empty worksheet of `book` into the form, blank or with values.

    `values` are keyed by `request_type` (the word printed on the form), the field names of SPEC 5 and the keys of the
    confirmations (bool). ValueError names a key that this form has no place for.
    """
    style = style or Style()
    sheet = lay_out(form, table)
    values = values or {}
    known = {place.key for place in sheet.places if place.role in INPUTS and place.role is not Role.SEAL}
    if set(values) - known:
        raise ValueError(f"form {form.version} has no place for {', '.join(sorted(set(values) - known))}")
    page.title = "申請書"
    # openpyxl has no public way to name the default font, and the widths of the columns are counted in its digits.
    book._named_styles["Normal"].font = Font(name=style.font, size=11)  # type: ignore[attr-defined]  # noqa: SLF001
    _set_grid(page, sheet, style)
    for place in sheet.places:
        _draw(page, place, style)
    _outline(page, sheet)
    _add_colours(page, sheet, form, table)
    _add_choices(page, sheet, form, table)
    _fill_in(page, sheet, form, values)
    _set_page(page, sheet, style)


def _set_grid(page: Worksheet, sheet: Sheet, style: Style) -> None:
    for number, width in enumerate(style.columns, start=1):
        # The stored width counts digits of the default font and includes 5 pixels of padding (ECMA-376, 18.3.1.13).
        pixels = width / _MM_PER_INCH * 96
        page.column_dimensions[get_column_letter(number)].width = round(pixels / style.digit, 2)
    for number, height in enumerate(sheet.heights, start=1):
        page.row_dimensions[number].height = round(height / _MM_PER_INCH * _POINTS_PER_INCH, 2)


def _cells(page: Worksheet, area: tuple[int, int, int, int]) -> Iterator[Cell]:
    first_row, first_column, last_row, last_column = area
    for row in range(first_row, last_row + 1):
        for column in range(first_column, last_column + 1):
            cell = page.cell(row, column)
            # Before merging every cell is a plain one; only such cells carry a border and a value.
            if isinstance(cell, Cell):
                yield cell


def _draw(page: Worksheet, place: Place, style: Style) -> None:
    look = LOOKS[place.role]
    hair = Side(style="thin", color="404040")
    for cell in _cells(page, place.area):
        cell.font = Font(name=style.font, size=look.size, bold=look.bold)
        cell.alignment = Alignment(
            horizontal=look.horizontal,
            vertical=look.vertical,
            wrap_text=look.wrap,
            shrink_to_fit=look.shrink,
            indent=look.indent,
        )
        if place.role not in UNRULED:
            cell.border = Border(left=hair, right=hair, top=hair, bottom=hair)
        if look.fill:
            cell.fill = PatternFill("solid", start_color=look.fill, end_color=look.fill)
        # Text format keeps the leading zero of a phone number or postal code; dates keep their own format.
        cell.number_format = 'yyyy"年"m"月"d"日"' if place.role is Role.DATE else "@"
        cell.protection = Protection(locked=place.role not in INPUTS)
    page.cell(place.row, place.column, place.text or None)


def _outline(page: Worksheet, sheet: Sheet) -> None:
    """Strengthen the outer lines of each block. A merged range keeps the borders of its single cells."""
    strong = Side(style="medium", color="404040")
    for area in sheet.frames:
        first_row, first_column, last_row, last_column = area
        for cell in _cells(page, area):
            cell.border = Border(
                left=strong if cell.column == first_column else cell.border.left,
                right=strong if cell.column == last_column else cell.border.right,
                top=strong if cell.row == first_row else cell.border.top,
                bottom=strong if cell.row == last_row else cell.border.bottom,
            )
    for place in sheet.places:
        if place.area[:2] != place.area[2:]:
            page.merge_cells(
                start_row=place.row,
                start_column=place.column,
                end_row=place.last_row,
                end_column=place.last_column,
            )


def _address(place: Place) -> str:
    first = f"{get_column_letter(place.column)}{place.row}"
    last = f"{get_column_letter(place.last_column)}{place.last_row}"
    return first if first == last else f"{first}:{last}"


def _absolute(place: Place) -> str:
    return f"${get_column_letter(place.column)}${place.row}"


def chosen(type_cell: str, table: Table, types: frozenset[RequestType]) -> str:
    """The Excel formula that is true while one of these types is chosen in `type_cell`."""
    words = [rule.word for kind, rule in table.types.items() if kind in types]
    return "OR(" + ",".join(f'{type_cell}="{word}"' for word in words) + ")"


def _rows(form: Form, table: Table) -> Iterator[Row]:
    yield from (row for row in table.fields() if form.has(row.key))
    yield from table.confirmations
    yield table.seal


def _add_colours(page: Worksheet, sheet: Sheet, form: Form, table: Table) -> None:
    """One rule for yellow and one for grey for every set of cells that share their needs; white is the ground."""
    type_cell = _absolute(sheet.place("request_type"))
    groups: dict[tuple[frozenset[RequestType], frozenset[RequestType]], list[Place]] = {}
    for row in _rows(form, table):
        required = frozenset(kind for kind, need in row.needs.items() if need is Need.REQUIRED)
        greyed = frozenset(kind for kind, need in row.needs.items() if need.greyed)
        groups.setdefault((required, greyed), []).append(sheet.place(row.key))
    for (required, greyed), places in groups.items():
        area = " ".join(_address(place) for place in places)
        for types, colour in ((required, YELLOW), (greyed, GREY)):
            if types:
                _add_rule(page, area, chosen(type_cell, table, types), colour)
    if form.has_wished_date:
        # A wished date counts from the date of application, so it makes that date a duty (SPEC 1.2).
        wished = sheet.place(WISHED_DATE)
        revoking = frozenset(kind for kind, need in table.row(WISHED_DATE).needs.items() if need is Need.OPTIONAL)
        formula = f'AND({_absolute(wished)}<>"",{chosen(type_cell, table, revoking)})'
        _add_rule(page, _address(sheet.place("application_date")), formula, YELLOW)


def _add_rule(page: Worksheet, area: str, formula: str, colour: str) -> None:
    fill = PatternFill("solid", start_color=colour, end_color=colour)
    rule = Rule(type="expression", dxf=DifferentialStyle(fill=fill), formula=[formula])
    page.conditional_formatting.add(area, rule)


def _add_choices(page: Worksheet, sheet: Sheet, form: Form, table: Table) -> None:
    label = form.request_type_labels[0]
    types = _choice(tuple(rule.word for rule in table.types.values()))
    types.promptTitle, types.prompt = label, "最初に選択してください。ご記入いただく欄の色が切り替わります。"
    types.errorTitle, types.error = label, "一覧から1つお選びください。"
    boxes = _choice((form.unticked[0], form.ticked[0]))
    boxes.errorTitle, boxes.error = "確認／同意項目", "一覧からお選びください。"
    days = DataValidation(type="date", operator="between", formula1="DATE(2020,1,1)", formula2="DATE(2099,12,31)")
    # A warning, not a stop: a date that Excel cannot take as such may still be written, and we read it.
    days.errorStyle, days.showErrorMessage, days.allow_blank = "warning", True, True
    days.errorTitle, days.error = "日付", "日付は「2024/7/1」のようにご記入ください。"
    for validation, role in ((types, Role.TYPE), (boxes, Role.CHECK), (days, Role.DATE)):
        page.add_data_validation(validation)
        for place in sheet.places:
            if place.role is role:
                validation.add(f"{get_column_letter(place.column)}{place.row}")


def _choice(words: tuple[str, ...]) -> DataValidation:
    choice = DataValidation(type="list", formula1='"' + ",".join(words) + '"', allow_blank=True)
    choice.showErrorMessage = choice.showInputMessage = True
    return choice


def _fill_in(page: Worksheet, sheet: Sheet, form: Form, values: Mapping[str, Value]) -> None:
    for place in sheet.places:
        if place.role is Role.CHECK:
            page.cell(place.row, place.column, form.ticked[0] if values.get(place.key) else form.unticked[0])
        elif place.key in values:
            cell = page.cell(place.row, place.column)
            cell.value = values[place.key]
            # openpyxl gives dates its own format and would take a leading "=" for a formula; neither is wanted here.
            if isinstance(values[place.key], date):
                cell.number_format = 'yyyy"年"m"月"d"日"'
            else:
                cell.data_type = "s"


def _set_page(page: Worksheet, sheet: Sheet, style: Style) -> None:
    page.print_area = f"A1:{get_column_letter(len(style.columns))}{len(sheet.heights)}"
    page.page_setup.orientation = "portrait"
    page.page_setup.paperSize = 9  # A4
    page.page_setup.fitToWidth = page.page_setup.fitToHeight = 1
    page.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    page.print_options.horizontalCentered = True
    margins = page.page_margins
    margins.left = margins.right = style.margin / _MM_PER_INCH
    margins.top = margins.bottom = style.margin / _MM_PER_INCH
    margins.header = margins.footer = 0
    page.sheet_view.showGridLines = False
    start = _absolute(sheet.place("request_type")).replace("$", "")
    page.sheet_view.selection[0].activeCell = page.sheet_view.selection[0].sqref = start
    # Labels are locked so that they are not overwritten by mistake; there is no password, so nobody is shut out.
    page.protection.sheet = True
    page.protection.formatCells = page.protection.formatColumns = page.protection.formatRows = False
