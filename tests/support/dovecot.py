"""Dovecot 2.3 as a child process on loopback: IMAP with STARTTLS and TLS, LMTP, and SASL for Postfix.

Trusts: Debian's packages dovecot-imapd and dovecot-lmtpd; the tests run as root, as Dovecot's own users need it.
Promises: nothing outside `folder` is written, nothing listens beyond 127.0.0.1, `stop` returns when every process is
gone; a test process that is killed takes its Dovecot with it.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path

from support.processes import children_of, die_with_parent, free_ports, reap, wait_for_greeting

MAIL_USER = "mail"
"""Debian has this user always; Dovecot refuses to serve mail as root."""

CAPABILITIES = (
    "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY THREAD=REFERENCES THREAD=REFS "
    "THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN NAMESPACE UIDPLUS LIST-EXTENDED "
    "I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES WITHIN CONTEXT=SEARCH LIST-STATUS BINARY MOVE "
    "SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW STATUS=SIZE SAVEDATE LITERAL+ NOTIFY SPECIAL-USE"
)

# In Dovecot 2.3 the first setting of a block must begin a new line.
CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
listen = 127.0.0.1
protocols = imap lmtp
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
auth_username_format = %Lu
mail_location = maildir:~/Maildir
mail_uid = {user}
mail_gid = {user}
first_valid_uid = 1
first_valid_gid = 1
mail_fsync = never
mail_max_userip_connections = 200
imap_capability = {capabilities}
recipient_delimiter = +
lmtp_add_received_header = no
lmtp_save_to_detail_mailbox = no
default_client_limit = 400
{authentication}
userdb {{
  driver = static
  args = home={folder}/mail/%Ld/%Ln allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  prefix = {prefix}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  unix_listener {folder}/sasl {{
    mode = 0666
  }}
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap_port}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {imaps_port}
    ssl = yes
  }}
  service_count = 0
}}
service imap {{
  process_limit = 300
  vsz_limit = 1G
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
  vsz_limit = 1G
}}
"""

PASSWORDS = """
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%Lu {folder}/users/%Lu
}}
"""


class Dovecot:
    """One Dovecot over one folder of mail. `without` names IMAP capabilities it shall not offer, `prefix` is that of
    the personal namespace ("INBOX." is Courier's habit), `authentication` further passdb blocks, which come first."""

    def __init__(
        self,
        folder: Path,
        *,
        certificate: Path,
        key: Path,
        without: Iterable[str] = (),
        prefix: str = "",
        mechanisms: str = "plain login",
        authentication: str = "",
    ) -> None:
        self.folder = folder
        self.prefix = prefix
        self.imap_port, self.imaps_port, self.lmtp_port = free_ports(3)
        self._users: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "run").mkdir()
        (folder / "users").mkdir()
        (folder / "mail").mkdir()
        shutil.chown(folder / "mail", MAIL_USER, MAIL_USER)
        unwanted = {each.upper() for each in without}
        self.configuration = folder / "dovecot.conf"
        self.configuration.write_text(
            CONFIGURATION.format(
                folder=folder,
                certificate=certificate,
                key=key,
                user=MAIL_USER,
                mechanisms=mechanisms,
                capabilities=" ".join(each for each in CAPABILITIES.split() if each not in unwanted),
                authentication=authentication + PASSWORDS.format(folder=folder),
                prefix=f'"{prefix}"',
                imap_port=self.imap_port,
                imaps_port=self.imaps_port,
                lmtp_port=self.lmtp_port,
            )
        )

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["/usr/sbin/dovecot", "-F", "-c", str(self.configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call
        )
        wait_for_greeting(self._process, self.imap_port, self.folder / "dovecot.log")
        wait_for_greeting(self._process, self.lmtp_port, self.folder / "dovecot.log")

    def stop(self, *, hard: bool = False) -> None:
        """End all its processes and connections; `hard` by SIGKILL, as a machine that loses its power."""
        if self._process is None:
            return
        children = children_of(self._process.pid)
        self._process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
        self._process.wait(20)
        for child in children:  # a connection in use would outlive its master, which systemd does not allow either
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL if hard else signal.SIGTERM)
        reap(children)
        self._process = None
        (self.folder / "run" / "master.pid").unlink(missing_ok=True)

    def add_user(self, address: str, password: str) -> None:
        # A file for each user: Dovecot looks only once a second whether one that it knows has changed.
        self._users[address.lower()] = password
        (self.folder / "users" / address.lower()).write_text(f"{address.lower()}:{{PLAIN}}{password}\n")

    def password(self, address: str) -> str:
        return self._users[address.lower()]

    def has_user(self, address: str) -> bool:
        return address.lower() in self._users

    def users(self) -> list[str]:
        return list(self._users)

    def forget_users(self) -> None:
        """Remove every user and all mail."""
        for address in self._users:
            (self.folder / "users" / address).unlink()
        self._users.clear()
        for domain in (self.folder / "mail").iterdir():
            shutil.rmtree(domain)

    def maildir(self, address: str) -> Path:
        local, _, domain = address.lower().rpartition("@")
        return self.folder / "mail" / domain / local / "Maildir"

    def doveadm(self, *words: str, check: bool = True) -> str:
        """Run Dovecot's own tool; its output."""
        done = subprocess.run(
            ["/usr/bin/doveadm", "-c", str(self.configuration), *words], check=False, capture_output=True, timeout=30
        )
        if check and done.returncode:
            raise RuntimeError(f"doveadm {words[0]}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode("utf-8", "replace")

    def kick(self, address: str) -> None:
        """Close every connection of a user, as an operator may."""
        self.doveadm("kick", address, check=False)
