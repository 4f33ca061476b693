"""The code on a form and its print, put together: what the code says, as far as the print does not say otherwise.

Pure. The seal stands on the print, so the print is what was applied for; the code only knows what a program wrote. A
field is sure where both agree, and a doubt where they differ; then the print is what staff are shown.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from config import forms, request_types
from config.forms import Library
from config.request_types import RequestType, Table
from parsers import characters
from parsers.codes import FIELDS, CodeContent
from parsers.dates import read_date
from parsers.likeness import distance
from parsers.normalise import Kind, kind_of, mail_key
from parsers.reading import Route
from parsers.sheet import Entry, Sheet
from parsers.subject import SURE
from parsers.type_words import read_type

# Words for doubts and notes; `parsers.code_rules` makes findings of them.
DIFFERS = "code_differs"
UNSEEN = "code_unseen"
UNSIGNED = "code_unsigned"
INVALID = "code_invalid"
DIFFERS_TYPE = "code_differs_type"
DIFFERS_TICKS = "code_differs_ticks"
DIFFERS_FORM = "code_differs_form"

_SAME, _OTHER, _NOT_SEEN = 1.0, 0.3, 0.8
# A recogniser that is not sure may be wrong in one character of so many.
_ONE_WRONG_IN = 5


def merge(code: CodeContent, printed: Sheet, library: Library | None = None) -> Sheet:
    """The form by its code, with the places of the print. `library` are the forms to know, the shipped ones else.

    A code whose signature is wrong counts for nothing: the print stays as it was read, with the note `code_invalid`.
    """
    if code.valid is False:
        return replace(printed, notes=(*printed.notes, INVALID))
    table = request_types.load()
    notes = list(printed.notes)
    if code.valid is None:
        notes.append(UNSIGNED)
    if code.form_version != printed.version:
        notes.append(DIFFERS_FORM)
    by_picture = printed.route is Route.SCAN
    merged = {key: _entry(key, code.values[key], printed.entries.get(key), by_picture=by_picture) for key in FIELDS}
    kind, differs = _kind(code.request_type, printed, table, library or forms.shipped())
    if differs:
        notes.append(DIFFERS_TYPE)
    ticks = {key: _tick(code.ticks.get(key), seen) for key, seen in _all_ticks(code, printed).items()}
    if any(_contradicts(code.ticks.get(key), printed.ticks.get(key)) for key in ticks):
        notes.append(DIFFERS_TICKS)
    return replace(
        printed,
        route=Route.CODE,
        kind=kind,
        entries={key: entry for key, entry in merged.items() if entry is not None},
        ticks=ticks,
        notes=tuple(dict.fromkeys(notes)),
    )


def _entry(key: str, said: str, seen: Entry | None, *, by_picture: bool) -> Entry | None:
    if seen is None:
        # No cell was found to compare with: the code alone is no proof of what was stamped.
        return Entry(said, _NOT_SEEN, None, (UNSEEN,)) if said else None
    if _agree(kind_of(key), said, seen, by_picture=by_picture):
        return Entry(said, _SAME, seen.box)
    # Where nothing is printed the code's value is shown, for an empty field looks like nothing to look at; and where
    # the print could hardly be read, for what a recogniser guesses is the worse witness. It is a doubt all the same.
    hardly_read = by_picture and seen.confidence < SURE and said
    raw = said if hardly_read or not seen.raw.strip() else seen.raw
    return Entry(raw, _OTHER, seen.box, (*seen.doubts, DIFFERS))


def _agree(kind: Kind, said: str, seen: Entry, *, by_picture: bool) -> bool:
    """Whether the code's value can be what is printed.

    A mail address must be the same to the letter: a certificate goes to it. Any other text may differ by characters
    that look alike and, where a recogniser was not sure, by one character in five.
    """
    if kind is Kind.MAIL:
        return mail_key(said) == mail_key(seen.raw)
    if kind is Kind.DATE and said:
        return _same_day(said, seen.raw)
    first, second = characters.fold_look(said), characters.fold_look(seen.raw)
    if first == second:
        return True
    if not by_picture or seen.confidence >= SURE or not first:
        return False
    allowed = max(1, len(first) // _ONE_WRONG_IN)
    return bool(second) and distance(first, second, limit=allowed) <= allowed


def _same_day(said: str, raw: str) -> bool:
    try:
        day = date.fromisoformat(said)
    except ValueError:
        return False
    return read_date(raw, day).value == day


def _kind(said: RequestType | None, printed: Sheet, table: Table, library: Library) -> tuple[Entry, bool]:
    """The request type, and whether code and print name two different ones."""
    if said is None:
        return printed.kind, bool(printed.kind.raw.strip())
    word = table.types[said].word
    known = {form.version: form for form in library.forms}
    form = known.get(printed.version, forms.newest())
    seen, words = read_type(printed.kind.raw, form, table)
    if seen is said:
        return Entry(word, _SAME, printed.kind.box), False
    if seen is None and not words:
        return Entry(word, _NOT_SEEN, printed.kind.box, (UNSEEN,)), False
    return replace(printed.kind, confidence=_OTHER, doubts=(*printed.kind.doubts, DIFFERS)), True


def _all_ticks(code: CodeContent, printed: Sheet) -> Mapping[str, bool | None]:
    return dict.fromkeys(code.ticks) | dict(printed.ticks)


def _tick(said: bool | None, seen: bool | None) -> bool | None:  # noqa: FBT001 - the two values themselves
    """What both say, or the one that can tell; nothing where they contradict each other."""
    if _contradicts(said, seen):
        return None
    return seen if said is None else said


def _contradicts(said: bool | None, seen: bool | None) -> bool:  # noqa: FBT001 - as above
    return said is not None and seen is not None and said is not seen
