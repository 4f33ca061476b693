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
import dataclasses
import imaplib
import ssl
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, Self

import imapclient
from imapclient.exceptions import IMAPClientError

from . import incoming
from .account import LIBRARY_ERRORS, Account, connect, describe, enter, refuse
from .failures import Kind, MailboxRefused, MailboxUnavailable
from .idling import idle, readable
from .incoming import Fetched, Incoming
from .stopping import Interrupted, Stop

__all__ = ["Account", "Fetched", "Incoming", "Mailbox", "MailboxRefused", "MailboxUnavailable"]

LONGEST_IDLE = 270.0
"""Seconds. RFC 2177 asks to renew IDLE within 29 minutes; NAT routers and some servers give up after five."""

CLOSE_SECONDS = 2.0
"""How long a polite LOGOUT may take; a stop of the service must not wait for a server that is gone."""

SEARCH_WINDOW = 50_000
"""Messages asked about in one SEARCH. imaplib takes no line above 1,000,000 octets, which some 100,000 UIDs fill."""

HEADER_BYTES = 256 * 1024
"""Octets of a header that `headers` gives at most."""


class Mailbox:
    """A connection with one folder selected. Make it with `Mailbox.open`, use it in a `with` statement.

    A call that fails ends the connection; the next call makes a new one, so that the retry policy of `failures.py` may
    repeat any call. Should UIDVALIDITY then be another, the UIDs the caller holds mean nothing any more: every call
    fails, and the caller opens the mailbox anew.

    `withheld` names the UIDs whose mails the server lists and would not give in `fetch` or `mails`, with the time of
    their arrival: no body, or Exchange's note in its place. They are asked for again each time.
    """

    def __init__(self, account: Account, stop: Stop | None = None) -> None:
        self._account = account
        self._stop = stop if stop is not None else Stop()
        self._client: Any = None
        self._closed = False
        self._folders: set[str] = set()
        self._separator: str | None = None
        self._many = False
        self.uidvalidity = 0
        self.withheld: dict[int, datetime] = {}

    @classmethod
    def open(cls, account: Account, *, readonly: bool = False, stop: Stop | None = None) -> Self:
        """Connect, secure, log in and select the folder; with `readonly`, or `account.readonly`, by EXAMINE, so that
        not even the server can change anything in it. A request to `stop` ends every call with MailboxUnavailable.

        Raises MailboxRefused (login, certificate, folder) or MailboxUnavailable (anything that may pass).
        """
        mailbox = cls(dataclasses.replace(account, readonly=readonly or account.readonly), stop)
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
            answer = client.select_folder(self._account.folder, readonly=self._account.readonly)
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
        self._many = int(answer.get(b"EXISTS", 0)) > SEARCH_WINDOW // 2

    def uids(self) -> list[int]:
        """Every UID of the folder, ascending, seen or not, after a NOOP that makes the server show what is new."""
        with self._talking("search"):
            self._forget_announcements()
            self._client.noop()
            found = self._search_in_windows() if self._many else self._client.search("ALL")
            return sorted({int(uid) for uid in found})

    def sizes(self, uids: Iterable[int]) -> dict[int, int]:
        """RFC822.SIZE in octets of each UID; a UID that is not there is not in the answer. Exchange's are guesses."""
        return {uid: size for block in incoming.blocks(list(uids)) for uid, (size, _) in self._outlines(block).items()}

    def arrivals(self, uids: Iterable[int]) -> dict[int, datetime]:
        """INTERNALDATE of each UID, aware, UTC; a UID that is not there is not in the answer."""
        outlines = [one for block in incoming.blocks(list(uids)) for one in self._outlines(block).items()]
        return {uid: date for uid, (_, date) in outlines if date is not None}

    def mails(self, uids: Iterable[int]) -> Iterator[Incoming]:
        """The mails of these UIDs in their order, unmarked, none of them held in memory whole beyond a batch's octets.

        A UID that is gone, or for which the server says OK and sends no body (Exchange and iCloud do), is not
        yielded: absence means "not now", never "dealt with".
        """
        for block in incoming.blocks(list(uids)):
            outlines = self._outlines(block)
            for batch in incoming.batches(block, {uid: size for uid, (size, _) in outlines.items()}):
                size, date = outlines[batch[0]]
                if size > incoming.BATCH_BYTES and date is not None:
                    if self._gives(batch[0]):
                        self.withheld.pop(batch[0], None)
                        yield Incoming(batch[0], date, size, partial(self._pieces, batch[0], size))
                    else:
                        self.withheld[batch[0]] = date
                else:
                    yield from self._whole(batch, outlines)

    def fetch(self, uids: Iterable[int]) -> Iterator[Fetched]:
        """As `mails`, each in one piece of memory."""
        for mail in self.mails(uids):
            yield Fetched(mail.uid, mail.internal_date, b"".join(mail.pieces()))

    def headers(self, uids: Iterable[int]) -> Iterator[Fetched]:
        """The headers only (at most HEADER_BYTES of each), unmarked: what a look into the junk folder needs."""
        for block in incoming.blocks(list(uids)):
            with self._talking("headers"):
                answer = self._client.fetch(block, ["INTERNALDATE", f"BODY.PEEK[HEADER]<0.{HEADER_BYTES}>"])
            for uid in block:
                row = answer.get(uid, {})
                header, date = row.get(b"BODY[HEADER]<0>"), _date(row)
                if isinstance(header, bytes) and date is not None:
                    yield Fetched(uid, date, header)

    def _outlines(self, block: Iterable[int]) -> dict[int, tuple[int, datetime | None]]:
        with self._talking("size"):
            answer = self._client.fetch(block, ["RFC822.SIZE", "INTERNALDATE"])
            return {uid: (int(row[b"RFC822.SIZE"]), _date(row)) for uid, row in answer.items() if b"RFC822.SIZE" in row}

    def _whole(self, batch: list[int], outlines: dict[int, tuple[int, datetime | None]]) -> Iterator[Incoming]:
        with self._talking("fetch"):
            answer = self._client.fetch(batch, ["INTERNALDATE", "BODY.PEEK[]"])
        # Outside `_talking`: an error of the caller between two mails is not the server's.
        for uid in batch:
            row = answer.pop(uid, None)
            if row is None:
                continue
            raw, date = row.get(b"BODY[]"), _date(row)
            empty = not raw and outlines[uid][0] > 0  # "OK" and nothing: the mail is there, its octets are not
            if isinstance(raw, bytes) and date is not None and not empty and not incoming.is_stand_in(raw):
                self.withheld.pop(uid, None)
                yield Incoming(uid, date, outlines[uid][0], lambda raw=raw: iter((raw,)))  # type: ignore[misc]
            elif (seen := date or outlines[uid][1]) is not None:
                self.withheld[uid] = seen

    def _gives(self, uid: int) -> bool:
        """Whether the server gives anything of a mail; Exchange and iCloud say OK and send nothing now and then."""
        with self._talking("piece"):
            row = self._client.fetch([uid], ["BODY.PEEK[]<0.1>"]).get(uid, {})
        return bool(row.get(b"BODY[]<0>"))

    def _pieces(self, uid: int, size: int) -> Iterator[bytes]:
        """Until the server has nothing more, whatever it said the size was and however short its pieces are: only an
        empty piece is the end, or a server that gives less than it was asked for would cut the mail."""
        offset = 0
        while True:
            with self._talking("piece"):
                row = self._client.fetch([uid], [f"BODY.PEEK[]<{offset}.{incoming.PIECE_BYTES}>"]).get(uid, {})
                piece = row.get(f"BODY[]<{offset}>".encode())
                if not isinstance(piece, bytes) or len(piece) > incoming.PIECE_BYTES:
                    # A mail that goes away in the middle must not be taken for one that ended there.
                    raise MailboxUnavailable("piece: the server does not give the rest of a mail")
                if offset > 2 * size + incoming.PIECE_BYTES:
                    raise MailboxUnavailable("piece: a mail without end")
            if not piece:
                return
            offset += len(piece)
            yield piece

    def file(self, uid: int, folder: str) -> None:
        """Move a mail into `folder` ("/" between its levels), which is made if it is missing.

        A UID that is no longer there is no error: somebody, or an earlier attempt, moved it. Raises ValueError for a
        mailbox that was opened for reading only.
        """
        if self._account.readonly:
            raise ValueError("a mailbox that is open for reading only files nothing")
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

    def erase(self, uid: int) -> None:
        """Delete a mail that must not be kept. A UID that is no longer there is no error. Raises as `file` does.

        Weak: on a server without UIDPLUS it is only flagged as deleted while others have flagged mail too.
        """
        if self._account.readonly:
            raise ValueError("a mailbox that is open for reading only erases nothing")
        with self._talking("erase"):
            self._delete(uid)

    def wait(self, seconds: float, wake_fd: int | None = None) -> bool:
        """Wait for news at most `seconds` (and at most LONGEST_IDLE), or until `wake_fd` can be read.

        True when the server said something: look at the folder. False proves nothing. Without IDLE (RFC 2177) it just
        waits. Raises MailboxUnavailable when the connection is gone.
        """
        seconds = min(seconds, LONGEST_IDLE)
        with self._talking("idle"):
            if not self._client.has_capability("IDLE"):
                readable(seconds, wake_fd)
                return False
            return idle(self._client, seconds, wake_fd)

    def close(self) -> None:
        """Log out if the server still listens, and close the connection. Never raises, may be called twice."""
        self._closed = True
        if self._client is not None:
            with contextlib.suppress(Interrupted, *LIBRARY_ERRORS), self._stop.interrupting():
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
            with self._stop.interrupting():
                if self._client is None:
                    self._client = connect(self._account)
                    self._enter()
                yield
        except Interrupted:
            self._drop()
            raise MailboxUnavailable(f"{doing}: stopping") from None
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

    def _search_in_windows(self) -> Iterator[int]:
        """By message number, which UIDs with gaps do not spread out. Mails that go away meanwhile move the numbers of
        the others down, and one may slip between two windows: it is found the next time."""
        status = self._client.folder_status(self._account.folder, ["MESSAGES"])
        for first in range(1, int(status[b"MESSAGES"]) + 1, SEARCH_WINDOW):
            last = min(first + SEARCH_WINDOW - 1, int(status[b"MESSAGES"]))
            yield from self._client.search(f"{first}:{last}")

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
        self._client.copy([uid], name)
        self._delete(uid)

    def _delete(self, uid: int) -> None:
        client = self._client
        client.add_flags([uid], [imapclient.DELETED], silent=True)
        if client.has_capability("UIDPLUS"):
            client.uid_expunge([uid])
        elif list(client.search("DELETED")) == [uid]:
            # A plain EXPUNGE takes away everything anybody flagged: allowed only when that is our mail alone.
            client.expunge()


def _date(row: dict[bytes, Any]) -> datetime | None:
    date = row.get(b"INTERNALDATE")
    return date.astimezone(UTC) if isinstance(date, datetime) else None
