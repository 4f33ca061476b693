"""Waiting on an IMAP connection: IDLE (RFC 2177) without IMAPClient's `idle_check`.

That one reads half lines, so that the next command dies of the rest, and takes a closed connection for silence. Here
the socket is only polled; lines are read by the blocking reader, whole, up to the tagged answer.
"""

import imaplib
import select
import socket
import ssl
from io import BufferedReader
from typing import Any, cast

from .failures import MailboxUnavailable


def idle(client: Any, seconds: float, wake_fd: int | None) -> bool:  # noqa: ANN401 - IMAPClient has no type information
    """IDLE for so long, or until the server says something or `wake_fd` can be read; whether the server did.

    Raises MailboxUnavailable, and whatever the library raises when the connection is gone.
    """
    imap = client._imap  # noqa: SLF001 - `idle()` fails on an announcement before the "+"
    tag = imap._command("IDLE")  # noqa: SLF001 - as above
    news = False
    while imap._get_response() is not None:  # noqa: SLF001 - None is the "+" that the server listens
        if imap.tagged_commands[tag]:
            raise MailboxUnavailable("idle: refused although the server offers it")
        news = True
    if not news:
        ready = readable(0 if has_buffered(imap) else seconds, wake_fd, client.socket())
        news = ready or has_buffered(imap)
    imap.send(b"DONE\r\n")
    while not imap.tagged_commands[tag]:
        imap._get_response()  # noqa: SLF001 - raises at the end of the stream, times out on silence
    imap.tagged_commands.pop(tag)
    imap._check_bye()  # noqa: SLF001 - a BYE means that the next command finds nobody
    return news


def readable(seconds: float, wake_fd: int | None, sock: socket.socket | None = None) -> bool:
    """Wait until the socket or the wake descriptor can be read; whether it was the socket (a closed one counts)."""
    poll = select.poll()
    if wake_fd is not None:
        poll.register(wake_fd, select.POLLIN)
    if sock is not None:
        poll.register(sock, select.POLLIN)
    ready = poll.poll(max(0, round(seconds * 1000)))
    return sock is not None and any(descriptor == sock.fileno() for descriptor, _ in ready)


def has_buffered(imap: imaplib.IMAP4) -> bool:
    """Whether the reader or TLS already holds octets, which no poll of the socket would ever announce."""
    timeout = imap.sock.gettimeout()
    imap.sock.settimeout(0)
    try:
        return bool(cast(BufferedReader, imap.file).peek(1))  # peeking consumes nothing
    except (ssl.SSLWantReadError, BlockingIOError):
        return False
    finally:
        imap.sock.settimeout(timeout)
