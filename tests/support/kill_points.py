"""Every place where a stop may matter, in a real process: commits, commands to servers, changes of files, signatures.

`lay` wraps the functions through which the program reaches the world and calls `touch(label)` right before and right
after each. They lie below the program's own code, so that a call nobody thought of is a place too. A commit is named by
the tables it changes, a command by its verb: a place is found again in another life by its label and by how often
the label came before, although that life may look into its mailbox once more or once less.
"""

import imaplib
import os
import smtplib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

from ca.signer import FileSigner
from daemon.children import Child

Touch = Callable[[str], None]
Name = Callable[..., str | None]


def lay(touch: Touch) -> None:
    """From now on every such call of this process is told to `touch`."""
    for owner, method, name in _PLACES:
        setattr(owner, method, _wrapped(getattr(owner, method), name, touch))


def _wrapped(inner: Callable[..., Any], name: Name, touch: Touch) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        label = name(*args, **kwargs)
        if label is None:
            return inner(*args, **kwargs)
        touch(f"before {label}")
        result = inner(*args, **kwargs)
        touch(f"after {label}")
        return result

    return call


def _constant(label: str) -> Name:
    return lambda *_args, **_kwargs: label


_written: set[str] = set()
"""The tables that the open transaction has changed; the service has one at a time."""


def _note_written(_self: Any, _cursor: Any, statement: str, *_args: Any, **_kwargs: Any) -> None:
    match statement.split(None, 3):
        case ["INSERT" | "DELETE", _, table, *_] | ["UPDATE", table, *_]:
            _written.add(table)


def _forget_written(*_args: Any, **_kwargs: Any) -> None:
    _written.clear()


def _commit(*_args: Any, **_kwargs: Any) -> str:
    label = f"COMMIT of {', '.join(sorted(_written)) or 'nothing'}"
    _written.clear()
    return label


def _verb(line: bytes, *, tagged: bool) -> str:
    """The command of a line, never its words: they may be a password or a letter."""
    words = line.split(None, 3)
    if tagged and len(words) > 1:
        words = words[1:]
        if words[0].upper() == b"UID" and len(words) > 1:
            words = [b"UID " + words[1]]
    word = words[0].decode("ascii", "replace") if words and len(words[0]) < 16 else ""
    return word if word.replace(" ", "").isalpha() else "data"


def _imap(_self: Any, data: bytes) -> str:
    return f"IMAP {_verb(bytes(data), tagged=not bytes(data).startswith(b'DONE'))}"


def _smtp(_self: Any, text: Any) -> str:
    if isinstance(text, bytes) and text != b".\r\n":
        return "SMTP message"
    return "SMTP end of data" if isinstance(text, bytes) else f"SMTP {_verb(text.encode(), tagged=False)}"


def _path(what: str) -> Name:
    def label(path: Any, *_args: Any, **_kwargs: Any) -> str | None:
        folder = Path(os.fspath(path)).parent.name if not isinstance(path, int) else ""
        return None if "site-packages" in os.fspath(path) else f"{what} in {_folder(folder)}"

    return label


def _folder(name: str) -> str:
    return "blobs" if len(name) == 2 else name if name in {"vault", "public", "blobs", "centre"} else "a folder"


def _created(path: Any, flags: int, *_args: Any, **_kwargs: Any) -> str | None:
    return _path("create")(path) if flags & os.O_CREAT else None


_PLACES: tuple[tuple[Any, str, Name], ...] = (
    (DefaultDialect, "do_execute", _note_written),
    (DefaultDialect, "do_executemany", _note_written),
    (DefaultDialect, "do_rollback", _forget_written),
    (DefaultDialect, "do_commit", _commit),
    (socket, "create_connection", _constant("connect")),
    (ssl.SSLContext, "wrap_socket", _constant("TLS")),
    (imaplib.IMAP4, "send", _imap),
    (imaplib.IMAP4, "_command_complete", lambda _self, name, *_: f"IMAP answer to {name}"),
    (smtplib.SMTP, "send", _smtp),
    (smtplib.SMTP, "getreply", _constant("SMTP reply")),
    (os, "open", _created),
    (os, "fsync", _constant("fsync")),
    (os, "rename", _path("rename")),
    (os, "replace", _path("rename")),
    (os, "unlink", _path("unlink")),
    (os, "mkdir", _path("mkdir")),
    (FileSigner, "sign_certificate", _constant("signing of a certificate")),
    (FileSigner, "sign_crl", _constant("signing of a CRL")),
    (Child, "send", _constant("question to a confined reader")),
    (Child, "receive", _constant("answer of a confined reader")),
)
