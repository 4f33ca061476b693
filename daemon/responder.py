"""The OCSP responder as the service runs it: the signers of the moment, the register behind them, answers kept.

Does: hands each request to `ca.ocsp` with a read-only look at the register.
Trusts: the store; the signers that `responders` installs.
Promises: any octets yield an answer, never an exception; a certificate whose revocation is committed, by whichever
process, is not answered `good` any more: the register is asked before every answer, kept ones included.
Weak: what a relying party or an HTTP cache keeps, it keeps (`ocsp.validity_minutes`, `daemon.site`).
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ca import ocsp
from ca.ocsp import Answer, Kept, Responders, ResponseSigner
from ca.ocsp_wire import ErrorStatus, Told
from ca.standing import standing
from config.settings import OcspSettings

from .guard import attempt
from .store import Store

MOST_KEPT = 10_000
"""Answers kept at most; about 2 KB each. Who asks for many numbers that do not exist must not fill the memory."""


class Shelf(dict[bytes, Kept]):
    """Answers signed earlier, by CertID; the oldest gives way."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        super().__init__()
        self._most = most
        self._lock = threading.Lock()

    def __setitem__(self, key: bytes, kept: Kept) -> None:
        with self._lock:
            if key not in self and len(self) >= self._most:
                del self[next(iter(self))]
            super().__setitem__(key, kept)


class Responder:
    """Answers OCSP requests for as long as the service lives. Shared by the threads of the HTTP server."""

    def __init__(self, store: Store, clock: Callable[[], datetime], settings: OcspSettings) -> None:
        self._store = store
        self._clock = clock
        self._validity = timedelta(minutes=settings.validity_minutes)
        self._signers: tuple[ResponseSigner, ...] = ()
        self._responders = Responders(())
        self._kept = Shelf()

    def install(self, signers: Iterable[ResponseSigner]) -> None:
        """Answer with these from now on; an answer kept from another signer is not given again."""
        self._signers = tuple(signers)
        self._responders = Responders(self._signers)

    def signer_of(self, authority_id: str) -> ResponseSigner | None:
        """Who answers for an authority now."""
        return next((signer for signer in self._signers if signer.authority.id == authority_id), None)

    def answer(self, der: bytes) -> Answer:
        """The answer to a request. A register that cannot be read now is `tryLater`, a fault of ours `internalError`;
        both are logged."""
        errors: list[Exception] = []
        made = attempt("OCSP answer", partial(self._answer, der), errors)
        if made is not None:
            return made
        passing = bool(errors) and isinstance(errors[-1], DBAPIError | PoolTimeout)
        return ocsp.refusal(ErrorStatus.TRY_LATER if passing else ErrorStatus.INTERNAL_ERROR)

    def _answer(self, der: bytes) -> Answer:
        return ocsp.answer(
            der, self._responders, self._look, now=self._clock(), validity=self._validity, kept=self._kept
        )

    def _look(self, asked: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], Told]:
        with self._store.reading() as tx:
            return standing(tx, asked)
