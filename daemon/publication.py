"""Publishes the CRLs of every authority that the centre signs for: full, and where configured delta and partitioned.

Does: makes a CRL when something was revoked, held or let go since the last of its scope, or when half of its life is
over; replaces the published files, DER for the addresses in the certificates (RFC 5280, 4.2.1.13) and PEM for nginx.
Trusts: the disk to keep what was synced; the register for what was revoked.
Promises: a CRL is composed, linted and signed into a file beside the published one, then recorded, and only after that
commit put in its place by a rename: a relying party never reads half a CRL, and never one that the register does not
know. A crash before the commit leaves a file that nobody looks at, one after it a file that the next round puts in its
place. A published file that is lost or damaged is put back as it was recorded, or made anew where it was too large for
the register to keep.
Weak: while a list of a million entries is made, for a second or two, nobody else writes to the database.
"""

import contextlib
import logging
import os
import tempfile
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO

from sqlalchemy import Connection

from ca import crl, register
from ca.authority import Authority
from ca.crl import FULL, CrlKind, Scope
from ca.crl_entry import encode
from ca.crl_growth import grow
from ca.hierarchy import ISSUING_ID
from ca.register import CrlRow
from ca.signer import Signer

from .centre import Centre
from .crl_files import holds, pem_holds, stat_of, write_pem
from .durable import sync_folder, write_durably
from .guard import attempt

_log = logging.getLogger(__name__)

CRL_FILE = "issuing.crl"
KEPT_WHOLE = 1 << 20
"""A CRL of so many octets is kept in the register too; a larger one only as the published file and its digest."""
_IN_MEMORY = 8 << 20
"""A list of so many octets is composed in memory, a larger one in a temporary file beside the published one."""
_MOST_GROWN = 64 << 20
_MOST_ADDED = 64


@dataclass(frozen=True, slots=True)
class _Staged:
    """A signed CRL in a file that is not published yet."""

    row: CrlRow
    path: Path


def file_name(authority: Authority, scope: Scope = FULL) -> str:
    """The published file of a CRL: `issuing.crl` for the first issuing authority, the others after their id."""
    stem = CRL_FILE.removesuffix(".crl") if authority.id == ISSUING_ID else authority.id
    return f"{stem}-{scope.part}.crl" if scope.part else f"{stem}.crl"


def publish(centre: Centre, *, force: bool = False) -> bool:
    """Publish what is due of every authority, or (`force`) everything; whether a file has changed.

    What goes wrong with one authority keeps no other from its CRL; the first error is raised in the end.
    """
    errors: list[Exception] = []
    changed = False
    for signer in centre.signers:
        work = partial(_publish, centre, signer, force=force)
        changed |= attempt(f"CRL of {signer.authority.id}", work, errors) or False
    if errors:
        raise errors[0]
    return changed


def _publish(centre: Centre, signer: Signer, *, force: bool) -> bool:
    authority = signer.authority
    centre.public.mkdir(parents=True, exist_ok=True)
    staged = _make(centre, signer, force=force, lost=())
    lost = _put_in_place(centre, authority, {each.path for each in staged})
    changed = bool(staged) or any(lost.values())
    # A file that is lost and was too large to be kept in the register is made anew, under the next number.
    gone = tuple(scope for scope, mended in lost.items() if not mended)
    if gone:
        staged = _make(centre, signer, force=False, lost=gone)
        _put_in_place(centre, authority, {each.path for each in staged})
        changed = True
    return changed


def _make(centre: Centre, signer: Signer, *, force: bool, lost: tuple[Scope, ...]) -> list[_Staged]:
    """Make, sign and record what is due, in one transaction; the files wait beside the published ones."""
    staged: list[_Staged] = []
    committed = False
    try:
        with centre.store.transaction() as tx:
            for staged_one in _due(tx, centre, signer, force=force, lost=lost):
                staged.append(staged_one)
                row = staged_one.row
                register.record_crl(tx, row)
                centre.audit.append(
                    tx,
                    "crl_published",
                    at=row.this_update,
                    actor="issuer",
                    number=row.number,
                    entries=row.size,
                    authority=row.authority_id,
                    part=row.scope.part,
                )
        committed = True
    finally:
        if not committed:
            for each in staged:
                each.path.unlink(missing_ok=True)
    return staged


def _due(tx: Connection, centre: Centre, signer: Signer, *, force: bool, lost: tuple[Scope, ...]) -> Iterator[_Staged]:
    authority, now = signer.authority, centre.clock()
    newest = register.latest_crl(tx, authority.id, kind=None)
    # Where the clock has gone back, thisUpdate (RFC 5280 section 5.1.2.4) stays at that of the CRL before: a newer
    # number never looks older.
    at = now if newest is None else max(now, newest.this_update)
    deltas = centre.settings.crl.deltas

    def wanted(kind: CrlKind, partition: int) -> bool:
        latest = register.latest_crl(tx, authority.id, kind=kind, partition=partition)
        again = any((scope.kind, scope.partition) == (kind, partition) for scope in lost)
        return force or again or latest is None or _is_over(latest, now) or register.waits_for_crl(tx, latest, now)

    delta_lost = any(scope.kind is CrlKind.DELTA for scope in lost)
    if wanted(CrlKind.FULL, 0) or delta_lost:
        number = register.next_crl_number(tx, authority.id)
        full = _signed(tx, centre, signer, number, Scope(fresh=deltas), at)
        yield full
        base = register.base_of_delta(tx, full.row) if deltas else None
        if base is not None:
            yield _signed(tx, centre, signer, number, Scope(CrlKind.DELTA, base=base.number), at, base=base)
    for partition in range(1, max(centre.settings.crl.partitions, register.partitions_in_use(tx, authority.id)) + 1):
        if wanted(CrlKind.PARTITION, partition):
            number = register.next_crl_number(tx, authority.id)
            yield _signed(tx, centre, signer, number, Scope(CrlKind.PARTITION, partition), at)


def _is_over(latest: CrlRow, now: datetime) -> bool:
    """Whether half of the life of a CRL is over."""
    return now >= latest.this_update + (latest.next_update - latest.this_update) / 2


def _signed(
    tx: Connection,
    centre: Centre,
    signer: Signer,
    number: int,
    scope: Scope,
    at: datetime,
    *,
    base: CrlRow | None = None,
) -> _Staged:
    """Compose, lint and sign one CRL into a file of its own, durably."""
    authority = signer.authority
    name = file_name(authority, scope)
    path = _staging(centre.public, name, number)
    with _spool(centre.public) as spool:
        known = 0
        if base is not None:
            changed = [encode(entry) for entry in register.changed_for_delta(tx, authority.id, at, base)]
            pieces: Iterator[bytes] = iter([b"".join(changed)])
        elif scope.kind is CrlKind.FULL and (known := _grown(tx, centre, authority, at, spool)):
            pieces = iter(())
        else:
            spool.seek(0)
            spool.truncate()
            pieces = register.entries_for_crl(tx, authority.id, at, partition=scope.partition)
        until = at + timedelta(days=centre.settings.ca.crl_days)
        with contextlib.closing(_ahead(pieces)) as read:
            draft = crl.compose(authority, number, read, at, until, scope, spool, known=known)
        signature = signer.sign_draft(draft)
        with _opened(path) as out:
            octets, digest = crl.write(draft, spool, signature, out)
            out.flush()
            os.fsync(out.fileno())
    row = CrlRow(
        authority_id=authority.id,
        number=number,
        kind=scope.kind,
        this_update=draft.this_update,
        next_update=draft.next_update,
        der=path.read_bytes() if octets <= KEPT_WHOLE else None,
        size=draft.size,
        octets=octets,
        digest=digest,
        partition=scope.partition,
        base_number=scope.base or None,
    )
    return _Staged(row, path)


def _ahead(pieces: Iterator[bytes]) -> Generator[bytes, None, None]:
    """The same pieces, each read from the database while the one before is linted: two cores share the work. Nobody
    else uses the connection until the last is there, or this is closed, which waits for the one that is being read."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, pieces, None)
        while (piece := coming.result()) is not None:
            coming = reader.submit(next, pieces, None)
            yield piece


def _grown(tx: Connection, centre: Centre, authority: Authority, at: datetime, spool: IO[bytes]) -> int:
    """The full list as the published one and what was added since, where that is all that happened: so many entries,
    or 0 where the list must be read from the register."""
    former = register.latest_crl(tx, authority.id)
    path = centre.public / file_name(authority)
    if former is None or not former.size or former.octets > _MOST_GROWN:
        return 0
    added = register.added_since(tx, authority.id, at, former)
    if added is None or len(added) > _MOST_ADDED or not holds(path, former, authority):
        return 0
    data = path.read_bytes()
    places = [(entry, register.entry_before(tx, authority.id, at, serial)) for serial, entry in added]
    return former.size + len(added) if grow(data, places, at, spool) else 0


def _put_in_place(centre: Centre, authority: Authority, staged: set[Path]) -> dict[Scope, bool]:
    """Give every newest CRL its files. Returns the scopes whose files were not as recorded: whether mended."""
    with centre.store.transaction() as tx:
        newest = register.newest_crls(tx, authority.id)
    found: dict[Scope, bool] = {}
    for row in newest:
        name = file_name(authority, row.scope)
        target, path = centre.public / name, _staging(centre.public, name, row.number)
        seen = (row.number, stat_of(target), stat_of(_pem(target)))
        if centre.published.get(name) == seen:
            continue
        fresh = path in staged or holds(path, row, authority)
        if fresh:
            path.rename(target)
            sync_folder(target.parent)
            _log.info("CRL %d published as %s", row.number, name)
            found[row.scope] = True
        elif not holds(target, row, authority):
            found[row.scope] = row.der is not None
            if row.der is None:
                continue
            write_durably(target, row.der, mode=0o644)
        if fresh or not pem_holds(target, _pem(target)):
            write_pem(target, _pem(target))
            found[row.scope] = True
        for left in centre.public.glob(f".{name}.*.new"):
            left.unlink(missing_ok=True)
        centre.published[name] = (row.number, stat_of(target), stat_of(_pem(target)))
    return found


def _pem(target: Path) -> Path:
    return target.with_name(target.name + ".pem")


def _staging(public: Path, name: str, number: int) -> Path:
    return public / f".{name}.{number}.new"


def _opened(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "wb")


@contextlib.contextmanager
def _spool(folder: Path) -> Iterator[IO[bytes]]:
    """A place for the entries while they are hashed: memory, or for many a file without a name."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(folder)) as spool:
        yield spool
