"""Mail servers for tests: what a server under test must offer, the embedded one, and mailboxes nobody else uses.

A test module asks for the fixtures with `pytest_plugins = ("support.servers",)`; each server then starts once per
session (and per xdist worker). `postbox` is a mailbox on the module's `server`; a module of contract tests makes that
fixture return `either_server`, and each of its tests runs against both.

PYTEST_DONT_REWRITE (test modules import builders from here before pytest learns that it is a plugin)
"""

import dataclasses
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from config.credentials import Secret
from daemon.demo.server import MailServer
from daemon.imap import Account
from daemon.smtp import Accepted, Route, Transport
from support.real_servers import RealMailServer

_numbers = itertools.count(1)


class Server(Protocol):
    """A mail server: IMAP with STARTTLS and with TLS, inbound SMTP, submission with STARTTLS and with TLS."""

    host: str
    imap_port: int
    imaps_port: int
    smtp_port: int
    submission_port: int
    submissions_port: int
    ca_file: Path

    def add_mailbox(self, address: str, password: str) -> None: ...

    def messages(self, address: str, folder: str = "INBOX") -> list[bytes]: ...

    def settle(self) -> None: ...


@dataclass(frozen=True)
class Postbox:
    """One mailbox of a server, with all that is needed to use it. Timeouts are short: loopback answers at once."""

    server: Server
    address: str
    password: str

    def account(self, **changes: Any) -> Account:
        account = Account(
            host=self.server.host,
            port=self.server.imap_port,
            security="plain",
            username=self.address,
            password=Secret(self.password),
            connect_timeout=5.0,
            read_timeout=5.0,
            ca_file=self.server.ca_file,
        )
        return dataclasses.replace(account, **changes)

    def route(self, **changes: Any) -> Route:
        """Submission as this mailbox's user."""
        route = Route(
            host=self.server.host,
            port=self.server.submission_port,
            security="plain",
            username=self.address,
            password=Secret(self.password),
            connect_timeout=5.0,
            reply_timeout=5.0,
            data_timeout=5.0,
            ca_file=self.server.ca_file,
        )
        return dataclasses.replace(route, **changes)

    def receive(self, message: bytes, *, sender: str = "taro@aozora-denki.example", recipient: str = "") -> Accepted:
        """Have a mail come in from outside."""
        with Transport(self.inbound()) as transport:
            accepted = transport.send(message, sender=sender, recipient=recipient or self.address)
        self.server.settle()
        return accepted

    def inbound(self) -> Route:
        return self.route(port=self.server.smtp_port, username=None, password=None)

    def messages(self, folder: str = "INBOX") -> list[bytes]:
        return self.server.messages(self.address, folder)


def make_postbox(server: Server, name: str = "box") -> Postbox:
    """A mailbox that no other test uses."""
    address = f"{name}-{os.getpid()}-{next(_numbers)}@lra.example"
    server.add_mailbox(address, 'pass word \\ "quoted"')
    return Postbox(server, address, 'pass word \\ "quoted"')


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[Server]:
    """The embedded mail server, the same one for the whole session."""
    with MailServer(authserv_id="mx.lra.example") as embedded:
        yield embedded


@pytest.fixture(scope="session")
def real_server() -> Iterator[RealMailServer]:
    """Dovecot and Postfix, the same for the whole session: a test that needs a fixed address begins with `wipe`."""
    with RealMailServer(authserv_id="mx.lra.example") as real:
        yield real


@pytest.fixture(params=["embedded", "dovecot and postfix"])
def either_server(request: pytest.FixtureRequest) -> Server:
    """Each of the two, for what is promised with any server."""
    name = "embedded_server" if request.param == "embedded" else "real_server"
    return request.getfixturevalue(name)  # type: ignore[no-any-return]


@pytest.fixture
def postbox(server: Server) -> Postbox:
    """A fresh mailbox on the shared server."""
    return make_postbox(server)


def make_message(
    body: str = "本文です。", *, subject: str = "test", sender: str = "taro@aozora-denki.example"
) -> bytes:
    """A small message as it goes over the wire."""
    return (
        f"From: <{sender}>\r\nTo: <ogis-lra@lra.example>\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}\r\n"
    ).encode()
