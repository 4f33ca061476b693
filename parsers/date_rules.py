"""The rules about dates: 申請日, 失効希望日, and the form without a place for the latter (SPEC 1.3.2-1.3.4, 1.3.9)."""

from collections.abc import Iterator
from datetime import date, timedelta

from parsers import dates, normalise
from parsers.normalise import Kind
from parsers.reading import Finding, Severity
from parsers.subject import Subject, is_empty, text_of

# A form older than this is likely a copy of an earlier one (SPEC 1.3.9).
STALE = timedelta(days=30)

WISHED = "wished_revocation_date"
APPLIED = "application_date"


def wished_limit(application_date: date) -> date:
    """The last day that may be wished for revocation: one calendar month, the first day not counted.

    From the last day of a month the limit is the last day of the next (SPEC 1.3.3: 4/30 → 5/31), and where the next
    month has no such day, its last one (1/30 → 2/28).
    """
    start_of_next = (application_date.replace(day=1) + timedelta(days=32)).replace(day=1)
    end_of_next = (start_of_next + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    if (application_date + timedelta(days=1)).day == 1:
        return end_of_next
    return start_of_next.replace(day=min(application_date.day, end_of_next.day))


_DATE_MESSAGES = {
    dates.INVALID: (Severity.DEFECT, "を日付として読み取れません。「2024年7月1日」のように年月日をご記入ください。"),
    dates.AMBIGUOUS: (Severity.DOUBT, "は年または月日を二通りに読むことができます。原本をご確認ください。"),
    dates.YEAR_GUESSED: (Severity.NOTE, "に年の記載がないため、受領日に最も近い年としました。"),
    dates.ERA_OUT_OF_RANGE: (
        Severity.WARNING,
        "の元号と年が実在する期間を外れています。西暦に読み替えた日付をご確認ください。",
    ),
}


def dates_can_be_read(subject: Subject) -> Iterator[Finding]:
    """SPEC 1.4, notes C.2: what each way of writing a date is worth."""
    for row, _ in subject.filled_rows():
        if normalise.kind_of(row.key) is not Kind.DATE:
            continue
        code = subject.day(row.key).code
        if code:
            severity, message = _DATE_MESSAGES[code]
            yield Finding(code, severity, row.key, f"「{row.label}」{message}")


def application_date_is_given(subject: Subject) -> Iterator[Finding]:
    """SPEC 1.3.9: without 申請日 a wished date has no limit, so it is a defect there; elsewhere a warning."""
    row = subject.table.row(APPLIED)
    if subject.need(row).greyed or not is_empty(subject.field(APPLIED)):
        return
    if _wished(subject):
        message = (
            f"「{row.label}」が記入されていません。"
            f"「{subject.label(WISHED)}」をご指定の場合は必要ですので、ご記入ください。"
        )
        yield Finding("application_date_missing", Severity.DEFECT, APPLIED, message)
    else:
        message = f"「{row.label}」が記入されていません。受領日を基準に取り扱います。"
        yield Finding("application_date_missing", Severity.WARNING, APPLIED, message)


def application_date_is_near(subject: Subject) -> Iterator[Finding]:
    """SPEC 1.3.9: in the future, or older than 30 days, is a warning: a slip, or a copy of an old form."""
    row, day = subject.table.row(APPLIED), subject.day(APPLIED).value
    if subject.need(row).greyed or day is None:
        return
    if day > subject.received_on:
        message = f"「{row.label}」が受領日より後の日付です。記入誤りでないかご確認ください。"
        yield Finding("application_date_future", Severity.WARNING, APPLIED, message)
    elif subject.received_on - day > STALE:
        message = f"「{row.label}」が受領日の30日より前の日付です。以前の申請書の再提出でないかご確認ください。"
        yield Finding("application_date_old", Severity.WARNING, APPLIED, message)


def wished_date_is_in_time(subject: Subject) -> Iterator[Finding]:
    """SPEC 1.3.3, guide lines 58-60: within one month of 申請日, never clamped; a past one is as at acceptance."""
    wished, applied = _wished(subject), subject.day(APPLIED).value
    if wished is None:
        return
    label = subject.label(WISHED)
    if applied and wished > wished_limit(applied):
        limit = wished_limit(applied)
        message = (
            f"「{label}」は申請日から1か月以内の日付をご指定ください。"
            f"今回ご指定いただける最終日は{limit.year}年{limit.month}月{limit.day}日です。"
        )
        yield Finding("wished_date_too_late", Severity.DEFECT, WISHED, message)
    if wished < subject.received_on:
        message = f"「{label}」が受領日より前の日付です。受付完了時の失効として取り扱い、その旨を申請者に通知します。"
        yield Finding("wished_date_past", Severity.WARNING, WISHED, message)


def _wished(subject: Subject) -> date | None:
    """The wished date where the type takes one."""
    return None if subject.need(subject.table.row(WISHED)).greyed else subject.day(WISHED).value


def form_is_current(subject: Subject) -> Iterator[Finding]:
    """SPEC 1.3.4, guide lines 62-63: the form before its revision has no wished date; one written in 備考 is held."""
    if subject.has(WISHED):
        return
    message = "改定前の申請書です。「現在お持ちの証明書の失効希望日」は指定がないものとして取り扱います。"
    yield Finding("old_form", Severity.NOTE, WISHED, message)
    takes_date = not subject.need(subject.table.row(WISHED)).greyed
    if takes_date and dates.holds_date(text_of(subject.field("remarks"))):
        message = (
            "改定前の申請書ですが、「備考」に日付の記載があります。失効希望日のご希望でないか申請者にご確認ください。"
        )
        yield Finding("old_form_with_date", Severity.DOUBT, "remarks", message)
