"""`ogis-lra demo`: the whole life of an application in one command, and what it leaves behind (SPEC 5, issue 2).

The demo is played once for all tests here, whichever worker comes first.
"""

import contextlib
import email
import fcntl
import io
import json
import os
import re
import sqlite3
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from daemon import cli
from daemon.demo import story
from daemon.demo.stage import APPROVERS, CENTRE, Clock
from daemon.planning import JST
from parsers.mail import open_mail

CHAPTERS = [
    "新規発行：申請から証明書まで",
    "押印のない申請書と、修正版の再提出",
    "申請書のないメール",
    "再発行と、偽の承認",
    "失効希望日が1か月を超えた申請",
    "登録変更：改姓",
    "自動更新：約2年後",
    "担当変更：失効希望日つき",
    "解約",
    "予約した失効の実施",
]
URL = re.compile(rb"https?://\S+/(?:fetch|f|download)/\S+")


@dataclass(frozen=True)
class Played:
    """What one run of the demo left."""

    folder: Path
    code: int
    told: str

    @property
    def mails(self) -> list[Path]:
        return sorted((self.folder / "mail").iterdir(), key=lambda path: int(path.name.partition("-")[0]))

    @property
    def cases(self) -> list[str]:
        return sorted(path.stem for path in (self.folder / "certificates").glob("*.p12"))

    def password(self, case: str) -> str:
        return (self.folder / "certificates" / f"{case}.password").read_text("ascii").strip()


@pytest.fixture(scope="session")
def played(tmp_path_factory):
    """The demo as a person starts it. Workers of one run share it: the first one plays, the others wait."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, result = shared / "played-demo", shared / "played-demo.json"
    with (shared / "played-demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                code = cli.main(["demo", "--dir", str(folder)])
            result.write_text(json.dumps([code, out.getvalue()]), "utf-8")
    return Played(folder, *json.loads(result.read_text("utf-8")))


def openssl(*words, data=None):
    return subprocess.run(["openssl", *map(str, words)], input=data, capture_output=True, check=False)


@pytest.fixture(scope="session")
def states(played):
    """Every certificate of the register: serial number → state and DER."""
    with contextlib.closing(sqlite3.connect(f"file:{played.folder / 'demo.sqlite'}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT serial, state, der FROM certificates").fetchall()
    return {serial: (state, der) for serial, state, der in rows}


def test_the_demo_ends_0_and_without_a_surprise(played):
    assert played.code == 0
    assert "✗" not in played.told
    assert played.told.count("✓") >= 15


def test_all_ten_chapters_are_told_in_order(played):
    titles = re.findall(r"^■ (\d+)\. (.+)（\d{4}-\d\d-\d\d \d\d:\d\d）$", played.told, re.MULTILINE)
    assert titles == [(str(number), title) for number, title in enumerate(CHAPTERS, 1)]
    times = re.findall(r"^■ \d+\. .+（(.+)）$", played.told, re.MULTILINE)
    assert times == sorted(times)


def test_the_story_says_who_sent_what_and_what_was_decided(played):
    for expected in (
        "承認依頼の本文（抜粋）",
        "返信の1行目：「承認」",
        "（PDF添付）",
        "2通で証明書を開けた",
        "偽の承認では何も起こらず",
    ):
        assert expected in played.told


def test_the_files_of_the_contract_are_there(played):
    left = {path.name for path in played.folder.iterdir()}
    assert {"mail", "certificates", "ca", "demo.sqlite"} <= left
    assert {"root.pem", "issuing.pem", "chain.pem", "issuing.crl"} <= {
        path.name for path in (played.folder / "ca").iterdir()
    }
    assert {path.suffix for path in (played.folder / "certificates").iterdir()} == {".p12", ".password"}
    assert len(played.cases) == 6
    for case in played.cases:
        assert re.fullmatch(r"WEBEC-\d{8}-\d{4}", case)
        assert (played.folder / "certificates" / f"{case}.password").exists()


def test_every_mail_both_ways_is_left_under_number_sender_recipient_and_subject(played):
    names = [path.name for path in played.mails]
    assert [name.partition("-")[0] for name in names] == [f"{number:02d}" for number in range(1, len(names) + 1)]
    for path in played.mails:
        rest = path.name.partition("-")[2]
        mail = open_mail(path.read_bytes())
        sender = mail.senders[0].address
        assert rest.startswith(f"{sender[:36]}-"), path.name
        assert rest.endswith(".eml")
        assert len(path.name.encode()) <= 255, "no file system takes a longer name"
    senders = {open_mail(path.read_bytes()).senders[0].address for path in played.mails}
    assert CENTRE in senders
    assert set(APPROVERS) <= senders
    assert f"メール {len(names)} 通" in played.told


def test_openssl_opens_each_file_with_the_password_of_the_second_mail(played):
    for case in played.cases:
        base = played.folder / "certificates" / case
        opened = openssl("pkcs12", "-in", f"{base}.p12", "-passin", f"file:{base}.password", "-nodes")
        assert opened.returncode == 0, opened.stderr
        assert b"PRIVATE KEY" in opened.stdout
        assert opened.stdout.count(b"BEGIN CERTIFICATE") >= 2, "the chain travels with it"
        wrong = openssl("pkcs12", "-in", f"{base}.p12", "-passin", "pass:wrong", "-nokeys")
        assert wrong.returncode != 0


def test_openssl_accepts_the_living_and_refuses_the_revoked(played, states, tmp_path):
    ca = played.folder / "ca"
    verdicts = {"issued": 0, "revoked": 0}
    for serial, (state, der) in states.items():
        path = tmp_path / f"{serial}.pem"
        path.write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
        done = openssl(
            *("verify", "-x509_strict", "-purpose", "sslclient", "-crl_check"),
            *("-CAfile", ca / "root.pem", "-untrusted", ca / "issuing.pem", "-CRLfile", ca / "issuing.crl", path),
        )
        assert (done.returncode == 0) == (state == "issued"), (state, done.stderr)
        if state == "revoked":
            assert b"certificate revoked" in done.stderr
        verdicts[state] += 1
    assert verdicts["issued"] >= 1
    assert verdicts["revoked"] >= 4
    chained = openssl("verify", "-x509_strict", "-CAfile", ca / "chain.pem", ca / "issuing.pem")
    assert chained.returncode == 0, chained.stderr


def test_the_whole_chain_can_be_checked_against_both_crls(played, states, tmp_path):
    ca = played.folder / "ca"
    living = next(der for state, der in states.values() if state == "issued")
    (tmp_path / "living.pem").write_bytes(x509.load_der_x509_certificate(living).public_bytes(Encoding.PEM))
    (tmp_path / "both.crl").write_bytes((ca / "root.crl").read_bytes() + (ca / "issuing.crl").read_bytes())
    done = openssl(
        *("verify", "-x509_strict", "-purpose", "sslclient", "-crl_check_all", "-CRLfile", tmp_path / "both.crl"),
        *("-CAfile", ca / "chain.pem", tmp_path / "living.pem"),
    )
    assert done.returncode == 0, done.stderr


def parts(raw: bytes) -> bytes:
    """Everything of a mail that a person can read, decoded, after its octets."""
    decoded = [part.get_payload(decode=True) or b"" for part in email.message_from_bytes(raw).walk()]
    return b"\0".join([raw, *decoded])


def test_no_mail_holds_both_the_password_and_the_file_or_its_address(played):
    passwords = {played.password(case).encode() for case in played.cases}
    with_password = with_file = 0
    for path in played.mails:
        content = parts(path.read_bytes())
        holds_password = any(password in content for password in passwords)
        holds_file = any(one.content_type == "application/x-pkcs12" for one in open_mail(path.read_bytes()).attachments)
        assert not (holds_password and (holds_file or URL.search(content))), path.name
        with_password += holds_password
        with_file += holds_file
    assert with_password == with_file == len(played.cases)


def test_each_password_mail_comes_after_its_notice_to_the_same_person_in_another_thread(played):
    for case in played.cases:
        password = played.password(case).encode()
        notice = next(
            index
            for index, path in enumerate(played.mails)
            if any(one.name == f"{case}.p12" for one in open_mail(path.read_bytes()).attachments)
        )
        second = next(index for index, path in enumerate(played.mails) if password in parts(path.read_bytes()))
        assert notice < second
        first_mail, second_mail = (open_mail(played.mails[index].read_bytes()) for index in (notice, second))
        assert first_mail.recipients == second_mail.recipients
        assert (second_mail.date - first_mail.date).total_seconds() >= 0
        assert first_mail.message_id not in second_mail.references + second_mail.in_reply_to
        assert first_mail.subject != second_mail.subject


def test_no_password_is_left_in_database_blobs_or_vault(played):
    passwords = [played.password(case).encode() for case in played.cases]
    searched = [path for path in played.folder.rglob("*") if path.is_file()]
    searched = [path for path in searched if path.relative_to(played.folder).parts[0] not in ("mail", "certificates")]
    assert any(path.name == "demo.sqlite" for path in searched)
    for path in searched:
        content = path.read_bytes()
        for password in passwords:
            assert password not in content, path
            assert password.replace(b"-", b"") not in content, path


def test_no_private_key_of_a_subscriber_is_left_outside_its_file(played):
    kept = [path for path in (played.folder / "centre").rglob("*") if path.is_file()] + [played.folder / "demo.sqlite"]
    files = [(played.folder / "certificates" / f"{case}.p12").read_bytes() for case in played.cases]
    for path in kept:
        content = path.read_bytes()
        assert b"PRIVATE KEY" not in content
        assert not any(file[64:128] in content for file in files), path


def test_a_second_demo_replaces_the_first_and_a_foreign_folder_is_refused(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert cli.main(["demo", "--dir", str(tmp_path)]) == 2
    assert "thesis.txt" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    (tmp_path / "thesis.txt").unlink()
    for name in ("mail", "certificates", "centre"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "old").write_text("from the last time")
    story._sweep(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_in_place_of_the_folder_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cli.main(["demo", "--dir", str(tmp_path / "file")]) == 2
    assert "ogis-lra: " in capsys.readouterr().err


def test_the_clock_of_the_story_does_not_go_back():
    clock = Clock(datetime(2026, 4, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="does not go back"):
        clock.move(datetime(2026, 3, 31, tzinfo=UTC))


@pytest.mark.parametrize(
    "moment",
    [datetime(2028, 2, 29, 0, 0, 20, tzinfo=JST), datetime(2027, 3, 1, 0, 0, 0, tzinfo=JST)],
    ids=["a leap day, just after midnight", "the first of March at midnight"],
)
def test_the_story_goes_as_told_whenever_it_is_watched(tmp_path, moment):
    lines = []
    told = story.play(tmp_path / "demo", say=lines.append, now=moment.astimezone(UTC))
    assert told.surprises == ()
    assert told.mails == len(list((tmp_path / "demo" / "mail").iterdir()))
    assert not [line for line in lines if "✗" in line]
