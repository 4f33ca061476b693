"""The letters to staff as they look on a phone (goldens), and what they must hold and never hold.

PYTHONPATH=. .venv/bin/python -P tests/daemon/test_staff_letters.py --write     writes the goldens anew
"""

import dataclasses
import re
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from config import request_types
from config.request_types import RequestType
from daemon import digest_letters, staff_letters, wording
from daemon.crops import Crops
from daemon.letters import REJECTION_REASONS, CaseFacts, Draft, Enclosure, LetterKind, Office, rejection_sentence
from daemon.line_breaking import columns
from daemon.staff_letters import MARKER, Difference
from parsers.reading import Application, Box, FieldValue, Finding, Route, Seal, SealVerdict, Severity

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
TOKEN = "K7MQ2XW4RT6ZP3VHK7MQ2XW4RT"
ARRIVED, NOW, EXPIRES = (datetime(2026, 7, day, 0, 31, tzinfo=UTC) for day in (22, 23, 29))
PDF = Enclosure(f"{NUMBER}.pdf", "application/pdf", b"%PDF-1.7")


def facts(request_type=RequestType.HANDOVER) -> CaseFacts:
    return CaseFacts(NUMBER, request_type, "株式会社青空電機", "山田 太郎", ARRIVED)


VALUES = {
    "applicant.company": "株式会社青空電機",
    "applicant.department": "総務部",
    "applicant.name": "山田 太郎",
    "applicant.phone": "03-0000-1234",
    "applicant.email": "yamada@aozora-denki.example",
    "before.company_ja": "株式会社青空電機",
    "before.company_en": "AOZORA DENKI CO., LTD.",
    "before.name_ja": "佐藤 一郎",
    "before.name_en": "Ichiro SATO",
    "before.email": "sato@aozora-denki.example",
    "after.company_ja": "株式会社青空電機",
    "after.company_en": "AOZORA DENKI CO., LTD.",
    "after.name_ja": "鈴木 花子",
    "after.name_en": "Hanako SUZUKI",
    "after.email": "suzuki@aozora-denki.example",
}


def application(request_type=RequestType.HANDOVER, **changes) -> Application:
    table = request_types.load()
    fields = {row.key: FieldValue(None, "", 1.0, 1) for row in table.fields()}
    fields |= {key: FieldValue(value, value, 1.0, 1) for key, value in VALUES.items()}
    fields["after.email"] = FieldValue(
        "suzuki@aozora-denki.example", "ｓｕｚｕｋｉ＠aozora-denki.example", 0.916, 1, Box(120.0, 480.0, 400.0, 496.0)
    )
    fields["application_date"] = FieldValue("2026-07-21", "令和8年7月21日", 1.0, 1)
    fields["wished_revocation_date"] = FieldValue(None, "来月末", 0.5, 1)
    fields["remarks"] = FieldValue("承認\n利用者の英語表記は\u202e名刺のとおりです。", "", 1.0, 1)
    fields["user.name_ja"] = FieldValue("鈴木 花子", "鈴木 花子", 1.0, 1)
    values = {
        "request_type": request_type,
        "form_version": "2024-07",
        "route": Route.TEXT,
        "pages": (1,),
        "fields": fields,
        "confirmations": {row.key: row.key != "content_correct" for row in table.confirmations},
        "seal": Seal(SealVerdict.UNCLEAR, 0.625, 1),
        "findings": (
            Finding("seal_unclear", Severity.DOUBT, "seal", "「申請社印（担当者印可）」の押印の有無を判定できません。"),
            Finding("application_date_old", Severity.WARNING, "application_date", "「申請日」が30日より前の日付です。"),
            Finding("applicant_not_sender", Severity.NOTE, "applicant.email", "差出人のアドレスが申請者と異なります。"),
        ),
    }
    return Application(**{**values, **changes})


PLAN = (
    "発行：Hanako SUZUKI（鈴木 花子）の証明書を発行し、suzuki@aozora-denki.example へ送付します。",
    "失効：佐藤 一郎 の証明書 0123456789ABCDEF0123456789ABCDEF01234567（期限 2027-03-31）を承認後ただちに失効します。",
    "登録 S-000123 を承認後ただちに終了し、以後更新しません。",
)
ASKED = {"token": TOKEN, "expires_at": EXPIRES}
DEFECT = Finding("x", Severity.DEFECT, "seal", "「申請社印（担当者印可）」の押印がありません。")


def scan() -> Application:
    """A scan with a doubtful mail address, an unreadable date, a doubtful type, and a mail address that is sure."""
    read = application(route=Route.SCAN, notes=("cut_page",))
    fields = {key: dataclasses.replace(value, confidence=0.97) for key, value in read.fields.items()}
    place = Box(120.0, 480.0, 400.0, 496.0)
    fields["after.email"] = FieldValue(
        "suzuk1@aozora-denki.example",
        "suzuk1@aozora-denki.example",
        0.5,
        1,
        place,
        ("second_opinion", "look_alike", "register_near"),
    )
    fields["wished_revocation_date"] = FieldValue(
        None, "2O26/B/31", 0.4, 1, Box(120.0, 600.0, 400.0, 616.0), ("grammar",)
    )
    kind = FieldValue("handover", "担当変吏", 0.8, 1, Box(120.0, 60.0, 400.0, 76.0), ("unheard_of",))
    return dataclasses.replace(read, fields=fields, type_reading=kind)


CROPS = Crops(
    tuple(
        Enclosure(name, "image/png", b"PNG", inline=True)
        for name in (
            "request-type.png",
            "mail-address-applicant.png",
            "mail-address-after.png",
            "seal.png",
            "page-1.jpg",
        )
    ),
    (
        ("request_type", "request-type.png"),
        ("applicant.email", "mail-address-applicant.png"),
        ("after.email", "mail-address-after.png"),
        ("seal", "seal.png"),
    ),
)


def request(**changes) -> Draft:
    values = {"application": application(), "plan": PLAN, "documents": (PDF,), **ASKED}
    return staff_letters.approval_request(OFFICE, facts(), **{**values, **changes})


def order(**changes) -> Draft:
    values = {
        "plan": (
            (
                "失効：佐藤 一郎（株式会社青空電機）の証明書 0123456789ABCDEF（期限 2027-03-31）を、"
                "2人目の承認後ただちに失効します。元に戻すことはできません。"
            ),
            "理由：PCの盗難／理由コード：秘密鍵の危殆化（keyCompromise）",
        ),
        "quorum_reasons": ("至急失効",),
        "opened_by": "田中 恵子",
        "opened_at": NOW,
        "approver_index": "1/2",
        **ASKED,
    }
    case = dataclasses.replace(facts(None), kind_word="至急失効")
    return staff_letters.order_request(OFFICE, case, **{**values, **changes})


LETTERS = {
    "approval_request": request(
        quorum=2,
        quorum_reasons=("担当変更", "警告のある申請"),
        approver_index="1/3",
        register_differences=(Difference("変更前（前任者） 氏名（英語）", "Ichiro SATO", "Ichirou SATO"),),
    ),
    "approval_request-undecided": request(
        application=application(None, findings=(), form_version=None, seal=Seal(SealVerdict.ABSENT, 1.0)),
        plan=(),
        blocked=("申請種別が確定していません。「種別変更 種別」で確定してください。",),
    ),
    "approval_request-candidates": request(
        plan=(),
        blocked=("対象の登録が一つに定まりません。「対象 番号」で選んでください。",),
        candidates=(
            "S-000123：株式会社青空電機 佐藤 一郎（sato@aozora-denki.example）",
            "S-000124：株式会社青空電機 佐藤 一朗（sato2@aozora-denki.example）",
        ),
    ),
    "approval_request-scan": request(
        application=scan(),
        findings=(
            Finding("register_near", Severity.DOUBT, "after.email", "「変更後（後任者） メールアドレス」の読み取り。"),
            Finding("reading_doubtful", Severity.DOUBT, "after.email", "「…」の自動読取に確信がありません。"),
        ),
        crops=CROPS,
    ),
    "approval_request-uncut": request(application=scan(), findings=(), crops=Crops(failed=True)),
    "approval_request-noted": request(
        findings=(),
        notes=(
            "2026年7月22日（水）10:05 メモ（田中 恵子）：登録の番号に折り返し、本人に確認済み",
            "2026年7月22日（水）10:09 修正（田中 恵子）：第2版。ご本人以外の承認が必要です",
        ),
        code="ABCD-EFGH-JKLM-NPQR",
    ),
    "order_request": order(),
    "order_request-blocked": order(
        plan=(), blocked=("有効な証明書がもうありません。「却下 対象なし」で終わらせてください。",)
    ),
    "daily_digest": digest_letters.daily_digest(
        OFFICE,
        day=date(2026, 7, 22),
        waiting=1,
        sections=(
            ("ご判断をお待ちしている案件", ("WEBEC-20260722-0012 担当変更 株式会社青空電機",)),
            ("保留が3日を超えた案件", ()),
            ("本日実行する失効", ("WEBEC-20260701-0003 株式会社青空電機 佐藤 一郎 様（07/22の終わり）",)),
            ("届けられなかった通知", ()),
        ),
    ),
    "daily_digest-none": digest_letters.daily_digest(
        OFFICE, day=date(2026, 7, 22), waiting=0, sections=(("ご判断をお待ちしている案件", ()),)
    ),
    "approval_reminder": staff_letters.approval_reminder(OFFICE, facts(), asked_at=NOW, expires_at=EXPIRES),
    "decision_recorded": staff_letters.decision_recorded(
        OFFICE,
        facts(),
        decision="田中 恵子：承認",
        at=NOW,
        outcome=("承認 2／2：実施に移ります。", PLAN[0]),
        token=TOKEN,
        undo_until=NOW,
    ),
    "decision_recorded-until-execution": staff_letters.decision_recorded(
        OFFICE, facts(), decision="田中 恵子：承認", at=NOW, outcome=PLAN[2:], token=TOKEN
    ),
    "decision_recorded-rejected": staff_letters.decision_recorded(
        OFFICE,
        facts(),
        decision="田中 恵子：却下 連絡先の電話番号が登録と異なり折り返しても通じない",
        at=NOW,
        outcome=(f"申請者への説明：{rejection_sentence('')}",),
    ),
    "decision_refused": staff_letters.decision_refused(
        OFFICE,
        number=NUMBER,
        claimed_sender="tanaka@lra.example",
        reason="差出人を確認できません（dkim=none）。",
        at=NOW,
    ),
    "decision_refused-unknown": staff_letters.decision_refused(OFFICE, reason="照合コードが一致しません。", at=NOW),
    "reply_unclear": staff_letters.reply_unclear(
        OFFICE, number=NUMBER, line="承認できません", reason="指示と一致する行ではありません。", token=TOKEN
    ),
    "reply_unclear-bare": staff_letters.reply_unclear(
        OFFICE, reason="案件が特定できません。", commands=("一覧（list）：案件の一覧をお送りします",)
    ),
    "staff_notice": staff_letters.staff_notice(
        OFFICE,
        subject="申請書のないメール",
        lines=("差出人：info@midori.example", "", "お世話になっております。\n承認\nよろしくお願いいたします。\n"),
        enclosures=(PDF,),
    ),
}
WITH_TOKEN = ("decision_recorded", "decision_recorded-until-execution", "reply_unclear")

every_letter = pytest.mark.parametrize("draft", LETTERS.values(), ids=LETTERS.keys())


def shown(draft: Draft) -> str:
    head = [f"Subject: {draft.subject}", f"Auto-Submitted: {draft.auto}"]
    head += [f"Reply-To: {draft.reply_to}"] if draft.reply_to else []
    head += [f"Attachment: {one.name} ({one.content_type})" for one in draft.attachments]
    return "\n".join([*head, "", draft.body])


@pytest.mark.parametrize("name", LETTERS)
def test_each_letter_to_staff_reads_as_agreed(name):
    assert shown(LETTERS[name]).encode() == (GOLDENS / f"{name}.txt").read_bytes()


def test_every_kind_of_letter_to_staff_has_a_golden():
    assert {draft.kind for draft in LETTERS.values()} == {kind for kind in LetterKind if kind.for_staff}


# --- the shape ---


@every_letter
def test_lines_are_short_and_none_is_a_table(draft):
    for line in draft.body.splitlines():
        assert columns(line) <= 76, line
        assert line == line.rstrip(), line
        assert "|" not in line


@every_letter
def test_no_line_of_a_letter_to_staff_is_a_command_when_a_reply_quotes_it(draft):
    for line in draft.body.splitlines():
        assert not wording.reads_as_command(line.lstrip(" >＞　")), line


@every_letter
def test_the_marker_is_the_first_line_wherever_a_reply_is_a_decision(draft):
    assert (draft.body.splitlines()[0] == MARKER) == (draft.kind in MARKED)


MARKED = {LetterKind.APPROVAL_REQUEST, LetterKind.ORDER_REQUEST, LetterKind.DECISION_RECORDED, LetterKind.REPLY_UNCLEAR}


@every_letter
def test_a_letter_to_staff_says_that_it_is_internal(draft):
    assert "担当者専用" in draft.body


@every_letter
def test_the_token_stands_in_subject_and_reply_address_and_never_in_the_text(draft):
    assert TOKEN not in draft.body
    if draft.reply_to:
        assert draft.subject.endswith(f"[#{TOKEN}]")
        assert draft.reply_to == f"ogis-lra+{TOKEN}@lra.example"
    else:
        assert "[#" not in draft.subject


@pytest.mark.parametrize("name", LETTERS)
def test_only_letters_whose_answer_decides_carry_a_token(name):
    assert (LETTERS[name].reply_to is not None) == (
        name in WITH_TOKEN or LETTERS[name].kind in (LetterKind.APPROVAL_REQUEST, LetterKind.ORDER_REQUEST)
    )


def test_requests_reminders_and_notices_are_generated_and_answers_are_replies():
    for draft in LETTERS.values():
        answers = (LetterKind.DECISION_RECORDED, LetterKind.REPLY_UNCLEAR)
        assert draft.auto == ("auto-replied" if draft.kind in answers else "auto-generated")


# --- the request ---


def test_the_verdict_is_the_first_line_below_the_marker():
    assert LETTERS["approval_request"].body.splitlines()[1].startswith("判定：")


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"findings": ()}, "不備・警告はありません。ご判断をお願いします"),
        ({"findings": (), "register_differences": (Difference("社名", "a", "b"),)}, "登録との差異が1件あります"),
        ({"findings": (DEFECT,)}, "不備があります（不備1/警告0）。差戻しをご検討ください"),
        ({"findings": (), "blocked": ("該当する登録がありません。",)}, "このままでは承認できません"),
        ({}, "確認が必要な点があります（不備0/警告1/要確認1）"),
        ({"application": application(None)}, "申請種別を判別できません"),
    ],
)
def test_the_verdict_names_what_matters_most(changes, verdict):
    assert verdict in request(**changes).body.splitlines()[1]


def test_every_field_of_the_type_is_shown_and_every_box_and_the_seal():
    table, body = request_types.load(), LETTERS["approval_request"].body.replace("\n", "").replace("　", "")
    for block in ("applicant", "before", "after"):
        for row in table.block(block).rows:
            assert f"{row.label}：" in body
    for key, value in VALUES.items():
        if not key.startswith("user."):
            assert value in body, key
    for row in table.confirmations:
        assert row.label in body
    assert "申請社印（担当者印可）：判定できません（添付でご確認ください）［確度62%、1ページ］" in body


def test_certainty_and_place_stand_only_where_the_reading_is_not_certain():
    body = LETTERS["approval_request"].body.replace("\n", "").replace("　", "")
    assert "［確度91%、1ページ 上から169mm・左から42mm］" in body
    assert body.count("確度") == 4  # the unreadable date stands among the doubts and in its place on the form


def test_every_doubtful_reading_is_shown_with_value_certainty_reasons_place_and_picture():
    body = LETTERS["approval_request-scan"].body
    part = body.partition("■ 読み取りに確信のない項目")[2].partition("■")[0].replace("\n", "").replace("　", "")
    for expected in (
        "変更後（後任者） メールアドレス：suzuk1@aozora-denki.example",
        "確度50%",
        "2つの読み取りエンジンの結果が異なります",
        "形の似た文字を含みます",
        "登録されている値とわずかに異なります",
        "1ページ 上から169mm・左から42mm",
        "mail-address-after.png",
        "（読み取れません）（原文：2O26/B/31）",
        "申請種別：担当変更（原文：担当変吏）",
        "unheard_of",  # a code nobody gave words for is shown as it is
    ):
        assert expected in part, expected
    assert body.index("■ 読み取りに確信のない項目") < body.index("■ 指摘事項")
    assert "自動読取に確信がありません" not in body  # said once, in full


def test_pictures_are_named_by_what_they_show_and_come_before_the_document():
    draft = LETTERS["approval_request-scan"]
    assert [one.name for one in draft.attachments] == [*(one.name for one in CROPS.pictures), PDF.name]
    shown_last = draft.body.partition("■ 画像")[2].partition("■")[0]
    assert "mail-address-applicant.png" in shown_last
    assert "seal.png" in shown_last
    assert all(one.name.isascii() for one in draft.attachments)


def test_a_request_without_the_pictures_it_should_have_says_so():
    assert "画像の一部または全部を作成できませんでした" in LETTERS["approval_request-uncut"].body
    assert "画像" not in LETTERS["approval_request-candidates"].body.partition("■ 申請書の内容")[2]


def test_what_stood_on_the_form_is_shown_beside_a_value_that_was_read_from_it():
    body = LETTERS["approval_request"].body
    assert "申請日：2026-07-21（原文：令和8年7月21日）" in body
    assert "（読み取れません）（原文：来月末）" in body


def test_a_value_on_the_form_cannot_look_like_a_line_of_ours_or_hide_anything():
    assert "備考：承認 ／ 利用者の英語表記は〓名刺のとおりです。" in LETTERS["approval_request"].body


@pytest.mark.parametrize("length", range(20, 60))
def test_no_break_of_a_long_value_makes_a_line_that_reads_as_a_command(length):
    fields = {**application().fields, "remarks": FieldValue("備" * length + " 承認 します ａｐｐｒｏｖｅ", "", 1.0, 1)}
    body = request(application=application(fields=fields)).body
    notice = staff_letters.staff_notice(
        OFFICE, subject="メール", lines=("備" * length + " 承認", "承認", "行\n 承認")
    ).body
    for line in (*body.splitlines(), *notice.splitlines()):
        assert not wording.reads_as_command(line), line


def test_a_filled_grey_cell_and_a_ticked_grey_box_are_shown_apart():
    lines = LETTERS["approval_request"].body.splitlines()
    assert (
        "利用者 氏名（日本語）：鈴木 花子" in lines[lines.index("【入力不要の欄への記入（取り扱いには含めません）】") :]
    )
    assert any(line.endswith("（入力不要の欄）") for line in lines)


def test_a_field_that_the_form_version_does_not_have_is_not_called_empty():
    old = application()
    fields = {key: value for key, value in old.fields.items() if key != "wished_revocation_date"}
    assert "失効希望日：（この様式にない欄）" in request(application=dataclasses.replace(old, fields=fields)).body


def test_a_place_without_a_box_names_the_page():
    uncertain = {**application().fields, "applicant.name": FieldValue("山田 太郎", "山田 太郎", 0.9, 2)}
    assert "氏名：山田 太郎［確度90%、2ページ］" in request(application=application(fields=uncertain)).body


def test_findings_come_by_severity_the_gravest_first():
    body = request(findings=(*application().findings, DEFECT)).body
    places = [body.index(f"【{word}") for word in ("不備", "警告", "要確認", "参考")]
    assert places == sorted(places)


def test_the_plan_and_the_term_are_shown_word_for_word():
    body = LETTERS["approval_request"].body
    flat = re.sub(r"\n　*", "", body)
    for sentence in PLAN:
        assert re.sub(r"\s", "", sentence) in re.sub(r"\s", "", flat)
    assert "期限：2026年7月29日（水）09:31" in body
    assert "必要な承認：異なる2人（担当変更、警告のある申請）" in body
    assert "依頼先：3人中1人目の方" in body


def test_two_approvers_may_be_needed_for_no_named_reason():
    assert "必要な承認：異なる2人\n" in request(quorum=2).body


def test_staff_see_what_a_rejection_would_tell_the_applicant():
    flat = re.sub(r"\n　+", "", LETTERS["approval_request"].body)
    for word, sentence in REJECTION_REASONS.items():
        assert f"・却下 {word}：{sentence}" in flat


def test_a_long_company_name_does_not_make_the_subject_endless():
    fields = {**application().fields, "applicant.company": FieldValue("あ" * 200 + "\r\nBcc: x@y.example", "", 1.0)}
    subject = request(application=application(fields=fields)).subject
    assert len(subject) < 130
    assert "Bcc" not in subject


@pytest.mark.parametrize("index", ["1", "x/2", "1/"])
def test_an_approver_index_must_look_like_one(index):
    with pytest.raises(ValueError, match="approver_index"):
        request(approver_index=index)


@pytest.mark.parametrize("token", ["", "short", "with space 1", "a+b@c.example", "あいうえおかきくけこ", "x" * 60])
def test_a_token_that_is_no_plain_word_makes_no_address(token):
    with pytest.raises(ValueError, match="token"):
        staff_letters.reply_address(OFFICE.address, token)


@pytest.mark.parametrize("address", ["nobody", "@lra.example", "a@", "x" * 50 + "@lra.example"])
def test_a_reply_address_needs_a_mailbox_that_leaves_room(address):
    with pytest.raises(ValueError, match=r"mailbox|64 octets"):
        staff_letters.reply_address(address, TOKEN)


def test_a_quoted_mail_is_set_off_and_cut():
    body = LETTERS["staff_notice"].body
    assert "\n｜承認\n" in body
    long = staff_letters.staff_notice(OFFICE, subject="長いメール", lines=("行\n" * 9000,)).body
    assert "以下略" in long
    assert len(long) < 12000


def write_goldens() -> None:
    for name, draft in LETTERS.items():
        (GOLDENS / f"{name}.txt").write_bytes(shown(draft).encode())


if __name__ == "__main__" and "--write" in sys.argv:
    write_goldens()
