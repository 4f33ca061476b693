"""Document + form → applications: the whole reading of one PDF, with the findings of each form.

Promises: never raises anything but ParseError; every field of the form version is in the result; what cannot be read
has no value and keeps its raw text. A page that yields no application is told as a problem, so that nothing is lost.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from config import forms, request_types
from config.forms import Form
from config.request_types import Table
from parsers import characters, dates, normalise, rules
from parsers.document import Document, Page, open_document
from parsers.labels import Grid, find_parts, fold_label, vocabulary
from parsers.normalise import Kind
from parsers.reading import Application, Box, FieldValue, Problem, Reading, Route, Seal, SealVerdict
from parsers.seal import examine
from parsers.type_words import read_type, types_in

# So many labelled parts make a page a form; terms of use and cover letters have none or very few.
_LEAST_PARTS = 8
# The share of the page, from the top, in which a title stands.
_HEAD = 0.35
# What a field is worth whose text is odd: below rules.SURE, so that staff see it first.
_UNSURE = 0.5

_TITLE = re.compile("[^。、:：]{1,60}(申請書|申込書|届出書|変更届|依頼書)")
_COMPANION = re.compile("送付|送り状|ご案内|規定|規約|約款|添付書類|ご連絡")
_BRACKETED = re.compile(r"[(（\[【][^)）\]】]*[)）\]】]")

_MESSAGES = {
    "no_text_layer": "文字情報のないページです（スキャン画像など）。内容を目視でご確認ください。",
    "not_a_form": "WebEC電子証明書発行サービス申請書が見つかりません。",
    "other_service": "他のサービスの申請書と思われます。内容をご確認ください。",
    "cover_or_terms": "申請書ではないページです（送付状、規定など）。",
}


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One page that carries a form."""

    page: Page
    form: Form
    grid: Grid


def read(data: bytes, *, received_on: date, seal: bool = True) -> Reading:
    """Read every form in a PDF. `received_on` is the day of receipt in Japan.

    `seal=False` leaves the seal boxes unexamined (their verdict is unclear): rendering is the slowest step. Raises
    ParseError where the bytes yield no document.
    """
    return read_document(open_document(data), received_on=received_on, seal=seal)


def read_document(document: Document, *, received_on: date, seal: bool = True) -> Reading:
    """Read every form of an opened document; see `read`."""
    table, versions = request_types.load(), forms.load_forms()
    applications, problems = [], []
    for page in document.pages:
        found = _judge_page(page, versions, table)
        if isinstance(found, str):
            problems.append((found, page.number))
            continue
        mark = _examine_seal(document, found) if seal else Seal(SealVerdict.UNCLEAR, page=page.number)
        application = _assemble(found, table, mark, received_on)
        findings = rules.find(application, table=table, received_on=received_on)
        applications.append(replace(application, findings=findings))
    # A page without a name beside a form is its companion; alone it is what the sender took for a form.
    quiet = "cover_or_terms" if applications else "not_a_form"
    named = [(quiet if code == "not_a_form" else code, number) for code, number in problems]
    return Reading(tuple(applications), tuple(Problem(code, _MESSAGES[code], number) for code, number in named))


def amended(application: Application, key: str, text: str, *, received_on: date) -> Application | None:
    """The application with one field as staff correct it; None where the text is no value for that field.

    `key` is a field name of the table; KeyError else. A date may be taken back with なし. The findings stay those of
    the old content: whoever amends runs the rules again.
    """
    request_types.load().row(key)
    if normalise.kind_of(key) is Kind.DATE:
        day = dates.read_date(text, received_on)
        value = day.value.isoformat() if day.value else None
        readable = day.code not in (dates.INVALID, dates.AMBIGUOUS) and bool(text.strip())
    else:
        value = normalise.display(normalise.kind_of(key), text).value
        readable = value is not None
    if not readable:
        return None
    old = application.fields.get(key, FieldValue(None))
    # A person stands for the value now, so the doubts of the reading are gone.
    new = replace(old, value=value, raw=text if value else "", confidence=1.0)
    return replace(application, fields={**application.fields, key: new})


# --- which pages are forms ----------------------------------------------------------------------------------------


def _judge_page(page: Page, versions: Sequence[Form], table: Table) -> _Sheet | str:
    """The form on the page, or the code of the problem that the page is."""
    if page.route is not Route.TEXT:
        return "no_text_layer"
    texts = [*page.loose_lines(), *(cell.text for cell in page.cells)]
    form = _version_of(page, texts, versions)
    grid = find_parts(page.cells, vocabulary(form), table)
    titles = [title for text in _head_of(page) if (title := _title(text, table))]
    ours = {fold_label(title) for known in versions for title in known.titles}
    if titles and not ours.intersection(titles):
        return "other_service"
    if grid.hits >= _LEAST_PARTS:
        return _Sheet(page, form, grid)
    return "cover_or_terms" if _COMPANION.search(characters.drop_spaces("".join(texts))) else "not_a_form"


def _head_of(page: Page) -> Iterator[str]:
    """The lines of the upper part of the page: a title stands there, a list of enclosures does not."""
    yield from page.loose_lines(above=_HEAD)
    yield from (cell.text for cell in page.cells if cell.box.y1 <= _HEAD * page.height)


def _title(text: str, table: Table) -> str | None:
    """The folded name of a form, or None where the line is none: a title ends with 申請書, a sentence goes on.

    The list of types that may follow in brackets is dropped (guide line 54); other words in brackets belong to it.
    """
    folded = characters.drop_spaces(characters.fold_width(text))
    if not _TITLE.fullmatch(_BRACKETED.sub("", folded)):
        return None
    for bracketed in _BRACKETED.findall(folded):
        if types_in(bracketed, table):
            folded = folded.replace(bracketed, "")
    return fold_label(folded)


def _version_of(page: Page, texts: Sequence[str], versions: Sequence[Form]) -> Form:
    """The form version by its printed mark or, where no mark can be read, by the label of the wished date (AMB-11)."""
    folded = [fold_label(text) for text in texts]
    for form in versions:
        if any(fold_label(form.mark) in text for text in folded):
            return form
    labels = {fold_label(cell.text) for cell in page.cells}
    dated = {
        fold_label(text) for form in versions if form.has_wished_date for text in form.labels_of(forms.WISHED_DATE)
    }
    carries_date = bool(labels & dated)
    fitting = [form for form in versions if form.has_wished_date == carries_date]
    return (fitting or versions)[0]


# --- one form -----------------------------------------------------------------------------------------------------


def _assemble(sheet: _Sheet, table: Table, mark: Seal, received_on: date) -> Application:
    type_raw = sheet.grid.type_cell.text if sheet.grid.type_cell else ""
    request_type, words = read_type(type_raw, sheet.form, table)
    return Application(
        request_type=request_type,
        form_version=sheet.form.version,
        route=sheet.page.route,
        pages=(sheet.page.number,),
        fields={key: _field(sheet, key, received_on) for key in sheet.form.field_keys(table)},
        confirmations={row.key: _confirmation(sheet, row.key) for row in table.confirmations},
        seal=mark,
        type_raw=type_raw,
        type_words=words,
    )


def _field(sheet: _Sheet, key: str, received_on: date) -> FieldValue:
    cell, page = sheet.grid.values.get(key), sheet.page
    if cell is None:
        # The label was not found: that says nothing about what the applicant wrote.
        return FieldValue(None, page=page.number)
    raw = cell.text
    odd = cell.overflows or page.written_on or characters.is_suspect(raw)
    box = Box(*(round(place, 2) for place in cell.box))
    return FieldValue(_display(key, raw, received_on), raw, _UNSURE if odd else 1.0, page.number, box)


def _display(key: str, raw: str, received_on: date) -> str | None:
    kind = normalise.kind_of(key)
    if kind is Kind.DATE:
        day = dates.read_date(raw, received_on).value
        return day.isoformat() if day else None
    return normalise.display(kind, raw).value


def _confirmation(sheet: _Sheet, key: str) -> bool | None:
    """Whether the box is ticked; None where the mark is unknown, is not found or may lie on the page as a drawing."""
    mark_cell, statement = sheet.grid.checks.get(key, (None, None))
    if statement is None:
        return None
    ticked, unticked = _marks(sheet.form.ticked), _marks(sheet.form.unticked)
    text = mark_cell.text if mark_cell else statement.text.strip()[:1]
    mark = characters.drop_spaces(characters.drop_selectors(text))
    if mark in ticked:
        return True
    return False if mark in unticked and not sheet.page.written_on else None


def _marks(marks: Sequence[str]) -> frozenset[str]:
    return frozenset(characters.drop_spaces(mark) for mark in marks)


def _examine_seal(document: Document, sheet: _Sheet) -> Seal:
    cell = sheet.grid.seal_cell
    if cell is None:
        return Seal(SealVerdict.UNCLEAR, page=sheet.page.number)
    # The form may print 印 inside the box; anything else in it was typed by somebody.
    printed = {fold_label(text) for text in sheet.form.seal_labels} | {"", "㊞", "社印", "押印欄"}
    own, typed = [run for run in sheet.page.runs() if run not in cell.runs], False
    for run in cell.runs:
        if fold_label(run.text) in printed:
            own.append(run)
        else:
            typed = True
    return examine(document.data, sheet.page.number, cell.box, printed=own, typed=typed)
