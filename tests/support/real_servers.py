"""Dovecot and Postfix from Debian behind the interface of the embedded `MailServer`, on loopback, in a folder of /tmp.

Way of a mail: Postfix (SMTP, submission; SASL by Dovecot) → its queue → `stamper.py` (trace fields, callbacks) →
Dovecot's LMTP → Maildir. Unlike the embedded server, "250" means "in the queue": `messages` waits until the queue is
empty, and whoever looks into a mailbox by other means calls `settle` first.
"""

import contextlib
import itertools
import os
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import imapclient

from daemon.demo.server import Delivery
from support.dovecot import Dovecot
from support.postfix import DAEMONS, Postfix
from support.stamper import Stamper
from support.throwaway_tls import write_server_tls

PACKAGES = "dovecot-imapd, dovecot-lmtpd and postfix (tools/install_packages.sh)"
SETTLE_SECONDS = 60.0
_later = itertools.count(1)


class RealMailServer:
    """Use it in a `with` statement. Options as those of `MailServer`; a `clock` gives the times of arrival and of the
    trace fields (mail is then appended by IMAP, not delivered by LMTP); `options` are Dovecot's (`support.dovecot`)."""

    def __init__(
        self,
        *,
        authserv_id: str = "mx.lra.example",
        clock: Callable[[], datetime] | None = None,
        without: Iterable[str] = (),
        **options: Any,
    ) -> None:
        if os.geteuid() or not all(Path(each).exists() for each in ("/usr/sbin/dovecot", DAEMONS / "master")):
            raise RuntimeError(f"the real mail servers need root, and {PACKAGES}")
        self.host = "127.0.0.1"
        self.authserv_id = authserv_id
        self._stack = contextlib.ExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="ogis-lra-servers-")))
        self.folder.chmod(0o755)  # the servers' own users pass through it
        self.ca_file, certificate, key = write_server_tls(self.folder, "Dovecot and Postfix under test")
        for name in ("dovecot", "postfix"):
            (self.folder / name).mkdir()
        self.dovecot = Dovecot(self.folder / "dovecot", certificate=certificate, key=key, without=without, **options)
        self._stamper = Stamper(authserv_id, self.dovecot, clock)
        self._stamper.start()
        self._stack.callback(self._stamper.stop)
        self.postfix = Postfix(
            self.folder / "postfix",
            name=authserv_id,
            certificate=certificate,
            key=key,
            sasl=self.folder / "dovecot" / "sasl",
            map_port=self._stamper.map_port,
            stamp_port=self._stamper.lmtp_port,
        )
        self.imap_port, self.imaps_port = self.dovecot.imap_port, self.dovecot.imaps_port
        self.smtp_port = self.postfix.smtp_port
        self.submission_port = self.postfix.submission_port
        self.submissions_port = self.postfix.submissions_port
        self.outside = self._stamper.outside

    def start(self) -> None:
        """Start both; the ports are those that the object had from the beginning."""
        self.dovecot.start()
        self.postfix.start()

    def stop(self, *, hard: bool = False) -> None:
        """Stop both, as for a restart of the machine: mail and queue stay on disk. `hard` is by SIGKILL."""
        self.postfix.stop(hard=hard)
        self.dovecot.stop(hard=hard)

    def close(self) -> None:
        """Stop both for good and remove everything."""
        self.stop()
        self._stack.close()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add_mailbox(self, address: str, password: str) -> None:
        """Make `address` a user with an INBOX; its domain is local from now on."""
        self.dovecot.add_user(address, password)

    def on_delivery(self, callback: Callable[[Delivery], None]) -> None:
        """Have every delivered mail shown to `callback`, once for each recipient, after it lies in its mailbox. It
        runs in another thread and must not call the server."""
        self._stamper.callbacks.append(callback)

    def refuse(self, address: str, reply: str = "550 5.1.1 User unknown") -> None:
        """Have delivery to an address, here or outside, fail after Postfix took the mail: Postfix then reports to the
        envelope sender (RFC 3464). A 4xx reply keeps the mail in the queue."""
        self._stamper.refusals[address.lower()] = reply

    def settle(self) -> None:
        """Return when every mail that Postfix took is delivered or refused for good."""
        self.postfix.settle(SETTLE_SECONDS)

    def messages(self, address: str, folder: str = "INBOX") -> list[bytes]:
        """What lies in a mailbox's folder ("/" between levels), or was collected for an address outside, oldest
        first."""
        self.settle()
        if not self.dovecot.has_user(address):
            return list(self.outside.get(address.lower(), ()))
        with self.login(address) as client:
            if not client.folder_exists(self.folder_name(folder)):
                return []
            client.select_folder(self.folder_name(folder), readonly=True)
            uids = client.search("ALL")
            return [client.fetch([uid], ["BODY.PEEK[]"])[uid][b"BODY[]"] for uid in sorted(uids)]

    def append(self, address: str, content: bytes, folder: str = "INBOX") -> None:
        """Put octets into a folder of a mailbox as they are, without SMTP and stamps; KeyError: no such mailbox."""
        if not self.dovecot.has_user(address):
            raise KeyError(address)
        with self.login(address) as client:
            name = self.folder_name(folder)
            if not client.folder_exists(name):
                client.create_folder(name)
            client.append(name, content, msg_time=datetime.now(UTC))

    def login(self, address: str) -> Any:
        """A mail program of that user: an IMAPClient, logged in."""
        client = imapclient.IMAPClient(self.host, self.imap_port, ssl=False, timeout=30)
        try:
            client.login(address, self.dovecot.password(address))
        except BaseException:
            client.shutdown()
            raise
        return client

    def folder_name(self, folder: str) -> str:
        """Dovecot's own name of a folder."""
        return self.dovecot.prefix + folder.replace("/", ".") if folder != "INBOX" else folder

    def reset_uidvalidity(self, address: str, folder: str = "INBOX") -> None:
        """Give a folder another UIDVALIDITY and its mails other UIDs, as a server does that lost its index files."""
        self.settle()
        self.dovecot.kick(address)
        with self.login(address) as client:
            name = self.folder_name(folder)
            before = client.folder_status(name, ["UIDVALIDITY"])[b"UIDVALIDITY"]
        self.dovecot.kick(address)
        place = self.dovecot.maildir(address)
        if folder != "INBOX":
            place /= "." + imapclient.imap_utf7.encode(name).decode("ascii")
        for path in {*place.glob("dovecot*"), *self.dovecot.maildir(address).glob("dovecot-uidvalidity*")}:
            path.unlink(missing_ok=True)
        # Dovecot takes the time for it, which within the same second is the same number: make it another one for sure.
        self.dovecot.doveadm(
            "mailbox", "update", "-u", address, "--uid-validity", str(before + 1000 + next(_later)), name
        )

    def wipe(self) -> None:
        """Forget all mail, users, callbacks and what was collected, so that one server serves many tests."""
        self.settle()
        for address in self.dovecot.users():
            self.dovecot.kick(address)
        self.dovecot.forget_users()
        self._stamper.callbacks.clear()
        self._stamper.refusals.clear()
        self.outside.clear()
