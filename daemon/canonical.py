"""JSON in one spelling only: what the audit log chains is, octet for octet, what the database keeps."""

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import JSON, Dialect, TypeDecorator


class Text(str):
    """JSON that was written by `text_of` already."""

    __slots__ = ()


def text_of(value: object) -> Text:
    """A value in its one spelling: keys sorted, no blanks, no escapes but the necessary."""
    return Text(json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")))


class CanonicalJson(TypeDecorator[Any]):
    """A JSON column written by `text_of`; a `Text` goes in as it is."""

    impl = JSON
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:  # noqa: ARG002 - both databases take text
        """To the database."""
        return lambda value: value if isinstance(value, Text) else text_of(value)
