"""The values of a form to be printed, as they stand in a JSON file: checked whole, every fault named by its key.

Pure. Keys are `request_type` (code or printed word), the field names of SPEC 5 and the confirmations.
"""

import unicodedata
from collections.abc import Mapping
from datetime import date

from config.forms import Form
from config.request_types import RequestType, Table
from parsers.normalise import Kind, kind_of

TYPE = "request_type"

# Longer than any that fits its cell in legible letters.
LONGEST, LONGEST_REMARKS = 160, 400


class ValueFault(ValueError):
    """A value that cannot be printed; the sentence begins with its key."""


def check_values(raw: object, form: Form, table: Table) -> dict[str, str | bool]:
    """The values that were given, the type as its code, dates in ISO 8601. Empty texts and null count as not given."""
    if not isinstance(raw, Mapping):
        raise ValueFault("the file must hold one JSON object of keys and values")
    fields, boxes = set(form.field_keys(table)), {row.key for row in table.confirmations}
    unknown = sorted(str(key) for key in raw if key not in {TYPE, *fields, *boxes})
    if unknown:
        raise ValueFault(f"{', '.join(unknown)}: form {form.version} has no such field")
    values: dict[str, str | bool] = {TYPE: _type(raw.get(TYPE), table)}
    for key, value in raw.items():
        if value is None or key == TYPE:
            continue
        if key in boxes:
            if not isinstance(value, bool):
                raise ValueFault(f"{key}: must be true or false")
            values[key] = value
        elif text := _text(key, value):
            values[key] = text
    return values


def _type(value: object, table: Table) -> str:
    if isinstance(value, str):
        if value in set(RequestType):
            return value
        kind = table.type_of_word(value)
        if kind:
            return kind.value
    words = ", ".join(f"{kind.value} ({rule.word})" for kind, rule in table.types.items())
    raise ValueFault(f"{TYPE}: must be one of {words}")


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueFault(f"{key}: must be a text")
    text = value.strip()
    if not text:
        return ""
    if kind_of(key) is Kind.DATE:
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise ValueFault(f"{key}: must be a date, written as YYYY-MM-DD") from None
    may_break = key == "remarks"
    if any(unicodedata.category(char).startswith("C") and not (may_break and char == "\n") for char in text):
        raise ValueFault(f"{key}: holds a line break or a control character")
    longest = LONGEST_REMARKS if may_break else LONGEST
    if len(text) > longest:
        raise ValueFault(f"{key}: is longer than {longest} characters")
    return text


def printed_text(key: str, value: str, table: Table) -> str:
    """A value as it is printed: the type by its word, dates as 2024年7月1日."""
    if key == TYPE:
        return table.types[RequestType(value)].word
    if kind_of(key) is Kind.DATE:
        day = date.fromisoformat(value)
        return f"{day.year}年{day.month}月{day.day}日"
    return value
