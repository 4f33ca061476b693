"""What stands between Postfix and Dovecot, and what both ask the test: a thread on loopback.

- An LMTP server that Postfix hands every mail to. It writes the trace fields of the embedded server on top
  (`daemon.demo.stamps`: Authentication-Results of our authserv-id, forged ones taken away), as a milter does in real
  life, shows the delivery to the test, and hands the mail on to Dovecot; mail for addresses outside is collected.
- A socketmap server (socketmap_table(5)) that knows the local domains, the mailboxes, and who may send as whom.

Who logged in is read from the Received field that Postfix itself wrote on top (smtpd_sasl_authenticated_header); ours
takes its place, so that two copies of a mail differ only above `Delivered-To`, as with the embedded server.
"""

import asyncio
import contextlib
import imaplib
import itertools
import re
import smtplib
import threading
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from daemon.demo.doors import strip_detail
from daemon.demo.server import Delivery
from daemon.demo.stamps import Trace, split_fields, stamp
from support.dovecot import Dovecot

_LOGIN = re.compile(rb"\r\n\t\(Authenticated sender: ([^\s()]+)\)\r\n\tby ")
_GREETING = re.compile(rb"Received: from (\S+) ")
LONGEST_LINE = 1_000_000


class Stamper:
    """Use it between `start` and `stop`; `outside` holds what was sent to addresses that are not ours."""

    def __init__(self, authserv_id: str, dovecot: Dovecot, clock: Callable[[], datetime] | None) -> None:
        self.lmtp_port = self.map_port = 0
        self.outside: dict[str, list[bytes]] = {}
        self.refusals: dict[str, str] = {}
        self.callbacks: list[Callable[[Delivery], None]] = []
        self._authserv_id = authserv_id
        self._dovecot = dovecot
        self._clock = clock
        self._numbers = itertools.count(1)
        self._transports: weakref.WeakSet[Any] = weakref.WeakSet()
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="stamper", daemon=True)
        self._thread.start()
        if not self._ready.wait(20):
            raise RuntimeError("the stamper did not start")

    def stop(self) -> None:
        if self._thread is not None and self._loop is not None and self._ending is not None:
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join()
            self._thread = None

    async def _serve(self) -> None:
        loop = self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        lmtp = await loop.create_server(lambda: _Session(self._transports, self, loop), "127.0.0.1", 0)
        maps = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.lmtp_port, self.map_port = (each.sockets[0].getsockname()[1] for each in (lmtp, maps))
        self._ready.set()
        await self._ending.wait()
        lmtp.close()
        maps.close()
        for transport in list(self._transports):
            transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for _ in range(3):
            await asyncio.sleep(0)  # an aborted transport closes its socket in the next turn

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Socketmap: a netstring `map key`, answered by a netstring `OK value` or `NOTFOUND `."""
        self._transports.add(writer.transport)
        with contextlib.suppress(ConnectionError, EOFError, ValueError):
            while True:
                length = int((await reader.readuntil(b":"))[:-1])
                question = (await reader.readexactly(length + 1))[:-1].decode("utf-8", "replace")
                name, _, key = question.partition(" ")
                value = self._look_up(name, key)
                reply = (f"OK {value}" if value else "NOTFOUND ").encode()
                writer.write(b"%d:%s," % (len(reply), reply))
                await writer.drain()
        writer.transport.abort()

    def _look_up(self, name: str, key: str) -> str:
        users = self._dovecot.users()
        if name == "domains":
            return "local" if key.lower() in {user.rpartition("@")[2] for user in users} else ""
        user = self._user(key)
        return user if user and name in ("mailboxes", "senders") else ""

    def _user(self, address: str) -> str:
        plain = (address.lower(), strip_detail(address)) if "@" in address else ()
        return next((each for each in plain if self._dovecot.has_user(each)), "")

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = self.refusals.get(address.lower()) or self.refusals.get(strip_detail(address))
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        (recipient,) = envelope.rcpt_tos  # lmtp_destination_recipient_limit = 1
        sender = "" if envelope.mail_from in (None, "<>") else str(envelope.mail_from)
        try:
            self._deliver(sender, str(recipient), bytes(envelope.original_content or b""))
        except (OSError, smtplib.SMTPException, imaplib.IMAP4.error) as error:
            return f"451 4.3.0 {type(error).__name__}"
        return "250 2.0.0 OK"

    def _deliver(self, sender: str, recipient: str, content: bytes) -> None:
        received = split_fields(content)[0][0]
        if received.startswith(b"Received: "):
            content = content.removeprefix(received)
        login, greeting = _LOGIN.search(received), _GREETING.match(received)
        now = self._clock() if self._clock is not None else datetime.now(UTC)
        trace = Trace(
            authserv_id=self._authserv_id,
            login=login[1].decode().lower() if login is not None else None,
            greeting=greeting[1].decode("ascii", "replace") if greeting is not None else "",
            queue_id=f"{next(self._numbers):08X}",
            sender=sender,
            recipient=recipient,
            at=now,
        )
        stamped = stamp(content, trace)
        mailbox = self._user(recipient)
        if not mailbox:
            mailbox = recipient.lower()
            self.outside.setdefault(mailbox, []).append(stamped)
        elif self._clock is None:
            self._hand_on(sender, mailbox, stamped)
        else:
            self._append(mailbox, stamped, now)
        for callback in list(self.callbacks):
            callback(Delivery(sender, recipient, mailbox, trace.login, now, stamped))

    def _hand_on(self, sender: str, mailbox: str, content: bytes) -> None:
        with smtplib.LMTP("127.0.0.1", self._dovecot.lmtp_port, "stamper", timeout=60) as client:
            client.ehlo()
            for code, reply in (client.mail(sender), client.rcpt(mailbox), client.data(content)):
                if code // 100 != 2:
                    raise smtplib.SMTPResponseException(code, reply)

    def _append(self, mailbox: str, content: bytes, at: datetime) -> None:
        """LMTP knows no other time of arrival than now; a test with a clock of its own gets its INTERNALDATE so."""
        with imaplib.IMAP4("127.0.0.1", self._dovecot.imap_port, timeout=60) as client:
            client.login(mailbox, self._dovecot.password(mailbox))
            client.append("INBOX", None, at, content)


class _Session(LMTP):
    """One LMTP connection that takes lines of any length, as Postfix passes them on."""

    line_length_limit = LONGEST_LINE

    def __init__(self, transports: "weakref.WeakSet[Any]", handler: Stamper, loop: asyncio.AbstractEventLoop) -> None:
        self._all = transports
        super().__init__(handler, data_size_limit=None, hostname="stamper", loop=loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._all.add(transport)
        super().connection_made(transport)
