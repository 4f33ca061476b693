"""What the code on a form tells beyond its values: findings for staff, none for the applicant."""

from collections.abc import Iterator

from parsers.code_sheet import DIFFERS, DIFFERS_FORM, DIFFERS_TICKS, DIFFERS_TYPE, INVALID, UNSIGNED
from parsers.reading import Finding, Severity
from parsers.subject import Rule, Subject

# code of the note → code and severity of the finding, the field it is about, the sentence.
_NOTES = {
    UNSIGNED: (
        UNSIGNED,
        Severity.NOTE,
        "code",
        "二次元コードに当センターの署名がないか、署名を確認できません。記載内容と照合した結果を使用しています。",
    ),
    INVALID: (
        INVALID,
        Severity.DOUBT,
        "code",
        "二次元コードの署名が正しくありません。二次元コードの内容は使用していません。原本をご確認ください。",
    ),
    DIFFERS_TYPE: (
        DIFFERS,
        Severity.DOUBT,
        "request_type",
        "「申請種別」の記載が二次元コードの内容と異なります。原本をご確認ください。",
    ),
    DIFFERS_FORM: (
        DIFFERS,
        Severity.DOUBT,
        "code",
        "二次元コードが別の様式の申請書のものです。原本をご確認ください。",
    ),
}


def code_agrees_with_print(subject: Subject) -> Iterator[Finding]:
    """Issue 3, point 6: any difference between the code and the print is reported."""
    for note in subject.application.notes:
        if note in _NOTES:
            yield Finding(*_NOTES[note])
    for row in subject.table.fields():
        if subject.has(row.key) and DIFFERS in subject.field(row.key).doubts:
            label = subject.label(row.key)
            message = f"「{label}」の記載が二次元コードの内容と異なります。原本をご確認ください。"
            yield Finding(DIFFERS, Severity.DOUBT, row.key, message)
    if DIFFERS_TICKS in subject.application.notes:
        # Which box differs shows in the application: it is the one that can be called neither ticked nor not.
        for row in subject.table.confirmations:
            if subject.application.confirmations.get(row.key) is None:
                label = subject.label(row.key)
                message = f"確認項目「{label}」のチェックが二次元コードの内容と異なります。原本をご確認ください。"
                yield Finding(DIFFERS, Severity.DOUBT, row.key, message)


CODE_RULES: tuple[Rule, ...] = (code_agrees_with_print,)
