"""The letters to people of a customer: one pure function for each (SPEC 2.3, domain notes D).

Here are the letters up to a decision; those about files that are no application are in `unreadable_letters`, those that
tell of a completed decision in `completion_letters`; both can be had from here too. Each gives a `Draft`, whose words
stand in `templates/`. Whom a letter goes to and what it must never hold is told in docs/letters.md. The letters to
staff are in `staff_letters`.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from config import request_types
from config.events import Event
from config.request_types import RequestType
from parsers.reading import Finding, Severity

from . import wording
from .completion_letters import (
    address_changed_old,
    cancelled,
    handover_done,
    handover_predecessor,
    issue_notice,
    issued_to_applicant,
    password,
    registration_changed,
    renewal_notice,
    revocation_called_off,
    revoked,
    scheduled_revocation,
    urgently_revoked,
)
from .draft import PASSWORD_MARKER, PKCS12, CaseFacts, Draft, Enclosure, LetterKind, Office, insert_password
from .unreadable_letters import not_taken, unreadable
from .wording import UnfitTextError, check_templates, fault_in

__all__ = [
    "PASSWORD_MARKER",
    "PKCS12",
    "REJECTION_REASONS",
    "CaseFacts",
    "Draft",
    "Enclosure",
    "LetterKind",
    "Office",
    "UnfitTextError",
    "address_changed_old",
    "cancelled",
    "check_templates",
    "defects",
    "fault_in",
    "guidance",
    "handover_done",
    "handover_predecessor",
    "insert_password",
    "issue_notice",
    "issued_to_applicant",
    "not_taken",
    "on_hold",
    "password",
    "question",
    "receipt",
    "registration_changed",
    "rejection",
    "rejection_sentence",
    "renewal_notice",
    "returned",
    "revocation_called_off",
    "revoked",
    "scheduled_revocation",
    "unreadable",
    "urgently_revoked",
    "withdrawn",
]

# What staff write after 却下 → what the applicant reads. Staff's own words never go out (domain notes D.11): no
# suspicion, no inner criteria, nothing about other users or companies.
REJECTION_REASONS: Mapping[str, str] = {
    "対象外": "お申し込みの内容が、WebEC電子証明書発行サービスの対象ではないためです。",
    "種別違い": "選択された申請種別が、ご事情に合わないためです。該当する申請種別で、あらためてお申し込みください。",
    "申請不要": "申請書のご提出が不要なお手続きのためです。",
    "日付": "申請日から日数が経過しているためです。新しい申請書で、あらためてお申し込みください。",
    "重複": "同じ内容の申請書を、重ねてお送りいただいているためです。",
}
_NEUTRAL_REASON = "ご提出いただいた内容では、お手続きを進めることができないためです。"

_NO_FORM = "申請書は不要"
_CALL_CENTRE = "申請書は不要：コールセンターへお問い合わせください"

# --- before a decision ---------------------------------------------------------------------------------------------


def receipt(office: Office, case: CaseFacts) -> Draft:
    """受付 (D.1): the form has arrived and is being checked; nothing has been done yet.

    Types that revoke say when the present certificate would end, so that a wrong or missing date is noticed in time
    (guide lines 56-60; a date already past counts as none, SPEC 1.3.3).
    """
    return wording.letter(
        LetterKind.RECEIPT,
        office,
        auto="auto-replied",
        addressee=wording.addressee(case),
        number=case.number,
        request_word=wording.request_word(case.request_type),
        arrived=wording.japanese_time(case.arrived_at),
        wish=_wish(case),
    )


def _wish(case: CaseFacts) -> str:
    if case.request_type is None or not request_types.load().types[case.request_type].revokes:
        return ""
    wished, past = case.wished_date, False
    if wished is None:
        line = "　失効希望日：指定なし（受付完了時に失効）"
    else:
        past = wished < wording.jst_date(case.arrived_at)
        line = f"　失効希望日：{wording.japanese_date(wished)}" + ("" if past else "　※この日の終わりに失効")
    notes = ["※ご指定の日付を過ぎているため、受付完了時に失効いたします。"] if past else []
    if (wished is None or past) and case.request_type is RequestType.REISSUE:
        # The gap between revocation and installation surprises people (domain notes A.5, AMB-14).
        notes.append("※受付完了から新しい証明書の導入まで、証明書をご利用いただけません。")
    notes.append("※失効の時期がご希望と異なる場合は、至急このメールにご返信ください。")
    return "\n".join([line, "", *notes])


def defects(office: Office, case: CaseFacts, findings: Sequence[Finding], deadline: date) -> Draft:
    """不備差戻し (D.2): all defects at once, each under its printed label with how to mend it (SPEC 1.3.10).

    Raises ValueError when there is no finding or one that is not a defect: a doubtful reading is for staff, never for
    the applicant.
    """
    if not findings or any(finding.severity is not Severity.DEFECT for finding in findings):
        raise ValueError("a letter of defects takes defects, at least one, and nothing else")
    items = [
        f"{count}. {_printed_label(finding.field)}\n　 {wording.one_line(finding.message)}"
        for count, finding in enumerate(findings, start=1)
    ]
    return wording.letter(
        LetterKind.DEFECTS,
        office,
        auto="auto-replied",
        addressee=wording.addressee(case),
        number=case.number,
        count=str(len(items)),
        defects="\n".join(items),
        deadline=wording.japanese_date(deadline),
    )


def _printed_label(key: str) -> str:
    try:
        return request_types.load().label(key)
    except KeyError:
        return {"request_type": "申請種別"}.get(key, "申請書全体")


def guidance(office: Office, hints: Sequence[Event], events: Sequence[Event]) -> Draft:
    """申請書の案内 (D.3): the mail held no form. How to apply, and the whole table こんなときどうする.

    `hints` are the rows that the words of the mail point to, shown first; `events` is the whole table. The letter
    repeats nothing of the mail and confirms nothing about anybody.
    """
    hinted = [f"　・「{hint.text}」場合\n　　{_advice(hint)}" for hint in hints]
    headings = [f"申請種別：{rule.word}" for rule in request_types.load().types.values()]
    groups: dict[str, list[str]] = {heading: [] for heading in (*headings, _NO_FORM, _CALL_CENTRE)}
    for event in events:
        groups[_heading(event)].append(f"　・{event.text}")
    return wording.letter(
        LetterKind.GUIDANCE,
        office,
        auto="auto-replied",
        hints="\n".join(["", "■ お問い合わせの内容に近いもの", *hinted]) if hinted else "",
        events="\n".join(line for heading, rows in groups.items() if rows for line in (f"【{heading}】", *rows)),
    )


def _advice(event: Event) -> str:
    if event.request_type is not None:
        return f"申請種別は「{wording.request_word(event.request_type)}」をお選びください。"
    if _is_for_call_centre(event):
        return "申請書は不要です。コールセンターまでお問い合わせください。"
    return "申請書のご提出は不要です。"


def _heading(event: Event) -> str:
    if event.request_type is not None:
        return f"申請種別：{wording.request_word(event.request_type)}"
    return _CALL_CENTRE if _is_for_call_centre(event) else _NO_FORM


def _is_for_call_centre(event: Event) -> bool:
    # Without a form: what happens to offices and departments needs nothing at all, what happens to a user's mails,
    # account or download needs the call centre (guide lines 257-263 and 321-325; SPEC 1.3.11).
    return not event.form_needed and event.subject == "ユーザ"


# --- decided against, or not yet -----------------------------------------------------------------------------------


def returned(office: Office, case: CaseFacts, reason: str, deadline: date) -> Draft:
    """差戻し by staff, with the reason they typed for the applicant. Raises UnfitTextError when it may not go out."""
    return wording.letter(
        LetterKind.RETURNED,
        office,
        addressee=wording.addressee(case),
        number=case.number,
        reason=wording.staff_text(reason),
        deadline=wording.japanese_date(deadline),
    )


def question(office: Office, case: CaseFacts, text: str) -> Draft:
    """照会: a question of staff; the case waits for the answer. Raises UnfitTextError when the text may not go out."""
    return wording.letter(
        LetterKind.QUESTION,
        office,
        addressee=wording.addressee(case),
        number=case.number,
        text=wording.staff_text(text),
    )


def on_hold(office: Office, case: CaseFacts) -> Draft:
    """保留中: checking takes longer. Staff's reason for holding is internal and never stands here."""
    return wording.letter(
        LetterKind.ON_HOLD,
        office,
        addressee=wording.addressee(case),
        number=case.number,
        request_word=wording.request_word(case.request_type),
        arrived=wording.japanese_time(case.arrived_at),
    )


def rejection(office: Office, case: CaseFacts, reason_word: str) -> Draft:
    """却下 (D.11): not accepted, for a stock reason. Any word outside `REJECTION_REASONS` gives the neutral one."""
    return wording.letter(
        LetterKind.REJECTION,
        office,
        addressee=wording.addressee(case),
        number=case.number,
        request_word=wording.request_word(case.request_type),
        reason=wording.indent([rejection_sentence(reason_word)]),
    )


def rejection_sentence(reason_word: str) -> str:
    """What the applicant will read for the word staff wrote after 却下; staff see it before it goes out."""
    return REJECTION_REASONS.get(reason_word.strip(), _NEUTRAL_REASON)


def withdrawn(office: Office, case: CaseFacts, deadline: date | None = None) -> Draft:
    """取下げ: at the applicant's wish, or since the `deadline` for a corrected form has passed."""
    because = "お申し出により、今回の申請のお取り下げを承りました。"
    if deadline is not None:
        because = (
            f"再提出期限の{wording.japanese_date(deadline)}までに、\n修正後の申請書を確認できませんでした。\n"
            "このため、今回の申請は、お取り下げいただいたものとして\n取り扱わせていただきました。"
        )
    return wording.letter(
        LetterKind.WITHDRAWN,
        office,
        addressee=wording.addressee(case),
        number=case.number,
        request_word=wording.request_word(case.request_type),
        because=because,
    )
