"""The embedded mail server of the demo and of the tests: pymap (IMAP) and aiosmtpd (SMTP) on loopback.

Real protocols over real sockets, so that the doors in `imap.py` and `smtp.py` are used as in production; one thread
with its own event loop, ephemeral ports, nothing on disk but a certificate.
Promises: a message is stored octet for octet below the trace fields of `stamps.py`; when SMTP has said 250 the
message is in the mailbox and every callback has seen it; `stop` leaves no thread, task or socket behind.
Weak, on purpose: mail lives in memory and is gone at `stop`, with a new UIDVALIDITY next time; no keywords, no
CONDSTORE; an approver's password is as good as the demo's story needs. Not for production.
"""

import asyncio
import contextlib
import itertools
import logging
import ssl
import tempfile
import threading
import weakref
from argparse import Namespace
from collections.abc import Callable, Coroutine, Iterable
from contextvars import Context, copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from aiosmtpd.smtp import SMTP
from proxyprotocol.noop import ProxyProtocolNoop
from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import Config, Identity, Login
from pymap.concurrent import Subsystem
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials import FetchRequirement
from pymap.user import UserMetadata
from pysasl.hashing import BuiltinHash

from .doors import Faults, Office, Reception, strip_detail
from .stamps import Trace, stamp
from .tls import write_certificate

HOST = "127.0.0.1"
LARGEST = 32 * 1024 * 1024
"""Octets of a message; more is refused with 552."""

_START_SECONDS = 20.0
_CALL_SECONDS = 20.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One accepted mail in one mailbox: its envelope and the octets that are stored.

    `recipient` is the address of the envelope, `mailbox` the one it lies in ("outside" addresses are their own);
    `login` is the user who submitted it, None for mail from outside.
    """

    sender: str
    recipient: str
    mailbox: str
    login: str | None
    at: datetime
    content: bytes


class _Hush(logging.Filter):
    """aiosmtpd and pymap write every line of every mail to the debug log; a log never holds mail."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR


class _Config(Config):
    """pymap's settings, with capabilities left out on wish and without asking DNS for this machine's name."""

    without: frozenset[bytes] = frozenset()

    @property
    def login_capability(self) -> list[bytes]:
        return [each for each in super().login_capability if each.upper() not in self.without]

    @property
    def greeting(self) -> bytes:
        return b"embedded mail server ready"


class MailServer:
    """A mail server in a thread. Use it in a `with` statement, or `start()` and `stop()` it.

    `authserv_id` names it in Authentication-Results (RFC 8601); `clock` gives the time it writes into Received fields
    and INTERNALDATE; `outside` False refuses recipients of foreign domains instead of collecting their mail; `without`
    names IMAP capabilities it shall not have ("MOVE", "IDLE", "UIDPLUS").
    """

    def __init__(
        self,
        *,
        authserv_id: str = "mx.lra.example",
        domains: Iterable[str] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        outside: bool = True,
        without: Iterable[str] = (),
    ) -> None:
        self.host = HOST
        self.authserv_id = authserv_id
        self.faults = Faults()
        self.outside: dict[str, list[bytes]] = {}
        self.imap_port = self.imaps_port = 0
        self.smtp_port = self.submission_port = self.submissions_port = 0
        self._domains = {domain.lower() for domain in domains}
        self._clock = clock
        self._collects = outside
        self._callbacks: list[Callable[[Delivery], None]] = []
        self._queue_ids = itertools.count(1)
        self._config = _Config(
            Namespace(),
            host=HOST,
            port=0,
            demo_data=False,
            demo_user="",
            demo_password="",
            invalid_user_sleep=0.0,
            proxy_protocol=ProxyProtocolNoop(),
            # One round instead of 500 000: a login costs microseconds instead of 131 ms, and by running in the loop
            # instead of a pool no thread of pymap's own outlives the server.
            hash_context=BuiltinHash(rounds=1),
            cpu_subsystem=Subsystem.for_asyncio(),
            # There is no TLS context yet; the one made at `start` replaces this.
            ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        )
        self._config.without = frozenset(each.upper().encode("ascii") for each in without)
        self._login = Login(self._config)
        self._transports: weakref.WeakSet[Any] = weakref.WeakSet()
        self._hush = _Hush()
        self._stack = contextlib.ExitStack()
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context: Context | None = None
        self._ending: asyncio.Event | None = None
        self.ca_file = Path()

    def start(self) -> None:
        """Listen on all doors. The ports are known and `ca_file` holds the certificate to trust when it returns."""
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="ogis-lra-mail-")))
        self.ca_file = folder / "server.pem"
        self._config._ssl_context = write_certificate(self.ca_file)  # noqa: SLF001 - given after construction
        for name in ("mail.log", "pymap.imap"):
            logger = logging.getLogger(name)
            logger.addFilter(self._hush)
            self._stack.callback(logger.removeFilter, self._hush)
        self._thread = threading.Thread(target=self._run, name="embedded-mail-server", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_SECONDS) or self._failed is not None:
            self.stop()
            raise RuntimeError("the embedded mail server did not start") from self._failed

    def stop(self) -> None:
        """Close every connection and end the thread; may be called twice. The mail is gone afterwards."""
        if self._loop is not None and self._ending is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(self._ending.set)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._stack.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def add_mailbox(self, address: str, password: str) -> None:
        """Make `address` a user with an INBOX; its domain is local from now on. Allowed before and after `start`."""
        address = address.lower()
        hashed = self._config.hash_context.hash(password)
        self._login.users_dict[address] = UserMetadata(self._config, address, password=hashed)
        self._domains.add(address.rpartition("@")[2])

    def on_delivery(self, callback: Callable[[Delivery], None]) -> None:
        """Have every accepted mail shown to `callback`, once for each recipient, before SMTP says 250. It runs in the
        server's thread: it must be quick and must not call the server."""
        self._callbacks.append(callback)

    def settle(self) -> None:
        """Return when every mail accepted so far is delivered: at once, for here that is what accepting means."""

    def messages(self, address: str, folder: str = "INBOX") -> list[bytes]:
        """What lies in a mailbox's folder now, or was collected for an address outside, oldest first."""
        address = address.lower()
        if address not in self._login.users_dict:
            return list(self.outside.get(address, ()))
        return self._call(self._read(address, folder))

    def append(self, address: str, content: bytes, folder: str = "INBOX") -> None:
        """Put octets into a folder of a mailbox as they are, without SMTP and stamps; KeyError: no such mailbox."""
        if address.lower() not in self._login.users_dict:
            raise KeyError(address)
        self._call(self._store(address.lower(), content, self._clock(), folder))

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits in `start`
            self._failed = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        self._config.apply_context()
        self._loop, self._context, self._ending = loop, copy_context(), asyncio.Event()
        tls = self._config.ssl_context
        servers = [
            await asyncio.start_server(self._serve_imap, HOST, 0),
            await asyncio.start_server(self._serve_imap, HOST, 0, ssl=tls),
            await loop.create_server(lambda: self._session(submission=False, starttls=tls), HOST, 0),
            await loop.create_server(lambda: self._session(submission=True, starttls=tls), HOST, 0),
            await loop.create_server(lambda: self._session(submission=True, starttls=None), HOST, 0, ssl=tls),
        ]
        ports = [server.sockets[0].getsockname()[1] for server in servers]
        self.imap_port, self.imaps_port, self.smtp_port, self.submission_port, self.submissions_port = ports
        self._ready.set()
        await self._ending.wait()
        # Accept no more, then let the connections just accepted come into being: asyncio forgets to close the socket
        # of one whose task has not begun when it is cancelled, or whose server is closed by then.
        for server in servers:
            loop.remove_reader(server.sockets[0].fileno())
        await _let_run()
        for server in servers:
            server.close()
        for transport in list(self._transports):
            transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await _let_run()  # an aborted transport closes its socket in the next turn, below TLS in the one after it

    async def _serve_imap(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._transports.add(writer.transport)
        if self.faults.next_imap_refusal():
            writer.transport.abort()
            return
        # A client that goes away in the middle of anything is its own affair.
        with contextlib.suppress(ConnectionError, EOFError, ssl.SSLError, asyncio.CancelledError):
            await IMAPServer(self._login, self._config)(reader, writer, SocketInfo.get(writer, None))

    def _session(self, *, submission: bool, starttls: ssl.SSLContext | None) -> SMTP:
        office = Office(self.faults, self._knows_password, self._accepts, self._deliver)
        reception = Reception(office, submission=submission)
        return _Session(
            self._transports,
            reception,
            data_size_limit=LARGEST,
            hostname=self.authserv_id,
            ident="embedded mail server",
            tls_context=starttls,
            # Plain text is right on loopback. `Reception` itself insists on a login at submission.
            auth_require_tls=False,
            auth_exclude_mechanism=() if submission else ("LOGIN", "PLAIN"),
            authenticator=reception.authenticate,
            loop=asyncio.get_running_loop(),
        )

    def _knows_password(self, login: str, password: str) -> bool:
        user = self._login.users_dict.get(login)
        return user is not None and bool(user.compare_secret(password))

    def _mailbox_of(self, recipient: str) -> str | None:
        """The user a recipient belongs to, None when there is none."""
        return next(
            (each for each in (recipient.lower(), strip_detail(recipient)) if each in self._login.users_dict), None
        )

    def _accepts(self, recipient: str, login: str | None) -> str | None:
        if self._mailbox_of(recipient) is not None:
            return None
        if recipient.lower().rpartition("@")[2] in self._domains:
            return "550 5.1.1 No such mailbox"
        if login is None or not self._collects:
            return "550 5.7.1 Relaying denied"
        return None

    async def _deliver(
        self, sender: str, recipients: list[str], content: bytes, login: str | None, greeting: str
    ) -> None:
        now = self._clock()
        for recipient in recipients:
            trace = Trace(
                authserv_id=self.authserv_id,
                login=login,
                greeting=greeting,
                queue_id=f"{next(self._queue_ids):08X}",
                sender=sender,
                recipient=recipient,
                at=now,
            )
            stamped = stamp(content, trace)
            mailbox = self._mailbox_of(recipient)
            if mailbox is None:
                mailbox = recipient.lower()
                self.outside.setdefault(mailbox, []).append(stamped)
            else:
                await self._store(mailbox, stamped, now, "INBOX")
            for callback in self._callbacks:
                callback(Delivery(sender, recipient, mailbox, login, now, stamped))

    async def _store(self, mailbox: str, content: bytes, now: datetime, folder: str) -> None:
        async with Identity(mailbox, self._login, None, frozenset()).new_session() as session:
            await session.append_messages(folder, [AppendMessage(content, now)])

    async def _read(self, mailbox: str, folder: str) -> list[bytes]:
        async with Identity(mailbox, self._login, None, frozenset()).new_session() as session:
            try:
                data = await session.mailbox_set.get_mailbox(folder)
            except KeyError:
                return []
            return [bytes(await each.load_content(FetchRequirement.CONTENT)) async for each in data.messages()]

    def _call(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine in the server's loop and context and wait for its result."""
        if self._loop is None or self._context is None:
            work.close()
            raise RuntimeError("the embedded mail server is not running")
        future = self._context.copy().run(asyncio.run_coroutine_threadsafe, work, self._loop)
        return future.result(_CALL_SECONDS)


async def _let_run() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


class _Session(SMTP):
    """One SMTP connection that the server can close when it stops."""

    def __init__(self, transports: "weakref.WeakSet[Any]", *args: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        self._all = transports
        super().__init__(*args, **options)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._all.add(transport)
        super().connection_made(transport)
