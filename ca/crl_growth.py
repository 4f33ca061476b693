"""A CRL that only grew: the one before, with the new entries put in where they belong.

Most CRLs differ from the one before by a single entry. The bytes of the others were linted when that one was made, and
whoever calls knows by its digest that they are still the same: reading a hundred thousand entries from the database
and linting them again would tell nothing new and cost most of the time.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import IO

from ca.crl_entry import EntryLint
from ca.der import header_size

# What stands before the list in the signed part: version, algorithm, issuer, thisUpdate, nextUpdate.
_BEFORE = 5
_LIST = 0x30


def grow(former: bytes, added: Sequence[tuple[bytes, bytes | None]], this_update: datetime, spool: IO[bytes]) -> bool:
    """Write the entries of the CRL `former` (DER) to the spool, with those that were added.

    Each comes with the entry that stands right before it in the new list, or None where it is the first; they come in
    the order of the list. Each must pass the lint between its two neighbours. False, and nothing worth keeping in the
    spool, where one does not, or where its place is not found: then the list is made from the register anew.
    """
    at, end = _list_in(former)
    start, written = at, b""
    for entry, before in added:
        if before is not None and before != written:
            found = former.find(before, at, end)
            if found < 0:
                return False
            spool.write(memoryview(former)[at : found + len(before)])
            at = found + len(before)
        elif before is None and at != start:
            return False
        after = former[at : at + 2 + former[at + 1]] if at < end else b""
        neighbours = [each for each in (before, entry, after) if each]
        if EntryLint(this_update).look(b"".join(neighbours)):
            return False
        spool.write(entry)
        written = entry
    spool.write(memoryview(former)[at:end])
    return True


def _list_in(der: bytes) -> tuple[int, int]:
    """From where to where the entries stand in a CRL; twice the same where there are none. Raises ValueError for other
    bytes."""
    at = 0
    for _ in range(2):  # into the CRL, into its signed part
        at += header_size(der[at : at + 8])[0]
    for _ in range(_BEFORE):
        at += sum(header_size(der[at : at + 8]))
    size, count = header_size(der[at : at + 8])
    if der[at] != _LIST:
        return at, at
    return at + size, at + size + count
