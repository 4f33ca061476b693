"""`held`, `release`, `export`, `import`: the operator's hands on mail that could not be handled (SPEC 5).

The circle is: `held` names a mail, `export` gives its bytes, a person mends them, `import` takes them back in; or the
program was mended, and `release` has the mail read again. Everything that changes something is an audit event.
Works beside the running service: each command is one transaction, and the service reads what it left in its next round.
"""

import argparse
import os
from collections.abc import Iterator
from datetime import datetime
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from config.settings import Settings

from . import ledger
from .audit import Audit
from .blobs import BlobErased, BlobMissing, Stored
from .centre import blobs_of
from .console import Answer, UsageError, aligned, local, opened
from .keyring import AUDIT_KEY, key_bytes
from .ledger import MailRow
from .mail_sizes import octets

_CHUNK = 1024 * 1024
_HEAD = 64 * 1024
"""Octets looked at to tell a mail from any other file."""


def held(arguments: argparse.Namespace) -> Answer:
    """The mails that were set aside, with reason, size and arrival. Listing them is in order, whatever there is."""
    with opened(arguments) as (_, store), store.transaction() as tx:
        rows = ledger.held(tx)
    lines = aligned(
        [("メール", "到着", "サイズ", "試行", "理由")]
        + [(str(row.id), local(row.arrived_at), octets(row.size), f"{row.attempts}回", row.reason) for row in rows]
    )
    return Answer("\n".join(lines) if rows else "保留中のメールはありません。", [_as_json(row) for row in rows])


def release(arguments: argparse.Namespace) -> Answer:
    """Have a mail that was set aside read again, with its attempts counted anew."""
    now = arguments.clock()
    with opened(arguments) as (settings, store):
        audit = _audit(settings)
        blobs = blobs_of(settings)
        with store.transaction() as tx:
            row = _found(tx, arguments.id)
            if row.state != "held":
                return _refused(row, f"mail {row.id} is not held: it is {row.state}")
            if blobs.erased(row.digest):
                return _refused(row, f"mail {row.id} was erased: there is nothing left to read")
            ledger.release(tx, row.id)
            audit.append(tx, "mail_released", at=now, actor="operator", mail=row.id, attempts=row.attempts)
            row = ledger.get(tx, row.id)
    return Answer(f"mail {row.id} is read again in the next round", _as_json(row))


def export(arguments: argparse.Namespace) -> Answer:
    """The raw mail as it was fetched, as a file; any mail of the ledger, held or not. An existing file stays."""
    with opened(arguments) as (settings, store), store.transaction() as tx:
        row = _found(tx, arguments.id)
    path = arguments.out or Path(f"mail-{row.id}.eml")
    try:
        _write_new(path, blobs_of(settings).stream(row.digest))
    except BlobErased:
        return _refused(row, f"mail {row.id} was erased on {local(row.erased_at)}; nobody can open it any more")
    except BlobMissing as error:
        return _refused(row, f"mail {row.id} cannot be exported: {error}")
    return Answer(f"{path}: {row.size} octets", _as_json(row) | {"file": str(path)})


def take_in(arguments: argparse.Namespace) -> Answer:
    """A mail from a file, mended by a person as a rule, enters the ledger and is read in the next round.

    With `--for ID` it takes the place of a held mail and its day of arrival. The same bytes twice are refused. What a
    mail server reported about such a mail is not believed, for it is the file's word (`ledger.came_by_file`).
    """
    now = arguments.clock()
    with opened(arguments) as (settings, store):
        audit, blobs = _audit(settings), blobs_of(settings)
        stored = blobs.put_stream(_mail_chunks(arguments.file))
        if blobs.erased(stored.digest):
            return Answer("refused: these very bytes were erased on purpose", {"refused": "erased"}, in_order=False)
        try:
            with store.transaction() as tx:
                return _add(tx, audit, stored, arguments, now)
        except IntegrityError:
            # The service met the same bytes between our look and our row.
            return Answer("refused: these very bytes are in the ledger already", {"refused": "known"}, in_order=False)


def _add(tx: Connection, audit: Audit, stored: Stored, arguments: argparse.Namespace, now: datetime) -> Answer:
    known = ledger.find(tx, stored.digest)
    if known is not None:
        hint = f"; `ogis-lra release {known.id}` has it read again" if known.state == "held" else ""
        words = f"refused: these very bytes are mail {known.id}, which is {known.state}{hint}"
        return _refused(known, words)
    replaced = _found(tx, arguments.replaced) if arguments.replaced is not None else None
    if replaced is not None and replaced.state != "held":
        return _refused(replaced, f"mail {replaced.id} is not held: it is {replaced.state}")
    arrived = replaced.arrived_at if replaced is not None else now
    mail_id = ledger.add_file(tx, digest=stored.digest, size=stored.size, arrived_at=arrived, now=now)
    audit.append(tx, "mail_imported", at=now, actor="operator", mail=mail_id, instead_of=arguments.replaced)
    if replaced is not None:
        ledger.replace(tx, replaced.id, by=mail_id)
    row = ledger.get(tx, mail_id)
    return Answer(f"mail {mail_id} ({octets(stored.size)}) is read in the next round", _as_json(row))


def _found(tx: Connection, number: int) -> MailRow:
    try:
        return ledger.get(tx, number)
    except KeyError:
        raise UsageError(f"there is no mail {number}; `ogis-lra held` lists those that wait") from None


def _refused(row: MailRow, words: str) -> Answer:
    return Answer(words, _as_json(row) | {"refused": words}, in_order=False)


def _audit(settings: Settings) -> Audit:
    return Audit(key_bytes(settings, AUDIT_KEY))


def _as_json(row: MailRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "state": row.state,
        "outcome": row.outcome,
        "reason": row.reason,
        "octets": row.size,
        "digest": row.digest,
        "attempts": row.attempts,
        "arrived_at": row.arrived_at,
        "erased_at": row.erased_at,
    }


def _mail_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a mail file. Raises UsageError for what cannot be read, and for what is plainly no mail."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            if not BytesHeaderParser().parsebytes(head).keys() or head.startswith(b"%PDF"):
                raise UsageError(f"{path} is no mail: it does not begin with header fields")
            yield head
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def _write_new(path: Path, chunks: Iterator[bytes]) -> None:
    """A file that is made now, and taken away again where it could not be finished. Raises UsageError where there is
    one already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} is there already; name another file with --out") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
    except (BlobMissing, OSError):
        path.unlink(missing_ok=True)
        raise
