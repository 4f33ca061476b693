"""The rules of SPEC 1.2 and 1.3 as far as they concern the form alone, one test and more for each."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import request_types
from config.request_types import Need, RequestType, Row
from parsers import dates, normalise, rules
from parsers.normalise import FREE_MAIL_DOMAINS
from parsers.reading import Application, FieldValue, Finding, Route, Seal, SealVerdict, Severity

TABLE = request_types.load()
RECEIVED = date(2024, 7, 3)
WISHED, APPLIED = "wished_revocation_date", "application_date"
HANAKO = {
    "company_ja": "あおぞら電機株式会社",
    "company_en": "Aozora Electric Co., Ltd.",
    "name_ja": "山田 花子",
    "name_en": "Hanako YAMADA",
    "email": "hanako.yamada@aozora-denki.example",
}
ICHIRO = HANAKO | {"name_ja": "鈴木 一郎", "name_en": "Ichiro SUZUKI", "email": "ichiro.suzuki@aozora-denki.example"}
APPLICANT = {
    "company": "あおぞら電機株式会社",
    "name": "田中 正",
    "phone": "03-5550-1234",
    "email": "soumu@aozora-denki.example",
}
PEOPLE: Mapping[str, Mapping[str, str]] = {"applicant": APPLICANT, "user": HANAKO, "before": HANAKO, "after": HANAKO}


def field(key: str, raw: str, confidence: float = 1.0) -> FieldValue:
    if normalise.kind_of(key) is normalise.Kind.DATE:
        day = dates.read_date(raw, RECEIVED).value
        value = day.isoformat() if day else None
    else:
        value = normalise.display(normalise.kind_of(key), raw).value
    return FieldValue(value, raw, confidence, 1, None)


def application(kind: RequestType | None, **raw: str) -> Application:
    """A form without a fault; `raw` puts other texts in, with __ for the dot of a field name."""
    texts = {APPLIED: "2024年7月1日"}
    for block in TABLE.blocks:
        if kind is None or block.needs[kind] is Need.REQUIRED:
            person = ICHIRO if block.key == "after" and kind is RequestType.HANDOVER else PEOPLE[block.key]
            texts |= {f"{block.key}.{name}": text for name, text in person.items()}
    texts |= {key.replace("__", "."): text for key, text in raw.items()}
    wanted = (Need.REQUIRED, Need.WARN)
    return Application(
        request_type=kind,
        form_version="2024-07",
        route=Route.TEXT,
        pages=(1,),
        fields={row.key: field(row.key, texts.get(row.key, "")) for row in TABLE.fields()},
        confirmations={row.key: kind is None or row.needs[kind] in wanted for row in TABLE.confirmations},
        seal=Seal(SealVerdict.PRESENT, 1.0, 1),
        type_raw=TABLE.types[kind].word if kind else "",
    )


def old_form(made: Application) -> Application:
    return replace(
        made, form_version="2021-04", fields={key: value for key, value in made.fields.items() if key != WISHED}
    )


def find(made: Application, received_on: date = RECEIVED) -> tuple[Finding, ...]:
    return rules.find(made, table=TABLE, received_on=received_on)


def found(made: Application, received_on: date = RECEIVED) -> list[tuple[str, str, str]]:
    return [(finding.code, finding.severity.value, finding.field) for finding in find(made, received_on)]


KINDS = list(RequestType)
REISSUE, NEW, CHANGE, HANDOVER, CANCEL = (
    RequestType.REISSUE,
    RequestType.NEW_ISSUE,
    RequestType.REGISTRATION_CHANGE,
    RequestType.HANDOVER,
    RequestType.CANCELLATION,
)
EVERY_CELL = pytest.mark.parametrize("kind", KINDS)


# --- SPEC 1.2: every cell of the table ----------------------------------------------------------------------------


@EVERY_CELL
def test_1_2_a_form_without_a_fault_has_no_finding(kind: RequestType) -> None:
    assert found(application(kind)) == []


@EVERY_CELL
@pytest.mark.parametrize("row", [row for row in TABLE.fields() if row.key != APPLIED], ids=lambda row: row.key)
def test_1_2_an_empty_field_gives_exactly_what_its_cell_says(row: Row, kind: RequestType) -> None:
    expected = [("field_missing", "defect", row.key)] if row.needs[kind] is Need.REQUIRED else []
    assert found(application(kind, **{row.key.replace(".", "__"): ""})) == expected


@EVERY_CELL
@pytest.mark.parametrize("row", TABLE.confirmations, ids=lambda row: row.key)
def test_1_2_an_unticked_box_gives_exactly_what_its_cell_says(row: Row, kind: RequestType) -> None:
    made = application(kind)
    made = replace(made, confirmations={**made.confirmations, row.key: False})
    severities = {Need.REQUIRED: "defect", Need.WARN: "warning"}
    severity = severities.get(row.needs[kind])
    assert found(made) == ([("confirmation_missing", severity, row.key)] if severity else [])


@EVERY_CELL
@pytest.mark.parametrize("row", TABLE.confirmations, ids=lambda row: row.key)
def test_1_2_a_ticked_box_is_a_note_only_where_its_cell_is_grey(row: Row, kind: RequestType) -> None:
    made = application(kind)
    made = replace(made, confirmations={**made.confirmations, row.key: True})
    assert found(made) == ([("grey_value", "note", row.key)] if row.needs[kind] is Need.NONE else [])


@EVERY_CELL
@pytest.mark.parametrize("row", [row for row in TABLE.fields() if row.key != APPLIED], ids=lambda row: row.key)
def test_1_2_a_value_in_a_grey_field_is_shown_to_staff_and_nothing_else(row: Row, kind: RequestType) -> None:
    value = "2024年7月20日" if row.key == WISHED else "名前"
    if row.needs[kind] is Need.NONE:
        made = application(kind, **{row.key.replace(".", "__"): value})
        assert found(made) == [("grey_value", "note", row.key)]


@EVERY_CELL
def test_1_2_an_empty_application_date_gives_exactly_what_its_cell_says(kind: RequestType) -> None:
    assert TABLE.row(APPLIED).needs[kind] is Need.WARN
    assert found(application(kind, application_date="")) == [("application_date_missing", "warning", APPLIED)]


@EVERY_CELL
def test_1_2_a_missing_seal_is_a_defect_of_every_type(kind: RequestType) -> None:
    made = replace(application(kind), seal=Seal(SealVerdict.ABSENT, 1.0, 1))
    assert found(made) == [("seal_missing", "defect", "seal")]


def test_1_2_the_boxes_of_the_terms_are_never_a_defect_at_reissue() -> None:
    for ticked in (True, False, None):
        made = application(REISSUE)
        made = replace(made, confirmations={**made.confirmations, "webec_terms": ticked, "ogis_terms": ticked})
        assert found(made) == []


def test_1_2_a_box_that_cannot_be_read_is_a_doubt() -> None:
    made = application(CHANGE)
    made = replace(made, confirmations={**made.confirmations, "content_correct": None, "revoke_unneeded": None})
    assert found(made) == [
        ("confirmation_missing", "doubt", "content_correct"),
        ("confirmation_missing", "doubt", "revoke_unneeded"),
    ]


# --- the type -----------------------------------------------------------------------------------------------------


def test_guide_120_no_type_is_a_defect_and_names_the_five_words() -> None:
    [finding] = find(application(None))
    assert (finding.code, finding.severity, finding.field) == ("type_missing", Severity.DEFECT, "request_type")
    assert all(rule.word in finding.message for rule in TABLE.types.values())


def test_guide_120_two_types_are_a_defect() -> None:
    made = replace(application(None), type_raw="新規発行 再発行", type_words=("新規発行", "再発行"))
    assert found(made) == [("type_ambiguous", "defect", "request_type")]


def test_amb_1_an_unknown_word_is_for_staff_and_never_guessed() -> None:
    made = replace(application(None), type_raw="更新")
    assert found(made) == [("type_ambiguous", "doubt", "request_type")]


def test_without_a_type_only_what_all_types_require_is_missing() -> None:
    made = application(None, applicant__name="", user__name_ja="", before__email="")
    made = replace(made, confirmations=dict.fromkeys(made.confirmations, False), seal=Seal(SealVerdict.ABSENT))
    assert found(made) == [
        ("type_missing", "defect", "request_type"),
        ("field_missing", "defect", "applicant.name"),
        ("confirmation_missing", "defect", "content_correct"),
        ("seal_missing", "defect", "seal"),
    ]


# --- 1.3.1 seal ---------------------------------------------------------------------------------------------------


def test_1_3_1_an_unclear_seal_is_a_doubt_and_no_defect() -> None:
    made = replace(application(NEW), seal=Seal(SealVerdict.UNCLEAR, 0.5, 1))
    assert found(made) == [("seal_unclear", "doubt", "seal")]


# --- 1.3.2 - 1.3.4 dates ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("applied", "limit"),
    [
        (date(2024, 7, 1), date(2024, 8, 1)),
        (date(2024, 4, 30), date(2024, 5, 31)),
        (date(2024, 7, 31), date(2024, 8, 31)),
        (date(2024, 6, 30), date(2024, 7, 31)),
        (date(2023, 1, 31), date(2023, 2, 28)),
        (date(2024, 1, 31), date(2024, 2, 29)),
        (date(2023, 1, 30), date(2023, 2, 28)),
        (date(2023, 1, 29), date(2023, 2, 28)),
        (date(2023, 1, 28), date(2023, 2, 28)),
        (date(2024, 1, 29), date(2024, 2, 29)),
        (date(2023, 2, 28), date(2023, 3, 31)),
        (date(2024, 2, 28), date(2024, 3, 28)),
        (date(2024, 2, 29), date(2024, 3, 31)),
        (date(2024, 12, 15), date(2025, 1, 15)),
        (date(2024, 12, 31), date(2025, 1, 31)),
    ],
)
def test_1_3_3_one_month_counts_by_calendar_month_without_the_first_day(applied: date, limit: date) -> None:
    assert rules.wished_limit(applied) == limit


@given(st.dates(date(1990, 1, 1), date(2199, 10, 1)))
def test_1_3_3_the_limit_lies_in_the_next_month_and_never_goes_back(applied: date) -> None:
    limit = rules.wished_limit(applied)
    assert (limit.year * 12 + limit.month) - (applied.year * 12 + applied.month) == 1
    assert timedelta(days=28) <= limit - applied <= timedelta(days=31)
    assert rules.wished_limit(applied + timedelta(days=1)) >= limit


@pytest.mark.parametrize("kind", [REISSUE, HANDOVER, CANCEL])
def test_1_3_3_a_wished_date_at_the_limit_is_in_time_and_the_next_day_is_not(kind: RequestType) -> None:
    assert found(application(kind, wished_revocation_date="2024年8月1日")) == []
    late = application(kind, wished_revocation_date="2024年8月2日")
    assert found(late) == [("wished_date_too_late", "defect", WISHED)]
    assert "2024年8月1日" in find(late)[0].message
    assert late.value(WISHED) == "2024-08-02", "the date is never clamped"


def test_1_3_3_a_wished_date_already_past_is_a_warning_as_at_acceptance() -> None:
    made = application(REISSUE, application_date="2024年6月20日", wished_revocation_date="2024年6月25日")
    assert found(made) == [("wished_date_past", "warning", WISHED)]


def test_1_3_3_today_and_the_application_date_itself_are_not_past() -> None:
    assert found(application(REISSUE, wished_revocation_date="2024年7月3日")) == []


def test_1_3_4_the_old_form_counts_as_no_date_given() -> None:
    for kind in KINDS:
        assert found(old_form(application(kind))) == [("old_form", "note", WISHED)]


@pytest.mark.parametrize("kind", [REISSUE, HANDOVER, CANCEL])
def test_1_3_4_a_date_elsewhere_on_the_old_form_is_held_for_staff(kind: RequestType) -> None:
    made = old_form(application(kind, remarks="8月10日まで利用します。"))
    assert found(made) == [("old_form", "note", WISHED), ("old_form_with_date", "doubt", "remarks")]


def test_1_3_4_a_date_on_the_old_form_of_a_type_that_revokes_nothing_is_no_wish() -> None:
    assert found(old_form(application(NEW, remarks="8月10日から利用します。"))) == [("old_form", "note", WISHED)]


def test_1_3_4_remarks_of_the_new_form_are_no_wished_date() -> None:
    assert found(application(REISSUE, remarks="8月10日まで利用します。")) == []


def test_1_3_9_a_missing_application_date_is_a_defect_only_with_a_wished_date() -> None:
    made = application(CANCEL, application_date="", wished_revocation_date="2024年7月31日")
    assert found(made) == [("application_date_missing", "defect", APPLIED)]
    assert found(application(CANCEL, application_date="")) == [("application_date_missing", "warning", APPLIED)]


def test_1_3_9_an_application_date_in_the_future_is_a_warning() -> None:
    assert found(application(NEW, application_date="2024年7月4日")) == [("application_date_future", "warning", APPLIED)]
    assert found(application(NEW, application_date="2024年7月3日")) == []


def test_1_3_9_an_application_date_older_than_thirty_days_is_a_warning() -> None:
    made = application(NEW)
    assert found(made, date(2024, 7, 31)) == []
    assert found(made, date(2024, 8, 1)) == [("application_date_old", "warning", APPLIED)]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("令和6年7月1日", []),
        ("2024年7月32日", [("date_invalid", "defect", APPLIED)]),
        ("６／７／１", [("date_ambiguous", "doubt", APPLIED)]),
        ("7月1日", [("date_year_guessed", "note", APPLIED)]),
        ("平成36年7月1日", [("era_year_out_of_range", "warning", APPLIED)]),
    ],
)
def test_1_4_a_way_of_writing_a_date_has_its_finding(raw: str, expected: list[tuple[str, str, str]]) -> None:
    assert found(application(NEW, application_date=raw)) == expected


def test_a_date_that_staff_amended_carries_no_doubt_of_the_old_text() -> None:
    made = application(NEW, application_date="６／７／１")
    amended = FieldValue("2024-07-01", "６／７／１", 1.0, 1)
    assert found(replace(made, fields={**made.fields, APPLIED: amended})) == []


# --- 1.3.6 and 1.3.7 persons --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "after",
    [
        {},
        {"after__email": "yamada@aozora-denki.example"},
        {"after__name_ja": "山田　花子"},
        {"after__name_ja": "やまだ 花子"},
    ],
)
def test_1_3_6_a_handover_to_the_same_person_is_a_doubt(after: dict[str, str]) -> None:
    same = {f"after__{name}": text for name, text in HANAKO.items()}
    made = application(HANDOVER, **(same | after))
    assert found(made) == [("handover_same_person", "doubt", "after.name_ja")]


def test_1_3_6_a_handover_within_a_shared_mailbox_is_none() -> None:
    assert found(application(HANDOVER, after__email=HANAKO["email"])) == []


def test_1_3_6_a_registration_change_to_another_person_is_a_doubt() -> None:
    made = application(CHANGE, **{f"after__{name}": text for name, text in ICHIRO.items()})
    assert found(made) == [("change_other_person", "doubt", "after.name_ja")]


@pytest.mark.parametrize(
    "after",
    [
        {"after__name_ja": "髙橋 花子", "after__name_en": "Hanako TAKAHASHI"},
        {"after__email": "h.yamada@aozora-denki.example"},
    ],
)
def test_1_3_6_a_married_name_or_a_new_address_alone_is_the_same_person(after: dict[str, str]) -> None:
    assert found(application(CHANGE, **after)) == []


def test_1_3_6_half_a_block_is_missing_and_not_another_person() -> None:
    codes = {code for code, _, _ in found(application(CHANGE, after__name_ja="鈴木 一郎", after__email=""))}
    assert codes == {"field_missing"}


@pytest.mark.parametrize(
    "remarks",
    [
        "社名変更に伴う申請です。",
        "EDIサービスの利用終了のため",
        "ＥＤＩ利用を終了します",
        "当社の利用者全員分をお願いします。",
        "合併により",
    ],
)
def test_1_3_7_a_company_wide_event_on_a_form_for_one_user_is_a_doubt(remarks: str) -> None:
    assert found(application(CANCEL, remarks=remarks)) == [("company_wide_event", "doubt", "remarks")]


def test_1_3_7_a_change_of_the_company_name_is_a_company_wide_event() -> None:
    made = application(CHANGE, after__company_ja="あおぞらホールディングス株式会社")
    assert found(made) == [("company_wide_event", "doubt", "after.company_ja")]
    assert found(application(CHANGE, after__company_ja="あおぞら電機㈱")) == []


@pytest.mark.parametrize("remarks", ["", "PC入替のため再発行をお願いします。", "よろしくお願いいたします。"])
def test_1_3_7_a_plain_remark_is_no_event(remarks: str) -> None:
    assert found(application(REISSUE, remarks=remarks)) == []


# --- 1.3.10 what is told to the applicant -------------------------------------------------------------------------


def unsure(made: Application) -> Application:
    return replace(made, fields={key: replace(value, confidence=0.5) for key, value in made.fields.items()})


def test_1_3_10_a_doubtful_reading_is_never_a_defect() -> None:
    made = unsure(
        application(
            NEW,
            user__name_en="山田",
            user__email="x",
            applicant__phone="1",
            application_date="2024/13/1",
            user__name_ja="",
        )
    )
    field_findings = [finding for finding in find(made) if finding.field in made.fields]
    assert {finding.severity for finding in field_findings} <= {Severity.DOUBT, Severity.WARNING, Severity.NOTE}
    assert {"field_missing", "english_not_ascii", "mail_address_invalid", "date_invalid"} <= {
        f.code for f in field_findings
    }


def test_1_3_10_a_filled_field_that_was_read_with_doubt_is_shown_to_staff() -> None:
    made = application(NEW)
    made = replace(made, fields={**made.fields, "user.email": replace(made.fields["user.email"], confidence=0.5)})
    assert found(made) == [("reading_doubtful", "doubt", "user.email")]


def test_1_3_10_all_defects_come_at_once() -> None:
    empty = {key.replace(".", "__"): "" for key in application(NEW).fields}
    made = replace(application(NEW, **empty), seal=Seal(SealVerdict.ABSENT))
    made = replace(made, confirmations=dict.fromkeys(made.confirmations, False))
    defects = [finding for finding in find(made) if finding.severity is Severity.DEFECT]
    required = [row for row in (*TABLE.fields(), *TABLE.confirmations, TABLE.seal) if row.needs[NEW] is Need.REQUIRED]
    assert [finding.field for finding in defects] == [row.key for row in required]


# --- 1.4 single values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("山田 花子", "english_not_ascii"),
        ("Tarō ŌNO", "english_not_ascii"),
        ("H" * 65, "english_too_long"),
        ("Hanako_YAMADA", "english_characters"),
        ("Hanako*YAMADA", "english_characters"),
        ("Hanako @ YAMADA", "english_characters"),
        ("-", "english_characters"),
        (".", "english_characters"),
        ("NA", "english_characters"),
        ("N/A", "english_characters"),
        ("none", "english_characters"),
        ("123", "english_characters"),
    ],
)
@pytest.mark.parametrize("key", ["user__name_en", "user__company_en"])
def test_1_4_english_that_no_certificate_takes_is_a_defect(key: str, text: str, code: str) -> None:
    assert found(application(NEW, **{key: text})) == [(code, "defect", key.replace("__", "."))]


@pytest.mark.parametrize(
    "text",
    [
        "H" * 64,
        "Ｈａｎａｋｏ　ＹＡＭＡＤＡ",
        "O’Brien-Yamada",
        "A&B Co., Ltd.",
        "Aozora (Japan) K.K.",
        "3M/Aozora: No.1 = One",
    ],
)
def test_1_4_english_that_a_certificate_takes_is_in_order(text: str) -> None:
    assert found(application(NEW, user__company_en=text)) == []


def test_1_4_long_and_wrong_english_gives_both_findings() -> None:
    codes = [code for code, _, _ in found(application(NEW, user__name_en="*" + "H" * 70))]
    assert codes == ["english_characters", "english_too_long"]


@pytest.mark.parametrize("key", ["applicant__email", "user__email"])
@pytest.mark.parametrize(
    ("text", "code"),
    [("hanako.example", "mail_address_invalid"), ("a@a.example / b@a.example", "mail_address_several")],
)
def test_1_4_a_mail_address_that_is_none_or_two_is_a_defect(key: str, text: str, code: str) -> None:
    assert found(application(NEW, **{key: text})) == [(code, "defect", key.replace("__", "."))]


def test_1_4_a_phone_number_only_warns() -> None:
    assert found(application(NEW, applicant__phone="03-5550-123")) == [("phone_invalid", "warning", "applicant.phone")]


def test_1_4_an_amended_value_is_judged_instead_of_the_old_text() -> None:
    made = application(NEW, applicant__phone="03-5550-123")
    mended = replace(made.fields["applicant.phone"], value="03-5550-1234")
    assert found(replace(made, fields={**made.fields, "applicant.phone": mended})) == []


@pytest.mark.parametrize("key", ["applicant__email", "user__email"])
def test_c_2_a_public_mail_service_is_a_warning(key: str) -> None:
    address = f"hanako@{min(FREE_MAIL_DOMAINS)}"
    assert found(application(NEW, **{key: address})) == [("free_mail_domain", "warning", key.replace("__", "."))]


def test_c_2_the_address_that_is_left_behind_is_not_judged() -> None:
    assert found(application(HANDOVER, before__email=f"hanako@{min(FREE_MAIL_DOMAINS)}")) == []


def test_values_of_grey_fields_are_not_judged() -> None:
    made = application(NEW, before__email="none", before__name_en="山田")
    assert {code for code, _, _ in found(made)} == {"grey_value"}


# --- the sentences ------------------------------------------------------------------------------------------------

SECRETS: dict[str, Callable[[str], str]] = {
    "user__name_en": lambda text: f"山{text}",
    "user__email": lambda text: f"{text}@@",
    "applicant__phone": lambda text: text,
    "application_date": lambda text: text,
    "remarks": lambda text: f"全員 {text}",
}


@given(st.from_regex(r"[a-z]{12}", fullmatch=True))
def test_no_message_repeats_a_value_and_each_is_one_sentence_or_two_for_people(secret: str) -> None:
    made = application(NEW, **{key: wrap(secret) for key, wrap in SECRETS.items()})
    findings = find(made)
    assert len(findings) == len(SECRETS)
    for finding in findings:
        assert secret not in finding.message
        assert finding.message.endswith("。")


def test_each_message_names_the_printed_label() -> None:
    empty = {key.replace(".", "__"): "" for key in application(NEW).fields}
    for finding in find(application(NEW, **empty)):
        assert TABLE.label(finding.field) in finding.message


@given(
    st.sampled_from([*KINDS, None]),
    st.dictionaries(st.sampled_from([row.key for row in TABLE.fields()]), st.text(max_size=40)),
    st.lists(st.sampled_from([True, False, None]), min_size=6, max_size=6),
    st.sampled_from(list(SealVerdict)),
    st.dates(date(2000, 1, 1), date(2100, 1, 1)),
)
def test_any_form_gives_findings_and_never_raises(
    kind: RequestType | None,
    texts: dict[str, str],
    boxes: list[bool | None],
    verdict: SealVerdict,
    received_on: date,
) -> None:
    made = application(kind)
    fields = {**made.fields, **{key: field(key, text) for key, text in texts.items()}}
    ticks = dict(zip(made.confirmations, boxes, strict=True))
    findings = find(replace(made, fields=fields, confirmations=ticks, seal=Seal(verdict)), received_on)
    assert len({(finding.code, finding.field) for finding in findings}) == len(findings)
    assert all(finding.message for finding in findings)


def test_a_table_that_asks_for_no_seal_gives_no_finding_about_one() -> None:
    relaxed = replace(TABLE, seal=replace(TABLE.seal, needs=dict.fromkeys(RequestType, Need.OPTIONAL)))
    made = replace(application(NEW), seal=Seal(SealVerdict.ABSENT))
    assert rules.find(made, table=relaxed, received_on=RECEIVED) == ()
