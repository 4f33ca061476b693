"""The application form as a PDF of one A4 page: blank, to be filled in on screen or by hand; or filled, with a code.

Both are drawn from the same places and looks as the Excel form (`form_layout`, `form_looks`), with the glyphs they use
embedded and mapped back to text, so that our own reader sees exactly what is printed. A PDF cannot change its colours
with the type without a script, and mail filters strip scripts: the blank form says in words which part belongs to which
type (docs/decisions/0010-form-as-pdf.md).
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reportlab.lib.colors import HexColor
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from config.forms import Form
from config.request_types import Need, RequestType, Row, Table
from daemon.form_fields import add_fields, mend_text_maps, tick_square
from daemon.form_fonts import Typeface, broken_lines, load_typeface
from daemon.form_layout import COLUMN_WIDTHS, LAST, SECOND_VALUE, UNRULED, Place, Role, Sheet, lay_out
from daemon.form_looks import LOOKS, WHITE, YELLOW, Look, ground_of
from daemon.form_values import TYPE, ValueFault, printed_text
from parsers.reading import Box

PAGE_WIDTH, PAGE_HEIGHT = 210 * mm, 297 * mm
_MARGIN = 9.0 * mm
_INK, _LINE = HexColor("#000000"), HexColor("#404040")
# Asked for by some types only: between yellow and white, and told in words beside it.
PALE = "FFFFE0"
# The strip above a block in which the blank form names its types, in millimetres.
_STRIP = 3.8
# The room below the remarks of a filled form: the code with its quiet zone, and where to send the form.
_FOOT = 45.0
CODE_SIDE = 38.0 * mm
"""How large the code is printed; it grows where its modules would be smaller than the least."""
LEAST_MODULE = 0.38 * mm
"""3 pixels at 200 dpi: below that, reading begins to fail (pdf.md 4)."""
_LARGEST_CODE = 41.0 * mm
# No text is set smaller than this; a value that still does not fit is refused by its key.
_SMALLEST = 4.5
_PADDING = 2.4
# Gothic glyphs reach about so far above and below the baseline, as a share of the size.
_ASCENT, _LEADING = 0.82, 1.15


@dataclass(frozen=True, slots=True)
class Grid:
    """Where rows and columns of a sheet begin on the page, in points from the top left; `scale` is that of the type."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    scale: float

    def box(self, place: Place) -> Box:
        """The rectangle of a place."""
        return self.area(place.area)

    def area(self, area: tuple[int, int, int, int]) -> Box:
        """The rectangle of first row, first column, last row, last column."""
        first_row, first_column, last_row, last_column = area
        return Box(self.xs[first_column - 1], self.ys[first_row - 1], self.xs[last_column], self.ys[last_row])


def blank_pdf(form: Form, table: Table, *, face: Typeface | None = None) -> bytes:
    """The form to be filled in. FontError where this machine has no Japanese font."""
    face = face or load_typeface()
    sheet = _with_strips(lay_out(_for_paper(form), table), table)
    grid = _grid_of(sheet.heights)
    pen = _Pen(form, face, grid)
    for place in _split_statements(sheet.places):
        pen.draw(place, _blank_text(place, table), _blank_ground(place, table))
        if place.role is Role.CHECK:
            pen.square(grid.box(place))
    for place, words in _hints(sheet, form, table):
        pen.hint(place, words)
    pen.frame(sheet)
    boxes = [(place, grid.box(place)) for place in sheet.places if place.key and place.role is not Role.SEAL]
    return add_fields(pen.finish(), boxes, form=form, table=table, face=face, scale=grid.scale, height=PAGE_HEIGHT)


def filled_pdf(
    form: Form,
    table: Table,
    values: Mapping[str, str | bool],
    modules: Sequence[Sequence[bool]],
    *,
    face: Typeface | None = None,
) -> bytes:
    """The form with checked values (`form_values.check_values`) and the modules of its code, ready to print and stamp.

    ValueFault names a value that cannot be set in its cell, or says that all of them are too much for the code.
    """
    face = face or load_typeface()
    sheet = _without_foot(lay_out(form, table))
    grid = _grid_of((*sheet.heights, _FOOT))
    kind = RequestType(str(values[TYPE]))
    pen = _Pen(form, face, grid)
    for place in sheet.places:
        row = _row_of(place, table)
        ground = ground_of(row.needs[kind]) if row else LOOKS[place.role].fill
        pen.draw(place, _filled_text(place, values, form, table, face), _date_ground(place, values, table, ground))
    pen.frame(sheet)
    _draw_foot(pen, form, grid, modules)
    return mend_text_maps(pen.finish())


# --- the grid -----------------------------------------------------------------------------------------------------


def _grid_of(heights: Sequence[float]) -> Grid:
    """The rows shrink until they fit the page; the columns fit as they are."""
    room = (PAGE_HEIGHT - 2 * _MARGIN) / mm
    scale = min(1.0, room / sum(heights))
    left = (PAGE_WIDTH - sum(COLUMN_WIDTHS) * mm) / 2
    xs, ys = [left], [_MARGIN]
    for width in COLUMN_WIDTHS:
        xs.append(xs[-1] + width * mm)
    for height in heights:
        ys.append(ys[-1] + height * mm * scale)
    return Grid(tuple(xs), tuple(ys), scale)


def _for_paper(form: Form) -> Form:
    """The form with the instructions of its Excel file about colours and lists put as they are true on paper."""
    label = form.request_type_labels[0]
    return replace(
        form,
        instructions=(
            f"最初に「{label}」を選択し、選択した種別の名前がある欄と確認／同意項目にご記入ください。",
            "黄色の欄は必須項目、淡い黄色の欄は記載の種別の場合に必須の項目、白色の欄は任意項目です。",
            "本申請書は利用者様お一人につき1枚です。確認／同意項目は、内容をご確認のうえチェックしてください。",
            *form.instructions[3:],
        ),
    )


def _with_strips(sheet: Sheet, table: Table) -> Sheet:
    heights = list(sheet.heights)
    for place, _ in _headings(sheet, table):
        heights[place.row - 2] = _STRIP
    return replace(sheet, heights=tuple(heights))


def _headings(sheet: Sheet, table: Table) -> Iterator[tuple[Place, Mapping[RequestType, Need]]]:
    """The first place of each block that not every type asks for, with what the types ask."""
    for block in table.blocks:
        if len(set(block.needs.values())) > 1:
            yield sheet.place(block.rows[0].key), block.needs


def _without_foot(sheet: Sheet) -> Sheet:
    last = sheet.place("remarks").last_row
    return replace(
        sheet,
        places=tuple(place for place in sheet.places if place.row <= last),
        heights=sheet.heights[:last],
    )


# --- what stands where --------------------------------------------------------------------------------------------


def _row_of(place: Place, table: Table) -> Row | None:
    return table.row(place.key) if place.key and place.key != TYPE else None


def _blank_ground(place: Place, table: Table) -> str:
    row = _row_of(place, table)
    if row is None:
        return PALE if place.role is Role.LEGEND_OPTIONAL else WHITE if place.role is Role.LEGEND_GREYED else ""
    required = [need is Need.REQUIRED for need in row.needs.values()]
    return YELLOW if all(required) else PALE if any(required) else WHITE


def _blank_text(place: Place, table: Table) -> str:
    if place.role is Role.LEGEND_OPTIONAL:
        return "淡黄色：種別により必須"
    if place.role is Role.LEGEND_GREYED:
        return "白色：任意"
    if place.role is Role.HINT and place.key:
        return _types_in_words(table.row(place.key).needs, table)
    return place.text


def _split_statements(places: Sequence[Place]) -> Iterator[Place]:
    """Each statement gives its last column to the names of the types that must tick it."""
    ticks = {place.row: place for place in places if place.role is Role.CHECK}
    for place in places:
        if place.role is Role.STATEMENT and place.row in ticks:
            yield replace(place, last_column=SECOND_VALUE)
            yield replace(place, role=Role.HINT, column=LAST, text="", key=ticks[place.row].key)
        else:
            yield place


def _types_in_words(needs: Mapping[RequestType, Need], table: Table) -> str:
    asked = [kind for kind, need in needs.items() if need in (Need.REQUIRED, Need.WARN)]
    others = [kind for kind in table.types if kind not in asked]
    if not others:
        return "すべての種別"
    if len(others) == 1:
        return f"{table.types[others[0]].word} 以外"
    return "／".join(table.types[kind].word for kind in asked)


def _hints(sheet: Sheet, form: Form, table: Table) -> Iterator[tuple[Place, str]]:
    for place, needs in _headings(sheet, table):
        yield place, f"▼ {form.request_type_labels[0]}が {_types_in_words(needs, table)} の場合にご記入ください"


def _filled_text(place: Place, values: Mapping[str, str | bool], form: Form, table: Table, face: Typeface) -> str:
    if place.role is Role.CHECK:
        marks = form.ticked if values.get(place.key) else form.unticked
        return next((mark for mark in marks if mark and not face.missing(mark)), marks[0])
    value = values.get(place.key) if place.key else None
    if not isinstance(value, str):
        return place.text
    text = printed_text(place.key, value, table)
    lacking = face.missing(text.replace("\n", ""))
    if lacking:
        raise ValueFault(f"{place.key}: no font here has {' '.join(lacking)}; install fonts-vlgothic")
    return text


def _date_ground(place: Place, values: Mapping[str, str | bool], table: Table, ground: str) -> str:
    """A wished date counts from the date of application, so it makes that date a duty (SPEC 1.2)."""
    wished = "wished_revocation_date"
    kind = RequestType(str(values[TYPE]))
    if place.key == "application_date" and values.get(wished) and not table.row(wished).needs[kind].greyed:
        return YELLOW
    return ground


# --- drawing ------------------------------------------------------------------------------------------------------


class _Pen:
    """Draws places on one page; y counts from the top, as everywhere in this program."""

    def __init__(self, form: Form, face: Typeface, grid: Grid) -> None:
        self.face, self.grid = face, grid
        self._out = io.BytesIO()
        # invariant: no date and no random identifier, so that the same form is the same file.
        self.canvas = Canvas(self._out, pagesize=(PAGE_WIDTH, PAGE_HEIGHT), invariant=1, pageCompression=1)
        self.canvas.setTitle(form.title)
        self.canvas.setAuthor("WebEC電子証明書発行サービス")
        self.canvas.setCreator(form.mark)

    def finish(self) -> bytes:
        self.canvas.showPage()
        self.canvas.save()
        return self._out.getvalue()

    def rectangle(self, box: Box, *, fill: str = "", line: float = 0.0) -> None:
        self.canvas.setLineWidth(line)
        self.canvas.setStrokeColor(_LINE)
        if fill:
            self.canvas.setFillColor(HexColor(f"#{fill}"))
        self.canvas.rect(
            box.x0, PAGE_HEIGHT - box.y1, box.x1 - box.x0, box.y1 - box.y0, stroke=int(line > 0), fill=int(bool(fill))
        )

    def draw(self, place: Place, text: str, ground: str) -> None:
        look, box = LOOKS[place.role], self.grid.box(place)
        fill = ground or look.fill
        if fill and fill != WHITE:
            self.rectangle(box, fill=fill)
        if place.role not in UNRULED:
            self.rectangle(box, line=0.5)
        if text:
            self.write(box, text, look, key=place.key)

    def write(self, box: Box, text: str, look: Look, *, key: str = "") -> None:
        """Set text into a box: as large as its look says, smaller or on more lines where it would not fit."""
        indent = _PADDING + 4 * look.indent * self.grid.scale
        width = box.x1 - box.x0 - (2 * _PADDING if look.horizontal == "center" else _PADDING + indent)
        size, lines = fitted(self.face, text, look.size * self.grid.scale, width, box.y1 - box.y0 - 1.2, key=key)
        block = size * (_LEADING * (len(lines) - 1) + 1)
        top = box.y1 - block - 0.6 if look.vertical == "bottom" else (box.y0 + box.y1 - block) / 2
        for number, line in enumerate(lines):
            wide = self.face.width(line, size)
            x = {
                "left": box.x0 + indent,
                "center": (box.x0 + box.x1 - wide) / 2,
                "right": box.x1 - _PADDING - wide,
            }[look.horizontal]
            self.line(x, top + size * (_ASCENT + 0.04 + number * _LEADING), line, size, bold=look.bold)

    def line(self, x: float, y: float, text: str, size: float, *, bold: bool = False) -> None:
        """One line with its baseline at y. The fonts have no bold cut, so bold is the outline drawn as well."""
        pen = self.canvas.beginText(x, PAGE_HEIGHT - y)
        pen.setFillColor(_INK)
        pen.setStrokeColor(_INK)
        if bold:
            self.canvas.setLineWidth(size * 0.028)
            pen.setTextRenderMode(2)
        for font, piece in self.face.pieces(text):
            pen.setFont(font, size)
            pen.textOut(piece)
        if bold:
            pen.setTextRenderMode(0)
        self.canvas.drawText(pen)

    def square(self, cell: Box) -> None:
        """A square to tick: filled areas, because a ruled one would be a cell of its own to a reader."""
        box = tick_square(cell)
        self.rectangle(box, fill="404040")
        self.rectangle(Box(box.x0 + 0.7, box.y0 + 0.7, box.x1 - 0.7, box.y1 - 0.7), fill=WHITE)

    def hint(self, place: Place, words: str) -> None:
        """A line in the strip above a block."""
        y0, y1 = self.grid.ys[place.row - 2], self.grid.ys[place.row - 1]
        self.write(Box(self.grid.xs[0] - _PADDING, y0, self.grid.xs[-1], y1), words, Look(7.5))

    def frame(self, sheet: Sheet) -> None:
        """The stronger outline of each block."""
        for area in sheet.frames:
            self.rectangle(self.grid.area(area), line=1.2)


def fitted(
    face: Typeface, text: str, size: float, width: float, height: float, *, key: str = ""
) -> tuple[float, list[str]]:
    """The largest size, and the lines, with which the text stays inside; one line as long as that is legible.

    ValueFault names the key where even the smallest type would run over.
    """
    written = text.count("\n") + 1
    legible = max(_SMALLEST, min(size, 6.8))
    steps = int((size - _SMALLEST) / 0.25) + 1
    sizes = [size - 0.25 * step for step in range(max(1, steps))]
    for smaller in sizes:
        lines = text.split("\n")
        fits = all(face.width(line, smaller) <= width for line in lines)
        if smaller >= legible and fits and smaller * (_LEADING * (written - 1) + 1) <= height:
            return smaller, lines
    for smaller in sizes:
        lines = broken_lines(face, text, smaller, width)
        if smaller * (_LEADING * (len(lines) - 1) + 1) <= height:
            return smaller, lines
    raise ValueFault(f"{key or text[:20]}: is too long for its cell on the form")


def _draw_foot(pen: _Pen, form: Form, grid: Grid, modules: Sequence[Sequence[bool]]) -> None:
    """The code at the bottom right, away from the seal at the top right; to its left what to do with the paper."""
    count = len(modules)
    side = max(CODE_SIDE, count * LEAST_MODULE)
    if side > _LARGEST_CODE:
        raise ValueFault("all values together are too long for the code; shorten the remarks")
    module = side / count
    # Four modules of white all round belong to the symbol (ISO/IEC 18004, 9.1).
    left, top = grid.xs[-1] - side - 4 * module, PAGE_HEIGHT - _MARGIN - side
    pen.canvas.setFillColor(_INK)
    shape = pen.canvas.beginPath()
    for y, row in enumerate(modules):
        for x, length in _stretches(row):
            shape.rect(left + x * module, PAGE_HEIGHT - top - (y + 1) * module, length * module, module)
    pen.canvas.drawPath(shape, stroke=0, fill=1)
    words = Look(8, wrap=True)
    room = Box(grid.xs[0] - _PADDING, top, left - 6 * module, PAGE_HEIGHT - _MARGIN)
    text = "\n".join(
        (
            "【提出方法】",
            f"・印刷のうえ、右上の「{form.seal_labels[0]}」欄に押印してください。押印のない申請書は受付できません。",
            f"・メールの場合：押印済みの申請書をPDFファイルに変換し、{form.send_by_mail} 宛にお送りください。",
            "・郵送の場合：押印済みの原紙を下記宛にお送りください。",
            f"　{form.send_by_post}",
            f"・お問い合わせ：{form.contact}",
            "・右のコードには記入内容が記録されています。コードの上や余白に、押印や記入をしないでください。",
            "・印刷後に記入内容を訂正される場合は、申請書を作成し直してください。",
        )
    )
    pen.write(room, text, words)


def _stretches(row: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """The dark stretches of a row of modules: start and length; drawn whole, no hairline shows between modules."""
    start = None
    for x, dark in enumerate((*row, False)):
        if dark and start is None:
            start = x
        elif not dark and start is not None:
            yield start, x - start
            start = None
