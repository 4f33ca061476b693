"""Mails made to be hard: each has a clear outcome, and the application behind them is a case all the same."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

from sqlalchemy import select

from daemon import ledger, schema
from daemon.demo.stage import CENTRE
from daemon.demo.story import AOZORA
from daemon.store import every
from support.centres import form

HEAD = b"From: stranger@elsewhere.example\r\nSubject: x\r\nMessage-ID: <%d@x>\r\nMIME-Version: 1.0\r\n"
ROOT = Path(__file__).resolve().parents[2]


def many_attachments():
    part = b"--b\r\nContent-Type: application/pdf; name=%d.pdf\r\n\r\n%%PDF-1.4\r\n"
    parts = b"".join(part % number for number in range(10_000))
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts + b"--b--\r\n"


def deep_nesting():
    level = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"
    return b"".join(level % (number, number) for number in range(1000)) + b"Content-Type: text/plain\r\n\r\nx\r\n"


def long_header():
    return b"X-Long: " + b"a" * 20_000_000 + b"\r\n\r\nbody\r\n"


def zip_bomb():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.pdf", b"\0" * 50_000_000)
    attached = b"Content-Type: application/zip\r\nContent-Disposition: attachment; filename=a.zip\r\n"
    return attached + b"Content-Transfer-Encoding: binary\r\n\r\n" + packed.getvalue().replace(b"\n", b"\r\n")


def test_hard_mails_have_an_outcome_and_the_application_behind_them_is_a_case(stage):
    centre = stage.centre
    for number, make in enumerate((many_attachments, deep_nesting, long_header, zip_bomb)):
        # Put into the ledger as fetched: the embedded server cannot take all of them.
        raw, now = HEAD % number + make(), centre.clock()
        with centre.store.transaction() as tx:
            ledger.add(tx, digest=centre.blobs.put(raw), size=len(raw), arrived_at=now, now=now)
    stage.send(AOZORA, "新規発行", "お願いします", pdf=form(stage, "new_issue_hanako"))
    for _ in range(5):
        stage.work()
    with stage.centre.store.transaction() as tx:
        mails = every(tx, select(schema.mails).order_by(schema.mails.c.id))
        cases = every(tx, select(schema.cases.c.applicant_company))
    assert len(mails) == 5
    assert {row["state"] for row in mails} <= {"read", "held"}
    assert all(row["outcome"] for row in mails)
    assert all(row["folder"] == "LRA-Staff" for row in mails[:4]), "a person sees each of them"
    assert "あおぞら電機株式会社" in {row["applicant_company"] for row in cases}
    assert stage.server.messages(CENTRE) == []


STORE = """
import os, resource, sys
sys.path[:0] = [sys.argv[1]]
from pathlib import Path
from daemon.blobs import Blobs
grown = 64 * 1024 * 1024
used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
resource.setrlimit(resource.RLIMIT_AS, (used + grown, used + grown))
blobs = Blobs(Path(sys.argv[2]) / "blobs", os.urandom)
chunk = os.urandom(4 * 1024 * 1024)
stored = blobs.put_stream(chunk for _ in range(50))
print(stored.size, sum(len(piece) for piece in blobs.stream(stored.digest)))
"""


def test_a_mail_of_200_mb_is_stored_and_given_back_within_64_mb_of_memory(tmp_path):
    done = subprocess.run(
        [sys.executable, "-P", "-c", STORE, str(ROOT), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.split() == [str(200 * 1024 * 1024)] * 2
