"""The rules about single values: English names, mail addresses, phone, and readings that are not sure."""

import re
from collections.abc import Iterator

from parsers import likeness, normalise
from parsers.normalise import Kind, TextReading
from parsers.reading import FieldValue, Finding, Severity
from parsers.subject import SURE, Subject

# X.520 upper bounds of commonName and organizationName (RFC 5280 appendix A, ub-common-name, ub-organization-name).
ENGLISH_LIMIT = 64

# PrintableString as Japanese authorities narrow it for names, and & which becomes UTF8String (notes B.3).
_ENGLISH_CHARACTERS = re.compile(r"[A-Za-z0-9 '(),\-./:=&]*")
_PLACEHOLDER = re.compile(r"N\.?/?A\.?|NONE|NIL|NULL|UNKNOWN|TBD|X+", re.IGNORECASE)


def english_fits_the_certificate(subject: Subject) -> Iterator[Finding]:
    """SPEC 1.4, notes B.3: O and CN of the certificate take 64 characters of plain ASCII."""
    for row, field in subject.filled_rows():
        if normalise.kind_of(row.key) is not Kind.ENGLISH or field.value is None:
            continue
        label = f"「{subject.label(row.key)}」"
        if not field.value.isascii():
            message = (
                f"{label}に全角文字や長音記号付きの文字など、使用できない文字があります。半角の英字でご記入ください。"
            )
            yield Finding("english_not_ascii", Severity.DEFECT, row.key, message)
        elif not re.search("[A-Za-z]", field.value) or _PLACEHOLDER.fullmatch(field.value):
            message = f"{label}に英語表記が記入されていません。証明書に記載する英語表記をご記入ください。"
            yield Finding("english_characters", Severity.DEFECT, row.key, message)
        elif not _ENGLISH_CHARACTERS.fullmatch(field.value):
            message = (
                f"{label}に使用できない記号があります。"
                "半角英数字、空白および ' ( ) , - . / : = & のみでご記入ください。"
            )
            yield Finding("english_characters", Severity.DEFECT, row.key, message)
        if len(field.value) > ENGLISH_LIMIT:
            message = f"{label}は{ENGLISH_LIMIT}文字以内でご記入ください。証明書に記載できる文字数に上限があります。"
            yield Finding("english_too_long", Severity.DEFECT, row.key, message)


_TEXT_MESSAGES = {
    "mail_address_invalid": (
        Severity.DEFECT,
        "をメールアドレスとして読み取れません。半角英数字で正しいメールアドレスをご記入ください。",
    ),
    "mail_address_several": (Severity.DEFECT, "には、メールアドレスを一つだけご記入ください。"),
    "phone_invalid": (Severity.WARNING, "の桁数または書式が電話番号として正しくありません。原本をご確認ください。"),
}


def addresses_and_phones_are_valid(subject: Subject) -> Iterator[Finding]:
    """Notes C.2: the certificate is sent to the mail address, so it is a defect; the phone only warns."""
    for row, field in subject.filled_rows():
        code = _current(row.key, field).code
        if code:
            severity, message = _TEXT_MESSAGES[code]
            yield Finding(code, severity, row.key, f"「{subject.label(row.key)}」{message}")


def mail_is_of_the_company(subject: Subject) -> Iterator[Finding]:
    """Notes C.2: a free-mail address of a company's user is a warning."""
    for row, field in subject.filled_rows():
        receives = row.key.partition(".")[0] in ("applicant", "user", "after")
        if normalise.kind_of(row.key) is Kind.MAIL and receives and normalise.is_free_mail(field.value or ""):
            message = (
                f"「{subject.label(row.key)}」がフリーメールなどのアドレスです。"
                "会社で利用しているアドレスかご確認ください。"
            )
            yield Finding("free_mail_domain", Severity.WARNING, row.key, message)


def domains_of_the_form_agree(subject: Subject) -> Iterator[Finding]:
    """Two mail domains on one form that differ by a letter: one of them is misread or mistyped, and mail to it would go
    to a stranger. Staff look, whatever the route: a typed slip is as bad as a misread letter."""
    mails = [
        (row, normalise.domain_of(field.value))
        for row, field in subject.filled_rows()
        if normalise.kind_of(row.key) is Kind.MAIL and field.value
    ]
    for row, domain in mails:
        if any(likeness.is_near_domain(domain, other) for _, other in mails):
            message = (
                f"「{subject.label(row.key)}」のドメインが、この申請書のほかのメールアドレスとわずかに異なります。"
                "原本と1文字ずつ照合してください。"
            )
            yield Finding("mail_domains_near", Severity.DOUBT, row.key, message)


def readings_are_sure(subject: Subject) -> Iterator[Finding]:
    """SPEC 1.3.10: what was read with doubt is shown to staff before anybody acts on it."""
    kind = subject.application.type_reading
    if kind is not None and subject.application.request_type and kind.confidence < SURE:
        message = "「申請種別」の自動読取に確信がありません。原本と照合してください。"
        yield Finding("reading_doubtful", Severity.DOUBT, "request_type", message)
    for row, field in subject.filled_rows():
        if field.confidence < SURE:
            message = f"「{subject.label(row.key)}」の自動読取に確信がありません。原本と照合してください。"
            yield Finding("reading_doubtful", Severity.DOUBT, row.key, message)


def _current(key: str, field: FieldValue) -> TextReading:
    """What the text says today: the raw text as long as it still gives the value, else what staff put in its place."""
    kind = normalise.kind_of(key)
    read = normalise.display(kind, field.raw)
    return read if field.value in (None, read.value) else normalise.display(kind, field.value or "")
