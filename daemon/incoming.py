"""Mails on their way out of a mailbox: how many are asked for at once, in which pieces, and which are not real (pure).

Memory is bounded by octets, never by the number of mails: a batch holds `BATCH_BYTES` at most, and a larger mail comes
in pieces of `PIECE_BYTES`, each asked for only when the one before was taken.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

BATCH_BYTES = 16 * 1024 * 1024
"""Octets of mail asked for in one command. The answer is held in memory about three times over."""

BATCH_MAILS = 40
"""Mails asked for in one command and stored together: beyond this neither the round trips nor the waits for the disk
that a batch shares (`blobs.put_many`) cost anything, and a stop of the service need not wait for more."""

BATCH_UIDS = 500
"""UIDs named in one command: at most 5500 octets, below the 8192 that RFC 7162 section 4 asks clients to keep to."""

PIECE_BYTES = 4 * 1024 * 1024
"""Octets of a large mail asked for in one command."""

# Exchange's stand-in for a mail that it cannot convert (seen with Exchange 2010 and Microsoft 365), as the whole
# Subject or at the beginning of the text. It is made at the fetch, so no server has ever put a Received field into it;
# a mail that somebody sent with these words has one.
_STAND_IN = re.compile(rb"Retrieval using the IMAP4 protocol failed for the following\s+message", re.IGNORECASE)
_RECEIVED = re.compile(rb"^Received:", re.IGNORECASE | re.MULTILINE)
_STAND_IN_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """One mail as the server holds it. `internal_date` is when the server received it (RFC 3501 section 2.3.3),
    aware, UTC; `raw` is the mail byte for byte."""

    uid: int
    internal_date: datetime
    raw: bytes


@dataclass(frozen=True, slots=True)
class Incoming:
    """As `Fetched`, for a caller that stores piece by piece. `size` is what the server says it is, in octets
    (Exchange's are guesses). `pieces()` gives the mail once, before the next mail is asked for; it may raise the
    mailbox's failures in the middle, and then nothing was fetched."""

    uid: int
    internal_date: datetime
    size: int
    pieces: Callable[[], Iterator[bytes]] = field(repr=False)


def blocks(uids: Sequence[int]) -> Iterator[Sequence[int]]:
    """The UIDs in their order, as many as one command may name."""
    for start in range(0, len(uids), BATCH_UIDS):
        yield uids[start : start + BATCH_UIDS]


def batches(uids: Sequence[int], sizes: dict[int, int]) -> Iterator[list[int]]:
    """Cut into batches by octets and number; a mail larger than a batch comes alone, a UID without size is gone."""
    batch: list[int] = []
    octets = 0
    for uid in uids:
        if uid not in sizes:
            continue
        if batch and (octets + sizes[uid] > BATCH_BYTES or len(batch) == BATCH_MAILS):
            yield batch
            batch, octets = [], 0
        batch.append(uid)
        octets += sizes[uid]
    if batch:
        yield batch


def is_stand_in(raw: bytes) -> bool:
    """Whether these are not the mail but Exchange's note that it could not be converted."""
    beginning = raw[:_STAND_IN_BYTES]
    if b"imap4 protocol failed" not in beginning.lower():
        return False  # as good as always, and much faster than the expression
    header = re.split(rb"\r?\n\r?\n", beginning, maxsplit=1)[0]
    return _STAND_IN.search(beginning) is not None and _RECEIVED.search(header) is None
