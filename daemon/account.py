"""The IMAP account: where the mailbox is and how it is entered. The door itself is `imap.py`.

Trusts: the server named in the settings once its certificate is verified. Promises: the password is sent only over the
security that was asked for; no error quotes what the server said, which may be a line of a mail.
"""

import imaplib
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import imapclient
from imapclient.exceptions import CapabilityError, IMAPClientError, LoginError

from config.credentials import Secret

from .connection import check_login, check_security, make_tls_context, token_answer, tune
from .failures import Kind, MailboxRefused, MailboxUnavailable
from .oauth import TokenRefused, Tokens, TokenUnavailable

# RFC 5530: refusals that pass by themselves although they answer a login or a SELECT.
_PASSING = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG"})

# The only words of a server's answer that may stand in an error of ours (RFC 3501 section 7.1, RFC 5530).
_RESPONSE_CODE = re.compile(
    r"\[(ALERT|TRYCREATE|UNAVAILABLE|AUTHENTICATIONFAILED|AUTHORIZATIONFAILED|EXPIRED|PRIVACYREQUIRED|CONTACTADMIN|"
    r"NOPERM|INUSE|EXPUNGEISSUED|CORRUPTION|SERVERBUG|CLIENTBUG|CANNOT|LIMIT|OVERQUOTA|ALREADYEXISTS|NONEXISTENT)\b"
)

# What imaplib and IMAPClient raise at an answer they do not understand, besides their own errors: both index, decode
# and unpack what the server sent without looking first. To us all of it means "this server does not speak IMAP now".
LIBRARY_ERRORS = (IMAPClientError, OSError, ValueError, LookupError, TypeError, AttributeError, EOFError)


@dataclass(frozen=True, slots=True)
class Account:
    """Where the mailbox is and how to enter it; timeouts in seconds.

    Raises ValueError for a `security` that is unknown or too weak for the host (`check_security`), and for a `login`
    ("password", "xoauth2", "oauthbearer") without what it needs. `ca_file` (PEM) replaces the system's trusted
    authorities. `readonly` opens the folder by EXAMINE.
    """

    host: str
    port: int
    security: str
    username: str
    password: Secret | None
    folder: str = "INBOX"
    readonly: bool = False
    connect_timeout: float = 15.0
    read_timeout: float = 60.0
    ca_file: Path | None = None
    login: str = "password"
    tokens: Tokens | None = None

    def __post_init__(self) -> None:
        check_security(self.host, self.security)
        check_login(self.login, self.password, self.tokens)


def connect(account: Account) -> Any:  # noqa: ANN401 - IMAPClient has no type information
    """An IMAPClient, connected and with timeouts, not logged in. Raises MailboxRefused or MailboxUnavailable."""
    context = _make_context(account) if account.security == "tls" else None
    try:
        client = imapclient.IMAPClient(
            account.host,
            account.port,
            ssl=account.security == "tls",
            ssl_context=context,
            # The library's default is no timeout at all: a server that falls silent would stop the intake for ever.
            timeout=imapclient.SocketTimeout(connect=account.connect_timeout, read=account.read_timeout),
        )
    except ssl.SSLCertVerificationError as error:
        raise MailboxRefused(Kind.MAILBOX_CERTIFICATE, error.verify_message) from None
    except LIBRARY_ERRORS as error:
        raise MailboxUnavailable(describe("connect", error)) from None
    # IMAPClient sets this to 5, and imaplib then formats every line and literal, whole mails with forms and personal
    # data, for a debug log: a leak as soon as somebody turns DEBUG on, and four fifths of the time of a fetch.
    client._imap.debug = 0  # noqa: SLF001 - there is no public switch
    client.normalise_times = False  # else INTERNALDATE comes naive, in this machine's local time
    tune(client.socket())
    return client


def enter(client: Any, account: Account) -> None:  # noqa: ANN401 - as above
    """Secure the connection where that is still to be done, and log in.

    Raises MailboxRefused, MailboxUnavailable and, for the caller to translate, LIBRARY_ERRORS.
    """
    if account.security == "starttls":
        try:
            client.starttls(_make_context(account))
        except CapabilityError:
            # Going on without TLS is what somebody who removes STARTTLS from the greeting wants.
            raise MailboxRefused(Kind.MAILBOX_LOGIN, "STARTTLS is not offered") from None
    _log_in(client, account)


def _make_context(account: Account) -> ssl.SSLContext:
    try:
        return make_tls_context(account.ca_file)
    except OSError as error:
        raise MailboxRefused(Kind.MAILBOX_CERTIFICATE, f"ca_file: {type(error).__name__}") from None


def _log_in(client: Any, account: Account) -> None:  # noqa: ANN401 - as above
    if account.login != "password" and account.tokens is not None:
        _log_in_by_token(client, account, account.tokens)
        return
    username, password = account.username, account.password.reveal() if account.password is not None else ""
    # LOGIN carries quoted ASCII (RFC 3501 section 9); a line end in it would begin a command of its own.
    if not (username + password).isascii() or not (username + password).isprintable():
        raise MailboxRefused(Kind.MAILBOX_LOGIN, "user name and password must be printable ASCII")
    with _logging_in():
        client.login(username, password)


def _log_in_by_token(client: Any, account: Account, tokens: Tokens) -> None:  # noqa: ANN401 - as above
    """A refused token is fetched anew once: it may have been revoked, or a clock may be wrong."""
    if not client.has_capability(f"AUTH={account.login.upper()}"):
        raise MailboxRefused(Kind.MAILBOX_LOGIN, f"{account.login.upper()} is not offered")
    refused: Secret | None = None
    for last in (False, True):
        token = _token(tokens, refused)
        answer = token_answer(account.login, account.username, token, account.host, account.port)
        try:
            with _logging_in():
                client.sasl_login(account.login.upper(), answer)
        except MailboxRefused as refusal:
            if last:
                raise MailboxRefused(refusal.kind, f"token {refusal.detail}") from None
            refused = token
        else:
            return


def _token(tokens: Tokens, refused: Secret | None) -> Secret:
    try:
        return tokens.token(refused=refused)
    except TokenRefused as error:
        raise MailboxRefused(Kind.MAILBOX_LOGIN, f"oauth: {error.code}") from None
    except TokenUnavailable as error:
        raise MailboxUnavailable(f"oauth: {error.detail}") from None


@contextmanager
def _logging_in() -> Iterator[None]:
    try:
        yield
    except LoginError as error:
        # IMAPClient calls a connection that broke during LOGIN a refused login too; nobody needs to be alarmed then.
        if isinstance(error.__context__, imaplib.IMAP4.abort):
            raise MailboxUnavailable(describe("login", error.__context__)) from None
        refuse(error, Kind.MAILBOX_LOGIN)


def refuse(error: IMAPClientError, kind: Kind) -> NoReturn:
    """Raise MailboxRefused of that kind for a NO, or MailboxUnavailable where its code says that it will pass."""
    code = _RESPONSE_CODE.search(str(error))
    if code is not None and code[1] in _PASSING:
        raise MailboxUnavailable(code[1]) from None
    raise MailboxRefused(kind, code[1] if code is not None else "NO") from None


def describe(doing: str, error: BaseException) -> str:
    """What was being done and the name of what went wrong, without a word of the server's that is not a known code."""
    code = _RESPONSE_CODE.search(str(error)) if isinstance(error, IMAPClientError) else None
    return f"{doing}: {code[1] if code is not None else type(error).__name__}"
