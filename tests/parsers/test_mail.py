import logging
import pickle
import time
from datetime import UTC, datetime
from email.message import Message

import mailparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.mail import Address, DocumentKind, Hop, Mail, documents, explain, kind_of, open_mail
from parsers.parts import MAX_DEPTH, MAX_PARTS
from parsers.survey import MAX_BOUNDARIES
from support.letters_in import (
    PDF,
    STAFF,
    application_mail,
    header,
    letter,
    mixed,
    nested,
    part,
    stamped,
    text_part,
)

PNG = b"\x89PNG\r\n\x1a\n"


def names(mail):
    return [attachment.name for attachment in mail.attachments]


def test_an_ordinary_application_is_read_whole():
    mail = open_mail(
        application_mail(top=[("Received", "from a.example by mx.lra.example; Mon, 1 Jul 2024 09:31:00 +0900")])
    )
    assert mail.subject == "申請書"
    assert mail.senders == (Address("Taro Yamada", "taro.yamada@aozora-denki.example"),)
    assert mail.message_id == "<1@aozora-denki.example>"
    assert mail.date == datetime(2024, 7, 1, 0, 30, tzinfo=UTC)
    assert mail.text == "申請書をお送りします。"
    assert [(a.name, a.data, a.content_type, a.inline, a.part) for a in mail.attachments] == [
        ("申請書.pdf", PDF, "application/pdf", False, "2")
    ]
    assert mail.automatic is None
    assert mail.suspicions == ()
    assert mail.defects == ()
    assert mail.hops == (Hop("a.example", "mx.lra.example"),)


def test_the_header_can_be_looked_up_by_name():
    raw = letter(
        fields=[
            ("X-Mark", "=?utf-8?B?5LiA?="),
            ("x-mark", "2"),
            ("In-Reply-To", "<a@b> <c@d>"),
            ("References", "<e@f>"),
        ]
    )
    mail = open_mail(raw)
    assert mail.header("X-MARK") == ("一", "2")
    assert mail.header("x-none") == ()
    assert (mail.in_reply_to, mail.references) == (("<a@b>", "<c@d>"), ("<e@f>",))


def test_recipients_come_from_every_field_once():
    raw = letter(to="a@x.example", fields=[("Cc", "b@x.example, a@x.example"), ("Delivered-To", "c@x.example")])
    assert [address.address for address in open_mail(raw).recipients] == ["a@x.example", "b@x.example", "c@x.example"]


def test_an_encoded_word_in_a_field_of_servers_stays_code():
    raw = letter(fields=[("Return-Path", "=?utf-8?Q?x?=")])
    assert open_mail(raw).header("return-path") == ("=?utf-8?Q?x?=",)


def test_a_mail_can_travel_between_processes():
    mail = open_mail(application_mail())
    assert pickle.loads(pickle.dumps(mail)) == mail


# --- Japanese ---------------------------------------------------------------------------------------------------

JIS = "\x1b$B?=@A=q\x1b(B \x1b$B-!-j\x1b(B".encode("ascii")


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        (JIS, "iso-2022-jp", "申請書 ①㈱"),
        (JIS, None, "申請書 ①㈱"),
        ("申請書 ①髙".encode("cp932"), "shift_jis", "申請書 ①髙"),
        ("申請書 ①髙".encode("cp932"), "x-unknown-42", "申請書 ①髙"),
        ("申請書".encode("cp932"), "iso-2022-jp", "申請書"),
        ("申請書".encode(), "iso-2022-jp", "申請書"),
        ("申請書を送付します".encode("euc_jp"), None, "申請書を送付します"),
        ("申請書".encode(), "undefined", "申請書"),
        (b"a\0b", "utf-8", "a\ufffdb"),
    ],
)
def test_a_japanese_body_is_read_under_any_label(body, charset, text):
    content_type = "text/plain" + (f"; charset={charset}" if charset else "")
    assert open_mail(letter(body, content_type=content_type)).text == text
    assert open_mail(mixed(part(body, content_type, disposition=None), part(PDF))).text == text


@pytest.mark.parametrize("raw", ["申請書".encode("cp932"), JIS[:11], "申請書".encode(), "申請書".encode("euc_jp") * 2])
def test_a_raw_subject_is_read(raw):
    assert open_mail(letter(subject=raw)).subject.startswith("申請書")


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("attachment; filename*=iso-2022-jp''%1B%24B%3F%3D%40%41%1B%28B.pdf", "申請.pdf"),
        ("attachment;\r\n filename*0*=iso-2022-jp''%1B%24B%3F;\r\n filename*1*=%3D%40%41%1B%28B.pdf", "申請.pdf"),
        ('attachment; filename="=?ISO-2022-JP?B?GyRCPz1AQRsoQg==?=.pdf"', "申請.pdf"),
        (b'attachment; filename="' + "表ソ.pdf".encode("cp932") + b'"', "表ソ.pdf"),
        (b'attachment; filename="\x1b$B?=@A\x1b(B.pdf"', "申請.pdf"),
        (b"attachment; filename=" + "申請 書.pdf".encode(), "申請 書.pdf"),
        ('attachment; filename="..\\\\..\\\\\u202efdp.pdf"', "fdp.pdf"),
        ("attachment", "part-1.pdf"),
        (None, "part-1.pdf"),
    ],
)
def test_a_file_name_is_read_and_made_safe(disposition, name):
    assert names(open_mail(mixed(part(PDF, disposition=disposition)))) == [name]


def test_a_name_in_the_content_type_is_the_second_choice():
    assert names(open_mail(mixed(part(PDF, 'application/pdf; name="b.pdf"', disposition="inline")))) == ["b.pdf"]


def test_what_cannot_be_decoded_whole_is_reported():
    raw = mixed(
        text_part(b"\xff\xfe\xfd\xfc"), part(PDF, disposition="a; filename*=utf-8''%FF%FE%FD"), subject=b"\xff\xfe\xfd"
    )
    assert {"text_damaged", "name_damaged", "subject_damaged"} <= set(open_mail(raw).defects)


# --- bytes ------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.binary(max_size=400), st.sampled_from(["base64", "quoted-printable", "x-uuencode"]))
def test_an_attachment_keeps_its_bytes_under_every_encoding(data, encoding):
    mail = open_mail(mixed(part(data, "image/png", encoding=encoding, disposition="attachment; filename=x.png")))
    assert mail.attachments[0].data == data


@settings(max_examples=60)
@given(
    st.binary(max_size=400).filter(lambda data: b"--=_b0" not in data), st.sampled_from(["7bit", "8bit", "binary", "x"])
)
def test_an_attachment_without_encoding_keeps_its_bytes(data, encoding):
    content = b"%PDF-1.7\n" + data + b"."
    mail = open_mail(mixed(part(content, "text/plain; charset=undefined", encoding=encoding, disposition="inline")))
    assert [attachment.data for attachment in mail.attachments] == [content]


@pytest.mark.parametrize(
    ("content_type", "disposition"),
    [
        ("application/pdf", None),
        ("application/octet-stream", "inline"),
        ("text/plain", None),
        ("text/html; name=x.html", "inline; filename=x"),
        ("garbage", None),
        ("application/x-unknown; name=a.doc", "attachment"),
    ],
)
def test_a_pdf_is_found_by_its_content_whatever_it_is_called(content_type, disposition):
    mail = open_mail(mixed(text_part("x"), part(b"\r\n" + PDF, content_type, disposition=disposition)))
    assert [(kind_of(a), a.data) for a in documents(mail)] == [(DocumentKind.PDF, b"\r\n" + PDF)]


def test_a_scanner_sends_nothing_but_the_pdf():
    raw = header(
        [("From", "scanner@x.example"), ("Content-Type", "application/pdf"), ("Content-Transfer-Encoding", "base64")]
    )
    mail = open_mail(raw + b"\r\n" + part(PDF).split(b"\r\n\r\n", 1)[1])
    assert [(a.data, a.part) for a in documents(mail)] == [(PDF, "1")]
    assert mail.text == ""


def test_damaged_codes_are_reported_and_kept_as_far_as_they_go():
    broken = (
        header([("Content-Type", "application/pdf"), ("Content-Transfer-Encoding", "base64")]) + b"\r\nJVBERi0x!LjQ"
    )
    mail = open_mail(mixed(broken))
    assert mail.attachments[0].data == b"%PDF-1.4"
    assert "encoding_damaged" in mail.defects


@pytest.mark.parametrize("code", [b"no begin", b"begin 644 f\n\x7f\x7f~~~\nend\n"])
def test_a_broken_uuencoded_part_is_kept_as_it_came(code):
    head = header(
        [
            ("Content-Type", "image/png"),
            ("Content-Transfer-Encoding", "x-uuencode"),
            ("Content-Disposition", "attachment"),
        ]
    )
    mail = open_mail(mixed(head + b"\r\n" + code))
    assert mail.attachments[0].data == code
    assert "encoding_damaged" in mail.defects


# --- structure --------------------------------------------------------------------------------------------------


def test_the_plain_text_of_two_alternatives_is_taken():
    plain, html = text_part("承認"), text_part("<p>承認</p>", "text/html; charset=utf-8")
    assert open_mail(mixed(plain, html, subtype="alternative")).text == "承認"
    assert open_mail(mixed(html, plain, subtype="alternative")).text == "承認"
    assert open_mail(mixed(text_part(" \r\n"), html, subtype="alternative")).text == "承認"
    assert open_mail(mixed(text_part(""), subtype="alternative")).text == ""


def test_texts_around_an_attachment_belong_together():
    mail = open_mail(mixed(text_part("一"), part(PDF, disposition="inline"), text_part("二")))
    assert mail.text == "一\n二"
    assert [a.inline for a in mail.attachments] == [True]


def test_an_attachment_beside_one_alternative_is_found():
    inner = nested(text_part("<p>x</p>", "text/html"), part(PDF), subtype="mixed", boundary="=_b1")
    mail = open_mail(mixed(text_part("x"), inner, subtype="alternative"))
    assert (mail.text, len(documents(mail))) == ("x", 1)


def test_a_flowed_text_is_put_together():
    body = "質問 失効希望日は \r\nいつですか\r\n"
    assert (
        open_mail(letter(body, content_type="text/plain; charset=utf-8; format=flowed; delsp=yes")).text
        == "質問 失効希望日はいつですか"
    )


def test_an_html_text_without_a_label_is_read_by_its_meta_element():
    html = b'<meta http-equiv="Content-Type" content="text/html; charset=euc-jp"><p>' + "髙".encode() + b"</p>"
    assert open_mail(letter(html, content_type="text/html")).text == "髙"
    html = b'<meta charset="iso-8859-1"><p>caf\xe9</p>'
    assert open_mail(letter(html, content_type="text/html")).text == "café"


def test_a_logo_shown_by_the_text_is_no_document():
    html = text_part('<p>x<img src="cid:logo@x"></p>', "text/html; charset=utf-8")
    logo = part(PNG, "image/png", disposition=None, fields=[("Content-ID", "<logo@x>")])
    other = part(PNG, "image/png", disposition="attachment; filename=scan.png", fields=[("Content-ID", "<scan@x>")])
    mail = open_mail(mixed(html, logo, other, subtype="related"))
    assert [(a.content_id, a.inline) for a in mail.attachments] == [("logo@x", True), ("scan@x", False)]
    assert [a.name for a in documents(mail)] == ["scan.png"]


FORWARD = application_mail(subject="申請書の送付", boundary="=_fw")


@pytest.mark.parametrize(
    "forward",
    [
        part(FORWARD, "message/rfc822", encoding="8bit", disposition=None),
        part(FORWARD, "message/rfc822", encoding="base64", disposition="attachment"),
        part(FORWARD, "message/rfc822", encoding="quoted-printable", disposition="attachment"),
        part(FORWARD, "application/octet-stream", disposition='attachment; filename="fwd.EML"'),
        part(FORWARD, "message/rfc822; name=x.eml", encoding="8bit", disposition="attachment; filename=x.eml"),
    ],
)
def test_a_form_inside_a_forwarded_mail_is_found_and_its_words_are_not_the_senders(forward):
    mail = open_mail(mixed(text_part("転送します"), forward))
    assert mail.text == "転送します"
    assert [(a.name, a.data, a.forwarded) for a in documents(mail)] == [("申請書.pdf", PDF, True)]
    inner = [a for a in mail.attachments if a.content_type == "text/plain"]
    assert [a.data.decode() for a in inner] == ["申請書をお送りします。"]
    assert mail.senders[0].address == "taro.yamada@aozora-denki.example"


def test_a_mail_that_is_nothing_but_a_forward_is_opened():
    raw = header([("From", STAFF), ("Content-Type", "message/rfc822")]) + b"\r\n" + FORWARD
    assert [a.data for a in documents(open_mail(raw))] == [PDF]


def test_a_digest_holds_mails_by_default():
    raw = mixed(b"\r\n" + FORWARD, subtype="digest")
    assert [a.data for a in documents(open_mail(raw))] == [PDF]


def test_a_named_mail_that_is_none_is_kept_as_a_file():
    mail = open_mail(mixed(part(b"\x00\x01\x02", "application/octet-stream", disposition="attachment; filename=x.eml")))
    assert [(a.name, a.data) for a in mail.attachments] == [("x.eml", b"\x00\x01\x02")]


def test_a_forward_under_a_damaged_code_is_opened_as_far_as_it_goes():
    head = header([("Content-Type", "message/rfc822"), ("Content-Transfer-Encoding", "base64")])
    mail = open_mail(mixed(head + b"\r\n" + part(FORWARD).split(b"\r\n\r\n", 1)[1].rstrip() + b"!"))
    assert "encoding_damaged" in mail.defects
    assert [a.data for a in documents(mail)] == [PDF]


def test_the_mail_that_a_bounce_returns_is_no_application():
    status = b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; a@b.example\r\n"
    returned = part(FORWARD, "message/rfc822", encoding="8bit", disposition=None)
    mail = open_mail(mixed(text_part("失敗"), status, returned, subtype="report"))
    assert mail.automatic == "report"
    assert documents(mail) == ()
    assert [a.content_type for a in mail.attachments] == ["message/delivery-status", "message/rfc822"]
    assert b"Final-Recipient: rfc822; a@b.example" in mail.attachments[0].data
    assert b"%PDF" not in mail.text.encode()


def test_a_text_behind_the_last_boundary_is_reported():
    assert "text_after_last_boundary" in open_mail(mixed(text_part("x")) + b"\r\nmore\r\n").defects


def test_a_multipart_without_boundaries_is_shown_as_text():
    mail = open_mail(letter("承認依頼", content_type="multipart/mixed"))
    assert mail.text == "承認依頼"
    assert "NoBoundaryInMultipartDefect" in mail.defects


def test_nesting_has_a_limit_and_the_mail_is_kept():
    inner = part(PDF)
    for level in range(MAX_DEPTH + 2):
        inner = nested(inner, subtype="mixed", boundary=f"=_n{level}")
    raw = mixed(inner)
    mail = open_mail(raw)
    assert "nested_too_deeply" in mail.defects
    assert mail.attachments[-1].data == raw


def test_forwards_within_forwards_have_the_same_limit():
    inner = FORWARD
    for level in range(MAX_DEPTH):
        inner = mixed(part(inner, "x/y", disposition="attachment; filename=x.eml"), boundary=f"=_n{level}")
    mail = open_mail(inner)
    assert "nested_too_deeply" in mail.defects
    assert mail.attachments[-1].data == inner


def test_the_number_of_parts_has_a_limit_and_the_mail_is_kept():
    raw = mixed(*[part(b"x", "x/y")] * (MAX_PARTS + 5))
    mail = open_mail(raw)
    assert "too_many_parts" in mail.defects
    assert len(mail.attachments) == MAX_PARTS + 1
    assert mail.attachments[-1].data == raw


def test_nesting_without_end_leaves_the_header_and_the_whole_mail():
    body = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(5000)
    )
    raw = header([("From", STAFF), ("Subject", "x")]) + body
    mail = open_mail(raw)
    assert mail.senders == (Address("", STAFF),)
    assert {"nested_too_deeply", "structure_unreadable"} <= set(mail.defects)
    assert [a.data for a in mail.attachments] == [raw]
    assert documents(mail) == ()


def test_nesting_that_is_dear_is_seen_before_a_parser_walks_into_it(monkeypatch):
    walked = []
    monkeypatch.setattr("mailparser.parse_from_bytes", lambda raw: walked.append(len(raw)) or mailparser.MailParser())
    levels = MAX_BOUNDARIES + 1
    body = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(levels))
    raw = header([("From", STAFF), ("Subject", "x")]) + body
    assert "nested_too_deeply" in open_mail(raw).defects
    assert walked == []
    open_mail(raw.replace(b"boundary=b1\r", b"\r"))
    assert len(walked) == 1


def test_mails_in_mails_without_end_leave_the_header_and_the_whole_mail():
    raw = header([("From", STAFF), ("Subject", "x")]) + b"Content-Type: message/rfc822\r\n\r\n" * 5000
    mail = open_mail(raw)
    assert mail.senders == (Address("", STAFF),)
    assert {"mail_parser_failed_MailParserRecursionError", "structure_unreadable"} <= set(mail.defects)
    assert [a.data for a in mail.attachments] == [raw]


def test_a_parameter_that_breaks_the_standard_library_loses_nothing():
    raw = letter("x", content_type="text/plain; x*" + "9" * 5000 + "=y; charset=utf-8")
    mail = open_mail(raw)
    assert mail.senders
    assert mail.text == "x" or mail.attachments[-1].data == raw


def test_a_crash_inside_mail_parser_is_survived_and_noted(monkeypatch):
    def crash(raw):
        raise ZeroDivisionError

    monkeypatch.setattr(mailparser, "parse_from_bytes", crash)
    mail = open_mail(application_mail())
    assert "mail_parser_failed_ZeroDivisionError" in mail.defects
    assert [a.data for a in documents(mail)] == [PDF]


def test_a_part_that_cannot_be_written_out_again_is_kept_without_its_header(monkeypatch):
    def refuse(self, *arguments, **settings):
        raise ValueError("x")

    monkeypatch.setattr(Message, "as_bytes", refuse)
    returned = part(letter("戻り"), "message/rfc822", encoding="8bit", disposition=None)
    mail = open_mail(mixed(returned, subtype="report"))
    assert mail.attachments[0].data.decode().strip() == "戻り"
    returned = part(FORWARD, "message/rfc822", encoding="8bit", disposition=None)
    assert open_mail(mixed(returned, subtype="report")).attachments[0].data.strip() == b""


def test_what_mail_parser_would_log_stays_out_of_the_logs(caplog):
    with caplog.at_level(logging.DEBUG):
        open_mail(letter(subject="=?x?B?秘密?=", content_type="application/secret"))
    assert "秘密" not in caplog.text
    assert not [record for record in caplog.records if record.name.startswith("mailparser")]


def test_a_header_without_end_is_read_without_mail_parser():
    raw = b"From: a@b.example\r\n" + b"X-A: b\r\n" * 40_000
    mail = open_mail(raw)
    assert {"header_too_long", "too_many_fields"} <= set(mail.defects)
    assert mail.senders == (Address("", "a@b.example"),)
    assert len(mail.headers) == 1000


@pytest.mark.parametrize(
    "raw",
    [
        b"To: " + b"a@b.example, " * 15_000,
        b"From: " + b"(" * 100_000,
        b"Received: " + b"from by " * 10_000,
        b"Received: from (" + b"a" * 100_000,
        b"Subject: " + b"=?utf-8?Q?a?= " * 10_000,
        b"Content-Type: multipart/mixed; boundary=" + b"a" * 100_000,
        b"Content-Type: a/b" + b'; x="' * 20_000,
        b"Content-Type: a/b" + b"; x*1=y" * 20_000,
        b"Date: " + b"1 " * 50_000,
        b"X: y\r\n" * 20_000,
        b"Authentication-Results: " + b"(" * 100_000 + b"\r\nReceived: x",
    ],
    ids=lambda raw: raw[:24].decode(),
)
def test_a_hostile_header_is_read_in_time(raw):
    started = time.process_time()
    open_mail(raw + b"\r\n\r\nbody")
    assert time.process_time() - started < 10


# --- who sent it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "suspicions"),
    [
        (STAFF, ()),
        (f'"{STAFF}" <{STAFF}>', ()),
        (None, ("no_from",)),
        ("", ("from_malformed",)),
        (f"{STAFF}\r\nFrom: x@y.example", ("two_from_headers", "several_from_addresses")),
        (f"{STAFF}\r\nFROM: x", ("two_from_headers", "from_malformed")),
        (f"{STAFF}, x@y.example", ("several_from_addresses",)),
        (f"<{STAFF}> <x@y.example>", ("from_malformed",)),
    ],
)
def test_a_doubtful_sender_is_noted(sender, suspicions):
    mail = open_mail(letter(sender=sender))
    assert mail.suspicions == suspicions
    assert all(explain(suspicion) != suspicion for suspicion in suspicions)


def test_only_results_above_the_first_received_field_are_kept_topmost_first():
    raw = header(
        [("Authentication-Results", "a;\r\n none"), ("X", "y"), ("authentication-results", "b; none")]
    ) + stamped(header([("Authentication-Results", "c; none")]) + letter())
    assert open_mail(raw).results == ("a; none", "b; none", f"mx.lra.example; auth=pass smtp.auth={STAFF}")
    assert open_mail(header([("Authentication-Results", "a; none")]) + letter()).results == ()


def test_no_charset_is_guessed_in_a_result():
    raw = header([("Authentication-Results", b'a; x="\x1b$B"; auth=pass\x1b(B"'), ("Received", "x")]) + letter()
    assert open_mail(raw).results == ('a; x="\x1b$B"; auth=pass\x1b(B"',)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ([("Auto-Submitted", "auto-replied")], "auto_submitted_auto-replied"),
        ([("Auto-Submitted", "auto-generated; type=x")], "auto_submitted_auto-generated"),
        ([("Auto-Submitted", "no"), ("Auto-Submitted", "auto-notified")], "auto_submitted_auto-notified"),
        ([("Precedence", "Bulk")], "precedence_bulk"),
        ([("Precedence", "list")], "precedence_list"),
        ([("Precedence", "junk")], "precedence_junk"),
        ([("List-Id", "<x.y.example>")], "list_id"),
        ([("Return-Path", "<>")], "null_return_path"),
        ([("X-Autoreply", "yes")], "x_autoreply"),
        ([("X-Autorespond", "x")], "x_autorespond"),
        ([("Auto-Submitted", "no")], None),
        ([("Auto-Submitted", "No (a person)")], None),
        ([("Precedence", "normal")], None),
        ([("Return-Path", "<a@b.example>")], None),
        ([("X-Auto-Response-Suppress", "DR, OOF, AutoReply")], None),
        ([("X-Autoreply", "no")], None),
    ],
)
def test_automatic_mail_is_told_from_a_persons(fields, why):
    assert open_mail(letter(fields=fields)).automatic == why


@pytest.mark.parametrize("local", ["MAILER-DAEMON", "postmaster", "no-reply", "noreply", "do_not_reply", "x-request"])
def test_robots_are_known_by_their_names(local):
    assert open_mail(letter(sender=f"x <{local}@y.example>")).automatic == "robot_sender"


@pytest.mark.parametrize(
    "subject", ["自動応答: 承認依頼", "Automatic reply: x", "【自動返信】お問い合わせ", "Out of office: x"]
)
def test_robots_are_known_by_their_subjects(subject):
    assert open_mail(letter(subject=subject)).automatic == "robot_subject"


@pytest.mark.parametrize("subject", ["Re: 自動応答について", "担当者不在のため担当変更", "申請書の送付", ""])
def test_a_persons_subject_is_no_robots(subject):
    assert open_mail(letter(subject=subject)).automatic is None


@pytest.mark.parametrize(
    "content_type", ["multipart/report; report-type=disposition-notification", "message/disposition-notification"]
)
def test_receipts_and_reports_are_automatic(content_type):
    assert open_mail(letter(content_type=content_type)).automatic == "report"


def test_an_unreadable_date_is_none_and_noted():
    raw = letter().replace(b"Mon, 01 Jul 2024 09:30:00 +0900", b"yesterday")
    assert (open_mail(raw).date, open_mail(raw).defects) == (None, ("DateHeaderDefect", "date_unreadable"))


@pytest.mark.parametrize(
    ("value", "identifier"), [("<a@b>", "<a@b>"), ("a@b", "a@b"), ("", ""), ("<@@0@x>", "<@@0@x>")]
)
def test_a_message_id_is_kept_as_it_is_known(value, identifier):
    raw = letter().replace(b"<1@aozora-denki.example>", value.encode())
    assert open_mail(raw).message_id == identifier


# --- anything -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"\r\n\r\n", b"\0" * 100, b":", b"From", b"\xff" * 50, b"body only\r\n\r\nx"]
)
def test_the_smallest_mails_are_read(raw):
    assert isinstance(open_mail(raw), Mail)


PIECES = st.sampled_from(
    [
        b"From: a@b.example\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n",
        b"Content-Type: multipart/report; boundary=x\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Type: message/delivery-status\r\n",
        b"Content-Type: message/partial\r\n",
        b"Content-Type: text/html; charset*=undefined''x\r\n",
        b"Content-Type: text/plain; charset*0*=\xff; charset*1=b\r\n",
        b"Content-Type: \r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n",
        b"Content-Transfer-Encoding: uuencode\r\n",
        b"Content-Disposition: attachment; filename=x.eml\r\n",
        b"Received: from x by y; z\r\n",
        b"Content-ID: <x@y>\r\n",
        b"\r\n",
        b"\r\n--x\r\n",
        b"\r\n--x--\r\n",
        b"=?iso-2022-jp?B?GyRC?=",
        b"\x1b$B",
        b"%PDF-1.4",
        "申請書".encode("cp932"),
    ]
)


@settings(max_examples=300)
@given(st.lists(st.one_of(PIECES, st.binary(max_size=20)), max_size=25).map(b"".join))
def test_any_bytes_are_a_mail(raw):
    mail = open_mail(raw)
    for text in (mail.subject, mail.text, mail.message_id, *mail.defects, *(value for _, value in mail.headers)):
        text.encode("utf-8")
    for attachment in mail.attachments:
        attachment.name.encode("utf-8")
        assert isinstance(attachment.data, bytes)
    assert mail.date is None or mail.date.tzinfo is UTC
    documents(mail)


@settings(max_examples=60)
@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=6), st.integers(0, 3))
def test_no_leaf_of_any_tree_is_lost(contents, depth):
    leaves = [part(b"%PDF-1.7" + data, "application/pdf") for data in contents]
    inner = nested(*leaves, subtype="mixed", boundary="=_in")
    for level in range(depth):
        inner = nested(
            part(mixed(inner, boundary=f"=_f{level}"), "message/rfc822", encoding="8bit", disposition=None),
            subtype="related",
            boundary=f"=_m{level}",
        )
    found = [attachment.data for attachment in documents(open_mail(mixed(inner)))]
    assert found == [b"%PDF-1.7" + data for data in contents]
