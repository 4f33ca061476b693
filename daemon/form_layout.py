"""Where each part of the application form stands on its one A4 page: a grid of cells, made from the table and a form.

Pure: no file and no spreadsheet library here. `daemon.form` draws what this module places. Readers never use these
places; they find fields by label and ruling line, so that the grid may change without a new form version.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from config.forms import WISHED_DATE, Form
from config.request_types import Block, Need, Table


class Role(StrEnum):
    """What a place on the form is for; the writer chooses font, border and fill by it."""

    MARK = "mark"
    TITLE = "title"
    ADDRESSEE = "addressee"
    HEADING = "heading"
    LABEL = "label"
    TYPE = "type"
    FIELD = "field"
    DATE = "date"
    REMARKS = "remarks"
    CHECK = "check"
    STATEMENT = "statement"
    SEAL = "seal"
    LEGEND_REQUIRED = "legend_required"
    LEGEND_OPTIONAL = "legend_optional"
    LEGEND_GREYED = "legend_greyed"
    HINT = "hint"
    CAPTION = "caption"
    TEXT = "text"


# Roles that people write into; everything else is locked.
INPUTS = frozenset({Role.TYPE, Role.FIELD, Role.DATE, Role.REMARKS, Role.CHECK, Role.SEAL})

# Roles without ruling lines: the letterhead and the small print.
UNRULED = frozenset({Role.MARK, Role.TITLE, Role.ADDRESSEE, Role.CAPTION, Role.TEXT})


@dataclass(frozen=True, slots=True)
class Place:
    """One cell, or a merged range of cells. Rows and columns count from 1 and both ends belong to it.

    `key` is the field, the confirmation, `seal` or `request_type` where the place takes a value; `text` is printed.
    """

    role: Role
    row: int
    column: int
    last_row: int
    last_column: int
    text: str = ""
    key: str = ""

    @property
    def area(self) -> tuple[int, int, int, int]:
        """First row, first column, last row, last column: the order in which frames are drawn."""
        return self.row, self.column, self.last_row, self.last_column


@dataclass(frozen=True, slots=True)
class Sheet:
    """The whole page. `heights` in millimetres by row; `frames` are the ranges with a stronger outline."""

    places: tuple[Place, ...]
    heights: tuple[float, ...]
    frames: tuple[tuple[int, int, int, int], ...]

    def place(self, key: str) -> Place:
        """The place that takes the value of that key; KeyError where the form has none."""
        return {place.key: place for place in self.places if place.key}[key]


# The seven columns: A heading, B check mark, C rest of a label, D value, E second label, F second value, G seal.
COLUMNS = 7
HEADING, CHECK, LABEL_END, VALUE, SECOND_LABEL, SECOND_VALUE, LAST = range(1, COLUMNS + 1)

# Widths in millimetres; together they stay inside A4 less the margins of 12 mm.
COLUMN_WIDTHS = (21.0, 8.0, 22.0, 39.0, 18.0, 39.0, 38.0)

# The applicant's fields, row by row; the seal stands to the right of all of them.
_APPLICANT_ROWS = (
    ("company",),
    ("department",),
    ("title", "name"),
    ("phone", "postal_code"),
    ("address",),
    ("email",),
)


@dataclass(slots=True)
class _Pen:
    """Collects places from the top of the page to its foot."""

    places: list[Place] = field(default_factory=list)
    heights: list[float] = field(default_factory=list)
    frames: list[tuple[int, int, int, int]] = field(default_factory=list)

    @property
    def row(self) -> int:
        return len(self.heights)

    def next_row(self, height: float) -> None:
        self.heights.append(height)

    def put(self, role: Role, columns: tuple[int, int], text: str = "", key: str = "", rows: int = 1) -> None:
        """Place something on the current row, over the columns given; `rows` counts downwards from here."""
        self.places.append(Place(role, self.row, columns[0], self.row + rows - 1, columns[1], text, key))

    def frame(self, rows: int, columns: tuple[int, int] = (HEADING, LAST)) -> None:
        """Outline the last `rows` rows."""
        self.frames.append((self.row - rows + 1, columns[0], self.row, columns[1]))


def lay_out(form: Form, table: Table) -> Sheet:
    """Place every row of the table on the page. ValueError where the applicant's fields have no place here."""
    pen = _Pen()
    _head(pen, form)
    for block in table.blocks:
        # The seal belongs to the applicant, so that block has its own shape; the others are plain lists.
        (_applicant if block.key == "applicant" else _people)(pen, form, block)
        pen.next_row(1.6)
    if form.has_wished_date:
        _wished_date(pen, form, table)
    _confirmations(pen, form, table)
    pen.next_row(13.0)
    pen.put(Role.HEADING, (HEADING, HEADING), form.label("remarks"))
    pen.put(Role.REMARKS, (CHECK, LAST), key="remarks")
    pen.frame(1)
    _foot(pen, form)
    return Sheet(tuple(pen.places), tuple(pen.heights), tuple(pen.frames))


def _head(pen: _Pen, form: Form) -> None:
    pen.next_row(4.6)
    pen.put(Role.MARK, (SECOND_VALUE, LAST), form.mark)
    pen.next_row(10.0)
    pen.put(Role.TITLE, (HEADING, LAST), form.title)
    pen.next_row(6.8)
    pen.put(Role.ADDRESSEE, (HEADING, VALUE), "株式会社オージス総研　電子証明書発行サービスLRAセンター　宛")
    pen.put(Role.LABEL, (SECOND_LABEL, SECOND_LABEL), form.label("application_date"))
    pen.put(Role.DATE, (SECOND_VALUE, LAST), key="application_date")
    pen.frame(1, (SECOND_LABEL, LAST))
    pen.next_row(1.6)
    pen.next_row(8.0)
    pen.put(Role.HEADING, (HEADING, LABEL_END), form.request_type_labels[0])
    pen.put(Role.TYPE, (VALUE, VALUE), key="request_type")
    pen.put(Role.LEGEND_REQUIRED, (SECOND_LABEL, SECOND_LABEL), "黄色：必須")
    pen.put(Role.LEGEND_OPTIONAL, (SECOND_VALUE, SECOND_VALUE), "白色：任意")
    pen.put(Role.LEGEND_GREYED, (LAST, LAST), "灰色：入力不要")
    pen.frame(1)
    pen.next_row(1.6)


def _applicant(pen: _Pen, form: Form, block: Block) -> None:
    known = [row.key.partition(".")[2] for row in block.rows]
    placed = [name for names in _APPLICANT_ROWS for name in names]
    if sorted(known) != sorted(placed):
        raise ValueError("request_types.toml: the applicant's fields are not those that the form has a place for")
    for number, names in enumerate(_APPLICANT_ROWS):
        pen.next_row(7.6)
        if number == 0:
            pen.put(
                Role.HEADING, (HEADING, HEADING), _broken(form.block_labels[block.key][0]), rows=len(_APPLICANT_ROWS)
            )
            pen.put(Role.LABEL, (LAST, LAST), form.seal_labels[0])
        if number == 1:
            pen.put(Role.SEAL, (LAST, LAST), key="seal", rows=len(_APPLICANT_ROWS) - 1)
        first, *second = names
        pen.put(Role.LABEL, (CHECK, LABEL_END), form.field_labels[first][0])
        pen.put(Role.FIELD, (VALUE, VALUE if second else SECOND_VALUE), key=f"{block.key}.{first}")
        for name in second:
            pen.put(Role.LABEL, (SECOND_LABEL, SECOND_LABEL), form.field_labels[name][0])
            pen.put(Role.FIELD, (SECOND_VALUE, SECOND_VALUE), key=f"{block.key}.{name}")
    pen.frame(len(_APPLICANT_ROWS))


def _people(pen: _Pen, form: Form, block: Block) -> None:
    """A block about one person, one field a row: an English name of 64 letters has room."""
    for number, row in enumerate(block.rows):
        pen.next_row(6.0)
        if number == 0:
            pen.put(Role.HEADING, (HEADING, HEADING), _broken(form.block_labels[block.key][0]), rows=len(block.rows))
        pen.put(Role.LABEL, (CHECK, LABEL_END), form.label(row.key))
        pen.put(Role.FIELD, (VALUE, LAST), key=row.key)
    pen.frame(len(block.rows))


def _broken(heading: str) -> str:
    """The heading of a block over two lines, broken where a reader would pause: 変更前／（前任者）."""
    for pause in ("（", "に関する"):
        before, found, after = heading.partition(pause)
        if before and found:
            return f"{before}\n{found}{after}"
    return heading


def _wished_date(pen: _Pen, form: Form, table: Table) -> None:
    needs = table.row(WISHED_DATE).needs
    words = "、".join(table.types[kind].word for kind, need in needs.items() if need is Need.OPTIONAL)
    hint = f"{words}で、現在の証明書を一定期間維持する場合に、申請日から1か月以内の日付をご記入ください。"
    pen.next_row(8.4)
    pen.put(Role.LABEL, (HEADING, LABEL_END), form.label(WISHED_DATE))
    pen.put(Role.DATE, (VALUE, VALUE), key=WISHED_DATE)
    pen.put(Role.HINT, (SECOND_LABEL, LAST), hint)
    pen.frame(1)
    pen.next_row(1.6)


def _confirmations(pen: _Pen, form: Form, table: Table) -> None:
    for number, row in enumerate(table.confirmations):
        pen.next_row(5.8)
        if number == 0:
            pen.put(Role.HEADING, (HEADING, HEADING), "確認／\n同意項目", rows=len(table.confirmations))
        pen.put(Role.CHECK, (CHECK, CHECK), key=row.key)
        pen.put(Role.STATEMENT, (LABEL_END, LAST), form.label(row.key))
    pen.frame(len(table.confirmations))
    pen.next_row(0.8)
    for note in form.notes:
        pen.next_row(4.1)
        pen.put(Role.TEXT, (HEADING, LAST), note)
    pen.next_row(1.6)


def _foot(pen: _Pen, form: Form) -> None:
    pen.next_row(0.8)
    for caption, lines in _small_print(form):
        pen.next_row(4.6)
        pen.put(Role.CAPTION, (HEADING, LAST), caption)
        for line in lines:
            pen.next_row(4.1)
            pen.put(Role.TEXT, (HEADING, LAST), line)


def _small_print(form: Form) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "【ご記入にあたって】", tuple(f"・{line}" for line in form.instructions)
    yield (
        "【提出先・お問い合わせ先】",
        (
            f"・メールの場合：押印済みの申請書をPDFファイルに変換し、{form.send_by_mail} 宛にお送りください。",
            "・郵送の場合：押印済みの原紙を下記宛にお送りください。",
            f"　{form.send_by_post}",
            f"・お問い合わせ：{form.contact}",
        ),
    )
