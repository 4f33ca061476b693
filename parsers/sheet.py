"""One form as it was found, before anything is normalised: where the four routes meet.

Text layer, form values, code and picture each end in a `Sheet`; `parsers.application` makes the Application of it. So a
route only tells what stands in which part of the form and how sure that is, and every rule about values exists once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from parsers.reading import Box, Route, Seal, SealVerdict


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands in one part of the form: its text as written, how sure that is (0 to 1), and its place.

    `doubts` name what speaks against the reading (`second_opinion`, `variant`, `cut_off`, `written_over`, …): words for
    staff and tests, the confidence already counts them. `page` is None on a form's first page.
    """

    raw: str
    confidence: float = 1.0
    box: Box | None = None
    doubts: tuple[str, ...] = ()
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """One form. `entries` holds the fields that were found, by field name; a field that is absent was not found.

    `ticks` holds true, false or None (cannot be told) by confirmation. `version` is that of the form definition.
    `notes` are codes of what was noticed about the form as a whole (`code_unsigned`, `cut_page`, `turned`, …).
    """

    version: str
    route: Route
    pages: tuple[int, ...]
    kind: Entry
    entries: Mapping[str, Entry]
    ticks: Mapping[str, bool | None]
    seal: Seal
    notes: tuple[str, ...] = field(default=())


def sheet_to_json(sheet: Sheet) -> dict[str, Any]:
    """The sheet as one process hands it to another; `sheet_from_json` is its inverse."""
    return {
        "version": sheet.version,
        "route": sheet.route.value,
        "pages": list(sheet.pages),
        "kind": _entry_to_json(sheet.kind),
        "entries": {key: _entry_to_json(entry) for key, entry in sheet.entries.items()},
        "ticks": dict(sheet.ticks),
        "seal": {
            "verdict": sheet.seal.verdict.value,
            "confidence": sheet.seal.confidence,
            "page": sheet.seal.page,
            "box": list(sheet.seal.box) if sheet.seal.box else None,
            "fingerprint": sheet.seal.fingerprint,
        },
        "notes": list(sheet.notes),
    }


def sheet_from_json(raw: Mapping[str, Any]) -> Sheet:
    """Raises KeyError, TypeError or ValueError on anything that `sheet_to_json` does not write."""
    seal = raw["seal"]
    return Sheet(
        version=str(raw["version"]),
        route=Route(raw["route"]),
        pages=tuple(int(page) for page in raw["pages"]),
        kind=_entry_from_json(raw["kind"]),
        entries={str(key): _entry_from_json(entry) for key, entry in raw["entries"].items()},
        ticks={str(key): None if ticked is None else bool(ticked) for key, ticked in raw["ticks"].items()},
        seal=Seal(
            SealVerdict(seal["verdict"]),
            float(seal["confidence"]),
            None if seal["page"] is None else int(seal["page"]),
            _box(seal["box"]),
            str(seal.get("fingerprint", "")),
        ),
        notes=tuple(str(note) for note in raw["notes"]),
    )


def _entry_to_json(entry: Entry) -> dict[str, Any]:
    return {
        "raw": entry.raw,
        "confidence": entry.confidence,
        "box": list(entry.box) if entry.box else None,
        "doubts": list(entry.doubts),
        "page": entry.page,
    }


def _entry_from_json(raw: Mapping[str, Any]) -> Entry:
    return Entry(
        str(raw["raw"]),
        float(raw["confidence"]),
        _box(raw["box"]),
        tuple(str(doubt) for doubt in raw["doubts"]),
        None if raw["page"] is None else int(raw["page"]),
    )


def _box(raw: Any) -> Box | None:  # noqa: ANN401 - JSON of another process, which is checked by float()
    if raw is None:
        return None
    x0, y0, x1, y1 = (float(edge) for edge in raw)
    return Box(x0, y0, x1, y1)
