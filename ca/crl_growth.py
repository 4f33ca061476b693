"""A CRL that only grew: the one before, with the new entries put in where they belong.

Most CRLs differ from the one before by a single entry. The bytes of the others were linted when that one was made, and
whoever calls knows by its digest that they are still the same: reading a hundred thousand entries from the database
and linting them again would tell nothing new and cost most of the time.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import IO

from ca.crl_entry import EntryLint
from ca.der import header_size, members

# What stands before the list in the signed part: version, algorithm, issuer, thisUpdate, nextUpdate.
_BEFORE = 5
_LIST = 0x30


def grow(former: bytes, added: Sequence[tuple[bytes, bytes | None]], this_update: datetime, spool: IO[bytes]) -> bool:
    """Write the entries of the CRL `former` (DER) to the spool, with those that were added.

    Each comes with the entry that stands right before it in the new list, or None where it is the first; they come in
    the order of the list. Each must pass the lint between its two neighbours. False, and nothing worth keeping in the
    spool, where one does not, or where its place is not found: then the list is made from the register anew.
    """
    listed = _listed(former)
    at, written = 0, b""
    for entry, before in added:
        if before is not None and before != written:
            found = listed.find(before, at)
            if found < 0:
                return False
            spool.write(listed[at : found + len(before)])
            at = found + len(before)
        elif before is None and at:
            return False
        after = listed[at : at + 2 + listed[at + 1]] if at < len(listed) else b""
        neighbours = [each for each in (before, entry, after) if each]
        if EntryLint(this_update).look(neighbours, b"".join(neighbours)):
            return False
        spool.write(entry)
        written = entry
    spool.write(listed[at:])
    return True


def _listed(der: bytes) -> bytes:
    """The entries in a CRL, one after the other; nothing where there are none. Raises ValueError for other bytes."""
    signed_part = members(der)[0]
    inner = members(signed_part)
    if len(inner) <= _BEFORE or inner[_BEFORE][0] != _LIST:
        return b""
    size, _ = header_size(inner[_BEFORE][:8])
    return inner[_BEFORE][size:]
