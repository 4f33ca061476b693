"""What the IMAP and the SMTP door have in common: how a connection may be secured, and by which TLS."""

import ipaddress
import socket
import ssl
from pathlib import Path

SECURITIES = ("tls", "starttls", "plain")
"""TLS from the first octet (RFC 8314), TLS by STARTTLS before anything else is said, no TLS (loopback only)."""


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
