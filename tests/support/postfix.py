"""Postfix 3.7 as a child process on loopback: inbound SMTP, submission with STARTTLS and with TLS.

Trusts: Debian's package; root, because the master process gives its children the user postfix.
Promises: as `dovecot.py`. Local users, their domains and who may send as whom are asked from the test's own process by
the socketmap protocol (socketmap_table(5)), so that a mailbox made now is known now.
Its master is started directly, without the `postfix` command, whose check of the whole installation takes two seconds.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from support.processes import children_of, die_with_parent, free_ports, reap, wait_for_greeting

DAEMONS = Path("/usr/lib/postfix/sbin")
LARGEST = 256 * 1024 * 1024

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
daemon_directory = {daemons}
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = {name}
mydestination =
mynetworks =
myorigin = {name}
alias_maps =
alias_database =
local_recipient_maps =
local_header_rewrite_clients =
biff = no
recipient_delimiter = +
message_size_limit = {largest}
mailbox_size_limit = 0
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 1000
smtpd_client_connection_count_limit = 0
virtual_mailbox_domains = socketmap:inet:127.0.0.1:{map_port}:domains
virtual_mailbox_maps = socketmap:inet:127.0.0.1:{map_port}:mailboxes
smtpd_sender_login_maps = socketmap:inet:127.0.0.1:{map_port}:senders
virtual_transport = lmtp:inet:127.0.0.1:{stamp_port}
default_transport = lmtp:inet:127.0.0.1:{stamp_port}
lmtp_destination_recipient_limit = 1
lmtp_destination_concurrency_limit = 4
lmtp_connection_cache_on_demand = no
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_sasl_type = dovecot
smtpd_sasl_path = {sasl}
smtpd_sasl_authenticated_header = yes
smtpd_sasl_security_options = noanonymous
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
in_flow_delay = 0
"""

MASTER = """
127.0.0.1:{smtp_port} inet n - n - - smtpd
127.0.0.1:{submission_port} inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
  -o smtpd_sender_restrictions=reject_authenticated_sender_login_mismatch
127.0.0.1:{submissions_port} inet n - n - - smtpd
  -o syslog_name=postfix/submissions
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
  -o smtpd_sender_restrictions=reject_authenticated_sender_login_mismatch
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

# Where a mail may lie on its way through, in the order it goes.
QUEUES = ("maildrop", "incoming", "active", "deferred")


class Postfix:
    """One Postfix with a queue of its own in `folder`."""

    def __init__(
        self, folder: Path, *, name: str, certificate: Path, key: Path, sasl: Path, map_port: int, stamp_port: int
    ) -> None:
        self.folder = folder
        self.smtp_port, self.submission_port, self.submissions_port = free_ports(3)
        self._process: subprocess.Popen[bytes] | None = None
        _make_queue(folder)
        values = {
            "folder": folder,
            "daemons": DAEMONS,
            "name": name,
            "largest": LARGEST,
            "certificate": certificate,
            "key": key,
            "sasl": sasl,
            "map_port": map_port,
            "stamp_port": stamp_port,
            "smtp_port": self.smtp_port,
            "submission_port": self.submission_port,
            "submissions_port": self.submissions_port,
        }
        for file, text in (("main.cf", MAIN), ("master.cf", MASTER)):
            (folder / file).write_text(text.format(**values))
            # Postfix waits until a configuration file is some seconds old, lest it reads one that is half written.
            os.utime(folder / file, (time.time() - 60, time.time() - 60))

    def start(self) -> None:
        for attempts_left in (2, 1, 0):
            self._launch()
            try:
                wait_for_greeting(self._process, self.smtp_port, self.folder / "postfix.log")
            except RuntimeError:
                # A master that just ended may still hold the lock of the queue.
                if not attempts_left:
                    raise
                self.stop(hard=True)
            else:
                return

    def _launch(self) -> None:
        self._process = subprocess.Popen(
            [str(DAEMONS / "master"), "-c", str(self.folder), "-s"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "MAIL_CONFIG": str(self.folder)},
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call
        )

    def stop(self, *, hard: bool = False) -> None:
        """End all its processes; what is in the queue stays there for the next start."""
        if self._process is None:
            return
        children = children_of(self._process.pid)
        if hard:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.send_signal(signal.SIGTERM)  # the master passes it on to its process group
        self._process.wait(20)
        reap(children)
        self._process = None

    def queued(self) -> int:
        """How many mails are on their way. Looked at in the order they go, so that none slips through."""
        return sum(_count(self.folder / "spool" / name) for name in QUEUES)

    def settle(self, seconds: float) -> None:
        """Return when nothing is on its way: at once while it is stopped, since what lies in its queue then goes nowhere.
        Twice empty: a bounce begins before the mail it is about ends."""
        until = time.monotonic() + seconds
        empty = 0
        while self._process is not None and empty < 2:
            empty = 0 if self.queued() else empty + 1
            if time.monotonic() > until:
                log = (self.folder / "postfix.log").read_text("utf-8", "replace").splitlines()
                raise RuntimeError("\n".join((f"{self.queued()} mails are stuck in Postfix's queue", *log[-30:])))
            if not empty:
                time.sleep(0.005)


def _count(folder: Path) -> int:
    found = 0
    for entry in os.scandir(folder):
        # Deferred mail lies in folders named after the first character of its queue id.
        if entry.is_dir(follow_symlinks=False):
            found += _count(Path(entry.path))
            continue
        with contextlib.suppress(FileNotFoundError):  # it has just left
            # A file becomes executable when it is complete; what a kill left incomplete, Postfix never delivers.
            found += bool(entry.stat(follow_symlinks=False).st_mode & 0o100)
    return found


def _make_queue(folder: Path) -> None:
    """The folders that `postfix check` would make, with the owners that its processes insist on."""
    spool = folder / "spool"
    spool.mkdir()
    (spool / "pid").mkdir()
    (folder / "data").mkdir()
    shutil.chown(folder / "data", "postfix", "postfix")
    names = (
        "active",
        "bounce",
        "corrupt",
        "defer",
        "deferred",
        "flush",
        "hold",
        "incoming",
        "private",
        "saved",
        "trace",
    )
    for name in names:
        (spool / name).mkdir(mode=0o700)
        shutil.chown(spool / name, "postfix", "root")
    for name, mode in (("maildrop", 0o730), ("public", 0o710)):
        (spool / name).mkdir()
        shutil.chown(spool / name, "postfix", "postdrop")
        (spool / name).chmod(mode)
