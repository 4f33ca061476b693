"""What a confined child says it has read → a Reading, or FrameError.

Trusts nothing: a child that a hostile file took over writes what it likes. So only the shapes of `parsers.reading`
pass, with no key more or less, no number out of reach, no text longer than a form holds. What a letter may repeat is
never taken from a child: findings are made here by the rules, and the sentence of a problem is looked up by its code.
Weak: a false value in the right shape passes; staff see the document beside it.
"""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from config import request_types
from config.forms import Library
from config.request_types import Table
from parsers import rules
from parsers.application import PROBLEM_SENTENCES
from parsers.frames import Frame, FrameError
from parsers.reading import Application, Problem, Reading, application_from_json, application_to_json

_MOST_FORMS, _MOST_PAGES = 200, 1000
_LONGEST_TEXT = 20_000
_LARGEST_NUMBER = 1e7
_DEEPEST = 8
_CODE = re.compile(r"[a-z0-9_]{1,60}")
# A line break and a tab can stand in a cell; nothing else below the blank can.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def reading_from_child(
    frame: Frame, *, received_on: date, library: Library | None = None, notes: tuple[str, ...] = ()
) -> Reading:
    """The reading in a frame. `received_on` is the day of receipt in Japan, `library` are the forms that the child
    knew, `notes` are what the service itself knows about every form in it. Raises FrameError."""
    body = frame.body
    if body.keys() != {"applications", "problems"} or frame.blob:
        raise FrameError("an answer with other parts than a reading has")
    applications, problems = body["applications"], body["problems"]
    if not isinstance(applications, list) or not isinstance(problems, list):
        raise FrameError("an answer without lists")
    if len(applications) > _MOST_FORMS or len(problems) > _MOST_PAGES:
        raise FrameError("more than one document holds")
    table = request_types.load()
    return Reading(
        tuple(_judged(_application(raw, table), notes, table, received_on, library) for raw in applications),
        tuple(_problem(raw) for raw in problems),
    )


def _judged(
    application: Application, notes: tuple[str, ...], table: Table, received_on: date, library: Library | None
) -> Application:
    noted = replace(application, notes=tuple(dict.fromkeys((*application.notes, *notes))))
    return replace(noted, findings=rules.find(noted, table=table, received_on=received_on, library=library))


def _problem(raw: Any) -> Problem:  # noqa: ANN401 - whatever JSON a child wrote
    if not isinstance(raw, dict) or raw.keys() != {"code", "page", "message"}:
        raise FrameError("a problem without its parts")
    code, page = raw["code"], raw["page"]
    if not isinstance(code, str) or code not in PROBLEM_SENTENCES:
        raise FrameError("a problem that we do not know")
    if page is not None and not _is_page(page):
        raise FrameError("a problem of an impossible page")
    return Problem(code, PROBLEM_SENTENCES[code], page)


def _application(raw: Any, table: Table) -> Application:  # noqa: ANN401 - as above
    _bound(raw)
    if not isinstance(raw, dict):
        raise FrameError("an application that is none")
    try:
        application = application_from_json(raw)
        same = application_to_json(application) == raw
    except (KeyError, TypeError, ValueError, AttributeError):
        # The text of such an error quotes what was written.
        raise FrameError("an application of another shape") from None
    if not same:
        raise FrameError("an application with more than its parts")
    for fits in _CHECKS:
        if not fits(application, table):
            raise FrameError(f"an application whose {fits.__name__.strip('_')} are not ours")
    return application


def _bound(raw: Any, depth: int = 0) -> None:  # noqa: ANN401 - as above
    """Nothing in it is deeper, longer or larger than a form can make it. Raises FrameError."""
    if depth > _DEEPEST:
        raise FrameError("an answer that is too deep")
    match raw:
        case str():
            fits = len(raw) <= _LONGEST_TEXT and not _CONTROL.search(raw)
        case int() | float():
            fits = math.isfinite(raw) and abs(raw) <= _LARGEST_NUMBER
        case list():
            fits = len(raw) <= _MOST_PAGES
            for each in raw[:_MOST_PAGES]:
                _bound(each, depth + 1)
        case dict():
            fits = len(raw) <= _MOST_PAGES
            for key, each in raw.items():
                _bound(key, depth + 1)
                _bound(each, depth + 1)
        case _:
            fits = raw is None
    if not fits:
        raise FrameError("an answer out of bounds")


def _fields(application: Application, table: Table) -> bool:
    known = {row.key for row in table.fields()}
    read = [*application.fields.values(), *filter(None, [application.type_reading])]
    return application.fields.keys() <= known and all(
        (value.value is None or isinstance(value.value, str))
        and isinstance(value.raw, str)
        and _is_share(value.confidence)
        and (value.page is None or _is_page(value.page))
        and _is_place(value.box)
        and all(_is_code(doubt) for doubt in value.doubts)
        for value in read
    )


def _confirmations(application: Application, table: Table) -> bool:
    known = {row.key for row in table.confirmations}
    return application.confirmations.keys() <= known and all(
        ticked is None or isinstance(ticked, bool) for ticked in application.confirmations.values()
    )


def _words(application: Application, _: Table) -> bool:
    version = application.form_version
    return (
        (version is None or isinstance(version, str))
        and isinstance(application.type_raw, str)
        and all(isinstance(word, str) for word in application.type_words)
        and all(_is_code(note) for note in application.notes)
    )


def _pages(application: Application, _: Table) -> bool:
    return bool(application.pages) and all(_is_page(page) for page in application.pages)


def _seals(application: Application, _: Table) -> bool:
    seal = application.seal
    return _is_share(seal.confidence) and (seal.page is None or _is_page(seal.page)) and _is_place(seal.box)


_CHECKS: tuple[Callable[[Application, Table], bool], ...] = (_fields, _confirmations, _words, _pages, _seals)


def _is_page(value: object) -> bool:
    return type(value) is int and 0 < value <= _MOST_PAGES


def _is_share(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1  # type: ignore[operator]


def _is_place(value: tuple[Any, ...] | None) -> bool:
    return value is None or all(type(edge) in (int, float) for edge in value)


def _is_code(value: object) -> bool:
    return isinstance(value, str) and bool(_CODE.fullmatch(value))
