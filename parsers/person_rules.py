"""The rules about who is meant: the same person, another one, or the whole company (SPEC 1.3.6, 1.3.7)."""

import re
from collections.abc import Iterator

from config.request_types import RequestType
from parsers import characters, normalise
from parsers.reading import Finding, Severity
from parsers.subject import Subject, text_of


def handover_is_to_another(subject: Subject) -> Iterator[Finding]:
    """SPEC 1.3.6: predecessor equal to successor is really a 登録変更."""
    if subject.application.request_type is not RequestType.HANDOVER:
        return
    name, english, mail = _same(subject, "name_ja"), _same(subject, "name_en"), _same(subject, "email")
    # One name in two spellings still is one person where the mail address stayed, too.
    if name or (english and mail):
        message = "変更前（前任者）と変更後（後任者）が同じ方と思われます。「登録変更」の申請でないかご確認ください。"
        yield Finding("handover_same_person", Severity.DOUBT, "after.name_ja", message)


def change_is_of_one_person(subject: Subject) -> Iterator[Finding]:
    """SPEC 1.3.6: a 登録変更 to another person is really a 担当変更.

    A married name keeps the mail address and a new mail address keeps the name; only where name and address both
    differ is it somebody else. Staff look, because a married name may bring a new address as well.
    """
    if subject.application.request_type is not RequestType.REGISTRATION_CHANGE:
        return
    if _same(subject, "name_ja") is False and _same(subject, "email") is False:
        message = (
            "変更前と変更後で氏名とメールアドレスがともに異なります。"
            "別の方への「担当変更」でないか（改姓に伴う変更か）ご確認ください。"
        )
        yield Finding("change_other_person", Severity.DOUBT, "after.name_ja", message)


_PERSON_KEYS = {
    "name_ja": normalise.person_key,
    "name_en": normalise.english_name_key,
    "email": normalise.mail_key,
    "company_ja": normalise.company_key,
}


def _same(subject: Subject, last: str) -> bool | None:
    """Whether the field is the same before and after; None where one side is empty."""
    before, after = subject.application.value(f"before.{last}"), subject.application.value(f"after.{last}")
    if before is None or after is None:
        return None
    return _PERSON_KEYS[last](before) == _PERSON_KEYS[last](after)


_COMPANY_WIDE = re.compile(
    "社名変更|社名の変更|社名が変|商号変更|商号の変更|合併|会社分割|(?:EDI|サービス|WebEC)の?利用を?(?:終了|停止|中止)|利用終了"
    "|取引終了|取引を終了|全員|全ユーザ|全利用者|すべての利用者|全ての利用者|全証明書",
    re.IGNORECASE,
)


def event_is_of_one_user(subject: Subject) -> Iterator[Finding]:
    """SPEC 1.3.7, notes A.5 AMB-19: a company-wide event on a one-user form: the others are probably meant, too."""
    if _COMPANY_WIDE.search(characters.drop_spaces(characters.fold_width(text_of(subject.field("remarks"))))):
        message = "「備考」に全社にかかわる記載（社名変更・利用終了など）があります。同社の他の証明書もご確認ください。"
        yield Finding("company_wide_event", Severity.DOUBT, "remarks", message)
    if subject.application.request_type is RequestType.REGISTRATION_CHANGE and _same(subject, "company_ja") is False:
        message = "変更前と変更後で社名が異なります。社名変更の場合は、同社の他の証明書もご確認ください。"
        yield Finding("company_wide_event", Severity.DOUBT, "after.company_ja", message)
