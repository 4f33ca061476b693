"""The ground under every command of the command line: what a command answers, and how it gets at settings and database.

The commands themselves: `service` (demo, init, check, run), `form_console` (form), `reading_console` (read),
`case_console` (queue, show, log), `mail_console` (held, release, export, import), `certificate_console` (certs, cert,
crl, verify), `register_console` (companies, registrations). Each is a function that takes the parsed arguments and
gives an `Answer`; none of them prints.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from config.settings import Settings, load

from .line_breaking import columns
from .planning import JST
from .store import Store


class UsageError(Exception):
    """The command cannot be carried out as it was given; the sentence says what to write instead."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command has to say: for people, for programs, and whether the thing asked about is in order.

    `temporary` says that it may be in order later without anybody doing anything (exit 75).
    """

    text: str
    document: Any = None
    in_order: bool = True
    temporary: bool = False


Command = Callable[[argparse.Namespace], Answer]


@contextmanager
def opened(arguments: argparse.Namespace) -> Iterator[tuple[Settings, Store]]:
    """The settings and the database of a command that needs no CA key. Raises SettingsError, StoreError."""
    settings = load(arguments.config)
    store = Store(settings.database)
    try:
        store.check()
        yield settings, store
    finally:
        store.close()


def later(name: str, stage: int) -> Command:
    """A command that is not there yet."""

    def run(_: argparse.Namespace) -> Answer:
        raise UsageError(f"`{name}` comes with stage {stage} of the project")

    return run


def file_bytes(path: Path) -> bytes:
    """The bytes of a file the operator named. Raises UsageError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def parse_day(text: str) -> date:
    """A day the operator typed. Raises UsageError."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a day; write it as YYYY-MM-DD") from error


def local(moment: datetime | None) -> str:
    """A moment as people in Japan read it; a dash for none."""
    return moment.astimezone(JST).strftime("%Y-%m-%d %H:%M") if moment else "-"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with their columns under each other; a full-width character takes two columns."""
    if not rows:
        return []
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(_padded, row, widths)).rstrip() for row in rows]


def described(pairs: Sequence[tuple[str, str]], *, indent: int = 0) -> list[str]:
    """Names and values, one pair a line, the values under each other."""
    return [" " * indent + line for line in aligned(pairs)]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - columns(text))
