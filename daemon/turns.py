"""One bad mail does not hold up the next: the documents of a mail are read in turns, and others come in between.

Does: stands between the opening of a mail and the confined reader. It remembers what was read of a mail, so that the
opening may be broken off and begun again without reading anything twice, and it breaks it off when a turn is over.
Promises: a turn reads one document at least and begins none after TURN; with the reader's own limit (`Patience`: ten
seconds for a file of one page) that is what the next mail may wait for. After MOST_TURNS the rest of the documents is
told as too costly, which shows it to staff; nothing is dropped.
Weak: an honest stack of scans in one file has its reader's longer limit, and the next mail waits for it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from parsers.errors import ParseError, ParseKind

TURN = timedelta(seconds=1)
MOST_TURNS = 30


class TurnOver(Exception):
    """The mail is not read to its end; its next turn goes on where this one stopped."""


@dataclass(slots=True)
class Memory:
    """What was read of one mail so far: answers, or the errors that the documents gave."""

    turns: int = 0
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)


class TurnReader:
    """The reader of one turn of one mail."""

    def __init__(self, reader: Any, memory: Memory, clock: Callable[[], datetime]) -> None:  # noqa: ANN401
        self._reader = reader
        self._memory = memory
        self._clock = clock
        self._began = clock()
        self._worked = False
        memory.turns += 1

    def read(self, data: bytes, *, received_on: date) -> Any:  # noqa: ANN401 - as the reader answers
        """As `Reader.read`. Raises TurnOver besides."""
        return self._remembered("read", data, partial(self._reader.read, data, received_on=received_on))

    def unpack(self, data: bytes) -> Any:  # noqa: ANN401 - as the reader answers
        """As `Reader.unpack`, where it has one. Raises TurnOver besides."""
        return self._remembered("unpack", data, partial(self._reader.unpack, data))

    def _remembered(self, verb: str, data: bytes, ask: Callable[[], Any]) -> Any:  # noqa: ANN401
        key = (verb, hashlib.sha256(data).hexdigest())
        answers = self._memory.answers
        if key not in answers:
            if self._memory.turns > MOST_TURNS:
                raise ParseError(ParseKind.TOO_COSTLY, f"the mail had its {MOST_TURNS} turns")
            if self._worked and not timedelta(0) <= self._clock() - self._began < TURN:
                raise TurnOver
            self._worked = True
            try:
                answers[key] = ask()
            except ParseError as error:
                answers[key] = error
        if isinstance(answers[key], ParseError):
            raise answers[key]
        return answers[key]
