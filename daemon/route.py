"""The submission route: where letters leave and how the server is entered. The door itself is `smtp.py`.

Trusts: the server named in the settings once its certificate is verified. Promises: password and token are sent only
over the security that was asked for; no error quotes more of a reply than its codes.
"""

import contextlib
import re
import smtplib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from config.credentials import Secret

from .connection import check_login, check_security, token_answer
from .failures import Kind, TransportMisconfigured, TransportRefused, TransportUnavailable
from .oauth import TokenRefused, Tokens, TokenUnavailable

# ValueError: a challenge or reply that the library fails to decode.
SMTP_ERRORS = (smtplib.SMTPException, OSError, ValueError)

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")  # RFC 3463

# RFC 4954 section 6: answers about our login, whatever command they answer. 454 passes by itself.
_LOGIN_CODES = frozenset({530, 534, 535, 538})


@dataclass(frozen=True, slots=True)
class Route:
    """Where letters leave; timeouts in seconds, `username` None for no login.

    Raises ValueError for a `security` that is unknown or too weak for the host, and for a user without
    what `login` needs: a password, or `tokens`.
    `data_timeout` is the wait for the reply to a whole message: RFC 5321 section 4.5.3.2.6 says 10 minutes, and
    giving up early makes duplicates. `ca_file` (PEM) replaces the system's authorities. `name` is what EHLO says: an
    address literal by default, so that no letter shows the name of an inner machine (and no DNS is asked for it).
    """

    host: str
    port: int
    security: str
    username: str | None = None
    password: Secret | None = None
    connect_timeout: float = 15.0
    reply_timeout: float = 60.0
    data_timeout: float = 600.0
    ca_file: Path | None = None
    name: str = "[127.0.0.1]"
    login: str = "password"
    tokens: Tokens | None = None

    def __post_init__(self) -> None:
        check_security(self.host, self.security)
        if self.username is not None:
            check_login(self.login, self.password, self.tokens)


def log_in(client: smtplib.SMTP, route: Route) -> None:
    """Log in as the route says, if it names a user.

    Raises TransportMisconfigured, TransportUnavailable and, for the caller to translate, SMTP_ERRORS.
    """
    if route.username is None:
        return
    if route.login != "password" and route.tokens is not None:
        _log_in_by_token(client, route, route.username, route.tokens)
    elif route.password is not None:
        _log_in(client, route.username, route.password)


def _log_in(client: smtplib.SMTP, username: str, password: Secret) -> None:
    if not (username + password.reveal()).isascii():
        raise TransportMisconfigured("user name and password must be ASCII", Kind.TRANSPORT_LOGIN)
    with _logging_in():
        client.login(username, password.reveal())


def _log_in_by_token(client: smtplib.SMTP, route: Route, username: str, tokens: Tokens) -> None:
    """A refused token is fetched anew once: it may have been revoked, or a clock may be wrong."""
    mechanism = route.login.upper()
    if mechanism not in client.esmtp_features.get("auth", "").upper().split():
        raise TransportMisconfigured(f"{mechanism} is not offered", Kind.TRANSPORT_LOGIN)
    refused: Secret | None = None
    for last in (False, True):
        token = _token(tokens, refused)
        answer = token_answer(route.login, username, token, route.host, route.port)
        try:
            with _logging_in():
                _authenticate(client, mechanism, answer)
        except TransportMisconfigured as refusal:
            if last:
                raise TransportMisconfigured(f"token {refusal.detail}", Kind.TRANSPORT_LOGIN) from None
            refused = token
        else:
            return


def _authenticate(client: smtplib.SMTP, mechanism: str, answer: Callable[[object], bytes]) -> None:
    # Without an initial response: a token is longer than a command may be (512 octets, RFC 5321 section 4.5.3.1.4;
    # RFC 4954 section 4), and Postfix cuts it off. As an answer it may have 12288.
    client.auth(mechanism, lambda challenge=None: answer(challenge).decode(), initial_response_ok=False)


def _token(tokens: Tokens, refused: Secret | None) -> Secret:
    try:
        return tokens.token(refused=refused)
    except TokenRefused as error:
        raise TransportMisconfigured(f"oauth: {error.code}", Kind.TRANSPORT_LOGIN) from None
    except TokenUnavailable as error:
        raise TransportUnavailable(f"oauth: {error.detail}") from None


@contextlib.contextmanager
def _logging_in() -> Iterator[None]:
    try:
        yield
    except smtplib.SMTPNotSupportedError:
        raise TransportMisconfigured("AUTH is not offered", Kind.TRANSPORT_LOGIN) from None
    except smtplib.SMTPResponseException as error:
        refuse("AUTH", error.smtp_code, error.smtp_error, Kind.TRANSPORT_LOGIN)
    except smtplib.SMTPServerDisconnected:
        raise
    except smtplib.SMTPException:
        raise TransportMisconfigured("AUTH offers no way of logging in that we know", Kind.TRANSPORT_LOGIN) from None


def refuse(step: str, code: int, reply: bytes | str, kind: Kind) -> NoReturn:
    """Raise what a negative reply means. The detail is the step, the code and the enhanced code, nothing more: the
    text may name people or quote a subject."""
    text = reply_text(reply)
    enhanced = _ENHANCED.search(text)
    detail = f"{step}: {code}" + (f" {enhanced[0]}" if enhanced is not None else "")
    if code in _LOGIN_CODES:
        raise TransportMisconfigured(detail, Kind.TRANSPORT_LOGIN)
    if code // 100 != 5:
        raise TransportUnavailable(detail)
    if kind in (Kind.RECIPIENT_REFUSED, Kind.MESSAGE_REFUSED):
        raise TransportRefused(kind, detail, text)
    raise TransportMisconfigured(detail, kind)


def reply_text(reply: bytes | str) -> str:
    """A server's reply for people: printable, short, every address masked."""
    text = reply if isinstance(reply, str) else reply.decode("utf-8", "replace")
    text = "".join(char if char.isprintable() else " " for char in text)
    return re.sub(r"\S*@\S*", "<address>", text)[:200]
