"""PDF bytes → applications: the whole reading of one document, with the findings of each form.

Promises: never raises anything but ParseError; every field of the form version is in the result; what cannot be read
has no value and keeps its raw text. A page that yields no application is told as a problem, so that nothing is lost.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from typing import Protocol

from config import forms, request_types
from config.forms import Form, Library
from config.request_types import Table
from parsers import dates, normalise, rules
from parsers.acroform import acroform_cells, add_named, form_notes, form_values
from parsers.comparison import compared
from parsers.document import Document, Page, open_document
from parsers.errors import ParseError
from parsers.normalise import Kind
from parsers.picture import Picture
from parsers.reading import Application, FieldValue, Problem, Reading, Route
from parsers.rendering import native_dpi, render
from parsers.scan import Scan
from parsers.sheet import Sheet
from parsers.text_sheets import READABLE, Leaf, leaves, read_leaf
from parsers.two_pages import stitched
from parsers.type_words import read_type


class Recognise(Protocol):
    """What looks at the picture of a page, by its number and what was recognised on the page before: in the same
    process or in another one (parsers/__main__.py)."""

    def __call__(self, picture: Picture, page: int, before: Page | None = None, /) -> Scan:
        """The forms on the picture; see `parsers.scanner.Scanner.scan`."""
        ...


# Is told what the text alone says.
Draft = Callable[[Reading], None]

PROBLEM_SENTENCES = {
    "no_text_layer": "文字情報のないページです（スキャン画像など）。内容を目視でご確認ください。",
    "not_a_form": "WebEC電子証明書発行サービス申請書が見つかりません。",
    "other_service": "他のサービスの申請書と思われます。内容をご確認ください。",
    "cover_or_terms": "申請書ではないページです（送付状、規定など）。",
    "blank_page": "白紙のページです。",
}


def read(
    data: bytes,
    *,
    received_on: date,
    seal: bool = True,
    recognise: Recognise | None = None,
    library: Library | None = None,
    draft: Draft | None = None,
) -> Reading:
    """Read every form in a PDF. `received_on` is the day of receipt in Japan; `library` are the forms to know.

    `draft` is told what the text alone says, before any picture is looked at, where that is at least one form: looking
    is what may take too long. `seal=False` leaves the seal boxes unexamined (their verdict is unclear): rendering is
    the slowest step. Without `recognise` a page that is a picture is told as one, and no text is compared with what
    the page shows. Raises ParseError where the bytes yield no document.
    """
    document = open_document(data)
    return read_document(
        document, received_on=received_on, seal=seal, recognise=recognise, library=library, draft=draft
    )


def read_document(
    document: Document,
    *,
    received_on: date,
    seal: bool = True,
    recognise: Recognise | None = None,
    library: Library | None = None,
    draft: Draft | None = None,
) -> Reading:
    """Read every form of an opened document; see `read`."""
    library, table = library or forms.shipped(), request_types.load()
    desk = _Desk(document, library, table, seal=seal)
    texts = [(leaf, desk.by_text(leaf)) for leaf in leaves(desk.pages, library, table)]
    by_text = [(leaf, (said,) if isinstance(said, Sheet) else said) for leaf, said in texts]
    if recognise is None:
        return _reading(by_text, library, table, received_on)
    if draft is not None and any(isinstance(said, Sheet) for _, said in texts):
        draft(_reading(by_text, library, table, received_on))
    seen = [(leaf, desk.by_picture(leaf, said, recognise)) for leaf, said in texts]
    return _reading(desk.put_together(seen), library, table, received_on)


def _reading(
    leaves_read: Iterable[tuple[Leaf, tuple[Sheet, ...] | str]], library: Library, table: Table, received_on: date
) -> Reading:
    """What the leaves make: the forms of each, or the code of what it is instead."""
    applications, problems = [], []
    for leaf, found in leaves_read:
        if isinstance(found, str):
            problems += [(found, number) for number in leaf.numbers]
            continue
        for sheet in found:
            application = assemble(sheet, library.form(sheet.version), table, received_on)
            findings = rules.find(application, table=table, received_on=received_on, library=library)
            applications.append(replace(application, findings=findings))
    # A page without a name beside a form is its companion; alone it is what the sender took for a form.
    quiet = "cover_or_terms" if applications else "not_a_form"
    named = [(quiet if code == "not_a_form" else code, number) for code, number in problems]
    return Reading(tuple(applications), tuple(Problem(code, PROBLEM_SENTENCES[code], number) for code, number in named))


# Pages that their words have named: a look at the picture would say nothing new. The name of another service is not
# among them, for a font that lies about a letter of our title makes one.
_TOLD_APART = frozenset({"cover_or_terms"})
# Drawn pages have no resolution of their own; at this one 8-point letters are 30 pixels high.
_DRAWN_DPI = 200.0


class _Desk:
    """One document while it is read: its pages with their form values, and each picture looked at once."""

    def __init__(self, document: Document, library: Library, table: Table, *, seal: bool) -> None:
        self._library, self._table = library, table
        self._document, self._seal = document, seal
        written = any(page.written_on for page in document.pages)
        self._widgets = form_values(document.data) if written else ()
        self._notes = form_notes(document.data) if written else ()
        self.pages = tuple(acroform_cells(page, self._widgets) for page in document.pages)
        self._scans: dict[int, Scan] = {}

    def by_picture(self, leaf: Leaf, by_text: Sheet | str, recognise: Recognise) -> tuple[Sheet, ...] | str:
        """The forms of one leaf, or the code of what it is instead, once its picture was looked at.

        The picture is the second witness of a page with text: fonts can lie about their letters, and what a reader sees
        is what was stamped. It is the only witness of a page that is a picture.
        """
        if isinstance(by_text, str) and by_text in _TOLD_APART:
            return by_text
        try:
            scans = [self._scan(recognise, number) for number in leaf.numbers]
        except ParseError:
            if isinstance(by_text, Sheet):
                # A page that cannot be drawn says nothing against its text, and nothing for it.
                return (compared(by_text, ()),)
            raise
        seen = tuple(sheet for scan in scans for sheet in scan.sheets)
        if isinstance(by_text, Sheet):
            return (compared(by_text, seen),)
        if seen or by_text != "not_a_form":
            return seen or scans[0].problem or by_text
        # Words that are no form's, and a picture that shows none either: that is a letter, not an unreadable scan.
        told = scans[0].problem
        return told if told in ("cover_or_terms", "other_service") else by_text

    def by_text(self, leaf: Leaf) -> Sheet | str:
        """The form of one leaf as its text or its form fields say, or the code of what it is instead."""
        if leaf.page.route not in READABLE:
            return "no_text_layer"
        found = read_leaf(self._document, leaf, self._library, self._table, seal=self._seal)
        if isinstance(found, str) or not self._widgets:
            return found
        named = add_named(found, self._widgets, leaf.page.cells, self._table)
        return replace(named, notes=(*named.notes, *self._notes))

    def _scan(self, recognise: Recognise, number: int) -> Scan:
        if number not in self._scans:
            data = self._document.data
            route = self._document.pages[number - 1].route
            dpi = native_dpi(data, number) if route is Route.SCAN else None
            picture = render(data, number, dpi=dpi or _DRAWN_DPI)
            last = self._scans.get(number - 1) if route is Route.SCAN else None
            given = (last.page,) if last and last.page else ()
            self._scans[number] = recognise(picture, number, *given)
        return self._scans[number]

    def put_together(
        self, leaves_read: Iterable[tuple[Leaf, tuple[Sheet, ...] | str]]
    ) -> list[tuple[Leaf, tuple[Sheet, ...] | str]]:
        """The leaves, with one for both where a scanned page carries on the form of the page before."""
        done: list[tuple[Leaf, tuple[Sheet, ...] | str]] = []
        for leaf, found in leaves_read:
            scan = self._scans.get(leaf.numbers[0])
            if scan and scan.carries_on and done and isinstance(found, tuple):
                # Only after a page with one form is a page told what stood on the page before.
                before, first = done[-1]
                if isinstance(first, tuple) and len(first) == len(found) == 1:
                    done[-1] = (before, (stitched(first[0], found[0]),))
                    continue
            done.append((leaf, found))
        return done


def assemble(sheet: Sheet, form: Form, table: Table, received_on: date) -> Application:
    """The application that a sheet makes: every field of its form, each with its display value."""
    request_type, words = read_type(sheet.kind.raw, form, table)
    return Application(
        request_type=request_type,
        form_version=sheet.version,
        route=sheet.route,
        pages=sheet.pages,
        fields={key: _field(sheet, key, received_on) for key in form.field_keys(table)},
        confirmations={row.key: sheet.ticks.get(row.key) for row in table.confirmations if form.has(row.key)},
        seal=sheet.seal,
        type_raw=sheet.kind.raw,
        type_words=words,
        notes=sheet.notes,
        type_reading=FieldValue(
            request_type.value if request_type else None,
            sheet.kind.raw,
            sheet.kind.confidence,
            sheet.pages[0],
            sheet.kind.box,
            sheet.kind.doubts,
        ),
    )


def _field(sheet: Sheet, key: str, received_on: date) -> FieldValue:
    entry = sheet.entries.get(key)
    if entry is None:
        # The label was not found: that says nothing about what the applicant wrote.
        return FieldValue(None, page=sheet.pages[0])
    value = _display(key, entry.raw, received_on)
    return FieldValue(value, entry.raw, entry.confidence, entry.page or sheet.pages[0], entry.box, entry.doubts)


def _display(key: str, raw: str, received_on: date) -> str | None:
    kind = normalise.kind_of(key)
    if kind is Kind.DATE:
        day = dates.read_date(raw, received_on).value
        return day.isoformat() if day else None
    return normalise.display(kind, raw).value


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
    new = replace(old, value=value, raw=text if value else "", confidence=1.0, doubts=())
    return replace(application, fields={**application.fields, key: new})
