"""A draft that would break a rule of the house does not come into being; the password goes in at one place only."""

import pytest

from daemon.draft import PASSWORD_MARKER, PKCS12, Draft, Enclosure, LetterKind, insert_password

BODY = f"いつもお世話になっております。\n\n　{PASSWORD_MARKER}\n\n以上\n"


def test_the_password_is_put_in_once_and_never_into_another_letter():
    body = insert_password(BODY, "Kq7-wXz4")
    assert "\n　Kq7-wXz4\n" in body
    for wrong in ("", "two words", "改行\n", PASSWORD_MARKER):
        with pytest.raises(ValueError) as caught:
            insert_password(BODY, wrong)
        assert not wrong or wrong not in str(caught.value)
    with pytest.raises(ValueError, match="exactly once"):
        insert_password("no place for it", "Kq7-wXz4")


BOTH = (Enclosure("a.p12", PKCS12, b"key material"),)


@pytest.mark.parametrize(
    ("kind", "subject", "body", "enclosures"),
    [
        (LetterKind.ISSUE_NOTICE, "お知らせ", PASSWORD_MARKER, BOTH),
        (LetterKind.RECEIPT, "受付", PASSWORD_MARKER, ()),
        (LetterKind.RECEIPT, "受付", "本文", BOTH),
        (LetterKind.PASSWORD, "ご案内", "本文", BOTH),
        (LetterKind.APPROVAL_REQUEST, "依頼", "本文", BOTH),
        (LetterKind.RECEIPT, "受付", "本文", (Enclosure("form.pdf", "application/pdf", b"%PDF"),)),
        (LetterKind.RECEIPT, "受付\r\nBcc: x@y.example", "本文", ()),
        (LetterKind.RECEIPT, " ", "本文", ()),
    ],
)
def test_a_draft_that_breaks_a_rule_does_not_come_into_being(kind, subject, body, enclosures):
    with pytest.raises(ValueError, match="letter"):
        Draft(kind=kind, subject=subject, body=body, auto="auto-generated", attachments=enclosures)


def test_a_draft_shows_no_text_and_no_key_in_its_repr():
    text = repr(Draft(LetterKind.ISSUE_NOTICE, "件名", "鈴木 花子 様", "auto-generated", BOTH, "a+TOKEN@b.example"))
    for secret in ("件名", "鈴木", "key material", "TOKEN"):
        assert secret not in text
