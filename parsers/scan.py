"""What looking at the picture of a page gives, as one process hands it to another. The looking is in `parsers.scanner`,
which needs the heavy libraries; whoever only passes pictures on need not load them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parsers.document import Page
from parsers.sheet import Sheet, sheet_from_json, sheet_to_json
from parsers.two_pages import page_from_json, page_to_json

# What a page can be that shows no form of ours; the sentences are in `parsers.application`.
PROBLEMS = frozenset({"blank_page", "cover_or_terms", "not_a_form", "other_service", "no_text_layer"})


@dataclass(frozen=True, slots=True)
class Scan:
    """The forms found on one picture; where there is none, `problem` is the code of what the page is instead.

    `page` is what was recognised, where it is one form that the next page may carry on. `carries_on` tells that the
    only sheet is the rest of the form on the page before.
    """

    sheets: tuple[Sheet, ...] = ()
    problem: str | None = None
    page: Page | None = None
    carries_on: bool = False


def scan_to_json(scan: Scan) -> dict[str, Any]:
    """The scan as JSON; `scan_from_json` is its inverse."""
    return {
        "sheets": [sheet_to_json(sheet) for sheet in scan.sheets],
        "problem": scan.problem,
        "page": page_to_json(scan.page) if scan.page else None,
        "carries_on": scan.carries_on,
    }


def scan_from_json(raw: Mapping[str, Any]) -> Scan:
    """Raises KeyError, TypeError or ValueError on anything that `scan_to_json` does not write."""
    problem = raw["problem"]
    if problem is not None and problem not in PROBLEMS:
        raise ValueError("an unknown problem of a page")
    return Scan(
        tuple(sheet_from_json(sheet) for sheet in raw["sheets"]),
        problem,
        page_from_json(raw["page"]) if raw["page"] is not None else None,
        bool(raw["carries_on"]),
    )
