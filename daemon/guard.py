"""The one place that catches everything: a piece of work that fails is logged and left; the rest of the round goes on.

The service must outlive any single mail, case or letter. What becomes of the failed piece is decided by its own state
in the database (its attempts are counted, its lease runs), not here; `failures` says what kind of error it was.
"""

import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .failures import Consequence, consequence_of, kind_of

_log = logging.getLogger(__name__)
T = TypeVar("T")


def attempt(what: str, work: Callable[[], T], errors: list[Exception] | None = None) -> T | None:
    """Do the work; on any error log its kind and place, add it to `errors`, and return None.

    The text of a foreign exception may quote a mail or a name (SQL drivers quote parameters), so it is never logged:
    its class and the line of ours where it arose are enough to find it. A request to stop is not an Exception and
    passes through.
    """
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - see the module's head: this is the place
        level = logging.WARNING if consequence_of(error) is Consequence.RETRY else logging.ERROR
        _log.log(level, "%s: %s %s at %s", what, kind_of(error).value, type(error).__name__, _place(error))
        if errors is not None:
            errors.append(error)
        return None


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-3:]))
