"""Work that a second core does while the caller goes on: what looks at the same picture and waits for nothing.

opencv and the code reader let go of the interpreter while they count pixels, so one thread more is enough. It is
started at once, because the walls of a confined child let no new thread through. Promises the same answers with and
without it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import cv2

T = TypeVar("T")


class InPlace:
    """Does the work when its result is asked for: no thread at all."""

    def start(self, work: Callable[[], T]) -> Callable[[], T]:
        """The work itself, to be called once for its result."""
        return work


class Beside(InPlace):
    """One thread that does what it is given, one piece of work after the other.

    opencv's own threads are shut off for the process: on a picture as small as a cell waking them costs more than the
    work (425 µs for 263), and where there is other work they only take its core.
    """

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="beside")
        self._pool.submit(int).result()

    def start(self, work: Callable[[], T]) -> Callable[[], T]:
        """Begin the work; what comes back waits for its result, or raises what the work raised."""
        return self._pool.submit(work).result
