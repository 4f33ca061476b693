"""The letters to people of a customer once something was done: delivery, revocation, changes (domain notes D.5-D.10).

They are had from `letters`, like all letters to customers; docs/letters.md tells who gets which.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime

from . import wording
from .draft import PASSWORD_MARKER, PKCS12, CaseFacts, Draft, Enclosure, LetterKind, Office


def issue_notice(
    office: Office,
    case: CaseFacts,
    *,
    name: str,
    not_before: datetime,
    not_after: datetime,
    bundle: bytes,
    bundle_name: str,
    friendly: str,
) -> Draft:
    """発行通知 (D.5) to the subscriber, with the PKCS#12 file enclosed; the password comes in a mail of its own.

    `friendly` is the name the certificate shows in the browser (PKCS#12 friendlyName).
    """
    return wording.letter(
        LetterKind.ISSUE_NOTICE,
        office,
        reply_note=wording.NO_REPLY,
        attachments=(Enclosure(bundle_name, PKCS12, bundle),),
        name=wording.one_line(name),
        number=case.number,
        not_before=wording.japanese_time(not_before),
        not_after=wording.japanese_time(not_after),
        bundle_name=wording.one_line(bundle_name),
        friendly=wording.one_line(friendly),
    )


def password(office: Office, reference: str) -> Draft:
    """パスワード通知 (D.6): nothing but the password, whose place is `PASSWORD_MARKER` until `insert_password`.

    `reference` is the case number of the notice. No link, no name or company of the subscriber, no serial number; a
    subject that does not say what it is; never in the notice's thread.
    """
    return wording.letter(
        LetterKind.PASSWORD, office, reply_note=wording.NO_REPLY, reference=reference, password=PASSWORD_MARKER
    )


def renewal_notice(
    office: Office,
    case: CaseFacts,
    *,
    name: str,
    expires_at: datetime,
    not_before: datetime,
    not_after: datetime,
    bundle: bytes,
    bundle_name: str,
    friendly: str,
) -> Draft:
    """更新通知 (D.7): the certificate in use ends at `expires_at`; the next one is enclosed (guide lines 42-43)."""
    return wording.letter(
        LetterKind.RENEWAL_NOTICE,
        office,
        reply_note=wording.NO_REPLY,
        attachments=(Enclosure(bundle_name, PKCS12, bundle),),
        name=wording.one_line(name),
        number=case.number,
        expires_on=wording.short_date(wording.jst_date(expires_at)),
        expires=wording.japanese_time(expires_at),
        not_before=wording.japanese_time(not_before),
        not_after=wording.japanese_time(not_after),
        bundle_name=wording.one_line(bundle_name),
        friendly=wording.one_line(friendly),
    )


def issued_to_applicant(
    office: Office, case: CaseFacts, *, name: str, not_before: datetime, not_after: datetime
) -> Draft:
    """発行完了 to the applicant: that it was done and how it is delivered, without any secret (notes A.5, AMB-17)."""
    return wording.letter(
        LetterKind.ISSUED_TO_APPLICANT,
        office,
        addressee=wording.addressee(case),
        number=case.number,
        request_word=wording.request_word(case.request_type),
        name=wording.one_line(name),
        not_before=wording.japanese_time(not_before),
        not_after=wording.japanese_time(not_after),
    )


# --- after execution -----------------------------------------------------------------------------------------------


def scheduled_revocation(office: Office, case: CaseFacts, when: date, name: str) -> Draft:
    """失効予約: the certificate ends with the day `when` in Japan (SPEC 1.3.3) and can be used until then."""
    return wording.letter(
        LetterKind.SCHEDULED_REVOCATION,
        office,
        addressee=wording.addressee(case),
        number=case.number,
        request_word=wording.request_word(case.request_type),
        name=wording.one_line(name),
        when=wording.japanese_date(when),
    )


def revoked(office: Office, case: CaseFacts, *, name: str, serial_tails: Sequence[str], at: datetime) -> Draft:
    """失効完了 (D.8), one letter for all certificates revoked together (a renewal overlaps the one before it).

    Each of `serial_tails` is the last four hexadecimal digits of a serial number; ValueError for more, or for none.
    """
    return wording.letter(
        LetterKind.REVOKED,
        office,
        addressee=wording.addressee(case),
        number=case.number,
        name=wording.one_line(name),
        serial_tail=_tails(serial_tails),
        at=wording.japanese_time(at),
    )


def urgently_revoked(
    office: Office, case: CaseFacts, *, name: str, serial_tails: Sequence[str], at: datetime, form_by: date
) -> Draft:
    """至急失効 to the applicant: what was revoked, never why, and which form is still to follow (domain notes E.3).

    Each of `serial_tails` is the last four hexadecimal digits of a serial number; ValueError for more, or for none.
    """
    return wording.letter(
        LetterKind.URGENTLY_REVOKED,
        office,
        addressee=wording.addressee(case),
        number=case.number,
        name=wording.one_line(name),
        serial_tail=_tails(serial_tails),
        at=wording.japanese_time(at),
        form_by=wording.japanese_date(form_by),
    )


def revocation_called_off(office: Office, case: CaseFacts, *, name: str) -> Draft:
    """失効予約の取消: the certificate stays good until it expires."""
    return wording.letter(
        LetterKind.REVOCATION_CALLED_OFF,
        office,
        addressee=wording.addressee(case),
        number=case.number,
        name=wording.one_line(name),
    )


def _tails(serial_tails: Sequence[str]) -> str:
    if not serial_tails or not all(re.fullmatch(r"[0-9a-fA-F]{4}", tail) for tail in serial_tails):
        raise ValueError("a letter shows exactly the last four hexadecimal digits of each serial number")
    return "、".join(tail.upper() for tail in serial_tails)


def registration_changed(office: Office, case: CaseFacts, changed: Sequence[str], not_after: datetime | None) -> Draft:
    """登録変更完了 (D.9): the labels of what changed, never a value; `not_after` of the certificate in use, if any."""
    in_use = ""
    if not_after is not None:
        until = wording.japanese_time(not_after)
        in_use = f"\n現在の電子証明書は、下記の有効期限までそのままご利用いただけます。\n\n　有効期限：{until}"
    return wording.letter(
        LetterKind.REGISTRATION_CHANGED,
        office,
        addressee=wording.addressee(case),
        number=case.number,
        changed="\n".join(f"　・{label}" for label in changed),
        in_use=in_use,
    )


def address_changed_old(office: Office) -> Draft:
    """To the former address when it was changed (SPEC 2.2): that something changed, and nothing else. No case number,
    no name: whoever reads that mailbox now may be a stranger."""
    return wording.letter(LetterKind.ADDRESS_CHANGED_OLD, office)


def cancelled(office: Office, case: CaseFacts, name: str, at: datetime, user_company: str = "") -> Draft:
    """解約完了 (D.10) to the applicant only. `user_company` is the user's company where it is not the applicant's."""
    return wording.letter(
        LetterKind.CANCELLED,
        office,
        addressee=wording.addressee(case),
        number=case.number,
        user_company=wording.one_line(user_company or case.company),
        name=wording.one_line(name),
        at=wording.japanese_time(at),
    )


def handover_done(
    office: Office,
    case: CaseFacts,
    *,
    predecessor: str,
    successor: str,
    revoked_at: datetime | None = None,
    revocation_due: date | None = None,
) -> Draft:
    """担当変更完了 to the applicant. Exactly one of `revoked_at` and `revocation_due` is given, else ValueError."""
    return wording.letter(
        LetterKind.HANDOVER_DONE,
        office,
        addressee=wording.addressee(case),
        number=case.number,
        predecessor=wording.one_line(predecessor),
        successor=wording.one_line(successor),
        revocation=wording.indent(_revocation(revoked_at, revocation_due)),
    )


def handover_predecessor(
    office: Office,
    case: CaseFacts,
    *,
    name: str,
    revoked_at: datetime | None = None,
    revocation_due: date | None = None,
) -> Draft:
    """担当変更 to the predecessor: when the certificate ends; nothing about the successor (domain notes D, end)."""
    return wording.letter(
        LetterKind.HANDOVER_PREDECESSOR,
        office,
        name=wording.one_line(name),
        number=case.number,
        revocation="　{}\n\n{}".format(*_revocation(revoked_at, revocation_due)),
    )


def _revocation(revoked_at: datetime | None, due: date | None) -> Iterable[str]:
    if revoked_at is not None and due is None:
        return (
            f"失効日時：{wording.japanese_time(revoked_at)}（日本時間）",
            "失効した証明書は、以後ご利用いただけません。",
        )
    if due is not None and revoked_at is None:
        return (
            f"失効予定：{wording.japanese_date(due)}の終わり（24時、日本時間）",
            "失効予定日の終わりまでは、引き続きご利用いただけます。",
        )
    raise ValueError("a handover letter tells either when the certificate was revoked or when it will be")
