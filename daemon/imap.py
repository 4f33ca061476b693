"""The door to the mailbox: IMAP4rev1 (RFC 3501) by IMAPClient.

Does: open one folder, list its UIDs, fetch mails whole, file them into another folder, wait for news.
Trusts: the server for the bytes of a mail, for nothing else; what it answers is never quoted in an error or a log.
Promises: reading never marks a mail (BODY.PEEK, RFC 3501 section 6.4.5); a mail leaves the folder only by `file`, and
only when a copy of it stands in the other folder; no call waits longer than the account's timeouts; every error is
MailboxUnavailable or MailboxRefused.
Weak: `file` without MOVE may leave a second copy behind when the connection breaks between its steps (never none);
`wait` is a hint: servers announce mails late, twice or never, so the caller looks anyway.
"""

import contextlib
import imaplib
import select
import socket
import ssl
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from types import TracebackType
from typing import Any, Self, cast

import imapclient
from imapclient.exceptions import IMAPClientError

from .account import LIBRARY_ERRORS, Account, connect, describe, enter, refuse
from .failures import Kind, MailboxRefused, MailboxUnavailable

__all__ = ["Account", "Fetched", "Mailbox", "MailboxRefused", "MailboxUnavailable"]

BATCH_BYTES = 16 * 1024 * 1024
"""Octets of mail asked for in one command. The answer is held in memory about three times over."""

BATCH_MAILS = 20
"""Mails asked for in one command: beyond this the round trips no longer cost anything."""

BATCH_UIDS = 500
"""UIDs named in one command: at most 5500 octets, below the 8192 that RFC 7162 section 4 asks clients to keep to."""

LONGEST_IDLE = 300.0
"""Seconds. RFC 2177 asks to renew IDLE within 29 minutes; NAT routers and some servers give up long before."""

CLOSE_SECONDS = 2.0
"""How long a polite LOGOUT may take; a stop of the service must not wait for a server that is gone."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """One mail as the server holds it. `internal_date` is when the server received it (RFC 3501 section 2.3.3),
    aware, UTC; `raw` is the mail byte for byte."""

    uid: int
    internal_date: datetime
    raw: bytes


class Mailbox:
    """A connection with one folder selected. Make it with `Mailbox.open`, use it in a `with` statement.

    A call that fails ends the connection; the next call makes a new one, so that the retry policy of `failures.py` may
    repeat any call. Should UIDVALIDITY then be another, the UIDs the caller holds mean nothing any more: every call
    fails, and the caller opens the mailbox anew.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._client: Any = None
        self._closed = False
        self._folders: set[str] = set()
        self._separator: str | None = None
        self.uidvalidity = 0

    @classmethod
    def open(cls, account: Account) -> Self:
        """Connect, secure, log in and select the folder for writing.

        Raises MailboxRefused (login, certificate, folder) or MailboxUnavailable (anything that may pass).
        """
        mailbox = cls(account)
        with mailbox._talking("open"):
            return mailbox

    def _enter(self) -> None:
        client = self._client
        enter(client, self._account)
        # IMAPClient keeps the capabilities the server named before TLS and login, where MOVE and IDLE are often
        # missing and where somebody else might have named them (RFC 3501 section 6.2.1): ask anew.
        client._cached_capabilities = None  # noqa: SLF001 - there is no public way to forget them
        self._forget_announcements()
        client.capabilities()
        try:
            answer = client.select_folder(self._account.folder)
        except imaplib.IMAP4.abort:
            raise
        except IMAPClientError as error:
            refuse(error, Kind.MAILBOX_FOLDER)
        # UIDVALIDITY is what makes a UID mean anything (RFC 3501 section 2.3.1.1). 0 and a missing one were seen in the
        # field; an intake that stored them would start anew at every round.
        uidvalidity = int(answer.get(b"UIDVALIDITY", 0))
        if uidvalidity < 1:
            raise MailboxRefused(Kind.MAILBOX_FOLDER, "the server names no UIDVALIDITY")
        if self.uidvalidity not in (0, uidvalidity):
            raise MailboxUnavailable("UIDVALIDITY has changed")
        self.uidvalidity = uidvalidity

    def uids(self) -> list[int]:
        """Every UID of the folder, ascending, seen or not, after a NOOP that makes the server show what is new."""
        with self._talking("search"):
            self._forget_announcements()
            self._client.noop()
            return sorted(int(uid) for uid in self._client.search("ALL"))

    def sizes(self, uids: Iterable[int]) -> dict[int, int]:
        """RFC822.SIZE in octets of each UID; a UID that is not there is not in the answer. Exchange's are guesses."""
        sizes: dict[int, int] = {}
        for block in _blocks(list(uids)):
            with self._talking("size"):
                answer = self._client.fetch(block, ["RFC822.SIZE"])
                sizes.update({uid: int(row[b"RFC822.SIZE"]) for uid, row in answer.items() if b"RFC822.SIZE" in row})
        return sizes

    def arrivals(self, uids: Iterable[int]) -> dict[int, datetime]:
        """INTERNALDATE of each UID, aware, UTC; a UID that is not there is not in the answer."""
        dates: dict[int, datetime] = {}
        for block in _blocks(list(uids)):
            with self._talking("arrival"):
                for uid, row in self._client.fetch(block, ["INTERNALDATE"]).items():
                    if isinstance(row.get(b"INTERNALDATE"), datetime):
                        dates[uid] = row[b"INTERNALDATE"].astimezone(UTC)
        return dates

    def fetch(self, uids: Iterable[int]) -> Iterator[Fetched]:
        """The mails of these UIDs in their order, unmarked, batch by batch bounded by octets.

        A UID that is gone, or for which the server says OK and sends no body (Exchange and iCloud do), is not
        yielded: absence means "not now", never "dealt with".
        """
        for block in _blocks(list(uids)):
            for batch in _batches(block, self.sizes(block)):
                with self._talking("fetch"):
                    answer = self._client.fetch(batch, ["INTERNALDATE", "BODY.PEEK[]"])
                    mails = [_fetched(uid, answer[uid]) for uid in batch if uid in answer]
                # Outside `_talking`: an error of the caller between two mails is not the server's.
                yield from (mail for mail in mails if mail is not None)

    def file(self, uid: int, folder: str) -> None:
        """Move a mail into `folder` ("/" between its levels), which is made if it is missing.

        A UID that is no longer there is no error: somebody, or an earlier attempt, moved it.
        """
        name = self._ensure(folder)
        with self._talking("file"):
            try:
                if self._client.has_capability("MOVE"):
                    self._client.move([uid], name)
                else:
                    self._copy_and_delete(uid, name)
            except imaplib.IMAP4.abort:
                raise
            except IMAPClientError:
                # Some servers answer NO for a UID that is gone where RFC 3501 section 6.4.8 wants OK. Or the folder
                # was deleted under us (TRYCREATE): the next attempt, on a new connection, looks for it again.
                if self._client.search(["UID", str(uid)]):
                    raise

    def wait(self, seconds: float, wake_fd: int | None = None) -> bool:
        """Wait for news at most `seconds` (and at most LONGEST_IDLE), or until `wake_fd` can be read.

        True when the server said something: look at the folder. False proves nothing. Without IDLE (RFC 2177) it just
        waits. Raises MailboxUnavailable when the connection is gone.
        """
        seconds = min(seconds, LONGEST_IDLE)
        with self._talking("idle"):
            if not self._client.has_capability("IDLE"):
                _readable(seconds, wake_fd)
                return False
            return self._idle(seconds, wake_fd)

    def close(self) -> None:
        """Log out if the server still listens, and close the connection. Never raises, may be called twice."""
        self._closed = True
        if self._client is not None:
            with contextlib.suppress(*LIBRARY_ERRORS):
                self._client.socket().settimeout(CLOSE_SECONDS)
                self._client.logout()
            self._drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def _talking(self, doing: str) -> Iterator[None]:
        """Have a connection, turn whatever the library raises into our two failures, and keep none after one."""
        if self._closed:
            raise MailboxUnavailable(f"{doing}: the mailbox is closed")
        try:
            if self._client is None:
                self._client = connect(self._account)
                self._enter()
            yield
        except ssl.SSLCertVerificationError as error:
            self._drop()
            raise MailboxRefused(Kind.MAILBOX_CERTIFICATE, error.verify_message) from None
        except LIBRARY_ERRORS as error:
            self._drop()
            # Not chained: the library quotes the server's answer, which may be a line of a mail.
            raise MailboxUnavailable(describe(doing, error)) from None
        except BaseException:
            self._drop()  # whatever it was, half an answer may still be on the wire
            raise

    def _drop(self) -> None:
        self._folders.clear()
        if self._client is not None:
            with contextlib.suppress(*LIBRARY_ERRORS):
                self._client.shutdown()
            self._client = None

    def _forget_announcements(self) -> None:
        # imaplib keeps every EXISTS, RECENT and EXPUNGE the server ever announced; a connection open for days grows
        # without bound. CAPABILITY was read at login, nothing else in there is used twice.
        self._client._imap.untagged_responses.clear()  # noqa: SLF001 - IMAPClient gives no access to it

    def _ensure(self, folder: str) -> str:
        """The server's name of a folder of ours, which exists afterwards."""
        with self._talking("folder"):
            name = self._server_name(folder)
            if folder not in self._folders:
                if not self._exists(name):
                    try:
                        self._client.create_folder(name)
                    except imaplib.IMAP4.abort:
                        raise
                    except IMAPClientError as error:
                        if not self._exists(name):  # else another process of ours was faster
                            refuse(error, Kind.MAILBOX_FOLDER)
                    # Staff see the folder in their mail program only when it is subscribed; some servers do not care.
                    with contextlib.suppress(IMAPClientError):
                        self._client.subscribe_folder(name)
                self._folders.add(folder)
            return name

    def _server_name(self, folder: str) -> str:
        if self._separator is None:
            # RFC 3501 section 6.3.8: an empty name asks for the separator ("/" or "." or, without levels, NIL).
            listed = self._client.list_folders("", "")
            separator = listed[0][1] if listed else None
            self._separator = separator.decode("ascii") if separator else "-"
        prefix = ""
        if self._client.has_capability("NAMESPACE"):
            personal = self._client.namespace().personal
            prefix = personal[0][0] if personal else ""
        name = folder.replace("/", self._separator)
        return name if name.startswith(prefix) else prefix + name

    def _exists(self, name: str) -> bool:
        # A level that only holds other folders is listed too, but no mail can be put into it (RFC 3501 section 7.2.2).
        unusable = {b"\\noselect", b"\\nonexistent"}
        return any(
            not unusable & {flag.lower() for flag in flags}
            for flags, _, found in self._client.list_folders("", name)
            if found == name
        )

    def _copy_and_delete(self, uid: int, name: str) -> None:
        # RFC 6851 section 3.3 describes this replacement of MOVE. Only what was copied is deleted.
        client = self._client
        client.copy([uid], name)
        client.add_flags([uid], [imapclient.DELETED], silent=True)
        if client.has_capability("UIDPLUS"):
            client.uid_expunge([uid])
        elif list(client.search("DELETED")) == [uid]:
            # A plain EXPUNGE takes away everything anybody flagged: allowed only when that is our mail alone.
            client.expunge()

    def _idle(self, seconds: float, wake_fd: int | None) -> bool:
        """IDLE without IMAPClient's `idle_check`, which reads half lines and takes a closed connection for silence.

        Here the socket is only polled; lines are read by the blocking reader, whole, up to the tagged answer.
        """
        imap = self._client._imap  # noqa: SLF001 - `idle()` fails on an announcement before the "+"
        tag = imap._command("IDLE")  # noqa: SLF001 - as above
        news = False
        while imap._get_response() is not None:  # noqa: SLF001 - None is the "+" that the server listens
            if imap.tagged_commands[tag]:
                raise MailboxUnavailable("idle: refused although the server offers it")
            news = True
        if not news:
            ready = _readable(0 if _has_buffered(imap) else seconds, wake_fd, self._client.socket())
            news = ready or _has_buffered(imap)
        imap.send(b"DONE\r\n")
        while not imap.tagged_commands[tag]:
            imap._get_response()  # noqa: SLF001 - raises at the end of the stream, times out on silence
        imap.tagged_commands.pop(tag)
        imap._check_bye()  # noqa: SLF001 - a BYE means that the next command finds nobody
        return news


def _blocks(uids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(uids), BATCH_UIDS):
        yield uids[start : start + BATCH_UIDS]


def _batches(uids: Sequence[int], sizes: dict[int, int]) -> Iterator[list[int]]:
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


def _fetched(uid: int, row: dict[bytes, Any]) -> Fetched | None:
    raw, internal_date = row.get(b"BODY[]"), row.get(b"INTERNALDATE")
    if not isinstance(raw, bytes) or not isinstance(internal_date, datetime):
        return None
    return Fetched(uid=uid, internal_date=internal_date.astimezone(UTC), raw=raw)


def _readable(seconds: float, wake_fd: int | None, sock: socket.socket | None = None) -> bool:
    """Wait until the socket or the wake descriptor can be read; whether it was the socket (a closed one counts)."""
    poll = select.poll()
    if wake_fd is not None:
        poll.register(wake_fd, select.POLLIN)
    if sock is not None:
        poll.register(sock, select.POLLIN)
    ready = poll.poll(max(0, round(seconds * 1000)))
    return sock is not None and any(descriptor == sock.fileno() for descriptor, _ in ready)


def _has_buffered(imap: imaplib.IMAP4) -> bool:
    """Whether the reader or TLS already holds octets, which no poll of the socket would ever announce."""
    timeout = imap.sock.gettimeout()
    imap.sock.settimeout(0)
    try:
        return bool(cast(BufferedReader, imap.file).peek(1))  # peeking consumes nothing
    except (ssl.SSLWantReadError, BlockingIOError):
        return False
    finally:
        imap.sock.settimeout(timeout)
