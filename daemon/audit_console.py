"""`log --checkpoint`, `log --export` and `verify --checkpoint`: the audit log for people outside this machine."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection

from parsers.errors import ParseError
from parsers.mail import open_mail

from . import audit
from .audit import Checkpoint
from .console import Answer, UsageError, file_bytes, opened


def of_all(arguments: argparse.Namespace) -> Answer:
    """`log` without a number."""
    if arguments.checkpoint == (arguments.export is not None):
        raise UsageError("say a case number, or --checkpoint, or --export FILE")
    with opened(arguments) as (_, store), store.transaction() as tx:
        if arguments.checkpoint:
            newest = audit.checkpoint(tx)
            return Answer(
                str(newest) if newest else "the audit log is empty",
                {"seq": newest.seq, "checkpoint": str(newest)} if newest else None,
            )
        return _export(tx, arguments.export)


def _export(tx: Connection, path: Path) -> Answer:
    """A new file, whole and on disk before it is called done; one that is there is never overwritten."""
    count = 0
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            for line in audit.export(tx):
                file.write(f"{line}\n")
                count += 1
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise UsageError(f"{path} is there already; name another file") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    newest = audit.checkpoint(tx)
    document = {"file": str(path), "events": count, "checkpoint": str(newest) if newest else None}
    return Answer(f"{count} events written to {path}, up to {newest}", document)


def kept_faults(tx: Connection, given: list[str]) -> Iterator[str]:
    """Where the log is not the one of the checkpoints that somebody kept. Raises UsageError for text without any."""
    for text in given:
        kept = _checkpoints(text)
        if not kept:
            raise UsageError(
                f"{text!r} is neither a checkpoint (1234-XXXXX-XXXXX-XXXXX-XXXXX) nor a file with one; "
                "`ogis-lra log --checkpoint` shows what one looks like"
            )
        yield from audit.kept_faults(tx, kept)


def _checkpoints(text: str) -> list[Checkpoint]:
    path = Path(text)
    if not path.is_file():
        return audit.checkpoints_in(text)
    data = file_bytes(path)
    found = audit.checkpoints_in(data.decode("utf-8", "replace"))
    if found:
        return found
    try:
        # A digest as the mail program saved it: its text may be encoded.
        return audit.checkpoints_in(open_mail(data).text)
    except ParseError:
        return []
