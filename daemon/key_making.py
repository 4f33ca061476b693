"""Subscribers' keys, made in threads while other cases are carried out, each for one case alone.

An RSA key takes a thousand times as long as its certificate, and OpenSSL makes it without Python's lock: so the
keys of the next few cases are made ahead. There is no pool: a key belongs to its case from its first bit on, lies in
memory only and is dropped when its case takes none. Cases are still carried out one after the other
(`issuance.execute`).
"""

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from ca import bundle
from ca.keys import PrivateKey
from ca.profiles import Profile


class KeyMaker:
    """Makes the keys of the cases that will want one, in this order, with so many threads."""

    def __init__(self, profile: Profile, threads: int, wanted: Iterable[int]) -> None:
        self._profile = profile
        self._ahead = 2 * threads
        self._waiting = deque(wanted)
        self._making: dict[int, Future[PrivateKey]] = {}
        # Where one case waits, there is nothing to make ahead of it.
        self._pool = ThreadPoolExecutor(threads, "subscriber-key") if len(self._waiting) > 1 else None

    def __enter__(self) -> Self:
        self._fill()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._waiting.clear()
        self._making.clear()
        if self._pool is not None:
            # A key that is being made cannot be broken off: it takes a second at most, and is dropped.
            self._pool.shutdown(wait=True, cancel_futures=True)

    def take(self, case_id: int) -> PrivateKey:
        """The key of this case; nobody gets it again. One that was not made ahead is made now."""
        made = self._making.pop(case_id, None)
        self._fill()
        return bundle.make_key(self._profile) if made is None else made.result()

    def drop(self, case_id: int) -> None:
        """This case is over: a key made for it is not needed any more."""
        unused = self._making.pop(case_id, None)
        if unused is not None:
            unused.cancel()
        self._fill()

    def _fill(self) -> None:
        while self._pool is not None and self._waiting and len(self._making) < self._ahead:
            case_id = self._waiting.popleft()
            self._making[case_id] = self._pool.submit(bundle.make_key, self._profile)
