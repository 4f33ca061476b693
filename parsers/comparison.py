"""A form's text against its picture: what the PDF says a letter is, and what a person sees, may differ.

Pure. Fonts can map letters wrongly (Excel on macOS, subset fonts, or on purpose); a reader then takes other words than
those that were stamped. The picture only ever lowers the confidence of the text: recognition errs far more often.
"""

from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from parsers import normalise
from parsers.characters import fold_look
from parsers.normalise import Kind
from parsers.sheet import Entry, Sheet

# Clean print is recognised to well over nine letters in ten; a font that lies changes most of them.
_LEAST_LIKENESS = 0.75
# The certificate goes to the address, and clean digits are not misread: here one letter in twenty is too much.
_EXACT, _NEARLY_ALL = frozenset({Kind.MAIL, Kind.PHONE, Kind.POSTAL_CODE, Kind.DATE}), 0.95
_UNSURE = 0.5


def compared(sheet: Sheet, seen: Sequence[Sheet]) -> Sheet:
    """The sheet read from text, with the doubt `unlike_picture` on every entry that the picture shows otherwise.

    `seen` are the forms that were recognised on the same page; the one that lies in the same place is compared.
    """
    other = max(seen, key=lambda each: _shared_places(sheet, each), default=None)
    if other is None:
        return replace(sheet, notes=(*sheet.notes, "picture_unread"))
    return replace(
        sheet,
        kind=_judged("request_type", sheet.kind, other.kind),
        entries={key: _judged(key, entry, other.entries.get(key)) for key, entry in sheet.entries.items()},
        notes=tuple(dict.fromkeys((*sheet.notes, *other.notes))),
    )


def _shared_places(first: Sheet, second: Sheet) -> int:
    return sum(
        1
        for key, entry in first.entries.items()
        if entry.box and (other := second.entries.get(key)) and other.box and entry.box.meets(other.box)
    )


def _judged(key: str, entry: Entry, seen: Entry | None) -> Entry:
    if seen is None or _alike(key, entry.raw, seen.raw):
        return entry
    return replace(entry, confidence=min(entry.confidence, _UNSURE), doubts=(*entry.doubts, "unlike_picture"))


def _alike(key: str, text: str, seen: str) -> bool:
    ours, theirs = fold_look(text), fold_look(seen)
    if ours == theirs:
        return True
    if not ours or not theirs:
        return False
    likeness = SequenceMatcher(None, ours, theirs, autojunk=False).ratio()
    least = _NEARLY_ALL if key != "request_type" and normalise.kind_of(key) in _EXACT else _LEAST_LIKENESS
    return likeness >= least
