"""A draft becomes exactly one mail to exactly one receiver, whatever stands in it."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon import envelope
from daemon.draft import PASSWORD_MARKER, PKCS12, Draft, Enclosure, LetterKind, Office

OFFICE = Office(
    address="ogis-lra@lra.example",
    name="電子証明書発行サービス LRAセンター",
    call_centre_phone="03-0000-0000",
    call_centre_mail="support@lra.example",
    form_url="https://www.lra.example/CA1",
    materials_url="https://www.lra.example/",
    site="株式会社サンプル",
)
NOW = datetime(2026, 7, 22, 9, 31, tzinfo=UTC)
OURS = "<00112233445566778899aabbccddeeff@lra.example>"
LONG_ID = "<TYAPR01MB1234ABCDEF0123456789ABCDEF0123456789@TYAPR01MB1234.jpnprd01.prod.outlook.example>"
BODY = "いつもお世話になっております。\n受領いたしました。\n"


def draft(
    kind=LetterKind.RECEIPT, subject="【受付番号 WEBEC-20260722-0012】申請書を受領しました", body=BODY, **more
) -> Draft:
    return Draft(kind=kind, subject=subject, body=body, auto=more.pop("auto", "auto-replied"), **more)


def composed(letter: Draft | None = None, **changes) -> bytes:
    values = {"office": OFFICE, "recipient": "yamada@aozora-denki.example", "message_id": OURS, "date": NOW}
    return envelope.compose(letter or draft(), **{**values, **changes})


def opened(raw: bytes):
    return message_from_bytes(raw, policy=policy.default)


def test_a_mail_has_one_sender_one_receiver_and_says_that_it_is_automatic():
    raw = composed()
    mail = opened(raw)
    # Not by policy.default, which puts a blank between the two encoded words of a long name.
    assert str(make_header(decode_header(message_from_bytes(raw)["From"]))) == f"{OFFICE.name} <{OFFICE.address}>"
    assert [one.addr_spec for one in mail["From"].addresses] == [OFFICE.address]
    assert [one.addr_spec for one in mail["To"].addresses] == ["yamada@aozora-denki.example"]
    assert mail["Subject"] == "【受付番号 WEBEC-20260722-0012】申請書を受領しました"
    assert mail["Date"].datetime == NOW
    assert mail["Message-ID"] == OURS
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["MIME-Version"] == "1.0"
    assert {"In-Reply-To", "References", "Reply-To", "Cc", "Bcc"}.isdisjoint(mail.keys())
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content_charset() == "utf-8"
    assert mail.get_content().replace("\r\n", "\n") == BODY


def test_the_same_arguments_give_the_same_octets():
    assert composed() == composed()


def test_an_answer_names_what_it_answers_even_where_the_ids_are_long():
    raw = composed(in_reply_to=LONG_ID, references=("<a@b.example>", LONG_ID))
    assert f"In-Reply-To: {LONG_ID}\r\n".encode() in raw
    assert f"References: <a@b.example>\r\n {LONG_ID}\r\n".encode() in raw


@pytest.mark.parametrize("odd", ["no brackets", "<a b@c.example>", "<日本@c.example>", "<no-at-sign>", "<a@b> <c@d>"])
def test_a_malformed_id_of_others_is_left_out_and_the_mail_goes(odd):
    mail = opened(composed(in_reply_to=odd, references=(odd, "<a@b.example>")))
    assert "In-Reply-To" not in mail
    assert mail["References"] == "<a@b.example>"
    assert "References" not in opened(composed(references=(odd,)))


def test_a_long_thread_keeps_its_first_and_newest_references():
    ids = tuple(f"<{number}@b.example>" for number in range(50))
    kept = opened(composed(references=ids))["References"].split()
    assert kept == [ids[0], *ids[-19:]]


def test_a_reply_address_of_the_draft_is_set():
    request = draft(LetterKind.APPROVAL_REQUEST, reply_to="ogis-lra+K7MQ2XW4RT6Z@lra.example")
    assert opened(composed(request))["Reply-To"] == "ogis-lra+K7MQ2XW4RT6Z@lra.example"


@pytest.mark.parametrize(
    ("subject", "lines"),
    [
        ("Plain subject", 1),
        ("x" * 70, 2),
        ("=?utf-8?Q?looks_encoded?=", 1),
        ("[承認依頼][WEBEC-20260722-0012] 担当変更 株式会社青空電機（不備0/警告2） [#K7MQ2XW4RT6ZP3VH]", 3),
        ("髙﨑𠮷" * 20, 6),
    ],
)
def test_a_subject_comes_out_as_it_went_in(subject, lines):
    raw = composed(draft(subject=subject))
    header = re.search(rb"^Subject: (?:.*\r\n)(?: .*\r\n)*", raw, re.MULTILINE).group()
    assert header.count(b"\r\n") == lines
    assert all(len(line) <= 76 for line in header.split(b"\r\n"))
    assert str(make_header(decode_header(message_from_bytes(raw)["Subject"]))) == subject
    assert opened(raw)["Subject"] == subject


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=120)


@given(
    subject=TEXT.filter(str.strip), name=TEXT, body=st.text(st.characters(exclude_categories=("Cs",)), max_size=3000)
)
def test_no_line_is_too_long_and_no_header_is_added_whatever_is_written(subject, name, body):
    enclosed = Enclosure(f"{name}.pdf", "application/pdf", b"%PDF-1.7")
    raw = composed(draft(LetterKind.APPROVAL_REQUEST, subject, body, attachments=(enclosed,)))
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert raw.isascii()
    mail = message_from_bytes(raw)
    assert str(make_header(decode_header(mail["Subject"]))).strip() == subject.strip()
    assert set(mail.keys()) == {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "MIME-Version",
        "Content-Type",
    }
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/mixed", "text/plain", "application/pdf"]


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(BODY, "base64"), ("Plain words.\n" * 40 + "日", "quoted-printable"), ("", "quoted-printable")],
)
def test_the_transfer_encoding_fits_the_text(body, encoding):
    mail = opened(composed(draft(body=body)))
    assert mail["Content-Transfer-Encoding"] == encoding
    assert mail.get_content().replace("\r\n", "\n").rstrip("\n") == body.rstrip("\n")


@pytest.mark.parametrize(
    ("given_type", "name", "sent_type", "sent_name"),
    [
        (PKCS12, "WEBEC-20260722-0012.p12", PKCS12, "WEBEC-20260722-0012.p12"),
        ("application/pdf", "申請書（山田）.pdf", "application/pdf", "申請書（山田）.pdf"),
        ("image/jpeg", "a.jpg", "image/jpeg", "a.jpg"),
        ("text/html", "page.html", "application/octet-stream", "page.html"),
        ("message/rfc822", "mail.eml", "application/octet-stream", "mail.eml"),
        ("multipart/mixed", "x", "application/octet-stream", "x"),
        ("nonsense; charset=x", '../../etc\\a\x07".p', "application/octet-stream", ".._.._etc_a__.p"),
        ("application/pdf", "", "application/pdf", "attachment"),
    ],
)
def test_an_enclosure_arrives_whole_under_its_name(given_type, name, sent_type, sent_name):
    data = bytes(range(256)) * 9
    kind = LetterKind.ISSUE_NOTICE if given_type == PKCS12 else LetterKind.STAFF_NOTICE
    raw = composed(draft(kind, attachments=(Enclosure(name, given_type, data),)))
    [part] = opened(raw).iter_attachments()
    assert part.get_content_type() == sent_type
    assert part.get_filename() == sent_name
    assert part.get_payload(decode=True) == data
    assert part.get_content_disposition() == "attachment"


def test_a_japanese_name_travels_by_rfc_2231():
    enclosed = Enclosure("申請書.pdf", "application/pdf", b"%PDF")
    assert b"filename*=utf-8''%E7%94%B3" in composed(draft(LetterKind.STAFF_NOTICE, attachments=(enclosed,)))


@pytest.mark.parametrize(
    "recipient",
    [
        "",
        "nobody",
        "a@b.example, c@d.example",
        "a@b.example;c@d.example",
        "a@b.example c@d.example",
        "group: a@b.example;",
        "山田@b.example",
        "Taro <a@b.example>",
        "a@b.example\r\nBcc: c@d.example",
        "a@b.example\n",
        "a@-",
    ],
)
def test_a_letter_without_exactly_one_plain_receiver_is_refused(recipient):
    with pytest.raises(ValueError, match="exactly one receiver"):
        composed(recipient=recipient)


def test_addresses_of_old_mobile_carriers_are_receivers_too():
    assert b"To: abc..def.@mobile.example\r\n" in composed(recipient="abc..def.@mobile.example")


@pytest.mark.parametrize(
    ("letter", "changes", "complaint"),
    [
        (draft(reply_to="a@b.example, c@d.example"), {}, "Reply-To"),
        (draft(), {"message_id": "<a@b.example>\r\nX: y"}, "Message-ID"),
        (draft(), {"message_id": "plain"}, "Message-ID"),
        (draft(), {"date": datetime(2026, 7, 22)}, "time zone"),
        (draft(), {"in_reply_to": "<a@b.example>\r\nBcc: x@y.example"}, "line end"),
        (draft(), {"references": ("<a@b.example>\n",)}, "line end"),
        (
            draft(LetterKind.STAFF_NOTICE, attachments=(Enclosure("a\r\nb.pdf", "application/pdf", b""),)),
            {},
            "line end",
        ),
        (draft(LetterKind.PASSWORD), {"in_reply_to": "<a@b.example>"}, "never stands in a thread"),
        (draft(LetterKind.PASSWORD), {"references": ("<a@b.example>",)}, "never stands in a thread"),
        (draft(LetterKind.PASSWORD, body=PASSWORD_MARKER), {}, "has not been put in"),
    ],
)
def test_what_would_break_a_header_or_a_rule_is_refused(letter, changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        composed(letter, **changes)


def test_a_message_id_is_random_and_in_our_domain():
    assert envelope.message_id(lambda size: bytes(range(size)), "lra.example") == (
        "<000102030405060708090a0b0c0d0e0f@lra.example>"
    )
    assert composed(message_id=envelope.message_id(lambda size: b"\xff" * size, "lra.example"))
    for domain in ("", "lra.example>\r\nX: y", "二.example", "a b"):
        with pytest.raises(ValueError, match="domain"):
            envelope.message_id(bytes, domain)


def test_a_picture_that_belongs_to_the_text_is_shown_with_it_and_anything_else_is_an_attachment():
    enclosed = (
        Enclosure("mail-address-user.png", "image/png", b"PNG", inline=True),
        Enclosure("form.pdf", "application/pdf", b"%PDF", inline=True),
        Enclosure("photo.png", "image/png", b"PNG"),
    )
    mail = opened(composed(draft(LetterKind.APPROVAL_REQUEST, attachments=enclosed)))
    parts = [(part.get_filename(), part.get_content_disposition()) for part in mail.iter_parts()][1:]
    assert parts == [("mail-address-user.png", "inline"), ("form.pdf", "attachment"), ("photo.png", "attachment")]
    assert mail.get_body().get_content_type() == "text/plain"
