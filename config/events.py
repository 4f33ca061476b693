"""The table こんなときどうする of the guide: which event needs which application (SPEC 1.3.12, domain notes A.4).

It drives the guidance letter that answers a mail without a form. A word in a mail is a hint to the reader of that
letter, never a decision: nothing is opened, changed or refused by it.
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from config.request_types import RequestType

SUBJECTS = ("企業", "所属", "ユーザ")

_KEYS = {"subject", "text", "form", "type", "words"}


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the table. `request_type` is None where no form is needed; `words` tell of the event in a mail."""

    subject: str
    text: str
    form_needed: bool
    request_type: RequestType | None
    words: tuple[re.Pattern[str], ...]


@cache
def load() -> tuple[Event, ...]:
    """The 16 rows in the order of the guide. ValueError names the row that is wrong."""
    text = resources.files("config").joinpath("events.toml").read_text("utf-8")
    return build(tomllib.loads(text))


def build(raw: Mapping[str, Any]) -> tuple[Event, ...]:
    """Make the rows from parsed TOML. ValueError names the row and what is missing, unknown or wrong in it."""
    if set(raw) != {"events"}:
        raise ValueError("events.toml: it must hold [[events]] and nothing else")
    return tuple(_event(value, number) for number, value in enumerate(raw["events"], start=1))


def _event(value: Mapping[str, Any], number: int) -> Event:
    where = f"events.toml: row {number}"
    unknown, missing = set(value) - _KEYS, _KEYS - {"type"} - set(value)
    if unknown or missing:
        raise ValueError(f"{where}: {', '.join(sorted(unknown | missing))} is {'unknown' if unknown else 'missing'}")
    if value["subject"] not in SUBJECTS:
        raise ValueError(f"{where}: subject must be one of {', '.join(SUBJECTS)}")
    # Every ○ of the guide names a type, and no × does.
    if value["form"] is not ("type" in value):
        raise ValueError(f"{where}: type must stand where form is true, and only there")
    try:
        request_type = RequestType(value["type"]) if "type" in value else None
        words = tuple(re.compile(word, re.IGNORECASE) for word in value["words"])
    except (TypeError, ValueError, re.error) as error:
        raise ValueError(f"{where}: {error}") from error
    return Event(value["subject"], value["text"], value["form"], request_type, words)


def hints(text: str) -> tuple[Event, ...]:
    """The rows whose words occur in a mail's text, in the order of the guide; none where nothing fits.

    Width, case and blanks do not matter; a word may be broken by a line end, as mail programs do.
    """
    folded = "".join(unicodedata.normalize("NFKC", text).split())
    return tuple(event for event in load() if any(word.search(folded) for word in event.words))
