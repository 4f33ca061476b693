"""What is wrong with one form, as far as the form alone can tell (SPEC 1.2, 1.3). A rule finds, it does not act.

The rules are small pure functions in one sequence, RULES. A new rule is one function and one line there. The rows that
a type needs are not written here: the rules ask the table of `config/request_types.toml`.

A defect goes to the applicant, so its sentence names the printed label and how to mend it, and never repeats a value.
A doubtful reading is never a defect (SPEC 1.3.10): `find` turns every defect on an unsure field into a doubt.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from config import forms
from config.forms import Library
from config.request_types import Need, Table
from parsers.code_rules import CODE_RULES
from parsers.date_rules import (
    application_date_is_given,
    application_date_is_near,
    dates_can_be_read,
    form_is_current,
    wished_date_is_in_time,
    wished_limit,
)
from parsers.person_rules import change_is_of_one_person, event_is_of_one_user, handover_is_to_another
from parsers.reading import Application, Finding, SealVerdict, Severity
from parsers.subject import SURE, Rule, Subject, is_empty
from parsers.value_rules import (
    addresses_and_phones_are_valid,
    domains_of_the_form_agree,
    english_fits_the_certificate,
    mail_is_of_the_company,
    readings_are_sure,
)

__all__ = ["RULES", "find", "wished_limit"]

TYPE_FIELD = "request_type"
# The note of `parsers.comparison`, and of a reading whose pictures could not be looked at.
UNREAD = "picture_unread"


def type_is_chosen(subject: Subject) -> Iterator[Finding]:
    """Guide line 120: the type is chosen first. An unknown word is for staff, never a guess (notes A.5, AMB-1)."""
    application = subject.application
    if application.request_type:
        return
    words = "・".join(f"「{rule.word}」" for rule in subject.table.types.values())
    if len(application.type_words) > 1:
        message = "「申請種別」が二つ以上選択されています。申請書1枚につき一つだけ選択してください。"
        yield Finding("type_ambiguous", Severity.DEFECT, TYPE_FIELD, message)
    elif application.type_raw.strip():
        message = "「申請種別」の記載がいずれの種別に当たるか判断できません。原本をご確認のうえ種別をご指定ください。"
        yield Finding("type_ambiguous", Severity.DOUBT, TYPE_FIELD, message)
    else:
        message = f"「申請種別」が選択されていません。{words}のいずれか一つを選択してください。"
        yield Finding("type_missing", Severity.DEFECT, TYPE_FIELD, message)


def required_fields_are_filled(subject: Subject) -> Iterator[Finding]:
    """SPEC 1.2, `req`: a yellow field that is empty is a defect."""
    for row in subject.table.fields():
        if subject.need(row) is Need.REQUIRED and subject.has(row.key) and is_empty(subject.field(row.key)):
            message = f"「{subject.label(row.key)}」が記入されていません。必須項目ですので、ご記入ください。"
            yield Finding("field_missing", Severity.DEFECT, row.key, message)


def confirmations_are_ticked(subject: Subject) -> Iterator[Finding]:
    """SPEC 1.2: an unticked box is a defect at `req` and a warning at `warn`; a box that cannot be read is a doubt."""
    for row in subject.table.confirmations:
        if row.key not in subject.application.confirmations:
            # A form adopted from a centre may not print every box.
            continue
        ticked = subject.application.confirmations[row.key]
        need, label = subject.need(row), subject.label(row.key)
        if ticked or need not in (Need.REQUIRED, Need.WARN):
            continue
        if ticked is None:
            message = f"確認項目「{label}」のチェックの有無を判読できません。原本をご確認ください。"
            yield Finding("confirmation_missing", Severity.DOUBT, row.key, message)
        elif need is Need.REQUIRED:
            message = f"確認項目「{label}」がチェックされていません。内容をご確認のうえ、チェックしてください。"
            yield Finding("confirmation_missing", Severity.DEFECT, row.key, message)
        else:
            message = f"確認項目「{label}」がチェックされていません（この種別では受付できますが、ご承知おきください）。"
            yield Finding("confirmation_missing", Severity.WARNING, row.key, message)


def grey_rows_are_empty(subject: Subject) -> Iterator[Finding]:
    """SPEC 1.2, `–`: a value in a grey row is ignored but shown to staff, for it hints at a wrong type."""
    hint = "は選択された申請種別では記入不要の欄です。記載は使用しませんが、申請種別の誤りでないかご確認ください。"
    for row in subject.table.fields():
        if subject.need(row) is Need.NONE and not is_empty(subject.field(row.key)):
            yield Finding("grey_value", Severity.NOTE, row.key, f"「{subject.label(row.key)}」{hint}")
    for row in subject.table.confirmations:
        if subject.need(row) is Need.NONE and subject.application.confirmations.get(row.key):
            yield Finding("grey_value", Severity.NOTE, row.key, f"確認項目「{subject.label(row.key)}」{hint}")


def seal_is_there(subject: Subject) -> Iterator[Finding]:
    """SPEC 1.3.1, guide line 237: no seal, no acceptance. Only a verdict of absence is a defect."""
    row, verdict = subject.table.seal, subject.application.seal.verdict
    if subject.need(row) is not Need.REQUIRED:
        return
    if verdict is SealVerdict.ABSENT:
        message = f"「{row.label}」の押印がありません。押印のうえ、PDFファイルに変換して再度ご提出ください。"
        yield Finding("seal_missing", Severity.DEFECT, row.key, message)
    elif verdict is SealVerdict.UNCLEAR:
        message = f"「{row.label}」の押印の有無を自動では判定できません。原本をご確認ください。"
        yield Finding("seal_unclear", Severity.DOUBT, row.key, message)


def picture_was_compared(subject: Subject) -> Iterator[Finding]:
    """Issue 3, point 1: fonts that lie are found out by comparing with the picture. Where nobody could compare, staff
    do: the mail address that the text gives may be another than the one that was stamped."""
    if UNREAD in subject.application.notes:
        message = "文字情報を、見えている文字と自動で照合できませんでした。原本と照合してください。"
        yield Finding(UNREAD, Severity.DOUBT, "document", message)


RULES: tuple[Rule, ...] = (
    type_is_chosen,
    required_fields_are_filled,
    confirmations_are_ticked,
    seal_is_there,
    dates_can_be_read,
    application_date_is_given,
    application_date_is_near,
    wished_date_is_in_time,
    form_is_current,
    english_fits_the_certificate,
    addresses_and_phones_are_valid,
    mail_is_of_the_company,
    domains_of_the_form_agree,
    handover_is_to_another,
    change_is_of_one_person,
    event_is_of_one_user,
    grey_rows_are_empty,
    readings_are_sure,
    picture_was_compared,
    *CODE_RULES,
)


def find(
    application: Application, *, table: Table, received_on: date, library: Library | None = None
) -> tuple[Finding, ...]:
    """All findings of one form in the order of RULES. `received_on` is the day of receipt in Japan.

    `library` are the forms to know, the shipped ones else. A form that is not among them (its file was removed since)
    is named by the labels of the table, which are those of the newest form.
    """
    known = {form.version: form for form in (library or forms.shipped()).forms}
    subject = Subject(application, table, received_on, known.get(application.form_version or ""))
    return tuple(_only_sure(subject, finding) for rule in RULES for finding in rule(subject))


def _only_sure(subject: Subject, finding: Finding) -> Finding:
    application = subject.application
    field = application.type_reading if finding.field == TYPE_FIELD else application.fields.get(finding.field)
    if field is None or field.confidence >= SURE or finding.severity is not Severity.DEFECT:
        return finding
    message = f"自動読取に確信がありません。原本をご確認ください。（{finding.message}）"
    return replace(finding, severity=Severity.DOUBT, message=message)
