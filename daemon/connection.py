"""What the IMAP and the SMTP door have in common: how a connection may be secured, and by which TLS."""

import ipaddress
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from config.credentials import Secret

SECURITIES = ("tls", "starttls", "plain")
"""TLS from the first octet (RFC 8314), TLS by STARTTLS before anything else is said, no TLS (loopback only)."""

LOGINS = ("password", "xoauth2", "oauthbearer")
"""A password, or a token (`oauth.py`) by Google's and Microsoft's XOAUTH2 or by RFC 7628."""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, so that a connection without TLS never leaves it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_security(host: str, security: str) -> None:
    """ValueError for an unknown `security`, and for "plain" to any host but loopback: password, application forms and
    letters would cross the network readable."""
    if security not in SECURITIES:
        raise ValueError(f"security {security!r} is not one of {', '.join(SECURITIES)}")
    if security == "plain" and not is_loopback(host):
        raise ValueError(f"security 'plain' is for loopback only, not for {host!r}")


def check_login(login: str, password: Secret | None, tokens: object | None) -> None:
    """ValueError for an unknown `login`, and for one without the password or the tokens that it needs."""
    if login not in LOGINS:
        raise ValueError(f"login {login!r} is not one of {', '.join(LOGINS)}")
    if login == "password" and password is None:
        raise ValueError("a user name needs a password")
    if login != "password" and tokens is None:
        raise ValueError(f"login {login!r} needs tokens")


def token_answer(login: str, username: str, token: Secret, host: str, port: int) -> Callable[[object], bytes]:
    """What to answer to each challenge of a login by token: the token, then what ends a failed attempt.

    A server that refuses the token says why in a second challenge, and gives its real answer only after ours to that:
    an empty line (XOAUTH2), or a single 0x01 (RFC 7628 section 3.2.3).
    """
    if login == "xoauth2":
        first, last = f"user={username}\1auth=Bearer {token.reveal()}\1\1", b""
    else:
        # RFC 5801 section 4: "=" and "," in an authorisation identity are written as =3D and =2C.
        identity = username.replace("=", "=3D").replace(",", "=2C")
        first, last = f"n,a={identity},\1host={host}\1port={port}\1auth=Bearer {token.reveal()}\1\1", b"\1"
    answers = [first.encode()]

    def answer(_: object = None) -> bytes:
        return answers.pop() if answers else last

    return answer


def make_tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """A context that verifies certificate and host name and speaks TLS 1.2 or later (RFC 8996), whatever the
    machine's OpenSSL allows; `ca_file` (PEM) replaces the system's authorities. OSError when it can't be read."""
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file is not None else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def tune(sock: socket.socket) -> None:
    """Send small writes at once and notice a peer that vanished.

    Both libraries write a command or the end of a message in two pieces; with Nagle's algorithm the second waits for
    the peer's delayed acknowledgement, some 40 ms each time. Keep-alive ends connections that a router forgot; Linux
    begins it after two hours of silence, by which time IDLE would have been deaf for long: here it is two minutes.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4)):
        sock.setsockopt(socket.IPPROTO_TCP, option, seconds)
