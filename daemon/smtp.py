"""The door to the mail server: message submission (RFC 6409) over SMTP (RFC 5321) by smtplib.

Does: hand over one finished message for one recipient; keep one connection for the messages of a round.
Trusts: the server that its certificate names; its "250" means that it has the message (RFC 5321 section 4.2.5).
Promises: a message goes out octet for octet as it was composed, to exactly one recipient, so that there is no such
thing as "partly refused"; every error says whether anything was sent: TransportUnavailable and TransportRefused mean
that nothing was, OutcomeUnknown that nobody can know.
Weak: SMTP has no way to ask "did you take it?". Between the end of the data and the reply a message can be taken and
the reply lost; the outbox sends again under the same Message-ID, so delivery is at least once.
"""

import contextlib
import re
import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from .connection import make_tls_context, tune
from .failures import Failure, Kind, OutcomeUnknown, TransportMisconfigured, TransportRefused, TransportUnavailable
from .route import SMTP_ERRORS, Route, log_in, refuse, reply_text
from .stopping import Interrupted, Stop

__all__ = [
    "Accepted",
    "OutcomeUnknown",
    "Route",
    "Transport",
    "TransportMisconfigured",
    "TransportRefused",
    "TransportUnavailable",
]

LONGEST_LINE = 1000
"""Octets with CRLF, RFC 5321 section 4.5.3.1.6; servers refuse or cut longer lines, and cutting breaks signatures."""

LONGEST_ADDRESS = 254
"""Octets: a path of 256 (RFC 5321 section 4.5.3.1.3) without its angle brackets."""

CLOSE_SECONDS = 2.0
"""How long a polite QUIT may take."""

STOP_SECONDS = 1.0
"""How long a request to stop waits for the reply to a whole message."""

# Without quoted local parts, which no mailbox in real use has, but with the dots in odd places that Japanese mobile
# operators once gave out (field notes mail.md). Nothing in it can end or extend an SMTP command.
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,253}")

_ENVID = re.compile(r"[ -~]{1,100}")

# Postfix's own words (its smtpd_check.c), and the enhanced codes about a sender (RFC 3463 section 3.2).
_NOT_OUR_LOGIN = re.compile(rb"Relay access denied|Client host rejected|Helo command rejected", re.IGNORECASE)
_NOT_OUR_SENDER = re.compile(rb"\A5\.1\.[78]\b|Sender address rejected", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server took the message. `text` is its reply, with addresses masked; it often holds the queue id."""

    code: int
    text: str


class Transport:
    """One route. Connects at the first `send`, so that a round without letters opens no connection."""

    def __init__(self, route: Route, stop: Stop | None = None) -> None:
        self.route = route
        self._stop = stop if stop is not None else Stop()
        self._client: smtplib.SMTP | None = None

    def send(self, message: bytes, *, sender: str, recipient: str, envid: str = "") -> Accepted:
        """Hand over one message (CRLF lines, as `email.policy.SMTP` makes them) for one recipient.

        `sender` is the envelope sender, "" for none. `envid` names this letter in every report about its delivery
        (RFC 3461 section 4.4: printable ASCII, at most 100 octets; ValueError otherwise); failures and delays are then
        to be reported, with the headers only. A server that does not offer DSN is not told: its reports know the letter
        by the address in `sender` or by its Message-ID. Raises TransportUnavailable (nothing sent, stays queued; its
        subclass TransportMisconfigured until the operator acts), TransportRefused (nothing sent, for good) or
        OutcomeUnknown (maybe sent).
        """
        if not message.endswith(b"\r\n"):
            message += b"\r\n"
        _check_message(message)
        _check_address(recipient, Kind.RECIPIENT_REFUSED)
        if sender:
            _check_address(sender, Kind.MESSAGE_MALFORMED)
        if envid and _ENVID.fullmatch(envid) is None:
            raise ValueError("an envelope id is printable ASCII of at most 100 octets")
        try:
            with self._interrupting():
                return self._transact(message, sender, recipient, envid)
        except Failure:
            self._reset()
            raise

    def probe(self) -> None:
        """Connect and log in as for a message and send none: what `ogis-lra check` asks. Raises as `send` does."""
        if self._client is None:
            with self._interrupting():
                self._client = self._connect()

    def close(self) -> None:
        """Say QUIT if the server still listens, and close. Never raises, may be called twice."""
        if self._client is not None:
            with contextlib.suppress(Interrupted, *SMTP_ERRORS), self._stop.interrupting():
                _set_timeout(self._client, CLOSE_SECONDS)
                self._client.quit()
            self._drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def _interrupting(self) -> Iterator[None]:
        """A request to stop ends what is done here; nothing was sent, as far as it can come out of here."""
        try:
            with self._stop.interrupting():
                yield
        except Interrupted:
            self._drop()
            raise TransportUnavailable("stopping") from None

    def _transact(self, message: bytes, sender: str, recipient: str, envid: str) -> Accepted:
        client = self._begin(message, sender, envid)
        command = f"RCPT TO:<{recipient}>"
        if envid and client.has_extn("dsn"):
            command += f" NOTIFY=FAILURE,DELAY ORCPT=rfc822;{_xtext(recipient)}"  # RFC 3461 sections 4.1 and 4.2
        code, reply = self._ask(client, command)
        if code // 100 != 2:
            refuse("RCPT", code, reply, _whose_fault(reply))
        code, reply = self._ask(client, "DATA")
        if code != 354:
            refuse("DATA", code, reply, Kind.MESSAGE_REFUSED)
        return self._hand_over(client, message)

    def _hand_over(self, client: smtplib.SMTP, message: bytes) -> Accepted:
        # Transparency, RFC 5321 section 4.5.2: a line that begins with a dot gets another one.
        lines = (b"." if message.startswith(b".") else b"") + message.replace(b"\r\n.", b"\r\n..")
        try:
            client.send(lines)
        except SMTP_ERRORS as error:
            self._drop()
            # The line that ends the data was never written, and a server drops a transaction whose connection closes
            # before it (RFC 5321 section 4.1.1.10): nothing was sent, and that is certain.
            raise TransportUnavailable(f"DATA: {type(error).__name__}") from None
        try:
            _set_timeout(client, self.route.data_timeout)
            client.send(b".\r\n")
            code, reply = self._last_reply(client)
            _set_timeout(client, self.route.reply_timeout)
        except (Interrupted, *SMTP_ERRORS) as error:
            self._drop()
            raise OutcomeUnknown(f"end of data: {type(error).__name__}") from None
        if code // 100 == 2:
            return Accepted(code, reply_text(reply))
        if code // 100 in (4, 5):
            refuse("end of data", code, reply, Kind.MESSAGE_REFUSED)
        self._drop()
        raise OutcomeUnknown("end of data: not an SMTP reply")

    def _last_reply(self, client: smtplib.SMTP) -> tuple[int, bytes]:
        """The reply to a whole message. It is nearly always there at once, and without it the letter goes out a second
        time: a stop that comes in this very moment grants it another second."""
        try:
            return client.getreply()
        except Interrupted:
            _set_timeout(client, STOP_SECONDS)
            return client.getreply()

    def _begin(self, message: bytes, sender: str, envid: str) -> smtplib.SMTP:
        """MAIL FROM on the open connection, or on a new one where the server has meanwhile closed the old one.

        Servers close a connection after some messages or some idle minutes; that says nothing about this message.
        """
        if self._client is not None:
            try:
                self._announce(self._client, message, sender, envid)
            except TransportMisconfigured:
                raise
            except TransportUnavailable:
                self._drop()  # and once more below, on a fresh connection
            else:
                return self._client
        self._client = self._connect()
        self._announce(self._client, message, sender, envid)
        return self._client

    def _announce(self, client: smtplib.SMTP, message: bytes, sender: str, envid: str) -> None:
        command = f"MAIL FROM:<{sender}>"
        if client.has_extn("size"):
            command += f" SIZE={len(message)}"  # RFC 1870
        if not message.isascii():
            if not client.has_extn("8bitmime"):
                raise TransportRefused(Kind.MESSAGE_MALFORMED, "8-bit message, and the server has no 8BITMIME")
            command += " BODY=8BITMIME"  # RFC 6152
        if envid and client.has_extn("dsn"):
            command += f" RET=HDRS ENVID={_xtext(envid)}"  # RFC 3461 sections 4.3 and 4.4
        code, reply = self._ask(client, command)
        if code == 552:  # larger than the server takes (RFC 1870 section 6.1): the message's fault, not the sender's
            refuse("MAIL", code, reply, Kind.MESSAGE_REFUSED)
        if code // 100 != 2:
            refuse("MAIL", code, reply, Kind.SENDER_REFUSED)

    def _connect(self) -> smtplib.SMTP:
        route = self.route
        try:
            context = make_tls_context(route.ca_file)
        except OSError as error:
            raise TransportMisconfigured(f"ca_file: {type(error).__name__}", Kind.TRANSPORT_CERTIFICATE) from None
        with contextlib.ExitStack() as stack, _connecting():
            if route.security == "tls":
                client: smtplib.SMTP = smtplib.SMTP_SSL(
                    route.host, route.port, route.name, timeout=route.connect_timeout, context=context
                )
            else:
                client = smtplib.SMTP(route.host, route.port, route.name, timeout=route.connect_timeout)
            stack.callback(client.close)
            _set_timeout(client, route.reply_timeout)
            if client.sock is not None:
                tune(client.sock)
            self._enter(client, context)
            stack.pop_all()
        return client

    def _enter(self, client: smtplib.SMTP, context: ssl.SSLContext) -> None:
        route = self.route
        client.ehlo_or_helo_if_needed()
        if route.security == "starttls":
            if not client.has_extn("starttls"):
                # Going on without TLS is what somebody who removes STARTTLS from the reply wants.
                raise TransportMisconfigured("STARTTLS is not offered", Kind.TRANSPORT_LOGIN)
            client.starttls(context=context)
            client.ehlo_or_helo_if_needed()
        log_in(client, route)

    def _ask(self, client: smtplib.SMTP, command: str) -> tuple[int, bytes]:
        try:
            return client.docmd(command)
        except SMTP_ERRORS as error:
            self._drop()
            raise TransportUnavailable(f"{command.partition(' ')[0]}: {type(error).__name__}") from None

    def _reset(self) -> None:
        """End a transaction that failed; the next message starts on clean ground, or on a new connection."""
        if self._client is not None:
            try:
                code, _ = self._client.rset()
            except SMTP_ERRORS:
                code = -1
            if code // 100 != 2:
                self._drop()

    def _drop(self) -> None:
        if self._client is not None:
            with contextlib.suppress(OSError):
                self._client.close()
            self._client = None


@contextlib.contextmanager
def _connecting() -> Iterator[None]:
    """Turn what goes wrong before the first MAIL into our failures: nothing was sent, whatever it is."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise TransportMisconfigured(error.verify_message, Kind.TRANSPORT_CERTIFICATE) from None
    except smtplib.SMTPResponseException as error:
        raise TransportUnavailable(f"connect: {error.smtp_code}") from None
    except SMTP_ERRORS as error:
        raise TransportUnavailable(f"connect: {type(error).__name__}") from None


def _set_timeout(client: smtplib.SMTP, seconds: float) -> None:
    if client.sock is not None:
        client.sock.settimeout(seconds)


def _whose_fault(reply: bytes) -> Kind:
    """Whom a refusal of RCPT is about: the recipient, or what was said before it.

    Postfix keeps the refusal of a client or a sender back until RCPT (smtpd_delay_reject, on by default). Taken for the
    recipient's, such a no would end the letter for good while only our settings are wrong.
    """
    if _NOT_OUR_LOGIN.search(reply):
        return Kind.TRANSPORT_LOGIN
    return Kind.SENDER_REFUSED if _NOT_OUR_SENDER.search(reply) else Kind.RECIPIENT_REFUSED


def _xtext(text: str) -> str:
    """RFC 3461 section 4: "+" and "=" would be read as syntax."""
    return text.replace("+", "+2B").replace("=", "+3D").replace(" ", "+20")


def _check_message(message: bytes) -> None:
    # A bare LF or CR is read as a line end by some servers and not by others; what one takes for text the next takes
    # for the end of the data and the start of another mail (SMTP smuggling).
    if not message.count(b"\r\n") == message.count(b"\r") == message.count(b"\n"):
        raise TransportRefused(Kind.MESSAGE_MALFORMED, "a bare CR or LF")
    if max(map(len, message.split(b"\n"))) >= LONGEST_LINE:  # the LF itself is not counted here
        raise TransportRefused(Kind.MESSAGE_MALFORMED, f"a line of {LONGEST_LINE} octets or more")
    if b"\0" in message:
        raise TransportRefused(Kind.MESSAGE_MALFORMED, "a NUL octet")


def _check_address(address: str, kind: Kind) -> None:
    if _ADDRESS.fullmatch(address) is None or len(address) > LONGEST_ADDRESS:
        # An address beyond ASCII needs SMTPUTF8 (RFC 6531), which we leave off: few Japanese servers have it.
        raise TransportRefused(kind, "not an address that plain SMTP can carry")
