"""Letters that come back, robots that answer, passwords that are quoted to us: the whole way, through real doors."""

import re
import smtplib
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from sqlalchemy import select

from daemon import audit, cases, schema
from daemon.blobs import BlobMissing
from daemon.demo.stage import APPROVERS, AUTHSERV_ID, CENTRE
from daemon.demo.story import AOZORA, HANAKO
from daemon.draft import LetterKind
from daemon.store import every, one
from parsers.mail import open_mail
from parsers.returned import passwords
from support import returns
from support.applications import HANAKO as HANAKO_IS
from support.applications import TAKERU, application, case_of, certificates, deliver, enrol
from support.real_servers import RealMailServer

FIRST, SECOND = APPROVERS
LETTERS = schema.letters


def bounce_addresses(stage):
    settings = stage.centre.settings
    stage.centre = replace(stage.centre, settings=replace(settings, smtp=replace(settings.smtp, bounce="plus")))


def come_back(stage, raw, *, to=CENTRE):
    """A mail system hands us a mail, as mail systems do: with an empty envelope sender."""
    with smtplib.SMTP(stage.server.host, stage.server.smtp_port, "mx.carrier.example", timeout=20) as client:
        client.sendmail("", [to], raw)
    stage.work()


def mail_to(stage, address, word):
    """The last mail to an address in which a word stands, and its envelope sender."""
    found = [each for each in stage.deliveries if each.recipient == address and word in open_mail(each.content).text]
    return found[-1].content, found[-1].sender


def letter_of(stage, kind):
    with stage.centre.store.transaction() as tx:
        return every(tx, select(LETTERS).where(LETTERS.c.kind == kind).order_by(LETTERS.c.id))[-1]


def password_of(raw):
    (word,) = passwords(open_mail(raw))
    return word


def subjects(stage, address=FIRST):
    return [mail.subject for mail in stage.letters(address)]


def everything_on_disk(folder):
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def kill_is_complete(stage, word):
    """Certificate revoked, on the CRL, told to all staff; the password in no file of ours."""
    ((_, fate),) = certificates(stage)
    assert fate != "live"
    crl = x509.load_der_x509_crl((stage.centre.public / "issuing.crl").read_bytes())
    assert len(list(crl)) == 1
    for address in APPROVERS:
        (told,) = [mail for mail in stage.letters(address) if "パスワードが返ってきました" in mail.subject]
        assert "失効しました" in told.text
    assert word.encode() not in everything_on_disk(stage.folder)
    assert all(word not in open_mail(each.content).text for each in stage.deliveries if each.recipient in APPROVERS)
    for folder in ("INBOX", "LRA-Processed", "LRA-Staff"):
        assert all(word not in passwords(open_mail(raw)) for raw in stage.server.messages(CENTRE, folder))


# --- a password comes back


@pytest.mark.parametrize("build", [lambda raw: returns.dsn(raw, whole=True), returns.qmail, returns.mfilter])
def test_a_password_mail_that_comes_back_with_its_content_kills_the_certificate_and_is_erased(stage, build):
    enrol(stage)
    raw, _ = mail_to(stage, HANAKO, "パスワード")
    word = password_of(raw)
    for address in APPROVERS:
        stage.letters(address)
    come_back(stage, build(raw))
    kill_is_complete(stage, word)
    with stage.centre.store.transaction() as tx:
        row = one(tx, select(schema.mails).order_by(schema.mails.c.id.desc()).limit(1))
        records = [record.kind for record in audit.records(tx)]
    assert row["erased_at"] is not None
    with pytest.raises(BlobMissing):
        stage.centre.blobs.get(row["digest"])
    assert {"password_returned", "certificate_revoked", "mail_erased"} <= set(records)


def test_a_reply_that_quotes_the_password_kills_the_certificate_whoever_sends_it(stage):
    enrol(stage)
    raw, _ = mail_to(stage, HANAKO, "パスワード")
    word = password_of(raw)
    stage.send("nobody@elsewhere.example", "Re: お知らせ", f"届きました。\n\n> 　　{word}\n")
    stage.work()
    kill_is_complete(stage, word)


def test_a_form_in_the_very_mail_that_quotes_a_password_is_an_application_all_the_same(stage):
    enrol(stage)
    raw, _ = mail_to(stage, HANAKO, "パスワード")
    text = f"再発行をお願いします。\n> {password_of(raw)}\n"
    deliver(stage, application("reissue"), text=text)
    kill_is_complete(stage, password_of(raw))
    with stage.centre.store.transaction() as tx:
        waiting = cases.in_state(tx, "awaiting_decision")
        versions = every(tx, select(schema.applications).where(schema.applications.c.case_id == waiting[0].id))
    assert len(waiting) == 1
    assert stage.centre.blobs.get(versions[0]["document"]).startswith(b"%PDF")


def test_a_forged_bounce_kills_nothing_however_much_it_knows(stage):
    """Message-ID, trace, recipient, the exact form of the report: all known, and still not the password."""
    enrol(stage)
    row = letter_of(stage, LetterKind.PASSWORD)
    fake = returns.letter("パスワード\n  Hd3fK-aE7mP-r4TtU-XYn8d-hJ9VC", message_id=row["message_id"])
    come_back(
        stage, returns.dsn(fake, whole=True, envid=row["trace"]), to=f"ogis-lra+bounce-{row['trace']}@lra.example"
    )
    assert [fate for _, fate in certificates(stage)] == ["live"]
    assert letter_of(stage, LetterKind.PASSWORD)["state"] == "bounced"
    assert any("届かなかった通知" in subject for subject in subjects(stage))


def test_a_forged_bounce_that_knows_no_mark_is_shown_to_staff_and_does_nothing(stage):
    enrol(stage)
    come_back(stage, returns.dsn(returns.letter(), envid="a" * 26))
    assert [fate for _, fate in certificates(stage)] == ["live"]
    assert any("不達などの自動メール" in subject for subject in subjects(stage))
    with stage.centre.store.transaction() as tx:
        assert one(tx, select(LETTERS.c.id).where(LETTERS.c.state == "bounced")) is None


# --- a letter comes back


def test_a_notice_that_comes_back_to_its_own_address_stops_the_password(stage):
    bounce_addresses(stage)
    deliver(stage, application("new_issue"))
    stage.approve(2)
    raw, sender = mail_to(stage, HANAKO, "証明書")
    assert re.fullmatch(r"ogis-lra\+bounce-[a-z2-7]{26}@lra\.example", sender)
    for address in APPROVERS:
        stage.letters(address)
    # A report without the Message-ID, as some gateways send it: the address alone ties it.
    come_back(stage, returns.dsn(returns.letter(message_id="<x@gateway.example>"), to=sender), to=sender)
    stage.pass_time(hours=2)
    assert [mail for mail in stage.letters(HANAKO) if passwords(mail)] == []
    (told,) = [mail for mail in stage.letters(FIRST) if "届かなかった通知" in mail.subject]
    assert "WEBEC-20260401-0001" in told.subject
    assert "送信を取りやめました" in told.text
    assert stage.centre.vault.names() == frozenset()
    assert open_mail(raw).attachments
    # The case is not done, and stays where people see it.
    assert case_of(stage, "WEBEC-20260401-0001").state == "fulfilled"


def test_a_dead_approver_alarms_the_other_and_the_request_that_came_back_decides_nothing(stage):
    enrol(stage)
    (number,) = deliver(stage, application("cancellation"))
    request, _ = mail_to(stage, FIRST, "承認")
    stage.letters(SECOND)
    come_back(stage, returns.dsn(request, whole=True, recipient=f"rfc822; {FIRST}"))
    assert any("承認者に届かない通知があります" in subject for subject in subjects(stage, SECOND))
    assert not any("承認者に届かない" in subject for subject in subjects(stage, FIRST))
    assert case_of(stage, number).state == "awaiting_decision"
    alarm, sender = mail_to(stage, SECOND, FIRST)
    assert sender == ""
    before = len(stage.deliveries)
    come_back(stage, returns.dsn(alarm, recipient=f"rfc822; {SECOND}"))
    assert len(stage.deliveries) == before + 1  # the report itself, and nothing in answer to it


# --- robots


def test_two_robots_that_answer_each_other_stop_at_the_ceiling_and_staff_hear_of_it_once(stage):
    robot, most = "tickets@support.example", 6
    answers_an_hour(stage, most)
    stage.send(robot, "お問い合わせ番号 1", "お問い合わせありがとうございます。担当者よりご連絡します。")
    stage.work()
    rounds = 0
    while (answers := stage.letters(robot)) and rounds < 3 * most:
        rounds += 1
        # A ticket system that shows no sign of being one, and opens a new ticket for every mail.
        stage.send(robot, f"お問い合わせ番号 {rounds + 1}", "お問い合わせありがとうございます。", answers=answers[-1])
        stage.clock.move(stage.clock() + timedelta(seconds=20))
        stage.work()
    assert rounds == most
    assert sum("自動返信を止めています" in subject for subject in subjects(stage)) == 1
    with stage.centre.store.transaction() as tx:
        assert len(every(tx, select(schema.mails))) == most + 1


def answers_an_hour(stage, most):
    settings = stage.centre.settings
    policy = replace(settings.policy, answers_per_hour=most)
    stage.centre = replace(stage.centre, settings=replace(settings, policy=policy))


def test_beyond_the_ceiling_a_form_is_taken_in_all_the_same(stage):
    answers_an_hour(stage, 1)
    for person in (HANAKO_IS, TAKERU):
        deliver(stage, application("new_issue", person))
    assert len([mail for mail in stage.letters(AOZORA) if "受付" in mail.subject]) == 1
    assert case_of(stage, "WEBEC-20260401-0002").state == "awaiting_decision"


@pytest.mark.parametrize(
    "fields",
    [{"X-Auto-Response-Suppress": "DR, OOF, AutoReply"}, {"Auto-Submitted": "auto-generated"}, {"Precedence": "bulk"}],
)
def test_signs_of_automatic_mail_on_a_persons_form_never_cost_the_application(stage, fields):
    deliver(stage, application("new_issue"), headers=fields)
    case = case_of(stage, "WEBEC-20260401-0001")
    assert case.state == "awaiting_decision"
    assert case.muted is ("X-Auto-Response-Suppress" not in fields)


# --- a real mail system


def test_postfix_reports_an_unknown_user_and_the_report_is_tied_to_its_letter(centres, clock, tmp_path):
    with RealMailServer(authserv_id=AUTHSERV_ID, clock=clock) as server:
        stage = centres.open(tmp_path / "centre", server, clock)
        try:
            server.refuse(TAKERU.email, "550 5.1.1 User unknown")
            enrol(stage, TAKERU)
            server.settle()
            stage.work()
            row = letter_of(stage, LetterKind.RENEWAL_NOTICE)
            # The password may have left before the report came, and be reported too: each knows its own letter.
            mark = f"Original-Envelope-Id: {row['trace']}".encode()
            (raw,) = [
                mail
                for mail in (*server.messages(CENTRE, "LRA-Staff"), *server.messages(CENTRE))
                if b"delivery-status" in mail and mark in mail
            ]
            server.settle()
            told = [mail for mail in stage.letters(FIRST) if "届かなかった通知" in mail.subject]
        finally:
            stage.centre.close()
    # Postfix was given the trace as envelope identifier, returned the header only, and the report found its letter.
    assert b"application/x-pkcs12" not in raw
    assert row["state"] == "bounced"
    assert row["error"] == "bounced: address 5.1.1"
    assert TAKERU.email in told[0].text
