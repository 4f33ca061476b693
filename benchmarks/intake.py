"""Taking in mail from Dovecot, as ratios to floors taken in the same run (issue 4).

    .venv/bin/python -P benchmarks/intake.py [--mails 1000] [--many] [--rounds 3] [--letters 30]

Four bars, each printed; the last line sums up; exit 1 where one is missed:
  fetch    our mailbox door against bare imaplib, same batch (BATCH_MAILS), same TLS    ≥ 0.6 times as fast
  intake   fetch, durable store, ledger commit, parse, against a minimal script that does the
           same four things (imaplib, sha256, fsynced file with its name, mail-parser and decode,
           one SQLite FULL commit a mail)                                               ≥ 0.8 times as fast
  memory   largest RSS at ten times the mails against that at --mails; with --many only           ≤ 1.3 times
  latency  from the 250 of LMTP to the committed ledger row, the service's own loop, against a
           bare imaplib client in IDLE that fetches the same mail: 95th percentile                ≤ floor + 100 ms

Each measurement is a process of its own. Ours seals each mail under its own key besides, which the floor does not, and
reads it back from the disk before it is parsed. The floor commits each mail alone, after its file and the folder that
names it are synced, since a row whose file a power cut may take away is no durable store; ours syncs the files of a
batch, then the tables of their keys and their folders, then commits their rows together. Needs Dovecot
(tools/install_packages.sh) and root, as the tests do.
"""

import argparse
import base64
import hashlib
import imaplib
import json
import os
import resource
import shutil
import smtplib
import sqlite3
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import mailparser  # noqa: E402 - the path comes first

from config.credentials import Secret  # noqa: E402
from daemon import intake, ledger, loop  # noqa: E402
from daemon.account import Account  # noqa: E402
from daemon.blobs import Blobs  # noqa: E402
from daemon.centre import wall_clock  # noqa: E402
from daemon.imap import Mailbox  # noqa: E402
from daemon.incoming import BATCH_MAILS  # noqa: E402
from daemon.stopping import Stop  # noqa: E402
from parsers.mail import open_mail  # noqa: E402
from support.dovecot import MAIL_USER  # noqa: E402
from support.real_servers import RealMailServer  # noqa: E402
from support.rooms import bare_centre  # noqa: E402

BATCH = BATCH_MAILS
PDF = 150_000
USER, PASSWORD = "ogis-lra@lra.example", "benchmark-password"  # a throw-away server on loopback
FETCH_BAR, INTAKE_BAR, MEMORY_BAR, LATENCY_BAR = 0.6, 0.8, 1.3, 0.1


def mail(number: int) -> bytes:
    """One application mail of some 200 kB; no two have the same bytes."""
    body = base64.encodebytes(b"%PDF-1.7\n" + os.urandom(PDF)).replace(b"\n", b"\r\n")
    return (
        b"Received: from mail.aozora.example by mx.lra.example; Mon, 1 Jun 2026 09:00:00 +0900\r\n"
        b"From: =?utf-8?b?55Sw5Lit?= <tanaka@aozora.example>\r\nTo: " + USER.encode() + b"\r\n"
        b"Subject: =?iso-2022-jp?b?GyRCP0BALxsoQg==?=\r\nDate: Mon, 1 Jun 2026 09:00:00 +0900\r\n"
        b"Message-ID: <" + str(number).encode() + b"@aozora.example>\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n\r\n"
        + "申請いたします。よろしくお願いいたします。\r\n".encode("iso-2022-jp")
        * 5
        + b"--b\r\nContent-Type: application/pdf; name=form.pdf\r\nContent-Disposition: attachment; filename=form.pdf"
        b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body + b"\r\n--b--\r\n"
    )


def fill(server: RealMailServer, count: int) -> None:
    """Put mails straight into the Maildir, as a server that had them for long; Dovecot gives them their UIDs."""
    new = server.dovecot.maildir(USER) / "cur"
    for folder in ("cur", "new", "tmp"):
        (new.parent / folder).mkdir(parents=True, exist_ok=True)
    there = len(list(new.iterdir()))
    for number in range(there, count):
        (new / f"{1_700_000_000 + number}.M{number}P1.bench:2,S").write_bytes(mail(number))
    for path in (server.dovecot.folder / "mail").rglob("*"):
        shutil.chown(path, MAIL_USER, MAIL_USER)


# --- the measured: each is run in a process of its own ----------------------------------------------------------------


def account(where: dict[str, Any]) -> Account:
    return Account(
        host="127.0.0.1",
        port=where["imaps"],
        security="tls",
        username=USER,
        password=Secret(PASSWORD),
        ca_file=Path(where["ca"]),
    )


def plain(where: dict[str, Any]) -> imaplib.IMAP4_SSL:
    client = imaplib.IMAP4_SSL("127.0.0.1", where["imaps"], ssl_context=ssl.create_default_context(cafile=where["ca"]))
    client.login(USER, PASSWORD)
    client.select("INBOX")
    return client


def plain_mails(client: imaplib.IMAP4_SSL) -> Iterator[bytes]:
    uids = client.uid("SEARCH", "ALL")[1][0].split()
    for start in range(0, len(uids), BATCH):
        _, answer = client.uid("FETCH", b",".join(uids[start : start + BATCH]).decode(), "(INTERNALDATE BODY.PEEK[])")
        yield from (part[1] for part in answer if isinstance(part, tuple))


def fetch_floor(where: dict[str, Any]) -> int:
    return sum(1 for _ in plain_mails(plain(where)))


def fetch_ours(where: dict[str, Any]) -> int:
    with Mailbox.open(account(where)) as mailbox:
        return sum(1 for mail in mailbox.mails(mailbox.uids()) for _ in mail.pieces())


def intake_floor(where: dict[str, Any]) -> int:
    folder = Path(where["folder"])
    database = sqlite3.connect(folder / "floor.sqlite", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE mails (digest TEXT UNIQUE, size INTEGER, subject TEXT)")
    names = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    count = 0
    for raw in plain_mails(plain(where)):
        digest = hashlib.sha256(raw).hexdigest()
        descriptor = os.open(folder / digest, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, raw)
        os.fsync(descriptor)
        os.close(descriptor)
        os.fsync(names)
        opened = mailparser.parse_from_bytes(raw)
        for attachment in opened.attachments:
            base64.b64decode(attachment["payload"])
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO mails VALUES (?, ?, ?)", (digest, len(raw), opened.subject))
        database.execute("COMMIT")
        count += 1
    return count


def our_centre(where: dict[str, Any]) -> Any:  # noqa: ANN401 - the rooms of a centre, as tests put them together
    centre = bare_centre(Path(where["folder"]))
    centre.clock, centre.random_bytes, centre.sleep = wall_clock, os.urandom, time.sleep
    centre.blobs = Blobs(Path(where["folder"]) / "blobs", os.urandom)
    centre.account, centre.stop = account(where), Stop()
    centre.open_mailbox = Mailbox.open
    return centre


def intake_ours(where: dict[str, Any]) -> int:
    centre = our_centre(where)
    with centre.open_mailbox(centre.account) as mailbox:
        taken = intake.fetch(centre, mailbox)
    with centre.store.transaction() as tx:
        rows = ledger.unread(tx)
    for row in rows:
        open_mail(centre.blobs.get(row.digest))
    return taken


def listen_floor(where: dict[str, Any]) -> int:
    """A bare client in IDLE: says when it had each mail."""
    client = plain(where)
    known = set(client.uid("SEARCH", "ALL")[1][0].split())
    say(ready=True)
    while len(known) < where["end"]:
        client.send(b"idle1 IDLE\r\n")
        while not client.readline().startswith(b"+"):
            continue
        while b"EXISTS" not in client.readline():
            continue
        client.send(b"DONE\r\n")
        while not client.readline().startswith(b"idle1 "):
            continue
        for uid in client.uid("SEARCH", "ALL")[1][0].split():
            if uid not in known:
                _, answer = client.uid("FETCH", uid.decode(), "(BODY.PEEK[])")
                known.add(uid)
                say(digest=hashlib.sha256(answer[0][1]).hexdigest(), at=time.monotonic())
    return len(known)


def listen_ours(where: dict[str, Any]) -> int:
    """The service's own loop, with its first step only: says when each row was committed."""
    centre = our_centre(where)
    done = 0

    def fetch(_: object, mailbox: Mailbox) -> int:
        nonlocal done
        new = take_in(centre, mailbox)
        at = time.monotonic()
        if new:
            with centre.store.transaction() as tx:
                for row in ledger.unread(tx)[-new:]:
                    say(digest=row.digest, at=at)
            done += new
        if done >= where["end"]:
            centre.stop.request()
        return new

    read_end, _ = os.pipe()
    take_in, intake.fetch = intake.fetch, fetch
    loop.STEPS = (("fetch", partial(loop._in_mailbox, fetch)),)  # noqa: SLF001 - the loop itself is measured
    with centre.open_mailbox(centre.account) as mailbox:
        take_in(centre, mailbox)
    say(ready=True)
    loop.run(centre, centre.stop, read_end)
    return done


MEASURED: dict[str, Callable[[dict[str, Any]], int]] = {
    each.__name__: each for each in (fetch_floor, fetch_ours, intake_floor, intake_ours, listen_floor, listen_ours)
}


def say(**values: object) -> None:
    print(json.dumps(values), flush=True)


def child(name: str, where: dict[str, Any]) -> None:
    began = time.perf_counter()
    count = MEASURED[name](where)
    seconds = time.perf_counter() - began
    cpu = time.process_time()
    say(count=count, seconds=seconds, cpu=cpu, rss=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


# --- the bars ---------------------------------------------------------------------------------------------------------


def start(name: str, where: dict[str, Any], folder: Path) -> subprocess.Popen[str]:
    folder.mkdir(parents=True)
    words = [sys.executable, "-P", __file__, "--child", name, "--where", json.dumps(where | {"folder": str(folder)})]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def measure(name: str, where: dict[str, Any], folder: Path, expected: int) -> dict[str, float]:
    process = start(name, where, folder)
    out, _ = process.communicate()
    shutil.rmtree(folder)
    found: dict[str, float] = json.loads(out.splitlines()[-1])
    if found["count"] != expected:
        raise SystemExit(f"{name}: {found['count']} mails instead of {expected}")
    return found


def versus(what: str, where: dict[str, Any], scratch: Path, count: int, rounds: int) -> tuple[float, float]:
    """The median ratio of speeds over rounds that alternate, and our largest RSS in MB."""
    ratios, rss = [], 0.0
    for number in range(rounds):
        floor = measure(f"{what}_floor", where, scratch / f"{what}{count}f{number}", count)
        ours = measure(f"{what}_ours", where, scratch / f"{what}{count}o{number}", count)
        ratios.append(floor["seconds"] / ours["seconds"])
        rss = max(rss, ours["rss"])
        print(
            f"  {what} {count}: floor {count / floor['seconds']:.0f}/s ({floor['rss']:.0f} MB), "
            f"ours {count / ours['seconds']:.0f}/s ({ours['rss']:.0f} MB), ratio {ratios[-1]:.2f} "
            f"(of CPU time {floor['cpu'] / ours['cpu']:.2f})"
        )
    return statistics.median(ratios), rss


def latency(server: RealMailServer, where: dict[str, Any], scratch: Path, letters: int) -> tuple[float, float]:
    """95th percentiles in seconds: the bare client's and ours, over the very same mails."""
    server.dovecot.kick(USER)
    shutil.rmtree(server.dovecot.maildir(USER))
    listeners = {
        name: start(name, where | {"end": letters}, scratch / name) for name in ("listen_floor", "listen_ours")
    }
    for process in listeners.values():
        assert process.stdout is not None
        process.stdout.readline()
    time.sleep(1.0)
    accepted = {}
    with smtplib.LMTP("127.0.0.1", server.dovecot.lmtp_port) as client:
        for number in range(letters):
            raw = mail(number)
            client.sendmail("tanaka@aozora.example", [USER], raw)
            accepted[b"<%d@aozora.example>" % number] = time.monotonic()
            time.sleep(1.5)
    client_view = dict(enumerate(accepted.values()))
    tails = []
    for name in ("listen_floor", "listen_ours"):
        out, _ = listeners[name].communicate(timeout=120)
        said = [json.loads(line) for line in out.splitlines()]
        times = [each["at"] for each in said if "at" in each]
        waits = sorted(at - client_view[index] for index, at in enumerate(times))
        if len(waits) != letters:
            raise SystemExit(f"{name}: {len(waits)} of {letters} mails")
        tails.append(waits[int(0.95 * (letters - 1))])
        print(f"  {name}: p50 {statistics.median(waits) * 1000:.0f} ms, p95 {tails[-1] * 1000:.0f} ms")
    return tails[0], tails[1]


def main(arguments: argparse.Namespace) -> int:
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    told, missed = [], []

    def judge(name: str, words: str, *, within: bool) -> None:
        told.append(f"{name} {words}")
        if not within:
            missed.append(name)

    with RealMailServer() as server, tempfile.TemporaryDirectory(prefix="ogis-lra-bench-") as scratch:
        server.add_mailbox(USER, PASSWORD)
        where = {"imaps": server.imaps_port, "ca": str(server.ca_file)}
        count, rounds, folder = arguments.mails, arguments.rounds, Path(scratch)
        if count:
            fill(server, count)
            ratio, _ = versus("fetch", where, folder, count, rounds)
            judge("fetch", f"{ratio:.2f}×", within=ratio >= FETCH_BAR)
            ratio, few = versus("intake", where, folder, count, rounds)
            judge("intake", f"{ratio:.2f}×", within=ratio >= INTAKE_BAR)
            if arguments.many:
                fill(server, 10 * count)
                fetch, _ = versus("fetch", where, folder, 10 * count, 1)
                judge("fetch of ten times as many", f"{fetch:.2f}×", within=fetch >= FETCH_BAR)
                ratio, many = versus("intake", where, folder, 10 * count, 1)
                judge("intake of ten times as many", f"{ratio:.2f}×", within=ratio >= INTAKE_BAR)
                judge("memory", f"{many / few:.2f}× ({few:.0f} → {many:.0f} MB)", within=many / few <= MEMORY_BAR)
        if arguments.letters:
            floor, ours = latency(server, where, folder, arguments.letters)
            words = f"p95 {ours * 1000:.0f} ms, floor {floor * 1000:.0f} ms"
            judge("latency", words, within=ours <= floor + LATENCY_BAR)
    print("; ".join(told) + (f"; missed: {', '.join(missed)}" if missed else ""))
    return int(bool(missed))


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--mails", type=int, default=1000)
    options.add_argument("--many", action="store_true", help="ten times as many as well, for the memory")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--letters", type=int, default=30)
    options.add_argument("--child", help=argparse.SUPPRESS)
    options.add_argument("--where", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.child:
        child(given.child, json.loads(given.where))
    else:
        sys.exit(main(given))
