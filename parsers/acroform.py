"""Form values: what the fields of a fillable PDF hold, put into the printed cells so that labels name them.

The value (/V) is read, never its drawing: viewers leave drawings stale or make none (pdf.md 2). The names of fields are
their maker's, so a field is known by the printed label of its cell, like everything else; only where a field lies in no
cell, a name of SPEC 5 counts. Trusts nothing and bounds everything. Promises: only ParseError comes out.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import Any

import pypdf
from pypdf.generic import ArrayObject, DictionaryObject

from config.request_types import Table
from parsers import characters
from parsers.cells import Cell, Run
from parsers.document import Page
from parsers.errors import ParseError, ParseKind
from parsers.reading import Box, Route
from parsers.sheet import Entry, Sheet

# What no form needs more of; a field tree deeper than this is a cycle.
_MOST_WIDGETS = 2000
_DEEPEST = 16
_LONGEST_VALUE = 4000
_MOST_CHOICES = 500

# Field flags (ISO 32000-1, tables 226 to 230), as masks.
_READ_ONLY, _RADIO, _PUSH = 1, 1 << 15, 1 << 16
_LANGUAGE = re.compile("\x1b[A-Za-z]{2,5}\x1b")
TICKED, UNTICKED = "☑", "□"
_MARKS = frozenset("☑✓✔レ■●○☒□☐")


class WidgetKind(StrEnum):
    """What a person does with it; NOTE is text written upon the page, MARK ink or a stamp."""

    TEXT = "text"
    CHOICE = "choice"
    CHECK = "check"
    RADIO = "radio"
    NOTE = "note"
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class Widget:
    """One field on one page: `box` in points as displayed, `value` its text, `ticked` the state of a box to tick.

    `ticked` is None for everything else, and for a box whose value says no while its drawing says yes.
    """

    page: int
    box: Box
    kind: WidgetKind
    name: str = ""
    label: str = ""
    value: str = ""
    ticked: bool | None = None
    read_only: bool = False


def form_values(data: bytes) -> tuple[Widget, ...]:
    """Every form field, free text, ink and stamp on the pages. Raises ParseError."""
    return tuple(_guarded(data))


def form_notes(data: bytes) -> tuple[str, ...]:
    """What is odd about the form as a whole: `xfa_form` where another form hides in it. Raises ParseError.

    Viewers that know XFA show that one instead, so what the applicant saw is not what the fields say.
    """
    try:
        root = _reader(data).root_object.get("/AcroForm")
        found = root.get_object() if root is not None else None
        return ("xfa_form",) if isinstance(found, DictionaryObject) and "/XFA" in found else ()
    except ParseError:
        raise
    except Exception as error:  # noqa: BLE001 - see `_guarded`
        raise _damaged(error) from None


def _guarded(data: bytes) -> list[Widget]:
    try:
        reader = _reader(data)
        return list(islice(_widgets(reader), _MOST_WIDGETS))
    except ParseError:
        raise
    except Exception as error:  # noqa: BLE001 - pypdf raises nearly every builtin exception on hostile bytes; the
        # cause is dropped because its text may hold content of the form (as in parsers.document).
        raise _damaged(error) from None


def _damaged(error: Exception) -> ParseError:
    return ParseError(ParseKind.DAMAGED, f"the form fields cannot be read ({type(error).__name__})")


def _reader(data: bytes) -> pypdf.PdfReader:
    reader = pypdf.PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise ParseError(ParseKind.ENCRYPTED, "the PDF asks for a password")
    return reader


_UPON_PAGE = {"/FreeText": WidgetKind.NOTE, "/Ink": WidgetKind.MARK, "/Stamp": WidgetKind.MARK}
_HIDDEN = 2  # annotation flag (ISO 32000-1, table 165)


def _widgets(reader: pypdf.PdfReader) -> Iterator[Widget]:
    for number, page in enumerate(reader.pages, start=1):
        for reference in islice(page.get("/Annots", ()) or (), _MOST_WIDGETS):
            annotation = reference.get_object()
            if not isinstance(annotation, DictionaryObject) or int(annotation.get("/F", 0)) & _HIDDEN:
                continue
            box = _displayed(page, annotation.get("/Rect"))
            if box is None:
                continue
            if annotation.get("/Subtype") == "/Widget":
                widget = _widget(annotation, number, box)
                if widget:
                    yield widget
            elif kind := _UPON_PAGE.get(str(annotation.get("/Subtype"))):
                yield Widget(number, box, kind, value=_string(annotation.get("/Contents")))


def _displayed(page: pypdf.PageObject, rect: Any) -> Box | None:  # noqa: ANN401 - whatever stands in the file
    """The rectangle in points from the top left of the page as a viewer turns it; None where it is none."""
    corners = rect.get_object() if rect is not None else None
    if not isinstance(corners, ArrayObject) or len(corners) != 4:
        return None
    xs = sorted(float(corners[i].get_object()) for i in (0, 2))
    ys = sorted(float(corners[i].get_object()) for i in (1, 3))
    crop = page.cropbox
    left, bottom, right, top = float(crop.left), float(crop.bottom), float(crop.right), float(crop.top)
    match page.rotation % 360:
        case 90:
            return Box(ys[0] - bottom, xs[0] - left, ys[1] - bottom, xs[1] - left)
        case 180:
            return Box(right - xs[1], ys[0] - bottom, right - xs[0], ys[1] - bottom)
        case 270:
            return Box(top - ys[1], right - xs[1], top - ys[0], right - xs[0])
        case _:
            return Box(xs[0] - left, top - ys[1], xs[1] - left, top - ys[0])


def _line(annotation: DictionaryObject) -> list[DictionaryObject]:
    """The widget and the fields above it, which hand their entries down (ISO 32000-1, 12.7.3.1)."""
    line = [annotation]
    while len(line) < _DEEPEST and "/Parent" in line[-1]:
        above = line[-1]["/Parent"].get_object()
        if not isinstance(above, DictionaryObject) or any(above is known for known in line):
            break
        line.append(above)
    return line


def _inherited(line: Sequence[DictionaryObject], key: str) -> Any:  # noqa: ANN401 - whatever stands in the file
    for level in line:
        if key in level:
            found = level[key]
            return found.get_object() if hasattr(found, "get_object") else found
    return None


def _widget(annotation: DictionaryObject, number: int, box: Box) -> Widget | None:
    line = _line(annotation)
    flags = _inherited(line, "/Ff")
    flags = int(flags) if isinstance(flags, int) else 0
    name = ".".join(_string(level.get("/T")) for level in reversed(line) if "/T" in level)
    plain = Widget(
        page=number,
        box=box,
        kind=WidgetKind.TEXT,
        name=name[:_LONGEST_VALUE],
        label=_string(_inherited(line[:2], "/TU")),
        read_only=bool(flags & _READ_ONLY),
    )
    value = _inherited(line, "/V")
    match str(_inherited(line, "/FT")):
        case "/Tx":
            return replace(plain, value=_string(value))
        case "/Ch":
            return replace(plain, kind=WidgetKind.CHOICE, value=_chosen(value, _inherited(line, "/Opt")))
        case "/Btn" if not flags & _PUSH:
            kind = WidgetKind.RADIO if flags & _RADIO else WidgetKind.CHECK
            return replace(plain, kind=kind, ticked=_is_ticked(annotation, value))
    return None


def _string(value: Any) -> str:  # noqa: ANN401 - whatever stands in the file
    """The text of a string object, or of a stream that holds a long one; nothing for anything else."""
    found = value.get_object() if hasattr(value, "get_object") else value
    if isinstance(found, pypdf.generic.StreamObject):
        raw = found.get_data()[: 4 * _LONGEST_VALUE]
        found = pypdf.generic.create_string_object(raw)
    if isinstance(found, bytes):
        found = found.decode("latin-1")
    if not isinstance(found, str):
        return ""
    # A text may hold language tags, each between two ESC characters (ISO 32000-1, 7.9.2.2).
    return (
        characters.drop_invisible(_LANGUAGE.sub("", found))[:_LONGEST_VALUE].replace("\r\n", "\n").replace("\r", "\n")
    )


def _chosen(value: Any, options: Any) -> str:  # noqa: ANN401 - whatever stands in the file
    """What a person sees as chosen: the display text of each export value."""
    shown: dict[str, str] = {}
    for option in islice(options, _MOST_CHOICES) if isinstance(options, ArrayObject) else ():
        pair = option.get_object()
        if isinstance(pair, ArrayObject) and len(pair) == 2:
            shown[_string(pair[0])] = _string(pair[1])
    values = list(islice(value, _MOST_CHOICES)) if isinstance(value, ArrayObject) else [value]
    return " ".join(shown.get(text, text) for each in values if (text := _string(each)))


def _is_ticked(annotation: DictionaryObject, value: Any) -> bool | None:  # noqa: ANN401 - whatever stands in the file
    """Whether the box is on. The field's value names the state of the box that is on; /AS is what was drawn last.

    A value that is off under a drawing that is on was shown ticked to the applicant: nobody can tell, so None.
    """
    drawn = str(annotation.get("/AS", "/Off"))
    states = _on_states(annotation)
    if value is None:
        return drawn != "/Off"
    named = str(value) if str(value).startswith("/") else f"/{value}"
    # Without a drawing of its own the box has no name for its state, so any value but Off is on.
    on = named != "/Off" and (named in states or not states)
    if not on and drawn not in ("/Off", named) and named == "/Off":
        return None
    return on


def _on_states(annotation: DictionaryObject) -> frozenset[str]:
    looks = annotation.get("/AP")
    looks = looks.get_object() if looks is not None else None
    normal = looks.get("/N") if isinstance(looks, DictionaryObject) else None
    normal = normal.get_object() if normal is not None else None
    if not isinstance(normal, DictionaryObject) or isinstance(normal, pypdf.generic.StreamObject):
        return frozenset()
    return frozenset(str(state) for state in islice(normal, _MOST_CHOICES)) - {"/Off"}


# --- into the cells -----------------------------------------------------------------------------------------------


def acroform_cells(page: Page, widgets: Sequence[Widget]) -> Page:
    """The page with the values of its form fields in its cells; its route tells that there were any.

    `written_on` stays set only for what hides values from us: ink and stamps over a cell that is not the seal's own,
    and free text. A blank fillable form that was printed and scanned keeps its route.
    """
    own = [widget for widget in widgets if widget.page == page.number]
    fields = [widget for widget in own if widget.kind not in (WidgetKind.NOTE, WidgetKind.MARK)]
    if not own:
        return page
    is_filled = any(field.value.strip() or field.ticked for field in fields)
    route = Route.ACROFORM if fields and (is_filled or page.route is Route.TEXT) else page.route
    written_on = any(widget.kind in (WidgetKind.NOTE, WidgetKind.MARK) for widget in own)
    return replace(page, cells=fill_cells(page.cells, own), route=route, written_on=written_on)


def fill_cells(cells: Sequence[Cell], widgets: Sequence[Widget]) -> tuple[Cell, ...]:
    """The cells with each field's value in the cell it lies in, in place of any text under the field."""
    filled = list(cells)
    for widget in widgets:
        at = _cell_of(cells, widget.box)
        runs = _runs_of(widget)
        if at is None or not runs:
            continue
        kept = tuple(run for run in filled[at].runs if not _lies_under(run, widget))
        filled[at] = replace(filled[at], runs=kept + runs, overflows=False)
    return tuple(filled)


def _cell_of(cells: Sequence[Cell], box: Box) -> int | None:
    """The smallest cell that holds the middle of the box: a closed shape may stand free inside a cell."""
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    around = [
        index for index, cell in enumerate(cells) if cell.box.x0 <= x <= cell.box.x1 and cell.box.y0 <= y <= cell.box.y1
    ]
    return min(around, key=lambda index: cells[index].area, default=None)


def _runs_of(widget: Widget) -> tuple[Run, ...]:
    box = widget.box
    match widget.kind:
        case WidgetKind.CHECK | WidgetKind.RADIO:
            # A mark that nobody can tell is left out; the empty cell then counts as not sure, see `Sheet.ticks`.
            mark = "？" if widget.ticked is None else TICKED if widget.ticked else UNTICKED
            return (Run(mark, box, max(1.0, box.y1 - box.y0)),)
        case WidgetKind.MARK:
            return ()
    lines = [line for line in widget.value.split("\n") if line.strip()][:50]
    height = (box.y1 - box.y0) / max(1, len(lines))
    return tuple(
        Run(line, Box(box.x0, box.y0 + index * height, box.x1, box.y0 + (index + 1) * height), max(1.0, height))
        for index, line in enumerate(lines)
    )


def _lies_under(run: Run, widget: Widget) -> bool:
    box = widget.box
    middle = (run.box.x0 + run.box.x1) / 2
    inside = box.x0 - 1 <= middle <= box.x1 + 1 and box.y0 - 1 <= run.middle <= box.y1 + 1
    if widget.kind in (WidgetKind.CHECK, WidgetKind.RADIO):
        # A field as wide as the cell must not swallow the statement printed in it; only a printed mark gives way.
        return inside and run.text.strip() in _MARKS
    return inside and widget.kind is not WidgetKind.NOTE


def add_named(sheet: Sheet, widgets: Sequence[Widget], cells: Sequence[Cell], table: Table) -> Sheet:
    """The sheet with the values of fields that lie in no cell but carry a name of SPEC 5 (or `request_type`).

    Only what no cell has told is taken from them: a printed label always knows better than a name.
    """
    keys = {row.key for row in table.fields()}
    boxes = {row.key for row in table.confirmations}
    entries, ticks, kind = dict(sheet.entries), dict(sheet.ticks), sheet.kind
    for widget in widgets:
        if widget.page not in sheet.pages or _cell_of(cells, widget.box) is not None:
            continue
        entry = Entry(widget.value, 1.0, widget.box)
        if widget.name in keys and widget.value.strip() and not _told(entries, widget.name):
            entries[widget.name] = entry
        elif widget.name in boxes and widget.ticked is not None and ticks.get(widget.name) is None:
            ticks[widget.name] = widget.ticked
        elif widget.name == "request_type" and widget.value.strip() and not kind.raw.strip():
            kind = entry
    return replace(sheet, entries=entries, ticks=ticks, kind=kind)


def _told(entries: Mapping[str, Entry], key: str) -> bool:
    return key in entries and bool(entries[key].raw.strip())
