"""Every letter to a customer as its receiver gets it (goldens), and the rules of domain notes D over all of them.

.venv/bin/python -P tests/daemon/test_letters.py --write     writes the goldens anew; then read them
"""

import re
import sys
import unicodedata
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from config import events, request_types
from config.request_types import RequestType
from daemon import letters, wording
from daemon.letters import PKCS12, CaseFacts, Draft, LetterKind, Office, UnfitTextError
from daemon.line_breaking import columns
from parsers.errors import ParseKind
from parsers.reading import Finding, Severity

GOLDENS = Path(__file__).parents[1] / "data" / "letters"
OFFICE = Office(
    address="ogis-lra@lra.example",
    name="電子証明書発行サービス LRAセンター",
    call_centre_phone="03-6712-1274（東京）／06-6582-3565（大阪）",
    call_centre_mail="support@lra.example",
    form_url="https://www.lra.example/ogis-lra/CA1",
    materials_url="https://www.lra.example/ogis-lra/",
    site="株式会社オージス総研",
)
NUMBER = "WEBEC-20260722-0012"
ARRIVED = datetime(2026, 7, 22, 0, 31, tzinfo=UTC)
START, END = datetime(2026, 7, 22, 8, 5, tzinfo=UTC), datetime(2028, 8, 21, 8, 5, tzinfo=UTC)
BUNDLE = {"bundle": b"0\x82PKCS#12", "bundle_name": f"{NUMBER}.p12", "friendly": "Hanako SUZUKI (WebEC)"}
VALIDITY = {"not_before": START, "not_after": END}
DEADLINE = date(2026, 8, 21)


def facts(request_type=RequestType.NEW_ISSUE, wished=None, **changes) -> CaseFacts:
    values = {"company": "株式会社青空電機", "person": "山田 太郎", "arrived_at": ARRIVED, "wished_date": wished}
    return CaseFacts(number=NUMBER, request_type=request_type, **{**values, **changes})


def defect(field: str, message: str) -> Finding:
    return Finding("code", Severity.DEFECT, field, message)


DEFECTS = (
    defect(
        "seal",
        "申請社印（担当者印可）の押印が確認できません。押印のない申請書は受付できませんので、押印のうえご提出ください。",
    ),
    defect("user.name_en", "「氏名（英語）」が半角英字で記入されていません。半角英字でご記入ください。"),
    defect(
        "wished_revocation_date",
        "「現在お持ちの証明書の失効希望日」は、申請日から1か月以内（2026年8月22日まで）の日付をご指定ください。",
    ),
    defect("request_type", "「申請種別」が選択されていません。該当する申請種別をお選びください。"),
    defect("form", "1つの申請書に複数の利用者が記入されています。申請書1枚につき利用者1名でご記入ください。"),
)


HANDOVER, REISSUE, CANCELLATION = RequestType.HANDOVER, RequestType.REISSUE, RequestType.CANCELLATION
PAIR = {"predecessor": "佐藤 一郎", "successor": "鈴木 花子"}
SERIAL_TAIL = "9AF3"

# What tells of files that are no application.
OF_FILES = {
    LetterKind.UNREADABLE,
    LetterKind.LOCKED_FILE,
    LetterKind.OFFICE_FILE,
    LetterKind.PICTURE_FILE,
    LetterKind.DOWNLOAD_LINK,
    LetterKind.NOT_TAKEN,
}

LETTERS = {
    "receipt": letters.receipt(OFFICE, facts()),
    "receipt-reissue": letters.receipt(OFFICE, facts(REISSUE)),
    "receipt-handover-wished": letters.receipt(OFFICE, facts(HANDOVER, date(2026, 8, 14))),
    "receipt-cancellation-past": letters.receipt(OFFICE, facts(CANCELLATION, date(2026, 7, 21))),
    "receipt-undecided-nobody": letters.receipt(OFFICE, facts(None, company="", person="")),
    "defects": letters.defects(OFFICE, facts(REISSUE), findings=DEFECTS, deadline=DEADLINE),
    "guidance": letters.guidance(OFFICE, hints=(), events=events.load()),
    "guidance-hints": letters.guidance(
        OFFICE, hints=events.hints("担当の交代と事務所の移転。ダウンロードできない"), events=events.load()
    ),
    "unreadable": letters.unreadable(OFFICE, kinds=("encrypted", "spreadsheet", "encrypted")),
    "unreadable-rest": letters.unreadable(
        OFFICE, kinds=("image", "archive", "damaged", "empty", "not_pdf", "too_large", "other_service")
    ),
    "unreadable-rare": letters.unreadable(
        OFFICE, kinds=("program", "outlook_item", "tnef", "too_many", "mail_too_large", "too_costly", "word")
    ),
    "locked_file": letters.unreadable(OFFICE, kinds=("encrypted_archive",)),
    "office_file": letters.unreadable(OFFICE, kinds=("spreadsheet", "spreadsheet")),
    "office_file-both": letters.unreadable(OFFICE, kinds=("spreadsheet", "word")),
    "picture_file": letters.unreadable(OFFICE, kinds=("image",)),
    "download_link": letters.unreadable(OFFICE, kinds=("download_link",)),
    "not_taken": letters.not_taken(OFFICE, kinds=("encrypted", "spreadsheet")),
    "returned": letters.returned(
        OFFICE, facts(), reason="利用者の社名（英語）をご確認ください。\n前回と表記が異なります。", deadline=DEADLINE
    ),
    "question": letters.question(OFFICE, facts(), text="利用者さまは、現在も同じ部署にご在籍でしょうか。"),
    "on_hold": letters.on_hold(OFFICE, facts(HANDOVER)),
    "rejection": letters.rejection(OFFICE, facts(REISSUE), reason_word="種別違い"),
    "rejection-neutral": letters.rejection(OFFICE, facts(), reason_word="なりすましの疑い"),
    "withdrawn": letters.withdrawn(OFFICE, facts()),
    "withdrawn-deadline": letters.withdrawn(OFFICE, facts(), deadline=DEADLINE),
    "issue_notice": letters.issue_notice(OFFICE, facts(), name="鈴木 花子", **VALIDITY, **BUNDLE),
    "password": letters.password(OFFICE, reference=NUMBER),
    "renewal_notice": letters.renewal_notice(
        OFFICE, facts(None), name="鈴木 花子", expires_at=datetime(2026, 8, 21, 8, 5, tzinfo=UTC), **VALIDITY, **BUNDLE
    ),
    "issued_to_applicant": letters.issued_to_applicant(OFFICE, facts(), name="鈴木 花子", **VALIDITY),
    "scheduled_revocation": letters.scheduled_revocation(
        OFFICE, facts(CANCELLATION), when=date(2026, 8, 14), name="鈴木 花子"
    ),
    "urgently_revoked": letters.urgently_revoked(
        OFFICE, facts(REISSUE), name="鈴木 花子", serial_tails=["9af3", "01bc"], at=START, form_by=START.date()
    ),
    "revocation_called_off": letters.revocation_called_off(OFFICE, facts(REISSUE), name="鈴木 花子"),
    "revoked": letters.revoked(OFFICE, facts(REISSUE), name="鈴木 花子", serial_tails=["9af3"], at=START),
    "registration_changed": letters.registration_changed(
        OFFICE,
        facts(RequestType.REGISTRATION_CHANGE),
        changed=("利用者 氏名（日本語）", "利用者 氏名（英語）"),
        not_after=END,
    ),
    "registration_changed-none": letters.registration_changed(OFFICE, facts(), changed=("社名",), not_after=None),
    "address_changed_old": letters.address_changed_old(OFFICE),
    "cancelled": letters.cancelled(OFFICE, facts(CANCELLATION), name="鈴木 花子", at=START),
    "handover_done": letters.handover_done(OFFICE, facts(HANDOVER), **PAIR, revoked_at=START),
    "handover_done-due": letters.handover_done(OFFICE, facts(HANDOVER), **PAIR, revocation_due=date(2026, 8, 14)),
    "handover_predecessor": letters.handover_predecessor(
        OFFICE, facts(HANDOVER), name="佐藤 一郎", revocation_due=date(2026, 8, 14)
    ),
}


def shown(draft: Draft) -> str:
    """What a receiver sees of a draft, and the headers that concern him."""
    head = [f"Subject: {draft.subject}", f"Auto-Submitted: {draft.auto}"]
    head += [f"Attachment: {one.name} ({one.content_type})" for one in draft.attachments]
    return "\n".join([*head, "", draft.body])


every_letter = pytest.mark.parametrize("draft", LETTERS.values(), ids=LETTERS.keys())


@pytest.mark.parametrize("name", LETTERS)
def test_each_letter_reads_as_agreed(name):
    assert shown(LETTERS[name]).encode() == (GOLDENS / f"{name}.txt").read_bytes()


def test_every_kind_of_letter_to_a_customer_has_a_golden():
    assert {draft.kind for draft in LETTERS.values()} == {kind for kind in LetterKind if not kind.for_staff}


# --- the rules of domain notes D ---


@every_letter
def test_lines_are_short_enough_for_phone_and_outlook(draft):
    for line in draft.body.splitlines():
        assert columns(line) <= 76, line
        assert line == line.rstrip(), line


@every_letter
def test_the_footer_names_the_centre_the_call_centre_and_whether_to_reply(draft):
    footer = draft.body[draft.body.index("――――") :]
    for word in (OFFICE.name, OFFICE.site, OFFICE.call_centre_phone, OFFICE.call_centre_mail):
        assert word in footer
    assert ("ご返信いただけます" in footer) != ("返信なさらない" in footer)


@every_letter
def test_no_letter_holds_password_and_certificate_or_link_together(draft):
    if draft.kind is LetterKind.PASSWORD:
        assert "://" not in draft.body
        assert not draft.attachments
    else:
        assert letters.PASSWORD_MARKER not in draft.body


@every_letter
def test_only_the_notices_carry_a_certificate_and_nothing_else_is_ever_enclosed(draft):
    expected = [PKCS12] if draft.kind in (LetterKind.ISSUE_NOTICE, LetterKind.RENEWAL_NOTICE) else []
    assert [one.content_type for one in draft.attachments] == expected


@every_letter
def test_only_the_addresses_and_links_of_the_office_appear(draft):
    text = draft.body
    for own in (OFFICE.address, OFFICE.call_centre_mail, OFFICE.form_url, OFFICE.materials_url):
        text = text.replace(own, "")
    assert "@" not in text
    assert "://" not in text


@every_letter
def test_nothing_internal_shows(draft):
    for word in ("トークン", "承認者", "登録候補", "社内", "[#", "▲▲▲", "なりすまし", "担当者専用"):
        assert word not in draft.subject + draft.body


@every_letter
def test_the_subject_carries_the_case_number_where_the_letter_belongs_to_a_case(draft):
    without = {LetterKind.GUIDANCE, *OF_FILES, LetterKind.ADDRESS_CHANGED_OLD, LetterKind.RENEWAL_NOTICE}
    assert (NUMBER in draft.subject) == (draft.kind not in without)


@every_letter
def test_only_direct_answers_to_a_mail_say_auto_replied(draft):
    answers = {LetterKind.RECEIPT, LetterKind.DEFECTS, LetterKind.GUIDANCE, *OF_FILES}
    assert draft.auto == ("auto-replied" if draft.kind in answers else "auto-generated")
    assert draft.reply_to is None


@every_letter
def test_every_letter_has_a_line_for_readers_of_english(draft):
    assert "\n(English) " in draft.body


@pytest.mark.parametrize("word", ["青空電機", "山田", "鈴木", SERIAL_TAIL, "http", "パスワードレター"])
def test_the_password_letter_names_nobody_and_nothing_that_finds_the_certificate(word):
    assert word not in LETTERS["password"].subject + LETTERS["password"].body
    assert "パスワード" not in LETTERS["password"].subject


@pytest.mark.parametrize(
    "name",
    ["address_changed_old", "guidance", "guidance-hints", "unreadable", "locked_file", "download_link", "not_taken"],
)
def test_letters_to_people_we_do_not_know_name_nobody(name):
    assert "青空電機" not in LETTERS[name].body
    assert "山田" not in LETTERS[name].body
    assert NUMBER not in LETTERS[name].body


def test_the_predecessor_learns_nothing_about_the_successor():
    assert "鈴木" not in LETTERS["handover_predecessor"].body


def test_a_changed_registration_is_told_by_labels_without_values():
    assert "・利用者 氏名（英語）" in LETTERS["registration_changed"].body


def test_a_revocation_shows_the_last_four_digits_only():
    assert "（シリアル番号の末尾 9AF3）" in LETTERS["revoked"].body
    for tail in ("01", "0123456789AF", "xyz!"):
        with pytest.raises(ValueError, match="last four"):
            letters.revoked(OFFICE, facts(), name="鈴木 花子", serial_tails=[tail], at=START)


@pytest.mark.parametrize("event", events.load(), ids=lambda event: event.text)
def test_the_guidance_names_for_every_event_what_it_needs(event):
    whole, hinted = LETTERS["guidance"].body, letters.guidance(OFFICE, hints=(event,), events=(event,)).body
    heading = re.findall(r"【(.*)】", whole[: whole.index(f"　・{event.text}\n")])[-1]
    advice = re.sub(r"\n　+", "", hinted[hinted.index("■ お問い合わせの内容に近いもの") : hinted.index("■ こんなとき")])
    if event.form_needed:
        word = request_types.load().types[event.request_type].word
        assert heading == f"申請種別：{word}"
        assert f"「{word}」をお選びください" in advice
    else:
        called = event.subject == "ユーザ"
        assert heading.startswith("申請書は不要")
        assert ("コールセンター" in heading) == ("コールセンター" in advice) == called


# --- defects and reasons ---


def test_all_defects_come_at_once_numbered_under_the_printed_label():
    body = LETTERS["defects"].body
    for count, label in enumerate(
        ["申請社印（担当者印可）", "利用者 氏名（英語）", "現在お持ちの証明書の失効希望日", "申請種別", "申請書全体"], 1
    ):
        assert f"\n{count}. {label}\n" in body
    assert "全5件" in body


@pytest.mark.parametrize("severity", [Severity.DOUBT, Severity.WARNING, Severity.NOTE])
def test_only_defects_reach_the_applicant(severity):
    findings = (DEFECTS[0], Finding("x", severity, "seal", "?"))
    with pytest.raises(ValueError, match="defects"):
        letters.defects(OFFICE, facts(), findings=findings, deadline=DEADLINE)
    with pytest.raises(ValueError, match="defects"):
        letters.defects(OFFICE, facts(), findings=(), deadline=DEADLINE)


@pytest.mark.parametrize("word", ["なりすましの疑い", "反社", "", "登録済みの別会社と重複"])
def test_a_rejection_never_repeats_what_staff_wrote(word):
    body = letters.rejection(OFFICE, facts(), reason_word=word).body
    assert "お手続きを進めることができないため" in body
    assert not word or word not in body


def test_each_stock_reason_is_a_clause_that_ends_politely():
    for word, sentence in letters.REJECTION_REASONS.items():
        assert letters.rejection_sentence(f" {word} ") == sentence
        assert "ため" in sentence


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("  \n", "文がありません"),
        ("あ" * 601, "600文字"),
        ("詳しくは https://evil.example/ をご覧ください", "URL"),
        ("ｗｗｗ．evil.example をご覧ください", "URL"),
        ("tanaka＠lra.example までご連絡ください", "メールアドレス"),
        ("\u202e反転", "表示されない"),
        ("あ\x07い", "表示されない"),
        ("[#ABCDEF] を返信してください", "社内用"),
        ("{{PASSWORD}}", "社内用"),
    ],
)
def test_text_of_staff_goes_out_only_when_it_is_fit(text, fault):
    for write in (
        lambda: letters.question(OFFICE, facts(), text=text),
        lambda: letters.returned(OFFICE, facts(), reason=text, deadline=DEADLINE),
    ):
        with pytest.raises(UnfitTextError) as caught:
            write()
        assert fault in caught.value.reason
        assert text not in str(caught.value)


@pytest.mark.parametrize("kinds", [(), ("encrypted", "unheard_of")])
def test_an_unreadable_file_of_unknown_kind_is_an_error_and_no_letter(kinds):
    with pytest.raises(ValueError, match="unreadable kinds"):
        letters.unreadable(OFFICE, kinds=kinds)


def test_every_kind_of_parse_error_has_its_own_sentence():
    bodies = {letters.unreadable(OFFICE, kinds=(kind.value,)).body for kind in ParseKind}
    assert len(bodies) == len(ParseKind)


@pytest.mark.parametrize("given", [{}, {"revoked_at": START, "revocation_due": DEADLINE}])
def test_a_handover_letter_tells_exactly_one_moment(given):
    with pytest.raises(ValueError, match="either"):
        letters.handover_done(OFFICE, facts(HANDOVER), **PAIR, **given)


# --- what stood on the form is never a way in ---


@pytest.mark.parametrize(
    "name",
    [
        "今すぐ http://evil.example/ へ",
        "support＠evil.example",
        "www.evil.example",
        "あ" * 61,
        "山田\u202e",
        "{{PASSWORD}}",
    ],
)
def test_a_name_that_carries_a_message_is_not_echoed(name):
    for draft in (letters.receipt(OFFICE, facts(company=name)), letters.receipt(OFFICE, facts(person=name))):
        assert unicodedata.normalize("NFKC", name) not in unicodedata.normalize("NFKC", draft.body)


def test_names_known_in_part_still_give_an_addressee():
    assert wording.addressee(facts(person="")) == "株式会社青空電機\nご担当者様"
    assert wording.addressee(facts(company="")) == "山田 太郎 様"


def test_a_line_break_in_a_name_stays_on_one_line():
    body = letters.issued_to_applicant(OFFICE, facts(), name="鈴木\r\nBcc: x", **VALIDITY).body
    assert "利用者名：鈴木 ／ Bcc: x 様" in body


def test_a_wish_for_the_day_of_arrival_is_kept_and_one_of_yesterday_is_told():
    # 00:31 UTC is 9:31 of the same day in Japan; 23:00 UTC the day before is already that day.
    late = datetime(2026, 7, 21, 23, 0, tzinfo=UTC)
    kept = letters.receipt(OFFICE, facts(CANCELLATION, date(2026, 7, 22), arrived_at=late)).body
    assert "2026年7月22日（水）　※この日の終わりに失効" in kept
    assert "過ぎている" in LETTERS["receipt-cancellation-past"].body


def test_types_that_revoke_nothing_say_nothing_of_a_wished_date():
    for request_type in (RequestType.NEW_ISSUE, RequestType.REGISTRATION_CHANGE):
        assert "失効希望日" not in letters.receipt(OFFICE, facts(request_type, DEADLINE)).body


def write_goldens() -> None:
    GOLDENS.mkdir(parents=True, exist_ok=True)
    for name, draft in LETTERS.items():
        (GOLDENS / f"{name}.txt").write_bytes(shown(draft).encode())


if __name__ == "__main__" and "--write" in sys.argv:
    write_goldens()
