"""The sample applications: what is written on each form, and what a correct reading of it must say.

All companies and people are invented. A finding is (code, severity, field).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from config.forms import WISHED_DATE
from config.request_types import Need, RequestType, Table
from daemon.form import Style

Value = str | date | bool
Values = Mapping[str, Value]
Finding = tuple[str, str, str]

RECEIVED_ON = date(2024, 7, 3)
APPLIED_ON = date(2024, 7, 1)


class Mark(StrEnum):
    """What stands in the seal box."""

    SQUARE = "square"
    ROUND = "round"
    PERSONAL = "personal"
    BLACK = "black"
    OVER_COMPANY = "over_company"
    NONE = "none"


_VERDICTS = {Mark.NONE: "absent", Mark.BLACK: "unclear"}


@dataclass(frozen=True)
class Case:
    """One filled form. `values` are what was written; `reads` says where the right reading differs from that."""

    name: str
    values: Values
    request_type: RequestType | None
    findings: tuple[Finding, ...] = ()
    reads: Mapping[str, str | None] = field(default_factory=dict)
    mark: Mark = Mark.SQUARE
    company: str = "あおぞら電機株式会社"
    surname: str = "田中"
    form_version: str = "2024-07"
    received_on: date = RECEIVED_ON
    style: Style | None = None

    @property
    def seal(self) -> str:
        """The verdict that a reading of the seal box must give."""
        return _VERDICTS.get(self.mark, "present")


# The fonts that Linux has; `digit` is the width of their digits at 11 points in pixels.
PLAIN = Style(font="IPAGothic", digit=7.33)
STYLES = {
    "font_mincho": Style(font="IPAPMincho", digit=8.6),
    "font_noto": Style(font="Noto Sans CJK JP", digit=8.14),
    "margin": replace(PLAIN, margin=22.0),
    "columns": replace(PLAIN, columns=(26.0, 11.0, 27.0, 33.0, 22.0, 31.0, 35.0)),
}

_AOZORA = {"company_ja": "あおぞら電機株式会社", "company_en": "Aozora Electric Co., Ltd."}
_MINATO = {"company_ja": "株式会社みなと商事", "company_en": "Minato Trading Co., Ltd."}

HANAKO = {
    **_AOZORA,
    "name_ja": "山田 花子",
    "name_en": "Hanako YAMADA",
    "email": "hanako.yamada@aozora-denki.example",
}
HANAKO_MARRIED = {**HANAKO, "name_ja": "髙橋 花子", "name_en": "Hanako TAKAHASHI"}
ICHIRO = {
    **_AOZORA,
    "name_ja": "鈴木 一郎",
    "name_en": "Ichiro SUZUKI",
    "email": "ichiro.suzuki@aozora-denki.example",
}
TAKERU = {
    **_MINATO,
    "name_ja": "佐藤 健",
    "name_en": "Takeru SATO",
    "email": "t-sato@minato-shoji.example",
}

AOZORA_APPLICANT = {
    "company": "あおぞら電機株式会社",
    "department": "管理本部 総務部",
    "title": "課長",
    "name": "田中 正",
    "phone": "03-5550-1234",
    "postal_code": "100-0099",
    "address": "東京都千代田区青空町1丁目2番3号 あおぞらビル5階",
    "email": "soumu@aozora-denki.example",
}
MINATO_APPLICANT = {
    "company": "株式会社みなと商事",
    "department": "総務部",
    "title": "主任",
    "name": "中村 由美子",
    "phone": "045-550-6789",
    "postal_code": "220-0099",
    "address": "神奈川県横浜市港区みなと町4-5-6",
    "email": "somu@minato-shoji.example",
}


def filled(
    table: Table,
    kind: RequestType,
    person: Mapping[str, str],
    after: Mapping[str, str] | None = None,
    *,
    applicant: Mapping[str, str] = AOZORA_APPLICANT,
    **more: Value,
) -> dict[str, Value]:
    """A form as a careful person fills it: the blocks and boxes that the type asks for, and the date."""
    values: dict[str, Value] = {"request_type": table.types[kind].word, "application_date": APPLIED_ON}
    people = {"applicant": applicant, "user": person, "before": person, "after": after or person}
    for block in table.blocks:
        if block.needs[kind] is Need.REQUIRED:
            values |= {f"{block.key}.{name}": text for name, text in people[block.key].items()}
    for row in table.confirmations:
        values[row.key] = row.needs[kind] in (Need.REQUIRED, Need.WARN)
    return values | more


def clean_cases(table: Table) -> Iterator[Case]:
    """The five types without a fault, with and without the wished date."""
    day = {WISHED_DATE: date(2024, 7, 31)}
    kinds = RequestType
    new = filled(table, kinds.NEW_ISSUE, HANAKO)
    reissue = filled(table, kinds.REISSUE, HANAKO)
    change = filled(table, kinds.REGISTRATION_CHANGE, HANAKO, HANAKO_MARRIED, remarks="結婚による改姓のため。")
    handover = filled(table, kinds.HANDOVER, HANAKO_MARRIED, ICHIRO)
    cancellation = filled(table, kinds.CANCELLATION, TAKERU, applicant=MINATO_APPLICANT)
    yield Case("new_issue", new, kinds.NEW_ISSUE)
    yield Case("reissue", reissue, kinds.REISSUE, mark=Mark.ROUND)
    yield Case("registration_change", change, kinds.REGISTRATION_CHANGE, mark=Mark.PERSONAL)
    yield Case("handover", handover | day, kinds.HANDOVER)
    yield Case("cancellation", cancellation, kinds.CANCELLATION, company="株式会社みなと商事", surname="中村")
    yield Case("reissue__with_date", reissue | day, kinds.REISSUE)
    yield Case("handover__without_date", handover, kinds.HANDOVER, mark=Mark.PERSONAL)
    yield Case(
        "cancellation__with_date",
        cancellation | day,
        kinds.CANCELLATION,
        mark=Mark.ROUND,
        company="株式会社みなと商事",
        surname="中村",
    )


def restyled_cases(table: Table) -> Iterator[Case]:
    """The five types again in another font, with another margin, with other column widths."""
    for case in clean_cases(table):
        if "__" not in case.name:
            for name, style in STYLES.items():
                yield replace(case, name=f"{case.name}__{name}", style=style)


def mistaken_cases(table: Table) -> Iterator[Case]:
    """Common mistakes, and ways of writing that are right although they look unusual."""
    yield from _seal_and_type(table)
    yield from _dates(table)
    yield from _texts(table)
    yield from _people(table)


def _seal_and_type(table: Table) -> Iterator[Case]:
    new_issue, reissue = RequestType.NEW_ISSUE, RequestType.REISSUE
    new = filled(table, new_issue, HANAKO)
    yield Case("new_issue__no_seal", new, new_issue, (("seal_missing", "defect", "seal"),), mark=Mark.NONE)
    yield Case("new_issue__black_seal", new, new_issue, (("seal_unclear", "doubt", "seal"),), mark=Mark.BLACK)
    yield Case("new_issue__seal_over_company", new, new_issue, mark=Mark.OVER_COMPANY)
    without = {key: value for key, value in new.items() if key != "request_type"}
    yield Case("type_missing", without, None, (("type_missing", "defect", "request_type"),))
    both = new | {"request_type": "新規発行 再発行"}
    yield Case("type_two", both, None, (("type_ambiguous", "defect", "request_type"),))
    grey = new | {"before.name_ja": "鈴木 一郎", "user_not_entitled": True}
    notes = (("grey_value", "note", "before.name_ja"), ("grey_value", "note", "user_not_entitled"))
    yield Case("new_issue__grey_filled", grey, new_issue, notes)
    unticked = new | {"webec_terms": False, "ogis_terms": False}
    defects = tuple(("confirmation_missing", "defect", key) for key in ("webec_terms", "ogis_terms"))
    yield Case("new_issue__terms_unticked", unticked, new_issue, defects)
    ticked = filled(table, reissue, HANAKO, webec_terms=True, ogis_terms=True)
    yield Case("reissue__terms_ticked", ticked, reissue)


def _dates(table: Table) -> Iterator[Case]:
    kinds = RequestType
    reissue = filled(table, kinds.REISSUE, HANAKO)
    cancellation = filled(table, kinds.CANCELLATION, HANAKO)
    late = (("wished_date_too_late", "defect", WISHED_DATE),)
    yield Case("reissue__date_too_late", reissue | {WISHED_DATE: date(2024, 8, 2)}, kinds.REISSUE, late)
    yield Case("reissue__date_at_limit", reissue | {WISHED_DATE: date(2024, 8, 1)}, kinds.REISSUE)
    month_end = cancellation | {"application_date": date(2024, 4, 30), WISHED_DATE: date(2024, 5, 31)}
    yield Case("cancellation__date_at_month_end", month_end, kinds.CANCELLATION, received_on=date(2024, 5, 1))
    past = reissue | {"application_date": date(2024, 6, 20), WISHED_DATE: date(2024, 6, 25)}
    yield Case("reissue__date_past", past, kinds.REISSUE, (("wished_date_past", "warning", WISHED_DATE),))
    undated = {key: value for key, value in cancellation.items() if key != "application_date"}
    for name, severity, values in (
        ("cancellation__undated", "warning", undated),
        ("cancellation__undated_with_date", "defect", undated | {WISHED_DATE: date(2024, 7, 31)}),
    ):
        found = (("application_date_missing", severity, "application_date"),)
        yield Case(name, values, kinds.CANCELLATION, found)
    era = reissue | {"application_date": "令和6年7月1日", WISHED_DATE: "Ｒ６．７．３１"}
    reads = {"application_date": "2024-07-01", WISHED_DATE: "2024-07-31"}
    yield Case("reissue__era_dates", era, kinds.REISSUE, reads=reads)
    heisei = reissue | {"application_date": "平成36年7月1日"}
    found = (("era_year_out_of_range", "warning", "application_date"),)
    yield Case("reissue__era_past_its_end", heisei, kinds.REISSUE, found, reads={"application_date": "2024-07-01"})
    no_day = reissue | {WISHED_DATE: "2024年7月32日"}
    found = (("date_invalid", "defect", WISHED_DATE),)
    yield Case("reissue__no_such_day", no_day, kinds.REISSUE, found, reads={WISHED_DATE: None})
    old = cancellation | {"remarks": "担当者は7月20日まで利用します。"}
    notes: tuple[Finding, ...] = (("old_form", "note", WISHED_DATE),)
    yield Case("old_form", cancellation, kinds.CANCELLATION, notes, form_version="2021-04")
    doubts = (*notes, ("old_form_with_date", "doubt", "remarks"))
    yield Case("old_form__date_in_remarks", old, kinds.CANCELLATION, doubts, form_version="2021-04")


def _texts(table: Table) -> Iterator[Case]:
    new_issue = RequestType.NEW_ISSUE
    new = filled(table, new_issue, HANAKO)

    def wrong(name: str, key: str, text: str, code: str, *, severity: str = "defect", lost: bool = False) -> Case:
        reads = {key: None} if lost else {}
        return Case(f"new_issue__{name}", new | {key: text}, new_issue, ((code, severity, key),), reads)

    wide = new | {"user.email": "ｈａｎａｋｏ．ｙａｍａｄａ＠ａｏｚｏｒａ－ｄｅｎｋｉ．ｅｘａｍｐｌｅ"}
    yield Case("new_issue__wide_mail", wide, new_issue, reads={"user.email": HANAKO["email"]})
    yield wrong(
        "two_mails", "user.email", "a@aozora-denki.example / b@aozora-denki.example", "mail_address_several", lost=True
    )
    yield wrong("bad_mail", "user.email", "hanako.yamada.aozora-denki.example", "mail_address_invalid", lost=True)
    yield wrong("kanji_english_name", "user.name_en", "山田 花子", "english_not_ascii")
    long_name = "Hanako Maria Alexandra Constantina YAMADA-FITZGERALD-MONTGOMERIES"
    yield wrong("long_english_name", "user.name_en", long_name, "english_too_long")
    yield wrong("signs_in_english", "user.company_en", "Aozora*Electric_Co., Ltd.", "english_characters")
    yield wrong("short_phone", "applicant.phone", "03-5550-123", "phone_invalid", severity="warning")
    gone = ("applicant.phone", "user.company_en", "user.email")
    missing = {key: value for key, value in new.items() if key not in gone}
    yield Case("new_issue__fields_missing", missing, new_issue, tuple(("field_missing", "defect", key) for key in gone))


def _people(table: Table) -> Iterator[Case]:
    handover, change = RequestType.HANDOVER, RequestType.REGISTRATION_CHANGE
    moved = {**HANAKO, "email": "yamada@aozora-denki.example"}
    same = (("handover_same_person", "doubt", "after.name_ja"),)
    yield Case("handover__same_person", filled(table, handover, HANAKO, moved), handover, same)
    other = (("change_other_person", "doubt", "after.name_ja"),)
    yield Case("registration_change__other_person", filled(table, change, HANAKO, ICHIRO), change, other)
    unticked = filled(table, change, HANAKO, HANAKO_MARRIED, revoke_unneeded=False)
    warned = (("confirmation_missing", "warning", "revoke_unneeded"),)
    yield Case("registration_change__revoke_unticked", unticked, change, warned)
