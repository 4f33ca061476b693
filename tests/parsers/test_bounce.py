"""Delivery reports: what a mail system says became of a letter is understood, and nothing else is taken for it."""

import base64
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers import bounce_words
from parsers.bounce import Action, Cause, DeliveryReport, cause_of, read_report
from parsers.mail import open_mail
from parsers.returned import holds_password, marks, own_text, passwords, passwords_in
from support import returns
from support.returns import DEAD, FREE_TEXTS, dsn, letter, plain

ID = "<00112233445566778899aabbccddeeff@lra.example>"
SECRET = "Hd3fK-aE7mP-r4TtU-XYn8d-hJ9VC"
SENT = letter()
HOLDING = letter(f"パスワード\n\n    {SECRET}\n")


def report(raw):
    return read_report(open_mail(raw))


# --- RFC 3464


def test_a_report_in_fields_tells_recipient_action_code_and_envelope_id():
    found = report(dsn(SENT, envid="abc+2Bdef"))
    assert found == DeliveryReport(Action.FAILED, Cause.ADDRESS, DEAD, "5.1.1", "abc+def", "rfc3464")


@pytest.mark.parametrize("action", Action)
def test_every_action_is_told_apart(action):
    assert report(dsn(SENT, action=action.value)).action is action


@pytest.mark.parametrize(
    ("action", "status", "diagnostic", "expected"),
    [
        ("", "5.1.1", "smtp; 550", "failed"),
        ("", "4.4.1", "smtp; 451", "delayed"),
        ("", "2.0.0", "", "delivered"),
        ("", "", "smtp; 550 no such user", "failed"),
        ("配信失敗", "5.0.0", "", "failed"),
        ("Failed (permanent)", "5.0.0", "", "failed"),
    ],
)
def test_a_report_without_a_known_action_is_judged_by_its_code(action, status, diagnostic, expected):
    assert report(dsn(SENT, action=action, status=status, diagnostic=diagnostic)).action == expected


def test_a_code_of_the_temporary_kind_is_never_a_failure_unless_the_report_says_so():
    assert report(dsn(SENT, action="", status="4.2.2")).action is Action.DELAYED
    assert report(dsn(SENT, action="failed", status="4.4.7")).action is Action.FAILED


@pytest.mark.parametrize(
    ("status", "text", "cause"),
    [
        ("5.1.1", "", "address"),
        ("5.1.8", "", "refused"),
        ("5.2.1", "", "address"),
        ("5.2.2", "", "full"),
        ("5.3.4", "", "too_large"),
        ("4.4.7", "", "unreachable"),
        ("5.7.26", "", "refused"),
        ("5.0.0", "550 user unknown", "address"),
        ("5.5.0", "mailbox quota exceeded", "full"),
        ("", "宛先が見つかりませんでした", "address"),
        ("5.0.0", "", "unknown"),
    ],
)
def test_the_cause_comes_from_the_code_and_from_the_words_where_the_code_is_vague(status, text, cause):
    assert cause_of(status, text) == cause


def test_a_report_in_utf_8_gives_the_address_its_letters():
    raw = dsn(
        SENT,
        status_type="message/global-delivery-status",
        recipient=r"utf-8; \x{5C71}\x{7530}@aozora-denki.example",
    )
    assert report(raw).recipient == "山田@aozora-denki.example"
    assert report(raw).form == "rfc3464"


def test_the_worst_of_several_recipients_counts():
    more = f"{DEAD}\r\nAction: delivered\r\nStatus: 2.0.0\r\n\r\nFinal-Recipient: rfc822; second@aozora-denki.example"
    found = report(dsn(SENT, recipient=f"rfc822; {more}"))
    assert (found.action, found.recipient) == (Action.FAILED, "second@aozora-denki.example")


@pytest.mark.parametrize(
    "change",
    [
        {"per_message": "Reporting-MTA: dns; mx.carrier.example\r\nX-Broken line\r\n: empty\r\n folded"},
        {"status_type": "text/plain; name=details.txt"},
        {"status_type": "application/octet-stream"},
        {"report": "multipart/report"},
        {"report": "multipart/mixed"},
    ],
    ids=["odd lines", "as text", "as octets", "no report-type", "mixed"],
)
def test_a_malformed_report_is_a_report_all_the_same(change):
    found = report(dsn(SENT, **change))
    assert (found.action, found.recipient, found.status) == (Action.FAILED, DEAD, "5.1.1")


def test_a_report_without_the_blank_line_between_its_groups_is_read():
    raw = dsn(SENT, envid="abc").replace(b"Original-Envelope-Id: abc\r\n\r\n", b"Original-Envelope-Id: abc\r\n")
    assert (report(raw).envid, report(raw).recipient) == ("abc", DEAD)


def test_a_status_part_in_base64_is_read():
    fields = f"Reporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; {DEAD}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    whole = dsn(SENT)
    start = whole.index(b"Reporting-MTA")
    end = whole.index(b"\r\n\r\n--B\r\nContent-Type: text/rfc822-headers")
    coded = base64.encodebytes(fields.encode()).replace(b"\n", b"\r\n")
    assert report(whole[:start] + coded + whole[end:]).recipient == DEAD


def test_a_report_inside_a_report_is_found():
    inner = dsn(SENT)
    outer = (
        b"Return-Path: <>\r\nFrom: postmaster@gateway.example\r\nTo: ogis-lra@lra.example\r\nSubject: Fwd\r\n"
        b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="O"\r\n\r\n--O\r\n'
        b"Content-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--O--\r\n"
    )
    assert report(outer).recipient == DEAD
    assert ID in marks(open_mail(outer)).message_ids


def test_a_report_that_a_person_forwards_is_a_persons_mail():
    forwarded = (
        b"From: tanaka@aozora-denki.example\r\nTo: ogis-lra@lra.example\r\nSubject: Fwd: Undelivered\r\n"
        b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="O"\r\n\r\n--O\r\n'
        b"Content-Type: message/rfc822\r\n\r\n" + dsn(SENT) + b"\r\n--O--\r\n"
    )
    assert report(forwarded) is None


# --- free text


@pytest.mark.parametrize("name", FREE_TEXTS)
def test_a_report_in_free_words_is_understood_and_names_the_letter(name):
    build, cause, status = FREE_TEXTS[name]
    mail = open_mail(build(SENT))
    found = read_report(mail)
    assert (found.action, found.cause, found.status) == (Action.FAILED, cause, status)
    assert found.recipient.endswith(".example")
    assert found.recipient != returns.CENTRE
    assert ID in marks(mail).message_ids


def test_exchange_in_japanese_is_read_by_its_fields():
    found = report(returns.exchange(SENT))
    assert (found.action, found.cause, found.status) == (Action.FAILED, Cause.ADDRESS, "5.1.10")


def test_a_delay_is_no_failure():
    assert report(returns.exim_delay(SENT)).action is Action.DELAYED
    assert report(dsn(SENT, action="delayed", status="4.4.1")).action is Action.DELAYED
    text = "まだ配信されていません。引き続き配信を試みます。送信できない場合は、あらためてお知らせします。"
    assert report(plain(text, subject="=?utf-8?B?6YWN5L+h6YGF5bu2?=")).action is Action.DELAYED


def test_the_words_of_the_returned_letter_are_not_the_words_of_the_report():
    told = letter("このアドレスは存在しません。配信できません。")
    text = f"ok\n\nReturn-Path: <x@lra.example>\n{told.decode().replace(chr(13), '')}"
    assert report(plain(text, subject="Message received")) is None
    assert own_text(open_mail(plain(text))).strip() == "ok"


@pytest.mark.parametrize("fields", ["Auto-Submitted: auto-replied\r\n", "", "X-Autoreply: yes\r\n"])
def test_an_out_of_office_answer_is_no_failure(fields):
    assert report(returns.vacation(SENT, fields=fields)) is None


@pytest.mark.parametrize("kind", ["disposition-notification", "feedback-report"])
def test_read_reports_and_complaints_are_no_failures(kind):
    assert report(dsn(SENT, report=f"multipart/report; report-type={kind}")) is None


@pytest.mark.parametrize("sender", ["tanaka@aozora-denki.example", "postmaster@lra.example"])
def test_a_person_who_writes_about_a_bounce_is_no_mail_system(sender):
    raw = plain("メールが配信できませんでした。\nFinal-Recipient: rfc822; a@b.example\nAction: failed\n", sender=sender)
    raw = raw.replace(b"Return-Path: <>\r\n", b"").replace(b"failure notice", b"question")
    assert (report(raw) is None) is (not sender.startswith("postmaster"))


def test_every_phrase_is_written_as_it_is_looked_for():
    phrases = [
        *bounce_words._FINAL,
        *bounce_words._DELAYED,
        *bounce_words._FAILED,
        *(each for _, words in bounce_words._CAUSES for each in words),
    ]
    assert [each for each in phrases if each != " ".join(each.lower().split())] == []
    assert {cause for cause, _ in bounce_words._CAUSES} | {Cause.UNKNOWN} == set(Cause)


# --- what of ours comes back


def test_the_marks_of_a_letter_are_found_by_address_and_by_message_id():
    token = "a" * 26
    to = f"ogis-lra+bounce-{token}@lra.example"
    found = marks(open_mail(dsn(SENT, to=to)))
    assert to in found.addresses
    assert found.message_ids[0] == ID


@pytest.mark.parametrize(
    "raw",
    [
        dsn(HOLDING, whole=True),
        returns.qmail(HOLDING),
        returns.old_sendmail(HOLDING),
        returns.mfilter(HOLDING),
        plain(f"> パスワード\n>\n> 　　{SECRET}\n", sender=DEAD, subject="Re: x"),
        plain(f"パスワードは{SECRET}です", sender=DEAD),
        plain(f"{SECRET.translate(str.maketrans('-', '－'))}", sender=DEAD),
        plain("x", sender=DEAD, subject=SECRET),
        plain("\n".join(f"> {line}" for line in HOLDING.decode().split("\r\n")), sender=DEAD),
    ],
    ids=["whole report", "qmail", "sendmail", "gateway", "quoted", "in words", "full width", "subject", "raw, quoted"],
)
def test_a_password_that_comes_back_is_found_however_it_is_wrapped(raw):
    assert SECRET in passwords(open_mail(raw))


def test_a_password_in_a_forwarded_mail_or_a_text_file_is_found():
    for kind, data in (("message/rfc822", HOLDING), ('text/plain; name="x.txt"', SECRET.encode())):
        raw = (
            (
                b"From: tanaka@aozora-denki.example\r\nTo: ogis-lra@lra.example\r\nSubject: Fwd\r\nMIME-Version: 1.0\r\n"
                b'Content-Type: multipart/mixed; boundary="O"\r\n\r\n--O\r\nContent-Type: '
                + kind.encode()
                + b"\r\n\r\n"
            )
            + data
            + b"\r\n--O--\r\n"
        )
        assert SECRET in passwords(open_mail(raw))


def test_headers_alone_hold_no_password():
    assert passwords(open_mail(dsn(HOLDING))) == frozenset()


def test_signs_in_front_do_not_hide_a_password():
    assert SECRET in passwords_in(f"aaaaa-{SECRET}")
    assert SECRET in passwords_in(f"xx{SECRET}yy")


def test_an_attachment_with_a_password_is_known_and_a_document_is_not_looked_into():
    raw = (
        b"From: a@aozora-denki.example\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="O"\r\n\r\n--O\r\nContent-Type: text/plain; name="a.txt"\r\n\r\n'
        + SECRET.encode()
        + b'\r\n--O\r\nContent-Type: application/pdf; name="b.pdf"\r\n\r\n%PDF-1.7 '
        + SECRET.encode()
        + b"\r\n--O--\r\n"
    )
    assert [holds_password(each) for each in open_mail(raw).attachments] == [True, False]


# --- hostile


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=600), st.sampled_from(["head", "status", "text", "all"]))
def test_no_bytes_are_too_odd(data, where):
    raw = {
        "head": data + dsn(SENT),
        "status": dsn(SENT).replace(b"Action: failed", b"Action: " + data),
        "text": plain("x") + data,
        "all": data,
    }[where]
    mail = open_mail(raw)
    found = read_report(mail)
    assert found is None or found.action in Action
    assert len(marks(mail).message_ids) <= 200
    passwords(mail)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="Message-Id: <>@\n\t >abc123", max_size=400))
def test_no_text_is_too_odd(text):
    mail = open_mail(plain(text))
    read_report(mail)
    marks(mail)
    passwords(mail)


BOMBS = {
    "spaces": "message-id:" + " " * 400_000,
    "ids": "message-id: <" * 40_000,
    "brackets": "<" * 400_000,
    "groups": "aaaaa-" * 70_000,
    "digits": "5.1." * 100_000,
    "at signs": "a@" * 200_000,
    "letters": "a" * 400_000,
    "fields": "Final-Recipient: rfc822; a@b.example\nAction: failed\n" * 8_000,
    "headers": "Received: x\nMessage-ID: <a@b.example>\n\n" * 8_000,
    "quotes": "> " * 200_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_mail_makes_the_scan_slow(name):
    # A quadratic scan of 400 kB takes minutes; the limit leaves room for a busy machine.
    for raw in (plain(BOMBS[name]), dsn(SENT, diagnostic=BOMBS[name].replace("\n", "\r\n"))):
        mail = open_mail(raw)
        start = time.process_time()
        read_report(mail)
        marks(mail)
        passwords(mail)
        assert time.process_time() - start < 10


def test_hundreds_of_texts_are_not_all_looked_into():
    text = "漢字 aaaaa-bbbbb-ccccc-ddddd-eeeee\n".encode() * 800
    part = b'--O\r\nContent-Type: text/plain; name="x.txt"\r\n\r\n' + text + b"\r\n"
    head = b'From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="O"\r\n\r\n'
    mail = open_mail(head + part * 450 + b"--O--\r\n")
    start = time.process_time()
    read_report(mail)
    marks(mail)
    passwords(mail)
    assert time.process_time() - start < 20


def test_a_mail_that_is_too_much_is_not_opened_once_more_from_inside_itself(monkeypatch):
    opened = []
    monkeypatch.setattr("parsers.returned.open_mail", lambda raw: opened.append(raw) or open_mail(raw))
    part = b"--O\r\nContent-Type: application/x-y; name=a.bin\r\n\r\nx\r\n"
    head = b'From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="O"\r\n\r\n'
    last = f"--O\r\nContent-Type: text/plain\r\n\r\n{SECRET}\r\n--O--\r\n".encode()
    mail = open_mail(head + part * 600 + last)
    assert "too_many_parts" in mail.defects
    assert SECRET in passwords(mail)  # in what was not taken apart
    assert opened == []


def test_the_same_mail_enclosed_often_is_opened_once(monkeypatch):
    opened = []
    monkeypatch.setattr("parsers.returned.open_mail", lambda raw: opened.append(raw) or open_mail(raw))
    inside = base64.encodebytes(letter("a")).replace(b"\n", b"\r\n")
    part = b"--O\r\nContent-Type: text/plain; name=x.eml\r\nContent-Transfer-Encoding: base64\r\n\r\n" + inside
    head = b'From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="O"\r\n\r\n'
    mail = open_mail(head + part * 3 + b"--O--\r\n")
    passwords(mail)
    assert len(opened) == len(set(opened))
