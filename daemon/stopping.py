"""A request to stop, which also ends what is waiting for a mail server.

Does: remembers that SIGTERM or SIGINT came, and interrupts the one thing in this program that may wait for minutes: a
call through a door (`interrupting`). Everything else is short and committed step by step, and is left to end by itself.
Trusts: signals reach the main thread, where the doors are used (signal(7): the kernel prefers it).
Promises: nothing is interrupted outside `interrupting`; the interruption comes once, so that cleaning up after it is
not interrupted again; after it `interrupting` refuses to begin.
Weak: a look-up of a host name that the resolver does not answer is not interrupted (getaddrinfo(3) cannot be); it ends
by the resolver's own limit.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Interrupted(Exception):
    """The service is to stop; the doors turn it into their own failures."""


class Stop:
    """Whether to stop. `request` is a signal handler. No lock: a handler may interrupt itself."""

    def __init__(self) -> None:
        self._requested = False
        self._within = 0

    def request(self, *_: object) -> None:
        """Ask to stop. Raises Interrupted in the main thread where that is within `interrupting`."""
        first, self._requested = not self._requested, True
        if first and self._within:
            raise Interrupted

    def is_set(self) -> bool:
        """Whether it was asked for."""
        return self._requested

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """A part that a request to stop ends with Interrupted, or does not let begin."""
        if self._requested:
            raise Interrupted
        self._within += 1
        try:
            yield
        finally:
            self._within -= 1

    def sleep(self, seconds: float) -> None:
        """Sleep so long, or until a stop is asked for."""
        with suppress(Interrupted), self.interrupting():
            time.sleep(seconds)
