"""Mails that are made to be too much, through the whole intake of the real service: `make soak` plays them in full.

`python -P -m failure.giants --report docs/soak/giants.md` puts each giant into the mailbox, an ordinary application
behind it, and lets the service work. Told are the time until the ordinary application was answered, the time until
all was done, the most memory of the service process, and what became of the giant. `tests/failure/test_giants.py`
does the same with smaller ones.
"""

import argparse
import base64
import io
import os
import platform
import sqlite3
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from daemon.demo.stage import APPROVERS, CENTRE
from daemon.demo.story import AOZORA
from failure.kill_all import Theatre
from support.centres import Centres
from support.kills import KilledLife, Plan, Zygote, close_worlds, life_of

_HEAD = (
    b"From: <hirayama@minato-shoji.example>\r\nTo: <ogis-lra@lra.example>\r\nSubject: giant\r\n"
    b"Date: Thu, 02 Apr 2026 10:00:00 +0900\r\nMessage-ID: <giant@minato-shoji.example>\r\nMIME-Version: 1.0\r\n"
)
_PART = b"Content-Type: application/octet-stream; name=a.bin\r\nContent-Disposition: attachment; filename=a.bin\r\n"


def large(octets: int) -> bytes:
    """One attachment, base64, so that the mail has about so many octets."""
    line = base64.b64encode(bytes(range(57))) + b"\r\n"
    return (
        _HEAD
        + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
        + _PART
        + b"Content-Transfer-Encoding: base64\r\n\r\n"
        + line * (octets // len(line))
        + b"--b--\r\n"
    )


def many(parts: int) -> bytes:
    """So many small attachments."""
    body = b"--b\r\n" + _PART + b"\r\nx\r\n"
    return _HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + body * parts + b"--b--\r\n"


def nested(depth: int) -> bytes:
    """A multipart within a multipart, so deep."""
    opening = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(depth)
    )
    closing_lines = b"".join(b"\r\n--b%d--\r\n" % level for level in reversed(range(depth)))
    return _HEAD + opening + b"Content-Type: text/plain\r\n\r\nx" + closing_lines


def bomb(octets: int) -> bytes:
    """A zip file of a few thousand octets that unpacks to so many, under the name of a form."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("form.pdf", "w") as member:
        member.write(b"%PDF-1.7\n")
        for _ in range(octets >> 20):
            member.write(bytes(1 << 20))
    return (
        _HEAD
        + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: application/zip; name=form.zip\r\n'
        + b"Content-Disposition: attachment; filename=form.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(packed.getvalue()).replace(b"\n", b"\r\n")
        + b"--b--\r\n"
    )


def headed(octets: int) -> bytes:
    """A header of so many octets, in folded lines."""
    return _HEAD + b"X-Long: a\r\n" + (b" " + b"x" * 75 + b"\r\n") * (octets // 78) + b"\r\nbody\r\n"


GIANTS: dict[str, tuple[Callable[[int], bytes], int, int]] = {
    "large": (large, 200_000_000, 20_000_000),
    "many attachments": (many, 10_000, 2_000),
    "deep nesting": (nested, 1_000, 150),  # the embedded server itself gives up at some hundreds
    "zip bomb": (bomb, 2_000_000_000, 200_000_000),
    "long header": (headed, 20_000_000, 2_000_000),
}
"""By name: how it is made, its size in full (issue 4), and the size in `make test`."""


@dataclass
class Told:
    """What happened."""

    name: str
    octets: int
    answered: float
    whole: float
    cpu: float
    before: int
    most: int
    outcome: str
    to_sender: int
    to_staff: int
    application: str


def play(life: KilledLife, name: str, mail: bytes) -> Told:
    """One giant and, behind it, an ordinary application."""
    life.work("start")
    assert life.running is not None
    before, spent = life.running.memory(), life.running.cpu()
    life.server.append(CENTRE, mail)
    life.apply()
    life.server.settle()
    arrived: dict[str, float] = {}
    life.server.on_delivery(lambda each: arrived.setdefault(each.recipient, time.monotonic()))
    began = time.monotonic()
    life.work("giant")
    whole = time.monotonic() - began
    most, spent = life.running.memory(most=True), life.running.cpu() - spent
    with closing(sqlite3.connect(life.folder / "demo.sqlite")) as database:
        rows = database.execute("SELECT size, state, outcome, folder FROM mails ORDER BY id").fetchall()
        (case,) = database.execute("SELECT state FROM cases ORDER BY id DESC LIMIT 1").fetchone()
    giant = next((row for row in rows if row[0] == len(mail)), None)
    letters = [each.recipient for each in life.delivered]
    return Told(
        name,
        len(mail),
        arrived.get(AOZORA, float("inf")) - began,
        whole,
        spent,
        before,
        most,
        f"{giant[1]}, {giant[2] or 'no outcome'}, {giant[3]}" if giant else "not in the ledger",
        letters.count("hirayama@minato-shoji.example"),
        sum(letters.count(address) for address in APPROVERS),
        str(case),
    )


def main() -> int:
    """All of them, over Dovecot, and the report."""
    parser = argparse.ArgumentParser(description="mails that are too much")
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--server", default="dovecot-postfix")
    parser.add_argument("--small", action="store_true", help="the sizes of `make test`")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ogis-lra-giants-"))
    Theatre.build(folder)
    (folder / "memory").mkdir()
    lines = [
        "# Mails that are too much",
        "",
        "Written by `make soak` (`tests/failure/giants.py`): each lies in the mailbox before an ordinary application, and",
        (
            f"the service works. {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}, over"
            f" {chosen.server}; load of the machine {os.getloadavg()[0]:.0f}."
        ),
        "",
        (
            "| mail | octets | ordinary application answered after (s) | all done after (s) | of it processor time of the service (s) |"
            " service RSS before (MB) | most (MB) | became of it | letters to sender | letters to staff | ordinary application |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    with Zygote() as zygote:
        for name, (make, full, small) in GIANTS.items():
            for each, mail in (("(warm)", b""), (name, make(small if chosen.small else full))):
                if each == "(warm)" and name != "large":
                    continue
                place = folder / f"life-{len(lines)}-{len(mail)}"
                with life_of(
                    zygote, Centres(folder / "registered"), place, chosen.server, Plan(memory=folder / "memory")
                ) as life:
                    if not mail:
                        life.live()
                        continue
                    try:
                        told = play(life, name, mail)
                    except Exception as error:  # noqa: BLE001 - a giant that broke the run is what is to be told
                        lines.append(f"| {name} | {len(mail)} | broke the run: {type(error).__name__} |")
                        print(lines[-1], str(error)[-1500:], flush=True)
                        continue
                    lines.append(
                        f"| {told.name} | {told.octets} | {told.answered:.1f} | {told.whole:.1f} |"
                        f" {told.cpu:.1f} | {told.before >> 20} | {told.most >> 20} | {told.outcome} | {told.to_sender} | {told.to_staff} |"
                        f" {told.application} |"
                    )
                    print(lines[-1], flush=True)
    close_worlds()
    chosen.report.parent.mkdir(parents=True, exist_ok=True)
    chosen.report.write_text("\n".join(lines) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
