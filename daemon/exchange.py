"""One HTTP request and its answer, as values: what a room of the site takes and gives. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is decoded and begins with a slash; `headers` are by lower-case name. Nothing here is ever logged: a path
    may be a secret."""

    method: str
    path: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """`body` is the whole content, or an open file that the server reads and closes; `length` is that file's size."""

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | BinaryIO = field(default=b"", repr=False)
    length: int = 0


Room = Callable[[Request], Response | None]
"""Answers a request, or None where it is not this room's affair."""


def plain(status: HTTPStatus, *headers: tuple[str, str]) -> Response:
    """A short answer in words, with the status's own phrase; it never repeats what was asked."""
    content = f"{status.value} {status.phrase}\n".encode()
    return Response(status, (("Content-Type", "text/plain; charset=utf-8"), *headers), content)


def http_date(time: datetime) -> str:
    """A date as HTTP writes it (RFC 9110, 5.6.7), whatever the locale."""
    utc = time.astimezone(UTC)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[utc.weekday()]
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[utc.month - 1]
    return f"{day}, {utc.day:02} {month} {utc:%Y %H:%M:%S} GMT"


def unchanged(request: Request, tag: str) -> bool:
    """Whether the asker holds what this entity tag names (RFC 9110, 13.1.2; compared weakly, as that section asks)."""
    asked = request.headers.get("if-none-match", "")
    return asked.strip() == "*" or tag in (each.strip().removeprefix("W/") for each in asked.split(","))
