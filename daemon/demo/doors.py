"""What the embedded mail server answers to MAIL, RCPT and DATA, and the faults it can be told to make.

Two doors: *inbound* takes mail from anybody for the local mailboxes, as port 25 of a company does; *submission* takes
mail from a user of the server who has logged in, for anybody. At submission the From field must be the user's own
address: the Authentication-Results field we write says who logged in, and it would help a forger if a colleague's
login could send in an approver's name.
"""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from .stamps import from_address

_PRINTABLE = re.compile(r"[!-~]*")


class Faults:
    """Faults to come, made in the order they were asked for; each `times` times. Safe to use from any thread."""

    def __init__(self) -> None:
        self._replies: dict[str, deque[str]] = {command: deque() for command in ("MAIL", "RCPT", "DATA")}
        self._drops: deque[bool] = deque()
        self._imap: deque[None] = deque()

    def reply(self, command: str, reply: str, *, times: int = 1) -> None:
        """Answer the next MAIL, RCPT or whole message (DATA) with `reply`, such as "451 4.3.0 try later"."""
        self._replies[command].extend([reply] * times)

    def drop_after_data(self, *, delivered: bool, times: int = 1) -> None:
        """Take the next whole message, deliver it or not, and close the connection without a reply."""
        self._drops.extend([delivered] * times)

    def refuse_imap(self, *, times: int = 1) -> None:
        """Close the next IMAP connections before the greeting."""
        self._imap.extend([None] * times)

    def clear(self) -> None:
        """Forget every fault that was not made yet."""
        for replies in self._replies.values():
            replies.clear()
        self._drops.clear()
        self._imap.clear()

    def next_reply(self, command: str) -> str | None:
        """The reply to give now instead of the right one."""
        return self._replies[command].popleft() if self._replies[command] else None

    def next_drop(self) -> bool | None:
        """Whether to deliver before dropping this connection; None: do not drop it."""
        return self._drops.popleft() if self._drops else None

    def next_imap_refusal(self) -> bool:
        """Whether to refuse this IMAP connection."""
        if self._imap:
            self._imap.popleft()
            return True
        return False


@dataclass(frozen=True, slots=True)
class Office:
    """What reception needs of the server behind it.

    `knows_password(login, password)`; `accepts(recipient, login)` gives None or the refusing reply; `deliver` stores.
    """

    faults: Faults
    knows_password: Callable[[str, str], bool]
    accepts: Callable[[str, str | None], str | None]
    deliver: Callable[[str, list[str], bytes, str | None, str], Awaitable[None]]


class Reception:
    """The hooks aiosmtpd calls for one door; `submission` says which. Replies carry codes of RFC 3463."""

    def __init__(self, office: Office, *, submission: bool) -> None:
        self._office = office
        self._submission = submission

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: LoginPassword
    ) -> AuthResult:
        """Check user and password of AUTH PLAIN and LOGIN."""
        try:
            login, password = data.login.decode("utf-8").lower(), data.password.decode("utf-8")
        except UnicodeDecodeError:
            return AuthResult(success=False, handled=False)
        right = self._submission and self._office.knows_password(login, password)
        return AuthResult(success=right, handled=False, auth_data=LoginPassword(login.encode(), b""))

    async def handle_MAIL(  # noqa: N802 - the name aiosmtpd looks for
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Begin a transaction; at submission only for a user's own address, "user+anything" included."""
        if (fault := self._office.faults.next_reply("MAIL")) is not None:
            return fault
        login = _login(session)
        if self._submission and login is None:
            return "530 5.7.0 Authentication required"
        sender = "" if address == "<>" else address  # a null reverse-path, as bounces have it
        if _PRINTABLE.fullmatch(sender) is None:
            return "553 5.1.7 Malformed address"
        if login is not None and sender and strip_detail(sender) != login:
            return "550 5.7.1 The sender is not the user who logged in"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802 - as above
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient we have a mailbox for, or anybody outside when a user asks for it."""
        if (fault := self._office.faults.next_reply("RCPT")) is not None:
            return fault
        if _PRINTABLE.fullmatch(address) is None:
            return "553 5.1.3 Malformed address"
        if (refusal := self._office.accepts(address, _login(session))) is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Deliver, unless the From field is somebody else's or a fault was ordered."""
        faults = self._office.faults
        if (fault := faults.next_reply("DATA")) is not None:
            return fault
        content, login = bytes(envelope.original_content or b""), _login(session)
        if login is not None and from_address(content) != login:
            return "550 5.7.1 The From field is not exactly the user who logged in"
        drop = faults.next_drop()
        if drop is not False:
            sender = "" if envelope.mail_from == "<>" else str(envelope.mail_from)
            greeting = str(session.host_name)
            await self._office.deliver(sender, list(envelope.rcpt_tos), content, login, greeting)
        if drop is not None:
            transport: Any = server.transport
            transport.abort()
            await asyncio.Event().wait()  # until the lost connection cancels this coroutine: no reply is ever sent
        return "250 2.0.0 OK"


def strip_detail(address: str) -> str:
    """`local+detail@domain` as `local@domain`, lower case (RFC 5233 calls it subaddressing)."""
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def _login(session: Session) -> str | None:
    data = session.auth_data if session.authenticated else None
    return data.login.decode("utf-8") if isinstance(data, LoginPassword) else None
